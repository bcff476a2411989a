# Classes along the lanes: a row, chunk after chunk.
#
# sweep_row   every chunk → its reference (the largest logit in it, the target left out) and its sums; where a gradient
#             is wanted, e^{x − reference} is kept
# settle_row  the chunks' sums → the row's value and the factors of its gradient
# scale_row   every chunk: what was kept, times its factor → out
#
# `stats` has, for each field, one double a chunk; behind them the target's logit, which is read before a gradient in place
# takes its memory, and the settled row.

cdef enum State:
    PLAIN, SKIPPED, BAD


cdef struct RowState:
    Settled settled
    double top
    State state


cdef inline void load_row_mass(const Problem* problem, const char* soft_row, Py_ssize_t start, Py_ssize_t n,
                               Py_ssize_t mark, real* buffer) noexcept nogil:
    """The masses of classes [start, start + n), zeros behind them to a whole block; 0 for the marked class."""
    cdef Py_ssize_t cls
    if problem.soft.data != NULL:
        for cls in range(n):
            buffer[cls] = <real>soft_mass(problem, soft_row, start + cls)
    else:
        memcpy(buffer, <const real*>problem.smoothing_mass + start, n * sizeof(real))
        if mark >= 0:
            buffer[mark] = 0
    for cls in range(n, (n + LANES - 1) // LANES * LANES):
        buffer[cls] = 0


cdef inline void sweep_row(const Problem* problem, const char* row, const char* soft_row, Py_ssize_t target,
                           Py_ssize_t first, Py_ssize_t last, real* kept_row, char* out_row, double* stats,
                           real* buffer, real* mass, bint marked, bint massed, bint keep) noexcept nogil:
    """Chunks [first, last). `kept_row` is where the row's exponentials go; NULL: to `out_row` by way of `buffer`."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef Py_ssize_t k, start, n, mark
    cdef const real* x
    cdef real* kept
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = target - start if marked and start <= target < start + n else -1
        x = load_chunk(&problem.logits, row, start, n, buffer)
        if mark >= 0:
            stats[N_FIELDS * n_chunks] = x[mark]
        if massed:
            load_row_mass(problem, soft_row, start, n, mark, mass)
        kept = buffer if kept_row == NULL else kept_row + start
        sweep_chunk(x, n, mark, mass, kept, stats + k, n_chunks, marked, massed, keep)
        if keep and kept_row == NULL:
            store_chunk(&problem.out, out_row, start, n, kept)


cdef inline RowState settle_fold(const Problem* problem, Fold fold, double x_target, double target_mass,
                                 double row_weight) noexcept nogil:
    cdef RowState state
    if problem.classes != NULL:
        state.settled = settle_marked(fold, x_target, target_mass, row_weight, problem.gradient_scale)
    else:
        if problem.soft.data == NULL:
            fold.mass = 1.0                     # softmax and its kin: e^{x − c}/Σ, lse − c
        state.settled = settle_plain(fold, row_weight, problem.gradient_scale)
    state.top = fold.top
    state.state = BAD if state.settled.bad != 0.0 else PLAIN
    return state


cdef inline RowState settle_row(const Problem* problem, Py_ssize_t row, double* stats, real kind) noexcept nogil:
    """One row's chunks, all swept → its value and factors."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef double target_mass = 0.0
    if problem.classes != NULL:
        target_mass = target_mass_of(problem, problem.classes[row])
    return settle_fold(problem, fold_chunks(stats, n_chunks, 1), stats[N_FIELDS * n_chunks], target_mass,
                       sample_weight_of(problem, row))


cdef inline double row_value(const Problem* problem, const RowState* state, const char* row, real kind) noexcept nogil:
    """What the caller gets for the row: its loss, or logsumexp, which has answers where a loss has none."""
    cdef Py_ssize_t cls
    if problem.result != LOGSUMEXP:
        return NAN if state.state == BAD else state.settled.value
    if state.state == PLAIN:
        return state.top + state.settled.value
    for cls in range(problem.n_classes):
        kind = (<const real*>(row + cls * problem.logits.step))[0]
        if kind != kind:
            return NAN
    return state.top


cdef inline void scale_row(const Problem* problem, const RowState* state, const char* row, const char* soft_row,
                           Py_ssize_t target, Py_ssize_t first, Py_ssize_t last, const real* kept_row, char* out_row,
                           const double* stats, real* buffer, real* mass, bint massed) noexcept nogil:
    """Chunks [first, last) of `out`. `kept_row` as for sweep_row."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint direct = contiguous_classes(&problem.out, <real>0)
    cdef bint stream = problem.stream and kept_row != NULL
    cdef const double* share = stats + SHARE * n_chunks
    cdef const real* source
    cdef real* goal
    cdef real target_value = rounded(<real>0, state.settled.target)
    cdef Factor factor
    cdef Py_ssize_t k, start, n, mark
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = target - start if start <= target < start + n else -1
        if state.state != PLAIN:
            fill_chunk(&problem.out, out_row, start, n, <real>(NAN if state.state == BAD else 0))
            continue
        goal = <real*>out_row + start if direct else buffer
        if problem.result == LOG_SOFTMAX:
            source = load_chunk(&problem.logits, row, start, n, buffer)
            log_chunk(source, n, state.top, state.settled.value, goal)
        else:
            source = kept_row + start if kept_row != NULL else load_chunk(&problem.out, out_row, start, n, buffer)
            factor = factor_of(<real>0, state.settled.scale * share[k])
            if massed:
                load_row_mass(problem, soft_row, start, n, -1, mass)
                scale_chunk(source, n, factor, mass, state.settled.mass_scale, mark, target_value, goal, True, stream)
            elif stream:
                scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, True)
            else:
                scale_chunk(source, n, factor, mass, 0.0, mark, target_value, goal, False, False)
        if not direct:
            store_chunk(&problem.out, out_row, start, n, buffer)


cdef struct RowPlace:               # a row's pointers, whatever the operands' strides
    const char* logits
    const char* soft
    char* out
    Py_ssize_t target


cdef inline RowPlace place_row(const Problem* problem, Py_ssize_t row) noexcept nogil:
    cdef RowPlace place
    cdef Py_ssize_t offset
    row_offsets(problem, &problem.logits, row, 1, &offset)
    place.logits = problem.logits.data + offset
    place.soft = NULL
    place.out = NULL
    place.target = -1
    if problem.soft.data != NULL:
        row_offsets(problem, &problem.soft, row, 1, &offset)
        place.soft = problem.soft.data + offset
    if problem.out.data != NULL:
        row_offsets(problem, &problem.out, row, 1, &offset)
        place.out = problem.out.data + offset
    if problem.classes != NULL:
        place.target = problem.classes[row]
    return place


cdef inline real* kept_in_out(const Problem* problem, char* out_row, real kind) noexcept nogil:
    return <real*>out_row if contiguous_classes(&problem.out, kind) else NULL


cdef inline void sweep_any(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last,
                           real* kept, double* stats, real* buffer, real* mass) noexcept nogil:
    """sweep_row for what the problem needs; each combination is compiled on its own."""
    cdef bint keep = keeps_exponentials(problem)
    if problem.classes != NULL and not has_mass(problem):
        if keep:
            sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                      mass, True, False, True)
        else:
            sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                      mass, True, False, False)
    elif problem.classes != NULL:
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, True, True, keep)
    elif has_mass(problem):
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False, True, keep)
    else:
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False, False, keep)


cdef inline void scale_any(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                           Py_ssize_t last, const real* kept, const double* stats, real* buffer, real* mass) noexcept nogil:
    cdef bint massed = has_mass(problem)
    if massed:
        scale_row(problem, state, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, True)
    else:
        scale_row(problem, state, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False)


cdef void row_sweep(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    """Chunks [first, last) of one row; other threads have the others."""
    cdef RowPlace place = place_row(problem, row)
    cdef real* buffer = <real*>scratch
    if not skipped(problem, row):
        sweep_any(problem, &place, first, last, kept_in_out(problem, place.out, kind), stats, buffer,
                  buffer + chunk_length(kind))


cdef double row_settle(const Problem* problem, Py_ssize_t row, double* stats, real kind) noexcept nogil:
    """The row's value; its state goes behind the chunks' fields."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowPlace place = place_row(problem, row)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    if skipped(problem, row):
        state.state = SKIPPED
        return 0.0
    state[0] = settle_row(problem, row, stats, kind)
    return row_value(problem, state, place.logits, kind)


cdef void row_scale(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowPlace place = place_row(problem, row)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    cdef real* buffer = <real*>scratch
    scale_any(problem, state, &place, first, last, kept_in_out(problem, place.out, kind), stats, buffer,
              buffer + chunk_length(kind))


cdef inline void weigh_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t last, double* row_values) noexcept nogil:
    """Soft targets and class weights → each row's weight, sample_weight·Σ_c weight_c·t_c."""
    cdef double sums[LANES]
    cdef const char* targets
    cdef double target
    cdef Py_ssize_t row, cls, offset
    for row in range(first, last):
        row_values[row - first] = 0.0
        if skipped(problem, row):
            continue
        row_offsets(problem, &problem.soft, row, 1, &offset)
        targets = problem.soft.data + offset
        for cls in range(LANES):
            sums[cls] = 0.0
        for cls in range(problem.n_classes):
            if problem.soft_is_double:
                target = (<const double*>(targets + cls * problem.soft.step))[0]
            else:
                target = (<const float*>(targets + cls * problem.soft.step))[0]
            sums[cls % LANES] += problem.class_weight[cls] * target
        row_values[row - first] = sample_weight_of(problem, row) * fold_lanes(sums)
