"""What the package's other modules with loops share."""
from libc.stdint cimport int64_t

cimport numpy as cnp

from xentfast._kernels.arrays cimport RangeKernel, ValueType
from xentfast._kernels.probabilities cimport ProbabilityKernels
from xentfast._kernels.random cimport RandomKernels
from xentfast._kernels.sigmoid cimport SigmoidKernels
from xentfast._kernels.softmax cimport Problem, SoftmaxKernels


cdef class Kernels:
    """One level's kernels."""
    cdef const SoftmaxKernels* softmax_float
    cdef const SoftmaxKernels* softmax_double
    cdef const SigmoidKernels* sigmoid
    cdef const ProbabilityKernels* probabilities
    cdef const RandomKernels* random
    cdef readonly str level


cdef class CrossEntropyArguments:
    """What the checks make of the arguments of a call to softmax cross-entropy. What is not there is None."""
    cdef public cnp.ndarray logits
    cdef public int axis                # of the classes, from the front
    cdef public object classes          # int64 of any value below 0 where a row is ignored, contiguous; or
    cdef public object soft             # soft targets, of the logits' shape and any strides
    cdef public object sample_weight    # float64, contiguous, as is
    cdef public object class_weight
    cdef public double smoothing
    cdef public object smoothing_mass   # class_weight·ε/C for each class, with integer targets, of the type of the arithmetic
    cdef public object options          # (logit_scale, softcap or 0, z_loss, where or None)
    cdef public double weight_sum       # Σ of the rows' weights
    cdef public object reduction
    cdef public int n_threads


# ---- calls to problems, which _partials runs kernels of its own over

cdef const SoftmaxKernels* softmax_kernels(Kernels kernels, ValueType type) noexcept nogil
cdef void merge_problem(Problem* problem) noexcept nogil
cdef void set_rows(Problem* problem, CrossEntropyArguments call) except *
cdef void set_targets(Problem* problem, CrossEntropyArguments call) except *
cdef void set_options(Problem* problem, int axis, options) except *


# ---- what _capi calls: everything below the arrays

cdef struct RowsLook:               # at targets and weights, before any work
    Py_ssize_t bad_class            # the first row whose class is neither in range nor ignored, or −1
    Py_ssize_t bad_weight           # the first row whose weight is not finite, or −1
    double weight_sum               # Σ of the row weights

cdef bint look_at_rows(const SoftmaxKernels* table, Py_ssize_t n_rows, const int64_t* classes, const double* sample_weight,
                       const double* class_weight, int64_t n_classes, int64_t ignored, int n_threads,
                       RowsLook* look) noexcept nogil
cdef void without_ignored(const int64_t* classes, Py_ssize_t n_rows, int64_t ignored, int64_t* result) noexcept nogil
cdef void clear_problem(Problem* problem) noexcept nogil
cdef void set_shape(Problem* problem, double logit_scale, double softcap, double z_loss) noexcept nogil
cdef bint compute_problem(const SoftmaxKernels* table, Problem* problem, RangeKernel kernel, int n_threads, void* values,
                          ValueType type, double* total) noexcept nogil
cdef double inverse_of(double divisor) noexcept nogil
cdef double quotient(double dividend, double divisor, const SoftmaxKernels* exponential, bint as_double) noexcept nogil
