# The softmax kernels of one dtype, `own_real`, at one level: a unit is translated once, and its C compiled once a level, with
# that level's flags. The table is all that others see of it.
#
# How the bits stay the same on every level, for any number of threads and any memory layout:
# (a) a row is cut into chunks of CHUNK_BYTES, always; a chunk's sums depend on that chunk alone and are folded over
#     the row in order, in double;
# (b) inside a chunk, class j belongs to lane j mod LANES, lanes are folded in one tree, and tails are filled with what
#     changes nothing;
# (c) + − × ÷, comparisons and bits alone, without contraction (numerics/lanes.pxi).
from cpython.pycapsule cimport PyCapsule_New

from xentfast._kernels.arrays cimport (
    BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, MAX_AXES, UINT8, UINT16, UINT32, Operand, ValueType)
from xentfast._kernels.softmax cimport (
    BY_CHUNKS, BY_ROWS, BY_TILES, GRADIENT, LOG_SOFTMAX, LOGSUMEXP, SIGNED_TILE_CLASSES, SOFTMAX, TARGET_EXCLUDED, TARGET_HERE,
    TARGET_SOFT, Problem, Record, SoftmaxKernels, Way)

include "../numerics/bits.pxi"
include "../numerics/lanes.pxi"
include "../numerics/values.pxi"
include "../numerics/sums.pxi"
include "../numerics/totals.pxi"
include "load.pxi"
include "group.pxi"
include "reference.pxi"
include "shape.pxi"
include "chunks.pxi"
include "scale.pxi"
include "focal.pxi"
include "settle.pxi"
include "hessian.pxi"
include "signed.pxi"
include "rows.pxi"
include "split.pxi"
include "tile_load.pxi"
include "tile_sweep.pxi"
include "tile_hessian.pxi"
include "signed_tile.pxi"
include "tiles.pxi"
include "weigh.pxi"
include "partials.pxi"


cdef Py_ssize_t scratch_bytes(const Problem* problem, Way way) noexcept nogil:
    if way == BY_ROWS:
        return rows_scratch(problem, <own_real>0)
    if way == BY_CHUNKS:
        return ROW_BUFFERS
    return tiles_scratch(problem, <own_real>0) if problem.b == NULL else signed_scratch(problem)

cdef Py_ssize_t slice_scratch_bytes(const Problem* problem) noexcept nogil:
    return slices_scratch(problem, <own_real>0)

cdef void rows(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    rows_range(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void tiles(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    tiles_range(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void sweep(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                char* scratch) noexcept nogil:
    row_sweep(problem, row, first, last, stats, scratch, <own_real>0)

cdef double settle(const Problem* problem, Py_ssize_t row, double* stats, char* scratch) noexcept nogil:
    return row_settle(problem, row, stats, scratch, <own_real>0)

cdef void scale(const Problem* problem, Py_ssize_t row, Py_ssize_t first, Py_ssize_t last, double* stats,
                char* scratch) noexcept nogil:
    row_scale(problem, row, first, last, stats, scratch, <own_real>0)

cdef void slices(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    slice_chunks(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void combine(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    combine_rows(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void combine_slices(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch,
                         double* row_values) noexcept nogil:
    combine_chunks(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void spread(const Problem* problem, void* masses, Py_ssize_t n) noexcept nogil:
    make_masses(problem, <own_real*>masses, n)

cdef void weigh(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    weigh_rows(<const Problem*>problem, first, last, row_values, <own_real>0)

cdef void signed_rows(const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values) noexcept nogil:
    signed_range(<const Problem*>problem, first, last, scratch, row_values, <own_real>0)

cdef void count_classes(const int64_t* classes, Py_ssize_t n, int64_t n_classes, int64_t ignored, int64_t* kept,
                        int64_t* good) noexcept nogil:
    cdef int64_t n_kept = 0, n_good = 0
    cdef Py_ssize_t row
    for row in range(n):
        n_kept += classes[row] != ignored
        n_good += (classes[row] >= 0) & (classes[row] < n_classes) & (classes[row] != ignored)
    kept[0] = n_kept
    good[0] = n_good

cdef void lanes_exp(const void* x, void* y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        (<own_real*>y)[i] = exp_scaled((<const own_real*>x)[i])

cdef void lanes_tanh(const void* x, double* y, Py_ssize_t n) noexcept nogil:
    cdef Cap cap
    cdef Py_ssize_t start = 0
    cap.cap = cap.ratio = 1.0
    cap.turns = 2.0 * DOUBLE_LOG2_E
    while start < n:
        cap_values(&cap, <const own_real*>x + start, min(<Py_ssize_t>CAP_PASS, n - start), y + start, <own_real*>NULL)
        start += CAP_PASS


cdef SoftmaxKernels TABLE
TABLE.table_bytes = sizeof(SoftmaxKernels)
TABLE.problem_bytes = sizeof(Problem)
TABLE.lanes = LANES
TABLE.chunk_bytes = CHUNK_BYTES
TABLE.rows = rows
TABLE.tiles = tiles
TABLE.sweep = sweep
TABLE.settle = settle
TABLE.scale = scale
TABLE.slices = slices
TABLE.combine = combine
TABLE.combine_slices = combine_slices
TABLE.spread = spread
TABLE.weigh = weigh
TABLE.count_classes = count_classes
TABLE.scratch_bytes = scratch_bytes
TABLE.slice_scratch_bytes = slice_scratch_bytes
TABLE.exp = lanes_exp
TABLE.tanh = lanes_tanh
TABLE.signed_rows = signed_rows
TABLE.signed_tiles = signed_tiles

table = PyCapsule_New(&TABLE, "xentfast._kernels.softmax", NULL)
