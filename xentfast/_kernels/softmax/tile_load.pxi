# The load stage of a tile: LANES rows as a matrix [class][row], whatever the array's strides and dtype; and back.


cdef inline bint adjacent(const Py_ssize_t* offsets, Py_ssize_t count, Py_ssize_t item) noexcept nogil:
    """A full tile of rows side by side in memory."""
    cdef Py_ssize_t row, uneven = 0
    if count < LANES or offsets[LANES - 1] - offsets[0] != (LANES - 1) * item:
        return False
    for row in range(1, LANES):                     # to its end, which lanes do sooner than an early return
        uneven |= (offsets[row] - offsets[row - 1]) ^ item
    return uneven == 0


cdef enum:
    TILES_AHEAD = 3             # how far: with one, rows side by side wait for memory all the same (0.58 and 0.37 ns per logit)


cdef struct Ahead:              # where a later tile of an operand is in memory: LANES numbers for each class, `step` bytes apart
    const char* first           # NULL: nowhere that is foreseen
    Py_ssize_t step


cdef inline Ahead nowhere() noexcept nogil:
    cdef Ahead ahead
    ahead.first = NULL
    ahead.step = 0
    return ahead


cdef inline Ahead ahead_of(const Operand* operand, ValueType type, Py_ssize_t n_classes, const Py_ssize_t* offsets,
                           Py_ssize_t count, Py_ssize_t start, real kind) noexcept nogil:
    """Of rows side by side, and of rows end to end, which are cut into as many pieces as there are classes. The last row tells,
    without a look at each: what is fetched in vain does no harm."""
    cdef Ahead ahead = nowhere()
    cdef Py_ssize_t reach
    if count < LANES or item_bytes(type) != <Py_ssize_t>sizeof(real):
        return ahead
    reach = offsets[LANES - 1] - offsets[0]
    if reach == (LANES - 1) * <Py_ssize_t>sizeof(real):
        ahead.step = operand.step
        ahead.first = operand.data + offsets[0] + start * operand.step + TILES_AHEAD * LANES * <Py_ssize_t>sizeof(real)
    elif operand.step == <Py_ssize_t>sizeof(real) and reach == (LANES - 1) * n_classes * operand.step:
        ahead.step = LANES * <Py_ssize_t>sizeof(real)
        ahead.first = operand.data + offsets[0] + (start + TILES_AHEAD * n_classes) * ahead.step
    return ahead


