# Binary cross-entropy of logits, element by element: loss, gradient and Hessian's diagonal.
#
# With x the logit, e = e^{−|x|}, big = 1/(1 + e), small = e/(1 + e) and rest = log(1 + e):
#   x ≥ 0:  p = big,    q = small,  log(1 + eˣ) = x + rest,  log(1 + e^{−x}) = rest
#   x < 0:  p = small,  q = big,    log(1 + eˣ) = rest,      log(1 + e^{−x}) = −x + rest
# Of targets t the positive term has the coefficient a = pos_weight·t, the other one b = 1 − t, and
#   loss      L  = a·log(1 + e^{−x}) + b·log(1 + eˣ) = c·|x| + (a + b)·rest,  c = b for x ≥ 0, else a
#   gradient  L' = b·p − a·q
#   Hessian   L" = (a + b)·p·q
# so that nothing cancels for targets of 0 and 1. e, small and rest are kept times 2⁶⁴ (float64: 2⁵⁰⁰), as exp_scaled gives
# them: neither does an underflow lose bits that a weight would lift, nor do subnormals arise. Coefficients of 0 count 0,
# even against an infinite |x|.
#
# The focal loss (Lin et al. 2017) has the factor F = m^γ, m = 1 − p_t = t·q + (1 − t)·p. With d = (1 − t) − t and
# r = p·q/m, dm/dx = d·p·q and d(d·r)/dx = d·r·(q − p − d·r), whence
#   gradient  F·(L' + γ·d·L·r)
#   Hessian   F·(L" + 2·γ·d·r·L' + γ·d·L·r·((γ − 1)·d·r + (q − p)))

# log(1 + e)·2ˢ of 0 ≤ e ≤ 1 and e·2ˢ: e − e²/2 + e³·U(e). Polynomial of degree 8, minimax error 0.02 ulp. Largest error of the
# whole over every float32 from 2⁻³⁰ to 1: 1.23 ulp (python tests/lanes.py log1p_float).
cdef inline float log1p_float(float scaled, float e) noexcept nogil:
    cdef float square = scaled * e
    cdef float u = <float>0.0022768813651055098 * e + <float>-0.014684543013572693
    u = u * e + <float>0.044302985072135925
    u = u * e + <float>-0.08592359721660614
    u = u * e + <float>0.12679928541183472
    u = u * e + <float>-0.16228531301021576
    u = u * e + <float>0.19926370680332184
    u = u * e + <float>-0.2499331533908844
    u = u * e + <float>0.3333309292793274
    return scaled - (<float>0.5 * square - square * (e * u))


cdef inline real sides(real size, real* big, real* small) noexcept nogil:
    """|x| → rest·2ˢ, big, small·2ˢ. An e too small to change 1 + e is 0 there: its square would be subnormal."""
    cdef real scaled = exp_scaled(-size)
    cdef real e, y
    if real is float:
        e = <float>0.0 if scaled < <float>549755813888.0 else scaled * <float>5.421010862427522e-20         # 2³⁹, 2⁻⁶⁴
        big[0] = <float>1.0 / (<float>1.0 + e)
        small[0] = scaled * big[0]
        return log1p_float(scaled, e)
    else:
        e = 0.0 if scaled < 1.8170968107390172e+134 else scaled * 3.054936363499605e-151                     # 2⁴⁴⁶, 2⁻⁵⁰⁰
        y = 1.0 + e
        big[0] = 1.0 / y
        small[0] = scaled * big[0]
        y = log1p_with(e, y, big[0]) * 3.273390607896142e+150                                                # 2⁵⁰⁰
        return scaled if scaled < 1.8170968107390172e+134 else y


cdef inline real scaled_down(real scaled, real power, real second, real least) noexcept nogil:
    """scaled·factor (see Factor); exactly 0 below the smallest normal number."""
    cdef real size = -scaled if scaled < 0 else scaled
    return 0 if size < least else scaled * power * second


cdef inline double lifted(double coefficient, double scaled) noexcept nogil:
    """coefficient·scaled·2⁻⁵⁰⁰. A factor goes to the one or to the other, so that only the result can leave double's range."""
    cdef double size = -coefficient if coefficient < 0.0 else coefficient
    cdef bint tiny = size < 3.8725919148493183e-121                                                          # 2⁻⁴⁰⁰
    cdef double first = coefficient if tiny else coefficient * 3.054936363499605e-151
    return scaled * first * (3.054936363499605e-151 if tiny else 1.0)


