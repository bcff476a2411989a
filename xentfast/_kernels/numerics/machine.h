/* What C gives and Cython cannot say: bit casts, prefetching, non-temporal stores, the floating-point mode.
 * Nothing here computes a value; what needs a compiler's help has a portable fallback that does the same, only slower. */
#ifndef XENTFAST_MACHINE_H
#define XENTFAST_MACHINE_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* setup.py leaves such flags out; whoever compiles these files otherwise is told. */
#if defined(__FAST_MATH__) || defined(_M_FP_FAST)
#error "values of these kernels need IEEE 754 arithmetic: build without -ffast-math, -Ofast and /fp:fast"
#endif

/* Each operation is rounded to its type, or bits depend on what the compiler keeps in registers. */
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "floating-point operations are evaluated in a wider type here: build for 32-bit x86 with -msse2 -mfpmath=sse"
#endif

/* GCC and Clang are told by setup.py. MSVC before 2022 contracts by /fp:precise, and has no name for what comes with AVX2. */
#if defined(_MSC_VER)
#pragma fp_contract(off)
#endif

#if defined(__F16C__) || (defined(_MSC_VER) && defined(__AVX2__))
#define XF_F16C 1
#else
#define XF_F16C 0
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define XF_X86_64 1
#include <immintrin.h>
#else
#define XF_X86_64 0
#include <fenv.h>
#endif

/* Constants of whose bits the arithmetic makes use. Those of float32 alone are float; the others are double, and are cast where
 * float32 needs them, which loses nothing of a power of two. Polynomials have their coefficients where they are evaluated. */

/* exp_scaled gives eᵗ times a scale, so that terms far below the reference keep their bits and no sum is subnormal. */
#define XF_FLOAT_SCALE 0x1p64
#define XF_FLOAT_UNIT 0x1p-64               /* 1/scale */
#define XF_FLOAT_SCALED_MIN 0x1p-62         /* FLT_MIN·scale: what is below is subnormal without the scale */
#define XF_DOUBLE_SCALE 0x1p500
#define XF_DOUBLE_UNIT 0x1p-500
#define XF_DOUBLE_SCALED_MIN 0x1p-522
#define XF_FLOAT_TO_DOUBLE_SCALE 0x1p436    /* from the one scale to the other */

/* Factors from here on are normal numbers even times 1/scale; of smaller ones, the other side is multiplied by that. */
#define XF_FLOAT_TINY_FACTOR 0x1p-60
#define XF_DOUBLE_TINY_FACTOR 0x1p-490
#define XF_TINY_COEFFICIENT 0x1p-400        /* of weighted elements, in double */

/* Numbers from here on have last digits that are normal numbers, and so has the half of them. */
#define XF_FLOAT_PLAIN_SHIFT 0x1p-100
#define XF_DOUBLE_PLAIN_SHIFT 0x1p-960

/* e·scale of the smallest e that may change 1 + e: 2⁻²⁵ and 2⁻⁵⁴ */
#define XF_FLOAT_ENOUGH 0x1p39
#define XF_DOUBLE_ENOUGH 0x1p446

/* Added to a number and taken off again, 1.5·2²³ (1.5·2⁵²) rounds it to an integer n, which stands in the low bits of the sum.
 * With the bias of exponents added these are the exponent's bits of 2ⁿ, and with the scale's exponent too, of 2ⁿ·scale. */
#define XF_FLOAT_ROUND 0x1.8p23f
#define XF_FLOAT_SCALED_BIAS (127.0f + 64.0f)
#define XF_DOUBLE_SCALED_BIAS (1023.0 + 500.0)
#define XF_FLOAT_ROUND_SCALED (0x1.8p23f + XF_FLOAT_SCALED_BIAS)
#define XF_DOUBLE_ROUND_SCALED (0x1.8p52 + XF_DOUBLE_SCALED_BIAS)
#define XF_DOUBLE_ROUND_POWER (0x1.8p52 + 1023.0)
#define XF_DOUBLE_ROUND 0x1.8p52
/* Biased exponent in the low bits of 2⁵² → exponent */
#define XF_EXPONENT_OFFSET (0x1p52 + 1023.0)
#define XF_SUBNORMAL_LIFT 0x1p54            /* makes every subnormal normal */

