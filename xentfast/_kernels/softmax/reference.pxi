# What the exponentials of a chunk, and of a row, are counted in: a reference that costs no rounding.
#
# With c the largest logit and s the logits' scale, sums are Σ e^{s·x}/B, B = e^{s·origin}·2^exponent:
#   near 0   origin = 0 and `exponent` is the integer nearest s·c·log₂e: x itself is reduced, x = n·(ln 2/s) + r, and B joins 2ⁿ.
#            x − c is never formed, which would round wherever |x| < |c|/2, by as many ulp as the difference is large.
#   far      origin = c and the exponent is 0. |c| is so large that every x that counts is within a factor of two of it: x − c is
#            exact.
# The largest term is between √½ and √2, and the share of a chunk in its row a power of two (but of a near one in a far one).
# Capped logits, and scales that float32 cannot invert, are differences from c in double before they are exponentiated
# (shape.pxi): far.
#
# c is enough to know the reference by: it is what stands in `stats` and in partial results.

cdef extern from "numerics/machine.h":
    float FLOAT_ROUND "XF_FLOAT_ROUND"
    float FLOAT_NEAR_LOW "XF_FLOAT_NEAR_LOW"
    float FLOAT_NEAR_HIGH "XF_FLOAT_NEAR_HIGH"
    double DOUBLE_NEAR_LOW "XF_DOUBLE_NEAR_LOW"
    double DOUBLE_NEAR_HIGH "XF_DOUBLE_NEAR_HIGH"


cdef inline real reference_in(real largest, real turns, real* exponent) noexcept nogil:
    """The origin, and the exponent; `turns`: what log₂ e is to the logits' scale. In the logits' own type: between a chunk's two
    sweeps everything waits for it."""
    cdef real round = <real>(FLOAT_ROUND if real is float else DOUBLE_ROUND)
    cdef real low = round + <real>(FLOAT_NEAR_LOW if real is float else DOUBLE_NEAR_LOW)
    cdef real high = round + <real>(FLOAT_NEAR_HIGH if real is float else DOUBLE_NEAR_HIGH)
    cdef real shifted = largest * turns + round
    cdef bint near = shifted >= low and shifted <= high
    exponent[0] = shifted - round if near else 0
    return 0 if near else largest


cdef struct Reference:
    double origin
    double exponent


cdef inline Reference reference_at(const Problem* problem, double largest, real kind) noexcept nogil:
    cdef Reference reference
    cdef real exponent
    reference.origin = largest
    reference.exponent = 0.0
    if not is_shaped(problem):
        reference.origin = reference_in(<real>largest, <real>(DOUBLE_LOG2_E * problem.unit), &exponent)
        reference.exponent = exponent
    return reference


cdef inline void gauge_of(real largest, double turns, double period, real* origin, real* least, real* magic) noexcept nogil:
    """`turns`, `period`: log₂ e and ln 2 of the logits' scale (Rate). Not of shaped logits."""
    cdef real exponent
    cdef real found = reference_in(largest, <real>turns, &exponent)
    origin[0] = 0 if largest == -INFINITY else found        # −inf − (−inf) would be nan
    if real is float:
        magic[0] = FLOAT_ROUND_SCALED - exponent
        least[0] = (exponent - FLOAT_SCALED_BIAS) * <float>period
    else:
        magic[0] = DOUBLE_ROUND_SCALED - exponent
        least[0] = (exponent - DOUBLE_SCALED_BIAS) * period


cdef inline real exponential(real x, real origin, real least, real magic, const Rate* rate, bint scaled) noexcept nogil:
    """One class of a chunk, as sweep_chunk has it."""
    cdef real r, power, lost = 0
    reduce(x - origin, least, magic, rate, scaled, &r, &lost, &power)
    return exp_reduced(r, lost, power)


cdef real exponential_of_largest(const Problem* problem, double largest, real kind) noexcept nogil:
    """That of a chunk's largest."""
    if is_shaped(problem):
        return shaped_exponential(0.0, 0.0, kind)
    kind = <real>largest
    exponentials(problem, &kind, 1, largest, &kind, NULL)
    return kind


# ---- in double, of whole rows


cdef inline double gap_error(double x, double c, double scale) noexcept nogil:
    """scale·(x − c) less what it is in double (Knuth's sum, Dekker's product). 0 from 1 on: what is so large that it loses as
    much is no exponent of anything but 0 and infinity, and overflows here."""
    cdef double d = x - c
    cdef double z = d - x
    cdef double d_error = (x - (d - z)) - (c + z)
    cdef double d_high = high_half(d)
    cdef double d_low = d - d_high
    cdef double scale_high = high_half(scale)
    cdef double scale_low = scale - scale_high
    cdef double error = ((d_high * scale_high - d * scale) + d_high * scale_low + d_low * scale_high) + d_low * scale_low
    error = error + d_error * scale
    return error if error * error < 1.0 else 0.0


cdef inline void reduce_signed(double t, double error, double exponent, bint inverse, double* r, double* lost,
                               double* power) noexcept nogil:
    """e^{t + error}·2^−exponent, or one over that, times DOUBLE_SCALE, is eʳ·power. The result is at most 2."""
    cdef double shifted, n, high, low, rest, gone, m
    t = -6000.0 if t < -6000.0 else t                   # n·LN2_HIGH is exact; 2ᵐ is 0 by far
    t = 6000.0 if t > 6000.0 else t
    shifted = t * DOUBLE_LOG2_E + DOUBLE_ROUND
    n = shifted - DOUBLE_ROUND
    high = t - n * DOUBLE_LN2_HIGH
    low = n * DOUBLE_LN2_LOW - error
    rest = high - low
    gone = (high - rest) - low
    m = exponent - n if inverse else n - exponent
    m = -DOUBLE_SCALED_BIAS if m < -DOUBLE_SCALED_BIAS else m
    r[0] = -rest if inverse else rest
    lost[0] = -gone if inverse else gone
    power[0] = xf_double(xf_bits64(m + DOUBLE_ROUND_SCALED) << 52)


cdef inline double normal_part(double scaled) noexcept nogil:
    """What is times DOUBLE_SCALE, without; exactly 0 below the smallest normal number."""
    return 0.0 if scaled < DOUBLE_SCALED_MIN else scaled * DOUBLE_UNIT


cdef inline double share_of(const Problem* problem, Reference reference, Reference top) noexcept nogil:
    """A chunk's reference in units of the row's."""
    cdef double exponent = reference.exponent - top.exponent
    if reference.origin == top.origin:
        return xf_double(xf_bits64(exponent + DOUBLE_ROUND_POWER) << 52) if exponent >= -1022.0 else 0.0
    return relative(problem, reference.origin, reference.exponent, top)


cdef double relative(const Problem* problem, double x, double exponent, Reference top) noexcept nogil:
    """e^{unit·x}·2^exponent in units of `top`, which is larger, or hardly smaller."""
    cdef double r, lost, power
    # What the difference loses to rounding counts in float64.
    cdef double error = gap_error(x, top.origin, problem.unit) if problem.type == FLOAT64 else 0.0
    reduce_signed((x - top.origin) * problem.unit, error, top.exponent - exponent, False, &r, &lost, &power)
    return normal_part(exp_reduced_double(r, lost, power))
