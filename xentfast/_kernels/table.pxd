"""What crosses the level boundary: plain structs, plain pointers, one table of functions for each level."""
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    MAX_AXES = 64           # NumPy's own limit

# What arrays hold; the first four are the dtypes of logits, weights and results.
cdef enum ValueType:
    FLOAT16 = 0
    BFLOAT16 = 1
    FLOAT32 = 2
    FLOAT64 = 3
    INT8 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    UINT8 = 8               # bool as well
    UINT16 = 9
    UINT32 = 10
    UINT64 = 11

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

cdef enum:
    GROUP = 64              # elements of a fill that are made together
    FILL_CHUNK = 1024       # at most so many at a time: words, variates and values stay in L1

cdef enum Distribution:
    UNIFORM = 0
    NORMAL = 1
    TRUNCATED = 2

# The values of an array as a function of the element's place in it: shift + scale·variate.
cdef struct Fill:
    Distribution distribution
    ValueType type
    uint32_t key[2]
    uint32_t stream[2]
    uint64_t first_block            # of the stream: that of element 0
    double shift
    double scale
    double least                    # uniform: bounds of the value; truncated: of the variate
    double largest
    # truncated: of 2³² (float64: 2⁵³) places between the bounds, those from `middle` on are above the mean
    uint32_t flip                   # all ones where upwards is down: every bound is below the mean
    bint narrow                     # both bounds within ±2
    double sign                     # −1 where flipped
    double middle
    double mass                     # probability between the bounds
    double upper_tail               # of the last place, beyond it …
    double lower_tail               # … and of the first, below it
    double upper_start              # probability between the mean and place `middle` …
    double lower_start              # … and between the mean and the place before

cdef enum:
    ELEMENT_BLOCK = 1024    # elements whose losses are added in one tree: one "row" of an elementwise kernel

# One array of an elementwise call, walked in the C order of the call's elements along axes of its own, at least one:
# neighbours that it walks evenly are one axis.
cdef struct Strided:
    char* data                      # NULL where there is no such array
    ValueType type
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t strides[MAX_AXES]    # in bytes; 0 where the array is broadcast

# A whole elementwise call; sigmoid.pxi has the formulas.
cdef struct Elements:
    Py_ssize_t size
    Strided logits                  # for a scan: what is scanned
    Strided targets
    Strided pos_weight
    Strided sample_weight
    Strided losses
    Strided gradient
    Strided hessian
    double kept                     # smoothing ε turns targets t into kept·t + half: 1 − ε …
    double half                     # … and ε/2
    double gamma                    # of the focal loss; 0: none
    double scale                    # what gradient and Hessian are multiplied by: 1 or 1/Σw
    bint valued                     # losses are asked for beside a gradient; beside a Hessian they never are
    bint stream                     # the gradient goes past the cache
    double lowest                   # a scan: what values may be
    double highest

# Rows [first, last) of a problem, of whichever struct the kernel is for → row_values[0 : last − first], and its outputs.
# `scratch` belongs to the calling thread alone.
ctypedef void (*RangeKernel)(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                             double* row_values) noexcept nogil
# One row over several threads: chunks [first, last) are swept, the row is settled once, chunks are scaled.
# `stats` is shared by the row's threads, `scratch` is a thread's own.
ctypedef void (*ChunkKernel)(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last,
                             double* stats, char* scratch) noexcept nogil
ctypedef double (*SettleKernel)(const Problem* problem, Py_ssize_t row, double* stats) noexcept nogil
# Of n classes: how many are not `ignored`, and how many of these are in range.
ctypedef void (*CountKernel)(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                             int64_t* good) noexcept nogil
# Groups [group, group + n_groups) of a fill's global array → values, n_groups·GROUP ≤ FILL_CHUNK numbers.
ctypedef void (*FillKernel)(const Fill* fill, uint64_t group, Py_ssize_t n_groups, void* values) noexcept nogil
ctypedef void (*FloatLanes)(const float* x, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*DoubleLanes)(const double* x, double* y, Py_ssize_t n) noexcept nogil

cdef struct RowKernels:             # for one dtype
    RangeKernel rows                # classes along the lanes
    RangeKernel tiles               # rows along the lanes
    ChunkKernel sweep
    SettleKernel settle
    ChunkKernel scale

cdef struct ElementKernels:
    RangeKernel plain               # neither weights nor focal loss
    RangeKernel weighted
    RangeKernel focal               # with or without weights, in double
    RangeKernel scan                # Σ of a block's values; nan where one is not between `lowest` and `highest`

cdef struct KernelTable:
    Py_ssize_t table_bytes          # sizeof of this, Problem, Fill and Elements where the level was compiled
    Py_ssize_t problem_bytes
    Py_ssize_t fill_bytes
    Py_ssize_t elements_bytes
    Py_ssize_t lanes
    Py_ssize_t chunk_bytes
    RowKernels of_float
    RowKernels of_double
    RangeKernel weigh
    CountKernel count_classes
    FillKernel random_chunk
    ElementKernels elements_of_float
    ElementKernels elements_of_double
    Py_ssize_t element_scratch      # bytes that an elementwise kernel needs
    Py_ssize_t (*scratch_bytes)(const Problem* problem, Py_ssize_t itemsize) noexcept nogil
    FloatLanes exp_float            # the functions themselves, for the accuracy tests
    DoubleLanes exp_double
    DoubleLanes log1p_double
    FloatLanes log1p_float
