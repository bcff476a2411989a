"""What runs over calls: for the partial results, whose slices are Problems too, and for the C functions, which begin below the
arrays."""
cimport numpy as cnp

from xentfast._kernels.arrays cimport Operand, RangeKernel, ValueType
from xentfast._kernels.softmax cimport Problem, SoftmaxKernels
from xentfast._softmax.call cimport CrossEntropyCall

cdef void clear_problem(Problem* problem) noexcept nogil
cdef void merge_problem(Problem* problem) noexcept nogil
cdef Py_ssize_t rows_of(const Problem* problem) noexcept nogil
cdef bint hold_masses(const SoftmaxKernels* table, Problem* problem, Py_ssize_t scratch_bytes) noexcept nogil
cdef int set_classes(Problem* problem, Operand* operand, cnp.ndarray array, int axis) except -1
cdef void set_rows(Problem* problem, CrossEntropyCall call, Py_ssize_t other_classes) except *
cdef void set_targets(Problem* problem, CrossEntropyCall call) except *
cdef void set_options(Problem* problem, CrossEntropyCall call) except *
cdef void set_shape(Problem* problem, double logit_scale, double softcap, double z_loss) noexcept nogil
cdef bint compute_problem(const SoftmaxKernels* table, Problem* problem, RangeKernel kernel, int n_threads, void* values,
                          ValueType type, double* total) noexcept nogil
cpdef object compute(CrossEntropyCall call, double divisor, row_values, out, hess)
cpdef int normalise(int result, cnp.ndarray x, int axis, where, b, out, row_values, int n_threads) except -1
cdef double inverse_of(double divisor) noexcept nogil
cdef double quotient(double dividend, double divisor, const SoftmaxKernels* exponential, bint as_double) noexcept nogil
