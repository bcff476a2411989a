# Softmax kernels for logits of float64.
ctypedef double own_real

cdef enum:
    TILE_PASS = 8           # classes of a tile that go through short loops together: 3 x 2 KiB of the stack

include "softmax/unit.pxi"
