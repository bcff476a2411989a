"""Slices of the classes to partial results, and these to rows: problems and threads, as in _softmax/loops.pyx.

(a) The records of a row's chunks stand side by side, the rows in C order: doubles, in an order that _kernels/softmax.pxd has.
(b) Chunks are cut over threads, counted through all rows; so are the rows where there is nothing but records.
"""
import numpy as np

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels
from xentfast._kernels.softmax cimport GRADIENT, LOSS, TARGET_SOFT, Problem, Record
from xentfast._softmax.call cimport CrossEntropyCall
from xentfast._softmax.loops cimport (
    clear_problem, hold_masses, merge_problem, rows_of, set_classes, set_options, set_rows, set_targets)

cnp.import_array()

include "../_base/loops.pxi"

FIELDS = sizeof(Record) // sizeof(double)
# Columns of a record that the checks look at.
COUNT, DIGITS = 6, 7

cdef enum Finding:              # what check_records may find in a row
    FINE
    UNEVEN
    NO_TARGET
    TWO_TARGETS
    SOFT
    NOT_SOFT

IS_UNEVEN, HAS_NO_TARGET, HAS_TWO_TARGETS, IS_SOFT, IS_NOT_SOFT = UNEVEN, NO_TARGET, TWO_TARGETS, SOFT, NOT_SOFT


cdef void set_slice(Problem* problem, CrossEntropyCall call, cnp.ndarray records, Py_ssize_t first_class,
                    open_classes) except *:
    """What a problem has besides its rows where these are slices; to be called before the axes are merged."""
    cdef Py_ssize_t n_rows = rows_of(problem)
    set_options(problem, call)
    problem.n_records = records_of_row(records)
    problem.records = <Record*>data_of(records, n_rows * problem.n_records, sizeof(Record))
    problem.first_class = first_class
    problem.open_classes = <const int64_t*>data_of(open_classes, n_rows, sizeof(int64_t))
    if problem.class_weight != NULL:
        problem.class_weight += first_class * problem.weight_step


cdef Py_ssize_t records_of_row(cnp.ndarray records) noexcept:
    """The last axis but one; the last has the fields."""
    return cnp.PyArray_DIM(records, cnp.PyArray_NDIM(records) - 2)


cdef Py_ssize_t rows_in(cnp.ndarray records) noexcept:
    return cnp.PyArray_SIZE(records) // (records_of_row(records) * <Py_ssize_t>(sizeof(Record) // sizeof(double)))


cdef const SoftmaxKernels* kernels_for(bint as_double) except NULL:
    return chosen_kernels().softmax(as_double)


cdef void run_slices(Problem* problem, RangeKernel kernel, Py_ssize_t n_chunks, CrossEntropyCall call) except *:
    """Every chunk of the slice."""
    cdef const SoftmaxKernels* table = kernels_for(problem.type == FLOAT64)
    cdef Py_ssize_t n_rows = rows_of(problem), scratch_bytes = table.slice_scratch_bytes(problem)
    merge_problem(problem)
    if not hold_masses(table, problem, scratch_bytes):
        raise MemoryError("no memory for the masses of smoothing")
    try:
        run_ranges(kernel, problem, n_rows * n_chunks, 1, cnp.PyArray_SIZE(call.logits), call.n_threads, scratch_bytes, NULL,
                   FLOAT64)
    finally:
        free(<void*>problem.masses)


def write_records(CrossEntropyCall call, cnp.ndarray records, Py_ssize_t n_classes, Py_ssize_t first_class, open_classes):
    """The slice of the classes that `call` has, from `first_class` on of `n_classes`, → `records`, contiguous."""
    cdef Problem problem
    set_rows(&problem, call, n_classes - cnp.PyArray_DIM(call.logits, call.axis))
    problem.result = LOSS
    set_slice(&problem, call, records, first_class, open_classes)
    run_slices(&problem, kernels_for(problem.type == FLOAT64).slices, problem.n_records, call)


