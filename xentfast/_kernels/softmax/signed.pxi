# logsumexp with b: log Σ b_j·e^{x_j}, of b of either sign, classes along the lanes, in double whatever the logits' type is.
#
# Exponentials are counted in the reference of the chunk's largest logit (reference.pxi). The largest term, t, is left out of the
# sum, so that it neither swamps it nor is swamped by it:
#   log Σ = x_t + ln |b_t| + log(±1 + Σ_{j≠t} b_j·e^{x_j}/(|b_t|·e^{x_t}))
# What is excluded has b = 0 and x = −inf. Of a chunk with a b beyond 2^±200 all are split, b = part·2ᵉ, and e·ln 2 joins x:
# whatever b and x are, what counts is their term's size. A chunk that holds nan or infinity has for its sum what IEEE 754 makes
# of these alone.
#
# `stats` as in rows.pxi, but with the following for fields.


cdef enum SignedField:
    SIGNED_ORIGIN = 0           # of the reference; −inf where every class is excluded
    SIGNED_EXPONENT = 1
    SIGNED_SUM = 2              # of the terms in units of the reference, without t; or nan, or infinite
    SIGNED_TERM = 3             # t's
    SIGNED_LOG = 4              # x_t + ln |b_t|


cdef extern from "numerics/machine.h":
    double SUBNORMAL_LIFT "XF_SUBNORMAL_LIFT"
    double ORDINARY_LEAST "XF_ORDINARY_LEAST"
    double ORDINARY_MOST "XF_ORDINARY_MOST"


cdef struct SignedRow:
    const char* x
    const char* b
    const char* open                # its bytes of `where`, or NULL


cdef inline SignedRow signed_row(const Problem* problem, Py_ssize_t row) noexcept nogil:
    cdef SignedRow place
    cdef Py_ssize_t offset
    row_offsets(problem, &problem.logits, row, 1, &offset)
    place.x = problem.logits.data + offset
    row_offsets(problem, problem.b, row, 1, &offset)
    place.b = problem.b.data + offset
    place.open = NULL
    if problem.where.data != NULL:
        row_offsets(problem, &problem.where, row, 1, &offset)
        place.open = problem.where.data + offset
    return place


# ---- numbers, as rows and tiles have them


cdef inline double magnitude(double x) noexcept nogil:
    return xf_double(xf_bits64(x) & <uint64_t>0x7fffffffffffffff)


cdef inline double excluded(double x, double b, double* factor) noexcept nogil:
    """x, −inf where b is 0; and b, 0 where that is −inf."""
    cdef double value = -INFINITY if b == 0.0 else x
    factor[0] = b * 0.0 + 0.0 if value == -INFINITY else b      # of infinity nan; and no −0
    return value


cdef inline double spoils(double x, double b) noexcept nogil:
    """0, or nan where they are not finite, but for an x of −inf."""
    cdef double value = 0.0 if x == -INFINITY else x
    return (value - value) + (b - b)


cdef inline double split_b(double b, double* part) noexcept nogil:
    """b = 2ᵉ·part, 1 ≤ |part| < 2 → e. Of 0 part is 0, and e is finite."""
    cdef double size = magnitude(b)
    cdef double lifted = size * SUBNORMAL_LIFT if size < DBL_MIN else size
    cdef double f, e = exponent_double(lifted, &f)
    f = -f if b < 0.0 else f
    part[0] = 0.0 if b == 0.0 else f
    return e - 54.0 if size < DBL_MIN else e


cdef inline bint ordinary(double least, double most) noexcept nogil:
    """Whether products of all b of a chunk, from the least to the most that are not 0, with exponentials may be told apart by
    what is a normal number."""
    return least >= ORDINARY_LEAST and most <= ORDINARY_MOST


cdef double join_b(double x, double b, double* part) noexcept nogil:
    """What stands for x and, as `part`, for b in chunks that are not ordinary."""
    cdef double e = split_b(b, part)
    return x if b == 0.0 else x + e * DOUBLE_LN2


