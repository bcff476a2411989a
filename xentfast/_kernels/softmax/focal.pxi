# The focal loss (Lin et al. 2017) of rows with an integer target t, from what settle.pxi has of a row. With p = p_t, q = 1 − p
# and L = −log p, of which none is a difference that cancels:
#   loss      F·L              F = q^γ
#   gradient  A·(p_j − δ_jt)   A = F·a,  a = 1 + γ·r·L,  r = p/q
#   Hessian   A·p_j·(1 − p_j + b·p_j),  the target's A·q·(p + b·q);  b = γ·r·(2 − L + (γ − 1)·r·L)/a
# so that the gradient has one factor more, and the Hessian one term, b: its bend. With q = 0 all of them are 0. Where p is 0, so
# is r·L, and L may be infinite.
#
# F is e^{γ·log q}, whose exponent may be some hundreds: the logarithm and its product with γ are kept in two parts, else F would
# lose as many ulp; near q = 1 p tells what q lost. What is left is γ times the error of q, of which the exponentials have most.
# A γ of any size has F = 0 where that exponent is far below the least of a normal number, and is not multiplied out there.

cdef enum:
    LEAST_EXPONENT = -2000


cdef struct Focus:
    double factor[LANES]            # F
    double slope[LANES]             # A
    double bend[LANES]


cdef inline void log_parts(double q, double p, double* high, double* low) noexcept nogil:
    """log q in two parts, of a normal number; from ½ on that of 1 − p, which q is but for its rounding."""
    cdef double f, k = log_exponent_double(q, &f)
    cdef double s = f / (2.0 + f)
    cdef double half_square = 0.5 * f * f
    cdef double whole = k * DOUBLE_LN2_HIGH + f         # the first is larger, or 0: what the sum loses is exact
    cdef double part = f - (whole - k * DOUBLE_LN2_HIGH)
    cdef double lost = ((1.0 - q) - p) / q
    lost = lost if q >= 0.5 else 0.0
    part = (part - (half_square - s * (half_square + log_tail(s * s)))) + (k * DOUBLE_LN2_LOW + lost)
    high[0] = whole + part
    low[0] = part - (high[0] - whole)


cdef inline double product_parts(double gamma, double high, double low, double* error) noexcept nogil:
    """gamma·(high + low), and what it loses (Dekker's product); nothing where that is not finite."""
    cdef double value = gamma * high
    cdef double gamma_high = high_half(gamma)
    cdef double half = high_half(high)
    cdef double lost = ((gamma_high * half - value) + gamma_high * (high - half) + (gamma - gamma_high) * half)
    lost = (lost + (gamma - gamma_high) * (high - half)) + gamma * low
    error[0] = lost if lost - lost == 0.0 else 0.0
    return value


cdef void focus_rows(double gamma, const double* q, const double* p, const double* loss, Focus* focus) noexcept nogil:
    """LANES rows."""
    cdef double t[LANES]
    cdef double error[LANES]
    cdef double r[LANES]
    cdef double lost[LANES]
    cdef double power[LANES]
    cdef double tail[LANES]
    cdef double own, low, ratio, finite, turned, a, factor
    cdef Py_ssize_t row
    for row in range(LANES):
        own = 1.0 if q[row] == 0.0 else q[row]
        log_parts(own, p[row], &own, &low)
        t[row] = product_parts(gamma, own, low, &error[row])
        error[row] = error[row] if t[row] > LEAST_EXPONENT else 0.0
        t[row] = t[row] if t[row] > LEAST_EXPONENT else LEAST_EXPONENT
    for row in range(LANES):
        reduce_signed(t[row], error[row], 0.0, False, &r[row], &lost[row], &power[row])
    for row in range(LANES):
        tail[row] = exp_tail_double(r[row])
    for row in range(LANES):
        factor = normal_part((1.0 + (r[row] + (r[row] * r[row] * tail[row] + lost[row]))) * power[row])
        focus.factor[row] = 0.0 if q[row] == 0.0 else factor
    for row in range(LANES):
        ratio = p[row] / (1.0 if q[row] == 0.0 else q[row])
        finite = 0.0 if p[row] == 0.0 else loss[row]
        turned = gamma * ratio                          # at most some hundreds where F is not 0
        a = 1.0 + turned * finite
        factor = turned * (2.0 - finite + (gamma - 1.0) * (ratio * finite)) / a
        focus.slope[row] = 0.0 if focus.factor[row] == 0.0 else focus.factor[row] * a
        focus.bend[row] = 0.0 if focus.factor[row] == 0.0 else factor
