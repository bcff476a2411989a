# Binary cross-entropy of logits, element by element: loss, gradient and Hessian's diagonal.
#
# With x the logit, e = e^{−|x|}, big = 1/(1 + e), small = e/(1 + e) and rest = log(1 + e):
#   x ≥ 0:  p = big,    q = small,  log(1 + eˣ) = x + rest,  log(1 + e^{−x}) = rest
#   x < 0:  p = small,  q = big,    log(1 + eˣ) = rest,      log(1 + e^{−x}) = −x + rest
# Of targets t the positive term has the coefficient a = pos_weight·t, the other one b = 1 − t, and
#   loss      L  = a·log(1 + e^{−x}) + b·log(1 + eˣ) = c·|x| + (a + b)·rest,  c = b for x ≥ 0, else a
#   gradient  L' = b·p − a·q
#   Hessian   L" = (a + b)·p·q
# so that nothing cancels for targets of 0 and 1, smoothed ones too: t and 1 − t are smoothed each by itself. e, small and rest
# are kept times 2⁶⁴ (float64: 2⁵⁰⁰), as exp_scaled gives them: neither does an underflow lose bits that a weight would lift, nor
# do subnormals arise. Coefficients of 0 count 0, even against an infinite |x|.

cdef extern from "numerics/machine.h":
    double FLOAT_ENOUGH "XF_FLOAT_ENOUGH"
    double DOUBLE_ENOUGH "XF_DOUBLE_ENOUGH"


# log(1 + e)·2ˢ of 0 ≤ e ≤ 1 and e·2ˢ: e − e²/2 + e³·U(e). Polynomial of degree 8, minimax error 0.02 ulp. Largest error of the
# whole over every float32 from 2⁻³⁰ to 1: 1.23 ulp (python tools/lanes.py log1p_float).
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


cdef inline real enough(real scaled) noexcept nogil:
    """e from e·2ˢ; 0 where it is too small to change 1 + e: its square would be subnormal."""
    if real is float:
        return <float>0.0 if scaled < <float>FLOAT_ENOUGH else scaled * <float>FLOAT_UNIT
    else:
        return 0.0 if scaled < DOUBLE_ENOUGH else scaled * DOUBLE_UNIT


cdef inline real rest_of(real scaled, real e, real big) noexcept nogil:
    """rest·2ˢ"""
    cdef double log_sum
    if real is float:
        return log1p_float(scaled, e)
    else:
        log_sum = log1p_with(e, 1.0 + e, big) * DOUBLE_SCALE
        return scaled if e == 0.0 else log_sum


cdef inline real scaled_down(real scaled, real second, real least) noexcept nogil:
    """scaled·factor (see Factor), a factor from 2⁻⁶⁰ to 1; exactly 0 below the smallest normal number."""
    cdef real size = -scaled if scaled < 0 else scaled
    scaled = scaled * second
    return 0 if size < least else scaled


cdef inline real nan_where(real value, real logit) noexcept nogil:
    """The one nan for a nan logit, whatever the bits of that."""
    return value if logit == logit else <real>NAN


# ---- a block
#
# In passes of PASS elements, each short enough that the processor works on many of its steps at once: one long loop over
# everything waits for each polynomial in turn, and takes twice the time.

cdef enum:
    PASS = 128


cdef inline void small_sides(const real* x, real* scaled) noexcept nogil:
    """e^{−|x|}·2ˢ"""
    cdef real logit
    cdef Py_ssize_t i
    for i in range(PASS):
        logit = x[i]
        logit = logit if logit < 0 else -logit
        scaled[i] = exp_scaled(logit)


cdef inline void both_sides(const real* scaled, real* big, real* small, real* rest, bint rested) noexcept nogil:
    """small and rest, which is made where `rested`, are times 2ˢ."""
    cdef real e
    cdef Py_ssize_t i
    for i in range(PASS):
        e = enough(scaled[i])
        big[i] = <real>1 / (<real>1 + e)                        # Cython divides a plain 1 in double
        small[i] = scaled[i] * big[i]
        if real is float:
            if rested:
                rest[i] = rest_of(scaled[i], e, big[i])
    if real is double:                                          # a chain so long that it has a pass of its own
        if rested:
            for i in range(PASS):
                rest[i] = rest_of(scaled[i], enough(scaled[i]), big[i])


