"""What _capi calls of the look at targets and weights: everything below the arrays."""
from libc.stdint cimport int64_t

from xentfast._kernels.softmax cimport SoftmaxKernels

cdef struct RowsLook:               # at targets and weights, before any work
    Py_ssize_t bad_class            # the first row that is read, neither ignored nor of weight 0, without a class, or −1
    Py_ssize_t bad_weight           # the first row that is not ignored and whose weight is not finite, or −1
    double weight_sum               # Σ of the row weights

cdef struct ClassWeights:           # one for each class, so many bytes apart
    const char* data                # NULL: 1
    Py_ssize_t step
    bint single                     # float32, else float64

cdef bint look_at_rows(const SoftmaxKernels* table, Py_ssize_t n_rows, const int64_t* classes, const double* sample_weight,
                       const ClassWeights* class_weight, int64_t n_classes, int64_t ignored, int n_threads,
                       RowsLook* look) noexcept nogil
cdef void without_ignored(const int64_t* classes, Py_ssize_t n_rows, int64_t ignored, int64_t* result) noexcept nogil
