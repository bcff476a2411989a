# The first sweep of a tile, a chunk's classes at a time: its rows' references, sums and targets; what is kept for the second.


cdef inline void sum_tile(const real* values, Py_ssize_t n, double* sums) noexcept nogil:
    """values[0 : n][LANES] → sums[LANES]: partial sums of every LANES-th class, in strips, then the tree."""
    cdef double lanes[LANES][LANES]             # [class mod LANES][row]
    cdef real strip[LANES]
    cdef Py_ssize_t used = min(n, <Py_ssize_t>LANES), residue, stop, cls, row, width = LANES // 2
    if n <= LANES:              # every class is a partial sum, and the tree's first step reads them where they are
        while width >= n:
            width //= 2
        for residue in range(max(width, 1)):
            for row in range(LANES):
                lanes[residue][row] = values[residue * LANES + row]
            if residue + width < n and width > 0:
                for row in range(LANES):
                    lanes[residue][row] += values[(residue + width) * LANES + row]
        used = width
    else:
        for residue in range(used):
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
    while width > 0:
        for residue in range(min(width, used - width)):
            for row in range(LANES):
                lanes[residue][row] += lanes[residue + width][row]
        width //= 2
    for row in range(LANES):
        sums[row] = lanes[0][row]


cdef void shape_tile(const Problem* problem, real* tile, Py_ssize_t n, const double* reference, real* slopes) noexcept nogil:
    """shape_chunk, a tile; `slopes` may be NULL."""
    cdef double c[LANES]
    cdef double capped[LANES]
    cdef double scale = problem.scale
    cdef Cap cap
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        c[row] = 0.0 if reference[row] == -INFINITY else reference[row]
    if problem.cap == 0.0:
        for cls in range(n):
            for row in range(LANES):
                tile[cls * LANES + row] = below(<real>((<double>tile[cls * LANES + row] - c[row]) * scale))
        return
    cap = cap_of(problem)
    for cls in range(n):
        cap_values(&cap, tile + cls * LANES, LANES, capped, slopes + cls * LANES if slopes != NULL else NULL)
        for row in range(LANES):
            tile[cls * LANES + row] = below(<real>(capped[row] - c[row]))


cdef inline void sweep_tile(const Problem* problem, real* tile, Py_ssize_t n, real* mass, real* work, double* stats,
                            Py_ssize_t stride, Ahead ahead, bint marked, bint massed, bint keep) noexcept nogil:
    """tile[0 : n][LANES] → stats[field·stride + row]; the tile becomes e^{x − reference} where `keep`. Without masses their
    matrix has the slopes of a cap."""
    cdef bint sloped = keep and not massed and problem.cap != 0.0
    cdef bint scaled = is_scaled(problem)
    cdef Rate rate
    cdef real largest[LANES]
    cdef real peaks[LANES]
    cdef real lanes[LANES]
    cdef double* reference = stats + REFERENCE * stride
    cdef const real* source
    cdef real t
    cdef Py_ssize_t cls, row
    if scaled:
        rate = rate_of(problem.scale, <real>0)
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
    if is_shaped(problem):
        for row in range(LANES):
            reference[row] = reference_of(problem, <real>reference[row])
            largest[row] = 0
        shape_tile(problem, tile, n, reference, mass if sloped else NULL)
    if massed:
        for cls in range(n):
            for row in range(LANES):
                t = tile[cls * LANES + row] - largest[row]
                work[cls * LANES + row] = 0 if mass[cls * LANES + row] == 0 else mass[cls * LANES + row] * -t
        sum_tile(work, n, stats + MOMENT * stride)
        for row in range(LANES):
            stats[MOMENT * stride + row] *= rate.scale if scaled else 1.0
        sum_tile(mass, n, stats + MASS * stride)
    for cls in range(n):
        if scaled:
            for row in range(LANES):
                t = tile[cls * LANES + row] - largest[row]
                lanes[row] = exp_rate(t, &rate, True)
                if not marked:
                    peaks[row] += 1 if t == 0 else 0
                    work[cls * LANES + row] = 0 if t == 0 else lanes[row]
        else:
            for row in range(LANES):
                t = tile[cls * LANES + row] - largest[row]
                lanes[row] = exp_rate(t, &rate, False)
                if not marked:
                    peaks[row] += 1 if t == 0 else 0
                    work[cls * LANES + row] = 0 if t == 0 else lanes[row]
        fetch_ahead(ahead, cls, <real>0)
        if keep or marked:
            for row in range(LANES):            # not by memcpy, which would need them in memory
                tile[cls * LANES + row] = lanes[row]
    sum_tile(tile if marked else work, n, stats + TAIL * stride)
    if sloped:
        multiply(tile, mass, n * LANES)
    for row in range(LANES):
        stats[TAIL * stride + row] *= FLOAT_UNIT if real is float else DOUBLE_UNIT
        stats[PEAKS * stride + row] = peaks[row] if reference[row] != -INFINITY else 0.0
        if not massed:
            stats[MASS * stride + row] = 0.0
            stats[MOMENT * stride + row] = 0.0


cdef inline void take_targets(RowGroup* rows, real* tile, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Each row's target logit goes to x_target, and −inf into its place."""
    cdef Py_ssize_t row
    cdef real* x
    for row in range(rows.count):
        if start <= rows.target[row] < start + n:
            x = tile + (rows.target[row] - start) * LANES + row
            rows.x_target[row] = x[0]
            x[0] = -INFINITY


cdef inline void shape_targets(const Problem* problem, RowGroup* rows, real kind) noexcept nogil:
    cdef Py_ssize_t row
    if problem.cap == 0.0 and problem.where.data == NULL:
        return
    for row in range(rows.count):
        rows.x_target[row] = shaped_target(
            problem, rows.x_target[row], problem.where.data + rows.open[row] if problem.where.data != NULL else NULL,
            rows.target[row], &rows.slope[row], kind)
