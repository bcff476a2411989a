"""Softmax calls: arrays to rows, rows to threads.

No policy here (which level, how many threads, what is an error) and no arithmetic but the fold of row values to one number.

(a) A call is a Problem: operands as rows of classes, row axes merged where their strides allow.
(b) Rows are cut evenly, one part a thread. Where rows are fewer than that is worth, each row's chunks are cut instead. A
    kernel's results depend on neither (_kernels/softmax/unit.pxi).
(c) Row values are added over blocks of 32 rows in one tree, 32 blocks in another, and these in order, with the rounding errors
    summed beside (Neumaier 1974).
"""
from libc.string cimport memset

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels
from xentfast._base.memory cimport passes_cache
from xentfast._kernels.softmax cimport (
    BY_CHUNKS, BY_ROWS, BY_TILES, GRADIENT, LOG_SOFTMAX, LOGSUMEXP, LOSS, SIGNED_TILE_CLASSES, SOFTMAX, Problem, Result, Way)
from xentfast._softmax.call cimport CrossEntropyCall

cnp.import_array()

cdef enum:
    # Rows up to this long go along the lanes by tiles; longer ones, classes do (measured on every level, 2026-11).
    TILE_BYTES = 1536
    MAX_TILE_CLASSES = 131072
    THREAD_BYTES = 1048576  # that a thread may use at most: guarantee 3
    MOST_FEW_ROWS = 24      # that may go along the lanes faster one by one than by a tile
    ASIDE_BYTES = 786432    # a row of exponentials up to this long may wait in a thread's scratch

FOR_SOFTMAX, FOR_LOG_SOFTMAX, FOR_LOGSUMEXP = SOFTMAX, LOG_SOFTMAX, LOGSUMEXP

include "../_base/loops.pxi"


# ---- arrays to rows


cdef void merge_problem(Problem* problem) noexcept nogil:
    cdef Operand* operands[6]
    operands[0], operands[1], operands[2] = &problem.logits, &problem.out, &problem.soft
    operands[3], operands[4], operands[5] = &problem.hess, &problem.where, problem.b
    problem.n_axes = merge_axes(problem.n_axes, problem.shape, operands, 5 if problem.b == NULL else 6)


