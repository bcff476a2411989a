# What the families share of sums and products: the fold of lanes, fetching ahead, factors that make no subnormal.

cdef extern from "numerics/machine.h":
    void XF_PREFETCH(const void* address) noexcept nogil
    void xf_stream_lines(void* target, const void* source) noexcept nogil
    void xf_stream_done() noexcept nogil


cdef inline double fold_lanes(double* sums) noexcept nogil:
    """One fixed tree over the 32 lanes; `sums` is overwritten. Widths are constants: a loop over them would stay a loop."""
    cdef Py_ssize_t lane
    for lane in range(16):
        sums[lane] += sums[lane + 16]
    for lane in range(8):
        sums[lane] += sums[lane + 8]
    for lane in range(4):
        sums[lane] += sums[lane + 4]
    return (sums[0] + sums[2]) + (sums[1] + sums[3])


cdef inline void prefetch_block(const char* block, Py_ssize_t step) noexcept nogil:
    """The cache lines of a block of numbers `step` bytes apart; two at least, the second of which may be the next block's."""
    XF_PREFETCH(block)
    XF_PREFETCH(block + 64)
    if step > 4:
        XF_PREFETCH(block + 128)
        XF_PREFETCH(block + 192)


# The second sweep multiplies by a factor f that may be tiny while e^{x − c} is scaled up: as first·second with first
# a power of two, and only where the product is a normal number (`least`), so that no subnormal arises.
cdef struct Factor:
    double first
    double second
    double least


cdef inline Factor factor_float(double f) noexcept nogil:
    cdef Factor factor
    cdef float least
    cdef double rounded = <double><float>f
    cdef double size = -rounded if rounded < 0.0 else rounded
    cdef bint tiny = size < 8.673617379884035e-19                           # 2⁻⁶⁰
    cdef double bound = 2.168404344971009e-19 / size                        # FLT_MIN·2⁶⁴/|f|, +inf for f = 0
    bound = 1.1754943508222875e-38 if bound < 1.1754943508222875e-38 else bound
    least = <float>bound
    least = xf_float(xf_bits32(least) + 1) if <double>least < bound else least
    factor.first = 5.421010862427522e-20 if tiny else 1.0
    factor.second = rounded if tiny else rounded * 5.421010862427522e-20
    factor.least = least
    return factor


cdef inline Factor factor_double(double f) noexcept nogil:
    cdef Factor factor
    cdef double least = 7.283535870312702e-158 / (-f if f < 0.0 else f)     # DBL_MIN·2⁵⁰⁰/|f|
    cdef double size = -f if f < 0.0 else f
    cdef bint tiny = size < 3.1282548362235952e-148                          # 2⁻⁴⁹⁰
    least = 2.2250738585072014e-308 if least < 2.2250738585072014e-308 else least
    least = xf_double(xf_bits64(least) + 1) if least < INFINITY else least
    factor.first = 3.054936363499605e-151 if tiny else 1.0
    factor.second = f if tiny else f * 3.054936363499605e-151
    factor.least = least
    return factor


cdef inline Factor factor_of(real kind, double f) noexcept nogil:
    if real is float:
        return factor_float(f)
    else:
        return factor_double(f)


cdef inline real rounded(real kind, double value) noexcept nogil:
    """`value` in the logits' type; exactly 0 below its smallest normal number."""
    cdef double size = -value if value < 0.0 else value
    if real is float:
        return <real>(0.0 if size < 1.1754943508222875e-38 else value)
    else:
        return 0.0 if size < 2.2250738585072014e-308 else value
