# Probabilities: cross-entropy, entropy and divergence over the classes of a row, and the gradient.
#
# A term is a function of one p and one q. The terms of a chunk of TERMS classes are added in one tree, whose shape depends on
# their places alone (a sum of 1 024 passes ten roundings, and none where all terms are equal and their number a power of two),
# and the chunks in order, with the rounding errors summed beside (numerics/totals.pxi).
#
# Neighbouring rows may go side by side: the term of class c of row r then stands at [c·rows + r], and the same tree runs over
# all of them. That serves few classes, and a class axis that is not the last.
#
# A number that is no probability makes its term nan, which nothing else does, and its row's value too.


cdef enum:
    TERMS = 1024                # classes of a chunk
    HELD_TERMS = 16384          # classes · rows that are held at a time, at most …
    HELD_ROWS = 64              # … and rows
    FEW_TERMS = 64              # up to so many classes, rows go side by side


cdef extern from "numerics/machine.h":
    double SUBNORMAL_LIFT "XF_SUBNORMAL_LIFT"
    void xf_raise_flag(int* flag) noexcept nogil


# log x for a finite x ≥ 0, −inf for 0. A subnormal is scaled into the normal range first. Largest error seen over 10⁷ values
# from 5·10⁻³²⁴ to 1 and as many between ½ and 1: 0.84 ulp (python tools/lanes.py log_double).
cdef inline double log_probability(double x) noexcept nogil:
    cdef double f, k
    k = log_exponent_double(x * SUBNORMAL_LIFT if x < DBL_MIN else x, &f)
    k = k - 54.0 if x < DBL_MIN else k
    k = log_double(k, f, k * DOUBLE_LN2_LOW)
    return -INFINITY if x == 0.0 else k


# log(p/q) for finite p, q > 0, as accurate near 1 as elsewhere: both are taken apart into a power of two and a number m from 1
# to 2; one m is halved or doubled so that m_p/m_q lies between √½ and √2; their difference is exact then (Sterbenz 1974), and
# u = (m_p − m_q)/m_q is rounded once. Largest error seen over 2·10⁷ pairs from 5·10⁻³²⁴ to 1, and as many closer to each other
# than 10⁻³: 1.53 ulp (python tools/lanes.py log_ratio).
cdef inline double log_ratio(double p, double q) noexcept nogil:
    cdef double p_part, q_part, k
    k = exponent_of(p, &p_part) - exponent_of(q, &q_part)
    k = k + 1.0 if p_part > SQRT2 * q_part else k
    p_part = p_part * 0.5 if p_part > SQRT2 * q_part else p_part
    k = k - 1.0 if q_part > SQRT2 * p_part else k
    p_part = p_part * 2.0 if q_part > SQRT2 * p_part else p_part
    return log_double(k, (p_part - q_part) / q_part, k * DOUBLE_LN2_LOW)


cdef inline double exponent_of(double x, double* part) noexcept nogil:
    """x = 2ᵏ·part, 1 ≤ part < 2 → k"""
    cdef double k = exponent_double(x * SUBNORMAL_LIFT if x < DBL_MIN else x, part)
    return k - 54.0 if x < DBL_MIN else k


cdef inline double clipped(double q, double least, double largest) noexcept nogil:
    q = least if q < least else q
    return largest if q > largest else q


cdef inline double checked(double term, double p) noexcept nogil:
    """The term, or nan where p is no probability; nan fails both comparisons."""
    term = term if p >= 0.0 else NAN
    return term if p <= 1.0 else NAN


cdef inline double term_of(double p, double q, double least, double largest, Measure measure) noexcept nogil:
    cdef double term, c = q
    if measure == ENTROPY:
        term = p * -log_probability(p)
        term = 0.0 if p == 0.0 else term
        return checked(term, p)
    c = clipped(q, least, largest)
    if measure == CROSS_ENTROPY:
        term = p * -log_probability(c)
    else:
        term = p * log_ratio(p, c)
        term = INFINITY if c == 0.0 else term
    term = 0.0 if p == 0.0 else term                # also where q = 0
    return checked(checked(term, p), q)


# ---- a chunk of one row, or of a few rows side by side


cdef void read_doubles(const char* source, Py_ssize_t step, ValueType type, Py_ssize_t n, double* buffer) noexcept nogil:
    """read_values, compiled once."""
    read_values(source, step, type, n, buffer)


cdef inline Py_ssize_t whole_blocks(double* numbers, Py_ssize_t n, double neutral) noexcept nogil:
    """Put the neutral number behind numbers[0 : n] up to the end of its last block."""
    cdef Py_ssize_t end = (n + LANES - 1) // LANES * LANES, i
    for i in range(n, end):
        numbers[i] = neutral
    return end


