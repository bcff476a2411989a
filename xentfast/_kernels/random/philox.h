/* Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): a block of four words is
 * a function of a 64-bit key and a 128-bit counter. Here the counter's words 0 and 1 are the block's number, 2 and 3 its
 * stream. Integers: every path gives the same words.
 *
 * The vector paths keep each word in the low half of a 64-bit lane, one lane a block: one multiplication of low halves gives
 * both halves of the product, the high one is a shift away, and the low one is used where it is. What lies in the high half
 * of a lane means nothing until the end, where two words are joined in one lane. Two vectors are interleaved, to hide the
 * multiplication's latency. GCC 12 does not find this from the scalar code (three times slower on AVX2).
 *
 * XF_PORTABLE takes the scalar path, which other architectures use, for tests. */
#ifndef XENTFAST_PHILOX_H
#define XENTFAST_PHILOX_H

#include <stddef.h>
#include <stdint.h>

#if !defined(XF_PORTABLE) && (defined(__x86_64__) || defined(_M_X64))
#define XF_PHILOX_VECTORS 1
#include <immintrin.h>
#else
#define XF_PHILOX_VECTORS 0
#endif

#define XF_PHILOX_ROUNDS 10
#define XF_PHILOX_MULTIPLIER_0 0xd2511f53u
#define XF_PHILOX_MULTIPLIER_1 0xcd9e8d57u
#define XF_PHILOX_WEYL_0 0x9e3779b9u        /* added to the key after each round: the golden ratio … */
#define XF_PHILOX_WEYL_1 0xbb67ae85u        /* … and √3 − 1 */
#define XF_PHILOX_GROUP 16                  /* blocks that the functions below work on at a time */

