# logsumexp with b of few classes, rows along the lanes: every row goes through the operations of signed.pxi in their order.


cdef struct SignedTile:             # of each row, as SignedChunk and the stats
    double largest[LANES]
    double least[LANES]
    double most[LANES]
    double spoilt[LANES]
    double x[LANES]
    double b[LANES]
    double term[LANES]
    double sum[LANES]


cdef void read_signed_tile(const Problem* problem, Py_ssize_t first, Py_ssize_t count, double* x, double* b,
                           double* work) noexcept nogil:
    """Rows first, first + 1, … → matrices [class][row]."""
    cdef Py_ssize_t offsets[LANES]
    cdef Py_ssize_t n = problem.n_classes, cls, row
    memset(offsets, 0, sizeof(offsets))
    row_offsets(problem, &problem.logits, first, count, offsets)
    load_tile(&problem.logits, problem.type, offsets, count, 0, n, x, work)
    row_offsets(problem, problem.b, first, count, offsets)
    load_tile(problem.b, problem.b_type, offsets, count, 0, n, b, work)
    if problem.where.data != NULL:
        row_offsets(problem, &problem.where, first, count, offsets)
        for cls in range(n):
            for row in range(count):
                if problem.where.data[offsets[row] + cls * problem.where.step] == 0:
                    b[cls * LANES + row] = 0.0


cdef void exclude_signed_tile(SignedTile* tile, Py_ssize_t n, double* x, double* b) noexcept nogil:
    cdef double value, factor, size
    cdef Py_ssize_t cls, row
    for row in range(LANES):
        tile.largest[row] = -INFINITY
        tile.least[row] = INFINITY
        tile.most[row] = tile.spoilt[row] = 0.0
    for cls in range(n):
        for row in range(LANES):
            value = excluded(x[cls * LANES + row], b[cls * LANES + row], &factor)
            x[cls * LANES + row] = value
            b[cls * LANES + row] = factor
            tile.largest[row] = value if value > tile.largest[row] else tile.largest[row]
            size = magnitude(factor)
            tile.most[row] = size if size > tile.most[row] else tile.most[row]
            size = INFINITY if size == 0.0 else size
            tile.least[row] = size if size < tile.least[row] else tile.least[row]
            tile.spoilt[row] += spoils(value, factor)


cdef void mend_signed_tile(SignedTile* tile, Py_ssize_t n, double* x, double* b) noexcept nogil:
    """The rows that are not ordinary, and the sums of the spoilt ones."""
    cdef Py_ssize_t cls, row, at
    for row in range(LANES):
        if tile.spoilt[row] != 0.0:
            tile.spoilt[row] = spoilt_sum(x + row, b + row, n, LANES)
        elif not ordinary(tile.least[row], tile.most[row]):
            tile.largest[row] = -INFINITY
            for cls in range(n):
                at = cls * LANES + row
                x[at] = join_b(x[at], b[at], &b[at])
                tile.largest[row] = x[at] if x[at] > tile.largest[row] else tile.largest[row]


cdef void sum_signed_tile(SignedTile* tile, Py_ssize_t n, const double* x, const double* b, double* terms) noexcept nogil:
    cdef double origin[LANES]
    cdef double least[LANES]
    cdef double magic[LANES]
    cdef double r[LANES]
    cdef double lost[LANES]
    cdef double power[LANES]
    cdef double size[LANES]
    cdef double at[LANES]
    cdef double term, own
    cdef Py_ssize_t cls, row
    gauge_tile(tile.largest, NULL, origin, least, magic, False)
    for row in range(LANES):
        size[row] = -1.0
        tile.x[row] = tile.term[row] = at[row] = 0.0
        tile.b[row] = 1.0
    for cls in range(n):
        for row in range(LANES):
            reduce_double(x[cls * LANES + row] - origin[row], least[row], magic[row], &r[row], &lost[row], &power[row])
        for row in range(LANES):
            term = exp_reduced_double(r[row], lost[row], power[row] * b[cls * LANES + row])
            terms[cls * LANES + row] = term
            own = magnitude(term)
            at[row] = where_above(own, size[row], <double>cls, at[row])
            tile.x[row] = where_above(own, size[row], x[cls * LANES + row], tile.x[row])
            tile.b[row] = where_above(own, size[row], b[cls * LANES + row], tile.b[row])
            tile.term[row] = where_above(own, size[row], term, tile.term[row])
            size[row] = own if own > size[row] else size[row]
    for cls in range(n):
        for row in range(LANES):
            terms[cls * LANES + row] = 0.0 if at[row] == <double>cls else terms[cls * LANES + row]
    sum_tile(terms, n, tile.sum)


cdef void settle_signed_tile(const SignedTile* tile, Py_ssize_t count, double* row_values) noexcept nogil:
    """As signed_value."""
    cdef double values[LANES]
    cdef Py_ssize_t row
    for row in range(LANES):
        values[row] = log_term(tile.x[row], tile.b[row])
    for row in range(LANES):
        values[row] = settle_signed(values[row], tile.term[row] * DOUBLE_UNIT, tile.sum[row] * DOUBLE_UNIT)
    for row in range(count):
        row_values[row] = values[row]
        if tile.spoilt[row] != 0.0:
            row_values[row] = INFINITY if tile.spoilt[row] == INFINITY else NAN
        elif tile.largest[row] == -INFINITY:
            row_values[row] = -INFINITY


cdef Py_ssize_t signed_scratch(const Problem* problem) noexcept nogil:
    """Bytes, of tiles: three matrices, and four rows. Rows need no more than others do."""
    return (3 * LANES + 4) * problem.n_classes * 8


cdef void signed_tiles(const void* call, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    """Rows [first, last) → their values, a tile at a time. Scratch: as signed_scratch has it."""
    cdef const Problem* problem = <const Problem*>call
    cdef Py_ssize_t n = problem.n_classes, start = first, count
    cdef double* x = <double*>scratch
    cdef double* b = x + n * LANES
    cdef double* terms = b + n * LANES
    cdef SignedTile tile
    while start < last:
        count = min(<Py_ssize_t>LANES, last - start)
        read_signed_tile(problem, start, count, x, b, terms + n * LANES)
        exclude_signed_tile(&tile, n, x, b)
        mend_signed_tile(&tile, n, x, b)
        sum_signed_tile(&tile, n, x, b, terms)
        settle_signed_tile(&tile, count, row_values + start - first)
        start += LANES
