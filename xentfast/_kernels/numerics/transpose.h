/* Rows beside each other to rows along the lanes, and back. Nothing here computes a value. */
#ifndef XENTFAST_TRANSPOSE_H
#define XENTFAST_TRANSPOSE_H

#include "machine.h"

/* Four rows of n classes ↔ four columns of a tile, whose classes are `lanes` numbers apart; n ≥ 4. The last four classes
 * overlap the four before where n is no multiple of four. */
#if XF_X86_64
static inline void xf_rows_to_tile_float(const float *a, const float *b, const float *c, const float *d, ptrdiff_t n,
                                         float *tile, ptrdiff_t lanes)
{
    ptrdiff_t j = 0;
    for (;;) {
        __m128 p = _mm_loadu_ps(a + j), q = _mm_loadu_ps(b + j), r = _mm_loadu_ps(c + j), s = _mm_loadu_ps(d + j);
        _MM_TRANSPOSE4_PS(p, q, r, s);
        _mm_storeu_ps(tile + j * lanes, p);
        _mm_storeu_ps(tile + (j + 1) * lanes, q);
        _mm_storeu_ps(tile + (j + 2) * lanes, r);
        _mm_storeu_ps(tile + (j + 3) * lanes, s);
        if (j + 4 >= n)
            return;
        j = j + 8 <= n ? j + 4 : n - 4;
    }
}
static inline void xf_tile_to_rows_float(const float *tile, ptrdiff_t lanes, ptrdiff_t n, float *a, float *b, float *c, float *d)
{
    ptrdiff_t j = 0;
    for (;;) {
        __m128 p = _mm_loadu_ps(tile + j * lanes), q = _mm_loadu_ps(tile + (j + 1) * lanes);
        __m128 r = _mm_loadu_ps(tile + (j + 2) * lanes), s = _mm_loadu_ps(tile + (j + 3) * lanes);
        _MM_TRANSPOSE4_PS(p, q, r, s);
        _mm_storeu_ps(a + j, p);
        _mm_storeu_ps(b + j, q);
        _mm_storeu_ps(c + j, r);
        _mm_storeu_ps(d + j, s);
        if (j + 4 >= n)
            return;
        j = j + 8 <= n ? j + 4 : n - 4;
    }
}
#else
static inline void xf_rows_to_tile_float(const float *a, const float *b, const float *c, const float *d, ptrdiff_t n,
                                         float *tile, ptrdiff_t lanes)
{
    ptrdiff_t j;
    for (j = 0; j < n; j++, tile += lanes) {
        tile[0] = a[j];
        tile[1] = b[j];
        tile[2] = c[j];
        tile[3] = d[j];
    }
}
static inline void xf_tile_to_rows_float(const float *tile, ptrdiff_t lanes, ptrdiff_t n, float *a, float *b, float *c, float *d)
{
    ptrdiff_t j;
    for (j = 0; j < n; j++, tile += lanes) {
        a[j] = tile[0];
        b[j] = tile[1];
        c[j] = tile[2];
        d[j] = tile[3];
    }
}
#endif

/* The same of XF_SIDE rows, `step` bytes apart, of which a register holds four classes of each: fewer instructions a number. A 4 × 4
 * transpose within its 128-bit lanes, of rows k, k + 4, … beside each other, is one of them all. */
