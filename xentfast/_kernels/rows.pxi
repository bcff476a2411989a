# Classes along the lanes: one row at a time, chunk after chunk. Class j of a chunk goes to lane j mod LANES.
#
# sweep_row   every chunk → its reference (the largest logit in it, the target left out) and its sums; where a gradient
#             is wanted, e^{x − reference} is kept
# settle_row  the chunks' sums → the row's value and the factors of its gradient
# scale_row   every chunk: what was kept, times its factor → out
#
# `stats` has, for each field, one double a chunk; behind them the target's logit, which is read before a gradient in place
# takes its memory, and the settled row.

cdef enum Field:
    REFERENCE, PEAKS, TAIL, MASS, MOMENT, SHARE, N_FIELDS

cdef enum State:
    PLAIN, SKIPPED, BAD

cdef struct RowState:
    Settled settled
    double top
    State state


cdef inline double fold_lanes(double* sums) noexcept nogil:
    """One fixed tree over the lanes; `sums` is overwritten."""
    cdef Py_ssize_t width = LANES // 2, lane
    while width > 0:
        for lane in range(width):
            sums[lane] += sums[lane + width]
        width //= 2
    return sums[0]


cdef inline const real* cut_tail(const real* x, Py_ssize_t n, real* edge) noexcept nogil:
    """x[0 : n]'s short last block, with −inf past its end, neutral for maximum and sum. `edge` has two blocks: the last
    LANES numbers go into the first in one piece, and the short block begins somewhere in there."""
    cdef Py_ssize_t rest = n % LANES, lane
    for lane in range(LANES):
        edge[LANES + lane] = -INFINITY
    if n >= LANES:
        memcpy(edge, x + n - LANES, LANES * sizeof(real))
    else:
        for lane in range(rest):
            edge[LANES - rest + lane] = x[n - rest + lane]
    return edge + LANES - rest


cdef inline void cut_marked(const real* block, Py_ssize_t lane, real* edge) noexcept nogil:
    """A copy of the block with −inf for the marked class."""
    memcpy(edge, block, LANES * sizeof(real))
    edge[lane] = -INFINITY


cdef inline const real* block_of(const real* x, Py_ssize_t block, const real* marked, Py_ssize_t marked_block,
                                 const real* tail, Py_ssize_t full) noexcept nogil:
    if block == marked_block:
        return marked
    return tail if block == full else x + block * LANES


cdef inline void prefetch_block(const real* x) noexcept nogil:
    """Every cache line of a block."""
    cdef Py_ssize_t line = 64 // <Py_ssize_t>sizeof(real)
    XF_PREFETCH(x)
    XF_PREFETCH(x + line)
    if real is double:
        XF_PREFETCH(x + 2 * line)
        XF_PREFETCH(x + 3 * line)


