# From the sums of a row to its value and the factors of its gradient, in double, of LANES rows side by side.
#
# It goes in short loops over the rows: one long loop waits for itself, since a row's steps hang together and only two or three
# rows' worth of them fit into what a CPU looks ahead. A loop without a branch gives each row the same bits wherever it stands.
#
# Whatever the row, one class t is apart from the sums, so that they never swamp it nor are swamped by it: an integer target, or
# else the (first) largest class. B is the reference of the others' largest, c (reference.pxi), or of the largest itself:
#   tail = Σ_{j≠t} e^{s·x_j}/B,  d = s·x_t − ln B,  E = e^{−|d|}
#   d ≥ −½: u = tail·E = tail·e^{−d}     lse − s·x_t = log1p(u)              p_j = (e^{s·x_j}/B)·e^{−d}/(1 + u)
#   below:  y = tail + E                 lse − s·x_t = log(y) − d            p_j = (e^{s·x_j}/B)/y
# The second is above ½, where nothing small is left to lose. E comes from x_t, reduced as the chunks' exponentials are, d with
# ln 2 in two parts. 1 − p_t is u/(1 + u), and 1 − E/y, of which E/y is at most a half. softmax alone needs no value and keeps its
# largest in the sum.
# A difference of logits is worth s = `unit`. z_loss adds λ·lse², and 2·λ·lse·p_j to the gradient.
# Each class carries a mass m_j (soft targets, smoothing); an integer target's own mass is kept apart.


cdef enum:
    PAIR = 2 * LANES                # rows of two tiles that are settled together: more of them wait at a time
    FEW_ROWS = 8                    # rows of a small call


cdef inline bint are_few(const Problem* problem, Py_ssize_t count) noexcept nogil:
    """Whether a group of so many rows is settled as FEW_ROWS."""
    return count <= FEW_ROWS and is_plain(problem) and is_bare(problem)


cdef struct Settled:                # LANES rows, or PAIR
    double top[PAIR]               # c
    double value[PAIR]             # loss, or lse − c
    double bad[PAIR]               # 1: a nan or +inf logit, or no finite one
    # where classes are written
    double scale[PAIR]             # gradient_j = scale·e^{s·x_j}/B − mass_scale·m_j
    double mass_scale[PAIR]
    double target[PAIR]            # the target's gradient
    # for the Hessian alone
    double probability[PAIR]       # p_j = probability·e^{s·x_j}/B
    double curvature[PAIR]         # Hessian_j = curvature·p_j·(1 − p_j + bend·p_j)
    double bend[PAIR]
    double target_hess[PAIR]       # the target's
    double top_rest[PAIR]          # 1 − p of the class at c, without the p of the classes between (rest_of_row adds it)
    double rest[PAIR]
    int n_special                   # how many rows are skipped or bad


cdef enum State:
    PLAIN, SKIPPED, BAD


cdef struct RowState:               # one of them
    State state
    double top
    double value
    double scale
    double mass_scale
    double target
    double probability
    double curvature
    double bend
    double target_hess
    double top_rest


cdef struct RowTerms:               # what a row brings besides its sums, LANES of each
    const double* x_target
    const double* target_mass
    const double* weight


cdef inline RowState state_of(const Settled* settled, Py_ssize_t row, bint skipped) noexcept nogil:
    cdef RowState state
    state.state = SKIPPED if skipped else BAD if settled.bad[row] != 0.0 else PLAIN
    state.top = settled.top[row]
    state.value = settled.value[row]
    state.scale = settled.scale[row]
    state.mass_scale = settled.mass_scale[row]
    state.target = settled.target[row]
    state.probability = settled.probability[row]
    state.curvature = settled.curvature[row]
    state.bend = settled.bend[row]
    state.target_hess = settled.target_hess[row]
    state.top_rest = settled.top_rest[row]
    return state


