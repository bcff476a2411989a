"""Arrays to rows, rows to threads: the only module that knows NumPy's C arrays and OpenMP.

No policy here (which level, how many threads, what is an error: _dispatch, _threads, _arguments) and no arithmetic but
the fold of row values to one number.

(a) A call is a Problem: operands as rows of classes, row axes merged where their strides allow.
(b) Rows are cut evenly, one part a thread. Where rows are fewer than that is worth, each row's chunks are cut instead. A
    kernel's results depend on neither (kernels.pxi).
(c) Row values are added over blocks of 32 rows in one tree, and the blocks in order, with the rounding errors summed
    beside (Neumaier 1974).
"""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset

import numpy as np

cimport numpy as cnp

from xentfast._kernels.arrays cimport Operand
from xentfast._kernels.probabilities cimport Comparison, LogLoss
from xentfast._kernels.random cimport Fill
from xentfast._kernels.sigmoid cimport Elements
from xentfast._kernels.softmax cimport GRADIENT, LOG_SOFTMAX, LOGSUMEXP, LOSS, SOFTMAX, Problem

cnp.import_array()

cdef extern from "_platform.h":
    int xf_openmp() nogil
    int xf_x86_64_level() nogil
    int omp_get_max_threads() nogil

cdef enum:
    # Rows up to this long go along the lanes by tiles; longer ones, classes do (measured on every level, 2026-11).
    TILE_BYTES = 1536
    MAX_TILE_CLASSES = 131072
    ASIDE_BYTES = 786432    # a row of exponentials up to this long may wait in a thread's scratch

FOR_SOFTMAX, FOR_LOG_SOFTMAX, FOR_LOGSUMEXP = SOFTMAX, LOG_SOFTMAX, LOGSUMEXP


def openmp_version():
    """The date of the OpenMP specification this was compiled with (201511, …); 0 without OpenMP."""
    return xf_openmp()


def x86_64_level():
    """4, 3 or 1: the level that CPU and operating system support; 0 on other architectures."""
    return xf_x86_64_level()


def max_threads():
    """What OpenMP would start now: OMP_NUM_THREADS and threadpoolctl have their say here."""
    return omp_get_max_threads()


cdef class Kernels:
    """One level's kernels: a table for each unit, by the unit's name."""
    def __init__(self, str level, dict tables):
        self.level = level
        self.softmax_float = <const SoftmaxKernels*>PyCapsule_GetPointer(tables["softmax_float"], "xentfast._kernels.softmax")
        self.softmax_double = <const SoftmaxKernels*>PyCapsule_GetPointer(tables["softmax_double"], "xentfast._kernels.softmax")
        self.sigmoid = <const SigmoidKernels*>PyCapsule_GetPointer(tables["sigmoid"], "xentfast._kernels.sigmoid")
        self.probabilities = <const ProbabilityKernels*>PyCapsule_GetPointer(
            tables["probabilities"], "xentfast._kernels.probabilities")
        self.random = <const RandomKernels*>PyCapsule_GetPointer(tables["random"], "xentfast._kernels.random")
        if not (fits(self.softmax_float) and fits(self.softmax_double)
                and self.sigmoid.table_bytes == sizeof(SigmoidKernels) and self.sigmoid.elements_bytes == sizeof(Elements)
                and self.probabilities.table_bytes == sizeof(ProbabilityKernels)
                and self.probabilities.comparison_bytes == sizeof(Comparison)
                and self.probabilities.log_loss_bytes == sizeof(LogLoss)
                and self.random.table_bytes == sizeof(RandomKernels) and self.random.fill_bytes == sizeof(Fill)):
            raise ImportError(f"the kernels for {level} come from another build than xentfast._core; build all of them again")

    def __repr__(self):
        return f"<xentfast kernels for {self.level}>"

    @property
    def chunk_bytes(self):
        """Bytes of a row that share a reference."""
        return self.softmax_float.chunk_bytes

    @property
    def lanes(self):
        """Numbers in a block."""
        return self.softmax_float.lanes

    # ---- the functions themselves, for the accuracy tests

    def exp(self, x):
        """Without its power of two's scale; of float32 and float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        table_for(self, source).exp(cnp.PyArray_DATA(source), cnp.PyArray_DATA(result), source.size)
        return result

    def tanh(self, x):
        """In float64, as it is taken of float32 and of float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty(x.shape)
        table_for(self, source).tanh(cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result), source.size)
        return result

    def log1p(self, x):
        """Of float32 up to 1, and of float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        if cnp.PyArray_TYPE(source) == cnp.NPY_FLOAT32:
            self.sigmoid.log1p_float(<const float*>cnp.PyArray_DATA(source), <float*>cnp.PyArray_DATA(result), source.size)
        else:
            self.sigmoid.log1p_double(<const double*>cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result), source.size)
        return result

    def log(self, x):
        """Of float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        self.probabilities.log(<const double*>cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result), source.size)
        return result

    def log_ratio(self, x, y):
        """log(x/y) of float64."""
        cdef cnp.ndarray first = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray second = cnp.PyArray_GETCONTIGUOUS(y)
        cdef cnp.ndarray result = np.empty_like(first)
        self.probabilities.log_ratio(<const double*>cnp.PyArray_DATA(first), <const double*>cnp.PyArray_DATA(second),
                                     <double*>cnp.PyArray_DATA(result), min(first.size, second.size))
        return result