cdef inline void sweep_chunk(const real* x, Py_ssize_t n, Py_ssize_t mark, const real* mass, real* kept, double* stats,
                             Py_ssize_t stride, bint marked, bint massed, bint keep) noexcept nogil:
    """x[0 : n] → stats[field·stride], and kept[0 : n] where `keep`. `mass` is padded with zeros to whole blocks.
    `kept` may be x. Without a mark, logits equal to the reference are counted as peaks and left out of the tail."""
    cdef real edge[2 * LANES]
    cdef real marked_edge[LANES]
    cdef real lanes[LANES]
    cdef real tail[LANES]
    cdef real peaks[LANES]
    cdef real masses[LANES]
    cdef real moment[LANES]
    cdef double tails[LANES]
    cdef double mass_sums[LANES]
    cdef double moments[LANES]
    cdef double peak_sums[LANES]
    cdef const real* source
    cdef const real* m
    cdef const real* short_block = cut_tail(x, n, edge)
    cdef real t, e, reference
    cdef Py_ssize_t full = n // LANES
    cdef Py_ssize_t blocks = (n + LANES - 1) // LANES
    cdef Py_ssize_t marked_block = mark // LANES if mark >= 0 else -1
    cdef Py_ssize_t block, lane, width, strip

    if mark >= 0:
        cut_marked(short_block if marked_block == full else x + marked_block * LANES, mark % LANES, marked_edge)
    for lane in range(LANES):
        lanes[lane] = -INFINITY
    for block in range(blocks):
        source = block_of(x, block, marked_edge, marked_block, short_block, full)
        for lane in range(LANES):
            lanes[lane] = source[lane] if source[lane] > lanes[lane] else lanes[lane]
    width = LANES // 2
    while width > 0:
        for lane in range(width):
            lanes[lane] = lanes[lane + width] if lanes[lane + width] > lanes[lane] else lanes[lane]
        width //= 2
    stats[REFERENCE * stride] = lanes[0]
    reference = 0 if lanes[0] == -INFINITY else lanes[0]        # −inf − (−inf) would be nan

    for lane in range(LANES):
        tails[lane] = 0.0
        if massed:
            mass_sums[lane] = 0.0
            moments[lane] = 0.0
        if not marked:
            peaks[lane] = 0
    for strip in range((blocks + STRIP - 1) // STRIP):
        for lane in range(LANES):
            tail[lane] = 0
            if massed:
                masses[lane] = 0
                moment[lane] = 0
        for block in range(strip * STRIP, min((strip + 1) * STRIP, blocks)):
            source = block_of(x, block, marked_edge, marked_block, short_block, full)
            prefetch_block(x + block * LANES + chunk_length(<real>0))
            m = mass + block * LANES if massed else NULL
            for lane in range(LANES):
                t = source[lane] - reference
                e = exp_scaled(t)
                lanes[lane] = e
                if massed:
                    masses[lane] += m[lane]
                    moment[lane] += 0 if m[lane] == 0 else m[lane] * -t
                if marked:
                    tail[lane] += e
                else:
                    tail[lane] += 0 if t == 0 else e
                    peaks[lane] += 1 if t == 0 else 0
            if keep:
                memcpy(kept + block * LANES, lanes, (LANES if block < full else n - full * LANES) * sizeof(real))
        for lane in range(LANES):
            tails[lane] += tail[lane]
            if massed:
                mass_sums[lane] += masses[lane]
                moments[lane] += moment[lane]

    stats[TAIL * stride] = fold_lanes(tails) * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    stats[PEAKS * stride] = 0.0
    stats[MASS * stride] = 0.0
    stats[MOMENT * stride] = 0.0
    if not marked:
        for lane in range(LANES):
            peak_sums[lane] = peaks[lane] if stats[REFERENCE * stride] != -INFINITY else 0.0
        stats[PEAKS * stride] = fold_lanes(peak_sums)
    if massed:
        stats[MASS * stride] = fold_lanes(mass_sums)
        stats[MOMENT * stride] = fold_lanes(moments)


cdef inline void load_row_mass(const Problem* problem, const char* soft_row, Py_ssize_t start, Py_ssize_t n,
                               Py_ssize_t mark, real* buffer) noexcept nogil:
    """The masses of classes [start, start + n), zeros behind them to a whole block; 0 for the marked class."""
    cdef Py_ssize_t cls
    if problem.soft.data != NULL:
        for cls in range(n):
            buffer[cls] = <real>soft_mass(problem, soft_row, start + cls)
    else:
        memcpy(buffer, <const real*>problem.smoothing_mass + start, n * sizeof(real))
        if mark >= 0:
            buffer[mark] = 0
    for cls in range(n, (n + LANES - 1) // LANES * LANES):
        buffer[cls] = 0


cdef inline void sweep_row(const Problem* problem, const char* row, const char* soft_row, Py_ssize_t target,
                           Py_ssize_t first, Py_ssize_t last, real* kept_row, char* out_row, double* stats,
                           real* buffer, real* mass, bint marked, bint massed, bint keep) noexcept nogil:
    """Chunks [first, last). `kept_row` is where the row's exponentials go; NULL: to `out_row` by way of `buffer`."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef Py_ssize_t k, start, n, mark
    cdef const real* x
    cdef real* kept
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        mark = target - start if marked and start <= target < start + n else -1
        x = load_chunk(&problem.logits, row, start, n, buffer)
        if mark >= 0:
            stats[N_FIELDS * n_chunks] = x[mark]
        if massed:
            load_row_mass(problem, soft_row, start, n, mark, mass)
        kept = buffer if kept_row == NULL else kept_row + start
        sweep_chunk(x, n, mark, mass, kept, stats + k, n_chunks, marked, massed, keep)
        if keep and kept_row == NULL:
            store_chunk(&problem.out, out_row, start, n, kept)


cdef inline Fold fold_chunks(double* stats, Py_ssize_t n_chunks, Py_ssize_t stride) noexcept nogil:
    """Chunk k's sums stand at stats[field·n_chunks·stride + k·stride]. Leaves e^{reference_k − top} as SHARE."""
    cdef Fold fold
    cdef double* reference = stats + REFERENCE * n_chunks * stride
    cdef double* peaks = stats + PEAKS * n_chunks * stride
    cdef double* tail = stats + TAIL * n_chunks * stride
    cdef double* mass = stats + MASS * n_chunks * stride
    cdef double* moment = stats + MOMENT * n_chunks * stride
    cdef double* share = stats + SHARE * n_chunks * stride
    cdef double gap
    cdef Py_ssize_t k
    fold.top = reference[0]
    for k in range(1, n_chunks):
        fold.top = reference[k * stride] if reference[k * stride] > fold.top else fold.top
    fold.peaks = fold.tail = fold.mass = fold.moment = 0.0
    for k in range(n_chunks):
        gap = fold.top - reference[k * stride] if reference[k * stride] < fold.top else 0.0
        share[k * stride] = exp_unit(-gap)
        fold.peaks += peaks[k * stride] if gap == 0.0 else 0.0
        fold.tail += (tail[k * stride] if gap == 0.0 else
                      (tail[k * stride] + peaks[k * stride]) * share[k * stride])
        fold.mass += mass[k * stride]
        # A chunk of −inf alone has an infinite moment already where it has mass.
        gap = 0.0 if mass[k * stride] == 0.0 or reference[k * stride] == -INFINITY else mass[k * stride] * gap
        fold.moment += moment[k * stride] + gap
    return fold


cdef inline RowState settle_row(const Problem* problem, Py_ssize_t row, double* stats, real kind) noexcept nogil:
    """One row's chunks, all swept → its value and factors."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef Fold fold = fold_chunks(stats, n_chunks, 1)
    cdef RowState state
    if problem.classes != NULL:
        state.settled = settle_marked(fold, stats[N_FIELDS * n_chunks], target_mass_of(problem, problem.classes[row]),
                                      sample_weight_of(problem, row), problem.gradient_scale)
    else:
        if problem.soft.data == NULL:
            fold.mass = 1.0                     # softmax and its kin: e^{x − c}/Σ, lse − c
        state.settled = settle_plain(fold, sample_weight_of(problem, row), problem.gradient_scale)
    state.top = fold.top
    state.state = BAD if state.settled.bad != 0.0 else PLAIN
    return state


cdef inline double row_value(const Problem* problem, const RowState* state, const char* row, real kind) noexcept nogil:
    """What the caller gets for the row: its loss, or logsumexp, which has answers where a loss has none."""
    cdef Py_ssize_t cls
    if problem.result != LOGSUMEXP:
        return NAN if state.state == BAD else state.settled.value
    if state.state == PLAIN:
        return state.top + state.settled.value
    for cls in range(problem.n_classes):
        kind = (<const real*>(row + cls * problem.logits.step))[0]
        if kind != kind:
            return NAN
    return state.top


cdef inline void scale_chunk(const real* source, Py_ssize_t n, Factor factor, const real* mass, double mass_scale,
                             real* target, bint massed, bint stream) noexcept nogil:
    """target[0 : n] = source[0 : n]·factor − mass_scale·mass[0 : n]; `target` may be `source`."""
    cdef real lanes[LANES]
    cdef real first = <real>factor.first
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real share = <real>mass_scale
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real q
    cdef Py_ssize_t start = 0, lane, count
    if stream:                              # whole cache lines alone can pass the cache
        start = (-<Py_ssize_t>target & 63) // <Py_ssize_t>sizeof(real)
        start = 0 if start == 0 else start - LANES
    while start < n:
        count = min(<Py_ssize_t>LANES, n - start)
        if start >= 0 and count == LANES:
            for lane in range(LANES):
                q = source[start + lane] * first * second if source[start + lane] >= least else 0
                if massed:
                    q -= share * mass[start + lane]
                    q = 0 if -smallest < q < smallest else q
                lanes[lane] = q
            if stream:
                xf_stream_lines(target + start, lanes)
                if real is double:
                    xf_stream_lines(target + start + LANES // 2, lanes + LANES // 2)
            else:
                memcpy(target + start, lanes, LANES * sizeof(real))
        else:
            for lane in range(max(start, <Py_ssize_t>0) - start, count):
                q = source[start + lane] * first * second if source[start + lane] >= least else 0
                if massed:
                    q -= share * mass[start + lane]
                    q = 0 if -smallest < q < smallest else q
                target[start + lane] = q
        start += LANES


cdef inline void log_chunk(const real* source, Py_ssize_t n, double top, double log_sum, real* target) noexcept nogil:
    """target[0 : n] = (source − top) − log_sum"""
    cdef real c = <real>top
    cdef real log_rounded = rounded(c, log_sum)
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real lanes[LANES]
    cdef real y
    cdef Py_ssize_t block, start, lane, count
    for block in range((n + LANES - 1) // LANES):
        start = block * LANES
        count = min(<Py_ssize_t>LANES, n - start)
        if count == LANES:
            for lane in range(LANES):
                y = (source[start + lane] - c) - log_rounded
                lanes[lane] = 0 if -smallest < y < smallest else y
            memcpy(target + start, lanes, LANES * sizeof(real))
        else:
            for lane in range(count):
                y = (source[start + lane] - c) - log_rounded
                target[start + lane] = 0 if -smallest < y < smallest else y


cdef inline void scale_row(const Problem* problem, const RowState* state, const char* row, const char* soft_row,
                           Py_ssize_t target, Py_ssize_t first, Py_ssize_t last, const real* kept_row, char* out_row,
                           const double* stats, real* buffer, real* mass, bint massed) noexcept nogil:
    """Chunks [first, last) of `out`. `kept_row` as for sweep_row."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, <real>0)
    cdef bint direct = contiguous_classes(&problem.out, <real>0)
    cdef bint stream = problem.stream and kept_row != NULL
    cdef const double* share = stats + SHARE * n_chunks
    cdef const real* source
    cdef real* goal
    cdef Factor factor
    cdef Py_ssize_t k, start, n
    for k in range(first, last):
        start = k * chunk_length(<real>0)
        n = min(chunk_length(<real>0), problem.n_classes - start)
        if state.state != PLAIN:
            fill_chunk(&problem.out, out_row, start, n, <real>(NAN if state.state == BAD else 0))
            continue
        goal = <real*>out_row + start if direct else buffer
        if problem.result == LOG_SOFTMAX:
            source = load_chunk(&problem.logits, row, start, n, buffer)
            log_chunk(source, n, state.top, state.settled.value, goal)
        else:
            source = kept_row + start if kept_row != NULL else load_chunk(&problem.out, out_row, start, n, buffer)
            factor = factor_of(<real>0, state.settled.scale * share[k])
            if massed:
                load_row_mass(problem, soft_row, start, n, -1, mass)
                scale_chunk(source, n, factor, mass, state.settled.mass_scale, goal, True, stream)
            elif stream:
                scale_chunk(source, n, factor, mass, 0.0, goal, False, True)
            else:
                scale_chunk(source, n, factor, mass, 0.0, goal, False, False)
        if not direct:
            store_chunk(&problem.out, out_row, start, n, buffer)
        if start <= target < start + n:
            (<real*>(out_row + target * problem.out.step))[0] = rounded(<real>0, state.settled.target)


cdef struct RowPlace:               # a row's pointers, whatever the operands' strides
    const char* logits
    const char* soft
    char* out
    Py_ssize_t target


cdef inline RowPlace place_row(const Problem* problem, Py_ssize_t row) noexcept nogil:
    cdef RowPlace place
    cdef Py_ssize_t offset
    row_offsets(problem, &problem.logits, row, 1, &offset)
    place.logits = problem.logits.data + offset
    place.soft = NULL
    place.out = NULL
    place.target = -1
    if problem.soft.data != NULL:
        row_offsets(problem, &problem.soft, row, 1, &offset)
        place.soft = problem.soft.data + offset
    if problem.out.data != NULL:
        row_offsets(problem, &problem.out, row, 1, &offset)
        place.out = problem.out.data + offset
    if problem.classes != NULL:
        place.target = problem.classes[row]
    return place


cdef inline real* kept_in_out(const Problem* problem, char* out_row, real kind) noexcept nogil:
    return <real*>out_row if contiguous_classes(&problem.out, kind) else NULL


cdef inline void sweep_any(const Problem* problem, const RowPlace* place, Py_ssize_t first, Py_ssize_t last,
                           real* kept, double* stats, real* buffer, real* mass) noexcept nogil:
    """sweep_row for what the problem needs; each combination is compiled on its own."""
    cdef bint keep = keeps_exponentials(problem)
    if problem.classes != NULL and not has_mass(problem):
        if keep:
            sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                      mass, True, False, True)
        else:
            sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                      mass, True, False, False)
    elif problem.classes != NULL:
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, True, True, keep)
    elif has_mass(problem):
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False, True, keep)
    else:
        sweep_row(problem, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False, False, keep)


