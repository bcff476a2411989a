"""Softmax and what is made of it: a call as its kernels get it, and the table of one dtype at one level."""
from libc.stdint cimport int64_t

from xentfast._kernels.arrays cimport MAX_AXES, Operand, RangeKernel, ValueType

# What a kernel is asked to make of its rows.
cdef enum Result:
    LOSS = 0                # a loss for each row
    GRADIENT = 1            # that, and the gradient in `out`
    SOFTMAX = 2
    LOG_SOFTMAX = 3
    LOGSUMEXP = 4           # a value for each row, where LOSS puts its own

cdef enum:
    SIGNED_TILE_CLASSES = 64    # more along the lanes leave few of them empty, and three matrices of more would leave L1

# What stands for a chunk in the partial results of a slice of classes: doubles, of which users see an array.
cdef struct Record:
    double reference                # its largest logit c, an integer target left out; with a softcap, the capped one
    double sum                      # Σ e^{s·x}/B of the others, B the reference of c; with integer targets, of all but the target
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
    Py_ssize_t shape[MAX_AXES]
    Operand logits
    Operand out
    Operand soft                    # soft targets; data is NULL where there are none
    Operand hess                    # where GRADIENT puts the Hessian's diagonal as well; data is NULL where it does not
    Operand where                   # a byte for each logit, 0: excluded. data is NULL where all are in
    Result result                   # from here on all is 0 in a new problem: clear_problem
    int n_axes
    Py_ssize_t n_classes
    ValueType type                  # of logits and out
    ValueType soft_type
    ValueType b_type
    double hess_factor              # that is multiplied by this …
    bint hess_size                  # … without its sign …
    double hess_floor               # … and at least so large, unless this is 0
    Operand* b                      # what LOGSUMEXP multiplies exponentials by (signed.pxi), or NULL
    const int64_t* classes          # integer targets; negative: the row is skipped. NULL where there are none
    const double* sample_weight     # a weight for each row, or NULL: 1
    const char* class_weight        # a weight for each class, so many bytes apart, or NULL: 1
    Py_ssize_t weight_step
    bint weight_single              # they are float32, else float64
    const void* masses              # class_weight·ε/C for the first classes, of the arithmetic's type, zeros behind them to a …
    Py_ssize_t n_masses             # … whole block: for so many that rows need not make them anew
    double smoothing                # ε
    double gradient_scale           # what every row's gradient is multiplied by: logit_scale·1, ·1/Σw, or 0
    double z_loss                   # λ
    double gamma                    # of the focal loss, which is for integer targets without smoothing; 0: none
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

# One row over several threads: chunks [first, last) are swept, the row is settled once, chunks are scaled.
# `stats` is shared by the row's threads, `scratch` is a thread's own.
ctypedef void (*ChunkKernel)(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last,
                             double* stats, char* scratch) noexcept nogil
ctypedef double (*SettleKernel)(const Problem* problem, Py_ssize_t row, double* stats, char* scratch) noexcept nogil
# How a thread goes through its rows: each for itself, side by side, or chunks of rows that others share.
cdef enum Way:
    BY_ROWS
    BY_TILES
    BY_CHUNKS

# Of n classes: how many are not `ignored`, and how many of these are in range.
ctypedef void (*CountKernel)(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                             int64_t* good) noexcept nogil

cdef struct SoftmaxKernels:
    Py_ssize_t table_bytes          # sizeof(SoftmaxKernels) and sizeof(Problem) where the level was compiled
    Py_ssize_t problem_bytes
    Py_ssize_t lanes                # numbers in a block
    Py_ssize_t chunk_bytes          # of a row that share a reference
    RangeKernel rows                # classes along the lanes
    RangeKernel tiles               # rows along the lanes
    ChunkKernel sweep
    SettleKernel settle
    ChunkKernel scale
    RangeKernel slices              # chunks of a slice of the rows' classes, counted through all rows → their records
    RangeKernel combine             # records → row values
    RangeKernel combine_slices      # records → the gradient's chunks, counted as by `slices`
    void (*spread)(const Problem* problem, void* masses, Py_ssize_t n) noexcept nogil    # `masses` of the first n classes
    RangeKernel weigh               # soft targets and class weights → row weights
    CountKernel count_classes
    Py_ssize_t (*scratch_bytes)(const Problem* problem, Way way) noexcept nogil     # that a thread needs
    Py_ssize_t (*slice_scratch_bytes)(const Problem* problem) noexcept nogil
    void (*exp)(const void* x, void* y, Py_ssize_t n) noexcept nogil            # of the kernels' own dtype, times their scale
    void (*tanh)(const void* x, double* y, Py_ssize_t n) noexcept nogil
    RangeKernel signed_rows         # LOGSUMEXP with b, classes along the lanes
    RangeKernel signed_tiles        # rows along the lanes, of up to SIGNED_TILE_CLASSES
