/* What C gives and Cython cannot say: prefetching, non-temporal stores, the floating-point mode.
 * Nothing here computes a value; every macro has a portable fallback that does the same without the speed. */
#ifndef XENTFAST_MACHINE_H
#define XENTFAST_MACHINE_H

#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)
#define XF_X86_64 1
#include <immintrin.h>
#else
#define XF_X86_64 0
#include <fenv.h>
#endif

#if XF_X86_64
#define XF_PREFETCH(address) _mm_prefetch((const char *)(address), _MM_HINT_T0)
#elif defined(__GNUC__)
#define XF_PREFETCH(address) __builtin_prefetch(address)
#else
#define XF_PREFETCH(address) ((void)(address))
#endif

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

/* Non-temporal stores are weakly ordered: make them visible before another thread is told of them. */
static inline void xf_stream_done(void)
{
#if XF_X86_64
    _mm_sfence();
#endif
}

/* IEEE mode: round to nearest, subnormals kept, nothing trapped, whatever the caller runs in (a library built with
 * -ffast-math turns subnormals off for the whole thread). The caller's mode is put back by xf_leave_ieee. */
#if XF_X86_64
typedef unsigned int xf_mode;
static inline xf_mode xf_enter_ieee(void)
{
    xf_mode saved = _mm_getcsr();
    _mm_setcsr(0x1f80);
    return saved;
}
static inline void xf_leave_ieee(xf_mode saved) { _mm_setcsr(saved); }
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
