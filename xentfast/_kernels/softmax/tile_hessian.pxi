# The diagonal of the Hessian of a tile's rows, as hessian.pxi has it for one.


cdef inline void top_exponentials(const Problem* problem, const double* largest, real* tops) noexcept nogil:
    """exponential_of_largest of each row."""
    cdef Py_ssize_t row
    for row in range(LANES):
        tops[row] = <real>largest[row]
    if is_shaped(problem):
        for row in range(LANES):
            tops[row] = exponential_of_largest(problem, largest[row], <real>0)
    else:
        tile_exponentials(problem, tops, 1, largest, nowhere(), tops, NULL, NULL, NULL, NULL)


cdef inline bint any_needs_rest(const Settled* settled, Py_ssize_t count) noexcept nogil:
    """needs_rest, of one of the rows."""
    cdef double largest = 0.0
    cdef Py_ssize_t row
    for row in range(count):
        largest = settled.probability[row] if settled.probability[row] > largest else largest
    return largest > LIKELY


cdef void add_rests(const Problem* problem, const RowGroup* rows, const real* tile, Py_ssize_t start, Py_ssize_t n,
                    const double* stats, Py_ssize_t stride, Settled* settled, const real* tops, real* work) noexcept nogil:
    """What rest_of_row gives, of one chunk of a tile of exponentials, to top_rest. `tops`: of top_exponentials."""
    cdef const double* largest = stats + REFERENCE * stride
    cdef const double* share = stats + SHARE * stride
    cdef double sums[LANES]
    cdef real top[LANES]
    cdef Py_ssize_t row, cls
    for row in range(LANES):
        top[row] = tops[row] if largest[row] == settled.top[row] else <real>NAN
    for cls in range(n):
        for row in range(LANES):
            work[cls * LANES + row] = 0 if tile[cls * LANES + row] == top[row] else tile[cls * LANES + row]
    for row in range(rows.count):
        if start <= rows.target[row] < start + n:
            work[(rows.target[row] - start) * LANES + row] = 0
    sum_tile(work, n, sums)
    for row in range(rows.count):
        settled.rest[row] += sums[row] * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * share[row]


cdef void hess_tile(const Problem* problem, const RowGroup* rows, const Settled* settled, const double* stats, Py_ssize_t stride,
                    Py_ssize_t start, Py_ssize_t n, const real* tile, const real* tops, real* hess, real* work) noexcept nogil:
    """Exponentials → `hess`, as hess_chunk, → the array. `tops`: of top_exponentials."""
    cdef const double* largest = stats + REFERENCE * stride
    cdef const double* share = stats + SHARE * stride
    cdef real power[LANES]
    cdef real second[LANES]
    cdef real least[LANES]
    cdef real probability[LANES]
    cdef real top[LANES]
    cdef real top_value[LANES]
    cdef real e, q, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Factor factor
    cdef Py_ssize_t row, cls
    cdef double p_scale
    cdef Ahead ahead = ahead_of(&problem.hess, problem.type, problem.n_classes, rows.hess, rows.count, start, <real>0)
    for row in range(LANES):
        p_scale = settled.probability[row] * share[row]
        factor = factor_of(<real>0, settled.curvature[row] * p_scale)
        power[row] = <real>factor.first
        second[row] = <real>factor.second
        least[row] = <real>factor.least
        probability[row] = <real>(p_scale * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * (1.0 - settled.bend[row]))
        top_value[row] = top_hess(settled.probability[row], tops[row], settled.curvature[row], settled.bend[row],
                                  settled.top_rest[row])
        top[row] = tops[row] if is_at_top(settled.probability[row], tops[row], settled.top[row], largest[row]) else <real>NAN
    for cls in range(n):
        fetch_ahead(ahead, cls, <real>0)
        for row in range(LANES):
            e = tile[cls * LANES + row]
            q = e * power[row] * second[row] if e >= least[row] else 0
            q = q * (1 - e * probability[row])
            q = 0 if -smallest < q < smallest else q
            hess[cls * LANES + row] = top_value[row] if e == top[row] else q
    for row in range(rows.count):
        if start <= rows.target[row] < start + n:
            hess[(rows.target[row] - start) * LANES + row] = (
                0 if rows.slope[row] == 0.0 else rounded(<real>0, settled.target_hess[row]))
    if settled.n_special != 0:
        for row in range(rows.count):
            if rows.skip[row] or settled.bad[row] != 0.0:
                fill_row(problem, rows, row, start, n, hess)
    bound_hess(problem, hess, n * LANES)
    store_tile(&problem.hess, problem.type, rows.hess, rows.count, start, n, hess, work)
