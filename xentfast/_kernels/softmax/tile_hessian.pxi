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


cdef inline bint any_needs_rest(const Settled* settled, Py_ssize_t lead, Py_ssize_t count) noexcept nogil:
    """needs_rest, of one of the rows."""
    cdef double largest = 0.0
    cdef Py_ssize_t row
    for row in range(lead, lead + count):
        largest = settled.probability[row] if settled.probability[row] > largest else largest
    return largest > LIKELY


cdef inline void sum_rests(const real* tile, Py_ssize_t n, const double* largest, const double* share, const real* tops,
                           Settled* settled, Py_ssize_t lead, Py_ssize_t count, real* work) noexcept nogil:
    """What rest_of_row gives, of one chunk of a tile of exponentials without those of the targets, to `rest`. `tops`: of
    top_exponentials."""
    cdef double sums[LANES]
    cdef real top[LANES]
    cdef Py_ssize_t row, cls
    for row in range(LANES):
        top[row] = tops[row] if largest[row] == settled.top[lead + row] else <real>NAN
    for cls in range(n):
        for row in range(LANES):
            work[cls * LANES + row] = 0 if tile[cls * LANES + row] == top[row] else tile[cls * LANES + row]
    sum_tile(work, n, sums)
    for row in range(count):
        settled.rest[lead + row] += sums[row] * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * share[row]


cdef inline void add_rests(Settled* settled, Py_ssize_t lead) noexcept nogil:
    """The rests of all chunks, to what settling made of the target."""
    cdef Py_ssize_t row
    for row in range(lead, lead + LANES):
        settled.top_rest[row] += settled.rest[row] * settled.probability[row]


cdef inline void curve_tile(const Problem* problem, const RowGroup* rows, const Settled* settled, Py_ssize_t lead,
                            const double* largest, const double* share, Py_ssize_t start, Py_ssize_t n, const real* tile,
                            const real* tops, real* hess, real* work, const real* at, bint few) noexcept nogil:
    """Exponentials → `hess`, as hess_chunk, → the array. `tops`: of top_exponentials; `at`: the targets of few classes. Row 0 is
    row `lead` of those that were settled."""
    cdef real power[LANES]
    cdef real second[LANES]
    cdef real least[LANES]
    cdef real probability[LANES]
    cdef real top[LANES]
    cdef real top_value[LANES]
    cdef real targets[LANES]
    cdef real e, q, smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef Factor factor
    cdef Py_ssize_t row, cls
    cdef double p_scale
    cdef Ahead ahead = ahead_of(&problem.hess, problem.type, problem.n_classes, rows.hess, rows.count, start, <real>0)
    for row in range(LANES):
        p_scale = settled.probability[lead + row] * share[row]
        factor = factor_of(<real>0, settled.curvature[lead + row] * p_scale)
        power[row] = <real>factor.first
        second[row] = <real>factor.second
        least[row] = <real>factor.least
        probability[row] = <real>(p_scale * (FLOAT_UNIT if real is float else DOUBLE_UNIT) * (1.0 - settled.bend[lead + row]))
        top_value[row] = top_hess(settled.probability[lead + row], tops[row], settled.curvature[lead + row],
                                  settled.bend[lead + row], settled.top_rest[lead + row])
        top[row] = (tops[row] if is_at_top(settled.probability[lead + row], tops[row], settled.top[lead + row], largest[row])
                    else <real>NAN)
        if few:
            targets[row] = rounded(<real>0, settled.target_hess[lead + row])
    for cls in range(n):
        fetch_ahead(ahead, cls, <real>0)
        for row in range(LANES):
            e = tile[cls * LANES + row]
            q = e * power[row] * second[row] if e >= least[row] else 0
            q = q * (1 - e * probability[row])
            q = 0 if -smallest < q < smallest else q
            q = top_value[row] if e == top[row] else q
            if few:
                q = targets[row] if at[row] == <real>cls else q
            hess[cls * LANES + row] = q
    if not few:
        for row in range(rows.count):
            if start <= rows.target[row] < start + n:
                hess[(rows.target[row] - start) * LANES + row] = (
                    0 if rows.slope[row] == 0.0 else rounded(<real>0, settled.target_hess[row]))
    if settled.n_special != 0:
        for row in range(rows.count):
            if rows.skip[row] or settled.bad[lead + row] != 0.0:
                fill_row(problem, rows, row, start, n, hess)
    bound_hess(problem, hess, n * LANES)
    store_tile(&problem.hess, problem.type, rows.hess, rows.count, start, n, hess, work)


cdef void hess_tile(const Problem* problem, const RowGroup* rows, const Settled* settled, const double* stats, Py_ssize_t stride,
                    Py_ssize_t start, Py_ssize_t n, const real* tile, const real* tops, real* hess, real* work) noexcept nogil:
    """Of one chunk of any classes. A function: its frame is its own."""
    curve_tile(problem, rows, settled, 0, stats + REFERENCE * stride, stats + SHARE * stride, start, n, tile, tops, hess, work,
               NULL, False)


cdef void hess_few(const Problem* problem, const RowGroup* rows, Settled* settled, Py_ssize_t lead, const double* largest,
                   const real* tile, const real* at, real* hess, real* work) noexcept nogil:
    """All that a tile of few classes needs."""
    cdef Py_ssize_t n = problem.n_classes, row
    cdef double share[LANES]
    cdef real tops[LANES]
    for row in range(LANES):
        share[row] = 1.0
    top_exponentials(problem, largest, tops)
    if any_needs_rest(settled, lead, rows.count):
        sum_rests(tile, n, largest, share, tops, settled, lead, rows.count, work)
        add_rests(settled, lead)
    curve_tile(problem, rows, settled, lead, largest, share, 0, n, tile, tops, hess, work, at, True)
