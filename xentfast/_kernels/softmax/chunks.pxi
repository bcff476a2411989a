# One chunk: its sums, and its second sweep. Class j of a chunk goes to lane j mod LANES; the folds of lanes and of chunks.


cdef enum Field:
    REFERENCE, PEAKS, TAIL, MASS, MOMENT, SHARE, N_FIELDS


cdef struct Fold:               # a row's chunks, folded
    double top                  # c
    double peaks
    double tail
    double mass                 # Σ m_j, without the target's
    double moment               # Σ m_j·(c − x_j), without the target's


cdef inline real larger(real x, real y) noexcept nogil:
    return y if y > x else x


cdef inline real largest_lane(real* lanes) noexcept nogil:
    """`lanes` is overwritten."""
    cdef Py_ssize_t lane
    for lane in range(16):
        lanes[lane] = larger(lanes[lane], lanes[lane + 16])
    for lane in range(8):
        lanes[lane] = larger(lanes[lane], lanes[lane + 8])
    for lane in range(4):
        lanes[lane] = larger(lanes[lane], lanes[lane + 4])
    return larger(larger(lanes[0], lanes[2]), larger(lanes[1], lanes[3]))


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


cdef inline void exp_block(const real* source, real reference, const Rate* rate, real* gaps, real* values,
                           bint scaled) noexcept nogil:
    cdef Py_ssize_t lane
    for lane in range(LANES):
        gaps[lane] = source[lane] - reference
        values[lane] = exp_rate(gaps[lane], rate, scaled)


cdef inline void add_block(const real* gaps, const real* values, real* tail, real* peaks, bint marked) noexcept nogil:
    cdef Py_ssize_t lane
    for lane in range(LANES):
        if marked:
            tail[lane] += values[lane]
        else:
            tail[lane] += 0 if gaps[lane] == 0 else values[lane]
            peaks[lane] += 1 if gaps[lane] == 0 else 0


cdef inline void add_masses(const real* gaps, const real* mass, real* masses, real* moment) noexcept nogil:
    cdef Py_ssize_t lane
    for lane in range(LANES):
        masses[lane] += mass[lane]
        moment[lane] += 0 if mass[lane] == 0 else mass[lane] * -gaps[lane]


cdef struct Sweep:              # of a chunk
    Py_ssize_t n                # classes
    Py_ssize_t mark             # the class that is left out of the sums, −1: none
    const Rate* rate            # of the exponentials, where they are scaled
    double* stats               # sums go to stats[field·stride]
    Py_ssize_t stride
    const char* ahead           # what will be read later, as far from the chunk as it pays to prefetch …
    Py_ssize_t step             # … its numbers so many bytes apart


cdef inline void sweep_chunk(const Sweep* sweep, const real* x, const real* mass, real* kept, bint marked, bint massed, bint keep,
                             bint scaled) noexcept nogil:
    """x[0 : n] → stats, and kept[0 : n] where `keep`. `mass` is padded with zeros to whole blocks. `kept` may be x. Without a
    mark, logits equal to the reference are counted as peaks and left out of the tail."""
    cdef Py_ssize_t n = sweep.n, mark = sweep.mark, step = sweep.step, stride = sweep.stride
    cdef const char* ahead = sweep.ahead
    cdef double* stats = sweep.stats
    cdef const Rate* rate = sweep.rate
    cdef real edge[2 * LANES]
    cdef real marked_edge[LANES]
    cdef real lanes[LANES]
    cdef real gaps[LANES]
    cdef real values[LANES]
    cdef real last_gaps[LANES]
    cdef real last_values[LANES]
    cdef real tail[LANES]
    cdef real peaks[LANES]
    cdef real masses[LANES]
    cdef real moment[LANES]
    cdef double tails[LANES]
    cdef double mass_sums[LANES]
    cdef double moments[LANES]
    cdef double peak_sums[LANES]
    cdef const real* source
    cdef const real* short_block = cut_tail(x, n, edge)
    cdef real reference
    cdef Py_ssize_t full = n // LANES
    cdef Py_ssize_t blocks = (n + LANES - 1) // LANES
    cdef Py_ssize_t marked_block = mark // LANES if mark >= 0 else -1
    cdef Py_ssize_t block, lane, strip

    if mark >= 0:
        cut_marked(short_block if marked_block == full else x + marked_block * LANES, mark % LANES, marked_edge)
    for lane in range(LANES):
        lanes[lane] = -INFINITY
    for block in range(blocks):
        source = block_of(x, block, marked_edge, marked_block, short_block, full)
        for lane in range(LANES):
            lanes[lane] = source[lane] if source[lane] > lanes[lane] else lanes[lane]
    stats[REFERENCE * stride] = largest_lane(lanes)
    reference = 0 if stats[REFERENCE * stride] == -INFINITY else <real>stats[REFERENCE * stride]   # −inf − (−inf) would be nan

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
        for block in range(strip * STRIP, min((strip + 1) * STRIP, full)):
            source = block_of(x, block, marked_edge, marked_block, short_block, full)
            prefetch_block(ahead + block * LANES * step, step)
            exp_block(source, reference, rate, gaps, values, scaled)
            add_block(gaps, values, tail, peaks, marked)
            if massed:
                add_masses(gaps, mass + block * LANES, masses, moment)
            if keep:
                for lane in range(LANES):       # not by memcpy, which would need them in memory
                    kept[block * LANES + lane] = values[lane]
        if full < blocks and full // STRIP == strip:            # the short block
            source = block_of(x, full, marked_edge, marked_block, short_block, full)
            exp_block(source, reference, rate, last_gaps, last_values, scaled)
            add_block(last_gaps, last_values, tail, peaks, marked)
            if massed:
                add_masses(last_gaps, mass + full * LANES, masses, moment)
            if keep:
                memcpy(kept + full * LANES, last_values, (n - full * LANES) * sizeof(real))
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
        stats[MOMENT * stride] = fold_lanes(moments) * (rate.scale if scaled else 1.0)