cdef inline double z_of(double log_sum_exp, double z_loss, double* value) noexcept nogil:
    """λ·lse² and its derivative; both are 0 for λ = 0, whatever lse is."""
    value[0] = 0.0 if z_loss == 0.0 else z_loss * log_sum_exp * log_sum_exp
    return 0.0 if z_loss == 0.0 else 2.0 * z_loss * log_sum_exp


# Of float32 rows what is needed is some 2⁻³³, a hundredth of an ulp: shorter polynomials, and nothing of what reductions lose.


cdef inline void exp_rows(const double* t, const double* error, const double* exponent, const double* sign, double* values,
                          Py_ssize_t n_rows, real kind) noexcept nogil:
    """e^{t + error}·2^−exponent of n_rows rows, one over that where `sign` is −1, times DOUBLE_SCALE: at most 2·DOUBLE_SCALE. Of
    float32, `error` is not read."""
    cdef double r[PAIR]
    cdef double lost[PAIR]
    cdef double power[PAIR]
    cdef double tail[PAIR]
    cdef double size, n, m
    cdef Py_ssize_t row
    for row in range(n_rows):
        if real is float:
            size = -6000.0 if t[row] < -6000.0 else t[row]
            size = 6000.0 if size > 6000.0 else size
            n = (size * DOUBLE_LOG2_E + DOUBLE_ROUND) - DOUBLE_ROUND
            m = (n - exponent[row]) * sign[row]
            m = -DOUBLE_SCALED_BIAS if m < -DOUBLE_SCALED_BIAS else m
            r[row] = (size - n * DOUBLE_LN2) * sign[row]
            power[row] = xf_double(xf_bits64(m + DOUBLE_ROUND_SCALED) << 52)
        else:
            reduce_signed(t[row], error[row], exponent[row], sign[row] < 0.0, &r[row], &lost[row], &power[row])
    for row in range(n_rows):
        if real is float:
            values[row] = (1.0 + (r[row] + r[row] * r[row] * exp_tail_settle(r[row]))) * power[row]
        else:
            tail[row] = exp_tail_double(r[row])
    if real is double:
        for row in range(n_rows):
            values[row] = (1.0 + (r[row] + (r[row] * r[row] * tail[row] + lost[row]))) * power[row]


cdef inline void log_rows(const double* first, const double* second, const double* y, double* inverse, double* values,
                          Py_ssize_t n_rows, real kind) noexcept nogil:
    """log(first + second) of n_rows rows; y is the sum, which may have lost some of the second. And 1/y."""
    cdef double k[PAIR]
    cdef double f[PAIR]
    cdef double s[PAIR]
    cdef double correction[PAIR]
    cdef double tail[PAIR]
    cdef double f_row, both
    cdef Py_ssize_t row
    for row in range(n_rows):
        k[row] = log_exponent_double(y[row], &f_row)
        f[row] = f_row
        correction[row] = second[row] - (y[row] - first[row])
        if real is float:           # one division for two; the correction is not over y, which is y·2⁻⁵³ at most: not seen
            both = 1.0 / (y[row] * (2.0 + f_row))
            s[row] = f_row * (y[row] * both)
            inverse[row] = (2.0 + f_row) * both
        else:
            s[row] = f_row / (2.0 + f_row)
            inverse[row] = 1.0 / y[row]
            correction[row] *= inverse[row]
    for row in range(n_rows):
        if real is float:
            values[row] = k[row] * DOUBLE_LN2 + (s[row] * (2.0 + log_tail_settle(s[row] * s[row])) + correction[row])
        else:
            correction[row] += k[row] * DOUBLE_LN2_LOW
            tail[row] = log_tail(s[row] * s[row])
    if real is double:
        for row in range(n_rows):
            values[row] = log_reduced(k[row], f[row], correction[row], s[row], tail[row])


