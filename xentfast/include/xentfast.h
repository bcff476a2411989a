/* xentfast from C, C++, Cython and whatever else calls C functions: softmax cross-entropy, log-sum-exp and random fills by a
 * table of function pointers. The functions have the bits of the Python functions of the same names, whose documentation has
 * the formulas.
 *
 * Getting the table. With Python.h included before this file, xentfast_import() returns it, or NULL with an ImportError set.
 * It needs the GIL, once; the pointer is good as long as the process lives. Code without Python.h is handed the pointer.
 *
 * Calling. No function needs the GIL or takes it (but truncation_float32 and truncation_float64, which take it themselves), none
 * keeps a pointer beyond its call, and any number of threads may call at once, each with outputs of its own. Each function
 * returns a status; one other than XENTFAST_OK means that no output was written.
 *
 * Rows. `logits` points to row 0; row i begins i*row_stride elements behind it (row_stride may be 0 or negative), and its
 * n_classes numbers lie side by side. `grad` goes the same way by grad_stride. Outputs of losses and log-sum-exps, targets and
 * weights are contiguous.
 *
 * Threads. n_threads is the most that a call may start; 0: as many as OpenMP would, not more than the CPUs that the process could
 * use when the table was made. Small work stays on fewer, and a child that Python forked on one. Results have the same bits for
 * any number. Code that calls from threads of its own passes 1; so does a child of a fork that Python does not know of.
 *
 * Preconditions, which are not checked: pointers are aligned to their type and point to as much memory as the counts and strides
 * say; nothing that is read changes during a call; outputs lie apart from each other and from all that is read, but for `grad`,
 * which may be the logits or lie among their columns. Everything else that is asked for below is checked, before any work.
 *
 * Versions. XENTFAST_VERSION changes when something that is here changes. New functions go to the end of the table, new options
 * to the end of theirs, without a change of version. So a table is accepted if it has the version compiled against and is at
 * least as large, and options tell their size.
 */
#ifndef XENTFAST_H
#define XENTFAST_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XENTFAST_VERSION 1

/* What functions return. status_message() has a sentence for each. */
enum {
    XENTFAST_OK = 0,
    XENTFAST_NO_MEMORY = 1,
    XENTFAST_BAD_POINTER = 2,       /* a pointer is NULL that must not be */
    XENTFAST_BAD_SHAPE = 3,         /* n_rows < 0, n_classes < 1, n < 0, too many, or an output whose rows overlap each other */
    XENTFAST_BAD_THREADS = 4,       /* n_threads < 0 */
    XENTFAST_BAD_OPTION = 5,        /* an option, or a parameter of a distribution, is outside of what it may be */
    XENTFAST_BAD_TARGET = 6,        /* of a row that is read: no class; the row goes to *bad_place */
    XENTFAST_BAD_WEIGHT = 7,        /* of a class: not finite; the class goes to *bad_place */
    XENTFAST_BAD_SAMPLE_WEIGHT = 8, /* not finite; the row goes to *bad_place */
    XENTFAST_OVERLAP = 9            /* an output overlaps the logits otherwise than element for element */
};

/* Options.reduction: what goes to `loss`, and what the gradient is of. */
enum {
    XENTFAST_MEAN = 0,              /* one number: the sum over the rows' weights, or `empty` where they sum to 0 */
    XENTFAST_SUM = 1,               /* one number */
    XENTFAST_NONE = 2               /* n_rows numbers; the gradient is that of their sum */
};

/* Begin with xentfast_default_options(), then change what is to differ. NULL in place of options: all defaults. */
typedef struct xentfast_options {
    size_t bytes;                   /* sizeof(xentfast_options) of the caller */
    const double *weight;           /* n_classes finite numbers, or NULL: 1 for each class */
    const double *sample_weight;    /* n_rows finite numbers, or NULL: 1 for each row; rows of weight 0 are not read, and
                                     * may have any target */
    double label_smoothing;         /* 0 to 1 */
    double z_loss;                  /* finite */
    double logit_scale;             /* finite */
    double softcap;                 /* positive and finite, or 0: none */
    double empty;                   /* the mean where the rows' weights sum to 0 */
    int64_t ignore_index;           /* rows with this target are not read, and may have any weight */
    int64_t *bad_place;             /* where the place of a bad target or weight goes, or NULL */
    int64_t reduction;              /* XENTFAST_MEAN, XENTFAST_SUM or XENTFAST_NONE */
} xentfast_options;

static inline xentfast_options xentfast_default_options(void)
{
    xentfast_options options;
    options.bytes = sizeof(xentfast_options);
    options.weight = NULL;
    options.sample_weight = NULL;
    options.label_smoothing = 0.0;
    options.z_loss = 0.0;
    options.logit_scale = 1.0;
    options.softcap = 0.0;
    options.empty = NAN;
    options.ignore_index = -100;
    options.bad_place = NULL;
    options.reduction = XENTFAST_MEAN;
    return options;
}

