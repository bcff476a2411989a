# Rows along the lanes: LANES rows at a time, for few classes and for a class axis that is not the last. Every row goes
# through the same operations in the same order as in rows.pxi, so the bits are the same.
#
# A tile is a matrix [class][row]. Chunk k's sums of row r stand at stats[(field·n_chunks + k)·LANES + r].


cdef inline void settle_tile(const Problem* problem, RowGroup* rows, double* stats, Py_ssize_t n_chunks,
                             Settled* settled, real kind) noexcept nogil:
    """Folds the chunks of each row, and settles the rows."""
    cdef double folds[N_FIELDS * LANES]             # as the stats of one chunk
    cdef Fold fold
    cdef Py_ssize_t row
    if n_chunks == 1:
        for row in range(LANES):
            stats[SHARE * LANES + row] = 1.0
        settle_rows(problem, rows, stats, settled, kind)
        return
    for row in range(LANES):
        fold = fold_chunks(problem, stats + row, n_chunks, LANES, kind)
        keep_fold(&fold, row, folds)
    settle_rows(problem, rows, folds, settled, kind)


cdef inline void scale_tile(const RowGroup* rows, const Settled* settled, Py_ssize_t lead, const double* share,
                            const real* mass, real* tile, Py_ssize_t n, Ahead ahead, const real* at, bint massed,
                            bint few) noexcept nogil:
    """Exponentials → gradients, in place, without the targets and the bad rows; of few classes, with the targets, which are `at`.
    Row 0 is row `lead` of those that were settled."""
    cdef real targets[LANES]
    cdef real first[LANES]
    cdef real second[LANES]
    cdef real least[LANES]
    cdef real mass_scale[LANES]
    cdef real q, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Factor factor
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        factor = factor_of(<real>0, settled.scale[lead + row] if few else settled.scale[row] * share[row])
        first[row] = <real>factor.first
        second[row] = <real>factor.second
        least[row] = <real>(INFINITY if rows.skip[row] else factor.least)
        mass_scale[row] = <real>settled.mass_scale[lead + row]
        if few:
            targets[row] = rounded(<real>0, settled.target[lead + row])
    for cls in range(n):
        fetch_ahead(ahead, cls, <real>0)
        for row in range(LANES):
            q = tile[cls * LANES + row] * first[row] * second[row] if tile[cls * LANES + row] >= least[row] else 0
            if massed:
                q -= mass_scale[row] * mass[cls * LANES + row]
                q = 0 if -smallest < q < smallest else q
            if few:
                q = targets[row] if at[row] == <real>cls else q
            tile[cls * LANES + row] = q


cdef inline void log_tile(const Settled* settled, real* tile, Py_ssize_t n) noexcept nogil:
    cdef real top[LANES]
    cdef real log_sum[LANES]
    cdef real y, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        top[row] = <real>settled.top[row]
        log_sum[row] = rounded(<real>0, settled.value[row])
    for cls in range(n):
        for row in range(LANES):
            y = (tile[cls * LANES + row] - top[row]) - log_sum[row]
            tile[cls * LANES + row] = 0 if -smallest < y < smallest else y


cdef inline void mend_rows(const Problem* problem, const RowGroup* rows, const Settled* settled, Py_ssize_t lead,
                           Py_ssize_t start, Py_ssize_t n, bint marked, real* tile) noexcept nogil:
    """What is not a product: the targets' gradients, and rows that are skipped or bad."""
    cdef Py_ssize_t row
    cdef real targets[LANES]
    if marked:
        for row in range(LANES):
            targets[row] = rounded(<real>0, settled.target[row])
        for row in range(rows.count):
            if start <= rows.target[row] < start + n:
                tile[(rows.target[row] - start) * LANES + row] = targets[row]
    if settled.n_special == 0:
        return
    for row in range(rows.count):
        if rows.skip[row] or settled.bad[lead + row] != 0.0:
            fill_row(problem, rows, row, start, n, tile)


