"""What the package's other modules with loops share."""
from xentfast._kernels.table cimport KernelTable


cdef class Kernels:
    """One level's table of kernels."""
    cdef const KernelTable* table
    cdef readonly str level