cdef inline double power_of(double scaled, double gamma) noexcept nogil:
    """(scaled·2⁻⁵⁰⁰)^γ·2⁵⁰⁰ for numbers from 0 to 1"""
    cdef double f, k = log_exponent_double(scaled, &f) - 500.0
    cdef double exponent = gamma * log_double(k, f, k * 1.9082149292705877e-10)
    exponent = 0.0 if exponent > 0.0 else exponent                  # rounding of the logarithm
    exponent = exp_double(exponent)
    return 0.0 if scaled == 0.0 else exponent


# ---- a block


cdef inline double block_value(double* main_sums, double* rest_sums, double unit) noexcept nogil:
    cdef double value = fold_lanes(main_sums)
    value += fold_lanes(rest_sums) * unit
    return NAN if value != value else value                         # one nan, whatever came together


cdef inline double plain_block(const real* x, const real* t, Py_ssize_t n, real kept, real half, Factor factor, real* losses,
                               real* gradient, real* hessian, bint stored, bint graded, bint curved) noexcept nogil:
    """x[0 : n], t[0 : n] → losses[0 : n] where `stored`, gradient[0 : n] where `graded`, hessian[0 : n] where `curved`, which
    may be x; the sum of the losses. a + b is 1 here."""
    cdef real x_edge[LANES]
    cdef real t_edge[LANES]
    cdef real main[LANES]
    cdef real rest[LANES]
    cdef real loss[LANES]
    cdef real slope[LANES]
    cdef real curve[LANES]
    cdef double main_sums[LANES]
    cdef double rest_sums[LANES]
    cdef real power = <real>factor.first
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real shift = <real>(1.8446744073709552e+19 if real is float else 3.273390607896142e+150)
    cdef real unit = <real>(FLOAT_UNIT if real is float else DOUBLE_UNIT)
    cdef real smallest = <real>(2.168404344971009e-19 if real is float else 7.283535870312702e-158)         # times 2ˢ
    cdef real size, big, small, a, b, c, p, q
    cdef Py_ssize_t start = 0, count, lane
    cdef const real* xs
    cdef const real* ts
    for lane in range(LANES):
        main_sums[lane] = 0.0
        rest_sums[lane] = 0.0
    while start < n:
        count = min(<Py_ssize_t>LANES, n - start)
        xs = x + start
        ts = t + start
        prefetch_block(xs + ELEMENT_BLOCK)
        prefetch_block(ts + ELEMENT_BLOCK)
        if count < LANES:
            copy_edge(xs, count, x_edge)
            copy_edge(ts, count, t_edge)
            xs = x_edge
            ts = t_edge
        for lane in range(LANES):
            size = -xs[lane] if xs[lane] < 0 else xs[lane]
            rest[lane] = sides(size, &big, &small)
            a = kept * ts[lane] + half
            b = 1 - a
            c = b if xs[lane] >= 0 else a
            main[lane] = 0 if c == 0 else c * size
            if stored:
                loss[lane] = main[lane] + (0 if rest[lane] < smallest else rest[lane] * unit)
                loss[lane] = loss[lane] if xs[lane] == xs[lane] else NAN
                loss[lane] = 0 if loss[lane] < smallest * unit else loss[lane]
            if graded:
                p = big * shift if xs[lane] >= 0 else small
                q = small if xs[lane] >= 0 else big * shift
                slope[lane] = scaled_down(b * p - a * q, power, second, least)
                slope[lane] = slope[lane] if xs[lane] == xs[lane] else NAN
            if curved:
                curve[lane] = scaled_down(big * small, power, second, least)
                curve[lane] = curve[lane] if xs[lane] == xs[lane] else NAN
        if count == LANES:
            for lane in range(LANES):
                main_sums[lane] += main[lane]
                rest_sums[lane] += rest[lane]
            if stored:
                memcpy(losses + start, loss, LANES * sizeof(real))
            if graded:
                memcpy(gradient + start, slope, LANES * sizeof(real))
            if curved:
                memcpy(hessian + start, curve, LANES * sizeof(real))
        else:
            for lane in range(count):
                main_sums[lane] += main[lane]
                rest_sums[lane] += rest[lane]
            if stored:
                memcpy(losses + start, loss, count * sizeof(real))
            if graded:
                memcpy(gradient + start, slope, count * sizeof(real))
            if curved:
                memcpy(hessian + start, curve, count * sizeof(real))
        start += LANES
    return block_value(main_sums, rest_sums, FLOAT_UNIT if real is float else DOUBLE_UNIT)


