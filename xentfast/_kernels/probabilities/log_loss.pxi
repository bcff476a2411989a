# log_loss: the probability of each row's label, and whether the row is a distribution.


cdef struct RowCheck:
    double sum
    double least
    double largest


cdef inline double lower(double a, double b) noexcept nogil:
    return b if b < a else a


cdef inline double higher(double a, double b) noexcept nogil:
    return b if b > a else a


cdef inline void check_values(const real* q, Py_ssize_t n, RowCheck* check) noexcept nogil:
    """Sum and range of q[0 : n] join those before."""
    cdef double sums[LANES]
    cdef real least[LANES]
    cdef real largest[LANES]
    cdef const real* block
    cdef Py_ssize_t start, lane
    if n >= LANES:
        for lane in range(LANES):
            sums[lane] = 0.0
            least[lane] = largest[lane] = 0
        for start in range(n // LANES):
            block = q + start * LANES
            for lane in range(LANES):
                sums[lane] += block[lane]
                least[lane] = block[lane] if block[lane] < least[lane] else least[lane]
                largest[lane] = block[lane] if block[lane] > largest[lane] else largest[lane]
        for lane in range(LANES):
            check.least = lower(check.least, least[lane])
            check.largest = higher(check.largest, largest[lane])
        check.sum += fold_lanes(sums)
    for start in range(n // LANES * LANES, n):
        check.sum += q[start]
        check.least = lower(check.least, q[start])
        check.largest = higher(check.largest, q[start])


cdef inline double check_for_label(const real* q, Py_ssize_t n, Py_ssize_t label, RowCheck* check) noexcept nogil:
    """q[label], or 0 where that is none of q[0 : n]."""
    check_values(q, n, check)
    return q[label] if 0 <= label < n else 0.0


cdef inline double label_probability(const LogLoss* problem, Py_ssize_t row, RowCheck* check, double* q) noexcept nogil:
    """What row `row` gives its label, as yet unclipped. Contiguous float32 and float64 are read where they are."""
    cdef const char* place = problem.q.data + row * problem.q.strides[0]
    cdef Py_ssize_t label = problem.classes[row]
    cdef Py_ssize_t start = 0, n
    cdef double chosen = 0.0
    while start < problem.n_classes:
        n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
        if problem.q_type == FLOAT64 and problem.q.step == 8:
            chosen += check_for_label(<const double*>place, n, label - start, check)
        elif problem.q_type == FLOAT32 and problem.q.step == 4:
            chosen += check_for_label(<const float*>place, n, label - start, check)
        else:
            read_doubles(place, problem.q.step, problem.q_type, n, q)
            chosen += check_for_label(<const double*>q, n, label - start, check)
        place += n * problem.q.step
        start += n
    return chosen


cdef inline double indicated_loss(const LogLoss* problem, Py_ssize_t row, RowCheck* check, double* p, double* q) noexcept nogil:
    """−Σ log q over the classes that the row's indicators name."""
    cdef Py_ssize_t start = 0, n
    cdef double loss = 0.0
    while start < problem.n_classes:
        n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
        read_doubles(problem.indicators.data + row * problem.indicators.strides[0] + start * problem.indicators.step,
                     problem.indicators.step, problem.indicator_type, n, p)
        read_doubles(problem.q.data + row * problem.q.strides[0] + start * problem.q.step, problem.q.step, problem.q_type, n, q)
        check_values(<const double*>q, n, check)
        sum_terms(p, q, n, 1, problem.least, problem.largest, CROSS_ENTROPY)
        loss += p[0]
        start += n
    return loss


cdef inline void judge(const LogLoss* problem, const RowCheck* check) noexcept nogil:
    cdef double distance = abs(check.sum - 1.0)
    if check.least < 0.0 or check.largest > 1.0 or check.sum != check.sum:
        xf_raise_flag(problem.bad)
    elif distance > problem.slack:
        xf_raise_flag(problem.uneven)


cdef inline void check_column(const LogLoss* problem, Py_ssize_t first, Py_ssize_t count, double* q) noexcept nogil:
    """One column, the probability of label 1 of two, of `count` rows, into q."""
    cdef RowCheck check
    cdef Py_ssize_t row
    check.sum = 1.0
    check.least = check.largest = 0.0
    read_doubles(problem.q.data + first * problem.q.strides[0], problem.q.strides[0], problem.q_type, count, q)
    for row in range(count):
        check.sum = check.sum if q[row] == q[row] else NAN
        check.least = lower(check.least, q[row])
        check.largest = higher(check.largest, q[row])
    judge(problem, &check)


cdef inline void losses_of(const LogLoss* problem, double* values, Py_ssize_t count) noexcept nogil:
    """Probabilities → −log of what they are clipped to, a block of lanes."""
    cdef Py_ssize_t lane
    for lane in range(count, LANES):
        values[lane] = 1.0
    for lane in range(LANES):
        values[lane] = -log_probability(clipped(values[lane], problem.least, problem.largest))


cdef inline void indicated_pairs(const LogLoss* problem, Py_ssize_t first, Py_ssize_t count, const double* q, double* indicated,
                                 double* values) noexcept nogil:
    """The losses of `count` rows of two indicators, from one column of probabilities q."""
    cdef double losses[LANES]
    cdef Py_ssize_t row, label
    for row in range(count):
        values[row] = 0.0
    for label in range(2):
        read_doubles(problem.indicators.data + first * problem.indicators.strides[0] + label * problem.indicators.step,
                     problem.indicators.strides[0], problem.indicator_type, count, indicated)
        for row in range(count):
            losses[row] = q[row] if label == 1 else 1.0 - q[row]
        losses_of(problem, losses, count)
        for row in range(count):
            values[row] += indicated[row] * losses[row]


# Rows of q → sample_weight·loss. Scratch: two chunks.
cdef void log_loss_rows(const void* log_loss, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    cdef const LogLoss* problem = <const LogLoss*>log_loss
    cdef double* p = <double*>scratch
    cdef double* q = p + TERMS
    cdef double values[LANES]
    cdef RowCheck check
    cdef Py_ssize_t start = first, count, row
    while start < last:
        count = min(<Py_ssize_t>LANES, last - start)
        if problem.n_classes == 1:
            check_column(problem, start, count, q)
            if problem.indicators.data != NULL:
                indicated_pairs(problem, start, count, q, p, values)
            else:
                for row in range(count):
                    values[row] = q[row] if problem.classes[start + row] == 1 else 1.0 - q[row]
        else:
            for row in range(count):
                check.sum = check.least = check.largest = 0.0
                if problem.indicators.data == NULL:
                    values[row] = label_probability(problem, start + row, &check, q)
                else:
                    values[row] = indicated_loss(problem, start + row, &check, p, q)
                judge(problem, &check)
        if problem.indicators.data == NULL:
            losses_of(problem, values, count)
        for row in range(count):
            if problem.sample_weight != NULL:
                values[row] *= problem.sample_weight[start + row]
            row_values[start - first + row] = values[row]
        start += count
