# Arrays to rows, ranges of rows to threads, and their values to an array or to one number: what every module with such loops
# includes.
#
# Row values are added over blocks of rows in one tree, the sums of as many blocks in another, and those of these squares in
# order, with the rounding errors summed beside (Neumaier 1974). The result depends on the values and their order alone.
from cython.parallel cimport prange
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

from xentfast._kernels.arrays cimport (
    BFLOAT16, FLOAT16, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, UINT8, Operand, RangeKernel, ValueType)
from xentfast._kernels.softmax cimport SoftmaxKernels

include "../_kernels/numerics/bits.pxi"
include "../_kernels/numerics/totals.pxi"
include "parts.pxi"

from xentfast._base.level cimport count_threads

cdef extern from "numpy/arrayobject.h":
    object PyArray_Scalar(void* data, cnp.dtype type, object base)

cdef extern from *:
    """
    #include <float.h>
    #include <math.h>
    """
    double FLT_MIN
    double DBL_MIN
    double NAN

cdef extern from "numerics/machine.h":
    double DOUBLE_SCALE "XF_DOUBLE_SCALE"
    double DOUBLE_UNIT "XF_DOUBLE_UNIT"
    ctypedef unsigned int xf_mode
    xf_mode xf_enter_ieee() noexcept nogil
    void xf_leave_ieee(xf_mode saved) noexcept nogil
    double xf_here(double value) noexcept nogil

cdef enum:
    BLOCK = 32              # rows that are added in one tree, and blocks that are
    SQUARE = BLOCK * BLOCK
    SPAN = 8192             # rows whose values a thread holds at a time: 64 KiB
    ALIGNMENT = 64


# ---- values of rows


cdef inline void fold_half(double* block, Py_ssize_t width, Py_ssize_t count) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(min(width, count - width)):
        block[i] += block[i + width]


cdef inline double fold_block(double* block, Py_ssize_t count) noexcept nogil:
    """One fixed tree over up to 32 numbers, which are overwritten."""
    fold_half(block, 16, count)
    fold_half(block, 8, min(<Py_ssize_t>16, count))
    fold_half(block, 4, min(<Py_ssize_t>8, count))
    fold_half(block, 2, min(<Py_ssize_t>4, count))
    fold_half(block, 1, min(<Py_ssize_t>2, count))
    return block[0]