#if defined(__AVX512F__)
#define XF_SIDE 16
#define XF_ROWS __m512
#define XF_UNPACK_LOW _mm512_unpacklo_ps
#define XF_UNPACK_HIGH _mm512_unpackhi_ps
#define XF_FIRST_PAIRS(x, y) _mm512_shuffle_ps(x, y, 0x44)
#define XF_LAST_PAIRS(x, y) _mm512_shuffle_ps(x, y, 0xee)
#define XF_LOAD_ROWS _mm512_loadu_ps
#define XF_STORE_ROWS _mm512_storeu_ps
static inline __m512 xf_load_side(const char *row, ptrdiff_t step)
{
    __m512 x = _mm512_castps128_ps512(_mm_loadu_ps((const float *)row));
    x = _mm512_insertf32x4(x, _mm_loadu_ps((const float *)(row + 4 * step)), 1);
    x = _mm512_insertf32x4(x, _mm_loadu_ps((const float *)(row + 8 * step)), 2);
    return _mm512_insertf32x4(x, _mm_loadu_ps((const float *)(row + 12 * step)), 3);
}
static inline void xf_store_side(char *row, ptrdiff_t step, __m512 x)
{
    _mm_storeu_ps((float *)row, _mm512_castps512_ps128(x));
    _mm_storeu_ps((float *)(row + 4 * step), _mm512_extractf32x4_ps(x, 1));
    _mm_storeu_ps((float *)(row + 8 * step), _mm512_extractf32x4_ps(x, 2));
    _mm_storeu_ps((float *)(row + 12 * step), _mm512_extractf32x4_ps(x, 3));
}
#elif defined(__AVX__)
#define XF_SIDE 8
#define XF_ROWS __m256
#define XF_UNPACK_LOW _mm256_unpacklo_ps
#define XF_UNPACK_HIGH _mm256_unpackhi_ps
#define XF_FIRST_PAIRS(x, y) _mm256_shuffle_ps(x, y, 0x44)
#define XF_LAST_PAIRS(x, y) _mm256_shuffle_ps(x, y, 0xee)
#define XF_LOAD_ROWS _mm256_loadu_ps
#define XF_STORE_ROWS _mm256_storeu_ps
static inline __m256 xf_load_side(const char *row, ptrdiff_t step)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps((const float *)row)),
                                _mm_loadu_ps((const float *)(row + 4 * step)), 1);
}
static inline void xf_store_side(char *row, ptrdiff_t step, __m256 x)
{
    _mm_storeu_ps((float *)row, _mm256_castps256_ps128(x));
    _mm_storeu_ps((float *)(row + 4 * step), _mm256_extractf128_ps(x, 1));
}
#else
#define XF_SIDE 4
#endif
static inline void xf_side_to_tile_float(const char *rows, ptrdiff_t step, ptrdiff_t n, float *tile, ptrdiff_t lanes)
{
#if XF_SIDE > 4
    ptrdiff_t j = 0;
    for (;;) {
        const char *row = rows + 4 * j;
        XF_ROWS p = xf_load_side(row, step), q = xf_load_side(row + step, step);
        XF_ROWS r = xf_load_side(row + 2 * step, step), s = xf_load_side(row + 3 * step, step);
        XF_ROWS low = XF_UNPACK_LOW(p, q), high = XF_UNPACK_HIGH(p, q), other_low = XF_UNPACK_LOW(r, s), other_high = XF_UNPACK_HIGH(r, s);
        XF_STORE_ROWS(tile + j * lanes, XF_FIRST_PAIRS(low, other_low));
        XF_STORE_ROWS(tile + (j + 1) * lanes, XF_LAST_PAIRS(low, other_low));
        XF_STORE_ROWS(tile + (j + 2) * lanes, XF_FIRST_PAIRS(high, other_high));
        XF_STORE_ROWS(tile + (j + 3) * lanes, XF_LAST_PAIRS(high, other_high));
        if (j + 4 >= n)
            return;
        j = j + 8 <= n ? j + 4 : n - 4;
    }
#else
    xf_rows_to_tile_float((const float *)rows, (const float *)(rows + step), (const float *)(rows + 2 * step),
                          (const float *)(rows + 3 * step), n, tile, lanes);
#endif
}
static inline void xf_tile_to_side_float(const float *tile, ptrdiff_t lanes, ptrdiff_t n, char *rows, ptrdiff_t step)
{
#if XF_SIDE > 4
    ptrdiff_t j = 0;
    for (;;) {
        char *row = rows + 4 * j;
        XF_ROWS p = XF_LOAD_ROWS(tile + j * lanes), q = XF_LOAD_ROWS(tile + (j + 1) * lanes);
        XF_ROWS r = XF_LOAD_ROWS(tile + (j + 2) * lanes), s = XF_LOAD_ROWS(tile + (j + 3) * lanes);
        XF_ROWS low = XF_UNPACK_LOW(p, q), high = XF_UNPACK_HIGH(p, q), other_low = XF_UNPACK_LOW(r, s), other_high = XF_UNPACK_HIGH(r, s);
        xf_store_side(row, step, XF_FIRST_PAIRS(low, other_low));
        xf_store_side(row + step, step, XF_LAST_PAIRS(low, other_low));
        xf_store_side(row + 2 * step, step, XF_FIRST_PAIRS(high, other_high));
        xf_store_side(row + 3 * step, step, XF_LAST_PAIRS(high, other_high));
        if (j + 4 >= n)
            return;
        j = j + 8 <= n ? j + 4 : n - 4;
    }
#else
    xf_tile_to_rows_float(tile, lanes, n, (float *)rows, (float *)(rows + step), (float *)(rows + 2 * step),
                          (float *)(rows + 3 * step));
#endif
}

#endif
