# The diagonal of the Hessian of a tile's rows, as hessian.pxi has it for one.


cdef void add_rests(const RowGroup* rows, const real* tile, Py_ssize_t start, Py_ssize_t n,
                    const double* share, Settled* settled, real* work) noexcept nogil:
    """What rest_of_row gives, of one chunk of a tile of exponentials, to top_rest."""
    cdef double sums[LANES]
    cdef real top = exp_scaled(<real>0)
    cdef Py_ssize_t row, cls
    for cls in range(n):
        for row in range(LANES):
            work[cls * LANES + row] = 0 if tile[cls * LANES + row] == top and share[row] == 1.0 else tile[cls * LANES + row]
    for row in range(rows.count):
        if start <= rows.target[row] < start + n:
            work[(rows.target[row] - start) * LANES + row] = 0
    sum_tile(work, n, sums)
    for row in range(rows.count):
        settled.rest[row] += sums[row] * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * share[row]


cdef void hess_tile(const Problem* problem, const RowGroup* rows, const Settled* settled, const double* share, Py_ssize_t start,
                    Py_ssize_t n, const real* tile, real* hess, real* work) noexcept nogil:
    """Exponentials → `hess`, as hess_chunk, → the array."""
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
    for row in range(LANES):
        p_scale = settled.probability[row] * share[row]
        factor = factor_of(<real>0, settled.curvature[row] * p_scale)
        power[row] = <real>factor.first
        second[row] = <real>factor.second
        least[row] = <real>factor.least
        probability[row] = <real>(p_scale * (FLOAT_UNIT if real is float else DOUBLE_UNIT))
        top[row] = exp_scaled(<real>0) if is_at_top(settled.probability[row], share[row]) else <real>NAN
        top_value[row] = rounded(<real>0, settled.curvature[row] * settled.probability[row] * settled.top_rest[row])
    for cls in range(n):
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
                q = 0 if rows.skip[row] else NAN
                for cls in range(n):
                    hess[cls * LANES + row] = q
    store_tile(&problem.hess, problem.type, rows.hess, rows.count, start, n, hess, work)
