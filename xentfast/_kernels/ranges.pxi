# The kernels of the table: a range of rows, by rows or by tiles; and one row over the threads.

cdef enum:
    GROUP_BYTES = 32768         # logits of the rows that are settled together before their second sweep: they stay in L1


cdef inline Py_ssize_t rows_at_once(const Problem* problem, Py_ssize_t itemsize) noexcept nogil:
    cdef Py_ssize_t row_bytes = problem.n_classes * itemsize
    return min(<Py_ssize_t>LANES, max(<Py_ssize_t>1, GROUP_BYTES // row_bytes)) if writes_classes(problem) else LANES


cdef inline Py_ssize_t stats_length(const Problem* problem, Py_ssize_t n_chunks) noexcept nogil:
    """Doubles from one row's stats to the next one's: its chunks' fields and its target's logit, in whole cache lines. Where
    nothing is written there is no second sweep that would read them."""
    return (N_FIELDS * n_chunks + 8) // 8 * 8 if writes_classes(problem) else 0


cdef inline void rows_of_group(const Problem* problem, Py_ssize_t first, Py_ssize_t count, double* stats, real* buffer,
                               real* aside, double* row_values) noexcept nogil:
    """Up to LANES rows: the first sweep of each, then what is left to do for each row in double, for all of them side by side,
    then the second sweep of each."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef Py_ssize_t stride = stats_length(problem, n_chunks)
    cdef double folds[N_FIELDS * LANES]
    cdef TileRows rows
    cdef Settled settled
    cdef RowPlace place
    cdef RowState state
    cdef Fold fold
    cdef double* own
    cdef real* kept
    cdef Py_ssize_t row
    memset(folds, 0, sizeof(folds))
    blank_rows(problem, &rows)
    place_tile(problem, first, count, &rows)
    weigh_targets(problem, &rows)
    for row in range(count):
        if rows.skip[row]:
            continue
        own = stats + row * stride
        place = place_of_row(problem, &rows, row)
        kept = kept_of(problem, &place, aside, row)
        sweep_any(problem, &place, 0, n_chunks, kept, own, buffer)
        fold = fold_chunks(own, n_chunks, 1, problem.unit)
        keep_fold(&fold, row, folds)
        rows.x_target[row] = shaped_target(problem, own[N_FIELDS * n_chunks], place.open, place.target, &rows.slope[row], <real>0)
    settle_rows(problem, &rows, folds, &settled)
    tile_values(problem, &rows, &settled, row_values, <real>0)
    if not writes_classes(problem):
        return
    for row in range(count):
        own = stats + row * stride
        place = place_of_row(problem, &rows, row)
        kept = kept_of(problem, &place, aside, row)
        state = state_of(&settled, row, rows.skip[row])
        if state.state != SKIPPED and needs_rest(problem, &state):
            state.top_rest += rest_of_row(problem, &place, kept, own, buffer) * state.probability
        scale_any(problem, &state, &place, 0, n_chunks, kept, own, buffer)


cdef inline RowPlace place_of_row(const Problem* problem, const TileRows* rows, Py_ssize_t row) noexcept nogil:
    cdef RowPlace place
    place.logits = problem.logits.data + rows.logits[row]
    place.soft = problem.soft.data + rows.soft[row] if problem.soft.data != NULL else NULL
    place.open = problem.where.data + rows.open[row] if problem.where.data != NULL else NULL
    place.out = problem.out.data + rows.out[row] if problem.out.data != NULL else NULL
    place.hess = problem.hess.data + rows.hess[row] if problem.hess.data != NULL else NULL
    place.target = rows.target[row]
    place.spread = rows.spread[row]
    return place


cdef inline real* kept_of(const Problem* problem, const RowPlace* place, real* aside, Py_ssize_t row) noexcept nogil:
    """Where the exponentials of a row of a group wait for the second sweep."""
    return aside + row * problem.n_classes if problem.stream or problem.aside else kept_in_out(problem, place.out, <real>0)


cdef void rows_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                     real kind) noexcept nogil:
    """Rows [first, last). Scratch: a group's stats, the buffers of a row, and exponentials that wait for
    the second sweep elsewhere than in `out`."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Py_ssize_t group = rows_at_once(problem, sizeof(real))
    cdef double* stats = <double*>scratch
    cdef real* buffer = <real*>(stats + rows_stats(problem, n_chunks, sizeof(real)))
    cdef Py_ssize_t start = first
    while start < last:
        rows_of_group(problem, start, min(group, last - start), stats, buffer, buffer + 5 * chunk_length(kind),
                      row_values + start - first)
        start += group
    if problem.stream:
        xf_stream_done()


cdef inline Py_ssize_t rows_stats(const Problem* problem, Py_ssize_t n_chunks, Py_ssize_t itemsize) noexcept nogil:
    """Doubles for the stats of all rows of a group."""
    return max(N_FIELDS * n_chunks + 8, rows_at_once(problem, itemsize) * stats_length(problem, n_chunks))


cdef void tiles_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                      real kind) noexcept nogil:
    """Rows [first, last), a tile at a time. Scratch: stats, and three matrices of a chunk."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Py_ssize_t matrix = min(problem.n_classes, chunk_length(kind)) * LANES
    cdef double* stats = <double*>scratch
    cdef real* tile = <real*>(stats + N_FIELDS * n_chunks * LANES)
    cdef real* mass = tile + matrix
    cdef real* work = mass + matrix
    cdef TileRows rows
    cdef Py_ssize_t index, start, count
    blank_rows(problem, &rows)
    for index in range((last - first + LANES - 1) // LANES):
        start = first + index * LANES
        count = min(<Py_ssize_t>LANES, last - start)
        if problem.classes != NULL and has_mass(problem):
            run_tile(problem, start, count, &rows, stats, tile, mass, work, row_values + start - first, True, True)
        elif problem.classes != NULL:
            run_tile(problem, start, count, &rows, stats, tile, mass, work, row_values + start - first, True, False)
        elif has_mass(problem):
            run_tile(problem, start, count, &rows, stats, tile, mass, work, row_values + start - first, False, True)
        else:
            run_tile(problem, start, count, &rows, stats, tile, mass, work, row_values + start - first, False, False)


# ---- one row, its chunks cut over the threads


cdef inline RowPlace place_one(const Problem* problem, Py_ssize_t row, TileRows* rows) noexcept nogil:
    blank_rows(problem, rows)
    place_tile(problem, row, 1, rows)
    weigh_targets(problem, rows)
    return place_of_row(problem, rows, 0)


cdef void row_sweep(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    """Chunks [first, last) of one row; other threads have the others."""
    cdef TileRows rows
    cdef RowPlace place = place_one(problem, row, &rows)
    if not skipped(problem, row):
        sweep_any(problem, &place, first, last, kept_in_out(problem, place.out, kind), stats, <real*>scratch)


cdef double row_settle(const Problem* problem, Py_ssize_t row, double* stats, char* scratch, real kind) noexcept nogil:
    """The row's value; its state goes behind the chunks' fields."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef TileRows rows
    cdef RowPlace place = place_one(problem, row, &rows)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    cdef double folds[N_FIELDS * LANES]
    cdef Settled settled
    cdef Fold fold
    cdef double value
    if skipped(problem, row):
        state.state = SKIPPED
        return 0.0
    memset(folds, 0, sizeof(folds))
    fold = fold_chunks(stats, n_chunks, 1, problem.unit)
    keep_fold(&fold, 0, folds)
    rows.x_target[0] = shaped_target(problem, stats[N_FIELDS * n_chunks], place.open, place.target, &rows.slope[0], kind)
    settle_rows(problem, &rows, folds, &settled)
    tile_values(problem, &rows, &settled, &value, kind)
    state[0] = state_of(&settled, 0, False)
    if needs_rest(problem, state):
        state.top_rest += state.probability * rest_of_row(
            problem, &place, kept_in_out(problem, place.out, kind), stats, <real*>scratch)
    return value


cdef void row_scale(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef TileRows rows
    cdef RowPlace place = place_one(problem, row, &rows)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    scale_any(problem, state, &place, first, last, kept_in_out(problem, place.out, kind), stats, <real*>scratch)
