"""Where arrays lie in memory, and the plain case of what arrays may be, for calls that have no microsecond to spare."""
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport uint32_t, uint64_t, uintptr_t

import numpy as np

cimport numpy as cnp

from xentfast._base.level cimport stream_bytes, stream_row_bytes

cnp.import_array()


cpdef bint is_plain_float(array):
    """An aligned array of float32 or float64 in the machine's byte order, of at least one axis."""
    return (type(array) is np.ndarray and cnp.PyArray_NDIM(array) > 0 and cnp.PyArray_ISBEHAVED_RO(array)
            and cnp.PyArray_TYPE(array) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64))


cdef bint is_plain_array(array):
    """An aligned array of bool, integers, float32 or float64 in the machine's byte order."""
    cdef int dtype
    if type(array) is not np.ndarray or not cnp.PyArray_ISBEHAVED_RO(array):
        return False
    dtype = cnp.PyArray_TYPE(array)
    return cnp.PyTypeNum_ISBOOL(dtype) or cnp.PyTypeNum_ISINTEGER(dtype) or dtype in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)


cpdef bint is_plain_classes(array):
    """A contiguous array of int64."""
    return (type(array) is np.ndarray and cnp.PyArray_TYPE(array) == cnp.NPY_INT64
            and cnp.PyArray_ISCARRAY_RO(array))


# What NumPy's ascontiguousarray makes is contiguous, but may begin at an odd address: from memory that was cast from bytes.
cdef enum:
    AS_LOOPS_READ = cnp.NPY_ARRAY_CARRAY_RO | cnp.NPY_ARRAY_FORCECAST | cnp.NPY_ARRAY_ENSUREARRAY


def contiguous_int64(array):
    """The array, or a copy, of its shape: int64 in the machine's byte order, contiguous and aligned."""
    return cnp.PyArray_FROM_OTF(array, cnp.NPY_INT64, AS_LOOPS_READ)


def contiguous_float64(array):
    """The same of float64."""
    return cnp.PyArray_FROM_OTF(array, cnp.NPY_FLOAT64, AS_LOOPS_READ)


cdef bint is_contiguous(out, int type_number):
    """A contiguous, writeable array of that type."""
    return type(out) is np.ndarray and cnp.PyArray_ISCARRAY(out) and cnp.PyArray_TYPE(out) == type_number


cdef bint fits(out, cnp.ndarray like):
    """A contiguous, writeable array of the shape and type of `like`."""
    return is_contiguous(out, cnp.PyArray_TYPE(like)) and cnp.PyArray_SAMESHAPE(out, like)


cdef void span_of(const void* data, int n_axes, const Py_ssize_t* shape, const Py_ssize_t* strides, Py_ssize_t itemsize,
                  uintptr_t* low, uintptr_t* high) noexcept nogil:
    """The address of an array's first byte, and that behind its last; of none, where it has no elements."""
    cdef Py_ssize_t reach
    cdef int axis
    low[0] = high[0] = <uintptr_t>data
    for axis in range(n_axes):
        if shape[axis] == 0:
            return
    for axis in range(n_axes):
        reach = (shape[axis] - 1) * strides[axis]
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach
    high[0] += itemsize


cdef void memory_bounds(cnp.ndarray array, uintptr_t* low, uintptr_t* high) noexcept:
    span_of(cnp.PyArray_DATA(array), cnp.PyArray_NDIM(array), <const Py_ssize_t*>cnp.PyArray_DIMS(array),
            <const Py_ssize_t*>cnp.PyArray_STRIDES(array), cnp.PyArray_ITEMSIZE(array), low, high)


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


cdef bint passes_cache(cnp.ndarray out, cnp.ndarray like, int axis) except -1:
    """Whether `out`, of the shape of `like`, is worth writing by stores that go past the cache."""
    return (cnp.PyArray_NBYTES(out) > stream_bytes()
            and cnp.PyArray_DIM(like, axis) * cnp.PyArray_ITEMSIZE(like) <= stream_row_bytes() and apart(out, like))


cpdef new_like(cnp.ndarray array):
    """A new array of its shape and dtype, in C order."""
    return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(array), cnp.PyArray_DIMS(array), cnp.PyArray_TYPE(array), False)


def array_over(uintptr_t address, shape, int type_number):
    """An array over contiguous memory that somebody else holds as long as it is used."""
    cdef cnp.npy_intp lengths[4]
    cdef Py_ssize_t axis
    if len(shape) > 4:
        raise ValueError(f"{len(shape)} axes; expected at most 4")
    for axis in range(len(shape)):
        lengths[axis] = shape[axis]
    return cnp.PyArray_SimpleNewFromData(<int>len(shape), lengths, type_number, <void*>address)


# ---- what DLPack hands over


cdef struct ManagedTensor:          # the head of its DLManagedTensorVersioned
    uint32_t major, minor
    void* context
    void* deleter
    uint64_t flags


cdef enum:
    READ_ONLY = 1                   # its DLPACK_FLAG_BITMASK_READ_ONLY


def allows_writing(capsule):
    """Whether the memory may be written to. One without a version has no word for it: read-only memory is not exported so."""
    if PyCapsule_IsValid(capsule, "dltensor_versioned"):
        return not (<ManagedTensor*>PyCapsule_GetPointer(capsule, "dltensor_versioned")).flags & READ_ONLY
    return bool(PyCapsule_IsValid(capsule, "dltensor"))


def enable_writing(cnp.ndarray array):
    """Of memory that NumPy does not own, where setflags would not."""
    cnp.PyArray_ENABLEFLAGS(array, cnp.NPY_ARRAY_WRITEABLE)
