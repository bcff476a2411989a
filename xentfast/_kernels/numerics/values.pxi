# Arrays of every dtype ↔ plain buffers of float32 or float64. Not inlined: a dozen loops at each use would fill the cache.

ctypedef fused number:
    int8_t
    int16_t
    int32_t
    int64_t
    uint8_t
    uint16_t
    uint32_t
    uint64_t
    float
    double


cdef inline void read_numbers(const char* source, Py_ssize_t step, Py_ssize_t n, real* buffer, number kind) noexcept nogil:
    cdef Py_ssize_t i
    if number is uint32_t:                              # by int64: GCC 12 makes a fused multiply-add otherwise
        for i in range(n):
            buffer[i] = <real><int64_t>(<const number*>(source + i * step))[0]
    elif step == <Py_ssize_t>sizeof(number):            # a loop that can be spread over lanes
        for i in range(n):
            buffer[i] = <real>(<const number*>source)[i]
    else:
        for i in range(n):
            buffer[i] = <real>(<const number*>(source + i * step))[0]


cdef inline void read_halves(const char* source, Py_ssize_t step, Py_ssize_t n, real* buffer, bint brain) noexcept nogil:
    cdef Py_ssize_t i, first = 0
    cdef uint16_t bits
    if step == 2 and brain:
        for i in range(n):
            buffer[i] = from_bfloat16((<const uint16_t*>source)[i])
    elif step == 2:
        if real is float:
            first = xf_from_float16(<const uint16_t*>source, n, buffer)
        for i in range(first, n):
            buffer[i] = from_float16((<const uint16_t*>source)[i])
    else:
        for i in range(n):
            bits = (<const uint16_t*>(source + i * step))[0]
            buffer[i] = from_bfloat16(bits) if brain else from_float16(bits)


cdef void read_values(const char* source, Py_ssize_t step, ValueType type, Py_ssize_t n, real* buffer) noexcept nogil:
    """n values, `step` bytes apart, → buffer."""
    if type == FLOAT32:
        read_numbers(source, step, n, buffer, <float>0)
    elif type == FLOAT64:
        read_numbers(source, step, n, buffer, <double>0)
    elif type == FLOAT16:
        read_halves(source, step, n, buffer, False)
    elif type == BFLOAT16:
        read_halves(source, step, n, buffer, True)
    elif type == UINT8:
        read_numbers(source, step, n, buffer, <uint8_t>0)
    elif type == INT64:
        read_numbers(source, step, n, buffer, <int64_t>0)
    elif type == INT32:
        read_numbers(source, step, n, buffer, <int32_t>0)
    elif type == INT16:
        read_numbers(source, step, n, buffer, <int16_t>0)
    elif type == INT8:
        read_numbers(source, step, n, buffer, <int8_t>0)
    elif type == UINT16:
        read_numbers(source, step, n, buffer, <uint16_t>0)
    elif type == UINT32:
        read_numbers(source, step, n, buffer, <uint32_t>0)
    else:
        read_numbers(source, step, n, buffer, <uint64_t>0)


cdef void write_values(const real* buffer, Py_ssize_t n, char* target, Py_ssize_t step, ValueType type) noexcept nogil:
    """buffer[0 : n] → n floats of the type, `step` bytes apart, rounded to it."""
    cdef Py_ssize_t i, first = 0
    if type == FLOAT32:
        if step == 4:
            for i in range(n):
                (<float*>target)[i] = <float>buffer[i]
        else:
            for i in range(n):
                (<float*>(target + i * step))[0] = <float>buffer[i]
    elif type == FLOAT64:
        if step == 8:
            for i in range(n):
                (<double*>target)[i] = buffer[i]
        else:
            for i in range(n):
                (<double*>(target + i * step))[0] = buffer[i]
    elif type == BFLOAT16:
        if step == 2:
            for i in range(n):
                (<uint16_t*>target)[i] = to_bfloat16(<float>buffer[i])
        else:
            for i in range(n):
                (<uint16_t*>(target + i * step))[0] = to_bfloat16(<float>buffer[i])
    else:
        if step == 2:
            if real is float:
                first = xf_to_float16(buffer, n, <uint16_t*>target)
            for i in range(first, n):
                (<uint16_t*>target)[i] = to_float16(<float>buffer[i])
        else:
            for i in range(n):
                (<uint16_t*>(target + i * step))[0] = to_float16(<float>buffer[i])
