# Classes along the lanes: a row, chunk after chunk.
#
# sweep_row   every chunk → its largest logit (the target left out), which makes its reference, and its sums; where a gradient
#             is wanted, exponentials are kept
# (settle.pxi: the chunks' sums → the row's value and the factors of its gradient)
# scale_row   every chunk: what was kept, times its factor → out
#
# `stats` has, for each field, one double a chunk; behind them the target's logit, which is read before a gradient in place
# takes its memory, and where a row is cut over threads, the settled row.


cdef enum:
    ROW_BUFFERS = 5 * CHUNK_BYTES
    GROUP_BYTES = 32768         # logits of the rows that are settled together before their second sweep: they stay in L1


cdef inline const real* load_row_mass(const Problem* problem, const RowPlace* place, Py_ssize_t start, Py_ssize_t n,
                                      Py_ssize_t mark, bint in_sums, real* mass) noexcept nogil:
    """The masses of classes [start, start + n), zeros behind them to a whole block; 0 for the marked class."""
    cdef const real* made = made_masses(problem, start, n, <real>0)
    cdef Py_ssize_t cls
    if made != NULL and mark < 0:
        return made
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


cdef void sweep_shaped(const Problem* problem, const Sweep* sweep, real* x, const real* mass, real* slopes, real* gaps,
                       bint massed) noexcept nogil:
    """sweep_chunk, where logits are shaped. x[0 : n] becomes the exponentials."""
    cdef Py_ssize_t n = sweep.n, mark = sweep.mark, i
    cdef double* stats = sweep.stats
    cdef real largest = largest_of(x, n, mark), marked = 0
    cdef double reference = shaped_largest(problem, largest), mass_sum = 0.0
    if mark == OWN_MARK:
        mark = first_at(x, n, largest) if largest != -INFINITY else NO_MARK
    shape_chunk(problem, x, n, reference, x, gaps if massed else NULL, slopes)
    stats[REFERENCE * sweep.stride] = reference
    stats[MASS * sweep.stride] = 0.0
    stats[MOMENT * sweep.stride] = 0.0
    if massed:
        if sweep.evenness == ALL_EVEN:
            if mark >= 0 and sweep.mark != OWN_MARK:
                gaps[mark] = 0
        else:
            for i in range(n):
                gaps[i] = weighed(gaps[i], mass[i], sweep.evenness)
                mass_sum += counted(mass[i], EVEN)
            if sweep.evenness == UNEVEN:
                mass_sum = sum_chunk(mass, n)
        keep_moment(stats, sweep.stride, sweep.evenness, sweep.spread, <double>(n - (1 if sweep.mark >= 0 else 0)), mass_sum,
                    sum_chunk(gaps, n), 1.0)
    if mark >= 0:
        marked = x[mark]
        x[mark] = 0
    stats[TAIL * sweep.stride] = sum_chunk(x, n) * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    if mark >= 0:
        x[mark] = marked