cdef void exponentials(const Problem* problem, const real* x, Py_ssize_t n, real reference, real* values) noexcept nogil:
    """e^{s·(x − reference)}, as sweep_chunk keeps it. `values` may be x."""
    cdef Rate rate
    cdef Py_ssize_t i
    if is_scaled(problem):
        rate = rate_of(problem.scale, reference)
        for i in range(n):
            values[i] = exp_rate(x[i] - reference, &rate, True)
    else:
        for i in range(n):
            values[i] = exp_rate(x[i] - reference, &rate, False)


cdef inline double sum_chunk(const real* values, Py_ssize_t n) noexcept nogil:
    """Σ values[0 : n], as sum_tile adds a row."""
    cdef double sums[LANES]
    cdef real strip[LANES]
    cdef Py_ssize_t block = 0, stop, lane, blocks = (n + LANES - 1) // LANES
    for lane in range(LANES):
        sums[lane] = 0.0
    while block < blocks:
        stop = min(block + STRIP, blocks)
        for lane in range(LANES):
            strip[lane] = 0
        while block < stop:
            for lane in range(min(<Py_ssize_t>LANES, n - block * LANES)):
                strip[lane] += values[block * LANES + lane]
            block += 1
        for lane in range(LANES):
            sums[lane] += strip[lane]
    return fold_lanes(sums)


cdef inline Fold fold_chunks(double* stats, Py_ssize_t n_chunks, Py_ssize_t stride, double unit) noexcept nogil:
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
        gap = (fold.top - reference[k * stride]) * unit if reference[k * stride] < fold.top else 0.0
        share[k * stride] = exp_unit(-gap)
        fold.peaks += peaks[k * stride] if gap == 0.0 else 0.0
        fold.tail += (tail[k * stride] if gap == 0.0 else
                      (tail[k * stride] + peaks[k * stride]) * share[k * stride])
        fold.mass += mass[k * stride]
        # A chunk of −inf alone has an infinite moment already where it has mass.
        gap = 0.0 if mass[k * stride] == 0.0 or reference[k * stride] == -INFINITY else mass[k * stride] * gap
        fold.moment += moment[k * stride] + gap
    return fold


cdef inline void scale_lanes(const real* source, Py_ssize_t first, Py_ssize_t last, Factor factor, const real* mass,
                             double mass_scale, real* lanes, bint massed) noexcept nogil:
    """lanes[first : last] = source·factor − mass_scale·mass; no subnormal arises."""
    cdef real power = <real>factor.first
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real mass_factor = <real>mass_scale
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real q
    cdef Py_ssize_t lane
    for lane in range(first, last):
        q = source[lane] * power * second if source[lane] >= least else 0
        if massed:
            q -= mass_factor * mass[lane]
            q = 0 if -smallest < q < smallest else q
        lanes[lane] = q


cdef inline void scale_chunk(const real* source, Py_ssize_t n, Factor factor, const real* mass, double mass_scale,
                             Py_ssize_t mark, real mark_value, real* target, bint massed, bint stream) noexcept nogil:
    """target[0 : n] = source[0 : n]·factor − mass_scale·mass[0 : n], but `mark_value` at `mark`. `target` may be `source`."""
    cdef real lanes[LANES]
    cdef real rest[LANES]
    cdef Py_ssize_t block, lane, full = n // LANES
    if stream:
        stream_scaled(source, n, factor, mass, mass_scale, mark, mark_value, target, massed)
        return
    for block in range(full):
        scale_lanes(source + block * LANES, 0, LANES, factor, mass + block * LANES if massed else NULL, mass_scale, lanes, massed)
        for lane in range(LANES):
            target[block * LANES + lane] = lanes[lane]
    scale_lanes(source + full * LANES, 0, n - full * LANES, factor, mass + full * LANES if massed else NULL, mass_scale, rest,
                massed)
    for lane in range(n - full * LANES):
        target[full * LANES + lane] = rest[lane]
    if mark >= 0:
        target[mark] = mark_value


cdef inline void stream_scaled(const real* source, Py_ssize_t n, Factor factor, const real* mass, double mass_scale,
                               Py_ssize_t mark, real mark_value, real* target, bint massed) noexcept nogil:
    """The same past the cache. `mark_value` joins before its line goes: fetching that back costs more than all the rest."""
    cdef real lanes[LANES]
    cdef Py_ssize_t first, count
    cdef Py_ssize_t start = (-<Py_ssize_t>target & 63) // <Py_ssize_t>sizeof(real)     # whole cache lines alone can go
    start = 0 if start == 0 else start - LANES
    while start < n:
        first = 0 if start >= 0 else -start
        count = min(<Py_ssize_t>LANES, n - start)
        if count - first == LANES:
            scale_lanes(source + start, 0, LANES, factor, mass + start if massed else NULL, mass_scale, lanes, massed)
        else:
            scale_lanes(source + start, first, count, factor, mass + start if massed else NULL, mass_scale, lanes, massed)
        if start <= mark < start + count:
            lanes[mark - start] = mark_value
        if count - first < LANES:
            memcpy(target + start + first, lanes + first, (count - first) * sizeof(real))
        else:
            xf_stream_lines(target + start, lanes)
            if real is double:
                xf_stream_lines(target + start + LANES // 2, lanes + LANES // 2)
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
