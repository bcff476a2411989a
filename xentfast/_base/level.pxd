"""A level's kernels, and how many threads run them."""
from libc.stdint cimport int64_t

from xentfast._kernels.probabilities cimport ProbabilityKernels
from xentfast._kernels.random cimport RandomKernels
from xentfast._kernels.sigmoid cimport SigmoidKernels
from xentfast._kernels.softmax cimport SoftmaxKernels


cdef class Kernels:
    """One level's kernels: a table for each family, and for softmax for each dtype, loaded when it is first asked for."""
    cdef readonly str level
    cdef readonly object table_of
    cdef const SoftmaxKernels* of_float
    cdef const SoftmaxKernels* of_double
    cdef const SigmoidKernels* of_sigmoid
    cdef const ProbabilityKernels* of_probabilities
    cdef const RandomKernels* of_random
    cdef const SoftmaxKernels* softmax(self, bint as_double) except NULL
    cdef const SigmoidKernels* sigmoid(self) except NULL
    cdef const ProbabilityKernels* probabilities(self) except NULL
    cdef const RandomKernels* random(self) except NULL
    cdef int check(self, bint fits) except -1


cdef Kernels chosen_kernels()
cdef int64_t piece_numbers() noexcept nogil
cdef int64_t stream_bytes() noexcept nogil
cdef int64_t stream_row_bytes() noexcept nogil
cdef int likely_threads(int n_threads, int64_t n_numbers) noexcept nogil
cpdef int threads_at_hand(int n_threads, int64_t n_numbers) noexcept nogil
cpdef void note_helpers(int asked, int came, int64_t n_numbers) noexcept nogil
cpdef int count_threads(int n_threads, int64_t n_numbers) noexcept nogil