cdef void remake_tile(const Problem* problem, const RowGroup* rows, const double* reference, Py_ssize_t start,
                      Py_ssize_t n, real* tile, real* slopes, real* work, bint massed) noexcept nogil:
    """As remake_chunk, a tile of exponentials."""
    load_logits(problem, rows, start, n, tile, work)
    tile_exponentials(problem, tile, n, reference, nowhere(), tile, NULL, NULL, NULL, slopes if problem.cap != 0.0 else NULL)
    if problem.cap != 0.0 and not massed:
        multiply(tile, slopes, n * LANES)


cdef inline void run_tile(const Problem* problem, Py_ssize_t first, Py_ssize_t count, RowGroup* rows, Settled* settled,
                          double* stats, real* tile, real* mass, real* work, double* row_values, bint marked,
                          bint massed) noexcept nogil:
    """One tile of rows, from load to store."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint again = problem.again and makes_exponentials(problem) and (n_chunks > 1 or (massed and problem.cap != 0.0))
    cdef bint keep = makes_exponentials(problem) and not again
    cdef Ahead ahead
    cdef Py_ssize_t k, start, n, row
    cdef bint reloads, rested = False
    cdef real tops[LANES]               # what the Hessian asks for of each row's largest class
    place_rows(problem, first, count, rows)
    weigh_targets(problem, rows)
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        load_logits(problem, rows, start, n, tile, work)
        if massed:
            load_tile_mass(problem, rows, start, n, marked, True, mass, work)
        if marked:
            take_targets(rows, tile, start, n)
        ahead = ahead_of(&problem.logits, problem.type, problem.n_classes, rows.logits, count, start, <real>0)
        sweep_tile(problem, rows, tile, start, n, mass, work, stats + k * LANES, n_chunks * LANES, ahead, marked, massed, keep)
        if keep and n_chunks > 1:
            store_tile(&problem.out, problem.type, rows.out, count, start, n, tile, work)
    shape_targets(problem, rows, <real>0)
    settle_tile(problem, rows, stats, n_chunks, settled, <real>0)
    settled_values(problem, rows, settled, 0, row_values, <real>0)
    if not writes_classes(problem):
        return
    if problem.hess.data != NULL and marked and any_needs_rest(settled, 0, count):
        rested = True
        for k in range(n_chunks):
            start = k * chunk_length(<real>0)
            n = min(chunk_length(<real>0), problem.n_classes - start)
            if again:
                remake_tile(problem, rows, stats + k * LANES, start, n, tile, mass, work, massed)
            elif n_chunks > 1:
                load_tile(&problem.out, problem.type, rows.out, count, start, n, tile, work)
            top_exponentials(problem, stats + (REFERENCE * n_chunks + k) * LANES, tops)
            for row in range(count):
                if start <= rows.target[row] < start + n:
                    tile[(rows.target[row] - start) * LANES + row] = 0
            sum_rests(tile, n, stats + (REFERENCE * n_chunks + k) * LANES, stats + (SHARE * n_chunks + k) * LANES, tops, settled,
                      0, count, work)
        add_rests(settled, 0)
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        reloads = massed and (n_chunks > 1 or marked or again or problem.where.data != NULL or problem.hess.data != NULL)
        if reloads and problem.cap != 0.0:                  # before the slopes take `work`
            load_tile_mass(problem, rows, start, n, False, False, mass, work)
        if again:
            remake_tile(problem, rows, stats + k * LANES, start, n, tile, work if massed else mass, work, massed)
        elif n_chunks > 1 and keep:
            load_tile(&problem.out, problem.type, rows.out, count, start, n, tile, work)
        elif n_chunks > 1:
            load_logits(problem, rows, start, n, tile, work)
        if problem.hess.data != NULL:                       # takes the masses' matrix
            if n_chunks > 1 or not rested:
                top_exponentials(problem, stats + (REFERENCE * n_chunks + k) * LANES, tops)
            hess_tile(problem, rows, settled, stats + k * LANES, n_chunks * LANES, start, n, tile, tops, mass, work)
        if reloads and problem.cap == 0.0:
            load_tile_mass(problem, rows, start, n, False, False, mass, work)
        if makes_exponentials(problem):
            ahead = ahead_of(&problem.out, problem.type, problem.n_classes, rows.out, count, start, <real>0)
            scale_tile(rows, settled, 0, stats + (SHARE * n_chunks + k) * LANES, mass, tile, n, ahead, NULL, massed, False)
            if again and massed and problem.cap != 0.0:
                multiply(tile, work, n * LANES)
        else:
            log_tile(settled, tile, n)
        mend_rows(problem, rows, settled, 0, start, n, marked, tile)
        store_tile(&problem.out, problem.type, rows.out, count, start, n, tile, work)


cdef inline bint few_classes(const Problem* problem) noexcept nogil:
    """Whether comparing targets with all classes is less work than to place them one by one, and settling waits for itself most
    of the time."""
    return (problem.n_classes <= FEW_CLASSES and is_optionless(problem) and is_bare(problem)
            and (problem.hess.data == NULL or problem.classes != NULL))


cdef inline void run_pair(const Problem* problem, Py_ssize_t first, Py_ssize_t count, RowGroup* pair, Settled* settled,
                          double* stats, real* tiles, real* work, double* row_values, bint own, bint curved) noexcept nogil:
    """Two tiles of few classes, or what is left of them, from load to store. `curved`: with the Hessian, for which `work` has a
    second matrix."""
    cdef Py_ssize_t n = problem.n_classes, n_tiles = 2 if count > LANES else 1, tile, row
    cdef double x_target[PAIR]
    cdef real at[PAIR]
    cdef Ahead ahead[2]
    cdef RowGroup* rows
    cdef real* matrix
    for tile in range(n_tiles):
        rows = pair + tile
        place_rows(problem, first + tile * LANES, min(<Py_ssize_t>LANES, count - tile * LANES), rows)
        for row in range(LANES):
            at[tile * LANES + row] = <real><int>rows.target[row]
        load_logits(problem, rows, 0, n, tiles + tile * n * LANES, work)
        ahead[tile] = ahead_of(&problem.logits, problem.type, n, rows.logits, rows.count, 0, <real>0)
    if n_tiles == 2:
        sweep_few(problem, at, tiles, 2, ahead, stats, x_target, own)
        if curved:
            settle_curved_pair(problem, pair, stats, x_target, settled, <real>0)
        else:
            settle_pair(problem, pair, stats, x_target, settled, <real>0)
    else:
        sweep_few(problem, at, tiles, 1, ahead, stats, x_target, own)
        for row in range(LANES):
            pair.x_target[row] = x_target[row]
        settle_rows(problem, pair, stats, settled, <real>0)
    for tile in range(n_tiles):
        rows = pair + tile
        matrix = tiles + tile * n * LANES
        settled_values(problem, rows, settled, tile * LANES, row_values + tile * LANES, <real>0)
        if problem.out.data == NULL:
            continue
        if curved:
            hess_few(problem, rows, settled, tile * LANES, stats + REFERENCE * n_tiles * LANES + tile * LANES, matrix,
                     at + tile * LANES, work + n * LANES, work)
        ahead[tile] = ahead_of(&problem.out, problem.type, n, rows.out, rows.count, 0, <real>0)
        scale_tile(rows, settled, tile * LANES, NULL, NULL, matrix, n, ahead[tile], at + tile * LANES, False, True)
        mend_rows(problem, rows, settled, tile * LANES, 0, n, False, matrix)
        store_tile(&problem.out, problem.type, rows.out, rows.count, 0, n, matrix, work)


cdef Py_ssize_t tiles_scratch(const Problem* problem, real kind) noexcept nogil:
    """Bytes: rows and how they are settled, too much for a small stack; their stats, and matrices of a chunk."""
    return (sizeof(Settled) + 2 * sizeof(RowGroup) + N_FIELDS * chunk_count(problem, kind) * LANES * 8
            + (4 if few_classes(problem) else 3) * min(problem.n_classes, chunk_length(kind)) * LANES * <Py_ssize_t>sizeof(real))


cdef inline void run_pairs(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* pair, Settled* settled,
                           double* stats, real* tiles, real* work, double* row_values, bint own, bint curved) noexcept nogil:
    cdef Py_ssize_t start = first
    blank_rows(problem, pair, LANES)
    blank_rows(problem, pair + 1, LANES)
    while start < last:
        run_pair(problem, start, min(<Py_ssize_t>PAIR, last - start), pair, settled, stats, tiles, work,
                 row_values + start - first, own, curved)
        start += PAIR


cdef inline void run_tiles(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* rows, Settled* settled,
                           double* stats, real* tile, real* mass, real* work, double* row_values, bint marked,
                           bint massed) noexcept nogil:
    cdef Py_ssize_t start = first
    blank_rows(problem, rows, LANES)
    while start < last:
        run_tile(problem, start, min(<Py_ssize_t>LANES, last - start), rows, settled, stats, tile, mass, work,
                 row_values + start - first, marked, massed)
        start += LANES


# Each case is a function of its own: their frames do not add up.


cdef void pairs_of_targets(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* pair, Settled* settled,
                           double* stats, real* tiles, real* work, double* row_values) noexcept nogil:
    run_pairs(problem, first, last, pair, settled, stats, tiles, work, row_values, False, False)


cdef void curved_pairs(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* pair, Settled* settled,
                       double* stats, real* tiles, real* work, double* row_values) noexcept nogil:
    run_pairs(problem, first, last, pair, settled, stats, tiles, work, row_values, False, True)


cdef void pairs_of_largest(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* pair, Settled* settled,
                           double* stats, real* tiles, real* work, double* row_values) noexcept nogil:
    run_pairs(problem, first, last, pair, settled, stats, tiles, work, row_values, True, False)


cdef void tiles_of_both(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* rows, Settled* settled,
                        double* stats, real* tile, real* mass, real* work, double* row_values) noexcept nogil:
    run_tiles(problem, first, last, rows, settled, stats, tile, mass, work, row_values, True, True)


cdef void tiles_of_targets(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* rows, Settled* settled,
                           double* stats, real* tile, real* mass, real* work, double* row_values) noexcept nogil:
    run_tiles(problem, first, last, rows, settled, stats, tile, mass, work, row_values, True, False)


cdef void tiles_of_masses(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* rows, Settled* settled,
                          double* stats, real* tile, real* mass, real* work, double* row_values) noexcept nogil:
    run_tiles(problem, first, last, rows, settled, stats, tile, mass, work, row_values, False, True)


cdef void tiles_of_logits(const Problem* problem, Py_ssize_t first, Py_ssize_t last, RowGroup* rows, Settled* settled,
                          double* stats, real* tile, real* mass, real* work, double* row_values) noexcept nogil:
    run_tiles(problem, first, last, rows, settled, stats, tile, mass, work, row_values, False, False)


cdef void tiles_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                      real kind) noexcept nogil:
    """Rows [first, last), a tile at a time. Scratch: as tiles_scratch has it."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Py_ssize_t matrix = min(problem.n_classes, chunk_length(kind)) * LANES
    cdef Settled* settled = <Settled*>scratch
    cdef RowGroup* rows = <RowGroup*>(settled + 1)
    cdef double* stats = <double*>(rows + 2)
    cdef real* tile = <real*>(stats + N_FIELDS * n_chunks * LANES)
    cdef real* mass = tile + matrix
    cdef real* work = mass + matrix
    cdef bint marked = problem.classes != NULL, massed = has_mass(problem)
    if few_classes(problem) and problem.hess.data != NULL:
        curved_pairs(problem, first, last, rows, settled, stats, tile, work, row_values)
    elif few_classes(problem) and marked:
        pairs_of_targets(problem, first, last, rows, settled, stats, tile, work, row_values)
    elif few_classes(problem):
        pairs_of_largest(problem, first, last, rows, settled, stats, tile, work, row_values)
    elif marked and massed:
        tiles_of_both(problem, first, last, rows, settled, stats, tile, mass, work, row_values)
    elif marked:
        tiles_of_targets(problem, first, last, rows, settled, stats, tile, mass, work, row_values)
    elif massed:
        tiles_of_masses(problem, first, last, rows, settled, stats, tile, mass, work, row_values)
    else:
        tiles_of_logits(problem, first, last, rows, settled, stats, tile, mass, work, row_values)
