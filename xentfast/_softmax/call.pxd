"""The arguments of a call to softmax cross-entropy, as its loops read them."""
from libc.stdint cimport int64_t

cimport numpy as cnp


cdef class CrossEntropyCall:
    cdef public cnp.ndarray logits
    cdef public int axis                # of the classes, from the front
    cdef public object classes          # int64 of any value below 0 where a row is ignored, contiguous; or
    cdef public object soft             # soft targets, of the logits' shape and any strides
    cdef public object sample_weight    # float64, contiguous, as is
    cdef public object class_weight     # float32 or float64, of any stride
    cdef public double smoothing
    cdef public double gamma            # of the focal loss; 0: none
    cdef public double z_loss
    cdef public double logit_scale
    cdef public double softcap          # 0: none
    cdef public object where            # booleans, broadcast to the logits, or None
    cdef public double hess_factor      # of the Hessian, for boosting …
    cdef public bint hess_size          # … whose sign is taken away …
    cdef public double hess_floor       # … and which is at least this; 0: nothing of that
    cdef public double weight_sum       # Σ of the rows' weights …
    cdef public bint weighs_soft        # … which soft targets with class weights have to be added up for
    cdef public object reduction
    cdef public bint exponential        # e^ of the mean is asked for
    cdef public int n_threads           # that are asked for; 0: as many as pay


cdef CrossEntropyCall plain_call(logits, targets, int64_t ignored, reduction, int n_threads)