cdef inline void settle_group(const Problem* problem, const double* folds, Py_ssize_t stride, const RowTerms* terms,
                              Settled* settled, Py_ssize_t n_rows, bint plain, bint bare, bint focal, bint curved,
                              real kind) noexcept nogil:
    """folds[field·stride + row] → settled, n_rows of them: FEW_ROWS, LANES or PAIR. `plain`: float32 without scale, cap, z_loss,
    mask, Hessian or focal loss: these cost nothing; `bare`: nor do masses and weights, of which there are none but the targets'.
    `focal`: of LANES rows. `curved`: a Hessian is wanted, though the call is bare."""
    cdef const double* top = folds + REFERENCE * stride
    cdef const double* sums = folds + TAIL * stride
    cdef const double* mass = folds + MASS * stride
    cdef const double* moment = folds + MOMENT * stride
    cdef double unit = 1.0 if plain else problem.unit
    cdef double z_loss = 0.0 if plain else problem.z_loss
    cdef double gradient_scale = problem.gradient_scale
    cdef bint chosen = problem.classes == NULL          # t is the largest class, not a target
    cdef double t[PAIR]
    cdef double origin[PAIR]
    cdef double error[PAIR]
    cdef double exponent[PAIR]
    cdef double d[PAIR]
    cdef double gap[PAIR]                              # ln B − s·c, where it counts
    cdef double sign[PAIR]                              # −1 where d ≥ −½, else 1
    cdef double behind[PAIR]                            # d, but 0 where d ≥ −½
    cdef double share[PAIR]                             # E where d ≥ −½, else 1
    cdef double scaled[PAIR]                           # E·DOUBLE_SCALE
    cdef double e[PAIR]
    cdef double first[PAIR]                            # 1 + u, or tail + E
    cdef double second[PAIR]
    cdef double y[PAIR]
    cdef double inverse[PAIR]
    cdef double log_sum[PAIR]
    cdef double z_slope[PAIR]
    cdef double own[LANES]                             # for the focal loss: −log p_t, 1 − p_t and p_t
    cdef double away[LANES]
    cdef double near[LANES]
    cdef Focus focus
    cdef double product, loss, nothing, others, bad, z_value, total, own_mass, weight, rest, part
    cdef real power, turns = <real>(DOUBLE_LOG2_E * unit)
    cdef Py_ssize_t row
    if not plain and is_shaped(problem):
        for row in range(n_rows):
            origin[row] = top[row]
            exponent[row] = 0.0
    else:
        for row in range(n_rows):
            origin[row] = reference_in(<real>top[row], turns, &power)
            exponent[row] = power
    for row in range(n_rows):
        t[row] = (terms.x_target[row] - origin[row]) * unit
        if real is double:
            error[row] = gap_error(terms.x_target[row], origin[row], unit)
    for row in range(n_rows):
        if real is float:
            d[row] = t[row] - exponent[row] * DOUBLE_LN2
        else:
            d[row] = (t[row] - exponent[row] * DOUBLE_LN2_HIGH) + (error[row] - exponent[row] * DOUBLE_LN2_LOW)
        sign[row] = -1.0 if d[row] >= -0.5 else 1.0
        behind[row] = 0.0 if d[row] >= -0.5 else d[row]
    exp_rows(t, error, exponent, sign, scaled, n_rows, kind)
    for row in range(n_rows):
        gap[row] = 0.0
    if z_loss != 0.0 or has_mass(problem) or problem.records != NULL:
        for row in range(n_rows):
            gap[row] = exponent[row] * DOUBLE_LN2_HIGH - (top[row] - origin[row]) * unit
            gap[row] = gap[row] + (exponent[row] * DOUBLE_LN2_LOW
                                   - (0.0 if real is float else gap_error(top[row], origin[row], unit)))
    for row in range(n_rows):
        product = normal_part(sums[row] * scaled[row])
        e[row] = normal_part(scaled[row])
        first[row] = 1.0 if sign[row] < 0.0 else sums[row]
        second[row] = product if sign[row] < 0.0 else e[row]
        share[row] = e[row] if sign[row] < 0.0 else 1.0
        y[row] = first[row] + second[row]
    log_rows(first, second, y, inverse, log_sum, n_rows, kind)
    if focal:
        for row in range(LANES):
            own[row] = log_sum[row] - behind[row]
            away[row] = (0.5 + 0.5 * sign[row]) - sign[row] * (second[row] * inverse[row])
            near[row] = inverse[row] if sign[row] < 0.0 else e[row] * inverse[row]
        focus_rows(problem.gamma, away, near, own, &focus)
    for row in range(n_rows):
        loss = log_sum[row] - behind[row]
        bad = 1.0 if y[row] != y[row] else 0.0          # not "or", which is a branch
        bad = 1.0 if terms.x_target[row] == INFINITY else bad
        settled.bad[row] = bad
        if bare:
            settled.value[row] = loss
            continue
        if focal:
            loss = focus.factor[row] * loss
        nothing = 0.0 if loss == loss else loss
        loss = nothing if terms.target_mass[row] == 0.0 else terms.target_mass[row] * loss
        others = log_sum[row] + ((terms.x_target[row] - top[row]) * unit if sign[row] < 0.0 else gap[row])      # lse − c
        z_slope[row] = z_of((terms.x_target[row] if sign[row] < 0.0 else top[row]) * unit
                            + (log_sum[row] if sign[row] < 0.0 else log_sum[row] + gap[row]), z_loss, &z_value)
        others = 0.0 if mass[row] == 0.0 else mass[row] * others
        settled.value[row] = terms.weight[row] * (loss + (others + moment[row]) + z_value)
        settled.bad[row] = 1.0 if moment[row] != moment[row] else bad
    for row in range(n_rows):
        settled.top[row] = top[row]
    if problem.out.data == NULL:
        return
    for row in range(n_rows):
        part = share[row] * inverse[row]
        # 1 − p_t: u/(1 + u), or 1 − E/y; the second term is the one or the other's dividend
        rest = (0.5 + 0.5 * sign[row]) - sign[row] * (second[row] * inverse[row])
        if bare:
            settled.mass_scale[row] = 0.0
            settled.scale[row] = gradient_scale * part
            settled.target[row] = -gradient_scale * rest
            if curved:
                others = inverse[row] if sign[row] < 0.0 else e[row] * inverse[row]                     # p_t
                settled.probability[row] = part
                settled.curvature[row] = gradient_scale * problem.hess_factor
                settled.target_hess[row] = gradient_scale * problem.hess_factor * rest * others
                settled.bend[row] = 0.0
                settled.top_rest[row] = others
            continue
        weight = terms.weight[row] * gradient_scale
        total = terms.target_mass[row] + mass[row]
        own_mass = terms.target_mass[row]
        if focal:
            total = total * focus.slope[row]
            own_mass = own_mass * focus.slope[row]
        others = inverse[row] if sign[row] < 0.0 else e[row] * inverse[row]                         # p_t
        settled.mass_scale[row] = weight
        settled.scale[row] = weight * (total + z_slope[row]) * part
        # total·p_t less the target's mass, without the difference of these where it is small.
        settled.target[row] = weight * mass[row] * others - weight * own_mass * rest
        if not plain:
            settled.target[row] = (settled.target[row] if z_loss == 0.0 else
                                   settled.target[row] + weight * z_slope[row] * others)
            settled.probability[row] = part
            settled.curvature[row] = weight * total * problem.hess_factor
            settled.target_hess[row] = (settled.curvature[row] * rest
                                        * (others + focus.bend[row] * rest if focal else others))
            settled.bend[row] = focus.bend[row] if focal else 0.0
            settled.top_rest[row] = rest if chosen else others


