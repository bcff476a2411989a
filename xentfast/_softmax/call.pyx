"""The arguments of a call to softmax cross-entropy: one class, and its plain case, where a call has no microsecond to spare.

Nothing but n_threads is refused here. What is not plain goes down to checks.fill, which looks at it anew and has the errors.
"""
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

import numpy as np

from xentfast._base.outputs import output_array, output_pair
from xentfast._base.threads import requested
from xentfast._softmax.checks import fill

cimport numpy as cnp

from xentfast._base.entry cimport plain_reduction
from xentfast._base.level cimport chosen_kernels
from xentfast._base.memory cimport is_plain_classes, is_plain_float, new_like, takes

cnp.import_array()

cdef enum:
    FEW_ROWS = 65536        # whose classes are counted in microseconds: on one thread, with the GIL held

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


cdef class CrossEntropyCall:
    """What the checks make of the arguments. What is not there is None; options that are not used have no effect."""

    def __cinit__(self):
        self.logit_scale = self.hess_factor = 1.0

    @property
    def rows(self):
        """The shape of the rows: that of the logits without the class axis."""
        shape = (<object>self.logits).shape
        return shape[:self.axis] + shape[self.axis + 1:]

    @property
    def meaning_of_rows(self):
        return f"the shape of logits {(<object>self.logits).shape} without axis {self.axis}"

    @property
    def inputs(self):
        """The arrays that are read beside the logits, or None for those that there are not."""
        return self.soft, self.classes, self.sample_weight, self.class_weight, self.where

    @property
    def value_shape(self):
        """That of the losses of the rows."""
        return self.rows

    @property
    def value_dtype(self):
        """That of losses: the dtype of the arithmetic."""
        return FLOAT64 if cnp.PyArray_TYPE(self.logits) == cnp.NPY_FLOAT64 else FLOAT32

    def output(self, out):
        """The array for the gradient: `out`, checked, or a new one."""
        if out is None:
            return new_like(self.logits)
        if self.where is None and takes(out, self.logits, (self.classes, self.soft, self.sample_weight, self.class_weight)):
            return out
        return output_array(out, self.logits, self.inputs)

    def outputs(self, out):
        """The arrays for gradient and Hessian: those of `out`, checked, or new ones."""
        return output_pair(out, self.logits, self.inputs)


def cross_entropy_call(logits, targets, *, axis=-1, weight=None, sample_weight=None, ignore_index=-100, label_smoothing=0.0,
                       focal_gamma=0.0, z_loss=0.0, logit_scale=1.0, softcap=None, where=None, reduction="sum", n_threads=None):
    """The call of these arguments, checked."""
    cdef CrossEntropyCall call = None
    cdef int threads = 0 if n_threads is None else requested(n_threads)
    if (weight is None and sample_weight is None and softcap is None and where is None and is_float(label_smoothing, 0.0)
            and is_float(focal_gamma, 0.0) and is_float(z_loss, 0.0) and is_float(logit_scale, 1.0)
            and plain_reduction(<PyObject*>reduction) is not None
            and type(axis) is int and axis == -1 and type(ignore_index) is int and -2**31 <= ignore_index < 0):
        call = plain_call(logits, targets, ignore_index, reduction, threads)
    if call is None:
        call = CrossEntropyCall.__new__(CrossEntropyCall)
        fill(call, logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, focal_gamma, z_loss, logit_scale,
             softcap, where, reduction, n_threads)
    return call


cdef CrossEntropyCall plain_call(logits, targets, int64_t ignored, reduction, int n_threads):
    """The call without other options than these; `ignored` is below 0. None where arrays are not plain, shapes or classes are
    bad, there is nothing to do, or much to look at."""
    cdef CrossEntropyCall call
    cdef int64_t n_kept
    if not (is_plain_float(logits) and is_plain_classes(targets)):
        return None
    n_kept = count_good(logits, targets, ignored)
    if n_kept < 0:
        return None
    call = CrossEntropyCall.__new__(CrossEntropyCall)
    call.logits, call.classes, call.axis = logits, targets, cnp.PyArray_NDIM(<cnp.ndarray>logits) - 1
    call.weight_sum, call.reduction, call.n_threads = <double>n_kept, reduction, n_threads
    return call


cdef int64_t count_good(cnp.ndarray logits, cnp.ndarray targets, int64_t ignored) except -2:
    """Rows that are not ignored; −1 where it is not that simple."""
    cdef int axis = cnp.PyArray_NDIM(logits) - 1
    cdef int64_t n_rows = cnp.PyArray_SIZE(targets), kept, good
    cdef int64_t n_classes = cnp.PyArray_DIM(logits, axis)
    if (cnp.PyArray_NDIM(targets) != axis
            or not cnp.PyArray_CompareLists(cnp.PyArray_DIMS(logits), cnp.PyArray_DIMS(targets), axis)
            or not 0 < n_rows <= FEW_ROWS or n_classes == 0):
        return -1
    chosen_kernels().softmax(False).count_classes(
        <const int64_t*>cnp.PyArray_DATA(targets), n_rows, n_classes, ignored, &kept, &good)
    return kept if good == kept else -1


cdef bint is_float(value, double number):
    return type(value) is float and <double>value == number
