# The first sweep of a tile, a chunk's classes at a time: its rows' references, sums and targets; what is kept for the second.


cdef enum:
    FEW_CLASSES = 16            # up to so many, a column is summed in registers, and targets are compared instead of placed


# The tree over a column of n ≤ 16 classes, every one of which is a partial sum, as an expression: n is a constant.


cdef inline double two_of(const real* column, Py_ssize_t cls, Py_ssize_t n) noexcept nogil:
    if cls + 8 < n:
        return <double>column[cls * LANES] + <double>column[(cls + 8) * LANES]
    return column[cls * LANES]


cdef inline double four_of(const real* column, Py_ssize_t cls, Py_ssize_t n) noexcept nogil:
    if cls + 4 < n:
        return two_of(column, cls, n) + two_of(column, cls + 4, n)
    return two_of(column, cls, n)


cdef inline double eight_of(const real* column, Py_ssize_t cls, Py_ssize_t n) noexcept nogil:
    if cls + 2 < n:
        return four_of(column, cls, n) + four_of(column, cls + 2, n)
    return four_of(column, cls, n)


cdef inline void sum_columns(const real* values, Py_ssize_t n, double* sums) noexcept nogil:
    cdef double columns[LANES]
    cdef Py_ssize_t row
    for row in range(LANES):
        columns[row] = eight_of(values + row, 0, n) + eight_of(values + row, 1, n)
    for row in range(LANES):
        sums[row] = columns[row]


cdef bint sum_few(const real* values, Py_ssize_t n, double* sums) noexcept nogil:
    """sum_tile of up to FEW_CLASSES; False for more."""
    if n == 2:
        sum_columns(values, 2, sums)
    elif n == 3:
        sum_columns(values, 3, sums)
    elif n == 4:
        sum_columns(values, 4, sums)
    elif n == 5:
        sum_columns(values, 5, sums)
    elif n == 6:
        sum_columns(values, 6, sums)
    elif n == 7:
        sum_columns(values, 7, sums)
    elif n == 8:
        sum_columns(values, 8, sums)
    elif n == 9:
        sum_columns(values, 9, sums)
    elif n == 10:
        sum_columns(values, 10, sums)
    elif n == 11:
        sum_columns(values, 11, sums)
    elif n == 12:
        sum_columns(values, 12, sums)
    elif n == 13:
        sum_columns(values, 13, sums)
    elif n == 14:
        sum_columns(values, 14, sums)
    elif n == 15:
        sum_columns(values, 15, sums)
    elif n == 16:
        sum_columns(values, 16, sums)
    else:
        return False
    return True


cdef inline void sum_tile(const real* values, Py_ssize_t n, double* sums) noexcept nogil:
    """values[0 : n][LANES] → sums[LANES]: partial sums of every LANES-th class, in strips, then the tree."""
    cdef double lanes[LANES][LANES]             # [class mod LANES][row]
    cdef real strip[LANES]
    cdef Py_ssize_t used = min(n, <Py_ssize_t>LANES), residue, stop, cls, row, width = LANES // 2
    if n <= FEW_CLASSES and sum_few(values, n, sums):
        return
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
                    if cls + (QUAD - 1) * LANES < n:
                        for row in range(LANES):
                            strip[row] += ((values[cls * LANES + row] + values[(cls + LANES) * LANES + row])
                                           + (values[(cls + 2 * LANES) * LANES + row] + values[(cls + 3 * LANES) * LANES + row]))
                    elif cls + 2 * LANES < n:
                        for row in range(LANES):
                            strip[row] += ((values[cls * LANES + row] + values[(cls + LANES) * LANES + row])
                                           + values[(cls + 2 * LANES) * LANES + row])
                    elif cls + LANES < n:
                        for row in range(LANES):
                            strip[row] += values[cls * LANES + row] + values[(cls + LANES) * LANES + row]
                    else:
                        for row in range(LANES):
                            strip[row] += values[cls * LANES + row]
                    cls += QUAD * LANES
                for row in range(LANES):
                    lanes[residue][row] += strip[row]
    while width > 0:
        for residue in range(min(width, used - width)):
            for row in range(LANES):
                lanes[residue][row] += lanes[residue + width][row]
        width //= 2
    for row in range(LANES):
        sums[row] = lanes[0][row]