cdef void settle_focal(const Problem* problem, const double* folds, const RowTerms* terms, Settled* settled,
                       real kind) noexcept nogil:
    """Of LANES rows. Not inlined: its frame is its own."""
    settle_group(problem, folds, LANES, terms, settled, LANES, False, False, True, False, kind)


cdef void settle_few(const Problem* problem, const double* folds, const RowTerms* terms, Settled* settled,
                     real kind) noexcept nogil:
    """Of FEW_ROWS rows of a plain and bare call."""
    settle_group(problem, folds, LANES, terms, settled, FEW_ROWS, real is float, True, False, False, kind)


cdef void settle_curved(const Problem* problem, const double* folds, const RowTerms* terms, Settled* settled,
                        real kind) noexcept nogil:
    """Of LANES rows of a bare call that wants the Hessian too."""
    settle_group(problem, folds, LANES, terms, settled, LANES, real is float, True, False, True, kind)


cdef inline void settle_softmax(const double* folds, Settled* settled) noexcept nogil:
    """settle_group where all that is wanted is a ratio to the sum."""
    cdef const double* sums = folds + TAIL * LANES
    cdef double bad
    cdef Py_ssize_t row
    for row in range(LANES):
        settled.top[row] = folds[REFERENCE * LANES + row]
        settled.value[row] = 0.0
        settled.scale[row] = 1.0 / sums[row]
        settled.mass_scale[row] = 0.0
        settled.target[row] = 0.0
        bad = 1.0 if sums[row] != sums[row] else 0.0
        settled.bad[row] = 1.0 if sums[row] == 0.0 else bad             # of −inf alone