cdef double spoilt_sum(const double* x, const double* b, Py_ssize_t n, Py_ssize_t stride) noexcept nogil:
    """Σ b·eˣ of the terms that are not finite."""
    cdef double sum = 0.0, power
    cdef Py_ssize_t cls, at
    for cls in range(n):
        at = cls * stride
        if spoils(x[at], b[at]) != 0.0:
            power = x[at] if spoils(x[at], 1.0) != 0.0 else 1.0
            sum += b[at] * power
    return sum


cdef inline double log_term(double x, double b) noexcept nogil:
    """x + log |b|, b not 0"""
    cdef double part, f, k = split_b(magnitude(b), &part)
    k += log_exponent_double(part, &f)
    return x + log_double(k, f, k * DOUBLE_LN2_LOW)


cdef inline double settle_signed(double log_size, double term, double sum) noexcept nogil:
    """log_size + log(±1 + sum/|term|), of the sign of the term"""
    cdef double one = -1.0 if term < 0.0 else 1.0
    cdef double rest = sum / magnitude(term)
    cdef double first = rest if magnitude(rest) > 1.0 else one
    cdef double second = one if magnitude(rest) > 1.0 else rest
    cdef double y = first + second
    cdef double argument = y if y > 0.0 else 1.0
    cdef double f, k = log_exponent_double(argument, &f)
    cdef double value = log_size + log_double(k, f, (second - (y - first)) / argument + k * DOUBLE_LN2_LOW)
    value = -INFINITY if y == 0.0 else value
    return NAN if y < 0.0 else value


# ---- a chunk


cdef struct SignedChunk:
    double largest                  # x that is not excluded
    double least                    # size of b that is not 0
    double most
    double spoilt                   # 0; or nan, where there is nan or infinity among what is left


