# What logit_scale and softcap make of logits, in a chunk's own buffer: the kernels' sums see plain numbers.
#
# Scaled logits lose nothing of a common offset: the reference c is subtracted first, and s·(x − c) is rounded once. Capped ones
# are computed in double before theirs is subtracted. So a chunk comes with its reference already taken off, and what stands in
# `stats` is c itself, in units of `problem.unit`: x where there is no cap, and c·tanh(s·x/c) where there is.


# tanh u and its slope 1 − tanh² u, by g = e^{−2|u|} − 1:  tanh |u| = −g/(2 + g),  slope = 4·(1 + g)/(2 + g)². g is built so
# that it keeps its relative accuracy near 0, and the slope of a saturated logit is no difference. Below e^−708 it is 0.
cdef inline double tanh_from(double u, double power, double r_part, double* slope) noexcept nogil:
    """power = 2ⁿ, r_part = eʳ − 1, of −2|u| = n·ln 2 + r."""
    cdef double grown = power * r_part
    cdef double g = grown + (power - 1.0)
    cdef double inverse = 1.0 / (2.0 + g)
    cdef double size = -g * inverse
    slope[0] = 4.0 * (power + grown) * (inverse * inverse)
    return -size if u < 0.0 else size


cdef inline double tanh_single(double u, double* slope) noexcept nogil:
    # For logits of float32: polynomial (eʳ − 1 − r)/r² on |r| ≤ 1.01·ln 2/2, degree 5, error of eʳ 5.2e-11. Largest error of
    # tanh seen over 10⁷ values from 10⁻⁶ to 400: 5.2e-11 (python tests/lanes.py tanh_single).
    cdef double t = -2.0 * (-u if u < 0.0 else u)
    cdef double shifted, r, tail, power, result
    cdef bint flat = t < -708.0
    t = -708.0 if flat else t
    shifted = t * 1.4426950408889634 + 6755399441056767.0           # 1.5·2⁵² + 1023
    r = t - (shifted - 6755399441056767.0) * 0.6931471805599453
    tail = 0.00019919923201904482 * r + 0.0013947211888838123
    tail = tail * r + 0.008333261578432644
    tail = tail * r + 0.041666254003439665
    tail = tail * r + 0.16666666872522617
    tail = tail * r + 0.5000000082639381
    power = xf_double(xf_bits64(shifted) << 52)
    result = tanh_from(u, power, r + r * r * tail, slope)
    slope[0] = 0.0 if flat else slope[0]
    return result


cdef inline double tanh_double(double u, double* slope) noexcept nogil:
    # The polynomial and the reduction of exp_double. Largest error seen over 10⁷ values from 10⁻⁶ to 400: 2.5 ulp
    # (python tests/lanes.py tanh_double).
    cdef double t = -2.0 * (-u if u < 0.0 else u)
    cdef double shifted, n, high, low, r, tail, power, result
    cdef bint flat = t < -708.0
    t = -708.0 if flat else t
    shifted = t * 1.4426950408889634 + 6755399441056767.0
    n = shifted - 6755399441056767.0
    high = t - n * 0.6931471803691238
    low = n * 1.9082149292705877e-10
    r = high - low
    tail = exp_tail_double(r)
    power = xf_double(xf_bits64(shifted) << 52)
    result = tanh_from(u, power, r + (r * r * tail + ((high - r) - low)), slope)
    slope[0] = 0.0 if flat else slope[0]
    return result


cdef inline double capped(double x, double cap, double ratio, double* slope, real kind) noexcept nogil:
    """cap·tanh(ratio·x); what is not finite stays as it is, with a slope of 1."""
    cdef double y
    if real is float:
        y = cap * tanh_single(x * ratio, slope)
    else:
        y = cap * tanh_double(x * ratio, slope)
    slope[0] = 1.0 if x - x != 0.0 else slope[0]
    return x if x - x != 0.0 else y


cdef inline double high_half(double x) noexcept nogil:
    """The first 26 bits: products of halves are exact."""
    return xf_double(xf_bits64(x) & <uint64_t>0xfffffffff8000000)


cdef inline double scaled_gap(double x, double c, double scale, double scale_high, double scale_low) noexcept nogil:
    """scale·(x − c) in double, rounded about once (Knuth's sum, Dekker's product)."""
    cdef double d = x - c
    cdef double z = d - x
    cdef double d_error = (x - (d - z)) - (c + z)
    cdef double d_high = high_half(d)
    cdef double d_low = d - d_high
    cdef double product = d * scale
    cdef double error = ((d_high * scale_high - product) + d_high * scale_low + d_low * scale_high) + d_low * scale_low
    error = error + d_error * scale
    return product + error if error - error == 0.0 else product


cdef void shape_chunk(const Problem* problem, const real* x, Py_ssize_t n, double reference, real* shaped, real* slopes) noexcept nogil:
    """x[0 : n] → shaped[0 : n], less the reference, and the slopes of a cap, unless NULL. `shaped` may be x."""
    cdef double c = 0.0 if reference == -INFINITY else reference
    cdef double scale = problem.scale, cap = problem.cap, ratio = problem.scale / problem.cap if problem.cap != 0.0 else 0.0
    cdef double scale_high = high_half(scale)
    cdef double scale_low = scale - scale_high
    cdef double slope
    cdef Py_ssize_t i
    if cap != 0.0 and slopes != NULL:
        for i in range(n):
            shaped[i] = <real>(capped(x[i], cap, ratio, &slope, <real>0) - c)
            slopes[i] = rounded(<real>0, slope)
    elif cap != 0.0:
        for i in range(n):
            shaped[i] = <real>(capped(x[i], cap, ratio, &slope, <real>0) - c)
    elif real is float:
        for i in range(n):
            shaped[i] = <real>((<double>x[i] - c) * scale)
    else:
        for i in range(n):
            shaped[i] = scaled_gap(x[i], c, scale, scale_high, scale_low)


cdef inline double reference_of(const Problem* problem, double largest, real kind) noexcept nogil:
    """What stands for a chunk's largest logit in `stats`: itself, or what the cap makes of it."""
    cdef double slope
    if problem.cap == 0.0:
        return largest
    return capped(largest, problem.cap, problem.scale / problem.cap, &slope, kind)


cdef inline void multiply(real* values, const real* slopes, Py_ssize_t n) noexcept nogil:
    """values ·= slopes; no subnormal arises."""
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real q
    cdef Py_ssize_t i
    for i in range(n):
        q = values[i] * slopes[i]
        values[i] = 0 if -smallest < q < smallest else q
