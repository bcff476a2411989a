"""What _capi calls of the fills: everything below the arrays."""
from libc.stdint cimport uint64_t

from xentfast._kernels.arrays cimport MAX_AXES, ValueType
from xentfast._kernels.random cimport Fill, RandomKernels

# One array, or a part of one.
cdef struct Job:
    Fill fill
    char* data
    Py_ssize_t itemsize
    uint64_t first                      # place of its first element in the global array
    int n_axes
    Py_ssize_t shape[MAX_AXES]
    Py_ssize_t places[MAX_AXES]         # strides in the global array, in elements …
    Py_ssize_t strides[MAX_AXES]        # … and in the output, in bytes
    int n_outer                         # axes that count spans; the others lie inside
    Py_ssize_t span                     # elements of a span in the global array
    Py_ssize_t pieces                   # of a span
    Py_ssize_t cells                    # pieces of all spans
    Py_ssize_t cells_per_item
    Py_ssize_t first_item
    bint stream
    bint tiled                          # the innermost of the outer axes goes along the output's memory

cdef class PlainRequest:
    """A Request (_fills.py) for a whole contiguous array, from block 0 of its stream on, as a Job."""
    cdef Job job
    cdef readonly object out
    cdef int set_out(self, out) except -1
    cdef int locate(self) except -1

cdef PlainRequest plain_request(ValueType type)
cdef int run_one(PlainRequest request, int n_threads) except -1
cdef void set_uniform(Fill* fill, double low, double high) noexcept nogil
cdef void run_jobs(const RandomKernels* table, Job* jobs, Py_ssize_t n_jobs, int n_threads) noexcept nogil
