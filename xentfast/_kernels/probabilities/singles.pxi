# The terms of float32 and of what it holds: logarithms in float32 lanes, in short loops whose steps wait little for each other;
# terms and sums in double.
#
# A logarithm is 0.70·2⁻²³ of it off (numerics/lanes.pxi), that of a ratio, which stays a double, 0.29·2⁻²³ (python tools/lanes.py
# log_ratio_float). In double, terms and sums add nothing to speak of, and the result is rounded once: entropies are within 2 ulp,
# divergences within 1.1 ulp of the sum of their terms' sizes, since 2⁻²³ of a number is up to 2 of its ulp.
#
# Most calls have normal numbers from 0 to 1 alone. A look at their bits finds the strips where it is otherwise, which are
# computed with care: for the same numbers both ways give the same bits.

cdef enum:
    STRIP_TERMS = 256           # numbers that go through short loops together


cdef struct Clipping:           # what takes the place of the logarithm of a q below `least` or above `largest`
    float least
    float largest
    float log_least
    float log_largest


cdef inline float float_above(double x) noexcept nogil:
    """The least float that is not below x ≥ 0."""
    cdef float number = <float>x
    return xf_float(xf_bits32(number) + 1) if number < x else number


cdef inline Clipping clipping_of(double least, double largest) noexcept nogil:
    """q < least is q < float_above(least) for floats, and q > largest is q ≥ the least float above it."""
    cdef Clipping clipping
    clipping.least = float_above(least)
    clipping.largest = float_above(largest)
    clipping.largest = xf_float(xf_bits32(clipping.largest) + 1) if clipping.largest <= largest else clipping.largest
    clipping.log_least = -INFINITY
    clipping.log_largest = 0.0
    if least != 0.0:
        clipping.log_least = <float>log_probability(least)
        clipping.log_largest = <float>log_probability(largest)
    return clipping


cdef inline bint is_small(float x) noexcept nogil:
    """Half of it is no normal number."""
    return x < <float>2.0 * FLT_MIN


cdef inline float lifted(float x) noexcept nogil:
    return x * <float>SUBNORMAL_LIFT if is_small(x) else x


cdef inline float log_parts(float x, float* f, bint careful) noexcept nogil:
    """k and f of x = 2ᵏ·(1 + f)"""
    cdef float k
    if not careful:
        return log_exponent_float(x, f)
    k = log_exponent_float(lifted(x), f)
    return k - <float>54.0 if is_small(x) else k


# The same of p/q, as log_ratio has them, and d = p − 2ᵏ·q, which is exact: p·f = d·(1 + f) without the quotient's rounding in d.
# Near p = q, where k = 0, what is left of Σ d is as small as the other terms are, p·f²/2.
cdef inline float ratio_parts(float p, float q, float* f, float* d, bint careful) noexcept nogil:
    cdef uint32_t p_bits = xf_bits32(lifted(p) if careful else p)
    cdef uint32_t q_bits = xf_bits32(lifted(q) if careful else q)
    cdef uint32_t p_part_bits = (p_bits & <uint32_t>0x007fffff) | <uint32_t>0x3f800000
    cdef float p_part = xf_float(p_part_bits)
    cdef float q_part = xf_float((q_bits & <uint32_t>0x007fffff) | <uint32_t>0x3f800000)
    # −1 where p's part is halved, 1 where it is doubled
    cdef uint32_t turn = <uint32_t>(q_part > p_part * <float>SQRT2) - <uint32_t>(p_part > q_part * <float>SQRT2)
    cdef float k = <float><int>((p_bits >> 23) - (q_bits >> 23) - turn)
    if careful:
        k = k - <float>54.0 if is_small(p) else k
        k = k + <float>54.0 if is_small(q) else k
    p_part = xf_float(p_part_bits + (turn << 23)) - q_part
    f[0] = p_part / q_part
    d[0] = p_part * xf_float((p_bits & <uint32_t>0x7f800000) - (turn << 23))
    return k


