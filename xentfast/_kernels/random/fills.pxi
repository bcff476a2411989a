# Random fills: words → variates → values, all in L1, by short loops whose steps wait little for each other.
#
# Element i of a 32-bit type takes word i; of float64, words 2i and 2i + 1 (philox.h). Words come in order, or as two arrays,
# those of even and of odd places: they are the two words of a float64, and the two of a Box–Muller pair.

cdef enum:
    HALF_CHUNK = 512            # pairs of Box & Muller in a chunk …
    HALF_GROUP = 32             # … and in a group


cdef extern from "random/philox.h":
    void xf_philox_words(const uint32_t* key, const uint32_t* stream, uint64_t block, Py_ssize_t n_groups, uint32_t* first,
                         uint32_t* second) noexcept nogil

cdef extern from "numerics/machine.h":
    float BITS24_UNIT "XF_BITS24_UNIT"
    double LOW_BITS_SPAN "XF_LOW_BITS_SPAN"


# ---- words to variates


cdef inline double bits53(uint32_t high, uint32_t low) noexcept nogil:
    """The 53 bits of NumPy's doubles, as a number below 2⁵³."""
    return <double><int>(high >> 5) * LOW_BITS_SPAN + <double><int>(low >> 6)


cdef inline void uniform_float(const Fill* fill, const uint32_t* words, Py_ssize_t n, float* values) noexcept nogil:
    cdef float low = <float>fill.shift, width = <float>fill.scale
    cdef float least = <float>fill.least, largest = <float>fill.largest
    cdef float value
    cdef Py_ssize_t i
    for i in range(n):
        value = low + <float><int>(words[i] >> 8) * BITS24_UNIT * width
        value = largest if value > largest else value
        values[i] = least if value < least else value


cdef inline void uniform_double(const Fill* fill, const uint32_t* even, const uint32_t* odd, double* values) noexcept nogil:
    cdef double value
    cdef Py_ssize_t i
    for i in range(GROUP):
        value = fill.shift + bits53(even[i], odd[i]) * BITS53_UNIT * fill.scale
        value = fill.largest if value > fill.largest else value
        values[i] = fill.least if value < fill.least else value


