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
    float LAST_BITS24 "XF_LAST_BITS24"
    float PLAIN_WIDTH "XF_PLAIN_WIDTH"
    double LOW_BITS_SPAN "XF_LOW_BITS_SPAN"
    void xf_stream_lines(void* target, const void* source) noexcept nogil


# ---- words to variates


cdef inline double bits53(uint32_t high, uint32_t low) noexcept nogil:
    """The 53 bits of NumPy's doubles, as a number below 2⁵³."""
    return <double><int>(high >> 5) * LOW_BITS_SPAN + <double><int>(low >> 6)


cdef inline void uniform_float(const Fill* fill, const uint32_t* words, Py_ssize_t n, float* values) noexcept nogil:
    cdef float low = <float>fill.shift, width = <float>fill.scale, unit = BITS24_UNIT * width
    cdef float least = <float>fill.least, largest = <float>fill.largest
    cdef float value
    cdef Py_ssize_t i
    # A width that is not tiny loses nothing by BITS24_UNIT, and no value needs a bound if the first and the last one need none.
    if width >= PLAIN_WIDTH and low >= least and low + LAST_BITS24 * unit <= largest:
        for i in range(n):
            values[i] = low + <float><int>(words[i] >> 8) * unit
        return
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


# Loops so short that many of their steps are under way at a time: the angle in another loop than its sine, and that in another
# than the choice of the axis, are 3 % each on AVX2, though they are stored and loaded in between.
cdef inline void normal_float(const Fill* fill, const uint32_t* even, const uint32_t* odd, Py_ssize_t n,
                              float* values) noexcept nogil:
    cdef float mean = <float>fill.shift, std = <float>fill.scale
    cdef float radii[HALF_CHUNK]                # k of the logarithm, then the radius
    cdef float rests[HALF_CHUNK]
    cdef float across[HALF_CHUNK]               # the angle, then its sine
    cdef float along[HALF_CHUNK]
    cdef float cosine, sine
    cdef Py_ssize_t i
    for i in range(n // 2):
        radii[i] = radius_parts(even[i], &rests[i])
        across[i] = angle_float(odd[i])
    for i in range(n // 2):
        radii[i] = radius_float(radii[i], rests[i])
    for i in range(n // 2):
        across[i] = circle_float(across[i], &along[i])
    for i in range(n // 2):
        cosine = turned_float(odd[i], across[i], along[i], &sine)
        values[2 * i] = mean + radii[i] * cosine * std
        values[2 * i + 1] = mean + radii[i] * sine * std


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
cdef inline void truncated_float(const Fill* fill, const uint32_t* words, float* values, bint narrow, bint even) noexcept nogil:
    cdef float tails[GROUP]
    cdef float distances[GROUP]
    cdef float sizes[GROUP]
    cdef Py_ssize_t i
    if even:
        even_places(fill, words, tails, distances)
    else:
        places(fill, words, tails, distances)
    if narrow:
        for i in range(GROUP):
            sizes[i] = inverse_tail_narrow(tails[i], distances[i])
    else:
        for i in range(GROUP):
            sizes[i] = tail_depth_float(tails[i])
        for i in range(GROUP):
            sizes[i] = inverse_tail_float(tails[i], distances[i], sizes[i])
    if even:
        even_values(fill, words, sizes, values)
    else:
        truncated_values(fill, words, sizes, values)


cdef inline void places(const Fill* fill, const uint32_t* words, float* tails, float* distances) noexcept nogil:
    cdef float mass = <float>fill.mass
    cdef float upper_tail = <float>fill.upper_tail, lower_tail = <float>fill.lower_tail
    cdef float upper_start = <float>fill.upper_start, lower_start = <float>fill.lower_start
    cdef uint32_t middle = <uint32_t>fill.middle, flip = fill.flip, word, beyond, inside
    cdef Py_ssize_t i
    for i in range(GROUP):
        word = words[i] ^ flip
        beyond = ~word if word >= middle else word
        inside = word - middle if word >= middle else ~(word - middle)
        tails[i] = (upper_tail if word >= middle else lower_tail) + xf_word_fraction(beyond) * mass
        distances[i] = (upper_start if word >= middle else lower_start) + xf_word_fraction(inside) * mass


cdef inline void truncated_values(const Fill* fill, const uint32_t* words, const float* sizes, float* values) noexcept nogil:
    cdef float mean = <float>fill.shift, std = <float>fill.scale, sign = <float>fill.sign
    cdef float least = <float>fill.least, largest = <float>fill.largest
    cdef uint32_t middle = <uint32_t>fill.middle, flip = fill.flip
    cdef float value
    cdef Py_ssize_t i
    for i in range(GROUP):
        value = sizes[i] if (words[i] ^ flip) >= middle else -sizes[i]
        value = value * sign
        value = largest if value > largest else value
        value = least if value < least else value
        values[i] = mean + value * std


# Bounds as far above the mean as below, the usual case: both sides have the same constants, the highest bit of a word is the
# side, `beyond` and `inside` make 2³¹ − 1 together, and are signed integers, which every level has an instruction for. The same
# values in two thirds of the time.
cdef inline bint is_even(const Fill* fill) noexcept nogil:
    return (fill.flip == 0 and fill.sign == 1.0 and fill.middle == 2147483648.0 and fill.least == -fill.largest
            and fill.upper_tail == fill.lower_tail and fill.upper_start == fill.lower_start
            and fill.mass >= PLAIN_WIDTH)


cdef inline void even_places(const Fill* fill, const uint32_t* words, float* tails, float* distances) noexcept nogil:
    cdef float unit = WORD_UNIT * <float>fill.mass, tail = <float>fill.upper_tail, start = <float>fill.upper_start
    cdef uint32_t beyond
    cdef Py_ssize_t i
    for i in range(GROUP):
        beyond = words[i] ^ <uint32_t>(<int>words[i] >> 31)
        tails[i] = tail + <float><int>beyond * unit
        distances[i] = start + <float><int>(beyond ^ <uint32_t>0x7fffffff) * unit


cdef inline void even_values(const Fill* fill, const uint32_t* words, const float* sizes, float* values) noexcept nogil:
    cdef float mean = <float>fill.shift, std = <float>fill.scale, largest = <float>fill.largest
    cdef float size
    cdef Py_ssize_t i
    for i in range(GROUP):
        size = largest if sizes[i] > largest else sizes[i]
        values[i] = mean + xf_float(xf_bits32(size) ^ (~words[i] & <uint32_t>0x80000000)) * std


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


# These two are not inlined: the frame would be 21 KiB, and GCC 12 would leave the conversion to float16 scalar (five times as
# long with AVX-512).
cdef void fill_floats(const Fill* fill, uint64_t group, Py_ssize_t n_groups, float* values) noexcept nogil:
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
    elif fill.narrow and is_even(fill):
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, True, True)
    elif fill.narrow:
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, True, False)
    elif is_even(fill):
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, False, True)
    else:
        for i in range(n_groups):
            truncated_float(fill, words + i * GROUP, values + i * GROUP, False, False)


cdef void fill_doubles(const Fill* fill, uint64_t group, Py_ssize_t n_groups, double* values) noexcept nogil:
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


cdef void stream_lines(char* target, const char* source, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        xf_stream_lines(target + i * LINES, source + i * LINES)
