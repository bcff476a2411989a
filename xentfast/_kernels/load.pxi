# The load stage: rows and chunks as the arithmetic wants them, plain and contiguous, whatever the array's strides.
from libc.string cimport memcpy, memset

cdef extern from "machine.h":
    void XF_PREFETCH(const void* address) noexcept nogil
    void xf_stream_lines(void* target, const void* source) noexcept nogil
    void xf_stream_done() noexcept nogil
    void xf_rows_to_tile_float(const float* a, const float* b, const float* c, const float* d, Py_ssize_t n, float* tile,
                               Py_ssize_t lanes) noexcept nogil
    void xf_tile_to_rows_float(const float* tile, Py_ssize_t lanes, Py_ssize_t n, float* a, float* b, float* c,
                               float* d) noexcept nogil


cdef inline Py_ssize_t chunk_length(real kind) noexcept nogil:
    """Classes in a chunk; results depend on it."""
    return CHUNK_BYTES // <Py_ssize_t>sizeof(real)


cdef inline Py_ssize_t chunk_count(const Problem* problem, real kind) noexcept nogil:
    return (problem.n_classes + chunk_length(kind) - 1) // chunk_length(kind)


cdef inline void row_offsets(const Problem* problem, const Operand* operand, Py_ssize_t first, Py_ssize_t count,
                             Py_ssize_t* offsets) noexcept nogil:
    """offsets[0 : count]: the bytes from `operand.data` to rows first, first + 1, …"""
    cdef Py_ssize_t index[MAX_AXES]
    cdef Py_ssize_t row = first, offset = 0
    cdef int axis
    if problem.n_axes == 1:
        for row in range(count):
            offsets[row] = (first + row) * operand.strides[0]
        return
    for axis in range(problem.n_axes - 1, -1, -1):
        index[axis] = row % problem.shape[axis]
        row //= problem.shape[axis]
        offset += index[axis] * operand.strides[axis]
    for row in range(count):
        offsets[row] = offset
        axis = problem.n_axes - 1
        while axis >= 0:
            index[axis] += 1
            offset += operand.strides[axis]
            if index[axis] < problem.shape[axis]:
                break
            offset -= index[axis] * operand.strides[axis]
            index[axis] = 0
            axis -= 1


cdef inline bint contiguous_classes(const Operand* operand, real kind) noexcept nogil:
    return operand.step == <Py_ssize_t>sizeof(real)


cdef inline const real* load_chunk(const Operand* operand, const char* row, Py_ssize_t start, Py_ssize_t n,
                                   real* buffer) noexcept nogil:
    """Classes [start, start + n) of a row: in place where they are contiguous, else gathered into `buffer`."""
    cdef const char* source = row + start * operand.step
    cdef Py_ssize_t cls
    if contiguous_classes(operand, <real>0):
        return <const real*>source
    for cls in range(n):
        buffer[cls] = (<const real*>(source + cls * operand.step))[0]
    return buffer


cdef inline void store_chunk(const Operand* operand, char* row, Py_ssize_t start, Py_ssize_t n,
                             const real* buffer) noexcept nogil:
    cdef char* target = row + start * operand.step
    cdef Py_ssize_t cls
    for cls in range(n):
        (<real*>(target + cls * operand.step))[0] = buffer[cls]


cdef inline void fill_chunk(const Operand* operand, char* row, Py_ssize_t start, Py_ssize_t n, real value) noexcept nogil:
    cdef char* target = row + start * operand.step
    cdef Py_ssize_t cls
    for cls in range(n):
        (<real*>(target + cls * operand.step))[0] = value


cdef inline double soft_mass(const Problem* problem, const char* row, Py_ssize_t cls) noexcept nogil:
    """weight_c·((1 − ε)·t_c + ε/C)"""
    cdef const char* source = row + cls * problem.soft.step
    cdef double target
    if problem.soft_is_double:
        target = (<const double*>source)[0]
    else:
        target = (<const float*>source)[0]
    if problem.smoothing != 0.0:
        target = (1.0 - problem.smoothing) * target + problem.smoothing / <double>problem.n_classes
    if problem.class_weight != NULL:
        target *= problem.class_weight[cls]
    return target


cdef inline double sample_weight_of(const Problem* problem, Py_ssize_t row) noexcept nogil:
    return 1.0 if problem.sample_weight == NULL else problem.sample_weight[row]


cdef inline bint skipped(const Problem* problem, Py_ssize_t row) noexcept nogil:
    """Ignored rows and rows of no weight are not read."""
    if problem.classes != NULL and problem.classes[row] < 0:
        return True
    return problem.sample_weight != NULL and problem.sample_weight[row] == 0.0


cdef inline double target_mass_of(const Problem* problem, Py_ssize_t cls) noexcept nogil:
    """weight_t·((1 − ε) + ε/C), the mass that the target keeps"""
    cdef double mass = 1.0
    if problem.smoothing != 0.0:
        mass = (1.0 - problem.smoothing) + problem.smoothing / <double>problem.n_classes
    if problem.class_weight != NULL:
        mass *= problem.class_weight[cls]
    return mass


cdef inline bint has_mass(const Problem* problem) noexcept nogil:
    return problem.soft.data != NULL or problem.smoothing_mass != NULL


cdef inline bint keeps_exponentials(const Problem* problem) noexcept nogil:
    return problem.result == GRADIENT or problem.result == SOFTMAX


cdef inline bint writes_classes(const Problem* problem) noexcept nogil:
    return keeps_exponentials(problem) or problem.result == LOG_SOFTMAX