def combine_records(CrossEntropyCall call, cnp.ndarray records, Py_ssize_t n_classes, open_classes, bint as_double,
                    double divisor, row_values):
    """The rows' losses into `row_values`, or their sum over `divisor`. `call` has targets, weights and options alone."""
    cdef Problem problem
    cdef const SoftmaxKernels* own = kernels_for(as_double)
    cdef ValueType type = FLOAT64
    cdef void* values = NULL
    cdef double value
    clear_problem(&problem)
    problem.n_axes = 1
    problem.shape[0] = rows_in(records)
    problem.n_classes = 1                                                   # of logits, which are not here
    problem.other_classes = n_classes - 1
    problem.type = FLOAT64 if as_double else FLOAT32
    problem.result = LOSS
    set_targets(&problem, call)
    set_slice(&problem, call, records, 0, open_classes)
    if row_values is not None:
        type = <ValueType>value_type(row_values)
        values = data_of(row_values, problem.shape[0], cnp.PyArray_ITEMSIZE(row_values))
    value = run_ranges(own.combine, &problem, problem.shape[0], 1, cnp.PyArray_SIZE(records), call.n_threads,
                       own.slice_scratch_bytes(&problem), values, type)
    if row_values is not None:
        return row_values
    return scalar(value, divisor, NULL, as_double)


def combine_slices(CrossEntropyCall call, cnp.ndarray records, Py_ssize_t n_classes, Py_ssize_t first_class,
                   Py_ssize_t first_record, open_classes, double divisor, out):
    """The gradient over `divisor` of the slice that `call` has the logits of → `out`."""
    cdef Problem problem
    cdef const SoftmaxKernels* own
    cdef Py_ssize_t chunk
    set_rows(&problem, call, n_classes - cnp.PyArray_DIM(call.logits, call.axis))
    own = kernels_for(problem.type == FLOAT64)
    chunk = own.chunk_bytes // (8 if problem.type == FLOAT64 else 4)
    problem.result = GRADIENT
    problem.again = True
    problem.gradient_scale = inverse_of(divisor)
    set_slice(&problem, call, records, first_class, open_classes)
    problem.first_record = first_record
    set_classes(&problem, &problem.out, out, call.axis)
    run_slices(&problem, own.combine_slices, (problem.n_classes + chunk - 1) // chunk, call)


def check_records(cnp.ndarray records, classes, sample_weight):
    """(the first row whose records are not as they should be, or −1; what is wrong with it).

    Each row must have the counts and digits of the first, and the target of a row that is not skipped must be in one chunk.
    """
    cdef const Record* first = <const Record*>cnp.PyArray_DATA(records)
    cdef const Record* record = first
    cdef Py_ssize_t n_rows = rows_in(records)
    cdef const int64_t* class_data = <const int64_t*>data_of(classes, n_rows, sizeof(int64_t))
    cdef const double* weights = <const double*>data_of(sample_weight, n_rows, sizeof(double))
    cdef Py_ssize_t n_records = records_of_row(records), row = 0, k, targets, soft
    cdef bint uneven
    cdef int found = FINE
    with nogil:
        while row < n_rows and found == FINE:
            targets = soft = uneven = 0
            for k in range(n_records):
                uneven |= record.count != first[k].count
                uneven |= record.digits != first[0].digits
                soft += record.state == TARGET_SOFT
                targets += record.state != 0.0
                record += 1
            if uneven:
                found = UNEVEN
            elif (class_data != NULL and class_data[row] < 0) or (weights != NULL and weights[row] == 0.0):
                found = FINE
            elif class_data == NULL:
                found = FINE if soft == n_records else NOT_SOFT
            elif soft != 0:
                found = SOFT
            elif targets != 1:
                found = NO_TARGET if targets == 0 else TWO_TARGETS
            row += 1
    return (-1 if found == FINE else row - 1), found


def soft_weights(cnp.ndarray records, sample_weight):
    """Each row's weight, sample_weight·Σ_c weight_c·t_c, of soft targets with class weights."""
    cdef Py_ssize_t n_rows = rows_in(records), n_records = records_of_row(records), row, _
    cdef cnp.ndarray result = np.empty(n_rows)
    cdef double* values = <double*>cnp.PyArray_DATA(result)
    cdef const Record* record = <const Record*>cnp.PyArray_DATA(records)
    cdef const double* weights = <const double*>data_of(sample_weight, n_rows, sizeof(double))
    cdef xf_mode saved = xf_enter_ieee()
    for row in range(n_rows):
        values[row] = 0.0
        for _ in range(n_records):
            values[row] += record.target
            record += 1
        if weights != NULL:
            values[row] = weights[row] * values[row] if weights[row] != 0.0 else 0.0
    xf_leave_ieee(saved)
    return result
