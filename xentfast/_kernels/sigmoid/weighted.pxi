# Binary cross-entropy with weights of elements and of the positive term, and the focal loss: sigmoid.pxi has what they share with
# the plain one.
#
# The focal loss (Lin et al. 2017) has the factor F = m^γ, m = 1 − p_t = t·q + (1 − t)·p. With d = (1 − t) − t and
# r = p·q/m, dm/dx = d·p·q and d(d·r)/dx = d·r·(q − p − d·r), whence
#   gradient  F·(L' + γ·d·L·r)
#   Hessian   F·(L" + 2·γ·d·r·L' + γ·d·L·r·((γ − 1)·d·r + (q − p)))

cdef extern from "numerics/machine.h":
    double FLOAT_TO_DOUBLE_SCALE "XF_FLOAT_TO_DOUBLE_SCALE"
    double TINY_COEFFICIENT "XF_TINY_COEFFICIENT"


cdef inline double lifted(double coefficient, double scaled) noexcept nogil:
    """coefficient·scaled·2⁻⁵⁰⁰. A factor goes to the one or to the other, so that only the result can leave double's range."""
    cdef double size = -coefficient if coefficient < 0.0 else coefficient
    cdef bint tiny = size < TINY_COEFFICIENT
    cdef double first = coefficient if tiny else coefficient * DOUBLE_UNIT
    return scaled * first * (DOUBLE_UNIT if tiny else 1.0)


cdef inline double kept_value(double value, double weight, double logit, double smallest) noexcept nogil:
    """The value of an element: 0 without a weight or below `smallest`, the one nan for a nan."""
    cdef double size = -value if value < 0.0 else value
    value = nan_where(0.0 if size < smallest else value, logit)
    return 0.0 if weight == 0.0 else value


cdef inline double product(double x, double y) noexcept nogil:
    """x·y, where 0 times infinity is 0"""
    cdef double value = x * y
    value = 0.0 if y == 0.0 else value
    return 0.0 if x == 0.0 else value


cdef inline void focal_factors(const double* t, const double* x, const double* big, const double* small, double kept, double half,
                               double gamma, double* factor, double* ratio) noexcept nogil:
    """F·2⁵⁰⁰ and r"""
    cdef double target, m, p, q, k, f
    cdef double logs[PASS]
    cdef Py_ssize_t i
    for i in range(PASS):
        target = kept * t[i] + half
        q = big[i] * DOUBLE_SCALE
        k = small[i]
        p = q if x[i] >= 0.0 else k
        q = k if x[i] >= 0.0 else q
        m = target * q + (kept * (1.0 - t[i]) + half) * p
        factor[i] = m
        m = 1.0 if m == 0.0 else m                          # F is 0 there
        ratio[i] = big[i] * (k / m)                         # what it loses to underflow is not seen
    for i in range(PASS):
        k = log_exponent_double(factor[i], &f) - 500.0
        m = gamma * log_double(k, f, k * DOUBLE_LN2_LOW)
        logs[i] = 0.0 if m > 0.0 else m                     # rounding of the logarithm
    for i in range(PASS):
        m = factor[i]
        k = exp_double(logs[i])
        factor[i] = 0.0 if m == 0.0 else k