/* Between these logsumexp's b, times exponentials that are scaled as above, keep all their bits as far as they count. */
#define XF_ORDINARY_LEAST 0x1p-200
#define XF_ORDINARY_MOST 0x1p200

/* eᵗ·scale is 0 from this t on: −191·ln 2 and −1523·ln 2, where the biased exponent of 2ⁿ·scale is 0 */
#define XF_FLOAT_EXP_END (-132.39111)
#define XF_DOUBLE_EXP_END (-1055.6631559927966)

/* A row's or chunk's reference is 2ᵏ between these, and k the integer nearest log₂ e·c of its largest logit c (softmax/reference.pxi).
 * Beyond, every x with an e^(x − c) that is not 0 is between c/2 and 2c, and x − c exact: −191·ln 2 is an end of the exponential, and
 * so it is for c < −191·ln 2 and c > 2·191·ln 2. Between, n of an x that counts is at most 384 (3 047), and n·HIGH exact. */
#define XF_FLOAT_NEAR_LOW (-191.0f)
#define XF_FLOAT_NEAR_HIGH 383.0f
#define XF_DOUBLE_NEAR_LOW (-1523.0)
#define XF_DOUBLE_NEAR_HIGH 3046.0

/* log₂ e and ln 2. n·HIGH is exact for every n that is an exponent; HIGH + LOW has about twice the precision of the type. */
#define XF_FLOAT_LOG2_E 0x1.715476p+0f
#define XF_FLOAT_LN2_HIGH 0x1.62e4p-1f
#define XF_FLOAT_LN2_LOW 0x1.7f7d1cp-20f
#define XF_DOUBLE_LOG2_E 0x1.71547652b82fep+0
#define XF_DOUBLE_LN2 0x1.62e42fefa39efp-1
#define XF_DOUBLE_LN2_HIGH 0x1.62e42feep-1
#define XF_DOUBLE_LN2_LOW 0x1.a39ef35793c76p-33
#define XF_SQRT2 0x1.6a09e667f3bcdp+0       /* a mantissa above is halved: the logarithm's argument is between √½ and √2 */

/* Random words and numbers of 53 bits as fractions of 1, or of a quarter turn. */
#define XF_BITS24_UNIT 0x1p-24f
#define XF_LAST_BITS24 0xffffffp0f          /* the largest number of 24 bits */
#define XF_WORD_UNIT 0x1p-32f
#define XF_HALF_WORD 0x1p-33f
#define XF_PLAIN_WIDTH 0x1p-60f             /* ranges from here on are normal numbers even times one of these */
#define XF_LOW_BITS_SPAN 0x1p26             /* of the 53 bits, 26 come from the second word */
#define XF_BITS53_UNIT 0x1p-53
#define XF_BITS53_LAST 0x1.fffffffffffffp52 /* 2⁵³ − 1 */
#define XF_BITS53_QUARTERS 0x1p-51
#define XF_QUARTER_BITS53 0x1p51

#define XF_FLOAT16_MIN 0x1p-14f             /* smallest normal number */

#if XF_X86_64
#define XF_PREFETCH(address) _mm_prefetch((const char *)(address), _MM_HINT_T0)
#elif defined(__GNUC__)
#define XF_PREFETCH(address) __builtin_prefetch(address)
#else
#define XF_PREFETCH(address) ((void)(address))
#endif

