# What softcap makes of logits (and logit_scale where it is extreme), in a chunk's own buffer: the sums see plain numbers.
#
# They are exponentiated here too, from their difference from the chunk's largest in double, which loses nothing that counts in
# float32: what stands in `stats` is that largest, in units of `problem.unit`: x where there is no cap, and c·tanh(s·x/c) where
# there is. An ordinary logit_scale needs no stage of its own: it is the exponentials' (numerics/lanes.pxi: Rate).


cdef enum:
    CAP_PASS = 128              # logits that are capped together, in short loops, whose steps wait little for each other


cdef struct Cap:
    double cap
    double ratio
    double turns                # of the exponential, for each 1 of a logit


cdef inline Cap cap_of(const Problem* problem) noexcept nogil:
    cdef Cap cap
    cap.cap = problem.cap
    cap.ratio = 0.0 if problem.cap == 0.0 else min(problem.scale / problem.cap, 6e307)         # times 0 must stay 0
    cap.turns = 2.0 * DOUBLE_LOG2_E * cap.ratio
    return cap


# tanh u and its slope 1 − tanh² u, by g = e^{−2|u|} − 1:  tanh |u| = −g/(2 + g),  slope = 4·(1 + g)/(2 + g)². g is built so
# that it keeps its relative accuracy near 0, and the slope of a saturated logit is no difference. Below e^−708 it is 0.
cdef inline void cap_floats(const Cap* cap, const float* x, Py_ssize_t n, double* capped, float* slopes) noexcept nogil:
    """cap·tanh(ratio·x) in double, as exact as float32 needs it, and its slope, for n ≤ CAP_PASS logits."""
    # Polynomial (2ᶠ − 1)/f on |f| ≤ ½, degree 6, error of 2ᶠ 5.2e-11; a quotient in float32 with a step of Newton's. Largest
    # error of tanh seen over 10⁷ values from 10⁻⁶ to 400: 3.5e-11, absolute (python tools/lanes.py tanh_float).
    cdef double rest[CAP_PASS]
    cdef double power[CAP_PASS]
    cdef double g[CAP_PASS]
    cdef float inverse[CAP_PASS]
    cdef float size
    cdef double turns = cap.turns, height = cap.cap, shifted, f, f2, tail, grown, exact
    cdef Py_ssize_t i
    for i in range(n):
        exact = <double>xf_float(xf_bits32(x[i]) & <uint32_t>0x7fffffff) * -turns
        exact = -1000.0 if exact < -1000.0 else exact               # 2⁻¹⁰⁰⁰ from the cap, and no nearer
        shifted = exact + DOUBLE_ROUND_POWER
        rest[i] = exact - (shifted - DOUBLE_ROUND_POWER)
        power[i] = xf_double(xf_bits64(shifted) << 52)
    for i in range(n):
        f = rest[i]
        f2 = f * f
        tail = ((0.6931471805599453 + 0.24022651092953468 * f) + f2 * (0.055504109350372643 + 0.00961803385047179 * f)
                + (f2 * f2) * ((0.0013333443336651567 + 0.00015468213760750897 * f) + f2 * 1.5313197614196607e-05))
        g[i] = power[i] * (f * tail)
    for i in range(n):
        grown = g[i]
        g[i] = grown + (power[i] - 1.0)                             # e^{−2|u|} − 1
        power[i] = power[i] + grown
        inverse[i] = <float>1.0 / <float>(2.0 + g[i])
    for i in range(n):
        exact = inverse[i]
        exact = exact + exact * (1.0 - (2.0 + g[i]) * exact)
        rest[i] = exact
        exact = g[i] * exact * height
        exact = exact if x[i] < 0 else -exact
        capped[i] = <double>x[i] if x[i] - x[i] != 0 else exact
    if slopes == NULL:
        return
    for i in range(n):
        size = <float>(4.0 * power[i] * (rest[i] * rest[i]))
        size = 0 if size < <float>FLT_MIN else size
        slopes[i] = 1 if x[i] - x[i] != 0 else size


cdef inline double tanh_double(double u, double* slope) noexcept nogil:
    # The polynomial and the reduction of exp_double. Largest error seen over 10⁷ values from 10⁻⁶ to 400: 3.0 ulp
    # (python tools/lanes.py tanh_double).
    cdef double t = -2.0 * (-u if u < 0.0 else u)
    cdef double shifted, n, high, low, r, tail, power, grown, g, inverse, size
    cdef bint flat = t < -708.0
    t = -708.0 if flat else t
    shifted = t * DOUBLE_LOG2_E + DOUBLE_ROUND_POWER
    n = shifted - DOUBLE_ROUND_POWER
    high = t - n * DOUBLE_LN2_HIGH
    low = n * DOUBLE_LN2_LOW
    r = high - low
    tail = exp_tail_double(r)
    power = xf_double(xf_bits64(shifted) << 52)
    grown = power * (r + (r * r * tail + ((high - r) - low)))
    g = grown + (power - 1.0)
    inverse = 1.0 / (2.0 + g)
    size = -g * inverse
    slope[0] = 0.0 if flat else 4.0 * (power + grown) * (inverse * inverse)
    return -size if u < 0.0 else size