cdef inline double kept_value(double value, double weight, double x, double smallest) noexcept nogil:
    """The value of an element: 0 without a weight or below `smallest`, the one nan for a nan."""
    cdef double size = -value if value < 0.0 else value
    value = 0.0 if size < smallest else value
    value = NAN if x != x else value
    return 0.0 if weight == 0.0 else value


cdef inline double weighted_block(const double* x, const double* t, const double* pos_weight, const double* weight,
                                  Py_ssize_t n, const Elements* problem, double smallest, double* losses, double* gradient,
                                  double* hessian, bint graded, bint curved, bint focal) noexcept nogil:
    """The same with weights, and with the focal loss. All buffers have whole blocks of LANES."""
    cdef double sums[LANES]
    cdef double whole[LANES]
    cdef double loss[LANES]
    cdef double slope[LANES]
    cdef double curve[LANES]
    cdef double kept = problem.kept
    cdef double half = problem.half
    cdef double gamma = problem.gamma
    cdef double scale = problem.scale
    cdef double size, big, small, rest, target, a, b, c, d, p, q, w, main, r, lr, ratio, slope_part, value
    cdef Py_ssize_t start = 0, count, lane
    for lane in range(LANES):
        sums[lane] = 0.0
    while start < n:
        count = min(<Py_ssize_t>LANES, n - start)
        for lane in range(LANES):
            size = -x[start + lane] if x[start + lane] < 0.0 else x[start + lane]
            rest = sides(size, &big, &small)
            target = kept * t[start + lane] + half
            a = pos_weight[start + lane] * target
            b = 1.0 - target
            c = b if x[start + lane] >= 0.0 else a
            main = 0.0 if c == 0.0 else c * size
            p = big * 3.273390607896142e+150 if x[start + lane] >= 0.0 else small
            q = small if x[start + lane] >= 0.0 else big * 3.273390607896142e+150
            w = weight[start + lane]
            if focal:
                d = b - target
                value = target * q + b * p                          # m
                ratio = small / (value if value > 0.0 else 1.0)     # at most 1; what it loses to underflow is not seen
                r = big * ratio
                w = lifted(w, power_of(value, gamma))
            loss[lane] = lifted(w * (a + b), rest) + (0.0 if main == 0.0 or w == 0.0 else w * main)
            whole[lane] = kept_value(loss[lane], weight[start + lane], x[start + lane], 0.0)
            loss[lane] = kept_value(loss[lane], weight[start + lane], x[start + lane], smallest)
            if graded:
                w *= scale
                slope_part = lifted(w * b, p) - lifted(w * a, q)
                value = slope_part
                if focal:
                    lr = r * lifted(w * (a + b), rest) + (0.0 if r == 0.0 or w == 0.0 else w * main * r)
                    value += gamma * d * lr
                slope[lane] = kept_value(value, weight[start + lane], x[start + lane], smallest)
            if curved:
                value = lifted(w * (a + b), big * small)
                if focal:
                    ratio = big - small * 3.054936363499605e-151
                    ratio = -ratio if x[start + lane] >= 0.0 else ratio                 # q − p
                    value += gamma * d * (2.0 * r * slope_part + lr * ((gamma - 1.0) * d * r + ratio))
                curve[lane] = kept_value(value, weight[start + lane], x[start + lane], smallest)
        memcpy(losses + start, loss, LANES * sizeof(double))
        if graded:
            memcpy(gradient + start, slope, LANES * sizeof(double))
        if curved:
            memcpy(hessian + start, curve, LANES * sizeof(double))
        if count == LANES:
            for lane in range(LANES):
                sums[lane] += whole[lane]
        else:
            for lane in range(count):
                sums[lane] += whole[lane]
        start += LANES
    value = fold_lanes(sums)
    return NAN if value != value else value


# ---- blocks


