"""`cimport xentfast`: the C functions of include/xentfast.h, which says what they take and what callers see to.

A module that cimports this is compiled with xentfast.get_include() among its include_dirs.
"""
from libc.stdint cimport int64_t, uint64_t


cdef extern from "xentfast.h" nogil:
    enum:
        XENTFAST_VERSION
        XENTFAST_OK
        XENTFAST_NO_MEMORY
        XENTFAST_BAD_POINTER
        XENTFAST_BAD_SHAPE
        XENTFAST_BAD_THREADS
        XENTFAST_BAD_OPTION
        XENTFAST_BAD_TARGET
        XENTFAST_BAD_WEIGHT
        XENTFAST_BAD_SAMPLE_WEIGHT
        XENTFAST_OVERLAP
        XENTFAST_MEAN
        XENTFAST_SUM
        XENTFAST_NONE

    ctypedef struct xentfast_options:
        size_t bytes
        const double* weight
        const double* sample_weight
        double label_smoothing
        double z_loss
        double logit_scale
        double softcap
        double empty
        int64_t ignore_index
        int64_t* bad_place
        int64_t reduction

    xentfast_options xentfast_default_options() noexcept

    ctypedef struct xentfast_truncation:
        int64_t dtype
        double constants[11]

    ctypedef struct xentfast_api:
        int64_t version
        size_t api_bytes
        size_t options_bytes
        const char* (*status_message)(int status) noexcept nogil
        int (*softmax_cross_entropy_float32)(
            const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, float* loss) noexcept nogil
        int (*softmax_cross_entropy_float64)(
            const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, double* loss) noexcept nogil
        int (*softmax_cross_entropy_grad_float32)(
            const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, float* grad, int64_t grad_stride) noexcept nogil
        int (*softmax_cross_entropy_grad_float64)(
            const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, double* grad, int64_t grad_stride) noexcept nogil
        int (*softmax_cross_entropy_value_and_grad_float32)(
            const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, float* loss, float* grad, int64_t grad_stride) noexcept nogil
        int (*softmax_cross_entropy_value_and_grad_float64)(
            const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
            const xentfast_options* options, int n_threads, double* loss, double* grad, int64_t grad_stride) noexcept nogil
        int (*logsumexp_float32)(
            const float* x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads, float* result) noexcept nogil
        int (*logsumexp_float64)(
            const double* x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads, double* result) noexcept nogil
        int (*uniform_float32)(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                               int n_threads) noexcept nogil
        int (*uniform_float64)(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                               int n_threads) noexcept nogil
        int (*normal_float32)(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                              int n_threads) noexcept nogil
        int (*normal_float64)(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                              int n_threads) noexcept nogil
        int (*truncated_normal_float32)(float* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean,
                                        double std, const xentfast_truncation* bounds, int n_threads) noexcept nogil
        int (*truncated_normal_float64)(double* out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean,
                                        double std, const xentfast_truncation* bounds, int n_threads) noexcept nogil
        int (*truncation_float32)(double lower, double upper, xentfast_truncation* bounds) noexcept nogil
        int (*truncation_float64)(double lower, double upper, xentfast_truncation* bounds) noexcept nogil


cdef extern from "xentfast.h":
    const xentfast_api* xentfast_import() except NULL