cdef inline double weighted_block(const real* x, const double* t, const double* pos_weight, const double* weight,
                                  Py_ssize_t n, const Elements* problem, double smallest, double* losses, double* gradient,
                                  double* hessian, bint valued, bint graded, bint curved, bint focal) noexcept nogil:
    """plain_block with weights, and with the focal loss, which come together in double. All buffers have whole passes."""
    cdef real scaled[PASS]
    cdef real big[PASS]
    cdef real small[PASS]
    cdef real rest[PASS]
    cdef double factor[PASS]
    cdef double ratio[PASS]
    cdef double whole[PASS]
    cdef double loss[PASS]
    cdef double slope[PASS]
    cdef double curve[PASS]
    cdef double sums[LANES]
    cdef double kept = problem.kept
    cdef double half = problem.half
    cdef double gamma = problem.gamma
    cdef double scale = problem.scale
    cdef double shift = FLOAT_TO_DOUBLE_SCALE if real is float else 1.0
    cdef double logit, target, a, b, c, d, p, q, w, own_weight, main, r, lr, plain_slope, value, larger, lesser
    cdef Py_ssize_t start = 0, i
    memset(sums, 0, sizeof(sums))
    while start < n:
        small_sides(x + start, scaled)
        both_sides(scaled, big, small, rest, valued or focal)
        if real is double:                  # the focal loss comes with no other
            if focal:
                focal_factors(t + start, x + start, big, small, kept, half, gamma, factor, ratio)
        for i in range(PASS):
            logit = x[start + i]
            own_weight = weight[start + i]
            w = own_weight
            target = kept * t[start + i] + half
            a = pos_weight[start + i] * target
            b = kept * (1.0 - t[start + i]) + half
            c = b if logit >= 0.0 else a
            if focal:
                w = lifted(w, factor[i])
                r = ratio[i]
            if valued or focal:
                main = product(w, product(c, -logit if logit < 0.0 else logit))
            if valued:
                value = main + lifted(w * (a + b), <double>rest[i] * shift)
                whole[i] = kept_value(value, own_weight, logit, 0.0)
                loss[i] = kept_value(value, own_weight, logit, smallest)
            if graded:
                larger = big[i]
                lesser = <double>small[i] * shift
                q = larger * DOUBLE_SCALE
                p = q if logit >= 0.0 else lesser
                q = lesser if logit >= 0.0 else q
                w *= scale
                plain_slope = lifted(w * b, p) - lifted(w * a, q)
                value = plain_slope
                if focal:
                    d = b - target
                    lr = r * lifted(w * (a + b), <double>rest[i] * shift) + product(r, main * scale)
                    value += gamma * d * lr
                slope[i] = kept_value(value, own_weight, logit, smallest)
            if curved:
                value = lifted(w * (a + b), larger * lesser)
                if focal:
                    q = lesser * DOUBLE_UNIT - larger        # q − p for x ≥ 0
                    q = q if logit >= 0.0 else -q
                    value += gamma * d * (2.0 * r * plain_slope + lr * ((gamma - 1.0) * d * r + q))
                curve[i] = kept_value(value, own_weight, logit, smallest)
        if valued:
            add_lanes(whole, min(<Py_ssize_t>PASS, n - start), sums)
            memcpy(losses + start, loss, sizeof(loss))
        if graded:
            memcpy(gradient + start, slope, sizeof(slope))
        if curved:
            memcpy(hessian + start, curve, sizeof(curve))
        start += PASS
    value = fold_lanes(sums)
    return nan_where(value, value)


# ---- blocks


cdef inline void padded_load(const Strided* array, Py_ssize_t first, Py_ssize_t n, real* buffer) noexcept nogil:
    """Elements → buffer, and zeros to the end of the pass; ones without an array."""
    cdef Py_ssize_t i
    if array.data != NULL:
        gather(array, first, n, buffer)
    else:
        for i in range(n):
            buffer[i] = 1.0
    for i in range(n, (n + PASS - 1) // PASS * PASS):
        buffer[i] = 0.0


cdef inline void weighted_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                                double* row_values, real kind, bint valued, bint graded, bint curved, bint focal) noexcept nogil:
    cdef real* x = <real*>buffer_of(scratch, LOGITS, <double>0)
    cdef double* t = buffer_of(scratch, TARGETS, <double>0)
    cdef double* pos_weight = buffer_of(scratch, POS_WEIGHT, <double>0)
    cdef double* weight = buffer_of(scratch, SAMPLE_WEIGHT, <double>0)
    cdef real* read = <real*>buffer_of(scratch, READ, <double>0)
    cdef double* losses = buffer_of(scratch, LOSSES, <double>0)
    cdef double* gradient = buffer_of(scratch, GRADIENTS, <double>0)
    cdef double* hessian = buffer_of(scratch, HESSIANS, <double>0)
    cdef double smallest = DBL_MIN if problem.logits.type == FLOAT64 else FLT_MIN
    cdef Py_ssize_t block, start, n
    for block in range(first, last):
        start = block * ELEMENT_BLOCK
        n = min(<Py_ssize_t>ELEMENT_BLOCK, problem.size - start)
        padded_load(&problem.logits, start, n, x)
        padded_load(&problem.targets, start, n, t)
        padded_load(&problem.pos_weight, start, n, pos_weight)
        padded_load(&problem.sample_weight, start, n, weight)
        if leaves_out(problem):                                 # what is not read has no weight
            mark_read(problem, start, n, scratch, read)
            keep_read(read, n, weight)
        row_values[block - first] = weighted_block(x, t, pos_weight, weight, n, problem, smallest, losses, gradient, hessian,
                                                   valued, graded, curved, focal)
        if valued and problem.losses.data != NULL:
            scatter(&problem.losses, start, n, losses)
        if graded:
            scatter(&problem.gradient, start, n, gradient)
        if curved:
            scatter(&problem.hessian, start, n, hessian)


cdef inline void weighted_any(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                              real kind, bint focal) noexcept nogil:
    if problem.hessian.data != NULL:
        weighted_range(problem, first, last, scratch, row_values, kind, False, True, True, focal)
    elif problem.gradient.data == NULL:
        weighted_range(problem, first, last, scratch, row_values, kind, True, False, False, focal)
    elif problem.valued:
        weighted_range(problem, first, last, scratch, row_values, kind, True, True, False, focal)
    else:
        weighted_range(problem, first, last, scratch, row_values, kind, False, True, False, focal)