cdef void fold_blocks(double* values, Py_ssize_t n, double* sums) noexcept nogil:
    """values[0 : n], which are overwritten → the sum of each block. `sums` may be `values`."""
    cdef Py_ssize_t block
    for block in range(n // BLOCK):
        sums[block] = fold_block(values + block * BLOCK, BLOCK)
    if n % BLOCK != 0:
        sums[n // BLOCK] = fold_block(values + n // BLOCK * BLOCK, n % BLOCK)


cdef void add_sums(Total* total, const double* sums, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        add_to(total, sums[i])


cdef void add_values(Total* total, double* values, Py_ssize_t n) noexcept nogil:
    """values[0 : n] is overwritten."""
    cdef Py_ssize_t n_blocks = (n + BLOCK - 1) // BLOCK
    fold_blocks(values, n, values)
    fold_blocks(values, n_blocks, values)
    add_sums(total, values, (n_blocks + BLOCK - 1) // BLOCK)


cdef double total_of(const Total* total) noexcept nogil:
    """An infinite sum has nan for an error."""
    cdef xf_mode saved = xf_enter_ieee()
    cdef double sum = xf_here(total.sum)
    cdef double value = xf_here(sum + total.error if sum - sum == 0.0 else sum)
    xf_leave_ieee(saved)
    return value


cdef inline double flushed(double value, double smallest) noexcept nogil:
    return 0.0 if -smallest < value < smallest else value


cdef void store_values(const double* values, Py_ssize_t n, void* target, Py_ssize_t first, ValueType type) noexcept nogil:
    """Row values → target[first : first + n]; exactly 0 below the smallest normal number of the type they are computed in."""
    cdef float value
    cdef Py_ssize_t i
    if type == FLOAT64:
        for i in range(n):
            (<double*>target)[first + i] = flushed(values[i], DBL_MIN)
        return
    for i in range(n):
        value = <float>flushed(values[i], FLT_MIN)
        if type == FLOAT32:
            (<float*>target)[first + i] = value
        elif type == BFLOAT16:
            (<uint16_t*>target)[first + i] = to_bfloat16(value)
        else:
            (<uint16_t*>target)[first + i] = to_float16(value)


cdef double quotient(double dividend, double divisor, const SoftmaxKernels* exponential, bint as_double) noexcept nogil:
    """dividend/divisor, or e^ of it by a level's kernels of double; exactly 0 below the smallest normal number of the result's
    type."""
    cdef xf_mode saved = xf_enter_ieee()
    cdef double value = xf_here(dividend) / divisor, power
    if exponential != NULL:                             # 2⁵⁰⁰·eᵗ for t ≤ 0
        power = -abs(value)
        exponential.exp(&power, &power, 1)
        value = power * DOUBLE_UNIT if value < 0.0 else 1.0 / power * DOUBLE_SCALE
    value = xf_here(flushed(value, DBL_MIN if as_double else FLT_MIN))
    xf_leave_ieee(saved)
    return NAN if value != value else value


cdef object scalar(double dividend, double divisor, const SoftmaxKernels* exponential, bint as_double):
    """`quotient` as a NumPy scalar."""
    cdef double value = quotient(dividend, divisor, exponential, as_double)
    cdef float single
    if as_double:
        return PyArray_Scalar(&value, cnp.PyArray_DescrFromType(cnp.NPY_FLOAT64), None)
    single = <float>value
    return PyArray_Scalar(&single, cnp.PyArray_DescrFromType(cnp.NPY_FLOAT32), None)


cdef double inverse_of(double divisor) noexcept nogil:
    cdef xf_mode saved = xf_enter_ieee()
    cdef double inverse = xf_here(1.0 / xf_here(divisor))
    xf_leave_ieee(saved)
    return inverse


# ---- threads


cdef char* aligned(char* address) noexcept nogil:
    return <char*>((<uintptr_t>address + ALIGNMENT - 1) & ~<uintptr_t>(ALIGNMENT - 1))


cdef Py_ssize_t padded(Py_ssize_t scratch_bytes) noexcept nogil:
    """So much that no two threads write to one cache line."""
    return (scratch_bytes + 3 * ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef struct Values:             # where row values go
    double* held                # all of them; NULL: a thread holds SPAN of them at a time …
    double* sums                # … and leaves the sums of its squares here, or puts them into `stored`
    void* stored                # the caller's array, or NULL
    ValueType type


cdef void run_piece(RangeKernel kernel, const void* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* own,
                    const Values* values) noexcept nogil:
    """Rows that one thread has taken."""
    cdef Py_ssize_t stop
    if values.held != NULL:
        kernel(problem, first, last, scratch, values.held + first)
        first = last
    while first < last:
        stop = min(first + SPAN, last)
        kernel(problem, first, stop, scratch, own)
        if values.stored != NULL:
            store_values(own, stop - first, values.stored, first, values.type)
        else:
            fold_blocks(own, stop - first, own)
            fold_blocks(own, (stop - first + BLOCK - 1) // BLOCK, values.sums + first // SQUARE)
        first = stop


cdef void run_part(RangeKernel kernel, const void* problem, Py_ssize_t n_rows, Py_ssize_t step, const Parts* parts, int part,
                   char* scratch, double* own, const Values* values) noexcept nogil:
    """All that one thread comes to. A unit of the parts is `step` rows."""
    cdef Turn turn = turn_of(part)
    cdef xf_mode saved = xf_enter_ieee()
    while take(parts, &turn):
        run_piece(kernel, problem, turn.first * step, min(turn.last * step, n_rows), scratch, own, values)
    xf_leave_ieee(saved)


cdef double gather_values(const Values* values, Py_ssize_t n_rows) noexcept nogil:
    """What is left to do when all parts have run. The sum; 0 where the caller has the values."""
    cdef Total total
    cdef xf_mode saved = xf_enter_ieee()
    total.sum = total.error = 0.0
    if values.held != NULL and values.stored != NULL:
        store_values(values.held, n_rows, values.stored, 0, values.type)
    elif values.held != NULL:
        add_values(&total, values.held, n_rows)
    elif values.stored == NULL:
        add_sums(&total, values.sums, (n_rows + SQUARE - 1) // SQUARE)
    xf_leave_ieee(saved)
    return total_of(&total)


cdef bint compute_ranges(RangeKernel kernel, const void* problem, Py_ssize_t n_rows, Py_ssize_t unit, Py_ssize_t numbers,
                         int n_threads, Py_ssize_t scratch_bytes, void* row_values, ValueType type,
                         double* total) noexcept nogil:
    """Rows [0, n_rows), of so many numbers in all, cut evenly into one part a thread, in multiples of `unit` rows. The row values
    go to `row_values`, or are added up into `total`. False where there is no memory: nothing has been done then.

    One parallel region for all of them, since each waits for its last thread. Where rows are many, a thread gets whole squares
    and adds their values up while its cache has them; where they are fewer, squares would be uneven parts.
    """
    cdef bint many = n_rows > max(<Py_ssize_t>SPAN, 8 * SQUARE * <Py_ssize_t>n_threads if n_threads > 1 else 0)
    cdef Py_ssize_t step = SQUARE if many else unit
    cdef Py_ssize_t units = max((n_rows + step - 1) // step, 1)
    cdef Py_ssize_t shared = ((n_rows + SQUARE - 1) // SQUARE if many else n_rows) * 8
    cdef int part, n_parts = threads_at_hand(<int>min(<Py_ssize_t>n_threads, units), numbers)
    cdef Parts parts
    cdef Values values
    cdef char* memory
    cdef char* scratch
    cdef Py_ssize_t own_bytes
    scratch_bytes = padded(scratch_bytes)               # a thread's own values stand behind it
    own_bytes = scratch_bytes + (SPAN * 8 if many else 0)
    memory = <char*>malloc(ALIGNMENT + (own_bytes + TICKET_LINE) * n_parts + shared)
    if memory == NULL:
        return False
    scratch = aligned(memory)
    set_parts(&parts, units, numbers, n_parts, scratch + own_bytes * n_parts)
    values.sums = <double*>(parts.lines + TICKET_LINE * n_parts)
    values.held = NULL if many else values.sums
    values.stored = row_values
    values.type = type
    if n_parts == 1:
        run_part(kernel, problem, n_rows, step, &parts, 0, scratch, <double*>(scratch + scratch_bytes), &values)
    else:
        for part in prange(n_parts, num_threads=n_parts, schedule="static"):
            run_part(kernel, problem, n_rows, step, &parts, part, scratch + part * own_bytes,
                     <double*>(scratch + part * own_bytes + scratch_bytes), &values)
        note_parts(&parts)
    total[0] = gather_values(&values, n_rows)
    free(memory)
    return True


cdef double run_ranges(RangeKernel kernel, const void* problem, Py_ssize_t n_rows, Py_ssize_t unit, Py_ssize_t numbers,
                       int n_threads, Py_ssize_t scratch_bytes, void* row_values, ValueType type) except? -1.0:
    """compute_ranges for callers with the GIL, on as many threads as pay, of `n_threads` as a caller asked for them; the sum is
    returned."""
    cdef double total
    cdef bint done
    n_threads = count_threads(n_threads, numbers)
    with nogil:
        done = compute_ranges(kernel, problem, n_rows, unit, numbers, n_threads, scratch_bytes, row_values, type, &total)
    if not done:
        raise MemoryError("no memory for the threads' scratch")
    return total


# ---- arrays


# The checks have seen every shape. Another thread, or Python code that a conversion calls, may set an array's `shape` or `dtype`
# since then: what the loops walk over is looked at once more where it becomes a pointer.


cdef int refuse_changed() except -1:
    raise ValueError("an array has another shape or dtype than when the call began; expected arrays that stay as they are")


cdef void* data_of(array, Py_ssize_t size, Py_ssize_t itemsize) except? NULL:
    """The data of a contiguous array of so many elements; NULL for None."""
    if array is None:
        return NULL
    if cnp.PyArray_NBYTES(array) != size * itemsize:
        refuse_changed()
    return cnp.PyArray_DATA(array)


cdef const char* weights_of(array, Py_ssize_t n_classes, Py_ssize_t* step, bint* single) except? NULL:
    """The data of a weight for each class, float32 or float64, and its stride; NULL for None."""
    if array is None:
        return NULL
    if cnp.PyArray_NDIM(array) != 1 or cnp.PyArray_DIM(array, 0) != n_classes:
        refuse_changed()
    step[0] = cnp.PyArray_STRIDE(array, 0)
    single[0] = cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32
    if not single[0] and cnp.PyArray_TYPE(array) != cnp.NPY_FLOAT64:
        refuse_changed()
    return <const char*>cnp.PyArray_DATA(array)


cdef int value_type(cnp.ndarray array) except -1:
    """The code of its dtype, which the checks have let through. ml_dtypes' bfloat16 is known by its name."""
    cdef int type = cnp.PyArray_TYPE(array)
    if cnp.PyArray_ISBYTESWAPPED(array):
        raise TypeError(f"no kernel reads {array.dtype}")
    if type == cnp.NPY_FLOAT32:
        return FLOAT32
    if type == cnp.NPY_FLOAT64:
        return FLOAT64
    if type == cnp.NPY_FLOAT16:
        return FLOAT16
    if type == cnp.NPY_BOOL:
        return UINT8
    if cnp.PyTypeNum_ISINTEGER(type):
        return {1: INT8, 2: INT16, 4: INT32, 8: INT64}[array.itemsize] + (UINT8 - INT8 if cnp.PyTypeNum_ISUNSIGNED(type) else 0)
    if array.dtype.name == "bfloat16":
        return BFLOAT16
    raise TypeError(f"no kernel reads {array.dtype}")


cdef int set_operand(Operand* operand, cnp.ndarray array, int axis, int n_axes, const Py_ssize_t* shape,
                     Py_ssize_t n_classes) except -1:
    """Byte strides of every axis but the class axis; `shape` is that of these, as yet unmerged."""
    cdef int i, n = 0
    if cnp.PyArray_NDIM(array) != n_axes + 1 or cnp.PyArray_DIM(array, axis) != n_classes:
        refuse_changed()
    operand.data = <char*>cnp.PyArray_DATA(array)
    operand.step = cnp.PyArray_STRIDE(array, axis)
    for i in range(n_axes + 1):
        if i != axis:
            operand.strides[n] = cnp.PyArray_STRIDE(array, i)
            if cnp.PyArray_DIM(array, i) != shape[n]:
                refuse_changed()
            n += 1
    return 0


cdef bint mergeable(const Operand* operand, int outer, int inner, Py_ssize_t length) noexcept nogil:
    return operand.data == NULL or operand.strides[outer] == operand.strides[inner] * length


cdef int merge_axes(int n_axes, Py_ssize_t* shape, Operand** operands, int n_operands) noexcept nogil:
    """Row axes of length 1 go; neighbours that every operand walks evenly become one. How many are left."""
    cdef int axis, i, last = -1
    cdef bint even
    for axis in range(n_axes):
        if shape[axis] == 1:
            continue
        even = last >= 0
        for i in range(n_operands):
            even = even and mergeable(operands[i], last, axis, shape[axis])
        if even:
            shape[last] *= shape[axis]
        else:
            last += 1
            shape[last] = shape[axis]
        for i in range(n_operands):
            operands[i].strides[last] = operands[i].strides[axis]
    return last + 1