cdef bint fits(const SoftmaxKernels* table) noexcept:
    return table.table_bytes == sizeof(SoftmaxKernels) and table.problem_bytes == sizeof(Problem)


cdef const SoftmaxKernels* table_for(Kernels kernels, cnp.ndarray array) noexcept:
    return kernels.softmax_float if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32 else kernels.softmax_double


cdef class CrossEntropyArguments:
    """What the checks make of the arguments of a call to softmax cross-entropy."""


include "_ranges.pxi"


# ---- arrays to rows


cdef void merge_problem(Problem* problem) noexcept nogil:
    cdef Operand* operands[5]
    operands[0], operands[1], operands[2] = &problem.logits, &problem.out, &problem.soft
    operands[3], operands[4] = &problem.hess, &problem.where
    problem.n_axes = merge_axes(problem.n_axes, problem.shape, operands, 5)


cdef bint prefers_tiles(const Problem* problem, Py_ssize_t itemsize, Py_ssize_t lanes) noexcept nogil:
    cdef Py_ssize_t stored = itemsize if problem.type == FLOAT32 or problem.type == FLOAT64 else 2
    if problem.n_classes * itemsize <= TILE_BYTES:
        return True
    return (problem.n_axes > 0 and problem.logits.strides[problem.n_axes - 1] == stored
            and problem.shape[problem.n_axes - 1] >= lanes and problem.n_classes <= MAX_TILE_CLASSES)


cdef bint narrow(const Problem* problem) noexcept nogil:
    """Logits that cannot hold the exponentials between the sweeps."""
    return problem.type == FLOAT16 or problem.type == BFLOAT16


cdef bint sloped_masses(const Problem* problem) noexcept nogil:
    """Masses that meet the slopes of a cap: exponentials and slopes are both needed in the second sweep."""
    return problem.cap != 0.0 and (problem.soft.data != NULL or problem.smoothing_mass != NULL)


# ---- rows to threads


cdef const SoftmaxKernels* softmax_kernels(Kernels kernels, ValueType type) noexcept nogil:
    """Those that compute logits of the type."""
    return kernels.softmax_double if type == FLOAT64 else kernels.softmax_float


cdef void sweep_part(const SoftmaxKernels* kernels, const Problem* problem, Py_ssize_t row, Py_ssize_t first,
                     Py_ssize_t last, double* stats, char* scratch) noexcept nogil:
    cdef xf_mode saved = xf_enter_ieee()
    kernels.sweep(problem, row, first, last, stats, scratch)
    xf_leave_ieee(saved)


cdef void scale_part(const SoftmaxKernels* kernels, const Problem* problem, Py_ssize_t row, Py_ssize_t first,
                     Py_ssize_t last, double* stats, char* scratch) noexcept nogil:
    cdef xf_mode saved = xf_enter_ieee()
    kernels.scale(problem, row, first, last, stats, scratch)
    xf_leave_ieee(saved)


