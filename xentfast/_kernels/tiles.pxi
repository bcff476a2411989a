# Rows along the lanes: LANES rows at a time, for few classes and for a class axis that is not the last. Every row goes
# through the same operations in the same order as in rows.pxi, so the bits are the same.
#
# A tile is a matrix [class][row]. Chunk k's sums of row r stand at stats[(field·n_chunks + k)·LANES + r].

cdef struct TileRows:                       # the rows of a tile
    Py_ssize_t count
    Py_ssize_t logits[LANES]                # byte offsets
    Py_ssize_t out[LANES]
    Py_ssize_t soft[LANES]
    Py_ssize_t target[LANES]                # −1 where there is none to leave out
    bint skip[LANES]
    double x_target[LANES]
    double target_mass[LANES]
    double weight[LANES]

cdef struct TileState:
    double top[LANES]
    double value[LANES]
    double scale[LANES]
    double mass_scale[LANES]
    double target[LANES]
    double bad[LANES]
    double n_special                        # rows that are skipped or bad


cdef inline bint adjacent(const Py_ssize_t* offsets, Py_ssize_t count, real kind) noexcept nogil:
    """A full tile of rows side by side in memory."""
    cdef Py_ssize_t row
    if count < LANES or offsets[LANES - 1] - offsets[0] != (LANES - 1) * <Py_ssize_t>sizeof(real):
        return False
    for row in range(1, LANES):
        if offsets[row] - offsets[row - 1] != <Py_ssize_t>sizeof(real):
            return False
    return True


