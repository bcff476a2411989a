/* Philox4x32-10 (Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"): a block of four words is
 * a function of a 64-bit key and a 128-bit counter. Here the counter's words 0 and 1 are the block's number, 2 and 3 its
 * stream. Integers: every path gives the same words.
 *
 * The vector paths keep words 0 of some blocks in one vector and words 2 in another, 32 bits a word. A product of two words
 * takes 64 bits: the words in even places are multiplied, then those in odd places, and two shuffles part the high halves
 * from the low ones. That makes 7 operations a round for as many blocks as a vector has 64-bit lanes; with each word in a lane
 * of its own, where nothing is shuffled, it is 8, and twice the registers. What the first rounds do to words that all blocks
 * have in common is done once. GCC 12 does not find this from the scalar code.
 *
 * A block's ten multiplications wait for each other, so that several vectors are under way at a time. ns a word with 1, 2, 4
 * and 8 of them on a Zen 5 at 4 GHz: 0.20, 0.18, 0.13, 0.14 with AVX-512; 0.50, 0.40, 0.29, 0.30 with AVX2; 1.0, 0.82, 0.62,
 * 0.85 with SSE2 (1.74 of the scalar code).
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
/* XF_PLACES, XF_PAIR_PLACES: the numbers of blocks in a vector from which xf_philox_rounds makes words in the blocks' order. */
#if defined(__AVX512F__)
#define XF_WIDTH 16
typedef __m512i xf_words;
#define XF_SET(x) _mm512_set1_epi32((int)(x))
#define XF_PLACES _mm512_set_epi32(15, 7, 11, 3, 14, 6, 10, 2, 13, 5, 9, 1, 12, 4, 8, 0)
#define XF_PAIR_PLACES _mm512_set_epi32(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0)
#define XF_ADD _mm512_add_epi32
#define XF_MULTIPLY _mm512_mul_epu32
#define XF_ODD(x) _mm512_srli_epi64(x, 32)
#define XF_XOR _mm512_xor_si512
#define XF_XOR_3(x, y, z) _mm512_ternarylogic_epi32(x, y, z, 0x96)
#define XF_SHUFFLE(x, y, places) \
    _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(y), places))
#define XF_SWAP_MIDDLE(x) _mm512_shuffle_epi32(x, _MM_PERM_DBCA)
#define XF_LOW_WORDS _mm512_unpacklo_epi32
#define XF_HIGH_WORDS _mm512_unpackhi_epi32
#define XF_LOW_PAIRS _mm512_unpacklo_epi64
#define XF_HIGH_PAIRS _mm512_unpackhi_epi64
#define XF_STORE(words, x) _mm512_storeu_si512(words, x)
#elif defined(__AVX2__)
#define XF_WIDTH 8
typedef __m256i xf_words;
#define XF_SET(x) _mm256_set1_epi32((int)(x))
#define XF_PLACES _mm256_set_epi32(7, 3, 5, 1, 6, 2, 4, 0)
#define XF_PAIR_PLACES _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0)
#define XF_ADD _mm256_add_epi32
#define XF_MULTIPLY _mm256_mul_epu32
#define XF_ODD(x) _mm256_srli_epi64(x, 32)
#define XF_XOR _mm256_xor_si256
#define XF_XOR_3(x, y, z) _mm256_xor_si256(_mm256_xor_si256(y, z), x)
#define XF_SHUFFLE(x, y, places) \
    _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(y), places))
#define XF_SWAP_MIDDLE(x) _mm256_shuffle_epi32(x, 0xd8)
#define XF_LOW_WORDS _mm256_unpacklo_epi32
#define XF_HIGH_WORDS _mm256_unpackhi_epi32
#define XF_LOW_PAIRS _mm256_unpacklo_epi64
#define XF_HIGH_PAIRS _mm256_unpackhi_epi64
#define XF_STORE(words, x) _mm256_storeu_si256((__m256i *)(words), x)
#else
#define XF_WIDTH 4
typedef __m128i xf_words;
#define XF_SET(x) _mm_set1_epi32((int)(x))
#define XF_PLACES _mm_set_epi32(3, 1, 2, 0)
#define XF_PAIR_PLACES XF_PLACES
#define XF_ADD _mm_add_epi32
#define XF_MULTIPLY _mm_mul_epu32
#define XF_ODD(x) _mm_srli_epi64(x, 32)
#define XF_XOR _mm_xor_si128
#define XF_XOR_3(x, y, z) _mm_xor_si128(_mm_xor_si128(y, z), x)
#define XF_SHUFFLE(x, y, places) _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(x), _mm_castsi128_ps(y), places))
#define XF_SWAP_MIDDLE(x) _mm_shuffle_epi32(x, 0xd8)
#define XF_LOW_WORDS _mm_unpacklo_epi32
#define XF_HIGH_WORDS _mm_unpackhi_epi32
#define XF_LOW_PAIRS _mm_unpacklo_epi64
#define XF_HIGH_PAIRS _mm_unpackhi_epi64
#define XF_STORE(words, x) _mm_storeu_si128((__m128i *)(words), x)
#endif

