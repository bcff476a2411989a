# The functions of a value's path, as scalar code that the compiler spreads over lanes: + − × ÷, comparisons and bit
# operations only, no libm and no fused multiply-add, so that every level gives the same bits.

cdef enum:
    LANES = 32              # partial sums of a chunk; two AVX-512, four AVX2, eight SSE2 registers of float32
    STRIP = 16              # blocks of LANES that are summed in the logits' own type before they join the double sums
    CHUNK_BYTES = 8192      # classes that share a reference, 2 048 of float32 or 1 024 of float64: they stay in L1

cdef extern from *:
    """
    #include <float.h>
    #include <math.h>
    """
    float FLT_MIN
    double DBL_MIN
    float INFINITY
    float NAN

cdef extern from "numerics/machine.h":      # which says what each is for
    double FLOAT_SCALE "XF_FLOAT_SCALE"
    double FLOAT_UNIT "XF_FLOAT_UNIT"
    double FLOAT_SCALED_MIN "XF_FLOAT_SCALED_MIN"
    double DOUBLE_SCALE "XF_DOUBLE_SCALE"
    double DOUBLE_UNIT "XF_DOUBLE_UNIT"
    double DOUBLE_SCALED_MIN "XF_DOUBLE_SCALED_MIN"
    float FLOAT_ROUND_SCALED "XF_FLOAT_ROUND_SCALED"
    double DOUBLE_ROUND_SCALED "XF_DOUBLE_ROUND_SCALED"
    double DOUBLE_ROUND_POWER "XF_DOUBLE_ROUND_POWER"
    double DOUBLE_ROUND "XF_DOUBLE_ROUND"
    double EXPONENT_OFFSET "XF_EXPONENT_OFFSET"
    double FLOAT_EXP_END "XF_FLOAT_EXP_END"
    double DOUBLE_EXP_END "XF_DOUBLE_EXP_END"
    float FLOAT_LOG2_E "XF_FLOAT_LOG2_E"
    float FLOAT_LN2_HIGH "XF_FLOAT_LN2_HIGH"
    float FLOAT_LN2_LOW "XF_FLOAT_LN2_LOW"
    double DOUBLE_LOG2_E "XF_DOUBLE_LOG2_E"
    double DOUBLE_LN2 "XF_DOUBLE_LN2"
    double DOUBLE_LN2_HIGH "XF_DOUBLE_LN2_HIGH"
    double DOUBLE_LN2_LOW "XF_DOUBLE_LN2_LOW"
    double SQRT2 "XF_SQRT2"


# eᵗ times FLOAT_SCALE or DOUBLE_SCALE, for t ≤ 0, nan for nan: terms far below the reference keep all their bits, which a
# large row weight may lift into the normal range again, and subnormals stay out of the sums.
#
# Cody–Waite: t = n·ln 2 + r with n the nearest integer. n·LN2_HIGH is exact (8 + 15 bits in float32, 11 + 32 in
# float64), and so is its difference from t; r carries the rounding of its last subtraction alone. Adding 1.5·2²³
# (1.5·2⁵²) leaves n, plus the biased exponent of the scale, in the low bits of the sum. The clamp keeps nan
# (a comparison with nan is false) and ends where the biased exponent is 0: the scale is +0 there, and so is eᵗ.
cdef inline float exp_tail_float(float r) noexcept nogil:
    """(eʳ − 1 − r)/r²"""
    return (((<float>0.0013813144760206342 * r + <float>0.008369418792426586) * r + <float>0.04166845604777336) * r
            + <float>0.16666515171527863) * r + <float>0.4999999403953552


cdef inline float exp_float(float t) noexcept nogil:
    # Polynomial (eʳ − 1 − r)/r² on |r| ≤ 1.01·ln 2/2, degree 4, minimax error 0.055 ulp of eʳ. Largest error of the
    # whole, over every float32 from −131 to 0: 0.976 ulp (python tools/lanes.py exp_float).
    cdef float shifted, n, r
    t = <float>FLOAT_EXP_END if t < <float>FLOAT_EXP_END else t
    shifted = t * FLOAT_LOG2_E + FLOAT_ROUND_SCALED
    n = shifted - FLOAT_ROUND_SCALED
    r = (t - n * FLOAT_LN2_HIGH) - n * FLOAT_LN2_LOW
    return (<float>1.0 + (r + r * r * exp_tail_float(r))) * xf_float(xf_bits32(shifted) << 23)


