# The functions of a value's path, as scalar code that the compiler spreads over lanes: + − × ÷, comparisons and bit
# operations only, no libm and no fused multiply-add, so that every level gives the same bits.

cdef enum:
    LANES = 32              # partial sums of a chunk; two AVX-512, four AVX2, eight SSE2 registers of float32
    # Blocks of LANES that go through short loops together, and are summed in the logits' own type before they join the double
    # sums; and blocks that are summed as (a + b) + (c + d) first: of STRIP values one after the other, small ones beside a large
    # one would round to several ulp of it.
    STRIP = 16
    QUAD = 4
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
    float FLOAT_SCALED_BIAS "XF_FLOAT_SCALED_BIAS"
    double DOUBLE_SCALED_BIAS "XF_DOUBLE_SCALED_BIAS"
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


# eᵗ times FLOAT_SCALE or DOUBLE_SCALE: terms far below the reference keep all their bits, which a large row weight may lift into
# the normal range again, and subnormals stay out of the sums. nan for nan.
#
# Cody–Waite: t = n·ln 2 + r with n the nearest integer. n·LN2_HIGH is exact (9 + 15 bits in float32, 12 + 32 in
# float64), and so is its difference from t; r carries the rounding of its last subtraction alone. Adding 1.5·2²³
# (1.5·2⁵²) leaves n, plus whatever integer `magic` has besides, in the low bits of the sum: the biased exponent of the scale,
# and for sums that count in units of 2ᵏ, −k, which costs nothing. The clamp keeps nan (a comparison with nan is false) and ends
# where the biased exponent is 0: the power is +0 there, and so is the result.
cdef inline void reduce_float(float t, float least, float magic, float* r, float* power) noexcept nogil:
    """eᵗ·2⁻ᵏ·scale = eʳ·power"""
    cdef float shifted, n
    t = least if t < least else t
    shifted = t * FLOAT_LOG2_E + magic
    n = shifted - magic
    r[0] = (t - n * FLOAT_LN2_HIGH) - n * FLOAT_LN2_LOW
    power[0] = xf_float(xf_bits32(shifted) << 23)


cdef inline float exp_tail_float(float r) noexcept nogil:
    """(eʳ − 1 − r)/r²"""
    return (((<float>0.0013813144760206342 * r + <float>0.008369418792426586) * r + <float>0.04166845604777336) * r
            + <float>0.16666515171527863) * r + <float>0.4999999403953552


cdef inline float exp_reduced_float(float r, float power) noexcept nogil:
    # Polynomial (eʳ − 1 − r)/r² on |r| ≤ 1.01·ln 2/2, degree 4, minimax error 0.055 ulp of eʳ.
    return (<float>1.0 + (r + r * r * exp_tail_float(r))) * power


cdef inline float exp_float(float t) noexcept nogil:
    # For t ≤ 0. Largest error of the whole, over every float32 from −131 to 0: 0.976 ulp (python tools/lanes.py exp_float).
    cdef float r, power
    reduce_float(t, <float>FLOAT_EXP_END, FLOAT_ROUND_SCALED, &r, &power)
    return exp_reduced_float(r, power)


cdef inline double exp_tail_double(double r) noexcept nogil:
    """(eʳ − 1 − r)/r²"""
    cdef double tail = 2.500302383171478e-08 * r + 2.7631896646409913e-07
    tail = tail * r + 2.75575843387356e-06
    tail = tail * r + 2.4801488688807454e-05
    tail = tail * r + 0.00019841269500603712
    tail = tail * r + 0.001388888894766049
    tail = tail * r + 0.008333333333501015
    tail = tail * r + 0.04166666666651578
    tail = tail * r + 0.16666666666666397
    return tail * r + 0.5000000000000012


cdef inline double exp_tail_settle(double r) noexcept nogil:
    # As float32's results need it: degree 5, minimax error of eʳ 5.6e-11, a thousandth of an ulp.
    cdef double tail = 0.0001978926106464991 * r + 0.0013945752223695738
    tail = tail * r + 0.008333503756421227
    tail = tail * r + 0.04166628032642878
    tail = tail * r + 0.16666665820089702
    return tail * r + 0.50000000716715


cdef inline void reduce_double(double t, double least, double magic, double* r, double* lost, double* power) noexcept nogil:
    """The same, and what r lost."""
    cdef double shifted, n, high, low
    t = least if t < least else t
    shifted = t * DOUBLE_LOG2_E + magic
    n = shifted - magic
    high = t - n * DOUBLE_LN2_HIGH
    low = n * DOUBLE_LN2_LOW
    r[0] = high - low
    lost[0] = (high - r[0]) - low
    power[0] = xf_double(xf_bits64(shifted) << 52)


cdef inline double exp_reduced_double(double r, double lost, double power) noexcept nogil:
    return (1.0 + (r + (r * r * exp_tail_double(r) + lost))) * power


cdef inline double exp_double(double t) noexcept nogil:
    # The same with degree 9, minimax error 0.037 ulp; what r lost is added back. Largest error seen over 10⁷ values
    # from −1050 to 0: 0.87 ulp (python tools/lanes.py exp_double).
    cdef double r, lost, power
    reduce_double(t, DOUBLE_EXP_END, DOUBLE_ROUND_SCALED, &r, &lost, &power)
    return exp_reduced_double(r, lost, power)


