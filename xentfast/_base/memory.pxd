"""Where arrays lie in memory."""
from libc.stdint cimport uintptr_t

cimport numpy as cnp

cdef void span_of(const void* data, int n_axes, const Py_ssize_t* shape, const Py_ssize_t* strides, Py_ssize_t itemsize,
                  uintptr_t* low, uintptr_t* high) noexcept nogil

cpdef bint is_plain_float(array)
cdef bint is_plain_array(array)
cpdef bint is_plain_classes(array)
cdef bint is_contiguous(out, int type_number)
cdef bint fits(out, cnp.ndarray like)
cpdef bint apart(cnp.ndarray out, array) except -1
cpdef bint takes(out, cnp.ndarray like, tuple inputs) except -1
cdef bint passes_cache(cnp.ndarray out, cnp.ndarray like, int axis) except -1
cpdef new_like(cnp.ndarray array)
