# The gradient −p/q: a look for bad numbers, and the division. Of float32 the quotient is made in float32, which double rounded
# to it would give as well.


cdef inline double slope_of(double p, double q, double least, double largest, double smallest) noexcept nogil:
    """0 where p = 0 or q is clipped, and below `smallest`. A q of −0 is 0."""
    cdef double slope = -(p / (q + 0.0))
    slope = 0.0 if -smallest < slope else slope
    slope = 0.0 if clipped(q, least, largest) != q else slope
    return 0.0 if p == 0.0 else slope                           # also where q = 0


cdef inline float single_slope(float p, float q, const Clipping* clipping) noexcept nogil:
    """slope_of"""
    cdef float slope = -(p / (q + <float>0.0))
    slope = <float>0.0 if -FLT_MIN < slope else slope
    slope = <float>0.0 if q < clipping.least else slope
    slope = <float>0.0 if q >= clipping.largest else slope
    return <float>0.0 if p == 0 else slope


cdef inline double look_at(const real* p, const real* q, Py_ssize_t n) noexcept nogil:
    """0, or nan where p[0 : n] or q[0 : n] hold what is no probability."""
    cdef double flags[LANES]
    cdef Py_ssize_t start, lane
    for lane in range(LANES):
        flags[lane] = 0.0
    for start in range(n // LANES):
        for lane in range(LANES):
            flags[lane] += checked(checked(0.0, p[start * LANES + lane]), q[start * LANES + lane])
    for lane in range(n // LANES * LANES, n):
        flags[0] += checked(checked(0.0, p[lane]), q[lane])
    return fold_lanes(flags)


cdef inline void judge_numbers(const real* p, const real* q, Py_ssize_t n, int* bad) noexcept nogil:
    cdef double found
    if real is float:
        if all_between(p, n, 0.0) and all_between(q, n, 0.0):
            return
    found = look_at(p, q, n)
    if found != found:
        xf_raise_flag(bad)


cdef inline void double_slopes(const Comparison* problem, char* target, double* p, const double* q, Py_ssize_t n) noexcept nogil:
    """Slopes go by way of p[0 : n]."""
    cdef double smallest = DBL_MIN if problem.out_type == FLOAT64 else FLT_MIN
    cdef double lanes[LANES]
    cdef Py_ssize_t start = 0, count, lane
    while start < n:
        count = min(<Py_ssize_t>LANES, n - start)
        for lane in range(LANES):
            lanes[lane] = slope_of(p[start + lane], q[start + lane], problem.least, problem.largest, smallest)
        memcpy(p + start, lanes, count * sizeof(double))
        start += LANES
    write_values(p, n, target, problem.out.step, problem.out_type)


cdef inline void single_slopes(const Comparison* problem, char* target, const float* p, const float* q,
                               Py_ssize_t n) noexcept nogil:
    """`target` may be where p or q are."""
    cdef Clipping clipping = clipping_of(problem.least, problem.largest)
    cdef float slopes[STRIP_TERMS]
    cdef Py_ssize_t start = 0, count, i
    while start < n:
        count = min(<Py_ssize_t>STRIP_TERMS, n - start)
        for i in range(count):
            slopes[i] = single_slope(p[start + i], q[start + i], &clipping)
        write_values(<const float*>slopes, count, target + start * problem.out.step, problem.out.step, problem.out_type)
        start += count


# Chunks are counted through all rows, as in compare_chunks; `out` may be p or q. Without `out`, a look for bad numbers; without
# `bad`, no look.
cdef void slope_chunks(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef Held held = held_in(scratch)
    cdef bint single = in_single(problem.p_type) and in_single(problem.q_type)
    cdef const float* p
    cdef const float* q
    cdef char* target
    cdef Py_ssize_t item, row, start, n
    for item in range(first, last):
        row = item // n_chunks
        start = item % n_chunks * TERMS
        n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
        target = NULL
        if problem.out.data != NULL:
            target = problem.out.data + place_of(problem, &problem.out, row) + start * problem.out.step
        if single:
            p = load_singles(problem, &problem.p, problem.p_type, row, 1, start, n, held.p_single)
            q = load_singles(problem, &problem.q, problem.q_type, row, 1, start, n, held.q_single)
            if problem.bad != NULL:
                judge_numbers(p, q, n, problem.bad)
            if target != NULL:
                single_slopes(problem, target, p, q, n)
        else:
            load_probabilities(problem, &problem.p, problem.p_type, row, 1, start, n, held.p)
            load_probabilities(problem, &problem.q, problem.q_type, row, 1, start, n, held.q)
            if problem.bad != NULL:
                judge_numbers(<const double*>held.p, <const double*>held.q, n, problem.bad)
            if target != NULL:
                double_slopes(problem, target, held.p, held.q, n)
        row_values[item - first] = 0.0
