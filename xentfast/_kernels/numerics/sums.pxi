# What the families share of sums and products: the fold of lanes, fetching ahead, factors that make no subnormal.

cdef extern from "numerics/machine.h":
    void XF_PREFETCH(const void* address) noexcept nogil
    void xf_stream_lines(void* target, const void* source) noexcept nogil
    void xf_stream_done() noexcept nogil
    double FLOAT_TINY_FACTOR "XF_FLOAT_TINY_FACTOR"
    double DOUBLE_TINY_FACTOR "XF_DOUBLE_TINY_FACTOR"


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
    # In float32, whose lanes are twice as many. Where least·|f| is FLOAT_SCALED_MIN but for its rounding, so is the product: no
    # subnormal number either. For f = 0, `least` ends as nan or +inf, which nothing reaches.
    cdef Factor factor
    cdef float rounded = <float>f
    cdef float size = -rounded if rounded < 0 else rounded
    cdef bint tiny = size < <float>FLOAT_TINY_FACTOR
    cdef float least = <float>FLOAT_SCALED_MIN / size
    least = FLT_MIN if least < FLT_MIN else least
    least = xf_float(xf_bits32(least) + 1) if least * size < <float>FLOAT_SCALED_MIN else least
    factor.first = <float>FLOAT_UNIT if tiny else <float>1.0
    factor.second = rounded if tiny else rounded * <float>FLOAT_UNIT
    factor.least = least
    return factor


cdef inline Factor factor_double(double f) noexcept nogil:
    cdef Factor factor
    cdef double least = DOUBLE_SCALED_MIN / (-f if f < 0.0 else f)
    cdef double size = -f if f < 0.0 else f
    cdef bint tiny = size < DOUBLE_TINY_FACTOR
    least = DBL_MIN if least < DBL_MIN else least
    least = xf_double(xf_bits64(least) + 1) if least < INFINITY else least
    factor.first = DOUBLE_UNIT if tiny else 1.0
    factor.second = f if tiny else f * DOUBLE_UNIT
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
        return <real>(0.0 if size < FLT_MIN else value)
    else:
        return 0.0 if size < DBL_MIN else value
