# From the sums of a row to its value and the factors of its gradient, in double, of LANES rows side by side.
#
# It goes in short loops over the rows: one long loop waits for itself, since a row's steps hang together and only two or three
# rows' worth of them fit into what a CPU looks ahead. A loop without a branch gives each row the same bits wherever it stands.
#
# With c the row's reference (the largest logit; with an integer target, the largest of the others):
#   integer target   tail = Σ_{j≠t} e^{x_j − c},  d = x_t − c,  E = e^{−|d|}
#                    d ≥ 0: u = tail·E            lse − x_t = log1p(u)         p_j = e^{x_j − c}·E/(1 + u)
#                    d < 0: u = (tail − 1) + E    lse − x_t = log1p(u) − d     p_j = e^{x_j − c}/(1 + u)
#                    The target never enters a sum that it would swamp, and 1 − p_t is u/(1 + u) where p_t is large.
#   none             peaks = how many equal c, tail = Σ of the others,  u = (peaks − 1) + tail,  lse − c = log1p(u)
# A difference of logits is worth `unit` (load stage: shape.pxi). z_loss adds λ·lse², and 2·λ·lse·p_j to the gradient.
# Each class carries a mass m_j (soft targets, smoothing); the target's own mass is kept apart.


cdef struct Settled:                # LANES rows
    double top[LANES]               # c
    double value[LANES]             # loss, logsumexp, or lse − c
    double bad[LANES]               # 1: a nan or +inf logit, or no finite one
    # where classes are written
    double scale[LANES]             # gradient_j = scale·e^{x_j − c} − mass_scale·m_j
    double mass_scale[LANES]
    double target[LANES]            # the target's gradient
    # for the Hessian alone
    double probability[LANES]       # p_j = probability·e^{x_j − c}
    double curvature[LANES]         # Hessian_j = curvature·p_j·(1 − p_j)
    double target_hess[LANES]       # the target's
    double top_rest[LANES]          # 1 − probability, without the p of the classes between (rest_of_row adds it)
    double rest[LANES]
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
    double target_hess
    double top_rest


cdef struct RowTerms:               # what a row brings besides its sums, LANES of each
    double* x_target
    double* d_error
    double* target_mass
    double* weight


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
    state.target_hess = settled.target_hess[row]
    state.top_rest = settled.top_rest[row]
    return state


cdef inline double z_of(double log_sum_exp, double z_loss, double* value) noexcept nogil:
    """λ·lse² and its derivative; both are 0 for λ = 0, whatever lse is."""
    value[0] = 0.0 if z_loss == 0.0 else z_loss * log_sum_exp * log_sum_exp
    return 0.0 if z_loss == 0.0 else 2.0 * z_loss * log_sum_exp


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


cdef inline double gap_error_of(const Problem* problem, double x_target, double top) noexcept nogil:
    """What (x_target − top)·unit loses to rounding, where that counts: in float64."""
    return gap_error(x_target, top, problem.unit) if problem.unit != 1.0 and problem.type == FLOAT64 else 0.0


cdef inline void exp_rows(const double* t, double* values) noexcept nogil:
    """exp_double of LANES numbers."""
    cdef double r[LANES]
    cdef double lost[LANES]
    cdef double power[LANES]
    cdef double tail[LANES]
    cdef Reduced reduced
    cdef Py_ssize_t row
    for row in range(LANES):
        reduced = reduced_double(t[row])
        r[row] = reduced.r
        lost[row] = reduced.lost
        power[row] = reduced.power
    for row in range(LANES):
        tail[row] = exp_tail_double(r[row])
    for row in range(LANES):
        reduced.r = r[row]
        reduced.lost = lost[row]
        reduced.power = power[row]
        values[row] = exp_reduced(reduced, tail[row])


cdef inline void log1p_rows(const double* u, const double* y, const double* inverse, double* values) noexcept nogil:
    """log1p_with of LANES numbers."""
    cdef double k[LANES]
    cdef double f[LANES]
    cdef double s[LANES]
    cdef double correction[LANES]
    cdef double tail[LANES]
    cdef double f_row
    cdef Py_ssize_t row
    for row in range(LANES):
        k[row] = log_exponent_double(y[row], &f_row)
        f[row] = f_row
        s[row] = f_row / (2.0 + f_row)
        correction[row] = log1p_correction(u[row], y[row], inverse[row], k[row])
    for row in range(LANES):
        tail[row] = log_tail(s[row] * s[row])
    for row in range(LANES):
        values[row] = log_reduced(k[row], f[row], correction[row], s[row], tail[row])