#if defined(__GNUC__)
#define XF_INLINE static inline __attribute__((always_inline))
#elif defined(_MSC_VER)
#define XF_INLINE static __forceinline
#else
#define XF_INLINE static inline
#endif
/* Clang unrolls what is short enough as it is. */
#if defined(__GNUC__) && !defined(__clang__)
#define XF_UNROLL _Pragma("GCC unroll 8")
#else
#define XF_UNROLL
#endif

/* A vector's round ends before the next vector's begins, and words 1 and 3, for which nothing waits, are in memory then. Else
 * GCC 12 mixes the vectors' rounds and spills the next factors: 12 % more time with AVX2, 6 % with SSE2. AVX-512 has registers
 * enough. */
#if defined(__GNUC__) && !defined(__clang__) && !defined(__AVX512F__)
#define XF_SET_ASIDE(c0, c1, c2, c3) __asm__ volatile("" : "+x"(c0), "+m"(c1), "+x"(c2), "+m"(c3))
#else
#define XF_SET_ASIDE(c0, c1, c2, c3) ((void)0)
#endif

#define XF_STRIDE 4                         /* vectors of blocks under way at a time */

/* high, low ← the halves of the products of 32-bit words, in the order 0, 2, 1, 3 of each four. */
#define XF_PRODUCTS(high, low, words, multiplier)                                                                       \
    do {                                                                                                                \
        xf_words even_ = XF_MULTIPLY(words, multiplier), odd_ = XF_MULTIPLY(XF_ODD(words), multiplier);                 \
        high = XF_SHUFFLE(even_, odd_, 0xdd);                                                                           \
        low = XF_SHUFFLE(even_, odd_, 0x88);                                                                            \
    } while (0)

/* What a round adds by exclusive or to words 0 and 2. The first round finds the same word 2 in all blocks, the second the same
 * word 0: what comes of them is a constant of the later round. */
typedef struct {
    uint32_t word_0[XF_PHILOX_ROUNDS], word_2[XF_PHILOX_ROUNDS];
} xf_philox_keys;

static inline void xf_philox_set_keys(const uint32_t key[2], const uint32_t stream[2], uint32_t counter_1, xf_philox_keys *keys)
{
    uint64_t p1 = (uint64_t)stream[0] * XF_PHILOX_MULTIPLIER_1;
    uint64_t p0 = (uint64_t)((uint32_t)(p1 >> 32) ^ counter_1 ^ key[0]) * XF_PHILOX_MULTIPLIER_0;
    uint32_t k0 = key[0], k1 = key[1];
    int i;
    for (i = 0; i < XF_PHILOX_ROUNDS; i++) {
        keys->word_0[i] = i == 1 ? k0 ^ (uint32_t)p1 : k0;
        keys->word_2[i] = i == 0 ? k1 ^ stream[1] : i == 1 ? k1 ^ (uint32_t)(p0 >> 32) : i == 2 ? k1 ^ (uint32_t)p0 : k1;
        k0 += XF_PHILOX_WEYL_0;
        k1 += XF_PHILOX_WEYL_1;
    }
}

/* `n` vectors of blocks, a constant, the first with these numbers in its places. Each round swaps the middle two of four
 * places of words 2 and 3 against the numbers', and those of words 0 and 1 once more. */