cdef inline void sweep_row(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept_row,
                           double* stats, real* buffer, bint massed, bint keep, bint scaled) noexcept nogil:
    """Chunks [first, last). `kept_row` is where the row's exponentials go; NULL: to `out` by way of `buffer`."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint sloped = keep and not massed and problem.cap != 0.0       # with masses, they come in after them
    cdef Py_ssize_t none = OWN_MARK if marks_own(problem) else NO_MARK
    cdef Py_ssize_t k, start, n, mark
    cdef const real* x
    cdef const real* mass = NULL
    cdef real* kept
    cdef Rate rate
    cdef Sweep sweep
    if scaled:
        rate = rate_of(problem.scale, <real>0)
    sweep.rate = &rate
    sweep.stride = n_chunks
    sweep.step = problem.logits.step
    sweep.evenness = evenness_of(problem)
    sweep.spread = <real>place.spread
    sweep.room = work_buffer(buffer)
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = place.target - start if start <= place.target < start + n else -1
        x = load_chunk(problem, place.logits, place.open, start, n, buffer)
        if mark >= 0:
            stats[N_FIELDS * n_chunks] = x[mark]
        if massed and sweep.evenness != ALL_EVEN:
            mass = load_row_mass(problem, place, start, n, mark, True, mass_buffer(buffer))
        kept = buffer if kept_row == NULL else kept_row + start
        sweep.n = n
        sweep.mark = mark if mark >= 0 else none
        sweep.stats = stats + k
        if is_shaped(problem):
            if x != buffer:
                memcpy(buffer, x, n * sizeof(real))
            sweep_shaped(problem, &sweep, buffer, mass, slope_buffer(buffer) if sloped else NULL, work_buffer(buffer), massed)
            if keep and kept != buffer:
                memcpy(kept, buffer, n * sizeof(real))
        else:
            sweep.ahead = place.logits + (start + 3 * chunk_length(<real>0) // 2) * sweep.step  # one chunk gained half as much
            sweep_chunk(&sweep, x, mass, kept, massed, keep, scaled)
        if sloped:
            multiply(kept, slope_buffer(buffer), n)
        if keep and kept_row == NULL:
            store_chunk(problem, place.out, start, n, kept)


cdef void store_hess(const Problem* problem, const RowState* state, const RowPlace* place, const real* source, Py_ssize_t start,
                     Py_ssize_t n, Py_ssize_t mark, double largest, double share, real* buffer) noexcept nogil:
    """A chunk of the Hessian from its exponentials."""
    hess_chunk(problem, source, n, state, largest, share, mark, hess_buffer(buffer))
    if place.open != NULL and mark >= 0 and place.open[place.target * problem.where.step] == 0:
        hess_buffer(buffer)[mark] = 0
    bound_hess(problem, hess_buffer(buffer), n)
    write_values(hess_buffer(buffer), n, place.hess + start * problem.hess.step, problem.hess.step, problem.type)


cdef double rest_of_row(const Problem* problem, const RowPlace* place, double top, const real* kept_row, const double* stats,
                        real* buffer) noexcept nogil:
    """Σ e^{s·x_j}/B without the target and the classes at the row's reference."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef real* work = work_buffer(buffer)
    cdef const real* x
    cdef real top_exponential = exponential_of_largest(problem, top, <real>0)
    cdef double rest = 0.0, largest
    cdef Py_ssize_t k, start, n, cls
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        largest = stats[REFERENCE * n_chunks + k]
        if problem.again:
            x = load_chunk(problem, place.logits, place.open, start, n, buffer)
            exponentials(problem, x, n, largest, work, NULL)
        else:
            x = kept_row + start if kept_row != NULL else kept_chunk(problem, place.out, start, n, buffer)
            memcpy(work, x, n * sizeof(real))
        if largest == top:
            for cls in range(n):
                work[cls] = 0 if work[cls] == top_exponential else work[cls]
        if start <= place.target < start + n:
            work[place.target - start] = 0
        rest += sum_chunk(work, n) * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * stats[SHARE * n_chunks + k]
    return rest


