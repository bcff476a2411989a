# Elementwise calls: blocks of their elements into plain buffers and back. A "row" is a block of ELEMENT_BLOCK elements, in
# the C order of the call's elements, whatever the arrays' memory looks like.

cdef enum:
    PADDED_BLOCK = ELEMENT_BLOCK + 2 * LANES    # the results that wait for a cache line to fill come before the block's own

# Buffers of a thread's scratch.
cdef enum Buffer:
    LOGITS, TARGETS, POS_WEIGHT, SAMPLE_WEIGHT, LOSSES, GRADIENTS, HESSIANS, READ, WIDE, N_BUFFERS

ctypedef fused other:           # a second type beside `real`
    float
    double

cdef extern from *:
    float FLT_MAX
    double DBL_MAX


cdef inline real* buffer_of(char* scratch, Buffer which, real kind) noexcept nogil:
    return <real*>scratch + which * PADDED_BLOCK


cdef inline ValueType type_of(real kind) noexcept nogil:
    return FLOAT32 if real is float else FLOAT64


cdef inline bint lies_plain(const Strided* array, real kind) noexcept nogil:
    """Whether its elements lie side by side, in the type of the arithmetic."""
    return array.n_axes == 1 and array.strides[0] == <Py_ssize_t>sizeof(real) and array.type == type_of(kind)


cdef Py_ssize_t seek(const Strided* array, Py_ssize_t element, Py_ssize_t* index) noexcept nogil:
    """The element's index along each axis, and the bytes from `data` to it."""
    cdef Py_ssize_t offset = 0
    cdef int axis
    for axis in range(array.n_axes - 1, -1, -1):
        index[axis] = element % array.shape[axis]
        element //= array.shape[axis]
        offset += index[axis] * array.strides[axis]
    return offset


cdef Py_ssize_t advance(const Strided* array, Py_ssize_t offset, Py_ssize_t count, Py_ssize_t* index) noexcept nogil:
    """The offset `count` elements on, which lie before the end of the innermost axis or reach it."""
    cdef int axis = array.n_axes - 1
    index[axis] += count
    offset += count * array.strides[axis]
    while axis > 0 and index[axis] == array.shape[axis]:
        offset += array.strides[axis - 1] - array.shape[axis] * array.strides[axis]
        index[axis] = 0
        axis -= 1
        index[axis] += 1
    return offset


cdef void gather(const Strided* array, Py_ssize_t first, Py_ssize_t n, real* buffer) noexcept nogil:
    """Elements [first, first + n) → buffer"""
    cdef Py_ssize_t index[MAX_AXES]
    cdef int inner = array.n_axes - 1
    cdef Py_ssize_t length = array.shape[inner], step = array.strides[inner]
    cdef Py_ssize_t offset = seek(array, first, index)
    # What comes again all the time, as weights of classes do, is read once.
    cdef Py_ssize_t known = min(n, length) if array.n_axes == 2 and array.strides[0] == 0 else n
    cdef Py_ssize_t done = 0, count, i
    while done < known:
        count = min(known - done, length - index[inner])
        if step == 0:
            read_values(array.data + offset, step, array.type, 1, buffer + done)
            for i in range(done + 1, done + count):
                buffer[i] = buffer[done]
        else:
            read_values(array.data + offset, step, array.type, count, buffer + done)
        offset = advance(array, offset, count, index)
        done += count
    while done < n:
        count = min(done, n - done)
        memcpy(buffer + done, buffer, count * sizeof(real))
        done += count


cdef void scatter(const Strided* array, Py_ssize_t first, Py_ssize_t n, const real* buffer) noexcept nogil:
    """buffer[0 : n] → elements [first, first + n), rounded to their type."""
    cdef Py_ssize_t index[MAX_AXES]
    cdef int inner = array.n_axes - 1
    cdef Py_ssize_t offset = seek(array, first, index)
    cdef Py_ssize_t done = 0, count
    while done < n:
        count = min(n - done, array.shape[inner] - index[inner])
        write_values(buffer + done, count, array.data + offset, array.strides[inner], array.type)
        offset = advance(array, offset, count, index)
        done += count


cdef inline const real* load_elements(const Strided* array, Py_ssize_t first, Py_ssize_t n, real* buffer) noexcept nogil:
    """Elements [first, first + n): in place where they lie plain, else in `buffer`; `buffer` as it is without an array."""
    if array.data == NULL:
        return buffer
    if lies_plain(array, <real>0):
        return <const real*>array.data + first
    gather(array, first, n, buffer)
    return buffer


cdef inline real* goal_of(const Strided* array, Py_ssize_t first, real* buffer) noexcept nogil:
    """Where elements [first, …) are written: to their own place if that is plain, else to `buffer` (see store_elements)."""
    if array.data != NULL and lies_plain(array, <real>0):
        return <real*>array.data + first
    return buffer


cdef inline void store_elements(const Strided* array, Py_ssize_t first, Py_ssize_t n, const real* place) noexcept nogil:
    if array.data != NULL and not lies_plain(array, <real>0):
        scatter(array, first, n, place)


