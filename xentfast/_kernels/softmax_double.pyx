# Softmax kernels for logits of float64.
ctypedef double own_real

include "softmax/unit.pxi"
