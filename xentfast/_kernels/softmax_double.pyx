# Softmax kernels for logits of float64.
ctypedef double own_real

cdef enum:
    TILE_PASS = 4           # classes of a tile that go through short loops together: 3 x 1 KiB of the stack

include "softmax/unit.pxi"
