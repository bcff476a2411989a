"""Elementwise losses: arrays to blocks of elements, blocks to threads. No policy and no arithmetic, as in _softmax/loops.pyx.

(a) Elements count in C order of the logits' shape. A block of 1024 is what a row is elsewhere: its value is the sum of its
    losses, blocks are cut over threads and their values added in order (_base/loops.pxi).
(b) Each array walks the logits' shape by strides of its own, 0 where it is broadcast, its axes merged where they can be.
    Contiguous arrays of the type of the arithmetic are used in place (_kernels/sigmoid/elements.pxi).
"""
from libc.string cimport memset

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels
from xentfast._kernels.arrays cimport Strided
from xentfast._kernels.sigmoid cimport ELEMENT_BLOCK, ElementKernels, Elements, SigmoidKernels

cnp.import_array()

include "../_base/loops.pxi"

BLOCK_LENGTH = ELEMENT_BLOCK


cdef void set_array(Strided* operand, array, cnp.ndarray like, bint written=False) except *:
    """`array`, broadcast to the shape of `like`, unless it is `written` to; None leaves the operand empty."""
    cdef cnp.ndarray own
    cdef int axis, last = -1, lead
    cdef Py_ssize_t length, stride
    if array is None:
        return
    own = array
    operand.data = <char*>cnp.PyArray_DATA(own)
    operand.type = <ValueType>value_type(own)
    lead = cnp.PyArray_NDIM(like) - cnp.PyArray_NDIM(own)
    if lead < 0:
        refuse_changed()
    for axis in range(cnp.PyArray_NDIM(own)):
        length = cnp.PyArray_DIM(own, axis)
        if length != cnp.PyArray_DIM(like, lead + axis) and (written or length != 1):
            refuse_changed()
    for axis in range(cnp.PyArray_NDIM(like)):
        length = cnp.PyArray_DIM(like, axis)
        if length == 1:
            continue
        stride = 0 if axis < lead or cnp.PyArray_DIM(own, axis - lead) == 1 else cnp.PyArray_STRIDE(own, axis - lead)
        if last >= 0 and operand.strides[last] == stride * length:
            operand.shape[last] *= length
        else:
            last += 1
            operand.shape[last] = length
        operand.strides[last] = stride
    if last < 0:                                        # a single element
        last = 0
        operand.shape[0] = 1
        operand.strides[0] = cnp.PyArray_ITEMSIZE(own)
    operand.n_axes = last + 1


cdef double run_elements(const SigmoidKernels* table, RangeKernel kernel, Elements* problem, int n_threads,
                         block_sums) except? -1.0:
    cdef Py_ssize_t n_blocks = (problem.size + ELEMENT_BLOCK - 1) // ELEMENT_BLOCK
    return run_ranges(kernel, problem, n_blocks, 1, problem.size, n_threads, table.scratch_bytes,
                      data_of(block_sums, n_blocks, sizeof(double)), FLOAT64)


cdef void set_read(Elements* problem, targets, where, ignored, cnp.ndarray like) except *:
    """What leaves elements out: a mask, and a value of the targets; each may be None."""
    set_array(&problem.where, where, like)
    problem.ignores = ignored is not None
    if ignored is not None:
        problem.ignored = ignored
        set_array(&problem.targets, targets, like)


cpdef object sigmoid(cnp.ndarray logits, targets, pos_weight, sample_weight, where, ignored, double smoothing, double gamma,
                     double divisor, bint valued, losses, gradient, hessian, bint stream, int n_threads, block_sums=None):
    """Losses, gradient and Hessian of the elements, into those arrays that are not None. Gradient and Hessian are over
    `divisor`, and so is the sum of the losses, which is returned where they are `valued`; or, of each block, it goes to
    `block_sums`, float64, and is over nothing. All of it is 0 where `where` is False or the target is `ignored`."""
    cdef Elements problem
    cdef bint as_double = cnp.PyArray_TYPE(logits) == cnp.NPY_FLOAT64
    cdef const SigmoidKernels* table = chosen_kernels().sigmoid()
    cdef const ElementKernels* own = &table.of_double if as_double else &table.of_float
    cdef RangeKernel kernel = own.plain
    cdef double value
    memset(&problem, 0, sizeof(Elements))
    problem.size = cnp.PyArray_SIZE(logits)
    problem.kept = 1.0 - smoothing
    problem.half = 0.5 * smoothing
    problem.scale = inverse_of(divisor)
    problem.gamma = gamma
    problem.valued = valued
    problem.stream = stream
    set_array(&problem.logits, logits, logits)
    set_array(&problem.targets, targets, logits)
    set_array(&problem.pos_weight, pos_weight, logits)
    set_array(&problem.sample_weight, sample_weight, logits)
    set_read(&problem, targets, where, ignored, logits)
    set_array(&problem.losses, losses, logits, True)
    set_array(&problem.gradient, gradient, logits, True)
    set_array(&problem.hessian, hessian, logits, True)
    if gamma != 0.0:
        kernel = own.focal
    elif pos_weight is not None or sample_weight is not None:
        kernel = own.weighted
    elif smoothing != 0.0 or where is not None or ignored is not None:
        kernel = own.general
    value = run_elements(table, kernel, &problem, n_threads, block_sums)
    return scalar(value, divisor, NULL, as_double)


cdef const ElementKernels* scans_of(const SigmoidKernels* table, cnp.ndarray array) noexcept:
    """Those that hold its values exactly, as far as bounds need it."""
    cdef bint as_float = cnp.PyArray_ITEMSIZE(array) <= 2 or cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32
    return &table.of_float if as_float else &table.of_double


cdef void set_scan(Elements* problem, cnp.ndarray array, cnp.ndarray like, double lowest, double highest) except *:
    memset(problem, 0, sizeof(Elements))
    problem.size = cnp.PyArray_SIZE(like)
    problem.lowest = lowest
    problem.highest = highest
    set_array(&problem.logits, array, like)


cpdef double total_within(cnp.ndarray array, double lowest, double highest, int n_threads, block_sums=None) except? -1.0:
    """The sum of all values; nan where one of them is nan or not from `lowest` to `highest`, or infinite. With `block_sums`,
    float64, the sums go there, one for each block."""
    cdef const SigmoidKernels* table = chosen_kernels().sigmoid()
    cdef Elements problem
    set_scan(&problem, array, array, lowest, highest)
    return run_elements(table, scans_of(table, array).scan, &problem, n_threads, block_sums)


def total_read(cnp.ndarray array, cnp.ndarray like, sample_weight, where, targets, ignored, double lowest, double highest,
               int n_threads, bint counting=False, block_sums=None):
    """The same of those elements of `like`, to which all arrays are broadcast, that are read: whose weight is not 0, nor their
    `where` False, nor their target `ignored`, if there are such. When `counting`: how many they are."""
    cdef const SigmoidKernels* table = chosen_kernels().sigmoid()
    cdef Elements problem
    set_scan(&problem, array, like, lowest, highest)
    problem.counts = counting
    set_array(&problem.sample_weight, sample_weight, like)
    set_read(&problem, targets, where, ignored, like)
    return run_elements(table, scans_of(table, array).scan_read, &problem, n_threads, block_sums)
