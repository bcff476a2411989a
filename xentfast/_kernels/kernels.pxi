# One level's kernels: this source is compiled once for each level, with that level's flags, and its table is all that
# others see of it.
#
# How the bits stay the same on every level, for any number of threads and any memory layout:
# (a) a row is cut into chunks of CHUNK_BYTES, always; a chunk's sums depend on that chunk alone and are folded over
#     the row in order, in double;
# (b) inside a chunk, class j belongs to lane j mod LANES, lanes are folded in one tree, and tails are filled with what
#     changes nothing;
# (c) + − × ÷, comparisons and bits alone, without contraction (lanes.pxi).
from cpython.pycapsule cimport PyCapsule_New
from xentfast._kernels.table cimport (
    BFLOAT16, CROSS_ENTROPY, DIVERGENCE, ELEMENT_BLOCK, ENTROPY, FILL_CHUNK, FLOAT16, FLOAT32, FLOAT64, GRADIENT, GROUP,
    INT16, INT32, INT64, INT8, LOGSUMEXP, LOG_SOFTMAX, MAX_AXES, NORMAL, SOFTMAX, TARGET_EXCLUDED,
    TARGET_HERE, TARGET_SOFT, UINT16, UINT32, UINT8, UNIFORM, Comparison, Elements, Fill, KernelTable, LogLoss, Measure, Operand,
    Problem, Record, Strided, ValueType)

include "bits.pxi"
include "lanes.pxi"
include "values.pxi"
include "settle.pxi"
include "load.pxi"
include "shape.pxi"
include "chunks.pxi"
include "hessian.pxi"
include "rows.pxi"
include "tile_load.pxi"
include "tiles.pxi"
include "ranges.pxi"
include "partials.pxi"
include "normal.pxi"
include "fills.pxi"
include "information.pxi"
include "elements.pxi"
include "sigmoid.pxi"


cdef Py_ssize_t scratch_bytes(const Problem* problem, Py_ssize_t itemsize) noexcept nogil:
    """What a thread needs, for whichever kernel it runs."""
    cdef Py_ssize_t chunk = CHUNK_BYTES // itemsize
    cdef Py_ssize_t n_chunks = (problem.n_classes + chunk - 1) // chunk
    cdef Py_ssize_t rows = rows_stats(problem, n_chunks, itemsize) * 8 + 5 * CHUNK_BYTES
    cdef Py_ssize_t tiles = N_FIELDS * n_chunks * LANES * 8
    tiles += 3 * min(problem.n_classes, chunk) * LANES * itemsize
    if problem.stream or problem.aside:
        rows += rows_at_once(problem, itemsize) * problem.n_classes * itemsize
    return max(rows, tiles)


cdef void rows_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                     double* row_values) noexcept nogil:
    rows_range(<const Problem*>problem, first, last, scratch, row_values, <float>0)

cdef void rows_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                      double* row_values) noexcept nogil:
    rows_range(<const Problem*>problem, first, last, scratch, row_values, <double>0)

cdef void tiles_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                      double* row_values) noexcept nogil:
    tiles_range(<const Problem*>problem, first, last, scratch, row_values, <float>0)

cdef void tiles_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    tiles_range(<const Problem*>problem, first, last, scratch, row_values, <double>0)

cdef void weigh(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    weigh_rows(<const Problem*>problem, first, last, row_values)

cdef void sweep_float(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                      char* scratch) noexcept nogil:
    row_sweep(problem, row, first, last, stats, scratch, <float>0)

cdef void sweep_double(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                       char* scratch) noexcept nogil:
    row_sweep(problem, row, first, last, stats, scratch, <double>0)

cdef double settle_float(const Problem* problem, Py_ssize_t row, double* stats, char* scratch) noexcept nogil:
    return row_settle(problem, row, stats, scratch, <float>0)

cdef double settle_double(const Problem* problem, Py_ssize_t row, double* stats, char* scratch) noexcept nogil:
    return row_settle(problem, row, stats, scratch, <double>0)

cdef void scale_float(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                      char* scratch) noexcept nogil:
    row_scale(problem, row, first, last, stats, scratch, <float>0)

cdef void scale_double(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                       char* scratch) noexcept nogil:
    row_scale(problem, row, first, last, stats, scratch, <double>0)

cdef void slices_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                       double* row_values) noexcept nogil:
    slice_chunks(<const Problem*>problem, first, last, scratch, row_values, <float>0)

cdef void slices_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    slice_chunks(<const Problem*>problem, first, last, scratch, row_values, <double>0)

cdef void combine_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                        double* row_values) noexcept nogil:
    combine_rows(<const Problem*>problem, first, last, scratch, row_values, <float>0)

