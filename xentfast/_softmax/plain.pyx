"""The losses, their gradients, and softmax and its kin, of plain arrays without options that change values: no Python in between.

Each case is a call of its function's own loops; what it does not know it leaves to the function (_base/entry.pyx).
"""
from cpython.object cimport PyObject

cimport numpy as cnp

from xentfast._base.entry cimport PlainCase, plain_output, plain_reduction, plain_threads
from xentfast._base.memory cimport is_plain_float
from xentfast._base.reduction cimport is_nothing
from xentfast._kernels.softmax cimport LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from xentfast._softmax.call cimport CrossEntropyCall, plain_call
from xentfast._softmax.loops cimport compute, normalise

cnp.import_array()

cdef enum:
    IGNORED = -100


# ---- losses


cdef class CrossEntropyCase(PlainCase):
    """Of logits, targets, out, reduction, n_threads."""
    cdef bint valued, differentiated        # which results there are

    def __init__(self, bint valued, bint differentiated):
        self.names = ("logits", "targets", "out", "reduction", "n_threads")
        self.n_positional = 2
        self.valued, self.differentiated = valued, differentiated

    cdef object run(self, PyObject** values):
        cdef CrossEntropyCall call
        cdef int n_threads = plain_threads(values[4])
        cdef object reduction = plain_reduction(values[3]), losses = None, out = None
        if n_threads < 0 or reduction is None:
            return NotImplemented
        call = plain_call(<object>values[0], <object>values[1], IGNORED, reduction, n_threads)
        if call is None or is_nothing(call.weight_sum) or (reduction == "none" and call.axis == 0):
            return NotImplemented
        if self.differentiated:
            out = plain_output(values[2], call.logits, call.classes)
            if out is None:
                return NotImplemented
        if self.valued and reduction == "none":
            losses = cnp.PyArray_EMPTY(call.axis, cnp.PyArray_DIMS(call.logits), cnp.PyArray_TYPE(call.logits), False)
        loss = compute(call, call.weight_sum if reduction == "mean" else 1.0, losses, out, None)
        return loss if out is None else (loss, out) if self.valued else out


# ---- softmax and its kin


cdef class Normalised(PlainCase):
    """Of x, axis, out, n_threads: softmax or log_softmax."""
    cdef int result

    def __init__(self, bint log):
        self.names = ("x", "axis", "out", "n_threads")
        self.n_positional = 1
        self.result = LOG_SOFTMAX if log else SOFTMAX

    cdef object run(self, PyObject** values):
        cdef int axis = axis_of(<object>values[0], values[1]), n_threads = plain_threads(values[3])
        cdef object out
        if axis < 0 or n_threads < 0:
            return NotImplemented
        out = plain_output(values[2], <cnp.ndarray>values[0], None)
        if out is None:
            return NotImplemented
        normalise(self.result, <cnp.ndarray>values[0], axis, None, None, out, None, n_threads)
        return out


cdef class LogSumExp(PlainCase):
    """Of x, axis, n_threads; the result has an axis."""

    def __init__(self):
        self.names = ("x", "axis", "n_threads")
        self.n_positional = 1

    cdef object run(self, PyObject** values):
        cdef int axis = axis_of(<object>values[0], values[1]), n_threads = plain_threads(values[2]), i
        cdef cnp.npy_intp shape[64]
        cdef cnp.ndarray x, result
        if axis < 0 or n_threads < 0 or cnp.PyArray_NDIM(<cnp.ndarray>values[0]) == 1:
            return NotImplemented
        x = <cnp.ndarray>values[0]
        for i in range(cnp.PyArray_NDIM(x) - 1):
            shape[i] = cnp.PyArray_DIM(x, i if i < axis else i + 1)
        result = cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x) - 1, shape, cnp.PyArray_TYPE(x), False)
        normalise(LOGSUMEXP, x, axis, None, None, None, result, n_threads)
        return result


cdef int axis_of(x, PyObject* axis):
    """The class axis, from the front; −1 where x or axis are not plain, or x is empty."""
    cdef int n_axes
    cdef object number
    if not is_plain_float(x) or cnp.PyArray_SIZE(<cnp.ndarray>x) == 0:
        return -1
    n_axes = cnp.PyArray_NDIM(<cnp.ndarray>x)
    if axis == NULL:
        return n_axes - 1
    number = <object>axis
    if type(number) is not int or not -n_axes <= number < n_axes:
        return -1
    return <int>number if number >= 0 else <int>number + n_axes
