"""The table of C functions that include/xentfast.h describes: arguments to a Problem or a Fill, then what Python runs too.

No policy: which kernels, and what goes past the cache, is taken from _base when this module is imported; how many threads, and
what nothing is to divide by, it decides with each call. The module is imported when the table is asked for.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

import numpy as np

from xentfast._base import arrays, level, numbers
from xentfast.random import _fills

from xentfast cimport (
    XENTFAST_BAD_OPTION, XENTFAST_BAD_POINTER, XENTFAST_BAD_SAMPLE_WEIGHT, XENTFAST_BAD_SHAPE, XENTFAST_BAD_TARGET,
    XENTFAST_BAD_THREADS, XENTFAST_BAD_WEIGHT, XENTFAST_MEAN, XENTFAST_NO_MEMORY, XENTFAST_NONE, XENTFAST_OK, XENTFAST_OVERLAP,
    XENTFAST_SUM, XENTFAST_VERSION, xentfast_api, xentfast_default_options, xentfast_options, xentfast_truncation)
from xentfast._base.level cimport Kernels, count_threads
from xentfast._base.memory cimport span_of
from xentfast._base.reduction cimport is_nothing
from xentfast._base.targets cimport ClassWeights, RowsLook, look_at_rows, without_ignored
from xentfast._kernels.arrays cimport FLOAT32, FLOAT64, ValueType
from xentfast._kernels.random cimport NORMAL, TRUNCATED, Fill, RandomKernels
from xentfast._kernels.softmax cimport GRADIENT, LOGSUMEXP, LOSS, Problem, SoftmaxKernels
from xentfast._softmax.loops cimport clear_problem, compute_problem, inverse_of, quotient, set_shape
from xentfast.random._loops cimport Job, run_jobs, set_uniform

cdef extern from "<math.h>":
    double INFINITY

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX


# ---- what Python decides


cdef struct Policy:
    const SoftmaxKernels* softmax_float
    const SoftmaxKernels* softmax_double
    const RandomKernels* random
    int64_t stream_bytes
    int64_t stream_row_bytes
    double smallest
    double largest              # of float32

cdef Policy policy
kernels = None                  # whose tables the policy has


def take_policy():
    """What the Python modules say now; the tests change it."""
    global kernels
    cdef Kernels own = level.chosen.kernels
    kernels = own
    policy.softmax_float, policy.softmax_double = own.softmax(False), own.softmax(True)
    policy.random = own.random()
    policy.stream_bytes, policy.stream_row_bytes = level.policy.stream_bytes, level.policy.stream_row_bytes
    policy.smallest, policy.largest = numbers.SMALLEST, arrays.LARGEST["float32"]


# ---- statuses


cdef const char* status_message(int status) noexcept nogil:
    if status == XENTFAST_OK:
        return "no error"
    if status == XENTFAST_NO_MEMORY:
        return "there is no memory for the threads' scratch"
    if status == XENTFAST_BAD_POINTER:
        return "a pointer is NULL that must not be"
    if status == XENTFAST_BAD_SHAPE:
        return ("n_rows or n is negative, n_classes is below 1, there are too many elements, or grad_stride lets rows of the "
                "gradient overlap")
    if status == XENTFAST_BAD_THREADS:
        return "n_threads is negative; expected 0 for the default, or a number"
    if status == XENTFAST_BAD_OPTION:
        return ("an option, or a parameter of a distribution, is outside of what xentfast.h allows, or the options were not "
                "begun with xentfast_default_options()")
    if status == XENTFAST_BAD_TARGET:
        return "a target is neither a class nor ignore_index; *bad_place has its row"
    if status == XENTFAST_BAD_WEIGHT:
        return "a class weight is not finite; *bad_place has the class"
    if status == XENTFAST_BAD_SAMPLE_WEIGHT:
        return "a sample weight is not finite; *bad_place has the row"
    if status == XENTFAST_OVERLAP:
        return "grad overlaps the logits without being the same elements"
    return "no status of xentfast"


cdef int bad(int status, const xentfast_options* options, int64_t place) noexcept nogil:
    if options.bad_place != NULL:
        options.bad_place[0] = place
    return status


# ---- rows


cdef inline const SoftmaxKernels* own_kernels(ValueType type) noexcept nogil:
    return policy.softmax_double if type == FLOAT64 else policy.softmax_float


cdef struct Rows:
    ValueType type
    Py_ssize_t itemsize
    int64_t n_rows
    int64_t n_classes
    const char* logits
    int64_t stride              # in bytes, 0 where there is but one row
    int n_threads


cdef inline bint finite(double value) noexcept nogil:
    return value - value == 0.0


cdef inline int64_t step(const Rows* rows, int64_t stride) noexcept nogil:
    """Bytes from row to row."""
    return stride * rows.itemsize if rows.n_rows > 1 else 0


cdef int set_rows(Rows* rows, ValueType type, const void* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride,
                  int n_threads) noexcept nogil:
    if n_rows < 0 or n_classes < 1 or n_rows > PY_SSIZE_T_MAX // 8 // n_classes or n_classes > PY_SSIZE_T_MAX // 8:
        return XENTFAST_BAD_SHAPE
    if logits == NULL and n_rows > 0:
        return XENTFAST_BAD_POINTER
    if n_threads < 0:
        return XENTFAST_BAD_THREADS
    rows.type = type
    rows.itemsize = 8 if type == FLOAT64 else 4
    rows.n_rows, rows.n_classes = n_rows, n_classes
    rows.logits = <const char*>logits
    rows.stride = step(rows, row_stride)
    rows.n_threads = count_threads(n_threads, n_rows * n_classes)
    return XENTFAST_OK


cdef void set_problem(Problem* problem, const Rows* rows) noexcept nogil:
    clear_problem(problem)
    problem.type = rows.type
    problem.n_axes = 1
    problem.shape[0] = rows.n_rows
    problem.n_classes = rows.n_classes
    problem.logits.data = <char*>rows.logits
    problem.logits.strides[0] = rows.stride
    problem.logits.step = rows.itemsize


cdef void span_of_rows(const Rows* rows, const void* data, int64_t stride, uintptr_t* low, uintptr_t* high) noexcept nogil:
    cdef Py_ssize_t[2] shape = [rows.n_rows, rows.n_classes]
    cdef Py_ssize_t[2] strides = [stride, rows.itemsize]
    span_of(data, 2, shape, strides, rows.itemsize, low, high)


cdef bint apart(const Rows* rows, const char* grad, int64_t stride) noexcept nogil:
    """Whether the gradient lies outside of the memory that the logits span."""
    cdef uintptr_t low, high, other_low, other_high
    span_of_rows(rows, grad, stride, &low, &high)
    span_of_rows(rows, rows.logits, rows.stride, &other_low, &other_high)
    return low >= other_high or other_low >= high


cdef bint shares_elements(const Rows* rows, const char* grad, int64_t stride) noexcept nogil:
    """Whether the gradient overlaps the logits otherwise than element for element. Of one stride they may be other columns of
    the same matrix."""
    cdef uintptr_t row_bytes = <uintptr_t>(rows.n_classes * rows.itemsize), length, offset
    if apart(rows, grad, stride):
        return False
    if stride != rows.stride or stride == 0:
        return stride != rows.stride or grad != rows.logits
    length = <uintptr_t>(stride if stride > 0 else -stride)
    if <uintptr_t>grad >= <uintptr_t>rows.logits:
        offset = (<uintptr_t>grad - <uintptr_t>rows.logits) % length
    else:
        offset = (length - (<uintptr_t>rows.logits - <uintptr_t>grad) % length) % length
    if offset == 0:
        return grad != rows.logits
    return offset < row_bytes or length - offset < row_bytes


# ---- losses


include "_capi_losses.pxi"


# ---- log-sum-exp


cdef int logsumexp(ValueType type, const void* x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads,
                   void* result) noexcept nogil:
    cdef Rows rows
    cdef Problem problem
    cdef double total
    cdef int status = set_rows(&rows, type, x, n_rows, n_classes, row_stride, n_threads)
    if status != XENTFAST_OK:
        return status
    if n_rows == 0:
        return XENTFAST_OK
    if result == NULL:
        return XENTFAST_BAD_POINTER
    set_problem(&problem, &rows)
    problem.result = LOGSUMEXP
    if not compute_problem(own_kernels(type), &problem, NULL, rows.n_threads, result, type, &total):
        return XENTFAST_NO_MEMORY
    return XENTFAST_OK


cdef int logsumexp_float32(const float* x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads,
                           float* result) noexcept nogil:
    return logsumexp(FLOAT32, x, n_rows, n_classes, row_stride, n_threads, result)


cdef int logsumexp_float64(const double* x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads,
                           double* result) noexcept nogil:
    return logsumexp(FLOAT64, x, n_rows, n_classes, row_stride, n_threads, result)


# ---- fills


include "_capi_fills.pxi"


# ---- the table


cdef xentfast_api table

table.version = XENTFAST_VERSION
table.api_bytes = sizeof(xentfast_api)
table.options_bytes = sizeof(xentfast_options)
table.status_message = status_message
table.softmax_cross_entropy_float32 = softmax_cross_entropy_float32
table.softmax_cross_entropy_float64 = softmax_cross_entropy_float64
table.softmax_cross_entropy_grad_float32 = softmax_cross_entropy_grad_float32
table.softmax_cross_entropy_grad_float64 = softmax_cross_entropy_grad_float64
table.softmax_cross_entropy_value_and_grad_float32 = softmax_cross_entropy_value_and_grad_float32
table.softmax_cross_entropy_value_and_grad_float64 = softmax_cross_entropy_value_and_grad_float64
table.logsumexp_float32 = logsumexp_float32
table.logsumexp_float64 = logsumexp_float64
table.uniform_float32 = uniform_float32
table.uniform_float64 = uniform_float64
table.normal_float32 = normal_float32
table.normal_float64 = normal_float64
table.truncated_normal_float32 = truncated_normal_float32
table.truncated_normal_float64 = truncated_normal_float64
table.truncation_float32 = truncation_float32
table.truncation_float64 = truncation_float64

take_policy()
set_usual_bounds()
api = PyCapsule_New(&table, "xentfast._capi.api", NULL)