cdef inline void plain_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                             real kind, bint graded, bint curved) noexcept nogil:
    cdef Factor factor = factor_of(kind, problem.scale)
    cdef bint stored = problem.losses.data != NULL
    cdef bint stream = graded and problem.stream and lies_plain(&problem.gradient, kind)
    cdef real* results = buffer_of(scratch, GRADIENTS, kind)
    cdef real* gradient = results
    cdef real* losses
    cdef real* hessian
    cdef const real* x
    cdef const real* t
    cdef Py_ssize_t block, start = 0, n = 0, waiting = 0
    for block in range(first, last):
        start = block * ELEMENT_BLOCK
        n = min(<Py_ssize_t>ELEMENT_BLOCK, problem.size - start)
        x = load_elements(&problem.logits, start, n, buffer_of(scratch, LOGITS, kind))
        t = load_elements(&problem.targets, start, n, buffer_of(scratch, TARGETS, kind))
        losses = place_of(&problem.losses, start, buffer_of(scratch, LOSSES, kind))
        hessian = place_of(&problem.hessian, start, buffer_of(scratch, HESSIANS, kind))
        gradient = results + waiting if stream else place_of(&problem.gradient, start, results)
        if stored:
            row_values[block - first] = plain_block(x, t, n, <real>problem.kept, <real>problem.half, factor, losses, gradient,
                                                    hessian, True, graded, curved)
            store_elements(&problem.losses, start, n, losses)
        else:
            row_values[block - first] = plain_block(x, t, n, <real>problem.kept, <real>problem.half, factor, losses, gradient,
                                                    hessian, False, graded, curved)
        if stream:
            waiting = stream_numbers(results, waiting + n, <real*>problem.gradient.data + start - waiting)
        elif graded:
            store_elements(&problem.gradient, start, n, gradient)
        if curved:
            store_elements(&problem.hessian, start, n, hessian)
    if stream:
        memcpy(<real*>problem.gradient.data + start + n - waiting, results, waiting * sizeof(real))
        xf_stream_done()


cdef inline void padded_load(const Strided* array, Py_ssize_t first, Py_ssize_t n, double* buffer) noexcept nogil:
    """Elements → buffer, and zeros to the end of the block of LANES; ones without an array."""
    cdef Py_ssize_t i
    if array.data != NULL:
        gather(array, first, n, buffer)
    else:
        for i in range(n):
            buffer[i] = 1.0
    for i in range(n, (n + LANES - 1) // LANES * LANES):
        buffer[i] = 0.0


cdef inline void weighted_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                                double* row_values, bint graded, bint curved, bint focal) noexcept nogil:
    cdef double* x = buffer_of(scratch, LOGITS, <double>0)
    cdef double* t = buffer_of(scratch, TARGETS, <double>0)
    cdef double* pos_weight = buffer_of(scratch, POS_WEIGHT, <double>0)
    cdef double* weight = buffer_of(scratch, SAMPLE_WEIGHT, <double>0)
    cdef double* losses = buffer_of(scratch, LOSSES, <double>0)
    cdef double* gradient = buffer_of(scratch, GRADIENTS, <double>0)
    cdef double* hessian = buffer_of(scratch, HESSIANS, <double>0)
    cdef double smallest = 2.2250738585072014e-308 if problem.logits.type == FLOAT64 else 1.1754943508222875e-38
    cdef Py_ssize_t block, start, n
    for block in range(first, last):
        start = block * ELEMENT_BLOCK
        n = min(<Py_ssize_t>ELEMENT_BLOCK, problem.size - start)
        padded_load(&problem.logits, start, n, x)
        padded_load(&problem.targets, start, n, t)
        padded_load(&problem.pos_weight, start, n, pos_weight)
        padded_load(&problem.sample_weight, start, n, weight)
        row_values[block - first] = weighted_block(x, t, pos_weight, weight, n, problem, smallest, losses, gradient, hessian,
                                                   graded, curved, focal)
        if problem.losses.data != NULL:
            scatter(&problem.losses, start, n, losses)
        if graded:
            scatter(&problem.gradient, start, n, gradient)
        if curved:
            scatter(&problem.hessian, start, n, hessian)


cdef inline void plain_any(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                           real kind) noexcept nogil:
    if problem.hessian.data != NULL:
        plain_range(problem, first, last, scratch, row_values, kind, True, True)
    elif problem.gradient.data != NULL:
        plain_range(problem, first, last, scratch, row_values, kind, True, False)
    else:
        plain_range(problem, first, last, scratch, row_values, kind, False, False)


cdef inline void weighted_any(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                              bint focal) noexcept nogil:
    if problem.hessian.data != NULL:
        weighted_range(problem, first, last, scratch, row_values, True, True, focal)
    elif problem.gradient.data != NULL:
        weighted_range(problem, first, last, scratch, row_values, True, False, focal)
    else:
        weighted_range(problem, first, last, scratch, row_values, False, False, focal)


cdef void sigmoid_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <float>0)

cdef void sigmoid_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    plain_any(<const Elements*>problem, first, last, scratch, row_values, <double>0)

cdef void sigmoid_weighted(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                           double* row_values) noexcept nogil:
    weighted_any(<const Elements*>problem, first, last, scratch, row_values, False)

cdef void sigmoid_focal(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    weighted_any(<const Elements*>problem, first, last, scratch, row_values, True)