cdef inline void settle_marked(const Problem* problem, const double* folds, const RowTerms* terms, Settled* settled,
                               bint plain) noexcept nogil:
    """folds[field·LANES + row] → settled. `plain`: no scale, cap, z_loss, mask or Hessian, which then cost nothing."""
    cdef const double* top = folds + REFERENCE * LANES
    cdef const double* sums = folds + TAIL * LANES
    cdef const double* mass = folds + MASS * LANES
    cdef const double* moment = folds + MOMENT * LANES
    cdef double unit = 1.0 if plain else problem.unit
    cdef double z_loss = 0.0 if plain else problem.z_loss
    cdef double gradient_scale = problem.gradient_scale
    cdef double d[LANES]
    cdef double t[LANES]
    cdef double scaled[LANES]                           # E·DOUBLE_SCALE
    cdef double e[LANES]
    cdef double u[LANES]
    cdef double y[LANES]
    cdef double inverse[LANES]
    cdef double log_sum[LANES]
    cdef double z_slope[LANES]
    cdef double product, loss, nothing, others, bad, z_value, total, weight, rest
    cdef bint ahead
    cdef Py_ssize_t row
    for row in range(LANES):
        d[row] = terms.x_target[row] - top[row]
        if not plain:
            d[row] = d[row] * unit + terms.d_error[row]
        t[row] = -d[row] if d[row] >= 0.0 else d[row]
    exp_rows(t, scaled)
    for row in range(LANES):
        product = sums[row] * scaled[row]
        product = 0.0 if product < DOUBLE_SCALED_MIN else product * DOUBLE_UNIT
        e[row] = 0.0 if scaled[row] < DOUBLE_SCALED_MIN else scaled[row] * DOUBLE_UNIT
        u[row] = product if d[row] >= 0.0 else (sums[row] - 1.0) + e[row]
        y[row] = 1.0 + u[row]
        inverse[row] = 1.0 / y[row]
    log1p_rows(u, y, inverse, log_sum)
    for row in range(LANES):
        ahead = d[row] >= 0.0
        loss = log_sum[row] if ahead else log_sum[row] - d[row]
        nothing = 0.0 if loss == loss else loss
        loss = nothing if terms.target_mass[row] == 0.0 else terms.target_mass[row] * loss
        others = log_sum[row] + (d[row] if ahead else 0.0)                          # lse − c
        others = 0.0 if mass[row] == 0.0 else mass[row] * others
        z_slope[row] = z_of((terms.x_target[row] if ahead else top[row]) * unit + log_sum[row], z_loss, &z_value)
        settled.top[row] = top[row]
        settled.value[row] = terms.weight[row] * (loss + (others + moment[row]) + z_value)
        bad = 1.0 if u[row] != u[row] else 0.0          # not "or", which is a branch
        bad = 1.0 if terms.x_target[row] == INFINITY else bad
        settled.bad[row] = 1.0 if moment[row] != moment[row] else bad
    if problem.out.data == NULL:
        return
    for row in range(LANES):
        ahead = d[row] >= 0.0
        weight = terms.weight[row] * gradient_scale
        total = terms.target_mass[row] + mass[row]
        rest = u[row] * inverse[row] if ahead else 1.0 - e[row] * inverse[row]      # 1 − p_t, of which p_t is at most half
        settled.mass_scale[row] = weight
        settled.scale[row] = weight * (total + z_slope[row]) * ((e[row] if ahead else 1.0) * inverse[row])
        settled.target[row] = weight * mass[row] - weight * total * rest
        if not plain:
            others = settled.target[row] + weight * z_slope[row] * (inverse[row] if ahead else e[row] * inverse[row])
            settled.target[row] = settled.target[row] if z_loss == 0.0 else others
            settled.probability[row] = (e[row] if ahead else 1.0) * inverse[row]
            settled.curvature[row] = weight * total
            settled.target_hess[row] = weight * total * rest * (inverse[row] if ahead else e[row] * inverse[row])
            settled.top_rest[row] = e[row] * inverse[row]