cdef inline double sloped_target(double gradient, double slope) noexcept nogil:
    """A slope of 0 gives 0, of whichever sign and size the gradient is."""
    return 0.0 if slope == 0.0 else gradient * slope


cdef inline double shaped_target(const Problem* problem, double x, const char* open_row, Py_ssize_t target, double* slope,
                                 real kind) noexcept nogil:
    """The target's logit in the units of the references, and what its gradient is multiplied by: 0 where it is excluded."""
    slope[0] = 1.0
    if problem.cap != 0.0:
        kind = <real>x
        x = capped_logit(problem, kind, slope)
    if open_row != NULL and target >= 0 and open_row[target * problem.where.step] == 0:
        slope[0] = 0.0
    return x


cdef inline void keep_fold(const Fold* fold, Py_ssize_t row, double* folds) noexcept nogil:
    """A row's fold in its place of a group: folds[field·LANES + row]."""
    folds[REFERENCE * LANES + row] = fold.top
    folds[TAIL * LANES + row] = fold.tail
    folds[MASS * LANES + row] = fold.mass
    folds[MOMENT * LANES + row] = fold.moment


cdef inline void count_special(const RowGroup* rows, Settled* settled, Py_ssize_t lead) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(rows.count):
        settled.n_special += settled.bad[lead + row] != 0.0
        settled.n_special += rows.skip[row]