cdef inline double exp_tail_double(double r) noexcept nogil:
    """(eʳ − 1 − r)/r²"""
    cdef double tail = 2.4998994376601856e-08 * r + 2.763168727193847e-07
    tail = tail * r + 2.755759718143187e-06
    tail = tail * r + 2.4801489352497677e-05
    tail = tail * r + 0.00019841269486167132
    tail = tail * r + 0.0013888888946919716
    tail = tail * r + 0.008333333333507659
    tail = tail * r + 0.04166666666651916
    tail = tail * r + 0.16666666666666385
    return tail * r + 0.5000000000000012


cdef struct Reduced:            # t = n·ln 2 + r
    double r
    double lost                 # what r lost
    double power                # 2ⁿ, times the scale


cdef inline Reduced reduced_double(double t) noexcept nogil:
    cdef Reduced reduced
    cdef double shifted, n, high, low
    t = DOUBLE_EXP_END if t < DOUBLE_EXP_END else t
    shifted = t * DOUBLE_LOG2_E + DOUBLE_ROUND_SCALED
    n = shifted - DOUBLE_ROUND_SCALED
    high = t - n * DOUBLE_LN2_HIGH
    low = n * DOUBLE_LN2_LOW
    reduced.r = high - low
    reduced.lost = (high - reduced.r) - low
    reduced.power = xf_double(xf_bits64(shifted) << 52)
    return reduced


cdef inline double exp_reduced(Reduced reduced, double tail) noexcept nogil:
    return (1.0 + (reduced.r + (reduced.r * reduced.r * tail + reduced.lost))) * reduced.power


cdef inline double exp_double(double t) noexcept nogil:
    # The same with degree 9, minimax error 0.037 ulp; what r lost is added back. Largest error seen over 10⁷ values
    # from −1050 to 0: 0.93 ulp (python tools/lanes.py exp_double).
    cdef Reduced reduced = reduced_double(t)
    return exp_reduced(reduced, exp_tail_double(reduced.r))


# The same of s·t, for the logits' scale s, by what one turn, ln 2, is worth in t: n·high is exact again (8 + 15 bits in float32,
# 11 + 26 in float64), and so is its difference from t. The product with s is that of the remainder alone, |r| ≤ ln 2/2: the
# error stays that of exp.
cdef struct Rate:
    double scale
    double least
    double turns
    double high
    double low


cdef inline double high_half(double x) noexcept nogil:
    """The first 26 bits: products of halves are exact."""
    return xf_double(xf_bits64(x) & <uint64_t>0xfffffffff8000000)


cdef inline Rate rate_of(double scale, real kind) noexcept nogil:
    cdef Rate rate
    cdef double period = DOUBLE_LN2 / scale
    cdef double scale_high = high_half(scale)
    rate.scale = scale
    rate.turns = DOUBLE_LOG2_E * scale
    if real is float:
        rate.least = FLOAT_EXP_END / scale
        rate.high = xf_float(xf_bits32(<float>period) & <uint32_t>0xfffffe00)
        rate.low = period - rate.high
    else:
        rate.least = DOUBLE_EXP_END / scale
        rate.high = high_half(period)
        rate.low = ((DOUBLE_LN2_HIGH - rate.high * scale_high) - rate.high * (scale - scale_high)
                    + DOUBLE_LN2_LOW) / scale
    return rate


cdef inline float exp_float_rate(float t, const Rate* rate) noexcept nogil:
    cdef float least = <float>rate.least, high = <float>rate.high, low = <float>rate.low
    cdef float shifted, n, r
    t = least if t < least else t
    shifted = t * <float>rate.turns + FLOAT_ROUND_SCALED
    n = shifted - FLOAT_ROUND_SCALED
    r = ((t - n * high) - n * low) * <float>rate.scale
    return (<float>1.0 + (r + r * r * exp_tail_float(r))) * xf_float(xf_bits32(shifted) << 23)