cdef inline void settle_unmarked(const Problem* problem, const double* folds, const RowTerms* terms,
                                 Settled* settled) noexcept nogil:
    cdef const double* top = folds + REFERENCE * LANES
    cdef const double* peaks = folds + PEAKS * LANES
    cdef const double* sums = folds + TAIL * LANES
    cdef const double* moment = folds + MOMENT * LANES
    # Of softmax and its kin, which have no targets: e^{x − c}/Σ, lse − c. Those of partial results are in the sums.
    cdef double default_mass = 0.0 if problem.soft.data != NULL or problem.records != NULL else 1.0
    cdef double unit = problem.unit
    cdef double z_loss = problem.z_loss
    cdef double gradient_scale = problem.gradient_scale
    cdef double u[LANES]
    cdef double y[LANES]
    cdef double inverse[LANES]
    cdef double log_sum[LANES]
    cdef double mass, bad, z_value, z_slope
    cdef Py_ssize_t row
    for row in range(LANES):
        u[row] = (peaks[row] - 1.0) + sums[row]
        y[row] = 1.0 + u[row]
        inverse[row] = 1.0 / y[row]
    log1p_rows(u, y, inverse, log_sum)
    for row in range(LANES):
        mass = folds[MASS * LANES + row] + default_mass
        z_slope = z_of(top[row] * unit + log_sum[row], z_loss, &z_value)
        settled.top[row] = top[row]
        settled.value[row] = terms.weight[row] * (mass * log_sum[row] + moment[row] + z_value)
        bad = 1.0 if u[row] != u[row] else 0.0          # not "or", which is a branch
        bad = 1.0 if peaks[row] == 0.0 else bad
        settled.bad[row] = 1.0 if moment[row] != moment[row] else bad
        settled.mass_scale[row] = terms.weight[row] * gradient_scale
        settled.scale[row] = settled.mass_scale[row] * (mass + z_slope) * inverse[row]
        settled.target[row] = 0.0
        settled.probability[row] = inverse[row]
        settled.curvature[row] = settled.mass_scale[row] * mass
        settled.target_hess[row] = 0.0
        settled.top_rest[row] = u[row] * inverse[row]


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
    folds[PEAKS * LANES + row] = fold.peaks
    folds[TAIL * LANES + row] = fold.tail
    folds[MASS * LANES + row] = fold.mass
    folds[MOMENT * LANES + row] = fold.moment


cdef void settle_rows(const Problem* problem, RowGroup* rows, const double* folds, Settled* settled) noexcept nogil:
    """folds[field·LANES + row] → settled; what belongs to rows that a group is short of means nothing."""
    cdef RowTerms terms
    cdef double d_error[LANES]
    cdef Py_ssize_t row
    terms.x_target = rows.x_target
    terms.target_mass = rows.target_mass
    terms.weight = rows.weight
    terms.d_error = d_error
    if problem.classes == NULL:
        settle_unmarked(problem, folds, &terms, settled)
    elif is_plain(problem):
        settle_marked(problem, folds, &terms, settled, True)
    else:
        for row in range(LANES):
            d_error[row] = gap_error_of(problem, rows.x_target[row], folds[REFERENCE * LANES + row])
        settle_marked(problem, folds, &terms, settled, False)
        if problem.out.data != NULL:
            for row in range(LANES):
                settled.target[row] = sloped_target(settled.target[row], rows.slope[row])
    settled.n_special = 0
    for row in range(LANES):
        settled.rest[row] = 0.0
    for row in range(rows.count):
        settled.n_special += settled.bad[row] != 0.0
        settled.n_special += rows.skip[row]


cdef inline double bad_value(const Problem* problem, double top, const char* row, real kind) noexcept nogil:
    """What the caller gets for a bad row: nan, but for logsumexp, which has answers where a loss has none."""
    cdef Py_ssize_t cls
    if problem.result != LOGSUMEXP:
        return NAN
    for cls in range(problem.n_classes):
        read_values(row + cls * problem.logits.step, 0, problem.type, 1, &kind)
        if kind != kind:
            return NAN
    return top


cdef inline void settled_values(const Problem* problem, const RowGroup* rows, const Settled* settled, double* row_values,
                                real kind) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(rows.count):
        row_values[row] = settled.value[row]
        if problem.result == LOGSUMEXP:
            row_values[row] += settled.top[row]
    if settled.n_special == 0:
        return
    for row in range(rows.count):
        if rows.skip[row]:
            row_values[row] = 0.0
        elif settled.bad[row] != 0.0:
            row_values[row] = bad_value(problem, settled.top[row], problem.logits.data + rows.logits[row], kind)
