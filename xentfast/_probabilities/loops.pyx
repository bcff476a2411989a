"""Probabilities to rows, rows to threads: entropies, their gradient, log_loss.

No policy and no arithmetic, as in _softmax/loops.pyx. The kernels look for numbers that are no probabilities while they
compute, and each call tells whether there were none.
"""
from libc.string cimport memset

import numpy as np

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels
from xentfast._kernels.probabilities cimport CROSS_ENTROPY, DIVERGENCE, ENTROPY, Comparison, LogLoss, Measure, ProbabilityKernels

cnp.import_array()

include "../_base/loops.pxi"

FOR_CROSS_ENTROPY, FOR_ENTROPY, FOR_DIVERGENCE = CROSS_ENTROPY, ENTROPY, DIVERGENCE


cdef Py_ssize_t set_comparison(Comparison* problem, cnp.ndarray p, q, out, int axis, double least, double largest) except -1:
    """Arrays of one shape; q and out may be None. Returns the number of rows."""
    cdef Operand* operands[3]
    cdef Py_ssize_t n_rows = 1
    cdef int i, n = 0
    memset(problem, 0, sizeof(Comparison))
    for i in range(cnp.PyArray_NDIM(p)):
        if i != axis:
            problem.shape[n] = cnp.PyArray_DIM(p, i)
            n_rows *= problem.shape[n]
            n += 1
    problem.n_classes = cnp.PyArray_DIM(p, axis)
    problem.least, problem.largest = least, largest
    set_operand(&problem.p, p, axis, n, problem.shape, problem.n_classes)
    problem.p_type = <ValueType>value_type(p)
    if q is not None:
        set_operand(&problem.q, q, axis, n, problem.shape, problem.n_classes)
        problem.q_type = <ValueType>value_type(q)
    if out is not None:
        set_operand(&problem.out, out, axis, n, problem.shape, problem.n_classes)
        problem.out_type = <ValueType>value_type(out)
    operands[0], operands[1], operands[2] = &problem.p, &problem.q, &problem.out
    problem.n_axes = merge_axes(n, problem.shape, operands, 3)
    return n_rows


cdef const ProbabilityKernels* table() except NULL:
    return chosen_kernels().probabilities()


def chunk_length():
    """Classes of a chunk, whose terms are added before they join those of others."""
    return table().chunk


cpdef bint compare(int measure, cnp.ndarray p, q, int axis, double least, double largest, cnp.ndarray row_values,
                   int n_threads) except -1:
    """The rows' values into `row_values`, contiguous. Whether all of p and q are probabilities."""
    cdef const ProbabilityKernels* own = table()
    cdef Comparison problem
    cdef Py_ssize_t n_rows = set_comparison(&problem, p, q, None, axis, least, largest)
    cdef Py_ssize_t n_chunks = (problem.n_classes + own.chunk - 1) // own.chunk
    cdef ValueType type = <ValueType>value_type(row_values)
    cdef void* values = data_of(row_values, n_rows, cnp.PyArray_ITEMSIZE(row_values))
    cdef int bad = 0
    n_threads = count_threads(n_threads, cnp.PyArray_SIZE(p))
    problem.measure = <Measure>measure
    problem.bad = &bad
    if n_threads > 1 and n_rows < 4 * n_threads and n_chunks >= 2 * n_threads:
        chunk_sums = np.empty(n_rows * n_chunks)
        problem.chunk_sums = <const double*>cnp.PyArray_DATA(chunk_sums)
        run_ranges(own.chunks, &problem, n_rows * n_chunks, 1, cnp.PyArray_SIZE(p), n_threads, own.scratch_bytes,
                   <void*>problem.chunk_sums, FLOAT64)
        run_ranges(own.add_chunks, &problem, n_rows, 1, n_rows * n_chunks, 1, 0, values, type)
    else:
        problem.rows_at_once = own.rows_at_once(&problem)
        run_ranges(own.rows, &problem, n_rows, problem.rows_at_once, cnp.PyArray_SIZE(p), n_threads, own.scratch_bytes,
                   values, type)
    return bad == 0


cpdef bint slopes(cnp.ndarray p, cnp.ndarray q, double least, double largest, cnp.ndarray out, bint fresh,
                  int n_threads) except -1:
    """The gradient −p/q into `out`. Whether all of p and q are probabilities; if not, only a `fresh` array has been written to.

    The axes are those of the memory, outermost first, and nothing is summed: the last is cut into chunks.
    """
    cdef const ProbabilityKernels* own = table()
    cdef Comparison problem
    cdef Py_ssize_t n_items
    cdef int bad = 0
    # A class axis of length one more than there are: whatever the row axes merge to, the last of them holds the classes.
    n_items = set_comparison(&problem, p[..., None], q[..., None], out[..., None], cnp.PyArray_NDIM(p), least, largest)
    problem.bad = &bad
    if problem.n_axes > 0:
        problem.n_axes -= 1
        problem.n_classes = problem.shape[problem.n_axes]
        problem.p.step = problem.p.strides[problem.n_axes]
        problem.q.step = problem.q.strides[problem.n_axes]
        problem.out.step = problem.out.strides[problem.n_axes]
        n_items = n_items // max(problem.n_classes, 1)
    n_items *= (problem.n_classes + own.chunk - 1) // own.chunk
    if not fresh:
        problem.out.data = NULL
        run_ranges(own.slopes, &problem, n_items, 1, cnp.PyArray_SIZE(q), n_threads, own.scratch_bytes, NULL, FLOAT64)
        problem.out.data = <char*>cnp.PyArray_DATA(out)
        problem.bad = NULL
    if bad == 0:
        run_ranges(own.slopes, &problem, n_items, 1, cnp.PyArray_SIZE(q), n_threads, own.scratch_bytes, NULL, FLOAT64)
    return bad == 0


def label_losses(cnp.ndarray q, classes, indicators, sample_weight, double least, double largest, double slack,
                 int n_threads, row_values=None):
    """(Σ of the rows' losses, whether all of q are probabilities, whether every row sums to 1)

    q and indicators are matrices of any strides; classes int64 and sample_weight float64, contiguous. With `row_values`, of
    float64, the losses go there, and the sum is 0.
    """
    cdef const ProbabilityKernels* own = table()
    cdef LogLoss problem
    cdef Py_ssize_t n_rows = cnp.PyArray_DIM(q, 0)
    cdef double total
    cdef int bad = 0, uneven = 0
    memset(&problem, 0, sizeof(LogLoss))
    problem.n_classes = cnp.PyArray_DIM(q, 1)
    set_operand(&problem.q, q, 1, 1, &n_rows, problem.n_classes)
    problem.q_type = <ValueType>value_type(q)
    if indicators is not None:
        set_operand(&problem.indicators, indicators, 1, 1, &n_rows, max(problem.n_classes, <Py_ssize_t>2))
        problem.indicator_type = <ValueType>value_type(indicators)
    problem.classes = <const int64_t*>data_of(classes, n_rows, sizeof(int64_t))
    problem.sample_weight = <const double*>data_of(sample_weight, n_rows, sizeof(double))
    problem.least, problem.largest, problem.slack = least, largest, slack
    problem.bad, problem.uneven = &bad, &uneven
    total = run_ranges(own.log_loss, &problem, n_rows, 1, cnp.PyArray_SIZE(q), n_threads, own.scratch_bytes,
                       data_of(row_values, n_rows, sizeof(double)), FLOAT64)
    return total, bad == 0, uneven == 0