cdef inline void gauge_tile(const real* largest, const Rate* rate, real* origin, real* least, real* magic,
                            bint scaled) noexcept nogil:
    """gauge_of each row."""
    cdef Py_ssize_t row
    for row in range(LANES):
        gauge_of(largest[row], rate.turns if scaled else DOUBLE_LOG2_E, rate.period if scaled else DOUBLE_LN2,
                 &origin[row], &least[row], &magic[row])


cdef inline void exp_tile(const real* tile, Py_ssize_t n, const real* origin, const real* least, const real* magic,
                          const Rate* rate, Ahead ahead, real* values, const real* at, real* others, bint scaled) noexcept nogil:
    """tile[0 : n][LANES] → exponentials, and to `others` the same, 0 for the class `at`. Either may be NULL, or `tile`."""
    cdef real value
    cdef real r[TILE_PASS][LANES]
    cdef real lost[TILE_PASS][LANES]
    cdef real power[TILE_PASS][LANES]
    cdef Py_ssize_t first = 0, last, cls, row
    cdef real far = 0
    cdef real* far_tile = others if values == NULL else values
    for row in range(LANES):
        far = 1 if origin[row] != 0 else far
    if far != 0:
        for cls in range(n):
            for row in range(LANES):
                far_tile[cls * LANES + row] = tile[cls * LANES + row] - origin[row]
        tile = far_tile
    while first < n:
        last = min(first + TILE_PASS, n)
        for cls in range(first, last):
            fetch_ahead(ahead, cls, <real>0)
            for row in range(LANES):
                reduce(tile[cls * LANES + row], least[row], magic[row], rate, scaled, &r[cls - first][row],
                       &lost[cls - first][row], &power[cls - first][row])
        for cls in range(first, last):
            if others == NULL:
                for row in range(LANES):
                    values[cls * LANES + row] = exp_reduced(r[cls - first][row], lost[cls - first][row], power[cls - first][row])
                continue
            for row in range(LANES):
                value = exp_reduced(r[cls - first][row], lost[cls - first][row], power[cls - first][row])
                others[cls * LANES + row] = 0 if at[row] == <real>cls else value
                if values != NULL:
                    values[cls * LANES + row] = value
        first = last


cdef void tile_exponentials(const Problem* problem, const real* tile, Py_ssize_t n, const double* largest, Ahead ahead,
                            real* values, const real* at, real* others, real* gaps, real* slopes) noexcept nogil:
    """`exponentials`, a tile, as exp_tile, and where logits are shaped their gaps and slopes, but not `others`."""
    cdef Rate rate
    cdef Cap cap
    cdef double c[LANES]
    cdef real top[LANES]
    cdef real origin[LANES]
    cdef real least[LANES]
    cdef real magic[LANES]
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        top[row] = <real>largest[row]
    if is_shaped(problem):
        cap = cap_of(problem)
        for row in range(LANES):
            c[row] = 0.0 if largest[row] == -INFINITY else largest[row]
        for cls in range(n):
            shape_pass(problem, &cap, tile + cls * LANES, LANES, c, False, values + cls * LANES,
                       gaps + cls * LANES if gaps != NULL else NULL, slopes + cls * LANES if slopes != NULL else NULL)
    elif is_scaled(problem):
        rate = rate_of(problem.scale, <real>0)
        gauge_tile(top, &rate, origin, least, magic, True)
        exp_tile(tile, n, origin, least, magic, &rate, ahead, values, at, others, True)
    else:
        gauge_tile(top, NULL, origin, least, magic, False)
        exp_tile(tile, n, origin, least, magic, NULL, ahead, values, at, others, False)


# Choices by masks: of one between an old number and a new one GCC makes a branch for every vector.