cdef inline void load_tile(const Operand* operand, const Py_ssize_t* offsets, Py_ssize_t count, Py_ssize_t start,
                           Py_ssize_t n, real* tile) noexcept nogil:
    """tile[0 : n][0 : LANES]; zeros where the tile is short of rows."""
    cdef const char* source = operand.data + start * operand.step
    cdef Py_ssize_t row, cls, first = 0
    if real is float:
        if n >= 4 and contiguous_classes(operand, <real>0):
            for first in range(count // 4):
                row = 4 * first
                xf_rows_to_tile_float(
                    <const float*>(source + offsets[row]), <const float*>(source + offsets[row + 1]),
                    <const float*>(source + offsets[row + 2]), <const float*>(source + offsets[row + 3]),
                    n, tile + row, LANES)
            first = count // 4 * 4
    if adjacent(offsets, count, <real>0):
        source = operand.data + offsets[0] + start * operand.step
        for cls in range(n):
            memcpy(tile + cls * LANES, source + cls * operand.step, LANES * sizeof(real))
        return
    for row in range(first, count):
        source = operand.data + offsets[row] + start * operand.step
        for cls in range(n):
            tile[cls * LANES + row] = (<const real*>(source + cls * operand.step))[0]
    for row in range(count, LANES):
        for cls in range(n):
            tile[cls * LANES + row] = 0


cdef inline void store_tile(const Operand* operand, const Py_ssize_t* offsets, Py_ssize_t count, Py_ssize_t start,
                            Py_ssize_t n, const real* tile) noexcept nogil:
    cdef char* target = operand.data + start * operand.step
    cdef Py_ssize_t row, cls, first = 0
    if real is float:
        if n >= 4 and contiguous_classes(operand, <real>0):
            for first in range(count // 4):
                row = 4 * first
                xf_tile_to_rows_float(tile + row, LANES, n, <float*>(target + offsets[row]),
                                      <float*>(target + offsets[row + 1]), <float*>(target + offsets[row + 2]),
                                      <float*>(target + offsets[row + 3]))
            first = count // 4 * 4
    if adjacent(offsets, count, <real>0):
        target = operand.data + offsets[0] + start * operand.step
        for cls in range(n):
            memcpy(target + cls * operand.step, tile + cls * LANES, LANES * sizeof(real))
        return
    for row in range(first, count):
        target = operand.data + offsets[row] + start * operand.step
        for cls in range(n):
            (<real*>(target + cls * operand.step))[0] = tile[cls * LANES + row]


cdef inline void load_tile_mass(const Problem* problem, const TileRows* rows, Py_ssize_t start, Py_ssize_t n,
                                bint without_target, real* mass) noexcept nogil:
    cdef Py_ssize_t row, cls
    if problem.soft.data == NULL:
        for cls in range(n):
            for row in range(LANES):
                mass[cls * LANES + row] = (<const real*>problem.smoothing_mass)[start + cls]
        for row in range(LANES):
            if without_target and start <= rows.target[row] < start + n:
                mass[(rows.target[row] - start) * LANES + row] = 0
        return
    for row in range(LANES):
        for cls in range(n):
            mass[cls * LANES + row] = <real>(
                soft_mass(problem, problem.soft.data + rows.soft[row], start + cls) if row < rows.count else 0.0)


cdef inline void sum_tile(const real* values, Py_ssize_t n, double* sums) noexcept nogil:
    """values[0 : n][LANES] → sums[LANES]: partial sums of every LANES-th class, in strips, then the tree."""
    cdef double lanes[LANES][LANES]             # [class mod LANES][row]
    cdef real strip[LANES]
    cdef Py_ssize_t used = min(n, <Py_ssize_t>LANES), residue, stop, cls, row, width
    for residue in range(used):
        if n <= LANES:
            for row in range(LANES):
                lanes[residue][row] = values[residue * LANES + row]
            continue
        for row in range(LANES):
            lanes[residue][row] = 0.0
        cls = residue
        while cls < n:
            for row in range(LANES):
                strip[row] = 0
            stop = min(cls + STRIP * LANES, n)
            while cls < stop:
                for row in range(LANES):
                    strip[row] += values[cls * LANES + row]
                cls += LANES
            for row in range(LANES):
                lanes[residue][row] += strip[row]
    width = LANES // 2
    while width > 0:
        for residue in range(min(width, used - width)):
            for row in range(LANES):
                lanes[residue][row] += lanes[residue + width][row]
        width //= 2
    for row in range(LANES):
        sums[row] = lanes[0][row]


cdef inline void sweep_tile(real* tile, Py_ssize_t n, const real* mass, real* work, double* stats, Py_ssize_t stride,
                            bint marked, bint massed, bint keep) noexcept nogil:
    """tile[0 : n][LANES] → stats[field·stride + row]; the tile becomes e^{x − reference} where `keep`."""
    cdef real largest[LANES]
    cdef real peaks[LANES]
    cdef real lanes[LANES]
    cdef double* reference = stats + REFERENCE * stride
    cdef const real* source
    cdef real t
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        largest[row] = -INFINITY
        peaks[row] = 0
    for cls in range(n):
        source = tile + cls * LANES
        for row in range(LANES):
            largest[row] = source[row] if source[row] > largest[row] else largest[row]
    for row in range(LANES):
        reference[row] = largest[row]
        largest[row] = 0 if largest[row] == -INFINITY else largest[row]
    if massed:
        for cls in range(n):
            for row in range(LANES):
                t = tile[cls * LANES + row] - largest[row]
                work[cls * LANES + row] = 0 if mass[cls * LANES + row] == 0 else mass[cls * LANES + row] * -t
        sum_tile(work, n, stats + MOMENT * stride)
        sum_tile(mass, n, stats + MASS * stride)
    for cls in range(n):
        for row in range(LANES):
            t = tile[cls * LANES + row] - largest[row]
            lanes[row] = exp_scaled(t)
            if not marked:
                peaks[row] += 1 if t == 0 else 0
                work[cls * LANES + row] = 0 if t == 0 else lanes[row]
        if keep or marked:
            memcpy(tile + cls * LANES, lanes, LANES * sizeof(real))
    sum_tile(tile if marked else work, n, stats + TAIL * stride)
    for row in range(LANES):
        stats[TAIL * stride + row] *= FLOAT_UNIT if real is float else DOUBLE_UNIT
        stats[PEAKS * stride + row] = peaks[row] if reference[row] != -INFINITY else 0.0
        if not massed:
            stats[MASS * stride + row] = 0.0
            stats[MOMENT * stride + row] = 0.0


cdef inline void take_targets(TileRows* rows, real* tile, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Each row's target logit goes to x_target, and −inf into its place."""
    cdef Py_ssize_t row
    cdef real* x
    for row in range(rows.count):
        if start <= rows.target[row] < start + n:
            x = tile + (rows.target[row] - start) * LANES + row
            rows.x_target[row] = x[0]
            x[0] = -INFINITY


cdef inline void keep_fold(const Fold* fold, Py_ssize_t row, double* folds) noexcept nogil:
    """A row's fold as the only chunk of its place in a tile: folds[field·LANES + row]."""
    folds[REFERENCE * LANES + row] = fold.top
    folds[PEAKS * LANES + row] = fold.peaks
    folds[TAIL * LANES + row] = fold.tail
    folds[MASS * LANES + row] = fold.mass
    folds[MOMENT * LANES + row] = fold.moment


cdef inline void settle_tile(const Problem* problem, const TileRows* rows, double* stats, Py_ssize_t n_chunks,
                             TileState* state, bint marked) noexcept nogil:
    cdef Fold fold
    cdef Settled settled
    cdef double folds[N_FIELDS * LANES]             # as the stats of one chunk
    cdef const double* sums = stats
    cdef double gradient_scale = problem.gradient_scale
    cdef double default_mass = 0.0 if problem.soft.data != NULL else 1.0
    cdef Py_ssize_t row
    if n_chunks > 1:
        for row in range(LANES):
            fold = fold_chunks(stats + row, n_chunks, LANES)
            keep_fold(&fold, row, folds)
        sums = folds
    else:
        for row in range(LANES):
            stats[SHARE * LANES + row] = 1.0
    for row in range(LANES):
        fold.top = sums[REFERENCE * LANES + row]
        fold.peaks = sums[PEAKS * LANES + row]
        fold.tail = sums[TAIL * LANES + row]
        fold.mass = sums[MASS * LANES + row]
        fold.moment = sums[MOMENT * LANES + row]
        state.top[row] = fold.top
        if marked:
            settled = settle_marked(fold, rows.x_target[row], rows.target_mass[row], rows.weight[row], gradient_scale)
        else:
            fold.mass += default_mass
            settled = settle_plain(fold, rows.weight[row], gradient_scale)
        state.value[row] = settled.value
        state.scale[row] = settled.scale
        state.mass_scale[row] = settled.mass_scale
        state.target[row] = settled.target
        state.bad[row] = settled.bad
    state.n_special = 0.0
    for row in range(rows.count):
        state.n_special += state.bad[row] + <double>rows.skip[row]


cdef inline void scale_tile(const Problem* problem, const TileRows* rows, const TileState* state, const double* share,
                            const real* mass, real* tile, Py_ssize_t n, bint massed) noexcept nogil:
    """Exponentials → gradients, in place, without the targets and the bad rows."""
    cdef real first[LANES]
    cdef real second[LANES]
    cdef real least[LANES]
    cdef real mass_scale[LANES]
    cdef real q, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Factor factor
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        factor = factor_of(<real>0, state.scale[row] * share[row])
        first[row] = <real>factor.first
        second[row] = <real>factor.second
        least[row] = <real>(INFINITY if rows.skip[row] else factor.least)
        mass_scale[row] = <real>state.mass_scale[row]
    for cls in range(n):
        for row in range(LANES):
            q = tile[cls * LANES + row] * first[row] * second[row] if tile[cls * LANES + row] >= least[row] else 0
            if massed:
                q -= mass_scale[row] * mass[cls * LANES + row]
                q = 0 if -smallest < q < smallest else q
            tile[cls * LANES + row] = q


cdef inline void log_tile(const TileState* state, real* tile, Py_ssize_t n) noexcept nogil:
    cdef real top[LANES]
    cdef real log_sum[LANES]
    cdef real y, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        top[row] = <real>state.top[row]
        log_sum[row] = rounded(<real>0, state.value[row])
    for cls in range(n):
        for row in range(LANES):
            y = (tile[cls * LANES + row] - top[row]) - log_sum[row]
            tile[cls * LANES + row] = 0 if -smallest < y < smallest else y


cdef inline void mend_rows(const TileRows* rows, const TileState* state, Py_ssize_t start, Py_ssize_t n, bint marked,
                           real* tile) noexcept nogil:
    """What is not a product: the targets' gradients, and rows that are skipped or bad."""
    cdef Py_ssize_t row, cls
    cdef real value
    cdef real targets[LANES]
    if marked:
        for row in range(LANES):
            targets[row] = rounded(<real>0, state.target[row])
        for row in range(rows.count):
            if start <= rows.target[row] < start + n:
                tile[(rows.target[row] - start) * LANES + row] = targets[row]
    if state.n_special == 0.0:
        return
    for row in range(rows.count):
        if rows.skip[row] or state.bad[row] != 0.0:
            value = 0 if rows.skip[row] else NAN
            for cls in range(n):
                tile[cls * LANES + row] = value


cdef inline void place_tile(const Problem* problem, Py_ssize_t first, Py_ssize_t count, TileRows* rows) noexcept nogil:
    cdef Py_ssize_t row
    rows.count = count
    row_offsets(problem, &problem.logits, first, count, rows.logits)
    if problem.out.data != NULL:
        row_offsets(problem, &problem.out, first, count, rows.out)
    if problem.soft.data != NULL:
        row_offsets(problem, &problem.soft, first, count, rows.soft)
    for row in range(LANES):
        rows.target[row] = -1
        rows.skip[row] = row >= count
        rows.x_target[row] = 0.0
        rows.target_mass[row] = 1.0
        rows.weight[row] = 1.0
    if problem.classes != NULL:
        for row in range(count):
            rows.target[row] = problem.classes[first + row]
            rows.skip[row] |= rows.target[row] < 0
    if problem.sample_weight != NULL:
        for row in range(count):
            rows.weight[row] = problem.sample_weight[first + row]
            rows.skip[row] |= rows.weight[row] == 0.0
        for row in range(count):
            rows.target[row] = -1 if rows.skip[row] else rows.target[row]
    if problem.classes != NULL and (problem.smoothing != 0.0 or problem.class_weight != NULL):
        for row in range(count):
            if not rows.skip[row]:
                rows.target_mass[row] = target_mass_of(problem, rows.target[row])


cdef inline void tile_values(const Problem* problem, const TileRows* rows, const TileState* state, double* row_values,
                             real kind) noexcept nogil:
    cdef RowState one
    cdef Py_ssize_t row
    for row in range(rows.count):
        row_values[row] = state.value[row]
        if problem.result == LOGSUMEXP:
            row_values[row] += state.top[row]
    if state.n_special == 0.0:
        return
    for row in range(rows.count):
        if rows.skip[row]:
            row_values[row] = 0.0
        elif state.bad[row] != 0.0:
            one.state = BAD
            one.top = state.top[row]
            row_values[row] = row_value(problem, &one, problem.logits.data + rows.logits[row], kind)


cdef inline void run_tile(const Problem* problem, Py_ssize_t first, Py_ssize_t count, double* stats, real* tile,
                          real* mass, real* work, double* row_values, bint marked, bint massed) noexcept nogil:
    """One tile of rows, from load to store."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint keep = keeps_exponentials(problem)
    cdef TileRows rows
    cdef TileState state
    cdef Py_ssize_t k, start, n
    place_tile(problem, first, count, &rows)
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        load_tile(&problem.logits, rows.logits, count, start, n, tile)
        if massed:
            load_tile_mass(problem, &rows, start, n, marked, mass)
        if marked:
            take_targets(&rows, tile, start, n)
        sweep_tile(tile, n, mass, work, stats + k * LANES, n_chunks * LANES, marked, massed, keep)
        if keep and n_chunks > 1:
            store_tile(&problem.out, rows.out, count, start, n, tile)
    settle_tile(problem, &rows, stats, n_chunks, &state, marked)
    tile_values(problem, &rows, &state, row_values, <real>0)
    if not writes_classes(problem):
        return
    for k in range(n_chunks):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        if n_chunks > 1:
            if keep:
                load_tile(&problem.out, rows.out, count, start, n, tile)
            else:
                load_tile(&problem.logits, rows.logits, count, start, n, tile)
        if massed and (n_chunks > 1 or marked):
            load_tile_mass(problem, &rows, start, n, False, mass)
        if keep:
            scale_tile(problem, &rows, &state, stats + (SHARE * n_chunks + k) * LANES, mass, tile, n, massed)
        else:
            log_tile(&state, tile, n)
        mend_rows(&rows, &state, start, n, marked, tile)
        store_tile(&problem.out, rows.out, count, start, n, tile)
