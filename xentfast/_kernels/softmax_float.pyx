# Softmax kernels for logits of float32, and of 16 bits, which are computed in it.
ctypedef float own_real

cdef enum:
    TILE_PASS = 16          # classes of a tile that go through short loops together: 3 x 2 KiB of the stack

include "softmax/unit.pxi"
