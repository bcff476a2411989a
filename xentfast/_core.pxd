"""What the package's other modules with loops share."""
cimport numpy as cnp

from xentfast._kernels.table cimport KernelTable


cdef class Kernels:
    """One level's table of kernels."""
    cdef const KernelTable* table
    cdef readonly str level


cdef class CrossEntropyArguments:
    """What the checks make of the arguments of a call to softmax cross-entropy. What is not there is None."""
    cdef public cnp.ndarray logits
    cdef public int axis                # of the classes, from the front
    cdef public object classes          # int64 of any value below 0 where a row is ignored, contiguous; or
    cdef public object soft             # soft targets, of the logits' shape and any strides
    cdef public object sample_weight    # float64, contiguous, as is
    cdef public object class_weight
    cdef public double smoothing
    cdef public object smoothing_mass   # class_weight·ε/C for each class, with integer targets, of the type of the arithmetic
    cdef public object options          # (logit_scale, softcap or 0, z_loss, where or None)
    cdef public double weight_sum       # Σ of the rows' weights
    cdef public object reduction
    cdef public int n_threads
