"""What crosses the level boundary: plain structs, plain pointers, one table of functions for each level."""
from libc.stdint cimport int64_t

cdef enum:
    MAX_AXES = 64           # NumPy's own limit

# What a kernel is asked to make of its rows.
cdef enum Result:
    LOSS = 0                # a loss for each row
    GRADIENT = 1            # that, and the gradient in `out`
    SOFTMAX = 2
    LOG_SOFTMAX = 3
    LOGSUMEXP = 4           # a value for each row, where LOSS puts its own

# One operand as rows of classes: where row 0 starts, and byte strides over the row axes and between classes.
cdef struct Operand:
    char* data
    Py_ssize_t strides[MAX_AXES]
    Py_ssize_t step

# A whole call. Rows count in C order over `shape`; a kernel is given a range of them.
cdef struct Problem:
    Result result
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t n_classes
    Operand logits
    Operand out
    Operand soft                    # soft targets; data is NULL where there are none
    int soft_is_double
    const int64_t* classes          # integer targets; negative: the row is skipped. NULL where there are none
    const double* sample_weight     # a weight for each row, or NULL: 1
    const double* class_weight      # a weight for each class, or NULL: 1
    const void* smoothing_mass      # class_weight·ε/C for each class, of the logits' type, or NULL: ε = 0
    double smoothing                # ε
    double gradient_scale           # what every row's gradient is multiplied by: 1, 1/Σw, or 0
    bint stream                     # `out` goes past the cache

# Rows [first, last) → row_values[0 : last − first], and `out`. `scratch` belongs to the calling thread alone.
ctypedef void (*RangeKernel)(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                             double* row_values) noexcept nogil
# One row over several threads: chunks [first, last) are swept, the row is settled once, chunks are scaled.
# `stats` is shared by the row's threads, `scratch` is a thread's own.
ctypedef void (*ChunkKernel)(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last,
                             double* stats, char* scratch) noexcept nogil
ctypedef double (*SettleKernel)(const Problem* problem, Py_ssize_t row, double* stats) noexcept nogil
# Of n classes: how many are not `ignored`, and how many of these are in range.
ctypedef void (*CountKernel)(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                             int64_t* good) noexcept nogil
ctypedef void (*FloatLanes)(const float* x, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*DoubleLanes)(const double* x, double* y, Py_ssize_t n) noexcept nogil

cdef struct RowKernels:             # for one dtype
    RangeKernel rows                # classes along the lanes
    RangeKernel tiles               # rows along the lanes
    ChunkKernel sweep
    SettleKernel settle
    ChunkKernel scale

cdef struct KernelTable:
    Py_ssize_t table_bytes          # sizeof(KernelTable) and sizeof(Problem) where the level was compiled
    Py_ssize_t problem_bytes
    Py_ssize_t lanes
    Py_ssize_t chunk_bytes
    RowKernels of_float
    RowKernels of_double
    RangeKernel weigh
    CountKernel count_classes
    Py_ssize_t (*scratch_bytes)(const Problem* problem, Py_ssize_t itemsize) noexcept nogil
    FloatLanes exp_float            # the functions themselves, for the accuracy tests
    DoubleLanes exp_double
    DoubleLanes log1p_double