cdef void settle_rows(const Problem* problem, RowGroup* rows, const double* folds, Settled* settled, real kind) noexcept nogil:
    """folds[field·LANES + row] → settled; what belongs to rows that a group is short of means nothing."""
    cdef RowTerms terms
    cdef double x_target[LANES]
    cdef double target_mass[LANES]
    # Of softmax and its kin, which have no targets: e^{x − c}/Σ, lse − c. Those of partial results are in the sums.
    cdef double default_mass = 0.0 if problem.soft.data != NULL or problem.records != NULL else 1.0
    cdef Py_ssize_t row
    terms.x_target = rows.x_target
    terms.target_mass = rows.target_mass
    terms.weight = rows.weight
    if problem.classes == NULL:
        for row in range(LANES):
            x_target[row] = folds[REFERENCE * LANES + row]
            target_mass[row] = default_mass
        terms.x_target = x_target
        terms.target_mass = target_mass
    if problem.result == SOFTMAX:
        settle_softmax(folds, settled)
    elif problem.gamma != 0.0:
        settle_focal(problem, folds, &terms, settled, kind)
    elif is_bare(problem) and is_optionless(problem) and problem.hess.data != NULL and problem.classes != NULL:
        settle_curved(problem, folds, &terms, settled, kind)
    elif not is_plain(problem):
        settle_group(problem, folds, LANES, &terms, settled, LANES, False, False, False, False, kind)
    elif are_few(problem, rows.count):
        settle_few(problem, folds, &terms, settled, kind)
    elif is_bare(problem):
        settle_group(problem, folds, LANES, &terms, settled, LANES, real is float, True, False, False, kind)
    else:
        settle_group(problem, folds, LANES, &terms, settled, LANES, real is float, False, False, False, kind)
    if problem.classes != NULL and not is_plain(problem) and problem.out.data != NULL:
        for row in range(LANES):
            settled.target[row] = sloped_target(settled.target[row], rows.slope[row])
    settled.n_special = 0
    for row in range(LANES):
        settled.rest[row] = 0.0
    count_special(rows, settled, 0)


cdef double bad_value(const Problem* problem, double top, const char* row, const char* open_row, real kind) noexcept nogil:
    """What the caller gets for a bad row: nan, but for logsumexp, which has answers where a loss has none."""
    cdef real block[LANES]
    cdef Py_ssize_t start = 0, n, cls
    if problem.result != LOGSUMEXP:
        return NAN
    while start < problem.n_classes:
        n = min(<Py_ssize_t>LANES, problem.n_classes - start)
        read_values(row + start * problem.logits.step, problem.logits.step, problem.type, n, block)
        if open_row != NULL:
            exclude(open_row + start * problem.where.step, problem.where.step, n, block, block)
        for cls in range(n):
            if block[cls] != block[cls]:
                return NAN
        start += LANES
    return top


cdef inline void settle_groups(const Problem* problem, RowGroup* rows, const double* folds, const double* x_target,
                               Settled* settled, bint curved, real kind) noexcept nogil:
    """Of two groups, bare and without options: folds[field·PAIR + row]."""
    cdef RowTerms terms
    cdef Py_ssize_t row
    terms.x_target = x_target
    terms.target_mass = terms.weight = NULL
    settle_group(problem, folds, PAIR, &terms, settled, PAIR, real is float, True, False, curved, kind)
    if curved:
        for row in range(PAIR):
            settled.rest[row] = 0.0
    settled.n_special = 0
    count_special(rows, settled, 0)
    count_special(rows + 1, settled, LANES)


cdef void settle_pair(const Problem* problem, RowGroup* rows, const double* folds, const double* x_target, Settled* settled,
                      real kind) noexcept nogil:
    settle_groups(problem, rows, folds, x_target, settled, False, kind)


cdef void settle_curved_pair(const Problem* problem, RowGroup* rows, const double* folds, const double* x_target,
                             Settled* settled, real kind) noexcept nogil:
    settle_groups(problem, rows, folds, x_target, settled, True, kind)


cdef inline void settled_values(const Problem* problem, const RowGroup* rows, const Settled* settled, Py_ssize_t lead,
                                double* row_values, real kind) noexcept nogil:
    """Row 0 of the group is row `lead` of those that were settled."""
    cdef Py_ssize_t row
    for row in range(rows.count):
        row_values[row] = settled.value[lead + row]
        if problem.result == LOGSUMEXP:
            row_values[row] += settled.top[lead + row]
    if settled.n_special == 0:
        return
    for row in range(rows.count):
        if rows.skip[row]:
            row_values[row] = 0.0
        elif settled.bad[lead + row] != 0.0:
            row_values[row] = bad_value(problem, settled.top[lead + row], problem.logits.data + rows.logits[row],
                                        problem.where.data + rows.open[row] if problem.where.data != NULL else NULL, kind)
