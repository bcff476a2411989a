"""What a public function is made of where its calls have no microsecond to spare: see entry.pyx."""
from cpython.object cimport PyObject

cimport numpy as cnp


cdef class PlainCase:
    cdef readonly tuple names           # of arguments that it knows, those given by position first; None: none of its function's
    cdef readonly Py_ssize_t n_positional
    cdef object run(self, PyObject** values)


cdef bint is_set(PyObject* value) noexcept
cdef int plain_threads(PyObject* value) noexcept
cdef int plain_axis(x, PyObject* axis)
cdef object plain_reduction(PyObject* value)
cdef object plain_output(PyObject* out, cnp.ndarray like, other)
cdef cnp.ndarray new_rows(cnp.ndarray x, int axis)
