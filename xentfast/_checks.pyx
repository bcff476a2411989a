"""The common case of the checks in _arguments, compiled: where all is plain, a call has no microsecond to spare for more."""
from libc.stdint cimport uintptr_t

import numpy as np

cimport numpy as cnp

cnp.import_array()


def is_plain_float(array):
    """An aligned array of float32 or float64 in the machine's byte order, of at least one axis."""
    return (type(array) is np.ndarray and cnp.PyArray_NDIM(array) > 0 and cnp.PyArray_ISBEHAVED_RO(array)
            and cnp.PyArray_TYPE(array) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64))


def is_plain_classes(array):
    """A contiguous array of int64."""
    return (type(array) is np.ndarray and cnp.PyArray_TYPE(array) == cnp.NPY_INT64
            and cnp.PyArray_ISCARRAY_RO(array))


def fits(out, cnp.ndarray like):
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


def apart(cnp.ndarray out, *arrays):
    """Whether `out` lies outside the memory that each of the arrays (or None) spans."""
    cdef uintptr_t low, high, other_low, other_high
    memory_bounds(out, &low, &high)
    for array in arrays:
        if array is not None:
            memory_bounds(array, &other_low, &other_high)
            if low < other_high and other_low < high:
                return False
    return True
