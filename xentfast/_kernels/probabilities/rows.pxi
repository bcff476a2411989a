# Rows of probabilities to values: chunks are loaded, their terms are added, and the chunks in order.

cdef enum:
    HELD_TERMS = 16384          # classes · rows that are held at a time, at most …
    HELD_ROWS = 64              # … and rows
    FEW_TERMS = 64              # up to so many classes, rows go side by side


cdef extern from "numerics/transpose.h":
    enum:
        SIDE "XF_SIDE"
    void xf_side_to_tile_float(const char* rows, Py_ssize_t step, Py_ssize_t n, float* tile, Py_ssize_t lanes) noexcept nogil
    void xf_rows_to_tile_float(const float* a, const float* b, const float* c, const float* d, Py_ssize_t n, float* tile,
                               Py_ssize_t lanes) noexcept nogil


cdef struct Held:               # a thread's scratch, in one of two ways
    double* p                   # numbers in double, and terms in the place of p …
    double* q
    float* p_single             # … or numbers in float32, and terms beside them
    float* q_single
    double* terms


cdef inline Held held_in(char* scratch) noexcept nogil:
    """HELD_TERMS numbers of each."""
    cdef Held held
    held.p = <double*>scratch
    held.q = held.p + HELD_TERMS
    held.p_single = <float*>scratch
    held.q_single = held.p_single + HELD_TERMS
    held.terms = held.q
    return held


cdef inline bint in_single(ValueType type) noexcept nogil:
    """Whether float32 holds its numbers; integers count as float64 everywhere."""
    return type == FLOAT32 or type == FLOAT16 or type == BFLOAT16


cdef inline bint as_singles(const Comparison* problem) noexcept nogil:
    """Whether float32 holds p and q, and what q is clipped to as well, or its logarithm is all that matters."""
    if not in_single(problem.p_type):
        return False
    if problem.measure == ENTROPY:
        return True
    return in_single(problem.q_type) and (problem.measure == CROSS_ENTROPY or problem.least == 0.0)


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


cdef inline const float* load_singles(const Comparison* problem, const Operand* operand, ValueType type, Py_ssize_t row,
                                      Py_ssize_t rows, Py_ssize_t start, Py_ssize_t n, float* numbers) noexcept nogil:
    """The same in float32: where they are, if they lie together."""
    cdef const char* place = operand.data + place_of(problem, operand, row) + start * operand.step
    cdef Py_ssize_t next_row, cls, done = 0
    cdef bint together = type == FLOAT32 and operand.step == 4
    if rows == 1:
        if together:
            return <const float*>place
        read_floats(place, operand.step, type, n, numbers)
        return numbers
    next_row = operand.strides[problem.n_axes - 1]
    if together and n >= 4 and rows >= 4:
        while done + SIDE <= rows:
            xf_side_to_tile_float(place + done * next_row, next_row, n, numbers + done, rows)
            done += SIDE
        while done < rows:
            done = min(done, rows - 4)
            xf_rows_to_tile_float(<const float*>(place + done * next_row), <const float*>(place + (done + 1) * next_row),
                                  <const float*>(place + (done + 2) * next_row), <const float*>(place + (done + 3) * next_row), n,
                                  numbers + done, rows)
            done += 4
        return numbers
    for cls in range(n):
        read_floats(place + cls * operand.step, next_row, type, rows, numbers + cls * rows)
    return numbers


cdef inline double* sum_of_chunk(const Comparison* problem, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t chunk,
                                 const Held* held) noexcept nogil:
    """One chunk of `rows` rows that are neighbours on the innermost axis → their sums."""
    cdef Py_ssize_t start = chunk * TERMS
    cdef Py_ssize_t n = min(<Py_ssize_t>TERMS, problem.n_classes - start)
    cdef const float* p
    cdef const float* q
    if as_singles(problem):
        p = q = load_singles(problem, &problem.p, problem.p_type, row, rows, start, n, held.p_single)
        if problem.measure != ENTROPY:
            q = load_singles(problem, &problem.q, problem.q_type, row, rows, start, n, held.q_single)
        sum_singles(p, q, n, rows, held.terms, problem)
        return held.terms
    load_probabilities(problem, &problem.p, problem.p_type, row, rows, start, n, held.p)
    if problem.measure != ENTROPY:
        load_probabilities(problem, &problem.q, problem.q_type, row, rows, start, n, held.q)
    sum_terms(held.p, held.q, n, rows, problem.least, problem.largest, problem.measure)
    return held.p


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


# p and q of any strides and types → a value for each row.
cdef void compare_rows(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef Held held = held_in(scratch)
    cdef double* chunk_sums
    cdef double sums[HELD_ROWS]                 # not Totals: rows go side by side
    cdef double errors[HELD_ROWS]
    cdef Total total
    cdef Py_ssize_t start = first, rows, row, chunk
    while start < last:
        rows = rows_side_by_side(problem, start, last)
        for row in range(rows):
            sums[row] = errors[row] = 0.0
        for chunk in range(n_chunks):
            chunk_sums = sum_of_chunk(problem, start, rows, chunk, &held)
            for row in range(rows):
                total.sum, total.error = sums[row], errors[row]
                add_chunk(&total, chunk_sums[row])
                sums[row], errors[row] = total.sum, total.error
        for row in range(rows):
            row_values[start - first + row] = finished(problem, sums[row], errors[row])
        start += rows


# The same in two steps, for few rows of many classes: chunks are counted through all rows, then their sums are added.
cdef void compare_chunks(const void* comparison, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    cdef const Comparison* problem = <const Comparison*>comparison
    cdef Py_ssize_t n_chunks = (problem.n_classes + TERMS - 1) // TERMS
    cdef Held held = held_in(scratch)
    cdef Py_ssize_t item
    for item in range(first, last):
        row_values[item - first] = sum_of_chunk(problem, item // n_chunks, 1, item % n_chunks, &held)[0]


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