cdef bint prefers_tiles(const Problem* problem, Py_ssize_t itemsize, Py_ssize_t lanes) noexcept nogil:
    cdef Py_ssize_t stored = itemsize if problem.type == FLOAT32 or problem.type == FLOAT64 else 2
    cdef Py_ssize_t n_rows = problem.shape[0] if problem.n_axes > 0 else 1
    if problem.n_axes < 2 and n_rows <= min(<Py_ssize_t>MOST_FEW_ROWS, problem.n_classes // 8 + 1):
        return False                                    # a tile of one row takes as long as one of 32
    if problem.n_classes * itemsize <= TILE_BYTES:
        return True
    return (problem.n_axes > 0 and problem.logits.strides[problem.n_axes - 1] == stored
            and problem.shape[problem.n_axes - 1] >= lanes and problem.n_classes <= MAX_TILE_CLASSES)


cdef bint narrow(const Problem* problem) noexcept nogil:
    """Logits that cannot hold the exponentials between the sweeps."""
    return problem.type == FLOAT16 or problem.type == BFLOAT16


cdef bint sloped_masses(const Problem* problem) noexcept nogil:
    """Masses that meet the slopes of a cap: exponentials and slopes are both needed in the second sweep."""
    return problem.cap != 0.0 and (problem.soft.data != NULL or (problem.smoothing != 0.0 and problem.classes != NULL))


# ---- rows to threads


cdef void sweep_part(const SoftmaxKernels* table, const Problem* problem, Py_ssize_t row, Py_ssize_t first,
                     Py_ssize_t last, double* stats, char* scratch) noexcept nogil:
    cdef xf_mode saved = xf_enter_ieee()
    table.sweep(problem, row, first, last, stats, scratch)
    xf_leave_ieee(saved)


cdef void scale_part(const SoftmaxKernels* table, const Problem* problem, Py_ssize_t row, Py_ssize_t first,
                     Py_ssize_t last, double* stats, char* scratch) noexcept nogil:
    cdef xf_mode saved = xf_enter_ieee()
    table.scale(problem, row, first, last, stats, scratch)
    xf_leave_ieee(saved)


cdef struct Split:              # rows whose chunks are cut: those of a batch, counted through all of them
    Py_ssize_t first            # row
    Py_ssize_t n_rows
    Py_ssize_t n_chunks         # of a row
    double* stats
    Py_ssize_t stats_length     # doubles of a row's
    double* values              # of all rows


cdef enum Stage:
    SWEEP
    SETTLE
    SCALE


cdef void run_chunks(const SoftmaxKernels* table, const Problem* problem, const Split* split, Py_ssize_t first, Py_ssize_t last,
                     char* scratch, bint scaling) noexcept nogil:
    """Chunks [first, last) of the batch, swept or scaled."""
    cdef Py_ssize_t row, start, stop
    while first < last:
        row = first // split.n_chunks
        start = first - row * split.n_chunks
        stop = min(split.n_chunks, start + last - first)
        if scaling:
            scale_part(table, problem, split.first + row, start, stop, split.stats + row * split.stats_length, scratch)
        else:
            sweep_part(table, problem, split.first + row, start, stop, split.stats + row * split.stats_length, scratch)
        first += stop - start


cdef void settle_rows(const SoftmaxKernels* table, const Problem* problem, const Split* split, Py_ssize_t first, Py_ssize_t last,
                      char* scratch) noexcept nogil:
    """Rows [first, last) of the batch."""
    cdef Py_ssize_t row
    cdef xf_mode saved = xf_enter_ieee()
    for row in range(first, last):
        split.values[split.first + row] = table.settle(problem, split.first + row, split.stats + row * split.stats_length,
                                                       scratch)
    xf_leave_ieee(saved)


cdef void run_split_part(const SoftmaxKernels* table, const Problem* problem, const Split* split, Stage stage, const Parts* parts,
                         int part, char* scratch) noexcept nogil:
    """All that one thread comes to."""
    cdef Turn turn = turn_of(part)
    while take(parts, &turn):
        if stage == SETTLE:
            settle_rows(table, problem, split, turn.first, turn.last, scratch)
        else:
            run_chunks(table, problem, split, turn.first, turn.last, scratch, stage == SCALE)


cdef int run_stage(const SoftmaxKernels* table, const Problem* problem, const Split* split, Stage stage, int n_threads,
                   char* scratch, Py_ssize_t scratch_bytes) noexcept nogil:
    """One stage of a batch, its chunks or its rows cut over the threads. How many of them came."""
    cdef Parts parts
    cdef Py_ssize_t n = split.n_rows if stage == SETTLE else split.n_rows * split.n_chunks
    cdef int part, n_parts = <int>min(<Py_ssize_t>n_threads, n)
    set_parts(&parts, n, n * (problem.n_classes // split.n_chunks), n_parts, scratch + n_threads * scratch_bytes)
    if n_parts == 1:
        run_split_part(table, problem, split, stage, &parts, 0, scratch)
        return 1
    for part in prange(n_parts, num_threads=n_parts, schedule="static"):
        run_split_part(table, problem, split, stage, &parts, part, scratch + part * scratch_bytes)
    return came_to(&parts)


cdef void run_split_rows(const SoftmaxKernels* table, const Problem* problem, Py_ssize_t n_rows, Split* split, Py_ssize_t batch,
                         int n_threads, char* scratch, Py_ssize_t scratch_bytes) noexcept nogil:
    """A batch of rows after the other."""
    cdef int came = 0
    split.first = 0
    while split.first < n_rows:
        split.n_rows = min(batch, n_rows - split.first)
        came = max(came, run_stage(table, problem, split, SWEEP, n_threads, scratch, scratch_bytes))
        run_stage(table, problem, split, SETTLE, n_threads, scratch, scratch_bytes)
        if problem.out.data != NULL:
            run_stage(table, problem, split, SCALE, n_threads, scratch, scratch_bytes)
        split.first += batch
    if n_threads > 1:
        note_helpers(n_threads, came, n_rows * problem.n_classes)


cdef bint compute_split(const SoftmaxKernels* table, const Problem* problem, Py_ssize_t n_rows,
                        Py_ssize_t n_chunks, int n_threads, Py_ssize_t scratch_bytes, void* row_values,
                        ValueType type, double* total) noexcept nogil:
    """compute_ranges where chunks are cut: there are few rows."""
    # So many rows at once that threads have eight chunks each: parts are even, and a cache has the rows when they are scaled.
    cdef Py_ssize_t batch = min(n_rows, max(<Py_ssize_t>1, (8 * n_threads + n_chunks - 1) // n_chunks))
    cdef Py_ssize_t stats_bytes
    cdef char* memory
    cdef char* scratch
    cdef Values values
    cdef Split split
    n_threads = threads_at_hand(n_threads, n_rows * problem.n_classes)
    split.n_chunks = n_chunks
    split.stats_length = 8 * n_chunks + 64
    stats_bytes = batch * split.stats_length * 8
    memory = <char*>malloc(ALIGNMENT + (scratch_bytes + TICKET_LINE) * n_threads + stats_bytes + n_rows * 8)
    if memory == NULL:
        return False
    scratch = aligned(memory)
    split.stats = <double*>(scratch + (scratch_bytes + TICKET_LINE) * n_threads)
    split.values = values.held = <double*>(<char*>split.stats + stats_bytes)
    values.stored = row_values
    values.type = type
    run_split_rows(table, problem, n_rows, &split, batch, n_threads, scratch, scratch_bytes)
    total[0] = gather_values(&values, n_rows)
    free(memory)
    return True


cdef bint hold_masses(const SoftmaxKernels* table, Problem* problem, Py_ssize_t scratch_bytes) noexcept nogil:
    """Smoothing with class weights: the masses of so many classes as what is left of a thread's memory holds; rows make those of
    the others anew, each for itself. To be freed. False where there is no memory."""
    cdef xf_mode saved
    cdef Py_ssize_t itemsize = 8 if problem.type == FLOAT64 else 4, left = THREAD_BYTES - padded(scratch_bytes) - SPAN * 8, n
    if (problem.class_weight == NULL or problem.classes == NULL or problem.smoothing == 0.0 or problem.where.data != NULL
            or rows_of(problem) < 2 or left < table.chunk_bytes):
        return True
    n = min(problem.n_classes, (left // table.chunk_bytes - 1) * (table.chunk_bytes // itemsize))
    problem.masses = malloc((n + table.lanes) * itemsize)
    if problem.masses == NULL:
        return False
    saved = xf_enter_ieee()
    table.spread(problem, <void*>problem.masses, n)
    xf_leave_ieee(saved)
    problem.n_masses = n
    return True


cdef bint compute_problem(const SoftmaxKernels* table, Problem* problem, RangeKernel kernel, int n_threads, void* values,
                          ValueType type, double* total) noexcept nogil:
    """Every row of the problem. The row values go to `values` in their type, or are added up into `total`. False where there is
    no memory: nothing has been done then."""
    cdef Py_ssize_t itemsize = 8 if problem.type == FLOAT64 else 4
    cdef Py_ssize_t n_rows = rows_of(problem), n_chunks, scratch_bytes, unit = 1
    cdef Way way = BY_ROWS
    cdef bint done
    problem.again = problem.out.data != NULL and (narrow(problem) or sloped_masses(problem))
    merge_problem(problem)
    n_chunks = (problem.n_classes * itemsize + table.chunk_bytes - 1) // table.chunk_bytes
    if (kernel != NULL or n_threads > 1 and n_rows < 4 * n_threads
            and (n_chunks >= 2 * n_threads or (n_chunks > 1 and n_rows * n_chunks >= 16 * n_threads))):
        way = BY_CHUNKS
        problem.stream = False
    elif problem.b != NULL:
        kernel = table.signed_rows
        if problem.n_classes <= SIGNED_TILE_CLASSES:
            kernel, way = table.signed_tiles, BY_TILES
            unit = table.lanes
    elif prefers_tiles(problem, itemsize, table.lanes):
        kernel, way = table.tiles, BY_TILES
        unit = table.lanes
        problem.stream = False
    else:
        kernel = table.rows
        problem.stream = problem.stream and problem.out.step == itemsize
        problem.aside = narrow(problem) and problem.again and not sloped_masses(problem)
        problem.aside = problem.aside and problem.n_classes * itemsize <= ASIDE_BYTES
        problem.again = problem.again and not problem.aside
    scratch_bytes = table.scratch_bytes(problem, way)
    if not hold_masses(table, problem, scratch_bytes):
        return False
    if kernel == NULL:
        done = compute_split(table, problem, n_rows, n_chunks, n_threads, padded(scratch_bytes), values, type, total)
    else:
        done = compute_ranges(kernel, problem, n_rows, unit, n_rows * problem.n_classes, n_threads, scratch_bytes, values, type,
                              total)
    free(<void*>problem.masses)
    return done


cdef double run_problem(Problem* problem, bint weighing, int n_threads, row_values) except? -1.0:
    """compute_problem for arrays; the sum is returned. `weighing`: of the rows' weights, from soft targets and class weights."""
    cdef const SoftmaxKernels* table = chosen_kernels().softmax(problem.type == FLOAT64)
    cdef void* values = NULL
    cdef ValueType type = FLOAT64
    cdef double total
    cdef bint done
    if row_values is not None:
        type = <ValueType>value_type(row_values)
        values = data_of(row_values, rows_of(problem), cnp.PyArray_ITEMSIZE(row_values))
    with nogil:
        done = compute_problem(table, problem, table.weigh if weighing else NULL, n_threads, values, type, &total)
    if not done:
        raise MemoryError("no memory for the threads' scratch")
    return total


cdef void clear_problem(Problem* problem) noexcept nogil:
    cdef char* rest = <char*>&problem.result        # the fields before it are arrays of as many axes as there may be, and
    memset(rest, 0, <char*>problem + sizeof(Problem) - rest)       # take longer than a small call's rows
    problem.logits.data = problem.out.data = problem.soft.data = problem.hess.data = problem.where.data = NULL
    problem.scale = problem.unit = problem.gradient_scale = problem.hess_factor = 1.0


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
    set_classes(problem, &problem.logits, logits, axis)


cdef int set_classes(Problem* problem, Operand* operand, cnp.ndarray array, int axis) except -1:
    """An operand of the logits' shape."""
    return set_operand(operand, array, axis, problem.n_axes, problem.shape, problem.n_classes)


cdef Py_ssize_t rows_of(const Problem* problem) noexcept nogil:
    cdef Py_ssize_t n_rows = 1
    cdef int axis
    for axis in range(problem.n_axes):
        n_rows *= problem.shape[axis]
    return n_rows


cdef void set_rows(Problem* problem, CrossEntropyCall call, Py_ssize_t other_classes) except *:
    """Logits, targets and weights; `other_classes` than the logits' are there where these are a slice."""
    set_problem(problem, call.logits, call.axis)
    problem.other_classes = other_classes
    set_targets(problem, call)


cdef void set_targets(Problem* problem, CrossEntropyCall call) except *:
    """Of a problem that has its shape."""
    cdef Py_ssize_t n_rows = rows_of(problem)
    problem.classes = <const int64_t*>data_of(call.classes, n_rows, sizeof(int64_t))
    problem.sample_weight = <const double*>data_of(call.sample_weight, n_rows, sizeof(double))
    problem.class_weight = weights_of(call.class_weight, problem.n_classes + problem.other_classes, &problem.weight_step,
                                      &problem.weight_single)
    problem.smoothing = call.smoothing
    if call.soft is not None:
        set_classes(problem, &problem.soft, call.soft, call.axis)
        problem.soft_type = <ValueType>value_type(call.soft)


cdef void set_shape(Problem* problem, double logit_scale, double softcap, double z_loss) noexcept nogil:
    """`softcap` is 0 where there is none. After the gradient's scale."""
    cdef xf_mode saved
    cdef double scale
    problem.z_loss = z_loss
    problem.cap = softcap
    if logit_scale != 1.0:
        saved = xf_enter_ieee()
        scale = xf_here(logit_scale)
        problem.negate = scale < 0.0
        problem.scale = abs(scale) if scale != 0.0 else 5e-324              # all logits equal, −inf excluded all the same
        problem.gradient_scale = xf_here(xf_here(problem.gradient_scale) * scale)
        xf_leave_ieee(saved)
    problem.unit = problem.scale if softcap == 0.0 else 1.0


cdef void set_options(Problem* problem, CrossEntropyCall call) except *:
    """After the gradient's scale."""
    set_shape(problem, call.logit_scale, call.softcap, call.z_loss)
    problem.gamma = call.gamma
    problem.hess_factor, problem.hess_size, problem.hess_floor = call.hess_factor, call.hess_size, call.hess_floor
    if call.where is not None:
        set_classes(problem, &problem.where, call.where, call.axis)


cpdef object compute(CrossEntropyCall call, double divisor, row_values, out, hess):
    """The rows' losses into `row_values`, or their sum over `divisor`, or e^ of that, which is returned; with `out`, the gradient
    over `divisor` as well, and with `hess` the diagonal of the Hessian, which is for calls without a scale, a cap and z_loss."""
    cdef Problem problem
    cdef double value
    set_rows(&problem, call, 0)
    problem.result = LOSS if out is None else GRADIENT
    problem.gradient_scale = inverse_of(divisor)
    set_options(&problem, call)
    if out is not None:
        set_classes(&problem, &problem.out, out, call.axis)
        problem.stream = passes_cache(out, call.logits, call.axis)
    if hess is not None:
        set_classes(&problem, &problem.hess, hess, call.axis)
    value = run_problem(&problem, False, count_threads(call.n_threads, cnp.PyArray_SIZE(call.logits)), row_values)
    if row_values is not None:
        return row_values
    return scalar(value, divisor, exponential_of(call), problem.type == FLOAT64)


cdef const SoftmaxKernels* exponential_of(CrossEntropyCall call) except? NULL:
    """Whose exponential the result is to be; NULL where it is none."""
    return chosen_kernels().softmax(True) if call.exponential else NULL


def soft_weight_sum(CrossEntropyCall call):
    """Σ over rows of sample_weight·Σ_c weight_c·t_c"""
    cdef Problem problem
    set_rows(&problem, call, 0)
    return run_problem(&problem, True, count_threads(call.n_threads, cnp.PyArray_SIZE(call.logits)), None)


cpdef int normalise(int result, cnp.ndarray x, int axis, where, b, out, row_values, int n_threads) except -1:
    """softmax and log_softmax into `out`, logsumexp into `row_values`. `where`: booleans of the shape of x, or None; `b`: real
    numbers, for logsumexp alone."""
    cdef Problem problem
    cdef Operand factors
    set_problem(&problem, x, axis)
    problem.result = <Result>result
    if where is not None:
        set_classes(&problem, &problem.where, where, axis)
    if b is not None:
        set_classes(&problem, &factors, b, axis)
        problem.b = &factors
        problem.b_type = <ValueType>value_type(b)
    if out is not None:
        set_classes(&problem, &problem.out, out, axis)
        problem.stream = result == SOFTMAX and passes_cache(out, x, axis)
    run_problem(&problem, False, count_threads(n_threads, cnp.PyArray_SIZE(x)), row_values)
    return 0