cdef inline real where_equal(real a, real b, real x) noexcept nogil:
    """x where a = b, else 0."""
    if real is float:
        return xf_float(xf_bits32(x) & (0 - <uint32_t>(a == b)))
    else:
        return xf_double(xf_bits64(x) & (0 - <uint64_t>(a == b)))


cdef inline real where_above(real a, real b, real x, real y) noexcept nogil:
    """x where a > b, else y."""
    if real is float:
        return xf_float(xf_bits32(y) ^ ((xf_bits32(x) ^ xf_bits32(y)) & (0 - <uint32_t>(a > b))))
    else:
        return xf_double(xf_bits64(y) ^ ((xf_bits64(x) ^ xf_bits64(y)) & (0 - <uint64_t>(a > b))))


cdef inline void largest_of_tile(const real* tile, Py_ssize_t n, real* largest, real* at, bint placed) noexcept nogil:
    """Each row's largest class and, where `placed`, the first of them, −1 where there is none above −inf."""
    cdef const real* source
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        largest[row] = -INFINITY
        if placed:
            at[row] = -1
    for cls in range(n):
        source = tile + cls * LANES
        for row in range(LANES):
            if placed:
                at[row] = where_above(source[row], largest[row], <real>cls, at[row])
            largest[row] = source[row] if source[row] > largest[row] else largest[row]


cdef inline void take_few_targets(real* tile, Py_ssize_t n, const real* at, double* x_target) noexcept nogil:
    """take_targets of few classes: each is compared with the targets, which are `at`. 0 where there is none."""
    cdef real target[LANES]
    cdef real x
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        target[row] = 0
    for cls in range(n):
        for row in range(LANES):
            x = tile[cls * LANES + row]
            target[row] += where_equal(at[row], <real>cls, x)
            tile[cls * LANES + row] = -INFINITY if at[row] == <real>cls else x
    for row in range(LANES):
        x_target[row] = target[row]


cdef inline void sum_tile_masses(const Problem* problem, const RowGroup* rows, Py_ssize_t start, Py_ssize_t n, const real* mass,
                                 real* gaps, double* stats, Py_ssize_t stride, double factor, bint marked) noexcept nogil:
    """`gaps`: c − x. As sum_gaps."""
    cdef Evenness evenness = evenness_of(problem)
    cdef double mass_sums[LANES]
    cdef double moments[LANES]
    cdef Py_ssize_t cls, row, target
    for row in range(LANES):
        mass_sums[row] = 0.0
    if evenness == ALL_EVEN:
        for row in range(rows.count):
            target = rows.target[row] - start
            if marked and 0 <= target < n:
                gaps[target * LANES + row] = 0
    elif evenness == EVEN:
        for cls in range(n):
            for row in range(LANES):
                gaps[cls * LANES + row] = weighed(gaps[cls * LANES + row], mass[cls * LANES + row], EVEN)
                mass_sums[row] += counted(mass[cls * LANES + row], EVEN)
    else:
        for cls in range(n):
            for row in range(LANES):
                gaps[cls * LANES + row] = weighed(gaps[cls * LANES + row], mass[cls * LANES + row], UNEVEN)
        sum_tile(mass, n, mass_sums)
    sum_tile(gaps, n, moments)
    for row in range(LANES):
        target = rows.target[row] - start if marked else -1
        keep_moment(stats + row, stride, evenness, <real>rows.spread[row], <double>(n - (1 if 0 <= target < n else 0)),
                    mass_sums[row], moments[row], factor)


