"""The common case of the checks in _arguments, compiled: where all is plain, a call has no microsecond to spare for more.

Nothing but n_threads is refused here. What is not plain goes to _arguments, which looks at it anew and has the errors.
"""
from libc.stdint cimport int64_t, uintptr_t

import numpy as np

from xentfast import _dispatch
from xentfast._threads import thread_count

cimport numpy as cnp

from xentfast._core cimport CrossEntropyArguments, Kernels

cnp.import_array()

cdef enum:
    FEW_ROWS = 65536        # whose classes are counted in microseconds: on one thread, with the GIL held


cpdef bint is_plain_float(array):
    """An aligned array of float32 or float64 in the machine's byte order, of at least one axis."""
    return (type(array) is np.ndarray and cnp.PyArray_NDIM(array) > 0 and cnp.PyArray_ISBEHAVED_RO(array)
            and cnp.PyArray_TYPE(array) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64))


cpdef bint is_plain_classes(array):
    """A contiguous array of int64."""
    return (type(array) is np.ndarray and cnp.PyArray_TYPE(array) == cnp.NPY_INT64
            and cnp.PyArray_ISCARRAY_RO(array))


cdef bint fits(out, cnp.ndarray like):
    """A contiguous, writeable array of the shape and type of `like`."""
    return (type(out) is np.ndarray and cnp.PyArray_ISCARRAY(out) and cnp.PyArray_TYPE(out) == cnp.PyArray_TYPE(like)
            and cnp.PyArray_SAMESHAPE(out, like))


cdef void memory_bounds(cnp.ndarray array, uintptr_t* low, uintptr_t* high) noexcept:
    cdef int axis
    cdef Py_ssize_t reach
    low[0] = high[0] = <uintptr_t>cnp.PyArray_DATA(array)
    if cnp.PyArray_SIZE(array) == 0:
        return
    for axis in range(cnp.PyArray_NDIM(array)):
        reach = (cnp.PyArray_DIM(array, axis) - 1) * cnp.PyArray_STRIDE(array, axis)
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach
    high[0] += cnp.PyArray_ITEMSIZE(array)


def memory_span(cnp.ndarray array):
    """(address of its first byte, address behind its last)"""
    cdef uintptr_t low, high
    memory_bounds(array, &low, &high)
    return low, high


cpdef bint apart(cnp.ndarray out, array) except -1:
    """Whether `out` lies outside the memory that the array (or None) spans."""
    cdef uintptr_t low, high, other_low, other_high
    if array is None:
        return True
    memory_bounds(out, &low, &high)
    memory_bounds(array, &other_low, &other_high)
    return low >= other_high or other_low >= high


cpdef bint takes(out, cnp.ndarray like, tuple inputs) except -1:
    """Whether `out` fits, lies apart from the inputs, and is `like` itself or apart from it as well."""
    if not (fits(out, like) and (out is like or apart(out, like))):
        return False
    for array in inputs:
        if not apart(out, array):
            return False
    return True


cpdef new_like(cnp.ndarray array):
    """A new array of its shape and dtype, in C order."""
    return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array), False)


# ---- a call to softmax cross-entropy


cdef class PlainCall(CrossEntropyArguments):
    """The base of all calls. It sets their fields itself where logits and integer targets are plain, the classes last, and no
    option is used. A subclass has `check`, with the same arguments, for everything else, and `checked_output`."""

    def __init__(self, logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap,
                 where, reduction, n_threads):
        if not (weight is None and sample_weight is None and softcap is None and where is None and is_float(label_smoothing, 0.0)
                and is_float(z_loss, 0.0) and is_float(logit_scale, 1.0) and is_one_of(reduction, ("mean", "sum", "none"))
                and type(axis) is int and axis == -1 and type(ignore_index) is int and -2**31 <= ignore_index < 0
                and is_plain_float(logits) and is_plain_classes(targets)
                and self.set_if_good(logits, targets, ignore_index, n_threads)):
            self.check(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap,
                       where, reduction, n_threads)
            return
        self.reduction = reduction

    def output(self, out):
        """The array for the gradient: `out`, checked, or a new one."""
        if out is None:
            return new_like(self.logits)
        if self.options is None and takes(out, self.logits, (self.classes, self.soft, self.sample_weight, self.class_weight)):
            return out
        return self.checked_output(out)

    cdef bint set_if_good(self, cnp.ndarray logits, cnp.ndarray targets, int64_t ignored, n_threads) except -1:
        """False where shapes or classes are bad, there is nothing to do, or much to look at."""
        cdef int axis = cnp.PyArray_NDIM(logits) - 1
        cdef int64_t n_rows = cnp.PyArray_SIZE(targets), kept, good
        cdef Kernels kernels = _dispatch.kernels
        cdef int64_t n_classes = cnp.PyArray_DIM(logits, axis)
        if (cnp.PyArray_NDIM(targets) != axis
                or not cnp.PyArray_CompareLists(cnp.PyArray_DIMS(logits), cnp.PyArray_DIMS(targets), axis)
                or not 0 < n_rows <= FEW_ROWS or n_classes == 0):
            return False
        kernels.softmax_float.count_classes(<const int64_t*>cnp.PyArray_DATA(targets), n_rows, n_classes, ignored, &kept, &good)
        if good != kept:
            return False
        self.n_threads = thread_count(n_threads, cnp.PyArray_SIZE(logits))
        self.logits, self.classes, self.axis, self.weight_sum = logits, targets, axis, <double>kept
        return True


cdef bint is_float(value, double number):
    return type(value) is float and <double>value == number


cdef bint is_one_of(value, tuple strings) except -1:
    return type(value) is str and value in strings
