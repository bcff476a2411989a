"""The losses and their derivatives, of plain arrays without options that change values: no Python in between. What a case does
not know it leaves to the function (_base/entry.pyx)."""
from cpython.object cimport PyObject

cimport numpy as cnp

from xentfast._base.entry cimport PlainCase, plain_output, plain_reduction, plain_threads
from xentfast._base.level cimport stream_bytes
from xentfast._base.memory cimport is_plain_array, is_plain_float, new_like
from xentfast._sigmoid.loops cimport sigmoid, total_within

cnp.import_array()


cdef class SigmoidCase(PlainCase):
    """Of logits, targets, out, reduction, n_threads."""
    cdef bint valued, differentiated, curved        # which results there are

    def __init__(self, bint valued, bint differentiated, bint curved=False):
        self.names = ("logits", "targets", "out" if differentiated and not curved else None, "reduction", "n_threads")
        self.n_positional = 2
        self.valued, self.differentiated, self.curved = valued, differentiated, curved

    cdef object run(self, PyObject** values):
        cdef int n_threads = plain_threads(values[4])
        cdef object reduction = plain_reduction(values[3]), losses = None, gradient = None, hessian = None
        cdef cnp.ndarray logits
        cdef double divisor = 1.0
        if self.curved and values[3] == NULL:           # its own default
            reduction = "sum"
        if n_threads < 0 or reduction is None or not are_plain(<object>values[0], <object>values[1]):
            return NotImplemented
        logits = <cnp.ndarray>values[0]
        total = total_within(<cnp.ndarray>values[1], 0.0, 1.0, n_threads)
        if total != total:                              # a target is bad
            return NotImplemented
        if reduction == "mean":
            divisor = <double>cnp.PyArray_SIZE(logits)
        if self.differentiated:
            gradient = plain_output(values[2], logits, <object>values[1])
            if gradient is None:
                return NotImplemented
        if self.curved:
            hessian = new_like(logits)
        if self.valued and reduction == "none":
            losses = new_like(logits)
        loss = sigmoid(logits, <object>values[1], None, None, None, None, 0.0, 0.0, divisor, self.valued, losses, gradient,
                       hessian, False, n_threads)
        loss = loss if losses is None else losses
        if self.curved:
            return gradient, hessian
        return loss if gradient is None else (loss, gradient) if self.valued else gradient


cdef bint are_plain(logits, targets) except -1:
    """Of one shape with elements, and small enough for the cache."""
    if not is_plain_float(logits) or not is_plain_array(targets):
        return False
    return (cnp.PyArray_SAMESHAPE(<cnp.ndarray>logits, <cnp.ndarray>targets) and cnp.PyArray_SIZE(<cnp.ndarray>logits) > 0
            and cnp.PyArray_NBYTES(<cnp.ndarray>logits) <= stream_bytes())
