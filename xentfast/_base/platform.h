/* What the machine has: OpenMP or not, and which x86-64 level. (Which CPUs: cpus.h.) */
#ifndef XENTFAST_PLATFORM_H
#define XENTFAST_PLATFORM_H
#include <stddef.h>
#if defined(_MSC_VER)
#include <intrin.h>
#endif
#ifdef _OPENMP
#include <omp.h>
static inline int xf_openmp(void) { return _OPENMP; }
#else
static inline int xf_openmp(void) { return 0; }
static inline int omp_get_max_threads(void) { return 1; }
#endif

/* *next, and one more into it: a ticket that no other thread gets. */
static inline ptrdiff_t xf_take(ptrdiff_t *next)
{
#if !defined(_OPENMP)
    return (*next)++;
#elif defined(__GNUC__)
    return __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
#elif defined(_WIN64)
    return (ptrdiff_t)_InterlockedExchangeAdd64((volatile long long *)next, 1);
#else
    return (ptrdiff_t)_InterlockedExchangeAdd((volatile long *)next, 1);
#endif
}

/* A number that threads read and write at once: each time whole, in no order with others. Plain moves on every CPU. */
#if defined(__GNUC__)
static inline ptrdiff_t xf_load(const ptrdiff_t *value) { return __atomic_load_n(value, __ATOMIC_RELAXED); }
static inline void xf_store(ptrdiff_t *value, ptrdiff_t n) { __atomic_store_n(value, n, __ATOMIC_RELAXED); }
#else
static inline ptrdiff_t xf_load(const ptrdiff_t *value) { return *(const volatile ptrdiff_t *)value; }
static inline void xf_store(ptrdiff_t *value, ptrdiff_t n) { *(volatile ptrdiff_t *)value = n; }
#endif

/* What the operating system saves on a context switch: bits of XCR0, 0 where there is no such register. */
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
static inline void xf_cpuid(unsigned leaf, unsigned sub, unsigned r[4])
{
    if (!__get_cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]))
        r[0] = r[1] = r[2] = r[3] = 0;
}
static inline unsigned xf_xcr0(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#elif defined(_M_X64)
static inline void xf_cpuid(unsigned leaf, unsigned sub, unsigned r[4])
{
    int v[4];
    __cpuid(v, (int)(leaf & 0x80000000u));
    if ((unsigned)v[0] < leaf) { r[0] = r[1] = r[2] = r[3] = 0; return; }
    __cpuidex((int *)r, (int)leaf, (int)sub);
}
static inline unsigned xf_xcr0(void) { return (unsigned)_xgetbv(0); }
#else
static inline void xf_cpuid(unsigned leaf, unsigned sub, unsigned r[4]) { (void)leaf; (void)sub; r[0] = r[1] = r[2] = r[3] = 0; }
static inline unsigned xf_xcr0(void) { return 0; }
#endif

/* 1, 3 or 4: the highest x86-64 level (psABI) that CPU and operating system support; 0 on other architectures. */
static inline int xf_x86_64_level(void)
{
#if defined(__x86_64__) || defined(_M_X64)
    unsigned one[4], seven[4], extended[4], xcr0;
    /* SSE3, SSSE3, FMA, CX16, SSE4.1, SSE4.2, MOVBE, POPCNT, XSAVE, OSXSAVE, AVX, F16C */
    const unsigned v3_one = 1u | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 19 | 1u << 20 | 1u << 22 | 1u << 23
        | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 29;
    const unsigned v3_seven = 1u << 3 | 1u << 5 | 1u << 8;                              /* BMI1, AVX2, BMI2 */
    const unsigned v4_seven = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;     /* AVX512F, DQ, CD, BW, VL */
    const unsigned v3_extended = 1u | 1u << 5;                                          /* LAHF, LZCNT */
    xf_cpuid(1, 0, one);
    xf_cpuid(7, 0, seven);
    xf_cpuid(0x80000001u, 0, extended);
    if ((one[2] & v3_one) != v3_one || (seven[1] & v3_seven) != v3_seven || (extended[2] & v3_extended) != v3_extended)
        return 1;
    xcr0 = xf_xcr0();
    if ((xcr0 & 0x06u) != 0x06u)            /* XMM, YMM */
        return 1;
    if ((seven[1] & v4_seven) != v4_seven || (xcr0 & 0xe6u) != 0xe6u)   /* opmask, ZMM */
        return 3;
    return 4;
#else
    return 0;
#endif
}
#endif