cdef void combine_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    combine_rows(<const Problem*>problem, first, last, scratch, row_values, <double>0)

cdef void combine_slices_float(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                               double* row_values) noexcept nogil:
    combine_chunks(<const Problem*>problem, first, last, scratch, row_values, <float>0)

cdef void combine_slices_double(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                                double* row_values) noexcept nogil:
    combine_chunks(<const Problem*>problem, first, last, scratch, row_values, <double>0)

cdef void count_classes(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                        int64_t* good) noexcept nogil:
    cdef int64_t n_kept = 0, n_good = 0
    cdef Py_ssize_t row
    for row in range(n):
        n_kept += classes[row] != ignored
        n_good += (classes[row] >= 0) & (classes[row] < n_classes) & (classes[row] != ignored)
    kept[0] = n_kept
    good[0] = n_good

cdef void lanes_exp_float(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = exp_float(x[i])

cdef void lanes_exp_double(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = exp_double(x[i])

cdef void lanes_log1p_double(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log1p_double(x[i])

cdef void lanes_log1p_float(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = log1p_float(x[i], x[i])

cdef void lanes_tanh_float(const float* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Cap cap
    cdef Py_ssize_t start = 0
    cap.cap = cap.ratio = 1.0
    cap.turns = 2.0 * 1.4426950408889634
    while start < n:
        cap_floats(&cap, x + start, min(<Py_ssize_t>CAP_BLOCK, n - start), y + start, NULL)
        start += CAP_BLOCK

cdef void lanes_tanh_double(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Cap cap
    cap.cap = cap.ratio = 1.0
    cap_doubles(&cap, x, n, y, NULL)


cdef KernelTable TABLE
TABLE.table_bytes = sizeof(KernelTable)
TABLE.problem_bytes = sizeof(Problem)
TABLE.fill_bytes = sizeof(Fill)
TABLE.comparison_bytes = sizeof(Comparison)
TABLE.log_loss_bytes = sizeof(LogLoss)
TABLE.elements_bytes = sizeof(Elements)
TABLE.lanes = LANES
TABLE.chunk_bytes = CHUNK_BYTES
TABLE.of_float.rows = rows_float
TABLE.of_float.tiles = tiles_float
TABLE.of_float.sweep = sweep_float
TABLE.of_float.settle = settle_float
TABLE.of_float.scale = scale_float
TABLE.of_float.slices = slices_float
TABLE.of_float.combine = combine_float
TABLE.of_float.combine_slices = combine_slices_float
TABLE.of_double.rows = rows_double
TABLE.of_double.tiles = tiles_double
TABLE.of_double.sweep = sweep_double
TABLE.of_double.settle = settle_double
TABLE.of_double.scale = scale_double
TABLE.of_double.slices = slices_double
TABLE.of_double.combine = combine_double
TABLE.of_double.combine_slices = combine_slices_double
TABLE.of_probabilities.rows = compare_rows
TABLE.of_probabilities.chunks = compare_chunks
TABLE.of_probabilities.add_chunks = add_chunks
TABLE.of_probabilities.slopes = slope_chunks
TABLE.of_probabilities.log_loss = log_loss_rows
TABLE.of_probabilities.rows_at_once = choose_rows
TABLE.of_probabilities.chunk = TERMS
TABLE.of_probabilities.scratch_bytes = 2 * TILE_TERMS * sizeof(double)
TABLE.weigh = weigh
TABLE.count_classes = count_classes
TABLE.random_chunk = random_chunk
TABLE.elements_of_float.plain = sigmoid_float
TABLE.elements_of_float.scan = scan_float
TABLE.elements_of_float.weighted = weighted_float
TABLE.elements_of_float.focal = focal_double
TABLE.elements_of_double.plain = sigmoid_double
TABLE.elements_of_double.weighted = weighted_double
TABLE.elements_of_double.focal = focal_double
TABLE.elements_of_double.scan = scan_double
TABLE.element_scratch = N_BUFFERS * PADDED_BLOCK * sizeof(double)
TABLE.scratch_bytes = scratch_bytes
TABLE.slice_scratch_bytes = slice_scratch_bytes
TABLE.exp_float = lanes_exp_float
TABLE.exp_double = lanes_exp_double
TABLE.log1p_double = lanes_log1p_double
TABLE.log_double = lanes_log_double
TABLE.log_ratio = lanes_log_ratio
TABLE.log1p_float = lanes_log1p_float
TABLE.tanh_float = lanes_tanh_float
TABLE.tanh_double = lanes_tanh_double

table = PyCapsule_New(&TABLE, "xentfast._kernels.table", NULL)
