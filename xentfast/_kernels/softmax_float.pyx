# Softmax kernels for logits of float32, and of 16 bits, which are computed in it.
ctypedef float own_real

include "softmax/unit.pxi"