cdef inline void fetch_ahead(Ahead ahead, Py_ssize_t cls, real kind) noexcept nogil:
    """A CPU does not foresee what is in as many places as there are classes, and computes nothing while it waits for a tile."""
    cdef Py_ssize_t line
    if ahead.first == NULL:
        return
    for line in range(LANES * <Py_ssize_t>sizeof(real) // 64):
        XF_PREFETCH(ahead.first + cls * ahead.step + 64 * line)


cdef inline void dense_to_tile(const real* source, Py_ssize_t n, real* tile) noexcept nogil:
    cdef Py_ssize_t row, cls
    for row in range(LANES):
        for cls in range(n):
            tile[cls * LANES + row] = source[row * n + cls]


cdef inline void tile_to_dense(const real* tile, Py_ssize_t n, real* target) noexcept nogil:
    cdef Py_ssize_t row, cls
    for row in range(LANES):
        for cls in range(n):
            target[row * n + cls] = tile[cls * LANES + row]


cdef inline const real* tile_row(const char* source, Py_ssize_t step, ValueType type, Py_ssize_t n, real* buffer) noexcept nogil:
    """A row of n numbers of the kernel's type: in place where it is one, else in `buffer`."""
    if item_bytes(type) == <Py_ssize_t>sizeof(real) and step == <Py_ssize_t>sizeof(real):
        return <const real*>source
    read_values(source, step, type, n, buffer)
    return buffer


cdef void load_tile(const Operand* operand, ValueType type, const Py_ssize_t* offsets, Py_ssize_t count, Py_ssize_t start,
                    Py_ssize_t n, real* tile, real* work) noexcept nogil:
    """tile[0 : n][0 : LANES]; zeros where the tile is short of rows. `work` has room for four rows."""
    cdef const char* source = operand.data + start * operand.step
    cdef const real* x
    cdef Py_ssize_t row, cls, first = 0
    if adjacent(offsets, count, item_bytes(type)):
        if item_bytes(type) == <Py_ssize_t>sizeof(real):
            for cls in range(n):
                x = <const real*>(source + offsets[0] + cls * operand.step)
                for row in range(LANES):
                    tile[cls * LANES + row] = x[row]
            return
        for cls in range(n):
            read_values(source + offsets[0] + cls * operand.step, item_bytes(type), type, LANES, tile + cls * LANES)
        return
    if 1 < n < 4 and plain_classes(operand, type, <real>0) and adjacent(offsets, count, n * operand.step):
        x = <const real*>(source + offsets[0])
        if n == 2:
            dense_to_tile(x, 2, tile)
        else:
            dense_to_tile(x, 3, tile)
        return
    if real is float:
        if (n >= 4 and count == LANES and plain_classes(operand, type, <real>0)
                and adjacent(offsets, count, offsets[1] - offsets[0])):
            for row in range(0, LANES // SIDE):
                xf_side_to_tile_float(source + offsets[row * SIDE], offsets[1] - offsets[0], n, tile + row * SIDE, LANES)
            return
        if n >= 4:
            for first in range(count // 4):
                row = 4 * first
                xf_rows_to_tile_float(
                    tile_row(source + offsets[row], operand.step, type, n, work),
                    tile_row(source + offsets[row + 1], operand.step, type, n, work + n),
                    tile_row(source + offsets[row + 2], operand.step, type, n, work + 2 * n),
                    tile_row(source + offsets[row + 3], operand.step, type, n, work + 3 * n), n, tile + row, LANES)
            first = count // 4 * 4
    if plain_classes(operand, type, <real>0):
        for row in range(first, count):
            for cls in range(n):
                tile[cls * LANES + row] = (<const real*>(source + offsets[row]))[cls]
    else:
        for row in range(first, count):
            x = tile_row(source + offsets[row], operand.step, type, n, work)
            for cls in range(n):
                tile[cls * LANES + row] = x[cls]
    for row in range(count, LANES):
        for cls in range(n):
            tile[cls * LANES + row] = 0


cdef void load_logits(const Problem* problem, const RowGroup* rows, Py_ssize_t start, Py_ssize_t n, real* tile,
                      real* work) noexcept nogil:
    """As load_chunk, a tile. Where there is a mask, `work` has room for the tile."""
    cdef Py_ssize_t cls
    if (problem.where.data != NULL and problem.where.step == 1 and n >= 4
            and not adjacent(rows.logits, rows.count, item_bytes(problem.type))):
        load_open_logits(problem, rows, start, n, tile, work)
        return
    load_tile(&problem.logits, problem.type, rows.logits, rows.count, start, n, tile, work)
    if problem.negate:
        for cls in range(n * LANES):
            tile[cls] = flipped(tile[cls])
    if problem.where.data != NULL:
        exclude_tile(problem, rows, start, n, tile)


cdef void exclude_tile(const Problem* problem, const RowGroup* rows, Py_ssize_t start, Py_ssize_t n, real* tile) noexcept nogil:
    """−inf for what `where` leaves out."""
    cdef const char* open = problem.where.data + start * problem.where.step
    cdef Py_ssize_t row, cls
    if adjacent(rows.open, rows.count, 1):
        for cls in range(n):
            exclude(open + rows.open[0] + cls * problem.where.step, 1, LANES, tile + cls * LANES, tile + cls * LANES)
        return
    for cls in range(n):
        for row in range(rows.count):
            if (open + rows.open[row] + cls * problem.where.step)[0] == 0:
                tile[cls * LANES + row] = -INFINITY


cdef void load_open_logits(const Problem* problem, const RowGroup* rows, Py_ssize_t start, Py_ssize_t n, real* tile,
                           real* work) noexcept nogil:
    """load_logits by way of whole rows, of which a mask of neighbours takes many classes at a time."""
    cdef Operand dense
    cdef Py_ssize_t offsets[LANES]
    cdef const real* x
    cdef real* own
    cdef Py_ssize_t row, cls
    memset(offsets, 0, sizeof(offsets))
    for row in range(rows.count):
        own = work + row * n
        offsets[row] = row * n * <Py_ssize_t>sizeof(real)
        x = tile_row(problem.logits.data + rows.logits[row] + start * problem.logits.step, problem.logits.step, problem.type, n,
                     own)
        if problem.negate:
            for cls in range(n):
                own[cls] = flipped(x[cls])
            x = own
        exclude(problem.where.data + rows.open[row] + start, 1, n, x, own)
    dense.data = <char*>work
    dense.step = sizeof(real)
    load_tile(&dense, FLOAT32 if real is float else FLOAT64, offsets, rows.count, 0, n, tile, work)


cdef void store_tile(const Operand* operand, ValueType type, const Py_ssize_t* offsets, Py_ssize_t count, Py_ssize_t start,
                     Py_ssize_t n, const real* tile, real* work) noexcept nogil:
    cdef char* target = operand.data + start * operand.step
    cdef bint direct = plain_classes(operand, type, <real>0)
    cdef real* y
    cdef Py_ssize_t row, cls, i, first = 0
    if adjacent(offsets, count, item_bytes(type)):
        if item_bytes(type) == <Py_ssize_t>sizeof(real):
            for cls in range(n):
                y = <real*>(target + offsets[0] + cls * operand.step)
                for row in range(LANES):
                    y[row] = tile[cls * LANES + row]
            return
        for cls in range(n):
            write_values(tile + cls * LANES, LANES, target + offsets[0] + cls * operand.step, item_bytes(type), type)
        return
    if 1 < n < 4 and direct and adjacent(offsets, count, n * operand.step):
        y = <real*>(target + offsets[0])
        if n == 2:
            tile_to_dense(tile, 2, y)
        else:
            tile_to_dense(tile, 3, y)
        return
    if real is float:
        if n >= 4 and direct and count == LANES and adjacent(offsets, count, offsets[1] - offsets[0]):
            for row in range(0, LANES // SIDE):
                xf_tile_to_side_float(tile + row * SIDE, LANES, n, target + offsets[row * SIDE], offsets[1] - offsets[0])
            return
        if n >= 4:
            for first in range(count // 4):
                row = 4 * first
                if direct:
                    xf_tile_to_rows_float(tile + row, LANES, n, <float*>(target + offsets[row]),
                                          <float*>(target + offsets[row + 1]), <float*>(target + offsets[row + 2]),
                                          <float*>(target + offsets[row + 3]))
                    continue
                xf_tile_to_rows_float(tile + row, LANES, n, work, work + n, work + 2 * n, work + 3 * n)
                for i in range(4):
                    write_values(work + i * n, n, target + offsets[row + i], operand.step, type)
            first = count // 4 * 4
    if direct:
        for row in range(first, count):
            for cls in range(n):
                (<real*>(target + offsets[row]))[cls] = tile[cls * LANES + row]
        return
    for row in range(first, count):
        for cls in range(n):
            work[cls] = tile[cls * LANES + row]
        write_values(work, n, target + offsets[row], operand.step, type)


cdef void fill_row(const Problem* problem, const RowGroup* rows, Py_ssize_t row, Py_ssize_t start, Py_ssize_t n,
                   real* tile) noexcept nogil:
    """fill_chunk, in a tile."""
    cdef const char* open = problem.where.data
    cdef bint bad = not rows.skip[row]
    cdef Py_ssize_t cls
    for cls in range(n):
        tile[cls * LANES + row] = <real>(NAN if bad else 0)
    if bad and open != NULL:
        for cls in range(n):
            if open[rows.open[row] + (start + cls) * problem.where.step] == 0:
                tile[cls * LANES + row] = closed_value(problem, <real>0)


cdef void load_tile_mass(const Problem* problem, const RowGroup* rows, Py_ssize_t start, Py_ssize_t n,
                         bint without_target, bint in_sums, real* mass, real* work) noexcept nogil:
    """As load_row_mass, a tile."""
    cdef const char* soft = NULL
    cdef const char* open = NULL
    cdef Py_ssize_t row, cls
    if problem.soft.data == NULL and problem.where.data == NULL:
        load_mass(problem, NULL, NULL, rows.spread[0], start, n, in_sums, work)
        for cls in range(n):
            for row in range(LANES):
                mass[cls * LANES + row] = work[cls]
    elif masses_are_targets(problem):
        load_tile(&problem.soft, problem.soft_type, rows.soft, rows.count, start, n, mass, work)
    else:
        for row in range(LANES):
            if row < rows.count:
                soft = problem.soft.data + rows.soft[row] if problem.soft.data != NULL else NULL
                open = problem.where.data + rows.open[row] if problem.where.data != NULL else NULL
                load_mass(problem, soft, open, rows.spread[row], start, n, in_sums, work)
            for cls in range(n):
                mass[cls * LANES + row] = work[cls] if row < rows.count else 0
    for row in range(LANES):
        if without_target and start <= rows.target[row] < start + n:
            mass[(rows.target[row] - start) * LANES + row] = 0
