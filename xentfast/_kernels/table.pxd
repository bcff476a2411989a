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

# What stands for a chunk in the partial results of a slice of classes: doubles, of which users see an array.
cdef struct Record:
    double reference                # its largest logit c, an integer target left out; with a softcap, the capped one
    double peaks                    # how many equal it; 0 with integer targets
    double sum                      # Σ e^{x − c} of the others; with integer targets, of all but the target
    double mass                     # Σ m, without an integer target's
    double moment                   # Σ m·(c − x)
    double target                   # the target's logit; with soft targets and class weights, Σ weight·target
    double state                    # 0: the target is elsewhere, or one of the following
    double count                    # classes of the chunk
    double digits                   # bits of the arithmetic's numbers: 24 or 53

cdef enum:
    TARGET_HERE = 1
    TARGET_EXCLUDED = 2             # here, where `where` is False
    TARGET_SOFT = 3

# A whole call. Rows count in C order over `shape`; a kernel is given a range of them.
cdef struct Problem:
    Result result
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t n_classes
    ValueType type                  # of logits and out
    ValueType soft_type
    Operand logits
    Operand out
    Operand soft                    # soft targets; data is NULL where there are none
    Operand hess                    # where GRADIENT puts w·p·(1 − p) as well; data is NULL where it does not
    Operand where                   # a byte for each logit, 0: excluded. data is NULL where all are in
    const int64_t* classes          # integer targets; negative: the row is skipped. NULL where there are none
    const double* sample_weight     # a weight for each row, or NULL: 1
    const double* class_weight      # a weight for each class, or NULL: 1
    const void* smoothing_mass      # class_weight·ε/C for each class, of the logits' type, or NULL: ε = 0
    double smoothing                # ε
    double gradient_scale           # what every row's gradient is multiplied by: logit_scale·1, ·1/Σw, or 0
    double z_loss                   # λ
    bint negate                     # logit_scale is negative …
    double scale                    # … and this its size; > 0
    double cap                      # softcap, or 0
    double unit                     # what a difference of two references is worth: `scale`, or 1 with a cap
    bint aside                      # exponentials wait in the thread's scratch, since `out` could not keep them …
    bint again                      # … or the second sweep computes them anew
    bint stream                     # `out` goes past the cache
    # a slice of the classes of whole rows (partials.pxi)
    Record* records                 # those of the slice's chunks, to be written, or of all chunks of the rows; NULL: no slice
    Py_ssize_t n_records            # of a row
    Py_ssize_t first_record         # that of the slice's first chunk
    Py_ssize_t first_class          # that of the slice: `classes` count in the whole rows
    Py_ssize_t other_classes        # how many the whole rows have beside the slice's
    const int64_t* open_classes     # how many of them `where` leaves each row, or NULL: all of them

# What is added up over the classes of two probabilities p and q.
cdef enum Measure:
    CROSS_ENTROPY = 0       # −p·log q
    ENTROPY = 1             # −p·log p; there is no q
    DIVERGENCE = 2          # p·log(p/q)

# A whole call on probabilities, in rows as a Problem's; or its gradient, whose rows are those of the memory.
cdef struct Comparison:
    Measure measure
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t n_classes
    Py_ssize_t rows_at_once         # neighbours on the last axis that go side by side
    Operand p
    Operand q                       # data is NULL where there is none
    Operand out                     # of the gradient
    ValueType p_type
    ValueType q_type
    ValueType out_type
    double least                    # q is clipped to what lies between
    double largest
    const double* chunk_sums        # of every chunk of every row, once they are there
    int* bad                        # becomes 1 where p or q is no probability

# A call of log_loss: rows of probabilities q, and each row's label or indicators.
cdef struct LogLoss:
    Py_ssize_t n_classes            # 1: q is the probability of label 1 of two
    Operand q
    Operand indicators              # of which labels a row has, 0 or 1 for each class; data is NULL where `classes` tells
    ValueType q_type
    ValueType indicator_type
    const int64_t* classes
    const double* sample_weight     # or NULL: 1
    double least                    # q is clipped to what lies between
    double largest
    double slack                    # how far from 1 a row may sum
    int* bad                        # becomes 1 where q is no probability …
    int* uneven                     # … and where a row does not sum to 1

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
ctypedef double (*SettleKernel)(const Problem* problem, Py_ssize_t row, double* stats, char* scratch) noexcept nogil
# Of n classes: how many are not `ignored`, and how many of these are in range.
ctypedef void (*CountKernel)(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                             int64_t* good) noexcept nogil
# Groups [group, group + n_groups) of a fill's global array → values, n_groups·GROUP ≤ FILL_CHUNK numbers.
ctypedef void (*FillKernel)(const Fill* fill, uint64_t group, Py_ssize_t n_groups, void* values) noexcept nogil
ctypedef void (*FloatLanes)(const float* x, float* y, Py_ssize_t n) noexcept nogil
ctypedef void (*DoubleLanes)(const double* x, double* y, Py_ssize_t n) noexcept nogil
ctypedef void (*DoublePairs)(const double* x, const double* y, double* z, Py_ssize_t n) noexcept nogil

cdef struct RowKernels:             # for one dtype
    RangeKernel rows                # classes along the lanes
    RangeKernel tiles               # rows along the lanes
    ChunkKernel sweep
    SettleKernel settle
    ChunkKernel scale
    RangeKernel slices              # chunks of a slice of the rows' classes, counted through all rows → their records
    RangeKernel combine             # records → row values
    RangeKernel combine_slices      # records → the gradient's chunks, counted as by `slices`

cdef struct ProbabilityKernels:
    RangeKernel rows                # of a Comparison
    RangeKernel chunks              # its chunks, counted through all rows …
    RangeKernel add_chunks          # … and their sums to rows
    RangeKernel slopes              # the gradient's chunks
    RangeKernel log_loss            # rows of a LogLoss
    Py_ssize_t (*rows_at_once)(const Comparison* comparison) noexcept nogil
    Py_ssize_t chunk                # classes of a chunk
    Py_ssize_t scratch_bytes

cdef struct ElementKernels:
    RangeKernel plain               # neither weights nor focal loss
    RangeKernel weighted
    RangeKernel focal               # with or without weights, in double
    RangeKernel scan                # Σ of a block's values; nan where one is not between `lowest` and `highest`

cdef struct KernelTable:
    Py_ssize_t table_bytes          # sizeof(KernelTable) and of the calls' structs where the level was compiled
    Py_ssize_t problem_bytes
    Py_ssize_t fill_bytes
    Py_ssize_t comparison_bytes
    Py_ssize_t log_loss_bytes
    Py_ssize_t elements_bytes
    Py_ssize_t lanes
    Py_ssize_t chunk_bytes
    RowKernels of_float
    RowKernels of_double
    ProbabilityKernels of_probabilities
    RangeKernel weigh
    CountKernel count_classes
    FillKernel random_chunk
    ElementKernels elements_of_float
    ElementKernels elements_of_double
    Py_ssize_t element_scratch      # bytes that an elementwise kernel needs
    Py_ssize_t (*scratch_bytes)(const Problem* problem, Py_ssize_t itemsize) noexcept nogil
    Py_ssize_t (*slice_scratch_bytes)(const Problem* problem, Py_ssize_t itemsize) noexcept nogil
    FloatLanes exp_float            # the functions themselves, for the accuracy tests
    DoubleLanes exp_double
    DoubleLanes log1p_double
    DoubleLanes log_double
    DoublePairs log_ratio
    FloatLanes log1p_float
    DoubleLanes tanh_double
    void (*tanh_float)(const float* x, double* y, Py_ssize_t n) noexcept nogil