XF_INLINE void xf_philox_rounds(const xf_philox_keys *keys, xf_words number, int n, uint32_t **first, uint32_t **second)
{
    const xf_words multiplier_0 = XF_SET(XF_PHILOX_MULTIPLIER_0), multiplier_1 = XF_SET(XF_PHILOX_MULTIPLIER_1);
    xf_words c0[XF_STRIDE], c1[XF_STRIDE], c2[XF_STRIDE], c3[XF_STRIDE], high_0, high_1, low_0, low_1;
    int i, k;
    XF_UNROLL for (k = 0; k < n; k++) {
        XF_PRODUCTS(high_0, c3[k], number, multiplier_0);
        c2[k] = XF_XOR(high_0, XF_SET(keys->word_2[0]));
        number = XF_ADD(number, XF_SET(XF_WIDTH));
    }
    XF_UNROLL for (k = 0; k < n; k++) {
        XF_PRODUCTS(high_1, c1[k], c2[k], multiplier_1);
        c0[k] = XF_XOR(high_1, XF_SET(keys->word_0[1]));
        c2[k] = XF_XOR(c3[k], XF_SET(keys->word_2[1]));
    }
    XF_UNROLL for (k = 0; k < n; k++) {
        XF_PRODUCTS(high_0, low_0, c0[k], multiplier_0);
        XF_PRODUCTS(high_1, low_1, c2[k], multiplier_1);
        c0[k] = XF_XOR_3(high_1, c1[k], XF_SET(keys->word_0[2]));
        c2[k] = XF_XOR(high_0, XF_SET(keys->word_2[2]));
        c1[k] = low_1;
        c3[k] = low_0;
    }
    XF_UNROLL for (i = 3; i < XF_PHILOX_ROUNDS; i++) {
        XF_UNROLL for (k = 0; k < n; k++) {
            XF_PRODUCTS(high_0, low_0, c0[k], multiplier_0);
            XF_PRODUCTS(high_1, low_1, c2[k], multiplier_1);
            c0[k] = XF_XOR_3(high_1, c1[k], XF_SET(keys->word_0[i]));
            c2[k] = XF_XOR_3(high_0, c3[k], XF_SET(keys->word_2[i]));
            c1[k] = low_1;
            c3[k] = low_0;
            XF_SET_ASIDE(c0[k], c1[k], c2[k], c3[k]);
        }
    }
    XF_UNROLL for (k = 0; k < n; k++) {
        if (*second == NULL) {
            xf_words front_02 = XF_LOW_WORDS(c0[k], c1[k]), front_13 = XF_HIGH_WORDS(c0[k], c1[k]);
            xf_words back_02 = XF_SWAP_MIDDLE(XF_SHUFFLE(c2[k], c3[k], 0x88));
            xf_words back_13 = XF_SWAP_MIDDLE(XF_SHUFFLE(c2[k], c3[k], 0xdd));
            XF_STORE(*first, XF_LOW_PAIRS(front_02, back_02));
            XF_STORE(*first + XF_WIDTH, XF_LOW_PAIRS(front_13, back_13));
            XF_STORE(*first + 2 * XF_WIDTH, XF_HIGH_PAIRS(front_02, back_02));
            XF_STORE(*first + 3 * XF_WIDTH, XF_HIGH_PAIRS(front_13, back_13));
            *first += 4 * XF_WIDTH;
        } else {
            xf_words even = XF_SWAP_MIDDLE(c0[k]), odd = XF_SWAP_MIDDLE(c1[k]);
            XF_STORE(*first, XF_LOW_WORDS(even, c2[k]));
            XF_STORE(*first + XF_WIDTH, XF_HIGH_WORDS(even, c2[k]));
            XF_STORE(*second, XF_LOW_WORDS(odd, c3[k]));
            XF_STORE(*second + XF_WIDTH, XF_HIGH_WORDS(odd, c3[k]));
            *first += 2 * XF_WIDTH;
            *second += 2 * XF_WIDTH;
        }
    }
}
#endif

/* Blocks [block, block + 16·n_groups) of a stream, `block` a multiple of 16. Their words go to `first` in order; or, where
 * `second` is not NULL, words 0 and 2 of each block to `first`, words 1 and 3 to `second`. */
static inline void xf_philox_words(const uint32_t key[2], const uint32_t stream[2], uint64_t block, ptrdiff_t n_groups,
                                   uint32_t *first, uint32_t *second)
{
#if XF_PHILOX_VECTORS
    const xf_words places = second == NULL ? XF_PLACES : XF_PAIR_PLACES;
    ptrdiff_t n_vectors = n_groups * (XF_PHILOX_GROUP / XF_WIDTH), n;
    xf_philox_keys keys;
    xf_words number;
    while (n_vectors > 0) {
        /* up to where the counter's word 1 changes */
        uint64_t rest = (((uint64_t)1 << 32) - (uint32_t)block) / XF_WIDTH;
        n = (uint64_t)n_vectors < rest ? n_vectors : (ptrdiff_t)rest;
        n_vectors -= n;
        xf_philox_set_keys(key, stream, (uint32_t)(block >> 32), &keys);
        number = XF_ADD(XF_SET((uint32_t)block), places);
        block += (uint64_t)n * XF_WIDTH;
        for (; n >= XF_STRIDE; n -= XF_STRIDE) {
            xf_philox_rounds(&keys, number, XF_STRIDE, &first, &second);
            number = XF_ADD(number, XF_SET(XF_STRIDE * XF_WIDTH));
        }
        for (; n >= 2; n -= 2) {
            xf_philox_rounds(&keys, number, 2, &first, &second);
            number = XF_ADD(number, XF_SET(2 * XF_WIDTH));
        }
        if (n)
            xf_philox_rounds(&keys, number, 1, &first, &second);
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