cdef inline void scale_any(const Problem* problem, const RowState* state, const RowPlace* place, Py_ssize_t first,
                           Py_ssize_t last, const real* kept, const double* stats, real* buffer, real* mass) noexcept nogil:
    cdef bint massed = has_mass(problem)
    if massed:
        scale_row(problem, state, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, True)
    else:
        scale_row(problem, state, place.logits, place.soft, place.target, first, last, kept, place.out, stats, buffer,
                  mass, False)


cdef void rows_range(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                     real kind) noexcept nogil:
    """Rows [first, last), each by itself. Scratch: stats, a chunk of logits, a chunk of masses, a kept row."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef double* stats = <double*>scratch
    cdef real* buffer = <real*>(stats + N_FIELDS * n_chunks + 8)       # a cache line for the target's logit
    cdef real* mass = buffer + chunk_length(kind)
    cdef real* kept
    cdef RowPlace place
    cdef RowState state
    cdef Py_ssize_t row
    for row in range(first, last):
        place = place_row(problem, row)
        kept = mass + chunk_length(kind) if problem.stream else kept_in_out(problem, place.out, kind)
        if skipped(problem, row):
            state.state = SKIPPED
            row_values[row - first] = 0.0
        else:
            sweep_any(problem, &place, 0, n_chunks, kept, stats, buffer, mass)
            state = settle_row(problem, row, stats, kind)
            row_values[row - first] = row_value(problem, &state, place.logits, kind)
        if writes_classes(problem):
            scale_any(problem, &state, &place, 0, n_chunks, kept, stats, buffer, mass)
    if problem.stream:
        xf_stream_done()


cdef void row_sweep(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    """Chunks [first, last) of one row; other threads have the others."""
    cdef RowPlace place = place_row(problem, row)
    cdef real* buffer = <real*>scratch
    if not skipped(problem, row):
        sweep_any(problem, &place, first, last, kept_in_out(problem, place.out, kind), stats, buffer,
                  buffer + chunk_length(kind))


cdef double row_settle(const Problem* problem, Py_ssize_t row, double* stats, real kind) noexcept nogil:
    """The row's value; its state goes behind the chunks' fields."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowPlace place = place_row(problem, row)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    if skipped(problem, row):
        state.state = SKIPPED
        return 0.0
    state[0] = settle_row(problem, row, stats, kind)
    return row_value(problem, state, place.logits, kind)


