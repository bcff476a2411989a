# One chunk's sums, the first sweep. Class j of a chunk goes to lane j mod LANES; the folds of lanes and of chunks.


cdef enum Field:
    REFERENCE, TAIL, MASS, MOMENT, SHARE, N_FIELDS


cdef enum:
    NO_MARK = -1
    OWN_MARK = -2               # the first of the largest classes


cdef struct Fold:               # a row's chunks, folded
    double top                  # c
    double tail                 # Σ without the mark, in units of c's reference
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


cdef inline Py_ssize_t first_at(const real* x, Py_ssize_t n, real value) noexcept nogil:
    """The first place of `value`, or n."""
    cdef Py_ssize_t i = 0, lane
    cdef int hits = 0
    while i + QUAD * LANES <= n:
        for lane in range(QUAD * LANES):
            hits |= x[i + lane] == value
        if hits != 0:
            break
        i += QUAD * LANES
    hits = 0
    while i + LANES <= n:
        for lane in range(LANES):
            hits |= x[i + lane] == value
        if hits != 0:
            break
        i += LANES
    while i < n and x[i] != value:
        i += 1
    return i


cdef void less(const real* x, Py_ssize_t n, real origin, real* result) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        result[i] = x[i] - origin


cdef inline const real* cut_tail(const real* x, Py_ssize_t n, real fill, real* edge) noexcept nogil:
    """x[0 : n]'s short last block, with `fill` past its end. `edge` has two blocks: the last LANES numbers go into the first in
    one piece, and the short block begins somewhere in there."""
    cdef Py_ssize_t rest = n % LANES, lane
    for lane in range(LANES):
        edge[LANES + lane] = fill
    if n >= LANES:
        memcpy(edge, x + n - LANES, LANES * sizeof(real))
    else:
        for lane in range(rest):
            edge[LANES - rest + lane] = x[n - rest + lane]
    return edge + LANES - rest