cdef inline void cap_doubles(const Cap* cap, const double* x, Py_ssize_t n, double* capped, double* slopes) noexcept nogil:
    cdef double y, slope
    cdef Py_ssize_t i
    for i in range(n):
        y = cap.cap * tanh_double(x[i] * cap.ratio, &slope)
        capped[i] = x[i] if x[i] - x[i] != 0.0 else y
        if slopes != NULL:
            slopes[i] = 1.0 if x[i] - x[i] != 0.0 else slope


cdef inline void cap_values(const Cap* cap, const real* x, Py_ssize_t n, double* capped, real* slopes) noexcept nogil:
    if real is float:
        cap_floats(cap, x, n, capped, slopes)
    else:
        cap_doubles(cap, x, n, capped, slopes)


cdef inline real shaped_exponential(double t, double error, real kind) noexcept nogil:
    """e^{t + error} times the scale of sums, t ≤ 0."""
    cdef double shifted, n, lost
    cdef real r, power
    if real is float:
        t = FLOAT_EXP_END if t < FLOAT_EXP_END else t
        shifted = t * DOUBLE_LOG2_E + (DOUBLE_ROUND + FLOAT_SCALED_BIAS)
        n = shifted - (DOUBLE_ROUND + FLOAT_SCALED_BIAS)
        r = <float>(t - n * DOUBLE_LN2)
        return exp_reduced_float(r, xf_float(<uint32_t>xf_bits64(shifted) << 23))
    else:
        reduce_double(t, DOUBLE_EXP_END, DOUBLE_ROUND_SCALED, &r, &lost, &power)
        return exp_reduced_double(r, lost + error, power)


cdef real largest_of(const real* x, Py_ssize_t n, Py_ssize_t mark) noexcept nogil:
    """The largest of x[0 : n] but for x[mark]."""
    cdef real lanes[LANES]
    cdef real largest = -INFINITY
    cdef Py_ssize_t block, lane, i, marked = mark // LANES if mark >= 0 else -1
    for lane in range(LANES):
        lanes[lane] = -INFINITY
    for block in range(n // LANES):
        if block != marked:
            for lane in range(LANES):
                lanes[lane] = x[block * LANES + lane] if x[block * LANES + lane] > lanes[lane] else lanes[lane]
    for lane in range(LANES):
        largest = lanes[lane] if lanes[lane] > largest else largest
    for i in range(max(marked, <Py_ssize_t>0) * LANES, min((marked + 1) * LANES, n)):
        if i != mark:
            largest = x[i] if x[i] > largest else largest
    for i in range(n // LANES * LANES, n):
        if i != mark:
            largest = x[i] if x[i] > largest else largest
    return largest


cdef inline void shape_pass(const Problem* problem, const Cap* cap, const real* x, Py_ssize_t n, const double* c, bint same,
                            real* values, real* gaps, real* slopes) noexcept nogil:
    """x[0 : n] → exponentials of what they are less c, these gaps and the slopes of a cap, unless NULL. `values` may be x.
    `same`: c[0] is everyone's. n ≤ CAP_PASS."""
    cdef double shaped[CAP_PASS]
    cdef double error[CAP_PASS]
    cdef Py_ssize_t i
    if problem.cap != 0.0:
        cap_values(cap, x, n, shaped, slopes)
        for i in range(n):
            shaped[i] = shaped[i] - c[0 if same else i]
    else:
        for i in range(n):
            shaped[i] = (<double>x[i] - c[0 if same else i]) * problem.scale
    if real is double:
        for i in range(n):
            error[i] = gap_error(x[i], c[0 if same else i], problem.scale) if problem.cap == 0.0 else 0.0
    if gaps != NULL:
        for i in range(n):
            gaps[i] = <real>-shaped[i]
    for i in range(n):
        if real is float:
            values[i] = shaped_exponential(shaped[i], 0.0, <float>0)
        else:
            values[i] = shaped_exponential(shaped[i], error[i], 0.0)


cdef void shape_chunk(const Problem* problem, const real* x, Py_ssize_t n, double largest, real* values, real* gaps,
                      real* slopes) noexcept nogil:
    cdef double c = 0.0 if largest == -INFINITY else largest
    cdef Cap cap = cap_of(problem)
    cdef Py_ssize_t start = 0
    while start < n:
        shape_pass(problem, &cap, x + start, min(<Py_ssize_t>CAP_PASS, n - start), &c, True, values + start,
                   gaps + start if gaps != NULL else NULL, slopes + start if slopes != NULL else NULL)
        start += CAP_PASS


cdef double capped_logit(const Problem* problem, real x, double* slope) noexcept nogil:
    """One logit in the units of the references, and its slope."""
    cdef Cap cap = cap_of(problem)
    cdef double y
    cdef real own_slope
    cap_values(&cap, &x, 1, &y, &own_slope)
    slope[0] = own_slope
    return y


cdef inline double shaped_largest(const Problem* problem, real largest) noexcept nogil:
    """What stands for a chunk's largest logit in `stats`: itself, or what the cap makes of it."""
    cdef double slope
    return largest if problem.cap == 0.0 else capped_logit(problem, largest, &slope)


cdef inline void multiply(real* values, const real* slopes, Py_ssize_t n) noexcept nogil:
    """values ·= slopes; no subnormal arises."""
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real q
    cdef Py_ssize_t i
    for i in range(n):
        q = values[i] * slopes[i]
        values[i] = 0 if -smallest < q < smallest else q