cdef inline void normal_float(const Fill* fill, const uint32_t* even, const uint32_t* odd, Py_ssize_t n,
                              float* values) noexcept nogil:
    cdef float mean = <float>fill.shift, std = <float>fill.scale
    cdef float radii[HALF_CHUNK]
    cdef float cosines[HALF_CHUNK]
    cdef float sines[HALF_CHUNK]
    cdef float cosine, sine
    cdef Py_ssize_t i
    for i in range(n // 2):
        radii[i] = radius_float(even[i])
    for i in range(n // 2):
        cosine = circle_float(odd[i], &sine)
        cosines[i] = mean + radii[i] * cosine * std
        sines[i] = mean + radii[i] * sine * std
    for i in range(n // 2):
        values[2 * i] = cosines[i]
        values[2 * i + 1] = sines[i]


cdef inline void normal_double(const Fill* fill, const uint32_t* even, const uint32_t* odd, double* values) noexcept nogil:
    cdef double bits[GROUP]
    cdef double cosines[HALF_GROUP]
    cdef double sines[HALF_GROUP]
    cdef double radius, cosine, sine
    cdef Py_ssize_t i
    for i in range(GROUP):
        bits[i] = bits53(even[i], odd[i])
    for i in range(HALF_GROUP):
        radius = radius_double(bits[2 * i])
        cosine = circle_double(bits[2 * i + 1], &sine)
        cosines[i] = fill.shift + radius * cosine * fill.scale
        sines[i] = fill.shift + radius * sine * fill.scale
    for i in range(HALF_GROUP):
        values[2 * i] = cosines[i]
        values[2 * i + 1] = sines[i]


# A word is a place between the bounds, and its variate the number with as much probability below it. Both the tail beyond and
# the distance from ½ are built from the side that the place is on: neither is a difference that loses bits.
cdef inline void truncated_float(const Fill* fill, const uint32_t* words, float* values, bint narrow) noexcept nogil:
    cdef float mean = <float>fill.shift, std = <float>fill.scale, sign = <float>fill.sign
    cdef float least = <float>fill.least, largest = <float>fill.largest, mass = <float>fill.mass
    cdef float upper_tail = <float>fill.upper_tail, lower_tail = <float>fill.lower_tail
    cdef float upper_start = <float>fill.upper_start, lower_start = <float>fill.lower_start
    cdef uint32_t middle = <uint32_t>fill.middle, flip = fill.flip, word, beyond, inside
    cdef float tails[GROUP]
    cdef float distances[GROUP]
    cdef float sizes[GROUP]
    cdef float value
    cdef Py_ssize_t i
    for i in range(GROUP):
        word = words[i] ^ flip
        beyond = ~word if word >= middle else word
        inside = word - middle if word >= middle else ~(word - middle)
        tails[i] = ((upper_tail if word >= middle else lower_tail)
                    + xf_unsigned_to_float(beyond) * WORD_UNIT * mass)
        distances[i] = ((upper_start if word >= middle else lower_start)
                        + xf_unsigned_to_float(inside) * WORD_UNIT * mass)
    if narrow:
        for i in range(GROUP):
            sizes[i] = inverse_tail_narrow(tails[i], distances[i])
    else:
        for i in range(GROUP):
            sizes[i] = tail_depth_float(tails[i])
        for i in range(GROUP):
            sizes[i] = inverse_tail_float(tails[i], distances[i], sizes[i])
    for i in range(GROUP):
        value = sizes[i] if (words[i] ^ flip) >= middle else -sizes[i]
        value = value * sign
        value = largest if value > largest else value
        value = least if value < least else value
        values[i] = mean + value * std


cdef inline void truncated_double(const Fill* fill, const uint32_t* even, const uint32_t* odd, double* values) noexcept nogil:
    cdef double tails[GROUP]
    cdef double distances[GROUP]
    cdef double sizes[GROUP]
    cdef double signs[GROUP]
    cdef double bits, beyond, inside, value
    cdef bint upper
    cdef Py_ssize_t i
    for i in range(GROUP):
        bits = bits53(even[i] ^ fill.flip, odd[i] ^ fill.flip)
        upper = bits >= fill.middle
        beyond = BITS53_LAST - bits if upper else bits
        inside = bits - fill.middle if upper else fill.middle - 1.0 - bits
        tails[i] = ((fill.upper_tail if upper else fill.lower_tail)
                    + beyond * BITS53_UNIT * fill.mass)
        distances[i] = (fill.upper_start if upper else fill.lower_start) + inside * BITS53_UNIT * fill.mass
        signs[i] = fill.sign if upper else -fill.sign
    for i in range(GROUP):
        sizes[i] = tail_depth_double(tails[i])
    for i in range(GROUP):
        sizes[i] = inverse_tail_double(distances[i], sizes[i])
    for i in range(GROUP):
        value = sizes[i] * signs[i]
        value = fill.largest if value > fill.largest else value
        value = fill.least if value < fill.least else value
        values[i] = fill.shift + value * fill.scale


# ---- a chunk


cdef inline void fill_floats(const Fill* fill, uint64_t group, Py_ssize_t n_groups, float* values) noexcept nogil:
    cdef uint32_t words[FILL_CHUNK]
    cdef uint32_t* odd = words + HALF_CHUNK
    cdef uint64_t block = fill.first_block + group * (GROUP // 4)
    cdef Py_ssize_t n = n_groups * GROUP, i
    if fill.distribution == NORMAL:
        xf_philox_words(fill.key, fill.stream, block, n_groups, words, odd)
        normal_float(fill, words, odd, n, values)
        return
    xf_philox_words(fill.key, fill.stream, block, n_groups, words, NULL)
    if fill.distribution == UNIFORM:
        uniform_float(fill, words, n, values)
    elif fill.narrow:
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, True)
    else:
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, False)


cdef inline void fill_doubles(const Fill* fill, uint64_t group, Py_ssize_t n_groups, double* values) noexcept nogil:
    cdef uint32_t even[FILL_CHUNK]
    cdef uint32_t odd[FILL_CHUNK]
    cdef Py_ssize_t i
    xf_philox_words(fill.key, fill.stream, fill.first_block + group * (GROUP // 2), 2 * n_groups, even, odd)
    if fill.distribution == NORMAL:
        for i in range(n_groups):
            normal_double(fill, even + i * GROUP, odd + i * GROUP, values + i * GROUP)
    elif fill.distribution == UNIFORM:
        for i in range(n_groups):
            uniform_double(fill, even + i * GROUP, odd + i * GROUP, values + i * GROUP)
    else:
        for i in range(n_groups):
            truncated_double(fill, even + i * GROUP, odd + i * GROUP, values + i * GROUP)


cdef void random_chunk(const Fill* fill, uint64_t group, Py_ssize_t n_groups, void* values) noexcept nogil:
    """Groups [group, group + n_groups) of the global array, at most FILL_CHUNK elements, → values."""
    cdef float singles[FILL_CHUNK]
    cdef uint16_t* halves = <uint16_t*>values
    cdef Py_ssize_t i
    if fill.type == FLOAT64:
        fill_doubles(fill, group, n_groups, <double*>values)
    elif fill.type == FLOAT32:
        fill_floats(fill, group, n_groups, <float*>values)
    else:
        fill_floats(fill, group, n_groups, singles)
        if fill.type == FLOAT16:
            for i in range(n_groups * GROUP):
                halves[i] = to_float16(singles[i])
        else:
            for i in range(n_groups * GROUP):
                halves[i] = to_bfloat16(singles[i])