cdef void run_split_rows(const SoftmaxKernels* kernels, const Problem* problem, Py_ssize_t n_rows, Py_ssize_t n_chunks, int n_threads,
                         char* scratch, Py_ssize_t scratch_bytes, double* stats, double* values) noexcept nogil:
    """One row after the other, each cut into one part of its chunks a thread."""
    cdef Py_ssize_t row
    cdef int part, parts = <int>min(<Py_ssize_t>n_threads, n_chunks)
    cdef xf_mode saved
    for row in range(n_rows):
        for part in prange(parts, num_threads=parts, schedule="static"):
            sweep_part(kernels, problem, row, n_chunks * part // parts, n_chunks * (part + 1) // parts, stats,
                       scratch + part * scratch_bytes)
        saved = xf_enter_ieee()
        values[row] = kernels.settle(problem, row, stats, scratch)
        xf_leave_ieee(saved)
        if problem.out.data != NULL:
            for part in prange(parts, num_threads=parts, schedule="static"):
                scale_part(kernels, problem, row, n_chunks * part // parts, n_chunks * (part + 1) // parts, stats,
                           scratch + part * scratch_bytes)


cdef bint compute_split(const SoftmaxKernels* table, const Problem* problem, Py_ssize_t n_rows,
                        Py_ssize_t n_chunks, int n_threads, Py_ssize_t scratch_bytes, void* row_values,
                        ValueType type, double* total) noexcept nogil:
    """compute_ranges where each row is cut: there are few."""
    cdef Py_ssize_t stats_bytes = (8 * n_chunks + 64) * 8
    cdef char* memory = <char*>malloc(ALIGNMENT + scratch_bytes * n_threads + stats_bytes + n_rows * 8)
    cdef char* scratch
    cdef double* stats
    cdef Values values
    if memory == NULL:
        return False
    scratch = aligned(memory)
    stats = <double*>(scratch + scratch_bytes * n_threads)
    values.held = <double*>(<char*>stats + stats_bytes)
    values.stored = row_values
    values.type = type
    run_split_rows(table, problem, n_rows, n_chunks, n_threads, scratch, scratch_bytes, stats, values.held)
    total[0] = gather_values(&values, n_rows)
    free(memory)
    return True


cdef bint compute_problem(const SoftmaxKernels* table, Problem* problem, RangeKernel kernel, int n_threads, void* values,
                          ValueType type, double* total) noexcept nogil:
    """Every row of the problem. The row values go to `values` in their type, or are added up into `total`. False where there is
    no memory: nothing has been done then."""
    cdef Py_ssize_t itemsize = 8 if problem.type == FLOAT64 else 4
    cdef Py_ssize_t n_rows = 1, n_chunks, scratch_bytes, unit = 1
    cdef int axis
    for axis in range(problem.n_axes):
        n_rows *= problem.shape[axis]
    problem.again = problem.out.data != NULL and (narrow(problem) or sloped_masses(problem))
    merge_problem(problem)
    n_chunks = (problem.n_classes * itemsize + table.chunk_bytes - 1) // table.chunk_bytes
    if n_threads > 1 and n_rows < 4 * n_threads and n_chunks >= 2 * n_threads and kernel == NULL:
        problem.stream = False
        n_threads = <int>min(<Py_ssize_t>n_threads, n_chunks)
        scratch_bytes = padded(table.scratch_bytes(problem))
        return compute_split(table, problem, n_rows, n_chunks, n_threads, scratch_bytes, values, type, total)
    if kernel == NULL:
        kernel = table.rows
        if prefers_tiles(problem, itemsize, table.lanes):
            kernel = table.tiles
            unit = table.lanes
            problem.stream = False
        else:
            problem.stream = problem.stream and problem.out.step == itemsize
            problem.aside = narrow(problem) and problem.again and not sloped_masses(problem)
            problem.aside = problem.aside and problem.n_classes * itemsize <= ASIDE_BYTES
            problem.again = problem.again and not problem.aside
    return compute_ranges(kernel, problem, n_rows, unit, n_threads, table.scratch_bytes(problem), values, type, total)


cdef double run_problem(Kernels kernels, Problem* problem, RangeKernel kernel, int n_threads, row_values) except? -1.0:
    """compute_problem for arrays; the sum is returned."""
    cdef void* values = data_or_null(row_values)
    cdef ValueType type = FLOAT64 if row_values is None else <ValueType>value_type(row_values)
    cdef double total
    cdef bint done
    with nogil:
        done = compute_problem(softmax_kernels(kernels, problem.type), problem, kernel, n_threads, values, type, &total)
    if not done:
        raise MemoryError("no memory for the threads' scratch")
    return total


