# One row over several threads: each sweeps some of its chunks, one settles the row, each scales some of its chunks.


cdef inline RowPlace place_one(const Problem* problem, Py_ssize_t row, RowGroup* rows) noexcept nogil:
    blank_rows(problem, rows, LANES)
    place_rows(problem, row, 1, rows)
    weigh_targets(problem, rows)
    return place_of_row(problem, rows, 0)


cdef void row_sweep(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    """Chunks [first, last) of one row; other threads have the others."""
    cdef RowGroup rows
    cdef RowPlace place
    cdef SignedRow signed_place
    if problem.b != NULL:
        signed_place = signed_row(problem, row)
        signed_chunks(problem, &signed_place, first, last, stats, <double*>scratch, kind)
        return
    place = place_one(problem, row, &rows)
    if not rows.skip[0]:
        sweep_any(problem, &place, first, last, kept_in_out(problem, place.out, kind), stats, <real*>scratch)


cdef double row_settle(const Problem* problem, Py_ssize_t row, double* stats, char* scratch, real kind) noexcept nogil:
    """The row's value; its state goes behind the chunks' fields."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowGroup rows
    cdef RowPlace place = place_one(problem, row, &rows)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    cdef double folds[N_FIELDS * LANES]
    cdef Settled settled
    cdef Fold fold
    cdef double value
    if problem.b != NULL:
        return signed_value(problem, stats, n_chunks)
    if rows.skip[0]:
        state.state = SKIPPED
        return 0.0
    memset(folds, 0, sizeof(folds))
    fold = fold_chunks(problem, stats, n_chunks, 1, kind)
    keep_fold(&fold, 0, folds)
    rows.x_target[0] = shaped_target(problem, stats[N_FIELDS * n_chunks], place.open, place.target, &rows.slope[0], kind)
    settle_rows(problem, &rows, folds, &settled, kind)
    settled_values(problem, &rows, &settled, 0, &value, kind)
    state[0] = state_of(&settled, 0, False)
    if needs_rest(problem, state):
        state.top_rest += state.probability * rest_of_row(
            problem, &place, state.top, kept_in_out(problem, place.out, kind), stats, <real*>scratch)
    return value


cdef void row_scale(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowGroup rows
    cdef RowPlace place = place_one(problem, row, &rows)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    scale_any(problem, state, &place, first, last, kept_in_out(problem, place.out, kind), stats, <real*>scratch)
