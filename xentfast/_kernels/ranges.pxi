# The kernels of the table: a range of rows, by rows or by tiles.


cdef inline void rows_of_tile(const Problem* problem, Py_ssize_t first, Py_ssize_t count, double* stats, real* buffer,
                              real* aside, double* row_values, bint writes) noexcept nogil:
    """Up to LANES rows, each by itself; what is left to do for each row in double is done for all of them side by side."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef double folds[N_FIELDS * LANES]
    cdef TileRows rows
    cdef TileState tile_state
    cdef RowPlace place
    cdef RowState state
    cdef Fold fold
    cdef real* kept
    cdef Py_ssize_t row
    memset(folds, 0, sizeof(folds))
    place_tile(problem, first, count, &rows)
    for row in range(count):
        place.logits = problem.logits.data + rows.logits[row]
        place.soft = problem.soft.data + rows.soft[row] if problem.soft.data != NULL else NULL
        place.open = problem.where.data + rows.open[row] if problem.where.data != NULL else NULL
        place.out = problem.out.data + rows.out[row] if writes else NULL
        place.hess = problem.hess.data + rows.hess[row] if problem.hess.data != NULL else NULL
        place.target = rows.target[row]
        place.spread = rows.spread[row]
        kept = aside if problem.stream or problem.aside else kept_in_out(problem, place.out, <real>0)
        state.state = SKIPPED
        if not rows.skip[row]:
            sweep_any(problem, &place, 0, n_chunks, kept, stats, buffer)
            fold = fold_chunks(stats, n_chunks, 1, problem.unit)
            keep_fold(&fold, row, folds)
            rows.x_target[row] = shaped_target(problem, stats[N_FIELDS * n_chunks], place.open, place.target, &rows.slope[row],
                                               <real>0)
            if writes:
                state = settle_fold(problem, fold, rows.x_target[row], rows.target_mass[row], rows.slope[row], rows.weight[row])
                if needs_rest(problem, &state.settled):
                    state.settled.top_rest += rest_of_row(problem, &place, kept, stats, buffer) * state.settled.probability
        if writes:
            scale_any(problem, &state, &place, 0, n_chunks, kept, stats, buffer)
    if problem.classes != NULL and is_plain(problem):
        settle_tile(problem, &rows, folds, 1, &tile_state, True, True)
    elif problem.classes != NULL:
        settle_tile(problem, &rows, folds, 1, &tile_state, True, False)
    else:
        settle_tile(problem, &rows, folds, 1, &tile_state, False, False)
    tile_values(problem, &rows, &tile_state, row_values, <real>0)


cdef void rows_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                     real kind) noexcept nogil:
    """Rows [first, last). Scratch: stats, the buffers of a row, and where exponentials wait for streaming, a row of them."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef double* stats = <double*>scratch
    cdef real* buffer = <real*>(stats + N_FIELDS * n_chunks + 8)       # a cache line for the target's logit
    cdef Py_ssize_t start = first
    while start < last:
        rows_of_tile(problem, start, min(<Py_ssize_t>LANES, last - start), stats, buffer, buffer + 5 * chunk_length(kind),
                     row_values + start - first, writes_classes(problem))
        start += LANES
    if problem.stream:
        xf_stream_done()


cdef void tiles_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                      real kind) noexcept nogil:
    """Rows [first, last), a tile at a time. Scratch: stats, and three matrices of a chunk."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Py_ssize_t matrix = min(problem.n_classes, chunk_length(kind)) * LANES
    cdef double* stats = <double*>scratch
    cdef real* tile = <real*>(stats + N_FIELDS * n_chunks * LANES)
    cdef real* mass = tile + matrix
    cdef real* work = mass + matrix
    cdef Py_ssize_t index, start, count
    for index in range((last - first + LANES - 1) // LANES):
        start = first + index * LANES
        count = min(<Py_ssize_t>LANES, last - start)
        if problem.classes != NULL and has_mass(problem):
            run_tile(problem, start, count, stats, tile, mass, work, row_values + start - first, True, True)
        elif problem.classes != NULL:
            run_tile(problem, start, count, stats, tile, mass, work, row_values + start - first, True, False)
        elif has_mass(problem):
            run_tile(problem, start, count, stats, tile, mass, work, row_values + start - first, False, True)
        else:
            run_tile(problem, start, count, stats, tile, mass, work, row_values + start - first, False, False)