cdef inline void make_terms(double* p, const double* q, Py_ssize_t n, double least, double largest,
                            Measure measure) noexcept nogil:
    """Terms in the place of p[0 : n], whole blocks."""
    cdef double lanes[LANES]
    cdef const double* p_block
    cdef const double* q_block
    cdef Py_ssize_t block, lane
    for block in range(n // LANES):
        p_block = p + block * LANES
        q_block = q + block * LANES
        for lane in range(LANES):
            lanes[lane] = term_of(p_block[lane], q_block[lane], least, largest, measure)
        memcpy(p + block * LANES, lanes, LANES * sizeof(double))


cdef inline void fold_classes(double* terms, Py_ssize_t n_classes, Py_ssize_t rows) noexcept nogil:
    """Sums over the classes → terms[0 : rows], by one tree: class c takes class c + 512, then c + 256, …"""
    cdef Py_ssize_t width = TERMS // 2, i
    cdef const double* upper
    while width > 0:
        upper = terms + width * rows
        for i in range((min(n_classes, 2 * width) - width) * rows):
            terms[i] += upper[i]
        width //= 2


cdef void sum_terms(double* p, double* q, Py_ssize_t n_classes, Py_ssize_t rows, double least, double largest,
                    Measure measure) noexcept nogil:
    """Chunks of p and q → the rows' sums, in p[0 : rows]."""
    cdef Py_ssize_t n = whole_blocks(p, n_classes * rows, 0.0)
    if measure == ENTROPY:
        make_terms(p, p, n, least, largest, ENTROPY)
    else:
        whole_blocks(q, n_classes * rows, 1.0)
        if measure == CROSS_ENTROPY:
            make_terms(p, q, n, least, largest, CROSS_ENTROPY)
        else:
            make_terms(p, q, n, least, largest, DIVERGENCE)
    fold_classes(p, n_classes, rows)


# ---- rows


cdef inline Py_ssize_t place_of(const Comparison* problem, const Operand* operand, Py_ssize_t row) noexcept nogil:
    """Bytes from the operand's start to that row."""
    cdef Py_ssize_t offset = 0
    cdef int axis
    for axis in range(problem.n_axes - 1, 0, -1):
        offset += row % problem.shape[axis] * operand.strides[axis]
        row //= problem.shape[axis]
    return offset + row * operand.strides[0] if problem.n_axes > 0 else 0


cdef inline void load_probabilities(const Comparison* problem, const Operand* operand, ValueType type, Py_ssize_t row,
                                    Py_ssize_t rows, Py_ssize_t start, Py_ssize_t n, double* numbers) noexcept nogil:
    """Classes [start, start + n) of `rows` rows that are neighbours on the innermost axis."""
    cdef const char* place = operand.data + place_of(problem, operand, row) + start * operand.step
    cdef Py_ssize_t cls
    if rows == 1:
        read_doubles(place, operand.step, type, n, numbers)
        return
    for cls in range(n):
        read_doubles(place + cls * operand.step, operand.strides[problem.n_axes - 1], type, rows, numbers + cls * rows)


cdef inline void sum_of_chunk(const Comparison* problem, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t chunk, double* p,
                              double* q) noexcept nogil:
    """One chunk of `rows` rows that are neighbours on the innermost axis → their sums, in p[0 : rows]."""
    cdef Py_ssize_t start = chunk * TERMS
    cdef Py_ssize_t n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
    load_probabilities(problem, &problem.p, problem.p_type, row, rows, start, n, p)
    if problem.measure != ENTROPY:
        load_probabilities(problem, &problem.q, problem.q_type, row, rows, start, n, q)
    sum_terms(p, q, n, rows, problem.least, problem.largest, problem.measure)


cdef inline void add_chunk(Total* total, double value) noexcept nogil:
    """A value below the smallest normal number counts as 0, as it does where it is stored in between."""
    add_to(total, 0.0 if -DBL_MIN < value < DBL_MIN else value)


cdef inline double finished(const Comparison* problem, double sum, double error) noexcept nogil:
    """A row's value; one canonical nan, and a flag, where it held something else than probabilities."""
    if sum != sum:
        xf_raise_flag(problem.bad)
        return NAN
    return sum if sum == INFINITY else sum + error


cdef inline Py_ssize_t rows_side_by_side(const Comparison* problem, Py_ssize_t row, Py_ssize_t last) noexcept nogil:
    cdef Py_ssize_t left
    if problem.n_axes == 0:
        return 1
    left = problem.shape[problem.n_axes - 1] - row % problem.shape[problem.n_axes - 1]
    return min(min(problem.rows_at_once, left), last - row)


# p and q of any strides and types → a value for each row. Scratch: HELD_TERMS numbers of p, as many of q.
cdef void compare_rows(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef double* p = <double*>scratch
    cdef double sums[HELD_ROWS]                 # not Totals: rows go side by side
    cdef double errors[HELD_ROWS]
    cdef Total total
    cdef Py_ssize_t start = first, rows, row, chunk
    while start < last:
        rows = rows_side_by_side(problem, start, last)
        for row in range(rows):
            sums[row] = errors[row] = 0.0
        for chunk in range(n_chunks):
            sum_of_chunk(problem, start, rows, chunk, p, p + HELD_TERMS)
            for row in range(rows):
                total.sum, total.error = sums[row], errors[row]
                add_chunk(&total, p[row])
                sums[row], errors[row] = total.sum, total.error
        for row in range(rows):
            row_values[start - first + row] = finished(problem, sums[row], errors[row])
        start += rows


# The same in two steps, for few rows of many classes: chunks are counted through all rows, then their sums are added.
cdef void compare_chunks(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef double* p = <double*>scratch
    cdef Py_ssize_t item
    for item in range(first, last):
        sum_of_chunk(problem, item // n_chunks, 1, item % n_chunks, p, p + HELD_TERMS)
        row_values[item - first] = p[0]


cdef void add_chunks(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                     double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef Py_ssize_t row, chunk
    cdef Total total
    for row in range(first, last):
        total.sum = total.error = 0.0
        for chunk in range(n_chunks):
            add_chunk(&total, problem.chunk_sums[row * n_chunks + chunk])
        row_values[row - first] = finished(problem, total.sum, total.error)


cdef Py_ssize_t choose_rows(const Comparison* problem) noexcept nogil:
    """How many rows go side by side: one where a row's classes are closer together than its neighbours are."""
    cdef Py_ssize_t n = min(problem.n_classes, <Py_ssize_t>TERMS)
    cdef Py_ssize_t along, across
    if problem.n_axes == 0:
        return 1
    along, across = problem.p.step, problem.p.strides[problem.n_axes - 1]
    if n > FEW_TERMS and along * along <= across * across:
        return 1
    return min(<Py_ssize_t>HELD_ROWS, HELD_TERMS // n)


# ---- the gradient −p/q


cdef inline double slope_of(double p, double q, double least, double largest, double smallest) noexcept nogil:
    """0 where p = 0 or q is clipped, and below `smallest`."""
    cdef double slope = -(p / q)
    slope = 0.0 if -smallest < slope else slope
    slope = 0.0 if clipped(q, least, largest) != q else slope
    return 0.0 if p == 0.0 else slope                           # also where q = 0


cdef inline double look_at(const double* p, const double* q, Py_ssize_t n) noexcept nogil:
    """0, or nan where p[0 : n] or q[0 : n], whole blocks, hold what is no probability."""
    cdef double flags[LANES]
    cdef Py_ssize_t block, lane
    for lane in range(LANES):
        flags[lane] = 0.0
    for block in range(n // LANES):
        for lane in range(LANES):
            flags[lane] += checked(checked(0.0, p[block * LANES + lane]), q[block * LANES + lane])
    return fold_lanes(flags)


cdef inline void make_slopes(double* p, const double* q, Py_ssize_t n, double least, double largest,
                             double smallest) noexcept nogil:
    """Slopes in the place of p[0 : n], whole blocks."""
    cdef double lanes[LANES]
    cdef Py_ssize_t block, lane
    for block in range(n // LANES):
        for lane in range(LANES):
            lanes[lane] = slope_of(p[block * LANES + lane], q[block * LANES + lane], least, largest, smallest)
        for lane in range(LANES):
            p[block * LANES + lane] = lanes[lane]


# Chunks are counted through all rows, as in compare_chunks; `out` may be p or q. Without `out`, a look for bad numbers.
cdef void slope_chunks(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef double* p = <double*>scratch
    cdef double* q = p + TERMS
    cdef Py_ssize_t item, row, start, n, end
    cdef double bad
    cdef double smallest = DBL_MIN if problem.out_type == FLOAT64 else FLT_MIN
    for item in range(first, last):
        row = item // n_chunks
        start = item % n_chunks * TERMS
        n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
        load_probabilities(problem, &problem.p, problem.p_type, row, 1, start, n, p)
        load_probabilities(problem, &problem.q, problem.q_type, row, 1, start, n, q)
        end = whole_blocks(p, n, 0.0)
        whole_blocks(q, n, 1.0)
        bad = look_at(p, q, end)
        if bad != bad:
            xf_raise_flag(problem.bad)
        if problem.out.data != NULL:
            make_slopes(p, q, end, problem.least, problem.largest, smallest)
            write_values(p, n, problem.out.data + place_of(problem, &problem.out, row) + start * problem.out.step,
                         problem.out.step, problem.out_type)
        row_values[item - first] = 0.0