/* The bits of a number and back. (A union would do, but GCC 12 keeps it in memory and reloads it masked: 20 times slower.) */
static inline uint32_t xf_bits32(float value) { uint32_t bits; memcpy(&bits, &value, 4); return bits; }
static inline float xf_float(uint32_t bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline uint64_t xf_bits64(double value) { uint64_t bits; memcpy(&bits, &value, 8); return bits; }
static inline double xf_double(uint64_t bits) { double value; memcpy(&value, &bits, 8); return value; }

/* value·2⁻³², to the nearest float32. Where there is no instruction for unsigned integers, the word's halves are put in the last
 * bits of 2⁷ and of 2⁻⁹; taking off both powers from the first is exact, and adding the second the only rounding. */
static inline float xf_word_fraction(uint32_t value)
{
#if defined(__AVX512F__)
    return (float)value * XF_WORD_UNIT;
#else
    float high = xf_float(0x43000000u | value >> 16), low = xf_float(0x3b000000u | (value & 0xffffu));
    return (high - (0x1p7f + 0x1p-9f)) + low;
#endif
}

/* Two cache lines from a local buffer past the cache; `target` is aligned to 64 bytes. */
static inline void xf_stream_lines(void *target, const void *source)
{
    int i;
#if defined(__AVX512F__)
    for (i = 0; i < 2; i++)
        _mm512_stream_si512((__m512i *)target + i, _mm512_loadu_si512((const __m512i *)source + i));
#elif defined(__AVX__)
    for (i = 0; i < 4; i++)
        _mm256_stream_si256((__m256i *)target + i, _mm256_loadu_si256((const __m256i *)source + i));
#elif XF_X86_64
    for (i = 0; i < 8; i++)
        _mm_stream_si128((__m128i *)target + i, _mm_loadu_si128((const __m128i *)source + i));
#else
    (void)i;
    memcpy(target, source, 128);
#endif
}

/* float16 ↔ float32, as many as whole registers take; returns how many. The caller does the rest, to the same bits. */
static inline ptrdiff_t xf_from_float16(const uint16_t *source, ptrdiff_t n, float *target)
{
    ptrdiff_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm512_storeu_ps(target + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(source + i))));
#elif XF_F16C
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(target + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(source + i))));
#else
    (void)source, (void)n, (void)target;
#endif
    return i;
}
static inline ptrdiff_t xf_to_float16(const float *source, ptrdiff_t n, uint16_t *target)
{
    ptrdiff_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16)
        _mm256_storeu_si256((__m256i *)(target + i), _mm512_cvtps_ph(_mm512_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT));
#elif XF_F16C
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(target + i), _mm256_cvtps_ph(_mm256_loadu_ps(source + i), _MM_FROUND_TO_NEAREST_INT));
#else
    (void)source, (void)n, (void)target;
#endif
    return i;
}

/* 1 into a flag that other threads may be raising too. */
static inline void xf_raise_flag(int *flag)
{
#if defined(__GNUC__)
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
#else
    *(volatile int *)flag = 1;
#endif
}

/* Non-temporal stores are weakly ordered: make them visible before another thread is told of them. */
static inline void xf_stream_done(void)
{
#if XF_X86_64
    _mm_sfence();
#endif
}

/* IEEE mode: round to nearest, subnormals kept, nothing trapped, whatever the caller runs in (a library built with
 * -ffast-math turns subnormals off for the whole thread). The caller's mode is put back by xf_leave_ieee. */
/* A compiler may move arithmetic on registers across a change of the mode; it may not move this. */
static inline double xf_here(double value)
{
    volatile double here = value;
    return here;
}

#if XF_X86_64
/* Setting the register waits for all that is under way: only where it differs, in its mode or in the flags that were raised. */
typedef unsigned int xf_mode;
static inline xf_mode xf_enter_ieee(void)
{
    xf_mode saved = _mm_getcsr();
    if ((saved & ~0x3fu) != 0x1f80u)
        _mm_setcsr(0x1f80);
    return saved;
}
static inline void xf_leave_ieee(xf_mode saved)
{
    if (_mm_getcsr() != saved)
        _mm_setcsr(saved);
}
#else
typedef fenv_t xf_mode;
static inline xf_mode xf_enter_ieee(void)
{
    xf_mode saved;
    fegetenv(&saved);
    fesetenv(FE_DFL_ENV);
    return saved;
}
static inline void xf_leave_ieee(xf_mode saved) { fesetenv(&saved); }
#endif

#endif
