# Soft targets and class weights → the rows' weights, by which a mean divides.


cdef double weight_of_chunk(const Problem* problem, const char* soft_row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    """Σ weight_c·t_c over classes [start, start + n)."""
    cdef double sums[LANES]
    cdef double targets[LANES]
    cdef double read[LANES]
    cdef const double* weights
    cdef Py_ssize_t cls = start, count, lane
    for lane in range(LANES):
        sums[lane] = 0.0
    while cls < start + n:
        count = min(<Py_ssize_t>LANES, start + n - cls)
        read_values(soft_row + cls * problem.soft.step, problem.soft.step, problem.soft_type, count, targets)
        weights = load_weights(problem, cls, count, read)
        for lane in range(count):
            sums[lane] += weights[lane] * targets[lane]
        cls += LANES
    return fold_lanes(sums)


cdef inline void weigh_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t last, double* row_values,
                            real kind) noexcept nogil:
    """Soft targets and class weights → each row's weight, sample_weight·Σ_c weight_c·t_c."""
    cdef Py_ssize_t row, offset, start, n
    cdef double weight, own
    for row in range(first, last):
        row_values[row - first] = 0.0
        own = sample_weight_of(problem, row)
        if own == 0.0:                          # not read
            continue
        row_offsets(problem, &problem.soft, row, 1, &offset)
        weight = 0.0
        start = 0
        while start < problem.n_classes:
            n = min(chunk_length(kind), problem.n_classes - start)
            weight += weight_of_chunk(problem, problem.soft.data + offset, start, n)
            start += chunk_length(kind)
        row_values[row - first] = own * weight