static inline void xf_philox_block(const uint32_t key[2], const uint32_t counter[4], uint32_t words[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    int i;
    for (i = 0; i < XF_PHILOX_ROUNDS; i++) {
        uint64_t p0 = (uint64_t)c0 * XF_PHILOX_MULTIPLIER_0, p1 = (uint64_t)c2 * XF_PHILOX_MULTIPLIER_1;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += XF_PHILOX_WEYL_0;
        k1 += XF_PHILOX_WEYL_1;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

#if XF_PHILOX_VECTORS
#if defined(__AVX512F__)
#define XF_WIDTH 8
typedef __m512i xf_lanes;
#define XF_SET(x) _mm512_set1_epi64((long long)(x))
#define XF_COUNT _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)
#define XF_ADD _mm512_add_epi64
#define XF_MULTIPLY _mm512_mul_epu32
#define XF_HIGH(x) _mm512_srli_epi64(x, 32)
#define XF_XOR(x, y, z) _mm512_ternarylogic_epi64(x, y, z, 0x96)
#define XF_JOIN(low, high) _mm512_mask_shuffle_epi32(low, 0xaaaa, high, _MM_PERM_CCAA)
#define XF_STORE(words, x) _mm512_storeu_si512(words, x)
#elif defined(__AVX2__)
#define XF_WIDTH 4
typedef __m256i xf_lanes;
#define XF_SET(x) _mm256_set1_epi64x((long long)(x))
#define XF_COUNT _mm256_set_epi64x(3, 2, 1, 0)
#define XF_ADD _mm256_add_epi64
#define XF_MULTIPLY _mm256_mul_epu32
#define XF_HIGH(x) _mm256_srli_epi64(x, 32)
#define XF_XOR(x, y, z) _mm256_xor_si256(_mm256_xor_si256(y, z), x)
#define XF_JOIN(low, high) _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xaa)
#define XF_STORE(words, x) _mm256_storeu_si256((__m256i *)(words), x)
#else
#define XF_WIDTH 2
typedef __m128i xf_lanes;
#define XF_SET(x) _mm_set1_epi64x((long long)(x))
#define XF_COUNT _mm_set_epi64x(1, 0)
#define XF_ADD _mm_add_epi64
#define XF_MULTIPLY _mm_mul_epu32
#define XF_HIGH(x) _mm_srli_epi64(x, 32)
#define XF_XOR(x, y, z) _mm_xor_si128(_mm_xor_si128(y, z), x)
#define XF_JOIN(low, high) _mm_or_si128(_mm_and_si128(low, _mm_set1_epi64x(0xffffffff)), _mm_slli_epi64(high, 32))
#define XF_STORE(words, x) _mm_storeu_si128((__m128i *)(words), x)
#endif

/* Words 0 and 1 in `front`, 2 and 3 in `back`, a lane a block → whole blocks in order. */
static inline void xf_store_blocks(uint32_t *words, xf_lanes front, xf_lanes back)
{
#if defined(__AVX512F__)
    xf_lanes even = _mm512_unpacklo_epi64(front, back), odd = _mm512_unpackhi_epi64(front, back);
    XF_STORE(words, _mm512_permutex2var_epi64(even, _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0), odd));
    XF_STORE(words + 16, _mm512_permutex2var_epi64(even, _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4), odd));
#elif defined(__AVX2__)
    xf_lanes even = _mm256_unpacklo_epi64(front, back), odd = _mm256_unpackhi_epi64(front, back);
    XF_STORE(words, _mm256_permute2x128_si256(even, odd, 0x20));
    XF_STORE(words + 8, _mm256_permute2x128_si256(even, odd, 0x31));
#else
    XF_STORE(words, _mm_unpacklo_epi64(front, back));
    XF_STORE(words + 4, _mm_unpackhi_epi64(front, back));
#endif
}

#define XF_ROUND(c0, c1, c2, c3, i)                                                                     \
    do {                                                                                                \
        xf_lanes p0 = XF_MULTIPLY(c0, multiplier_0), p1 = XF_MULTIPLY(c2, multiplier_1);                \
        c0 = XF_XOR(XF_HIGH(p1), c1, keys_0[i]);                                                        \
        c2 = XF_XOR(XF_HIGH(p0), c3, keys_1[i]);                                                        \
        c1 = p1;                                                                                        \
        c3 = p0;                                                                                        \
    } while (0)
#define XF_TWO_ROUNDS(i)                                                                                \
    XF_ROUND(a0, a1, a2, a3, i);                                                                        \
    XF_ROUND(b0, b1, b2, b3, i);                                                                        \
    XF_ROUND(a0, a1, a2, a3, i + 1);                                                                    \
    XF_ROUND(b0, b1, b2, b3, i + 1)
#endif

/* Blocks [block, block + 16·n_groups) of a stream. Their words go to `first` in order; or, where `second` is not NULL, words
 * 0 and 2 of each block to `first`, words 1 and 3 to `second`. */
static inline void xf_philox_words(const uint32_t key[2], const uint32_t stream[2], uint64_t block, ptrdiff_t n_groups,
                                   uint32_t *first, uint32_t *second)
{
#if XF_PHILOX_VECTORS
    const xf_lanes multiplier_0 = XF_SET(XF_PHILOX_MULTIPLIER_0), multiplier_1 = XF_SET(XF_PHILOX_MULTIPLIER_1);
    const xf_lanes stream_0 = XF_SET(stream[0]), stream_1 = XF_SET(stream[1]), step = XF_SET(XF_WIDTH);
    xf_lanes keys_0[XF_PHILOX_ROUNDS], keys_1[XF_PHILOX_ROUNDS], number = XF_ADD(XF_SET(block), XF_COUNT);
    ptrdiff_t pair;
    int i;
    for (i = 0; i < XF_PHILOX_ROUNDS; i++) {
        keys_0[i] = XF_SET(key[0] + (uint32_t)i * XF_PHILOX_WEYL_0);
        keys_1[i] = XF_SET(key[1] + (uint32_t)i * XF_PHILOX_WEYL_1);
    }
    for (pair = 0; pair < n_groups * (XF_PHILOX_GROUP / (2 * XF_WIDTH)); pair++) {
        xf_lanes a0 = number, a1 = XF_HIGH(number), a2 = stream_0, a3 = stream_1;
        xf_lanes b0 = XF_ADD(number, step), b1 = XF_HIGH(b0), b2 = stream_0, b3 = stream_1;
        number = XF_ADD(b0, step);
        XF_TWO_ROUNDS(0);
        XF_TWO_ROUNDS(2);
        XF_TWO_ROUNDS(4);
        XF_TWO_ROUNDS(6);
        XF_TWO_ROUNDS(8);
        if (second == NULL) {
            xf_store_blocks(first, XF_JOIN(a0, a1), XF_JOIN(a2, a3));
            xf_store_blocks(first + 4 * XF_WIDTH, XF_JOIN(b0, b1), XF_JOIN(b2, b3));
            first += 8 * XF_WIDTH;
        } else {
            XF_STORE(first, XF_JOIN(a0, a2));
            XF_STORE(first + 2 * XF_WIDTH, XF_JOIN(b0, b2));
            XF_STORE(second, XF_JOIN(a1, a3));
            XF_STORE(second + 2 * XF_WIDTH, XF_JOIN(b1, b3));
            first += 4 * XF_WIDTH;
            second += 4 * XF_WIDTH;
        }
    }
#else
    ptrdiff_t i;
    for (i = 0; i < n_groups * XF_PHILOX_GROUP; i++) {
        uint64_t number = block + (uint64_t)i;
        uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32), stream[0], stream[1]}, words[4];
        xf_philox_block(key, counter, words);
        if (second == NULL) {
            first[4 * i] = words[0];
            first[4 * i + 1] = words[1];
            first[4 * i + 2] = words[2];
            first[4 * i + 3] = words[3];
        } else {
            first[2 * i] = words[0];
            first[2 * i + 1] = words[2];
            second[2 * i] = words[1];
            second[2 * i + 1] = words[3];
        }
    }
#endif
}

#endif