cdef inline double divergence_of(float p, double k, double f, double d, double tail, bint careful) noexcept nogil:
    """p·(k·ln 2 + log(1 + f)), from log(1 + f) − f"""
    if careful:
        d = d / SUBNORMAL_LIFT if is_small(p) else d
    return p * (k * DOUBLE_LN2 + tail) + (d + d * f)


cdef inline double careful_term(float p, float q, double term, Measure measure) noexcept nogil:
    """The term where a number is 0, or none that belongs here."""
    if measure == DIVERGENCE:
        term = INFINITY if q == 0 else term
    term = 0.0 if p == 0 else term                  # also where q = 0
    return checked(term, p) if measure == ENTROPY else checked(checked(term, p), q)


cdef inline float clipped_log(float q, float log_q, const Clipping* clipping) noexcept nogil:
    log_q = -INFINITY if q == 0 else log_q
    log_q = clipping.log_least if q < clipping.least else log_q
    return clipping.log_largest if q >= clipping.largest else log_q


cdef inline void fetch_block(const float* block) noexcept nogil:
    """Of the next strip, from memory while this one is computed."""
    XF_PREFETCH(block)
    XF_PREFETCH(block + LANES // 2)


cdef inline void make_strip(const float* p, const float* q, Py_ssize_t n_blocks, double* terms, const Clipping* clipping,
                            Measure measure, bint careful) noexcept nogil:
    """Terms of a strip, or of what is left of one; those of entropies with the other sign. `terms` is an array of the caller's
    own: no loop asks whether it overlaps another."""
    cdef float k[STRIP_TERMS]
    cdef float f[STRIP_TERMS]
    cdef float d[STRIP_TERMS]
    cdef float logs[STRIP_TERMS]
    cdef const float* x = p if measure == ENTROPY else q
    cdef double term
    cdef Py_ssize_t block, lane, i
    for block in range(n_blocks):
        for lane in range(LANES):
            i = block * LANES + lane
            if measure == DIVERGENCE:
                k[i] = ratio_parts(p[i], q[i], f + i, d + i, careful)
            else:
                k[i] = log_parts(x[i], f + i, careful)
    for block in range(n_blocks):
        for lane in range(LANES):
            i = block * LANES + lane
            logs[i] = log_tail_float(f[i], 1.0) if measure == DIVERGENCE else log_float(k[i], f[i], 1.0)
        fetch_block(p + STRIP_TERMS + block * LANES)
        if measure != ENTROPY:
            fetch_block(q + STRIP_TERMS + block * LANES)
    for block in range(n_blocks):
        for lane in range(LANES):
            i = block * LANES + lane
            if measure == DIVERGENCE:
                term = divergence_of(p[i], k[i], f[i], d[i], logs[i], careful)
            elif careful:
                term = p[i] * <double>clipped_log(x[i], logs[i], clipping)
            else:
                term = p[i] * <double>logs[i]
            terms[i] = careful_term(p[i], x[i], term, measure) if careful else term


cdef inline uint32_t largest_bits(const float* x, Py_ssize_t n, uint32_t least) noexcept nogil:
    """The largest of bits − least. Bits of floats from 0 on are in their order, and those of all others are above, as are
    differences below 0."""
    cdef uint32_t largest[LANES]
    cdef uint32_t bits, found = 0
    cdef Py_ssize_t block, lane
    for lane in range(LANES):
        largest[lane] = 0
    for block in range(n // LANES):
        for lane in range(LANES):
            bits = xf_bits32(x[block * LANES + lane]) - least
            largest[lane] = bits if bits > largest[lane] else largest[lane]
    for lane in range(LANES):
        found = largest[lane] if largest[lane] > found else found
    for lane in range(n // LANES * LANES, n):
        found = max(found, xf_bits32(x[lane]) - least)
    return found


cdef inline bint all_between(const float* x, Py_ssize_t n, float least) noexcept nogil:
    """Whether all are from `least` to 1; −0 is not."""
    return largest_bits(x, n, xf_bits32(least)) <= xf_bits32(1.0) - xf_bits32(least)


cdef inline bint needs_no_care(const float* p, const float* q, Py_ssize_t n, Measure measure) noexcept nogil:
    """Whether all are probabilities, and what a logarithm is taken of is not small."""
    cdef float least = <float>2.0 * FLT_MIN
    if measure == ENTROPY:
        return all_between(p, n, least)
    return all_between(p, n, 0.0 if measure == CROSS_ENTROPY else least) and all_between(q, n, least)


cdef inline void sum_strips(const float* p, const float* q, Py_ssize_t n_classes, Py_ssize_t rows, double* terms,
                            const Comparison* problem, Measure measure) noexcept nogil:
    """The rows' sums → terms[0 : rows]. Class c belongs to lane c mod 32, as a logit does: a lane adds its blocks in order, and
    one tree the lanes."""
    cdef Clipping clipping = clipping_of(problem.least, problem.largest)
    cdef bint unclipped = problem.least == 0.0
    cdef float p_end[STRIP_TERMS]
    cdef float q_end[STRIP_TERMS]
    cdef double values[STRIP_TERMS]
    cdef double lanes[LANES]
    cdef const float* p_strip
    cdef const float* q_strip
    cdef Py_ssize_t start = 0, n = n_classes * rows, count, block, lane
    for lane in range(LANES):
        lanes[lane] = 0.0
    while start < n:
        count = min(<Py_ssize_t>STRIP_TERMS, n - start)
        p_strip, q_strip = p + start, q + start
        if count % LANES != 0:
            for lane in range(count):                                       # faster than memcpy's rep movs
                p_end[lane] = p_strip[lane]
                q_end[lane] = q_strip[lane]
            p_strip, q_strip = p_end, q_end
            while count % LANES != 0:                                       # plain numbers whose term is 0, clipped or not
                p_end[count] = 0.0 if measure == CROSS_ENTROPY else 1.0
                q_end[count] = 1.0
                count += 1
        if unclipped and needs_no_care(p_strip, q_strip, count, measure):
            make_strip(p_strip, q_strip, count // LANES, values, &clipping, measure, False)
        else:
            make_strip(p_strip, q_strip, count // LANES, values, &clipping, measure, True)
        if rows > 1:
            for lane in range(count):
                terms[start + lane] = values[lane]
        else:
            for block in range(count // LANES):
                for lane in range(LANES):
                    lanes[lane] += values[block * LANES + lane]
        start += count
    if rows > 1:
        fold_blocks_of_rows(terms, n_classes, rows)
    else:
        terms[0] = fold_lanes(lanes)
    if measure != DIVERGENCE:
        for start in range(rows):
            terms[start] = -terms[start]


cdef inline void fold_blocks_of_rows(double* terms, Py_ssize_t n_classes, Py_ssize_t rows) noexcept nogil:
    """The same for rows side by side."""
    cdef Py_ssize_t start = LANES, i
    cdef const double* block
    while start < n_classes:
        block = terms + start * rows
        for i in range(min(<Py_ssize_t>LANES, n_classes - start) * rows):
            terms[i] += block[i]
        start += LANES
    fold_classes(terms, min(<Py_ssize_t>LANES, n_classes), rows)


cdef void sum_singles(const float* p, const float* q, Py_ssize_t n_classes, Py_ssize_t rows, double* terms,
                      const Comparison* problem) noexcept nogil:
    """Chunks of p and q → the rows' sums, in terms[0 : rows]."""
    if problem.measure == ENTROPY:
        sum_strips(p, p, n_classes, rows, terms, problem, ENTROPY)
    elif problem.measure == CROSS_ENTROPY:
        sum_strips(p, q, n_classes, rows, terms, problem, CROSS_ENTROPY)
    else:
        sum_strips(p, q, n_classes, rows, terms, problem, DIVERGENCE)