# The same of s·t, for the logits' scale s, by what one turn, ln 2, is worth in t: n·high is exact again (9 + 15 bits in float32,
# 12 + 26 in float64), and so is its difference from t. The product with s is that of the remainder alone, |r| ≤ ln 2/2: the
# error stays that of exp.
cdef struct Rate:
    double scale
    double turns
    double period               # ln 2/s
    double high                 # its two parts
    double low


cdef inline double high_half(double x) noexcept nogil:
    """The first 26 bits: products of halves are exact."""
    return xf_double(xf_bits64(x) & <uint64_t>0xfffffffff8000000)


cdef inline Rate rate_of(double scale, real kind) noexcept nogil:
    cdef Rate rate
    cdef double scale_high = high_half(scale)
    rate.scale = scale
    rate.turns = DOUBLE_LOG2_E * scale
    rate.period = DOUBLE_LN2 / scale
    if real is float:
        rate.high = xf_float(xf_bits32(<float>rate.period) & <uint32_t>0xfffffe00)
        rate.low = rate.period - rate.high
    else:
        rate.high = high_half(rate.period)
        rate.low = ((DOUBLE_LN2_HIGH - rate.high * scale_high) - rate.high * (scale - scale_high)
                    + DOUBLE_LN2_LOW) / scale
    return rate


cdef inline void reduce_rate_float(float t, float least, float magic, const Rate* rate, float* r, float* power) noexcept nogil:
    cdef float shifted, n
    t = least if t < least else t
    shifted = t * <float>rate.turns + magic
    n = shifted - magic
    r[0] = ((t - n * <float>rate.high) - n * <float>rate.low) * <float>rate.scale
    power[0] = xf_float(xf_bits32(shifted) << 23)


cdef inline void reduce_rate_double(double t, double least, double magic, const Rate* rate, double* r, double* lost,
                                    double* power) noexcept nogil:
    cdef double shifted, n, high, low, rest
    t = least if t < least else t
    shifted = t * rate.turns + magic
    n = shifted - magic
    high = t - n * rate.high
    low = n * rate.low
    rest = high - low
    lost[0] = ((high - rest) - low) * rate.scale
    r[0] = rest * rate.scale
    power[0] = xf_double(xf_bits64(shifted) << 52)


cdef inline void reduce(real t, real least, real magic, const Rate* rate, bint scaled, real* r, real* lost,
                        real* power) noexcept nogil:
    """Of s·t where `scaled`, of t else: 2⁻ᵏ·scale·exponential = eʳ·power. `lost` is float64's alone."""
    if real is float:
        if scaled:
            reduce_rate_float(t, least, magic, rate, r, power)
        else:
            reduce_float(t, least, magic, r, power)
    else:
        if scaled:
            reduce_rate_double(t, least, magic, rate, r, lost, power)
        else:
            reduce_double(t, least, magic, r, lost, power)


cdef inline real exp_reduced(real r, real lost, real power) noexcept nogil:
    if real is float:
        return exp_reduced_float(r, power)
    else:
        return exp_reduced_double(r, lost, power)


cdef inline real exp_scaled(real t) noexcept nogil:
    if real is float:
        return exp_float(t)
    else:
        return exp_double(t)


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


cdef inline double log_tail_settle(double z) noexcept nogil:
    # As float32's results need it: degree 3, minimax error of the logarithm 4.9e-12.
    cdef double ratio = 0.23584490712604536 * z + 0.2853719746927004
    ratio = ratio * z + 0.40000336723182056
    return (ratio * z + 0.6666666563979208) * z


cdef inline double log_reduced(double k, double f, double correction, double s, double tail) noexcept nogil:
    cdef double half_square = 0.5 * f * f
    return k * DOUBLE_LN2_HIGH - ((half_square - (s * (half_square + tail) + correction)) - f)


# log x of float32, x = 2ᵏ·(1 + f), √½ ≤ 1 + f ≤ √2. Polynomial (log(1 + f) − f + f²/2)/f³, degree 7, minimax error 0.1 ulp of
# the logarithm; in the order of Estrin, whose steps wait half as long for each other. Largest error of the whole, over every
# normal number up to 1: 0.91 ulp (python tools/lanes.py log_float), and no more than 0.70·2⁻²³ of the logarithm.
cdef inline float log_exponent_float(float x, float* f) noexcept nogil:
    """x → k and f, x a normal number above 0."""
    cdef uint32_t bits = xf_bits32(x)
    cdef int k = <int>(bits - <uint32_t>0x3f3504f3) >> 23           # the bits of √½
    f[0] = xf_float(bits - (<uint32_t>k << 23)) - <float>1.0
    return <float>k


cdef inline float log_tail_float(float f, float scale) noexcept nogil:
    """scale·(log(1 + f) − f). `scale` is a constant power of two, which changes no digit, and costs nothing."""
    cdef float square = f * f
    cdef float high = ((<float>-0.0763450637459755 * f + <float>0.12761592864990234) * square
                       + (<float>-0.13160185515880585 * f + <float>0.14201755821704865))
    cdef float low = ((<float>-0.16623356938362122 * f + <float>0.20001226663589478) * square
                      + (<float>-0.2500081956386566 * f + <float>0.3333333134651184))
    return (high * (square * square) + low) * (scale * f * square) - scale * <float>0.5 * square


cdef inline float log_float(float k, float f, float scale) noexcept nogil:
    """scale·(k·ln 2 + log(1 + f))"""
    return k * (scale * FLOAT_LN2_HIGH) + (scale * f + (log_tail_float(f, scale) + k * (scale * FLOAT_LN2_LOW)))
