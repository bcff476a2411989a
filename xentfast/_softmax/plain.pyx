"""The losses, their gradients, and softmax and its kin, of plain arrays without options that change values: no Python in between.

Each case is a call of its function's own loops; what it does not know it leaves to the function (_base/entry.pyx).
"""
from cpython.object cimport PyObject

cimport numpy as cnp

from xentfast._base.entry cimport PlainCase, new_rows, plain_axis, plain_output, plain_reduction, plain_threads
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
        self.names = ("logits", "targets", "out" if differentiated else None, "reduction", "n_threads")
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
        cdef int axis = plain_axis(<object>values[0], values[1]), n_threads = plain_threads(values[3])
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
        cdef int axis = plain_axis(<object>values[0], values[1]), n_threads = plain_threads(values[2])
        cdef cnp.ndarray result
        if axis < 0 or n_threads < 0 or cnp.PyArray_NDIM(<cnp.ndarray>values[0]) == 1:
            return NotImplemented
        result = new_rows(<cnp.ndarray>values[0], axis)
        normalise(LOGSUMEXP, <cnp.ndarray>values[0], axis, None, None, None, result, n_threads)
        return result