cdef inline void sweep_few(const Problem* problem, real* at, real* tiles, Py_ssize_t n_tiles, const Ahead* ahead, double* stats,
                           double* x_target, bint own) noexcept nogil:
    """take_targets and sweep_tile of one or two tiles of few classes, a step of both after the other: what a step waits for is
    mostly the one before. `at` are the targets, or gets each row's `own` largest, which is left out as they are."""
    cdef real largest[PAIR]
    cdef real origin[PAIR]
    cdef real least[PAIR]
    cdef real magic[PAIR]
    cdef Py_ssize_t n = problem.n_classes, n_rows = n_tiles * LANES, tile, row
    for tile in range(n_tiles):
        if own:
            largest_of_tile(tiles + tile * n * LANES, n, largest + tile * LANES, at + tile * LANES, True)
        else:
            take_few_targets(tiles + tile * n * LANES, n, at + tile * LANES, x_target + tile * LANES)
            largest_of_tile(tiles + tile * n * LANES, n, largest + tile * LANES, NULL, False)
    for tile in range(n_tiles):
        gauge_tile(largest + tile * LANES, NULL, origin + tile * LANES, least + tile * LANES, magic + tile * LANES, False)
    for row in range(n_rows):
        stats[REFERENCE * n_rows + row] = largest[row]
        if own:
            x_target[row] = largest[row]
    for tile in range(n_tiles):
        if own:
            exp_tile(tiles + tile * n * LANES, n, origin + tile * LANES, least + tile * LANES, magic + tile * LANES, NULL,
                     ahead[tile], NULL, at + tile * LANES, tiles + tile * n * LANES, False)
        else:
            exp_tile(tiles + tile * n * LANES, n, origin + tile * LANES, least + tile * LANES, magic + tile * LANES, NULL,
                     ahead[tile], tiles + tile * n * LANES, NULL, NULL, False)
    for tile in range(n_tiles):
        sum_tile(tiles + tile * n * LANES, n, stats + TAIL * n_rows + tile * LANES)
    for row in range(n_rows):
        stats[TAIL * n_rows + row] *= FLOAT_UNIT if real is float else DOUBLE_UNIT


cdef inline void sweep_tile(const Problem* problem, const RowGroup* rows, real* tile, Py_ssize_t start, Py_ssize_t n, real* mass,
                            real* work, double* stats, Py_ssize_t stride, Ahead ahead, bint marked, bint massed,
                            bint keep) noexcept nogil:
    """tile[0 : n][LANES] → stats[field·stride + row]; where `keep`, the tile becomes the exponentials, and for log_softmax, whose
    second sweep wants the logits, it stays. Without masses their matrix has the slopes of a cap."""
    cdef bint sloped = keep and not massed and problem.cap != 0.0
    cdef bint own = not marked and marks_own(problem)
    cdef bint shaped = is_shaped(problem)
    cdef real largest[LANES]
    cdef real at[LANES]
    cdef double* reference = stats + REFERENCE * stride
    cdef real* values = tile if keep or not own else NULL
    cdef Py_ssize_t cls, row
    if own:
        largest_of_tile(tile, n, largest, at, True)
    else:
        largest_of_tile(tile, n, largest, at, False)
    for row in range(LANES):
        reference[row] = largest[row]
    if shaped:
        for row in range(LANES):
            reference[row] = shaped_largest(problem, largest[row])
        tile_exponentials(problem, tile, n, reference, ahead, tile, NULL, NULL, work if massed else NULL,
                          mass if sloped else NULL)
        if massed:
            sum_tile_masses(problem, rows, start, n, mass, work, stats, stride, 1.0, marked)
        if own:
            for cls in range(n):
                for row in range(LANES):
                    work[cls * LANES + row] = 0 if at[row] == <real>cls else tile[cls * LANES + row]
    else:
        if massed:
            for row in range(LANES):
                largest[row] = 0 if largest[row] == -INFINITY else largest[row]
            for cls in range(n):
                for row in range(LANES):
                    work[cls * LANES + row] = largest[row] - tile[cls * LANES + row]
            sum_tile_masses(problem, rows, start, n, mass, work, stats, stride, problem.scale if is_scaled(problem) else 1.0,
                            marked)
        tile_exponentials(problem, tile, n, reference, ahead, values, at, work if own else NULL, NULL, NULL)
    sum_tile(work if own else tile, n, stats + TAIL * stride)
    if sloped:
        multiply(tile, mass, n * LANES)
    for row in range(LANES):
        stats[TAIL * stride + row] *= FLOAT_UNIT if real is float else DOUBLE_UNIT
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
