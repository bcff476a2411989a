# The second sweep of a chunk: exponentials times a factor, less masses; log_softmax.

cdef extern from "numerics/machine.h":
    double FLOAT_PLAIN_SHIFT "XF_FLOAT_PLAIN_SHIFT"
    double DOUBLE_PLAIN_SHIFT "XF_DOUBLE_PLAIN_SHIFT"


cdef inline bint is_plain_shift(double shift, real kind) noexcept nogil:
    """Whether a difference from it is 0 or a normal number: a multiple of the last digit of what is at least half of it."""
    cdef double size = -shift if shift < 0.0 else shift
    cdef double least = FLOAT_PLAIN_SHIFT if real is float else DOUBLE_PLAIN_SHIFT
    return size >= least


cdef inline void scale_lanes(const real* source, Py_ssize_t first, Py_ssize_t last, Factor factor, const real* mass,
                             double mass_scale, real* lanes, bint massed, bint even) noexcept nogil:
    """lanes[first : last] = source·factor − mass_scale·mass; no subnormal arises. `even`: each mass is mass[0], the shift is
    plain."""
    cdef real power = <real>factor.first
    cdef real second = <real>factor.second
    cdef real least = <real>factor.least
    cdef real mass_factor = <real>mass_scale
    cdef real shift = mass_factor * mass[0] if even else 0
    cdef real smallest = <real>(FLT_MIN if real is float else DBL_MIN)
    cdef real q
    cdef Py_ssize_t lane
    for lane in range(first, last):
        q = source[lane] * power * second if source[lane] >= least else 0
        if even:
            q -= shift
        elif massed:
            q -= mass_factor * mass[lane]
            q = 0 if -smallest < q < smallest else q
        lanes[lane] = q


cdef inline void scale_chunk(const real* source, Py_ssize_t n, Factor factor, const real* mass, double mass_scale,
                             Py_ssize_t mark, real mark_value, real* target, bint massed, bint even,
                             bint stream) noexcept nogil:
    """target[0 : n] = source[0 : n]·factor − mass_scale·mass[0 : n], but `mark_value` at `mark`. `target` may be `source`."""
    cdef real lanes[LANES]
    cdef real rest[LANES]
    cdef Py_ssize_t block, lane, full = n // LANES
    if stream:
        stream_scaled(source, n, factor, mass, mass_scale, mark, mark_value, target, massed, even)
        return
    for block in range(full):
        scale_lanes(source + block * LANES, 0, LANES, factor, mass + (0 if even else block * LANES) if massed else NULL,
                    mass_scale, lanes, massed, even)
        for lane in range(LANES):
            target[block * LANES + lane] = lanes[lane]
    scale_lanes(source + full * LANES, 0, n - full * LANES, factor, mass + (0 if even else full * LANES) if massed else NULL,
                mass_scale, rest, massed, even)
    for lane in range(n - full * LANES):
        target[full * LANES + lane] = rest[lane]
    if mark >= 0:
        target[mark] = mark_value


cdef inline void stream_scaled(const real* source, Py_ssize_t n, Factor factor, const real* mass, double mass_scale,
                               Py_ssize_t mark, real mark_value, real* target, bint massed, bint even) noexcept nogil:
    """The same past the cache. `mark_value` joins before its line goes: fetching that back costs more than all the rest."""
    cdef real lanes[LANES]
    cdef Py_ssize_t first, count
    cdef Py_ssize_t start = (-<Py_ssize_t>target & 63) // <Py_ssize_t>sizeof(real)     # whole cache lines alone can go
    start = 0 if start == 0 else start - LANES
    while start < n:
        first = 0 if start >= 0 else -start
        count = min(<Py_ssize_t>LANES, n - start)
        if count - first == LANES:
            scale_lanes(source + start, 0, LANES, factor, mass + (0 if even else start) if massed else NULL, mass_scale, lanes,
                        massed, even)
        else:
            scale_lanes(source + start, first, count, factor, mass + (0 if even else start) if massed else NULL, mass_scale,
                        lanes, massed, even)
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