cdef inline double exp_double_rate(double t, const Rate* rate) noexcept nogil:
    cdef double shifted, n, high, low, r, lost
    t = rate.least if t < rate.least else t
    shifted = t * rate.turns + DOUBLE_ROUND_SCALED
    n = shifted - DOUBLE_ROUND_SCALED
    high = t - n * rate.high
    low = n * rate.low
    r = high - low
    lost = ((high - r) - low) * rate.scale
    r = r * rate.scale
    return (1.0 + (r + (r * r * exp_tail_double(r) + lost))) * xf_double(xf_bits64(shifted) << 52)


cdef inline real exp_rate(real t, const Rate* rate, bint scaled) noexcept nogil:
    """exp_scaled of s·t, or of t itself."""
    if not scaled:
        return exp_scaled(t)
    if real is float:
        return exp_float_rate(t, rate)
    else:
        return exp_double_rate(t, rate)


cdef inline real exp_scaled(real t) noexcept nogil:
    if real is float:
        return exp_float(t)
    else:
        return exp_double(t)


cdef inline double exp_unit(double t) noexcept nogil:
    """eᵗ itself, for t ≤ 0; exactly 0 where it is below the smallest normal number."""
    cdef double scaled = exp_double(t)
    return 0.0 if scaled < DOUBLE_SCALED_MIN else scaled * DOUBLE_UNIT


# log(1 + u) for u ≥ 0, nan for nan and +inf.
#
# y = 1 + u loses u − (y − 1), which returns as a correction of the logarithm's argument, divided by y. With y = 2ᵏ·m,
# √½ < m ≤ √2, f = m − 1 and s = f/(2 + f): log m = f − f²/2 + s·(f²/2 + R(s²)). k comes out of the exponent's bits by
# way of 2⁵², which every level can do on lanes. Polynomial R(z)/z on 0 ≤ z ≤ 0.0295, degree 6, minimax error
# 0.011 ulp. Largest error of the whole seen over 10⁷ values from 10⁻³⁰⁰ to 10³⁰⁰: 0.75 ulp
# (python tools/lanes.py log1p_double).
cdef inline double log1p_double(double u) noexcept nogil:
    return log1p_with(u, 1.0 + u, 1.0 / (1.0 + u))


cdef inline double log1p_with(double u, double y, double inverse) noexcept nogil:
    """log1p(u) for callers that have y = 1 + u and its inverse anyway."""
    cdef double f, k = log_exponent_double(y, &f)
    return log_double(k, f, log1p_correction(u, y, inverse, k))


cdef inline double log1p_correction(double u, double y, double inverse, double k) noexcept nogil:
    return (u - (y - 1.0)) * inverse + k * DOUBLE_LN2_LOW


cdef inline double exponent_double(double x, double* part) noexcept nogil:
    """x = 2ᵏ·part, 1 ≤ part < 2 → k, x a normal number above 0"""
    cdef uint64_t bits = xf_bits64(x)
    cdef double k = xf_double((bits >> 52) | <uint64_t>0x4330000000000000) - EXPONENT_OFFSET
    part[0] = xf_double((bits & <uint64_t>0x000fffffffffffff) | <uint64_t>0x3ff0000000000000)
    return k


cdef inline double log_exponent_double(double x, double* f) noexcept nogil:
    """x = 2ᵏ·(1 + f), √½ < 1 + f ≤ √2 → k and f"""
    cdef double m, k = exponent_double(x, &m)
    k = k + 1.0 if m > SQRT2 else k
    m = m * 0.5 if m > SQRT2 else m
    f[0] = m - 1.0
    return k


cdef inline double log_double(double k, double f, double correction) noexcept nogil:
    """k·ln 2 + log(1 + f) + correction, but for k times the low part of ln 2, which `correction` brings."""
    cdef double s = f / (2.0 + f)
    return log_reduced(k, f, correction, s, log_tail(s * s))


cdef inline double log_tail(double z) noexcept nogil:
    """R(z)"""
    cdef double ratio = 0.14799066798747285 * z + 0.15313755676192456
    ratio = ratio * z + 0.18183575169423413
    ratio = ratio * z + 0.22222198378385133
    ratio = ratio * z + 0.285714287441425
    ratio = ratio * z + 0.3999999999940748
    return (ratio * z + 0.6666666666666735) * z


cdef inline double log_reduced(double k, double f, double correction, double s, double tail) noexcept nogil:
    cdef double half_square = 0.5 * f * f
    return k * DOUBLE_LN2_HIGH - ((half_square - (s * (half_square + tail) + correction)) - f)