cdef void row_scale(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                    char* scratch, real kind) noexcept nogil:
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind)
    cdef RowPlace place = place_row(problem, row)
    cdef RowState* state = <RowState*>(stats + N_FIELDS * n_chunks + 1)
    cdef real* buffer = <real*>scratch
    scale_any(problem, state, &place, first, last, kept_in_out(problem, place.out, kind), stats, buffer,
              buffer + chunk_length(kind))


cdef void weigh_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                     double* row_values) noexcept nogil:
    """Soft targets and class weights → each row's weight, sample_weight·Σ_c weight_c·t_c."""
    cdef double sums[LANES]
    cdef const char* targets
    cdef double target
    cdef Py_ssize_t row, cls, offset
    for row in range(first, last):
        row_values[row - first] = 0.0
        if skipped(problem, row):
            continue
        row_offsets(problem, &problem.soft, row, 1, &offset)
        targets = problem.soft.data + offset
        for cls in range(LANES):
            sums[cls] = 0.0
        for cls in range(problem.n_classes):
            if problem.soft_is_double:
                target = (<const double*>(targets + cls * problem.soft.step))[0]
            else:
                target = (<const float*>(targets + cls * problem.soft.step))[0]
            sums[cls % LANES] += problem.class_weight[cls] * target
        row_values[row - first] = sample_weight_of(problem, row) * fold_lanes(sums)
