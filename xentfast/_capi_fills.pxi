# Fills for _capi.pyx: a run of elements of a global array.

cdef xentfast_truncation usual_float, usual_double         # between −2 and 2


cdef bint within(ValueType type, double value) noexcept nogil:
    """Whether it is finite, and a float for float32."""
    return finite(value) and (type == FLOAT64 or -policy.largest <= value <= policy.largest)


cdef int run_fill(const Fill* fill, void* out, int64_t n, uint64_t key, uint64_t stream, int64_t first,
                  int n_threads) noexcept nogil:
    """A fill with all but its key and its stream set."""
    cdef Job job
    if n < 0 or first < 0 or first > (<int64_t>1 << 62) - n or n > PY_SSIZE_T_MAX // 8:
        return XENTFAST_BAD_SHAPE
    if n_threads < 0:
        return XENTFAST_BAD_THREADS
    if n == 0:
        return XENTFAST_OK
    if out == NULL:
        return XENTFAST_BAD_POINTER
    memset(&job, 0, sizeof(Job))
    job.fill = fill[0]
    job.fill.key[0], job.fill.key[1] = <uint32_t>key, <uint32_t>(key >> 32)
    job.fill.stream[0], job.fill.stream[1] = <uint32_t>stream, <uint32_t>(stream >> 32)
    job.data = <char*>out
    job.itemsize = 8 if fill.type == FLOAT64 else 4
    job.first = <uint64_t>first
    job.n_axes = 1
    job.shape[0] = n
    job.places[0] = 1
    job.strides[0] = job.itemsize
    job.stream = n * job.itemsize > policy.stream_bytes
    run_jobs(policy.random, &job, 1, count_threads(n_threads, n))
    return XENTFAST_OK


cdef void clear_fill(Fill* fill, ValueType type) noexcept nogil:
    """As Variates begins (random/_fills.py)."""
    memset(fill, 0, sizeof(Fill))
    fill.type = type
    fill.least, fill.largest, fill.sign = -INFINITY, INFINITY, 1.0


cdef int uniform(ValueType type, void* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                 int n_threads) noexcept nogil:
    cdef Fill fill
    if not (within(type, low) and within(type, high) and low <= high and within(type, high - low)):
        return XENTFAST_BAD_OPTION
    clear_fill(&fill, type)
    set_uniform(&fill, low, high)
    return run_fill(&fill, out, n, key, stream, first, n_threads)


cdef int normal(ValueType type, void* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                int n_threads) noexcept nogil:
    cdef Fill fill
    if not (within(type, mean) and within(type, std) and std >= 0.0):
        return XENTFAST_BAD_OPTION
    clear_fill(&fill, type)
    fill.distribution = NORMAL
    fill.shift, fill.scale = mean, std
    return run_fill(&fill, out, n, key, stream, first, n_threads)


cdef int truncated(ValueType type, void* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                   const xentfast_truncation* bounds, int n_threads) noexcept nogil:
    cdef Fill fill
    if bounds == NULL:
        bounds = &usual_double if type == FLOAT64 else &usual_float
    if not (within(type, mean) and within(type, std) and std >= 0.0 and bounds.dtype == <int64_t>type):
        return XENTFAST_BAD_OPTION
    clear_fill(&fill, type)
    fill.distribution = TRUNCATED
    fill.shift, fill.scale = mean, std
    fill.flip = <uint32_t>bounds.constants[0]
    fill.narrow = bounds.constants[1] != 0.0
    fill.sign = bounds.constants[2]
    fill.middle = bounds.constants[3]
    fill.mass = bounds.constants[4]
    fill.upper_tail = bounds.constants[5]
    fill.lower_tail = bounds.constants[6]
    fill.upper_start = bounds.constants[7]
    fill.lower_start = bounds.constants[8]
    fill.least = bounds.constants[9]
    fill.largest = bounds.constants[10]
    return run_fill(&fill, out, n, key, stream, first, n_threads)


cdef int truncation(ValueType type, double lower, double upper, xentfast_truncation* bounds) noexcept with gil:
    """The constants in the order in which `truncated` takes them."""
    cdef int i
    if bounds == NULL:
        return XENTFAST_BAD_POINTER
    if not lower < upper:
        return XENTFAST_BAD_OPTION
    try:
        variates = _fills.truncated_variates(0.0, 1.0, lower, upper, np.dtype(np.float64 if type == FLOAT64 else np.float32))
        constants = tuple(variates.truncation) + (variates.least, variates.largest)
        for i in range(11):
            bounds.constants[i] = constants[i]
        bounds.dtype = type
    except ValueError:
        return XENTFAST_BAD_OPTION
    except BaseException:                           # of what Python raises anywhere; the caller has no exceptions
        return XENTFAST_NO_MEMORY
    return XENTFAST_OK


cdef set_usual_bounds():
    truncation(FLOAT32, -2.0, 2.0, &usual_float)
    truncation(FLOAT64, -2.0, 2.0, &usual_double)


cdef int uniform_float32(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                         int n_threads) noexcept nogil:
    return uniform(FLOAT32, out, n, key, stream, first, low, high, n_threads)


cdef int uniform_float64(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                         int n_threads) noexcept nogil:
    return uniform(FLOAT64, out, n, key, stream, first, low, high, n_threads)


cdef int normal_float32(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                        int n_threads) noexcept nogil:
    return normal(FLOAT32, out, n, key, stream, first, mean, std, n_threads)


cdef int normal_float64(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                        int n_threads) noexcept nogil:
    return normal(FLOAT64, out, n, key, stream, first, mean, std, n_threads)


cdef int truncated_normal_float32(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                                  const xentfast_truncation* bounds, int n_threads) noexcept nogil:
    return truncated(FLOAT32, out, n, key, stream, first, mean, std, bounds, n_threads)


cdef int truncated_normal_float64(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                                  const xentfast_truncation* bounds, int n_threads) noexcept nogil:
    return truncated(FLOAT64, out, n, key, stream, first, mean, std, bounds, n_threads)


cdef int truncation_float32(double lower, double upper, xentfast_truncation* bounds) noexcept nogil:
    return truncation(FLOAT32, lower, upper, bounds)


cdef int truncation_float64(double lower, double upper, xentfast_truncation* bounds) noexcept nogil:
    return truncation(FLOAT64, lower, upper, bounds)