cdef inline void add_lanes(const real* values, Py_ssize_t count, double* sums) noexcept nogil:
    """Element i belongs to lane i mod LANES."""
    cdef Py_ssize_t block, lane
    if count == PASS:
        for block in range(PASS // LANES):
            for lane in range(LANES):
                sums[lane] += <double>values[block * LANES + lane]
    else:
        for lane in range(count):
            sums[lane % LANES] += <double>values[lane]


cdef inline const real* whole_pass(const real* source, Py_ssize_t count, real* edge) noexcept nogil:
    """source[0 : count], with zeros up to PASS if it is shorter"""
    if count == PASS:
        return source
    memset(edge, 0, PASS * sizeof(real))
    memcpy(edge, source, count * sizeof(real))
    return edge


cdef inline void store_pass(const real* values, Py_ssize_t count, real* target) noexcept nogil:
    if count == PASS:
        memcpy(target, values, PASS * sizeof(real))
    else:
        memcpy(target, values, count * sizeof(real))


cdef inline double plain_block(const real* x, const real* t, const real* read, Py_ssize_t n, real kept, real half, Factor factor,
                               real* losses, real* gradient, real* hessian, bint valued, bint stored, bint graded, bint curved,
                               bint general) noexcept nogil:
    """x[0 : n], t[0 : n] → losses[0 : n] where `stored`, gradient[0 : n] where `graded`, hessian[0 : n] where `curved`, which
    may be x; the sum of the losses where `valued`. a + b is 1 here. `general`: with smoothed targets, and where elements are left
    out, by `read`, which has whole passes, unless NULL."""
    cdef real x_edge[PASS]
    cdef real t_edge[PASS]
    cdef real scaled[PASS]
    cdef real big[PASS]
    cdef real small[PASS]
    cdef real main[PASS]
    cdef real rest[PASS]
    cdef real loss[PASS]
    cdef real slope[PASS]
    cdef real curve[PASS]
    cdef double main_sums[LANES]
    cdef double rest_sums[LANES]
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real shift = <real>(FLOAT_SCALE if real is float else DOUBLE_SCALE)
    cdef real unit = <real>(FLOAT_UNIT if real is float else DOUBLE_UNIT)
    cdef real smallest = <real>(FLOAT_SCALED_MIN if real is float else DOUBLE_SCALED_MIN)
    cdef real logit, value, a, b, c, p, q, e, whole, part
    cdef double total
    cdef Py_ssize_t start = 0, count, i
    cdef const real* xs
    cdef const real* ts
    memset(main_sums, 0, sizeof(main_sums))
    memset(rest_sums, 0, sizeof(rest_sums))
    while start < n:
        count = min(<Py_ssize_t>PASS, n - start)
        xs = whole_pass(x + start, count, x_edge)
        ts = whole_pass(t + start, count, t_edge)
        small_sides(xs, scaled)
        if valued:
            both_sides(scaled, big, small, rest, True)
        for i in range(PASS):
            logit = xs[i]
            if not valued:
                e = enough(scaled[i])
                whole = <real>1 / (<real>1 + e)
                part = scaled[i] * whole
            else:
                whole = big[i]
                part = small[i]
            a = kept * ts[i] + half             # t itself, unless `general`; without these two operations GCC's loop is slower
            b = kept * (1 - ts[i]) + half if general else 1 - a
            if valued:
                c = b if logit >= 0 else a
                value = c * (-logit if logit < 0 else logit)
                value = 0 if c == 0 else value
                main[i] = value
            if stored:
                c = rest[i]
                c = 0 if c < smallest else c
                value += c * unit
                value = 0 if value < smallest * unit else value
                loss[i] = nan_where(value, logit)
            if graded:
                q = whole * shift
                c = part
                p = q if logit >= 0 else c
                q = c if logit >= 0 else q
                slope[i] = nan_where(scaled_down(b * p - a * q, second, least), logit)
            if curved:
                curve[i] = nan_where(scaled_down(whole * part, second, least), logit)
        if general and read != NULL:
            if valued:
                keep_read(read + start, PASS, main)
                keep_read(read + start, PASS, rest)
            if stored:
                keep_read(read + start, PASS, loss)
            if graded:
                keep_read(read + start, PASS, slope)
            if curved:
                keep_read(read + start, PASS, curve)
        if valued:
            add_lanes(main, count, main_sums)
            add_lanes(rest, count, rest_sums)
        if stored:
            store_pass(loss, count, losses + start)
        if graded:
            store_pass(slope, count, gradient + start)
        if curved:
            store_pass(curve, count, hessian + start)
        start += PASS
    total = fold_lanes(main_sums)
    total += fold_lanes(rest_sums) * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    return nan_where(total, total)


# ---- blocks


cdef inline void plain_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                             real kind, bint valued, bint graded, bint curved, bint general) noexcept nogil:
    cdef Factor factor = factor_of(kind, problem.scale)
    cdef bint stored = valued and problem.losses.data != NULL
    cdef bint stream = graded and problem.stream and lies_plain(&problem.gradient, kind)
    cdef real* results = buffer_of(scratch, GRADIENTS, kind)
    cdef real* gradient = results
    cdef real* read = buffer_of(scratch, READ, kind) if general and leaves_out(problem) else NULL
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
        if general and leaves_out(problem):
            mark_read(problem, start, n, scratch, read)
        losses = goal_of(&problem.losses, start, buffer_of(scratch, LOSSES, kind))
        hessian = goal_of(&problem.hessian, start, buffer_of(scratch, HESSIANS, kind))
        gradient = results + waiting if stream else goal_of(&problem.gradient, start, results)
        if stored:
            row_values[block - first] = plain_block(x, t, read, n, <real>problem.kept, <real>problem.half, factor, losses,
                                                    gradient, hessian, valued, True, graded, curved, general)
            store_elements(&problem.losses, start, n, losses)
        else:
            row_values[block - first] = plain_block(x, t, read, n, <real>problem.kept, <real>problem.half, factor, losses,
                                                    gradient, hessian, valued, False, graded, curved, general)
        if stream:
            waiting = stream_numbers(results, waiting + n, <real*>problem.gradient.data + start - waiting)
        elif graded:
            store_elements(&problem.gradient, start, n, gradient)
        if curved:
            store_elements(&problem.hessian, start, n, hessian)
    if stream:
        memcpy(<real*>problem.gradient.data + start + n - waiting, results, waiting * sizeof(real))
        xf_stream_done()


cdef inline void plain_any(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                           real kind, bint general) noexcept nogil:
    if problem.hessian.data != NULL:
        plain_range(problem, first, last, scratch, row_values, kind, False, True, True, general)
    elif problem.gradient.data == NULL:
        plain_range(problem, first, last, scratch, row_values, kind, True, False, False, general)
    elif problem.valued:
        plain_range(problem, first, last, scratch, row_values, kind, True, True, False, general)
    else:
        plain_range(problem, first, last, scratch, row_values, kind, False, True, False, general)