cdef inline Py_ssize_t stream_numbers(real* buffer, Py_ssize_t n, real* target) noexcept nogil:
    """buffer[0 : n] → target past the cache, in whole lines; what is left moves to the buffer's front. How many are left."""
    cdef Py_ssize_t step = 128 // <Py_ssize_t>sizeof(real)
    cdef Py_ssize_t done = min((-<Py_ssize_t>target & 63) // <Py_ssize_t>sizeof(real), n)
    memcpy(target, buffer, done * sizeof(real))
    while done + step <= n:
        xf_stream_lines(target + done, buffer + done)
        done += step
    memmove(buffer, buffer + done, (n - done) * sizeof(real))       # which may be more than went before it
    return n - done


cdef inline void copy_edge(const real* source, Py_ssize_t n, real* edge) noexcept nogil:
    """source[0 : n], n < LANES, and zeros"""
    cdef Py_ssize_t lane
    for lane in range(LANES):
        edge[lane] = 0
    memcpy(edge, source, n * sizeof(real))


# ---- which elements are read


cdef inline bint is_exact(ValueType type, real kind) noexcept nogil:
    """Whether the type of the arithmetic holds every value of `type`."""
    if real is double:
        return True
    return type == FLOAT32 or type == FLOAT16 or type == BFLOAT16 or type in (INT8, INT16, UINT8, UINT16)


cdef inline void close_where(const other* values, other closed, Py_ssize_t n, real* read) noexcept nogil:
    """read[0 : n] = 0 where the value is `closed`"""
    cdef real kept
    cdef Py_ssize_t i
    for i in range(n):
        kept = read[i]                                  # before the choice, which is a branch otherwise
        read[i] = 0 if values[i] == closed else kept


cdef inline bint leaves_out(const Elements* problem) noexcept nogil:
    return problem.where.data != NULL or problem.ignores


cdef inline void mark_read(const Elements* problem, Py_ssize_t first, Py_ssize_t n, char* scratch, real* read) noexcept nogil:
    """read[0 : n]: 0 for elements that `where` or their target leaves out, else another number. `scratch`: the thread's."""
    cdef double* wide = buffer_of(scratch, WIDE, <double>0)     # behind all buffers of floats
    cdef Py_ssize_t i
    if problem.where.data != NULL:
        gather(&problem.where, first, n, read)
    else:
        for i in range(n):
            read[i] = 1
    if problem.ignores:
        if is_exact(problem.targets.type, <real>0):
            close_where(load_elements(&problem.targets, first, n, <real*>wide), <real>problem.ignored, n, read)
        else:
            close_where(load_elements(&problem.targets, first, n, wide), problem.ignored, n, read)


cdef inline void keep_read(const real* read, Py_ssize_t n, other* values) noexcept nogil:
    """values[0 : n] = 0 for elements that are not read"""
    cdef other value
    cdef Py_ssize_t i
    for i in range(n):
        value = values[i]
        values[i] = 0 if read[i] == 0 else value


# ---- values within bounds, and their sum


cdef inline double scan_block(const real* x, Py_ssize_t n, real lowest, real highest) noexcept nogil:
    cdef real edge[LANES]
    cdef real outside[LANES]
    cdef double sums[LANES]
    cdef double bad = 0.0
    cdef Py_ssize_t full = n // LANES, block, lane
    cdef const real* source
    cdef real value, flag
    for lane in range(LANES):
        sums[lane] = 0.0
        outside[lane] = 0
    for block in range(full):
        source = x + block * LANES
        prefetch_block(<const char*>(source + ELEMENT_BLOCK), sizeof(real))
        for lane in range(LANES):
            value = source[lane]
            flag = outside[lane]
            flag = flag if value >= lowest else 1
            outside[lane] = flag if value <= highest else 1
            sums[lane] += <double>value
    copy_edge(x + full * LANES, n - full * LANES, edge)
    for lane in range(n - full * LANES):
        value = edge[lane]
        flag = outside[lane]
        flag = flag if value >= lowest else 1
        outside[lane] = flag if value <= highest else 1
        sums[lane] += <double>value
    for lane in range(LANES):
        bad += <double>outside[lane]
    return NAN if bad > 0.0 else fold_lanes(sums)


cdef inline void scan_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                            real kind) noexcept nogil:
    """Blocks [first, last) of `logits`, which may be any array here."""
    cdef real lowest = <real>max(problem.lowest, <double>(-FLT_MAX if real is float else -DBL_MAX))
    cdef real highest = <real>min(problem.highest, <double>(FLT_MAX if real is float else DBL_MAX))
    cdef Py_ssize_t block, start, n
    for block in range(first, last):
        start = block * ELEMENT_BLOCK
        n = min(<Py_ssize_t>ELEMENT_BLOCK, problem.size - start)
        row_values[block - first] = scan_block(
            load_elements(&problem.logits, start, n, buffer_of(scratch, LOGITS, kind)), n, lowest, highest)


cdef inline void scan_read_range(const Elements* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                                 real kind) noexcept nogil:
    """The same of what is read and has a weight other than 0. 0 is within the bounds."""
    cdef real lowest = <real>max(problem.lowest, <double>(-FLT_MAX if real is float else -DBL_MAX))
    cdef real highest = <real>min(problem.highest, <double>(FLT_MAX if real is float else DBL_MAX))
    cdef real* values = <real*>buffer_of(scratch, LOGITS, <double>0)
    cdef real* read = <real*>buffer_of(scratch, READ, <double>0)
    cdef double* weight = buffer_of(scratch, SAMPLE_WEIGHT, <double>0)
    cdef double value
    cdef int32_t count
    cdef Py_ssize_t block, start, n, i
    for block in range(first, last):
        start = block * ELEMENT_BLOCK
        n = min(<Py_ssize_t>ELEMENT_BLOCK, problem.size - start)
        mark_read(problem, start, n, scratch, read)
        if problem.sample_weight.data != NULL:
            gather(&problem.sample_weight, start, n, weight)
            close_where(weight, <double>0, n, read)
        gather(&problem.logits, start, n, values)
        keep_read(read, n, values)
        value = scan_block(values, n, lowest, highest)
        if problem.counts and value == value:
            count = 0
            for i in range(n):
                count += read[i] != 0
            value = <double>count
        row_values[block - first] = value
