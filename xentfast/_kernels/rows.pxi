# Classes along the lanes: a row, chunk after chunk.
#
# sweep_row   every chunk → its reference (the largest logit in it, the target left out) and its sums; where a gradient
#             is wanted, e^{x − reference} is kept
# (settle.pxi: the chunks' sums → the row's value and the factors of its gradient)
# scale_row   every chunk: what was kept, times its factor → out
#
# `stats` has, for each field, one double a chunk; behind them the target's logit, which is read before a gradient in place
# takes its memory, and where a row is cut over threads, the settled row.

cdef struct RowPlace:               # a row's pointers, whatever the operands' strides
    const char* logits
    const char* soft
    const char* open                # its bytes of `where`, or NULL
    char* out
    char* hess
    Py_ssize_t target               # −1 where there is none
    double spread                   # what smoothing gives to each class


cdef inline const real* load_row_mass(const Problem* problem, const RowPlace* place, Py_ssize_t start, Py_ssize_t n,
                                      Py_ssize_t mark, bint in_sums, real* mass) noexcept nogil:
    """The masses of classes [start, start + n), zeros behind them to a whole block; 0 for the marked class."""
    cdef Py_ssize_t cls
    if problem.soft.data == NULL and place.open == NULL and mark < 0:
        # Without class weights every full chunk is like the first, which stays in L1.
        return <const real*>problem.smoothing_mass + (
            0 if problem.class_weight == NULL and n == chunk_length(<real>0) else start)
    load_mass(problem, place.soft, place.open, place.spread, start, n, in_sums, mass)
    if mark >= 0:
        mass[mark] = 0
    for cls in range(n, (n + LANES - 1) // LANES * LANES):
        mass[cls] = 0
    return mass


# A thread's buffers of a chunk each: logits, masses, slopes, what the second sweep makes anew, and the Hessian.
cdef inline real* mass_buffer(real* buffer) noexcept nogil:
    return buffer + chunk_length(<real>0)


cdef inline real* slope_buffer(real* buffer) noexcept nogil:
    return buffer + 2 * chunk_length(<real>0)


cdef inline real* work_buffer(real* buffer) noexcept nogil:
    return buffer + 3 * chunk_length(<real>0)


cdef inline real* hess_buffer(real* buffer) noexcept nogil:
    return buffer + 4 * chunk_length(<real>0)


cdef inline void sweep_row(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept_row,
                           double* stats, real* buffer, bint marked, bint massed, bint keep, bint scaled) noexcept nogil:
    """Chunks [first, last). `kept_row` is where the row's exponentials go; NULL: to `out` by way of `buffer`."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint sloped = keep and not massed and problem.cap != 0.0       # with masses, they come in after them
    cdef Py_ssize_t k, start, n, mark
    cdef const real* x
    cdef const real* mass = NULL
    cdef real* kept
    cdef const char* ahead
    cdef Rate rate
    cdef double reference = 0.0
    if scaled:
        rate = rate_of(problem.scale, <real>0)
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = place.target - start if marked and start <= place.target < start + n else -1
        x = load_chunk(problem, place.logits, place.open, start, n, buffer)
        if mark >= 0:
            stats[N_FIELDS * n_chunks] = x[mark]
        if massed:
            mass = load_row_mass(problem, place, start, n, mark, True, mass_buffer(buffer))
        kept = buffer if kept_row == NULL else kept_row + start
        ahead = place.logits + (start + 3 * chunk_length(<real>0) // 2) * problem.logits.step   # one chunk gained half as much
        if is_shaped(problem):
            reference = reference_of(problem, largest_of(x, n, mark))
            shape_chunk(problem, x, n, reference, buffer, slope_buffer(buffer) if sloped else NULL)
            x = buffer
        sweep_chunk(x, n, mark, mass, kept, ahead, problem.logits.step, stats + k, n_chunks, &rate, marked, massed, keep, scaled)
        if is_shaped(problem):
            stats[REFERENCE * n_chunks + k] = reference
        if sloped:
            multiply(kept, slope_buffer(buffer), n)
        if keep and kept_row == NULL:
            store_chunk(problem, place.out, start, n, kept)


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


cdef inline double gap_error_of(const Problem* problem, double x_target, double top) noexcept nogil:
    """What (x_target − top)·unit loses to rounding, where that counts: in float64."""
    return gap_error(x_target, top, problem.unit) if problem.unit != 1.0 and problem.type == FLOAT64 else 0.0


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


cdef void store_hess(const Problem* problem, const RowState* state, const RowPlace* place, const real* source, Py_ssize_t start,
                     Py_ssize_t n, Py_ssize_t mark, double share, real* buffer) noexcept nogil:
    """A chunk of the Hessian from its exponentials."""
    hess_chunk(source, n, state, share, mark, hess_buffer(buffer))
    if place.open != NULL and mark >= 0 and place.open[place.target * problem.where.step] == 0:
        hess_buffer(buffer)[mark] = 0
    write_values(hess_buffer(buffer), n, place.hess + start * problem.hess.step, problem.hess.step, problem.type)


cdef double rest_of_row(const Problem* problem, const RowPlace* place, const real* kept_row, const double* stats,
                        real* buffer) noexcept nogil:
    """Σ e^{x_j − c} without the target and the classes at the row's reference."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef real* work = work_buffer(buffer)
    cdef const real* x
    cdef real reference, top = exp_scaled(<real>0)
    cdef double rest = 0.0, share
    cdef Py_ssize_t k, start, n, cls
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        share = stats[SHARE * n_chunks + k]
        if problem.again:
            x = load_chunk(problem, place.logits, place.open, start, n, buffer)
            reference = <real>stats[REFERENCE * n_chunks + k]
            exponentials(problem, x, n, 0 if reference == -INFINITY else reference, work)
        else:
            x = kept_row + start if kept_row != NULL else kept_chunk(problem, place.out, start, n, buffer)
            memcpy(work, x, n * sizeof(real))
        if share == 1.0:
            for cls in range(n):
                work[cls] = 0 if work[cls] == top else work[cls]
        if start <= place.target < start + n:
            work[place.target - start] = 0
        rest += sum_chunk(work, n) * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * share
    return rest


cdef inline void scale_row(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                           Py_ssize_t last, const real* kept_row, const double* stats, real* buffer, bint massed) noexcept nogil:
    """Chunks [first, last) of `out`. `kept_row` as for sweep_row."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint direct = plain_classes(&problem.out, problem.type, <real>0)
    cdef bint stream = problem.stream and kept_row != NULL
    cdef const double* share = stats + SHARE * n_chunks
    cdef const real* mass = NULL
    cdef const real* source
    cdef real* goal
    cdef real target_value = rounded(<real>0, state.target)
    cdef Factor factor
    cdef Py_ssize_t k, start, n, mark
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = place.target - start if start <= place.target < start + n else -1
        if state.state != PLAIN:
            fill_chunk(&problem.out, problem.type, place.out, start, n, <real>(NAN if state.state == BAD else 0), buffer)
            if place.hess != NULL:
                fill_chunk(&problem.hess, problem.type, place.hess, start, n, <real>(NAN if state.state == BAD else 0), buffer)
            continue
        goal = <real*>place.out + start if direct else buffer
        if problem.result == LOG_SOFTMAX:
            source = load_chunk(problem, place.logits, NULL, start, n, buffer)
            log_chunk(source, n, state.top, state.value, goal)
        else:
            factor = factor_of(<real>0, state.scale * share[k])
            if problem.again:
                remake_chunk(problem, state, place, start, n, mark, stats[REFERENCE * n_chunks + k], share[k], factor,
                             target_value, goal, buffer, massed)
            else:
                source = kept_row + start if kept_row != NULL else kept_chunk(problem, place.out, start, n, buffer)
                if place.hess != NULL:
                    store_hess(problem, state, place, source, start, n, mark, share[k], buffer)
                if massed:
                    mass = load_row_mass(problem, place, start, n, -1, False, mass_buffer(buffer))
                    scale_chunk(source, n, factor, mass, state.mass_scale, mark, target_value, goal, True, stream)
                elif stream:
                    scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, True)
                else:
                    scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, False)
        if not direct:
            store_chunk(problem, place.out, start, n, buffer)


cdef void remake_chunk(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t start,
                       Py_ssize_t n, Py_ssize_t mark, double reference, double share, Factor factor, real target_value,
                       real* goal, real* buffer, bint massed) noexcept nogil:
    """A chunk of the gradient from its logits, by the same steps that keep the exponentials: for dtypes that cannot hold these,
    and where the slopes of a cap meet masses. `goal` may be `buffer`, or the logits."""
    cdef const real* mass = NULL
    cdef real* slopes = slope_buffer(buffer)
    cdef real* work = work_buffer(buffer)
    cdef const real* x = load_chunk(problem, place.logits, place.open, start, n, buffer)
    cdef real c = 0 if reference == -INFINITY or is_shaped(problem) else <real>reference
    if is_shaped(problem):
        shape_chunk(problem, x, n, reference, buffer, slopes if problem.cap != 0.0 else NULL)
        x = buffer
    exponentials(problem, x, n, c, work)
    if place.hess != NULL:
        store_hess(problem, state, place, work, start, n, mark, share, buffer)
    if massed:
        mass = load_row_mass(problem, place, start, n, -1, False, mass_buffer(buffer))
        scale_chunk(work, n, factor, mass, state.mass_scale, -1, target_value, goal, True, False)
    if problem.cap != 0.0:
        multiply(goal if massed else work, slopes, n)
    if not massed:
        scale_chunk(work, n, factor, mass, 0.0, -1, target_value, goal, False, False)
    if mark >= 0:
        goal[mark] = target_value


cdef inline real* kept_in_out(const Problem* problem, char* out_row, real kind) noexcept nogil:
    return <real*>out_row if plain_classes(&problem.out, problem.type, kind) else NULL


cdef inline void sweep_as(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                          double* stats, real* buffer, bint scaled) noexcept nogil:
    cdef bint keep = keeps_exponentials(problem)
    if problem.classes != NULL and not has_mass(problem):
        if keep:
            sweep_row(problem, place, first, last, kept, stats, buffer, True, False, True, scaled)
        else:
            sweep_row(problem, place, first, last, kept, stats, buffer, True, False, False, scaled)
    elif problem.classes != NULL:
        sweep_row(problem, place, first, last, kept, stats, buffer, True, True, keep, scaled)
    elif has_mass(problem):
        sweep_row(problem, place, first, last, kept, stats, buffer, False, True, keep, scaled)
    else:
        sweep_row(problem, place, first, last, kept, stats, buffer, False, False, keep, scaled)


cdef void sweep_any(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last,
                    real* kept, double* stats, real* buffer) noexcept nogil:
    """sweep_row for what the problem needs; each combination is compiled on its own. Not inlined: there are two callers."""
    if is_scaled(problem):
        sweep_as(problem, place, first, last, kept, stats, buffer, True)
    else:
        sweep_as(problem, place, first, last, kept, stats, buffer, False)


cdef void scale_any(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                    Py_ssize_t last, const real* kept, const double* stats, real* buffer) noexcept nogil:
    if has_mass(problem):
        scale_row(problem, state, place, first, last, kept, stats, buffer, True)
    else:
        scale_row(problem, state, place, first, last, kept, stats, buffer, False)


cdef double weight_of_chunk(const Problem* problem, const char* soft_row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Σ weight_c·t_c over classes [start, start + n)."""
    cdef double sums[LANES]
    cdef double targets[LANES]
    cdef Py_ssize_t cls = start, count, lane
    for lane in range(LANES):
        sums[lane] = 0.0
    while cls < start + n:
        count = min(<Py_ssize_t>LANES, start + n - cls)
        read_values(soft_row + cls * problem.soft.step, problem.soft.step, problem.soft_type, count, targets)
        for lane in range(count):
            sums[lane] += problem.class_weight[cls + lane] * targets[lane]
        cls += LANES
    return fold_lanes(sums)


cdef inline void weigh_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t last, double* row_values) noexcept nogil:
    """Soft targets and class weights → each row's weight, sample_weight·Σ_c weight_c·t_c."""
    cdef Py_ssize_t row, offset, start, chunk = chunk_length(<double>0) if problem.type == FLOAT64 else chunk_length(<float>0)
    cdef double weight
    for row in range(first, last):
        row_values[row - first] = 0.0
        if skipped(problem, row):
            continue
        row_offsets(problem, &problem.soft, row, 1, &offset)
        weight = 0.0
        start = 0
        while start < problem.n_classes:
            weight += weight_of_chunk(problem, problem.soft.data + offset, start, min(chunk, problem.n_classes - start))
            start += chunk
        row_values[row - first] = sample_weight_of(problem, row) * weight
