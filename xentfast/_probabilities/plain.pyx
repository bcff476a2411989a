"""Entropies and their gradient, of plain arrays of one shape and dtype, without eps and keepdims: no Python in between. What a
case does not know it leaves to the function (_base/entry.pyx)."""
from cpython.object cimport PyObject

cimport numpy as cnp

from xentfast._base.entry cimport PlainCase, is_set, new_rows, plain_axis, plain_output, plain_threads
from xentfast._base.memory cimport is_plain_float
from xentfast._probabilities.loops cimport compare, slopes

cnp.import_array()


cdef class ComparisonCase(PlainCase):
    """Of p, q, axis, n_threads; entropy has no q."""
    cdef int measure

    def __init__(self, int measure, bint has_q=True):
        self.names = ("p", "q", "axis", "n_threads") if has_q else ("p", "axis", "n_threads")
        self.n_positional = 2 if has_q else 1
        self.measure = measure

    cdef object run(self, PyObject** values):
        cdef Py_ssize_t n = self.n_positional
        cdef int axis = plain_axis(<object>values[0], values[n]), n_threads = plain_threads(values[n + 1])
        cdef object q = <object>values[1] if n == 2 else None
        cdef cnp.ndarray rows
        if axis < 0 or n_threads < 0 or (n == 2 and not are_alike(<object>values[0], q)):
            return NotImplemented
        rows = new_rows(<cnp.ndarray>values[0], axis)
        if not compare(self.measure, <cnp.ndarray>values[0], q, axis, 0.0, 1.0, rows, n_threads):
            return NotImplemented
        return rows if cnp.PyArray_NDIM(rows) > 0 else rows[()]


cdef class GradientCase(PlainCase):
    """Of p, q, out, n_threads, contiguous arrays."""

    def __init__(self):
        self.names = ("p", "q", "out", "n_threads")
        self.n_positional = 2

    cdef object run(self, PyObject** values):
        cdef object p = <object>values[0], q = <object>values[1], out
        cdef int n_threads = plain_threads(values[3])
        if (n_threads < 0 or not is_plain_float(p) or not are_alike(p, q) or cnp.PyArray_SIZE(<cnp.ndarray>p) == 0
                or not cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>p) or not cnp.PyArray_IS_C_CONTIGUOUS(<cnp.ndarray>q)):
            return NotImplemented
        out = plain_output(values[2], <cnp.ndarray>q, p)
        if out is None or not slopes(p, q, 0.0, 1.0, out, not is_set(values[2]), n_threads):
            return NotImplemented
        return out


cdef bint are_alike(p, q):
    """Whether q is plain as well, and of the shape and dtype of p."""
    return (is_plain_float(q) and cnp.PyArray_TYPE(<cnp.ndarray>p) == cnp.PyArray_TYPE(<cnp.ndarray>q)
            and cnp.PyArray_SAMESHAPE(<cnp.ndarray>p, <cnp.ndarray>q))