cdef inline void cut_marked(const real* x, Py_ssize_t mark, const real* tail, Py_ssize_t full, real fill,
                            real* edge) noexcept nogil:
    """A copy of the marked class's block, if any, with `fill` for it."""
    if mark >= 0:
        memcpy(edge, tail if mark // LANES == full else x + mark // LANES * LANES, LANES * sizeof(real))
        edge[mark % LANES] = fill


cdef inline const real* block_of(const real* x, Py_ssize_t block, const real* marked, Py_ssize_t marked_block,
                                 const real* tail, Py_ssize_t full) noexcept nogil:
    if block == marked_block:
        return marked
    return tail if block == full else x + block * LANES


cdef struct Sweep:              # of a chunk
    Py_ssize_t n                # classes
    Py_ssize_t mark             # the class that is left out of the sums, or NO_MARK or OWN_MARK
    const Rate* rate            # of the exponentials, where they are scaled
    double* stats               # sums go to stats[field·stride]
    Py_ssize_t stride
    const char* ahead           # what will be read later, as far from the chunk as it pays to prefetch …
    Py_ssize_t step             # … its numbers so many bytes apart
    Evenness evenness           # of the masses …
    double spread               # … which are this where they are even
    void* room                  # for a chunk that is far from 0


cdef inline real weighed(real gap, real mass, Evenness evenness) noexcept nogil:
    """A gap may be infinite where there is no mass."""
    return 0 if mass == 0 else gap if evenness == EVEN else mass * gap


cdef inline real counted(real mass, Evenness evenness) noexcept nogil:
    return mass if evenness == UNEVEN else 0 if mass == 0 else 1


cdef inline void sum_gaps(const Sweep* sweep, const real* x, Py_ssize_t mark, real largest, const real* mass, double factor,
                          Evenness evenness) noexcept nogil:
    """Σ m_j and Σ m_j·(c − x_j)·factor. What is marked, and pads, are at the largest: their gap is 0."""
    cdef Py_ssize_t n = sweep.n, full = n // LANES, blocks = (n + LANES - 1) // LANES
    cdef Py_ssize_t marked_block = mark // LANES if mark >= 0 else -1
    cdef real edge[2 * LANES]
    cdef real marked_edge[LANES]
    cdef real masses[LANES]
    cdef real moment[LANES]
    cdef double mass_sums[LANES]
    cdef double moments[LANES]
    cdef real pads[LANES]
    cdef real zeros[LANES]
    cdef const real* source[QUAD]
    cdef const real* own[QUAD]
    cdef const real* short_block
    cdef real first, second, third, fourth
    cdef real c = 0 if largest == -INFINITY else largest
    cdef Py_ssize_t block, strip, lane, start, place
    short_block = cut_tail(x, n, c, edge)
    cut_marked(x, mark, short_block, full, c, marked_edge)
    for lane in range(LANES):
        mass_sums[lane] = 0.0
        moments[lane] = 0.0
        pads[lane] = c
        zeros[lane] = 0
    for strip in range((blocks + STRIP - 1) // STRIP):
        for lane in range(LANES):
            masses[lane] = 0
            moment[lane] = 0
        start = strip * STRIP
        while start < min((strip + 1) * STRIP, blocks):
            for place in range(QUAD):
                block = start + place
                source[place] = pads
                own[place] = zeros
                if block < blocks:
                    source[place] = block_of(x, block, marked_edge, marked_block, short_block, full)
                    if evenness != ALL_EVEN:
                        own[place] = mass + block * LANES
            for lane in range(LANES):
                first = c - source[0][lane]
                second = c - source[1][lane]
                third = c - source[2][lane]
                fourth = c - source[3][lane]
                if evenness != ALL_EVEN:
                    first = weighed(first, own[0][lane], evenness)
                    second = weighed(second, own[1][lane], evenness)
                    third = weighed(third, own[2][lane], evenness)
                    fourth = weighed(fourth, own[3][lane], evenness)
                    masses[lane] += ((counted(own[0][lane], evenness) + counted(own[1][lane], evenness))
                                     + (counted(own[2][lane], evenness) + counted(own[3][lane], evenness)))
                moment[lane] += (first + second) + (third + fourth)
            start += QUAD
        for lane in range(LANES):
            mass_sums[lane] += masses[lane]
            moments[lane] += moment[lane]
    keep_moment(sweep.stats, sweep.stride, evenness, sweep.spread, <double>(n - (1 if mark >= 0 else 0)), fold_lanes(mass_sums),
                fold_lanes(moments), factor)


cdef inline void keep_moment(double* stats, Py_ssize_t stride, Evenness evenness, double spread, double count, double mass_sum,
                             double moment, double factor) noexcept nogil:
    """`mass_sum`: of the masses or, where they are even, how many classes have one; where all have, that is `count`."""
    count = count if evenness == ALL_EVEN else mass_sum
    stats[MASS * stride] = mass_sum if evenness == UNEVEN else spread * count
    stats[MOMENT * stride] = (moment if evenness == UNEVEN else spread * moment) * factor


cdef void sum_no_masses(const Sweep* sweep, const real* x, Py_ssize_t mark, real largest, const real* mass,
                        double factor) noexcept nogil:
    sum_gaps(sweep, x, mark, largest, mass, factor, ALL_EVEN)


cdef void sum_even_masses(const Sweep* sweep, const real* x, Py_ssize_t mark, real largest, const real* mass,
                          double factor) noexcept nogil:
    sum_gaps(sweep, x, mark, largest, mass, factor, EVEN)


cdef void sum_masses(const Sweep* sweep, const real* x, Py_ssize_t mark, real largest, const real* mass,
                     double factor) noexcept nogil:
    sum_gaps(sweep, x, mark, largest, mass, factor, UNEVEN)


cdef inline void sweep_chunk(const Sweep* sweep, const real* x, const real* mass, real* kept, bint massed,
                             bint keep, bint scaled) noexcept nogil:
    """x[0 : n] → stats, and kept[0 : n] where `keep`. `mass` is padded with zeros to whole blocks. `kept` may be x."""
    cdef Py_ssize_t n = sweep.n, mark = sweep.mark, step = sweep.step, stride = sweep.stride
    cdef const char* ahead = sweep.ahead
    cdef double* stats = sweep.stats
    cdef const Rate* rate = sweep.rate
    cdef real edge[2 * LANES]
    cdef real marked_edge[LANES]
    cdef real lanes[LANES]
    cdef real r[STRIP * LANES]
    cdef real lost[STRIP * LANES]
    cdef real power[STRIP * LANES]
    cdef real spare[QUAD * LANES]
    cdef real tail[LANES]
    cdef double tails[LANES]
    cdef const real* source
    cdef const real* four[QUAD]
    cdef const real* short_block = cut_tail(x, n, -INFINITY, edge)
    cdef real largest, origin, least, magic, first, second, third, fourth, marked_value = 0
    cdef Py_ssize_t full = n // LANES
    cdef Py_ssize_t blocks = (n + LANES - 1) // LANES
    cdef Py_ssize_t marked_block = mark // LANES if mark >= 0 else -1
    cdef real* goal
    cdef double factor
    cdef Py_ssize_t block, lane, strip, start, stop, quads, quad, at, n_kept

    cut_marked(x, mark, short_block, full, -INFINITY, marked_edge)
    for lane in range(LANES):
        lanes[lane] = -INFINITY
    for quad in range((blocks + QUAD - 1) // QUAD):     # four blocks at a time: lanes that wait for one another wait less often
        for block in range(QUAD):                       # the last one again, where the last quad is short of blocks
            four[block] = block_of(x, min(quad * QUAD + block, blocks - 1), marked_edge, marked_block, short_block, full)
        for lane in range(LANES):
            first = four[0][lane] if four[0][lane] > four[1][lane] else four[1][lane]
            second = four[2][lane] if four[2][lane] > four[3][lane] else four[3][lane]
            first = first if first > second else second
            lanes[lane] = first if first > lanes[lane] else lanes[lane]
    largest = largest_lane(lanes)
    stats[REFERENCE * stride] = largest
    gauge_of(largest, rate.turns if scaled else DOUBLE_LOG2_E, rate.period if scaled else DOUBLE_LN2, &origin, &least, &magic)
    if massed:
        factor = rate.scale if scaled else 1.0
        if sweep.evenness == ALL_EVEN:
            sum_no_masses(sweep, x, mark, largest, mass, factor)
        elif sweep.evenness == EVEN:
            sum_even_masses(sweep, x, mark, largest, mass, factor)
        else:
            sum_masses(sweep, x, mark, largest, mass, factor)
    else:
        stats[MASS * stride] = 0.0
        stats[MOMENT * stride] = 0.0
    if mark == OWN_MARK and largest != -INFINITY:
        mark = first_at(x, n, largest)
        marked_block = mark // LANES
        cut_marked(x, mark, short_block, full, -INFINITY, marked_edge)
        if keep:
            marked_value = exponential(x[mark], origin, least, magic, rate, scaled)

    if origin != 0:             # rare: nothing is subtracted where c is near 0
        less(x, n, origin, <real*>sweep.room)
        x = <const real*>sweep.room
        short_block = cut_tail(x, n, -INFINITY, edge)
        cut_marked(x, mark, short_block, full, -INFINITY, marked_edge)
    for lane in range(LANES):
        tails[lane] = 0.0
    if real is float:           # of double, frames would be above 16 KiB
        if blocks == 1:         # a small call's row: by four blocks, of which three are 0, it would take twice the time
            source = block_of(x, 0, marked_edge, marked_block, short_block, full)
            for lane in range(LANES):
                reduce(source[lane], least, magic, rate, scaled, &r[lane], &lost[lane], &power[lane])
            for lane in range(LANES):
                r[lane] = exp_reduced(r[lane], lost[lane], power[lane])
            for lane in range(LANES):
                tails[lane] = <double>r[lane]
            if keep:
                memcpy(kept, r, n * sizeof(real))
            blocks = 0
    for strip in range((blocks + STRIP - 1) // STRIP):
        start = strip * STRIP
        stop = min(start + STRIP, blocks)
        for block in range(start, stop):
            source = block_of(x, block, marked_edge, marked_block, short_block, full)
            prefetch_block(ahead + block * LANES * step, step)
            at = (block - start) * LANES
            for lane in range(LANES):
                reduce(source[lane], least, magic, rate, scaled, &r[at + lane], &lost[at + lane], &power[at + lane])
        quads = (stop - start + QUAD - 1) // QUAD
        for at in range((stop - start) * LANES, quads * QUAD * LANES):      # blocks that the last quad is short of
            r[at] = lost[at] = power[at] = 0
        for lane in range(LANES):
            tail[lane] = 0
        for quad in range(quads):
            at = quad * QUAD * LANES
            n_kept = n - start * LANES - at
            goal = kept + start * LANES + at
            if n_kept < QUAD * LANES:
                goal = spare
            for lane in range(LANES):
                first = exp_reduced(r[at + lane], lost[at + lane], power[at + lane])
                second = exp_reduced(r[at + LANES + lane], lost[at + LANES + lane], power[at + LANES + lane])
                third = exp_reduced(r[at + 2 * LANES + lane], lost[at + 2 * LANES + lane], power[at + 2 * LANES + lane])
                fourth = exp_reduced(r[at + 3 * LANES + lane], lost[at + 3 * LANES + lane], power[at + 3 * LANES + lane])
                tail[lane] += (first + second) + (third + fourth)
                if keep:
                    goal[lane] = first
                    goal[LANES + lane] = second
                    goal[2 * LANES + lane] = third
                    goal[3 * LANES + lane] = fourth
            if keep and n_kept < QUAD * LANES:
                memcpy(kept + start * LANES + at, spare, n_kept * sizeof(real))
        for lane in range(LANES):
            tails[lane] += tail[lane]
    stats[TAIL * stride] = fold_lanes(tails) * (FLOAT_UNIT if real is float else DOUBLE_UNIT)
    if keep and sweep.mark == OWN_MARK and mark >= 0:
        kept[mark] = marked_value


cdef void exponentials(const Problem* problem, const real* x, Py_ssize_t n, double largest, real* values,
                       real* slopes) noexcept nogil:
    """As the first sweep has them, and the slopes of a cap, unless NULL. `values` may be x."""
    cdef Rate rate
    cdef real origin, least, magic
    cdef Py_ssize_t i
    if is_shaped(problem):
        shape_chunk(problem, x, n, largest, values, NULL, slopes)
    elif is_scaled(problem):
        rate = rate_of(problem.scale, <real>0)
        gauge_of(<real>largest, rate.turns, rate.period, &origin, &least, &magic)
        for i in range(n):
            values[i] = exponential(x[i], origin, least, magic, &rate, True)
    else:
        gauge_of(<real>largest, DOUBLE_LOG2_E, DOUBLE_LN2, &origin, &least, &magic)
        for i in range(n):
            values[i] = exponential(x[i], origin, least, magic, NULL, False)


cdef inline double sum_chunk(const real* values, Py_ssize_t n) noexcept nogil:
    """Σ values[0 : n], as sum_tile adds a row."""
    cdef double sums[LANES]
    cdef real strip[LANES]
    cdef real quad[QUAD][LANES]
    cdef Py_ssize_t block = 0, stop, place, lane, blocks = (n + LANES - 1) // LANES
    for lane in range(LANES):
        sums[lane] = 0.0
    while block < blocks:
        stop = min(block + STRIP, blocks)
        for lane in range(LANES):
            strip[lane] = 0
        while block < stop:
            if (block + QUAD) * LANES > n:
                memset(quad, 0, sizeof(quad))
            for place in range(min(<Py_ssize_t>QUAD, stop - block)):
                for lane in range(min(<Py_ssize_t>LANES, n - (block + place) * LANES)):
                    quad[place][lane] = values[(block + place) * LANES + lane]
            for lane in range(LANES):
                strip[lane] += (quad[0][lane] + quad[1][lane]) + (quad[2][lane] + quad[3][lane])
            block += QUAD
        for lane in range(LANES):
            sums[lane] += strip[lane]
    return fold_lanes(sums)


cdef inline Fold fold_chunks(const Problem* problem, double* stats, Py_ssize_t n_chunks, Py_ssize_t stride,
                             real kind) noexcept nogil:
    """Chunk k's sums stand at stats[field·n_chunks·stride + k·stride]. Leaves what a chunk's reference is in units of the row's
    as SHARE. Marks of the row's own choice (OWN_MARK) join the sum, but for the row's."""
    cdef Fold fold
    cdef double* largest = stats + REFERENCE * n_chunks * stride
    cdef double* tail = stats + TAIL * n_chunks * stride
    cdef double* mass = stats + MASS * n_chunks * stride
    cdef double* moment = stats + MOMENT * n_chunks * stride
    cdef double* share = stats + SHARE * n_chunks * stride
    cdef bint own = marks_own(problem), met = False
    cdef double gap, c
    cdef Total sum
    cdef Reference top
    cdef Py_ssize_t k
    fold.top = largest[0]
    for k in range(1, n_chunks):
        fold.top = largest[k * stride] if largest[k * stride] > fold.top else fold.top
    top = reference_at(problem, fold.top, kind)
    fold.mass = fold.moment = 0.0
    sum.sum = sum.error = 0.0
    for k in range(n_chunks):
        c = largest[k * stride]
        if c == fold.top:
            share[k * stride] = 1.0
        else:
            share[k * stride] = share_of(problem, reference_at(problem, c, kind), top)
        add_to(&sum, tail[k * stride] * share[k * stride])
        if own and (c < fold.top or met):
            add_to(&sum, relative(problem, c, 0.0, top))
        met = met or c == fold.top
        gap = (fold.top - c) * problem.unit if c < fold.top else 0.0
        fold.mass += mass[k * stride]
        # A chunk of −inf alone has an infinite moment already where it has mass.
        gap = 0.0 if mass[k * stride] == 0.0 or c == -INFINITY else mass[k * stride] * gap
        fold.moment += moment[k * stride] + gap
    fold.tail = sum.sum + sum.error
    return fold