cdef inline void scale_row(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                           Py_ssize_t last, const real* kept_row, const double* stats, real* buffer, bint massed) noexcept nogil:
    """Chunks [first, last) of `out`. `kept_row` as for sweep_row."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint direct = plain_classes(&problem.out, problem.type, <real>0)
    cdef bint stream = problem.stream and kept_row != NULL
    cdef bint even = massed and evenness_of(problem) == ALL_EVEN
    cdef bint shifted = even and is_plain_shift(<double><real>state.mass_scale * <real>place.spread, <real>0)
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
            fill_chunk(problem, &problem.out, place.out, place.open, start, n, state.state == BAD, buffer)
            if place.hess != NULL:
                fill_chunk(problem, &problem.hess, place.hess, place.open, start, n, state.state == BAD, buffer)
            continue
        goal = <real*>place.out + start if direct else buffer
        if problem.result == LOG_SOFTMAX:
            source = load_chunk(problem, place.logits, place.open, start, n, buffer)
            log_chunk(source, n, state.top, state.value, goal)
        else:
            factor = factor_of(<real>0, state.scale * share[k])
            if problem.again:
                remake_chunk(problem, state, place, start, n, mark, stats[REFERENCE * n_chunks + k], share[k], factor,
                             target_value, goal, buffer, massed)
            else:
                source = kept_row + start if kept_row != NULL else kept_chunk(problem, place.out, start, n, buffer)
                if place.hess != NULL:
                    store_hess(problem, state, place, source, start, n, mark, stats[REFERENCE * n_chunks + k], share[k], buffer)
                if shifted:
                    mass_buffer(buffer)[0] = <real>place.spread
                    scale_chunk(source, n, factor, mass_buffer(buffer), state.mass_scale, mark, target_value, goal, True, True,
                                stream)
                elif massed:
                    mass = load_row_mass(problem, place, start, n, -1, False, mass_buffer(buffer))
                    scale_chunk(source, n, factor, mass, state.mass_scale, mark, target_value, goal, True, False, stream)
                elif stream:
                    scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, False, True)
                else:
                    scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, False, False)
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
    exponentials(problem, x, n, reference, work, slopes if problem.cap != 0.0 else NULL)
    if place.hess != NULL:
        store_hess(problem, state, place, work, start, n, mark, reference, share, buffer)
    if massed:
        mass = load_row_mass(problem, place, start, n, -1, False, mass_buffer(buffer))
        scale_chunk(work, n, factor, mass, state.mass_scale, -1, target_value, goal, True, False, False)
    if problem.cap != 0.0:
        multiply(goal if massed else work, slopes, n)
    if not massed:
        scale_chunk(work, n, factor, mass, 0.0, -1, target_value, goal, False, False, False)
    if mark >= 0:
        goal[mark] = target_value


cdef inline real* kept_in_out(const Problem* problem, char* out_row, real kind) noexcept nogil:
    return <real*>out_row if plain_classes(&problem.out, problem.type, kind) else NULL


# sweep_row for what a problem needs, each combination compiled on its own: as a function, so that their frames do not add up.


cdef void sweep_masses(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                       double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, True, keeps_exponentials(problem), False)


cdef void sweep_masses_scaled(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                              double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, True, keeps_exponentials(problem), True)


cdef void sweep_keeping(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                        double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, False, True, False)


cdef void sweep_keeping_scaled(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                               double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, False, True, True)


cdef void sweep_sums(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                     double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, False, False, False)


cdef void sweep_sums_scaled(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept,
                            double* stats, real* buffer) noexcept nogil:
    sweep_row(problem, place, first, last, kept, stats, buffer, False, False, True)


cdef void sweep_any(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last, real* kept, double* stats,
                    real* buffer) noexcept nogil:
    cdef bint scaled = is_scaled(problem)
    if has_mass(problem) and scaled:
        sweep_masses_scaled(problem, place, first, last, kept, stats, buffer)
    elif has_mass(problem):
        sweep_masses(problem, place, first, last, kept, stats, buffer)
    elif keeps_exponentials(problem) and scaled:
        sweep_keeping_scaled(problem, place, first, last, kept, stats, buffer)
    elif keeps_exponentials(problem):
        sweep_keeping(problem, place, first, last, kept, stats, buffer)
    elif scaled:
        sweep_sums_scaled(problem, place, first, last, kept, stats, buffer)
    else:
        sweep_sums(problem, place, first, last, kept, stats, buffer)


cdef void scale_any(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                    Py_ssize_t last, const real* kept, const double* stats, real* buffer) noexcept nogil:
    if has_mass(problem):
        scale_row(problem, state, place, first, last, kept, stats, buffer, True)
    else:
        scale_row(problem, state, place, first, last, kept, stats, buffer, False)


# ---- ranges of rows, a group at a time


cdef inline Py_ssize_t rows_at_once(const Problem* problem, real kind) noexcept nogil:
    cdef Py_ssize_t row_bytes = problem.n_classes * <Py_ssize_t>sizeof(real)
    return min(<Py_ssize_t>LANES, max(<Py_ssize_t>1, GROUP_BYTES // row_bytes)) if writes_classes(problem) else LANES


cdef inline Py_ssize_t stats_length(const Problem* problem, Py_ssize_t n_chunks) noexcept nogil:
    """Doubles from one row's stats to the next one's: its chunks' fields and its target's logit, in whole cache lines. Where
    nothing is written there is no second sweep that would read them."""
    return (N_FIELDS * n_chunks + 8) // 8 * 8 if writes_classes(problem) else 0


cdef inline Py_ssize_t rows_stats(const Problem* problem, Py_ssize_t n_chunks, real kind) noexcept nogil:
    """Doubles for the stats of all rows of a group."""
    return max(N_FIELDS * n_chunks + 8, rows_at_once(problem, kind) * stats_length(problem, n_chunks))


cdef Py_ssize_t rows_scratch(const Problem* problem, real kind) noexcept nogil:
    """Bytes: a group's stats, the buffers of a row, and exponentials that wait for the second sweep elsewhere than in `out`."""
    cdef Py_ssize_t size = rows_stats(problem, chunk_count(problem, kind), kind) * 8 + ROW_BUFFERS
    if problem.stream or problem.aside:
        size += rows_at_once(problem, kind) * problem.n_classes * <Py_ssize_t>sizeof(real)
    return size