cdef void clear_problem(Problem* problem) noexcept nogil:
    memset(problem, 0, sizeof(Problem))
    problem.scale = problem.unit = problem.gradient_scale = 1.0


cdef void set_problem(Problem* problem, cnp.ndarray logits, int axis) except *:
    cdef int i, n = 0
    clear_problem(problem)
    problem.n_axes = cnp.PyArray_NDIM(logits) - 1
    for i in range(problem.n_axes + 1):
        if i != axis:
            problem.shape[n] = cnp.PyArray_DIM(logits, i)
            n += 1
    problem.n_classes = cnp.PyArray_DIM(logits, axis)
    problem.type = <ValueType>value_type(logits)
    set_operand(&problem.logits, logits, axis)


cdef void set_rows(Problem* problem, CrossEntropyArguments call) except *:
    """Logits, targets and weights."""
    set_problem(problem, call.logits, call.axis)
    set_targets(problem, call)


cdef void set_targets(Problem* problem, CrossEntropyArguments call) except *:
    problem.classes = <const int64_t*>data_or_null(call.classes)
    problem.sample_weight = <const double*>data_or_null(call.sample_weight)
    problem.class_weight = <const double*>data_or_null(call.class_weight)
    problem.smoothing_mass = data_or_null(call.smoothing_mass)
    problem.smoothing = call.smoothing
    if call.soft is not None:
        set_operand(&problem.soft, call.soft, call.axis)
        problem.soft_type = <ValueType>value_type(call.soft)


cdef void set_shape(Problem* problem, double logit_scale, double softcap, double z_loss) noexcept nogil:
    """`softcap` is 0 where there is none. After the gradient's scale."""
    problem.z_loss = z_loss
    problem.negate = logit_scale < 0.0
    problem.scale = abs(logit_scale) if logit_scale != 0.0 else 5e-324      # all logits equal, −inf excluded all the same
    problem.cap = softcap
    problem.unit = problem.scale if softcap == 0.0 else 1.0
    problem.gradient_scale *= logit_scale


cdef void set_options(Problem* problem, int axis, options) except *:
    logit_scale, softcap, z_loss, where = options
    set_shape(problem, logit_scale, softcap, z_loss)
    if where is not None:
        set_operand(&problem.where, where, axis)


def cross_entropy(Kernels kernels, CrossEntropyArguments call, double divisor, out, hess, row_values, bint exponential,
                  bint stream):
    """The rows' losses into `row_values`, or their sum over `divisor`; with `out`, the gradient over `divisor` as well, and with
    `hess` the diagonal of the Hessian, which is for problems without a scale, a cap and z_loss. `exponential`: e^ of the sum.
    """
    cdef Problem problem
    cdef double value
    set_rows(&problem, call)
    problem.result = LOSS if out is None else GRADIENT
    problem.gradient_scale = inverse_of(divisor)
    problem.stream = stream
    if call.options is not None:
        set_options(&problem, call.axis, call.options)
    if out is not None:
        set_operand(&problem.out, out, call.axis)
    if hess is not None:
        set_operand(&problem.hess, hess, call.axis)
    value = run_problem(kernels, &problem, NULL, call.n_threads, row_values)
    if row_values is not None:
        return row_values
    return scalar(value, divisor, kernels.softmax_double if exponential else NULL, problem.type == FLOAT64)


def soft_weight_sum(Kernels kernels, CrossEntropyArguments call):
    """Σ over rows of sample_weight·Σ_c weight_c·t_c"""
    cdef Problem problem
    set_rows(&problem, call)
    return run_problem(kernels, &problem, softmax_kernels(kernels, problem.type).weigh, call.n_threads, None)


def normalise(Kernels kernels, result, cnp.ndarray x, int axis, out, row_values, bint stream, int n_threads):
    """softmax and log_softmax into `out`, logsumexp into `row_values`."""
    cdef Problem problem
    set_problem(&problem, x, axis)
    problem.result = result
    problem.stream = stream and result == SOFTMAX
    if out is not None:
        set_operand(&problem.out, out, axis)
    run_problem(kernels, &problem, NULL, n_threads, row_values)


include "_scan.pxi"
