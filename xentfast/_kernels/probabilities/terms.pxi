# Probabilities: cross-entropy, entropy and divergence over the classes of a row, and the gradient.
#
# A term is a function of one p and one q. The terms of a chunk of TERMS classes are added in an order that depends on their
# places alone: here, in float64, in one tree (a sum of 1 024 passes ten roundings, and none where all terms are equal and their
# number a power of two); in singles.pxi by lanes. Chunks are added in order, with the rounding errors summed beside
# (numerics/totals.pxi).
#
# Neighbouring rows may go side by side: the term of class c of row r then stands at [c·rows + r], and all of them are added in
# the same order. That serves few classes, and a class axis that is not the last.
#
# A number that is no probability makes its term nan, which nothing else does, and its row's value too.


cdef enum:
    TERMS = 1024                # classes of a chunk


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
# than 10⁻³: 1.53 ulp (python tools/lanes.py log_ratio_double).
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


# read_values, compiled once
cdef void read_doubles(const char* source, Py_ssize_t step, ValueType type, Py_ssize_t n, double* buffer) noexcept nogil:
    read_values(source, step, type, n, buffer)


cdef void read_floats(const char* source, Py_ssize_t step, ValueType type, Py_ssize_t n, float* buffer) noexcept nogil:
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