cdef inline real* kept_of(const Problem* problem, const RowPlace* place, real* aside, Py_ssize_t row) noexcept nogil:
    """Where the exponentials of a row of a group wait for the second sweep."""
    return aside + row * problem.n_classes if problem.stream or problem.aside else kept_in_out(problem, place.out, <real>0)


cdef inline void rows_of_group(const Problem* problem, Py_ssize_t first, Py_ssize_t count, double* stats, real* buffer,
                               real* aside, double* row_values) noexcept nogil:
    """Up to LANES rows: the first sweep of each, then what is left to do for each row in double, for all of them side by side,
    then the second sweep of each."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef Py_ssize_t stride = stats_length(problem, n_chunks)
    cdef double folds[N_FIELDS * LANES]
    cdef RowGroup rows
    cdef Settled settled
    cdef RowPlace place
    cdef RowState state
    cdef Fold fold
    cdef double* own
    cdef real* kept
    cdef Py_ssize_t field, row
    if are_few(problem, count):         # no more than are settled
        blank_rows(problem, &rows, FEW_ROWS)
        for field in range(N_FIELDS):
            memset(folds + field * LANES, 0, FEW_ROWS * 8)
    else:
        blank_rows(problem, &rows, LANES)
        memset(folds, 0, sizeof(folds))
    place_rows(problem, first, count, &rows)
    weigh_targets(problem, &rows)
    for row in range(count):
        if rows.skip[row]:
            continue
        own = stats + row * stride
        place = place_of_row(problem, &rows, row)
        kept = kept_of(problem, &place, aside, row)
        sweep_any(problem, &place, 0, n_chunks, kept, own, buffer)
        fold = fold_chunks(problem, own, n_chunks, 1, <real>0)
        keep_fold(&fold, row, folds)
        rows.x_target[row] = shaped_target(problem, own[N_FIELDS * n_chunks], place.open, place.target, &rows.slope[row], <real>0)
    settle_rows(problem, &rows, folds, &settled, <real>0)
    settled_values(problem, &rows, &settled, 0, row_values, <real>0)
    if not writes_classes(problem):
        return
    for row in range(count):
        own = stats + row * stride
        place = place_of_row(problem, &rows, row)
        kept = kept_of(problem, &place, aside, row)
        state = state_of(&settled, row, rows.skip[row])
        if state.state != SKIPPED and needs_rest(problem, &state):
            state.top_rest += rest_of_row(problem, &place, state.top, kept, own, buffer) * state.probability
        scale_any(problem, &state, &place, 0, n_chunks, kept, own, buffer)


cdef void rows_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                     real kind) noexcept nogil:
    """Rows [first, last). Scratch: as rows_scratch has it."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Py_ssize_t group = rows_at_once(problem, kind)
    cdef double* stats = <double*>scratch
    cdef real* buffer = <real*>(stats + rows_stats(problem, n_chunks, kind))
    cdef Py_ssize_t start = first
    while start < last:
        rows_of_group(problem, start, min(group, last - start), stats, buffer, buffer + 5 * chunk_length(kind),
                      row_values + start - first)
        start += group
    if problem.stream:
        xf_stream_done()
