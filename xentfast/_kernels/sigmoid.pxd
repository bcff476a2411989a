"""Sigmoid cross-entropy, element by element: a call as its kernels get it, and their table at one level."""
from xentfast._kernels.arrays cimport DoubleLanes, FloatLanes, RangeKernel, Strided

cdef enum:
    ELEMENT_BLOCK = 1024    # elements whose losses are added in one tree: one "row" of an elementwise kernel

# A whole elementwise call; sigmoid.pxi has the formulas.
cdef struct Elements:
    Py_ssize_t size
    Strided logits                  # for a scan: what is scanned, broadcast
    Strided targets
    Strided pos_weight
    Strided sample_weight
    Strided where                   # bool: elements where it is False are not read; nor are those …
    bint ignores
    double ignored                  # … whose target is this, if `ignores`
    Strided losses
    Strided gradient
    Strided hessian
    double kept                     # smoothing ε turns targets t into kept·t + half: 1 − ε …
    double half                     # … and ε/2
    double gamma                    # of the focal loss; 0: none
    double scale                    # what gradient and Hessian are multiplied by: 1 or 1/Σw
    bint valued                     # losses are asked for beside a gradient; beside a Hessian they never are
    bint stream                     # the gradient goes past the cache
    double lowest                   # a scan: what values may be
    double highest
    bint counts                     # a scan of what is read: its number instead of its sum

cdef struct ElementKernels:            # for one dtype
    RangeKernel plain               # neither weights nor focal loss, and all is read
    RangeKernel general             # the same with smoothing, and where some elements are not read
    RangeKernel weighted
    RangeKernel focal               # with or without weights, in double
    RangeKernel scan                # Σ of a block's values; nan where one is not between `lowest` and `highest`
    RangeKernel scan_read           # the same of the elements that are read, the others being 0

cdef struct SigmoidKernels:
    Py_ssize_t table_bytes          # sizeof(SigmoidKernels) and sizeof(Elements) where the level was compiled
    Py_ssize_t elements_bytes
    ElementKernels of_float
    ElementKernels of_double
    Py_ssize_t scratch_bytes        # that a thread needs
    FloatLanes log1p_float
    DoubleLanes log1p_double