/* Where a normal distribution is cut, as constants for one dtype: made by truncation_float32 or truncation_float64, nobody else's
 * to set. */
typedef struct xentfast_truncation {
    int64_t dtype;
    double constants[11];
} xentfast_truncation;

typedef struct xentfast_api {
    int64_t version;                /* XENTFAST_VERSION, sizeof(xentfast_api) and sizeof(xentfast_options) of the library */
    size_t api_bytes;
    size_t options_bytes;

    /* A sentence in English that lives as long as the process. */
    const char *(*status_message)(int status);

    /* The loss: one number, or n_rows of them, as options->reduction says. */
    int (*softmax_cross_entropy_float32)(
        const float *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, float *loss);
    int (*softmax_cross_entropy_float64)(
        const double *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, double *loss);
    /* Its gradient with respect to the logits. `grad` may be `logits` with the same stride: in place. */
    int (*softmax_cross_entropy_grad_float32)(
        const float *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, float *grad, int64_t grad_stride);
    int (*softmax_cross_entropy_grad_float64)(
        const double *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, double *grad, int64_t grad_stride);
    /* Both in one pass. */
    int (*softmax_cross_entropy_value_and_grad_float32)(
        const float *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, float *loss, float *grad, int64_t grad_stride);
    int (*softmax_cross_entropy_value_and_grad_float64)(
        const double *logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t *targets,
        const xentfast_options *options, int n_threads, double *loss, double *grad, int64_t grad_stride);

    /* The logarithm of the sum of exponentials of each row goes to result[0 .. n_rows - 1], which lies apart from x. */
    int (*logsumexp_float32)(
        const float *x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads, float *result);
    int (*logsumexp_float64)(
        const double *x, int64_t n_rows, int64_t n_classes, int64_t row_stride, int n_threads, double *result);

    /* Elements [first, first + n) in C order of the array that xf.init.uniform(shape, rng=rng, name=name) makes go to
     * out[0 .. n - 1]. `key` is xf.random.key(rng) and `stream` xf.random.stream(name); first + n is at most 2**62. low <= high;
     * the numbers, and high - low, are within the range of the type. */
    int (*uniform_float32)(float *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                           int n_threads);
    int (*uniform_float64)(double *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double low, double high,
                           int n_threads);
    /* Likewise xf.init.normal; std >= 0. */
    int (*normal_float32)(float *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                          int n_threads);
    int (*normal_float64)(double *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                          int n_threads);
    /* Likewise xf.init.truncated_normal, between the bounds that `bounds` was made for by the function of the same dtype;
     * NULL: -2 and 2. */
    int (*truncated_normal_float32)(float *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                                    const xentfast_truncation *bounds, int n_threads);
    int (*truncated_normal_float64)(double *out, int64_t n, uint64_t key, uint64_t stream, int64_t first, double mean, double std,
                                    const xentfast_truncation *bounds, int n_threads);
    /* lower < upper, in standard deviations from the mean, within what xf.init.truncated_normal allows. Computed to 60 digits by
     * Python: takes the GIL, and a millisecond or more. Done once, the result can be kept and copied. */
    int (*truncation_float32)(double lower, double upper, xentfast_truncation *bounds);
    int (*truncation_float64)(double lower, double upper, xentfast_truncation *bounds);
} xentfast_api;

#ifdef Py_PYTHON_H
/* The table of the installed xentfast, whose kernels are those that it chose for this CPU. NULL, and an ImportError, where
 * there is none or it does not match this header. */
static inline const xentfast_api *xentfast_import(void)
{
    const xentfast_api *api;
    PyObject *module = PyImport_ImportModule("xentfast._capi");
    if (module == NULL)
        return NULL;
    Py_DECREF(module);
    api = (const xentfast_api *)PyCapsule_Import("xentfast._capi.api", 0);
    if (api == NULL)
        return NULL;
    if (api->version != XENTFAST_VERSION) {
        PyErr_Format(PyExc_ImportError,
                     "the installed xentfast has version %d of its C table, but this module was compiled for version %d; compile "
                     "it against the installed xentfast.h, or install an xentfast that has that version",
                     (int)api->version, XENTFAST_VERSION);
        return NULL;
    }
    if (api->api_bytes < sizeof(xentfast_api) || api->options_bytes < sizeof(xentfast_options)) {
        PyErr_Format(PyExc_ImportError,
                     "the installed xentfast is older than the xentfast.h that this module was compiled with: its C table has "
                     "%zu bytes and its options %zu, expected at least %zu and %zu; install a newer xentfast",
                     api->api_bytes, api->options_bytes, sizeof(xentfast_api), sizeof(xentfast_options));
        return NULL;
    }
    return api;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