cdef void read_signed(const Problem* problem, const SignedRow* row, Py_ssize_t start, Py_ssize_t n, double* x,
                      double* b) noexcept nogil:
    """Classes [start, start + n) and, to a whole block, excluded ones behind them."""
    cdef Py_ssize_t step = problem.where.step, cls
    read_values(row.x + start * problem.logits.step, problem.logits.step, problem.type, n, x)
    read_values(row.b + start * problem.b.step, problem.b.step, problem.b_type, n, b)
    if row.open != NULL:
        for cls in range(n):
            b[cls] = b[cls] if row.open[(start + cls) * step] != 0 else 0.0
    for cls in range(n, (n + LANES - 1) // LANES * LANES):
        x[cls] = -INFINITY
        b[cls] = 0.0


cdef SignedChunk exclude_signed(Py_ssize_t n, double* x, double* b) noexcept nogil:
    """Whole blocks of x and b, as `excluded` has them."""
    cdef SignedChunk chunk
    cdef double largest[LANES]
    cdef double least[LANES]
    cdef double most[LANES]
    cdef double spoilt[LANES]
    cdef double value, factor, size
    cdef Py_ssize_t block, lane
    for lane in range(LANES):
        largest[lane] = -INFINITY
        least[lane] = INFINITY
        most[lane] = spoilt[lane] = 0.0
    for block in range((n + LANES - 1) // LANES):
        for lane in range(LANES):
            value = excluded(x[block * LANES + lane], b[block * LANES + lane], &factor)
            x[block * LANES + lane] = value
            b[block * LANES + lane] = factor
            largest[lane] = value if value > largest[lane] else largest[lane]
            size = magnitude(factor)
            most[lane] = size if size > most[lane] else most[lane]
            size = INFINITY if size == 0.0 else size
            least[lane] = size if size < least[lane] else least[lane]
            spoilt[lane] += spoils(value, factor)
    chunk.largest, chunk.least, chunk.most, chunk.spoilt = -INFINITY, INFINITY, 0.0, 0.0
    for lane in range(LANES):
        chunk.largest = largest[lane] if largest[lane] > chunk.largest else chunk.largest
        chunk.least = least[lane] if least[lane] < chunk.least else chunk.least
        chunk.most = most[lane] if most[lane] > chunk.most else chunk.most
        chunk.spoilt += spoilt[lane]
    return chunk


cdef Py_ssize_t signed_terms(Py_ssize_t n, double origin, double least, double magic, double* x,
                             const double* b) noexcept nogil:
    """x[0 : n], whole blocks, becomes the terms times DOUBLE_SCALE. The first of the largest."""
    cdef double r[QUAD * LANES]
    cdef double lost[QUAD * LANES]
    cdef double power[QUAD * LANES]
    cdef double largest[LANES]
    cdef double at[LANES]
    cdef double term, size
    cdef Py_ssize_t start = 0, blocks = (n + LANES - 1) // LANES, count, block, own, lane, found = 0
    for lane in range(LANES):
        largest[lane] = -1.0
        at[lane] = 0.0
    while blocks > 0:
        count = min(<Py_ssize_t>QUAD, blocks)
        for block in range(count):
            own = block * LANES
            for lane in range(LANES):
                reduce_double(x[start + own + lane] - origin, least, magic, &r[own + lane], &lost[own + lane],
                              &power[own + lane])
        for block in range(count):
            own = block * LANES
            for lane in range(LANES):
                term = exp_reduced_double(r[own + lane], lost[own + lane], power[own + lane] * b[start + own + lane])
                x[start + own + lane] = term
                size = magnitude(term)
                at[lane] = where_above(size, largest[lane], <double>(start + own), at[lane])
                largest[lane] = size if size > largest[lane] else largest[lane]
        start += QUAD * LANES
        blocks -= count
    for lane in range(1, LANES):
        if largest[lane] > largest[found] or (largest[lane] == largest[found] and at[lane] < at[found]):
            found = lane
    return <Py_ssize_t>at[found] + found


cdef double sum_signed(const double* x, Py_ssize_t n) noexcept nogil:
    """Σ x[0 : n], whole blocks, as sum_tile adds a row."""
    cdef double tails[LANES]
    cdef double strip[LANES]
    cdef Py_ssize_t block = 0, blocks = (n + LANES - 1) // LANES, lane
    for lane in range(LANES):
        tails[lane] = strip[lane] = 0.0
    while block < blocks:
        if block + QUAD <= blocks:
            for lane in range(LANES):
                strip[lane] += (x[lane] + x[LANES + lane]) + (x[2 * LANES + lane] + x[3 * LANES + lane])
        elif block + 3 == blocks:
            for lane in range(LANES):
                strip[lane] += (x[lane] + x[LANES + lane]) + x[2 * LANES + lane]
        elif block + 2 == blocks:
            for lane in range(LANES):
                strip[lane] += x[lane] + x[LANES + lane]
        else:
            for lane in range(LANES):
                strip[lane] += x[lane]
        x += QUAD * LANES
        block += QUAD
        if block % STRIP == 0 or block >= blocks:
            for lane in range(LANES):
                tails[lane] += strip[lane]
                strip[lane] = 0.0
    return fold_lanes(tails)


cdef void signed_chunk(const Problem* problem, const SignedRow* row, Py_ssize_t start, Py_ssize_t n, double* stats,
                       Py_ssize_t stride, double* x, real kind) noexcept nogil:
    """Classes [start, start + n) → stats[field·stride]. `x` has room for twice as many doubles as a chunk has classes."""
    cdef double* b = x + chunk_length(kind)
    cdef double origin, least, magic, value, factor
    cdef Reference reference
    cdef SignedChunk chunk
    cdef Py_ssize_t mark, cls
    cdef bint joins
    read_signed(problem, row, start, n, x, b)
    chunk = exclude_signed(n, x, b)
    stats[SIGNED_ORIGIN * stride] = -INFINITY
    stats[SIGNED_SUM * stride] = 0.0 if chunk.spoilt == 0.0 else spoilt_sum(x, b, n, 1)
    if chunk.spoilt != 0.0 or chunk.largest == -INFINITY:
        return
    joins = not ordinary(chunk.least, chunk.most)
    if joins:
        chunk.largest = -INFINITY
        for cls in range(n):
            x[cls] = join_b(x[cls], b[cls], &b[cls])
            chunk.largest = x[cls] if x[cls] > chunk.largest else chunk.largest
    gauge_of(chunk.largest, DOUBLE_LOG2_E, DOUBLE_LN2, &origin, &least, &magic)
    mark = signed_terms(n, origin, least, magic, x, b)
    reference.origin = reference_in(chunk.largest, DOUBLE_LOG2_E, &reference.exponent)
    stats[SIGNED_ORIGIN * stride] = reference.origin
    stats[SIGNED_EXPONENT * stride] = reference.exponent
    stats[SIGNED_TERM * stride] = x[mark] * DOUBLE_UNIT
    x[mark] = 0.0
    stats[SIGNED_SUM * stride] = sum_signed(x, n) * DOUBLE_UNIT
    read_values(row.x + (start + mark) * problem.logits.step, 0, problem.type, 1, &value)
    if joins:
        read_values(row.b + (start + mark) * problem.b.step, 0, problem.b_type, 1, &factor)
        value = join_b(value, factor, &factor)
    stats[SIGNED_LOG * stride] = log_term(value, b[mark])


# ---- a row


cdef double signed_value(const Problem* problem, const double* stats, Py_ssize_t n_chunks) noexcept nogil:
    """The row's, from the stats of its chunks."""
    cdef const double* origin = stats + SIGNED_ORIGIN * n_chunks
    cdef const double* exponent = stats + SIGNED_EXPONENT * n_chunks
    cdef const double* sums = stats + SIGNED_SUM * n_chunks
    cdef const double* term = stats + SIGNED_TERM * n_chunks
    cdef const double* logs = stats + SIGNED_LOG * n_chunks
    cdef Reference own, top
    cdef Total sum
    cdef double spoilt = 0.0, share
    cdef Py_ssize_t k, best = -1
    for k in range(n_chunks):
        if sums[k] - sums[k] != 0.0:
            spoilt += sums[k]
        elif origin[k] != -INFINITY and (best < 0 or logs[k] > logs[best]):
            best = k
    if spoilt != 0.0:
        return INFINITY if spoilt == INFINITY else NAN
    if best < 0:
        return -INFINITY
    top.origin, top.exponent = origin[best], exponent[best]
    sum.sum = sum.error = 0.0
    for k in range(n_chunks):
        if origin[k] == -INFINITY:
            continue
        own.origin, own.exponent = origin[k], exponent[k]
        share = 1.0 if k == best else share_of(problem, own, top)
        add_to(&sum, sums[k] * share)
        if k != best:
            add_to(&sum, term[k] * share)
    return settle_signed(logs[best], term[best], sum.sum + sum.error)


cdef inline void signed_chunks(const Problem* problem, const SignedRow* place, Py_ssize_t first, Py_ssize_t last, double* stats,
                               double* room, real kind) noexcept nogil:
    """Chunks [first, last) of a row."""
    cdef Py_ssize_t k, start
    for k in range(first, last):
        start = k * chunk_length(kind)
        signed_chunk(problem, place, start, min(chunk_length(kind), problem.n_classes - start), stats + k,
                     chunk_count(problem, kind), room, kind)


cdef inline void signed_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                              real kind) noexcept nogil:
    """Rows [first, last) → their values. Scratch: as rows_scratch has it."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind), row
    cdef double* stats = <double*>scratch
    cdef SignedRow place
    for row in range(first, last):
        place = signed_row(problem, row)
        signed_chunks(problem, &place, 0, n_chunks, stats, stats + rows_stats(problem, n_chunks, kind), kind)
        row_values[row - first] = signed_value(problem, stats, n_chunks)
