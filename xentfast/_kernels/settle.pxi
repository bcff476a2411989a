# From the sums of a row to its value and the factors of its gradient, in double, without a branch, so that it runs on
# one row or on a tile of rows side by side with the same bits.
#
# With c the row's reference (the largest logit; with an integer target, the largest of the others):
#   integer target   tail = Σ_{j≠t} e^{x_j − c},  d = x_t − c,  E = e^{−|d|}
#                    d ≥ 0: u = tail·E            lse − x_t = log1p(u)         p_j = e^{x_j − c}·E/(1 + u)
#                    d < 0: u = (tail − 1) + E    lse − x_t = log1p(u) − d     p_j = e^{x_j − c}/(1 + u)
#                    The target never enters a sum that it would swamp, and 1 − p_t is u/(1 + u) where p_t is large.
#   none             peaks = how many equal c, tail = Σ of the others,  u = (peaks − 1) + tail,  lse − c = log1p(u)
# A difference of logits is worth `unit` (load stage: shape.pxi). z_loss adds λ·lse², and 2·λ·lse·p_j to the gradient.
# Each class carries a mass m_j (soft targets, smoothing); the target's own mass is kept apart.

cdef struct Fold:               # a row's chunks, folded
    double top                  # c
    double peaks
    double tail
    double mass                 # Σ m_j, without the target's
    double moment               # Σ m_j·(c − x_j), without the target's

cdef struct Settled:
    double value                # loss, logsumexp, or lse − c
    double scale                # gradient_j = scale·e^{x_j − c} − mass_scale·m_j
    double mass_scale
    double target               # the target's gradient
    double probability          # p_j = probability·e^{x_j − c}
    double curvature            # Hessian_j = curvature·p_j·(1 − p_j)
    double target_hess          # the target's
    double top_rest             # 1 − probability, without what the classes between share (rest_of_row adds it)
    double bad                  # 1: a nan or +inf logit, or no finite one


cdef inline double z_of(double log_sum_exp, double z_loss, double* value) noexcept nogil:
    """λ·lse² and its derivative; both are 0 for λ = 0, whatever lse is."""
    value[0] = 0.0 if z_loss == 0.0 else z_loss * log_sum_exp * log_sum_exp
    return 0.0 if z_loss == 0.0 else 2.0 * z_loss * log_sum_exp


cdef inline double high_half(double x) noexcept nogil:
    """The first 26 bits: products of halves are exact."""
    return xf_double(xf_bits64(x) & <uint64_t>0xfffffffff8000000)


cdef inline double gap_error(double x, double c, double scale) noexcept nogil:
    """scale·(x − c) less what it is in double (Knuth's sum, Dekker's product); 0 where it overflows."""
    cdef double d = x - c
    cdef double z = d - x
    cdef double d_error = (x - (d - z)) - (c + z)
    cdef double d_high = high_half(d)
    cdef double d_low = d - d_high
    cdef double scale_high = high_half(scale)
    cdef double scale_low = scale - scale_high
    cdef double error = ((d_high * scale_high - d * scale) + d_high * scale_low + d_low * scale_high) + d_low * scale_low
    error = error + d_error * scale
    return error if error - error == 0.0 else 0.0


cdef inline Settled settle_marked(Fold fold, double x_target, double d_error, double target_mass, double row_weight,
                                  double gradient_scale, double unit, double z_loss) noexcept nogil:
    cdef Settled settled
    cdef double d = (x_target - fold.top) * unit + d_error
    cdef bint ahead = d >= 0.0
    cdef double scaled = exp_double(-d if ahead else d)                     # 2⁵⁰⁰·E
    cdef double weight = row_weight * gradient_scale
    cdef double total = target_mass + fold.mass
    cdef double product = fold.tail * scaled
    cdef double e = 0.0 if scaled < 7.283535870312702e-158 else scaled * 3.054936363499605e-151
    cdef double u, y, inverse, log_sum, loss, others, rest, z_value, z_slope
    product = 0.0 if product < 7.283535870312702e-158 else product * 3.054936363499605e-151
    u = product if ahead else (fold.tail - 1.0) + e
    y = 1.0 + u
    inverse = 1.0 / y
    log_sum = log1p_with(u, y, inverse)
    loss = log_sum if ahead else log_sum - d
    loss = 0.0 if target_mass == 0.0 and loss == loss else target_mass * loss
    others = log_sum + (d if ahead else 0.0)                                # lse − c
    z_slope = z_of((x_target if ahead else fold.top) * unit + log_sum, z_loss, &z_value)
    others = 0.0 if fold.mass == 0.0 else fold.mass * others
    rest = u * inverse if ahead else 1.0 - e * inverse                      # 1 − p_t, of which p_t is at most half
    settled.value = row_weight * (loss + (others + fold.moment) + z_value)
    settled.scale = weight * (total + z_slope) * ((e if ahead else 1.0) * inverse)
    settled.target = weight * fold.mass - weight * total * rest
    settled.target = settled.target if z_loss == 0.0 else settled.target + weight * z_slope * (inverse if ahead else e * inverse)
    settled.mass_scale = weight
    settled.probability = (e if ahead else 1.0) * inverse
    settled.curvature = weight * total
    settled.target_hess = settled.curvature * rest * (inverse if ahead else e * inverse)
    settled.top_rest = e * inverse
    settled.bad = 1.0 if u != u or x_target == INFINITY or fold.moment != fold.moment else 0.0
    return settled


cdef inline double sloped_target(double gradient, double slope) noexcept nogil:
    """A slope of 0 gives 0, of whichever sign and size the gradient is."""
    return 0.0 if slope == 0.0 else gradient * slope


cdef inline Settled settle_plain(Fold fold, double row_weight, double gradient_scale, double unit,
                                 double z_loss) noexcept nogil:
    cdef Settled settled
    cdef double z_value, z_slope
    cdef double u = (fold.peaks - 1.0) + fold.tail
    cdef double y = 1.0 + u
    cdef double inverse = 1.0 / y
    cdef double log_sum = log1p_with(u, y, inverse)
    z_slope = z_of(fold.top * unit + log_sum, z_loss, &z_value)
    settled.value = row_weight * (fold.mass * log_sum + fold.moment + z_value)
    settled.mass_scale = row_weight * gradient_scale
    settled.scale = settled.mass_scale * (fold.mass + z_slope) * inverse
    settled.target = 0.0
    settled.probability = inverse
    settled.curvature = settled.mass_scale * fold.mass
    settled.target_hess = 0.0
    settled.top_rest = u * inverse
    settled.bad = 1.0 if u != u or fold.peaks == 0.0 or fold.moment != fold.moment else 0.0
    return settled


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
