"""What XLA calls on a CPU: a handler of its foreign function interface, which takes buffers apart and calls xentfast's C
functions.

The handler gets logits (…, C), targets (…), class weights (…, C) and sample weights (…) where there are any, and the attribute
`options`; its results are the loss and, where two are asked for, the gradient. vmap puts axes in front of every argument and
result: each of their places is a problem of its own. JAX has no part in the build; what is known of XLA is in ffi.h.

The Python side checks all that shapes, dtypes and options decide, and makes a call that fits. It is looked at again here, in
`unpack`, since the handler has a name by which anybody may call it.
"""
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, malloc

from xentfast cimport (
    XENTFAST_BAD_SAMPLE_WEIGHT, XENTFAST_BAD_TARGET, XENTFAST_BAD_WEIGHT, XENTFAST_NO_MEMORY, XENTFAST_NONE, XENTFAST_OK,
    xentfast_api, xentfast_default_options, xentfast_import, xentfast_options)

cdef extern from "numerics/machine.h":
    ctypedef struct xf_mode:
        pass
    xf_mode xf_enter_ieee() noexcept nogil
    void xf_leave_ieee(xf_mode saved) noexcept nogil
    double xf_double(uint64_t bits) noexcept nogil

cdef extern from "jax/ffi.h" nogil:
    enum:
        XF_FFI_MAJOR, XF_FFI_MINOR, XF_FFI_OLDEST_MINOR, XF_FFI_METADATA, XF_FFI_EXECUTE, XF_FFI_BUFFER, XF_FFI_ARRAY
        XF_FFI_INVALID_ARGUMENT, XF_FFI_RESOURCE_EXHAUSTED, XF_FFI_INTERNAL
        XF_FFI_BOOL, XF_FFI_INT8, XF_FFI_INT16, XF_FFI_INT32, XF_FFI_INT64
        XF_FFI_UINT8, XF_FFI_UINT16, XF_FFI_UINT32, XF_FFI_UINT64, XF_FFI_FLOAT32, XF_FFI_FLOAT64

    ctypedef struct xf_ffi_extension:
        size_t bytes
        int kind
    ctypedef struct xf_ffi_version:
        size_t bytes
        xf_ffi_extension* extensions
        int major_version
        int minor_version
    ctypedef struct xf_ffi_metadata:
        size_t bytes
        xf_ffi_version version
        uint32_t traits
    ctypedef struct xf_ffi_metadata_extension:
        xf_ffi_metadata* metadata
    ctypedef struct xf_ffi_error:
        pass
    ctypedef struct xf_ffi_new_error:
        size_t bytes
        xf_ffi_extension* extensions
        const char* message
        int code
    ctypedef struct xf_ffi_api:
        size_t bytes
        xf_ffi_version version
        xf_ffi_error* (*create_error)(xf_ffi_new_error*) noexcept nogil
    ctypedef struct xf_ffi_buffer:
        size_t bytes
        int dtype
        void* data
        int64_t rank
        int64_t* dims
    ctypedef struct xf_ffi_buffers:
        size_t bytes
        int64_t count
        int* kinds
        void** buffers
    ctypedef struct xf_ffi_array:
        int dtype
        size_t count
        void* data
    ctypedef struct xf_ffi_attributes:
        size_t bytes
        int64_t count
        int* kinds
        void** values
    ctypedef struct xf_ffi_call:
        size_t bytes
        xf_ffi_extension* extensions
        const xf_ffi_api* api
        int stage
        xf_ffi_buffers arguments
        xf_ffi_buffers results
        xf_ffi_attributes attributes

    void xf_ffi_ask_for_huge_pages(void* data, size_t bytes) noexcept

    # Sizes up to the last field that is used here.
    size_t METADATA_BYTES "XF_FFI_SIZE(xf_ffi_metadata, traits)"
    size_t METADATA_EXTENSION_BYTES "XF_FFI_SIZE(xf_ffi_metadata_extension, metadata)"
    size_t VERSION_BYTES "XF_FFI_SIZE(xf_ffi_version, minor_version)"
    size_t NEW_ERROR_BYTES "XF_FFI_SIZE(xf_ffi_new_error, code)"
    size_t BUFFER_BYTES "XF_FFI_SIZE(xf_ffi_buffer, dims)"
    size_t BUFFERS_BYTES "XF_FFI_SIZE(xf_ffi_buffers, buffers)"
    size_t ATTRIBUTES_BYTES "XF_FFI_SIZE(xf_ffi_attributes, values)"
    size_t CALL_BYTES "XF_FFI_SIZE(xf_ffi_call, attributes)"

cdef const xentfast_api* api = xentfast_import()

# The attribute: 64 bits each, those of a double for numbers that are no integers. (As integers they are equal where they are the
# same, which nan is not; and JAX compiles anew for each that is not equal to one before.)
OPTIONS = ("reduction", "ignore_index", "n_threads", "has_weight", "has_sample_weight", "label_smoothing", "z_loss",
           "logit_scale", "softcap", "empty")

cdef enum:
    REDUCTION, IGNORE_INDEX, N_THREADS, HAS_WEIGHT, HAS_SAMPLE_WEIGHT, LABEL_SMOOTHING, Z_LOSS, LOGIT_SCALE, SOFTCAP, EMPTY
    N_OPTIONS

cdef enum:
    MESSAGE_BYTES = 1024
    PLACE_BYTES = 320                   # of a place: XLA's arrays have few axes


cdef struct CrossEntropy:
    const xf_ffi_buffer* logits
    const xf_ffi_buffer* targets
    const xf_ffi_buffer* weight         # or NULL
    const xf_ffi_buffer* sample_weight  # or NULL
    const xf_ffi_buffer* loss
    const xf_ffi_buffer* gradient       # or NULL
    const int64_t* options
    int64_t n_problems
    int64_t n_rows                      # of each problem
    int64_t n_classes


# ---- errors


cdef xf_ffi_error* error(const xf_ffi_call* call, int code, const char* message) noexcept nogil:
    cdef xf_ffi_new_error new
    new.bytes, new.extensions, new.message, new.code = NEW_ERROR_BYTES, NULL, message, code
    return call.api.create_error(&new)


cdef xf_ffi_error* misfit(const xf_ffi_call* call) noexcept nogil:
    return error(call, XF_FFI_INVALID_ARGUMENT, "this is no call that xentfast.jax makes: xentfast.jax.softmax_cross_entropy and "
                 "xentfast.jax.softmax_cross_entropy_value_and_grad know which arguments fit")


cdef void write_place(char* text, const xf_ffi_buffer* array, int64_t flat) noexcept nogil:
    """'[3, 17]' for an element of the array in C order; nothing for a scalar."""
    cdef int64_t axis, size = size_of(array)
    cdef size_t used = 0
    cdef const char* form = "[%lld"
    text[0] = 0
    for axis in range(array.rank):
        size //= array.dims[axis]
        used += snprintf(text + used, PLACE_BYTES - used, form, <long long>(flat // size))
        form = ", %lld"
        if used >= PLACE_BYTES - 2:
            return
        flat %= size
    if array.rank > 0:
        snprintf(text + used, PLACE_BYTES - used, "]")


cdef xf_ffi_error* bad_target(const xf_ffi_call* call, const CrossEntropy* given, int64_t row) noexcept nogil:
    cdef char message[MESSAGE_BYTES]
    cdef char place[PLACE_BYTES]
    cdef int64_t value = integer_at(given.targets, row)
    write_place(place, given.targets, row)
    snprintf(message, MESSAGE_BYTES, "targets%s is %lld, but logits have %lld classes (0 to %lld) and ignore_index is %lld",
             place, <long long>value, <long long>given.n_classes, <long long>(given.n_classes - 1),
             <long long>given.options[IGNORE_INDEX])
    return error(call, XF_FFI_INVALID_ARGUMENT, message)


cdef xf_ffi_error* bad_weight(const xf_ffi_call* call, const char* name, const xf_ffi_buffer* weights,
                              int64_t index) noexcept nogil:
    cdef char message[MESSAGE_BYTES]
    cdef char place[PLACE_BYTES]
    cdef double value = number_at(weights, index)
    cdef const char* shown = "nan"
    if value == value:
        shown = "inf"
        if value < 0.0:
            shown = "-inf"
    write_place(place, weights, index)
    snprintf(message, MESSAGE_BYTES, "%s%s is %s; expected finite weights", name, place, shown)
    return error(call, XF_FFI_INVALID_ARGUMENT, message)


# ---- buffers


cdef bint is_integral(const xf_ffi_buffer* array) noexcept nogil:
    return array.dtype in (XF_FFI_INT8, XF_FFI_INT16, XF_FFI_INT32, XF_FFI_INT64, XF_FFI_UINT8, XF_FFI_UINT16, XF_FFI_UINT32,
                           XF_FFI_UINT64)


cdef bint is_real(const xf_ffi_buffer* array) noexcept nogil:
    return is_integral(array) or array.dtype in (XF_FFI_BOOL, XF_FFI_FLOAT32, XF_FFI_FLOAT64)


cdef inline int64_t integer_at(const xf_ffi_buffer* array, int64_t index) noexcept nogil:
    """Numbers that int64 cannot hold become the largest that it can, which is no class either."""
    cdef uint64_t large
    if array.dtype == XF_FFI_INT32:
        return (<const int32_t*>array.data)[index]
    if array.dtype == XF_FFI_INT64:
        return (<const int64_t*>array.data)[index]
    if array.dtype == XF_FFI_INT8:
        return (<const int8_t*>array.data)[index]
    if array.dtype == XF_FFI_INT16:
        return (<const int16_t*>array.data)[index]
    if array.dtype == XF_FFI_UINT16:
        return (<const uint16_t*>array.data)[index]
    if array.dtype == XF_FFI_UINT32:
        return (<const uint32_t*>array.data)[index]
    if array.dtype == XF_FFI_UINT64:
        large = (<const uint64_t*>array.data)[index]
        return <int64_t>min(large, <uint64_t>0x7fffffffffffffff)
    return (<const uint8_t*>array.data)[index]              # bool, too


cdef inline double number_at(const xf_ffi_buffer* array, int64_t index) noexcept nogil:
    if array.dtype == XF_FFI_FLOAT32:
        return (<const float*>array.data)[index]
    if array.dtype == XF_FFI_FLOAT64:
        return (<const double*>array.data)[index]
    if array.dtype == XF_FFI_UINT64:
        return <double>(<const uint64_t*>array.data)[index]
    return <double>integer_at(array, index)


cdef int64_t size_of(const xf_ffi_buffer* array) noexcept nogil:
    cdef int64_t axis, size = 1
    for axis in range(array.rank):
        size *= array.dims[axis]
    return size


cdef const xf_ffi_buffer* buffer_at(const xf_ffi_buffers* buffers, int64_t index) noexcept nogil:
    """NULL where there is none, or one of less than is read here."""
    cdef const xf_ffi_buffer* buffer
    if index >= buffers.count or buffers.kinds[index] != XF_FFI_BUFFER:
        return NULL
    buffer = <const xf_ffi_buffer*>buffers.buffers[index]
    if buffer.bytes < BUFFER_BYTES:
        return NULL
    return buffer


# ---- the call


cdef const int64_t* options_of(const xf_ffi_attributes* attributes) noexcept nogil:
    """NULL where the one attribute is not as described above."""
    cdef const xf_ffi_array* array
    if attributes.count != 1 or attributes.kinds[0] != XF_FFI_ARRAY:
        return NULL
    array = <const xf_ffi_array*>attributes.values[0]
    return <const int64_t*>array.data if array.dtype == XF_FFI_INT64 and array.count == N_OPTIONS else NULL


cdef bint unpack(const xf_ffi_call* call, CrossEntropy* given) noexcept nogil:
    """Whether arguments, results and options fit together."""
    cdef int64_t total_rows, next_argument = 2
    cdef const xf_ffi_buffers* arguments = &call.arguments
    given.options = options_of(&call.attributes)
    given.logits, given.targets = buffer_at(arguments, 0), buffer_at(arguments, 1)
    given.loss, given.gradient = buffer_at(&call.results, 0), buffer_at(&call.results, 1)
    given.weight = given.sample_weight = NULL
    if given.options == NULL or given.logits == NULL or given.targets == NULL or given.loss == NULL:
        return False
    if given.options[HAS_WEIGHT]:
        given.weight = buffer_at(arguments, next_argument)
        next_argument += 1
        if given.weight == NULL or not is_real(given.weight):
            return False
    if given.options[HAS_SAMPLE_WEIGHT]:
        given.sample_weight = buffer_at(arguments, next_argument)
        next_argument += 1
        if given.sample_weight == NULL or not is_real(given.sample_weight):
            return False
    if next_argument != arguments.count or call.results.count != (1 if given.gradient == NULL else 2):
        return False
    if given.logits.rank < 1 or given.logits.dtype not in (XF_FFI_FLOAT32, XF_FFI_FLOAT64) or not is_integral(given.targets):
        return False
    given.n_classes = given.logits.dims[given.logits.rank - 1]
    total_rows = size_of(given.targets)
    if given.n_classes < 1 or size_of(given.logits) != total_rows * given.n_classes:
        return False
    if given.options[REDUCTION] != XENTFAST_NONE:
        given.n_problems = size_of(given.loss)
    else:
        given.n_problems = 1 if given.weight == NULL else size_of(given.weight) // given.n_classes
    given.n_rows = total_rows // given.n_problems if given.n_problems > 0 else 0
    return (given.n_rows * given.n_problems == total_rows
            and (given.weight == NULL or size_of(given.weight) == given.n_problems * given.n_classes)
            and (given.sample_weight == NULL or size_of(given.sample_weight) == total_rows)
            and given.loss.dtype == given.logits.dtype
            and (given.options[REDUCTION] != XENTFAST_NONE or size_of(given.loss) == total_rows)
            and (given.gradient == NULL
                 or given.gradient.dtype == given.logits.dtype and size_of(given.gradient) == size_of(given.logits)))


cdef int64_t* widened_integers(const xf_ffi_buffer* array, int64_t first, int64_t n) noexcept nogil:
    """Memory of the caller's to free, or NULL."""
    cdef int64_t i
    cdef int64_t* wide = <int64_t*>malloc(n * sizeof(int64_t) + 1)
    if wide != NULL:
        for i in range(n):
            wide[i] = integer_at(array, first + i)
    return wide


cdef double* widened_numbers(const xf_ffi_buffer* array, int64_t first, int64_t n) noexcept nogil:
    """Memory of the caller's to free, or NULL. XLA calls with subnormals off, which would read as 0."""
    cdef int64_t i
    cdef xf_mode saved
    cdef double* wide = <double*>malloc(n * sizeof(double) + 1)
    if wide != NULL:
        saved = xf_enter_ieee()
        for i in range(n):
            wide[i] = number_at(array, first + i)
        xf_leave_ieee(saved)
    return wide


cdef int run(const CrossEntropy* given, int64_t problem, const int64_t* targets,
             const xentfast_options* options) noexcept nogil:
    """A problem, by the C function for it."""
    cdef int64_t n_rows = given.n_rows, n_classes = given.n_classes, first = problem * n_rows * n_classes
    cdef int64_t place = problem * n_rows if options.reduction == XENTFAST_NONE else problem
    cdef int n_threads = <int>given.options[N_THREADS]
    cdef const float* logits = <const float*>given.logits.data + first
    cdef const double* wide_logits = <const double*>given.logits.data + first
    if given.logits.dtype == XF_FFI_FLOAT32:
        if given.gradient == NULL:
            return api.softmax_cross_entropy_float32(
                logits, n_rows, n_classes, n_classes, targets, options, n_threads, <float*>given.loss.data + place)
        return api.softmax_cross_entropy_value_and_grad_float32(
            logits, n_rows, n_classes, n_classes, targets, options, n_threads, <float*>given.loss.data + place,
            <float*>given.gradient.data + first, n_classes)
    if given.gradient == NULL:
        return api.softmax_cross_entropy_float64(
            wide_logits, n_rows, n_classes, n_classes, targets, options, n_threads, <double*>given.loss.data + place)
    return api.softmax_cross_entropy_value_and_grad_float64(
        wide_logits, n_rows, n_classes, n_classes, targets, options, n_threads, <double*>given.loss.data + place,
        <double*>given.gradient.data + first, n_classes)


cdef int widen_and_run(const CrossEntropy* given, int64_t problem, int64_t* bad_place) noexcept nogil:
    """A problem, from the buffers' dtypes to those of the C functions: a copy of all but the logits where theirs differ."""
    cdef int64_t first_row = problem * given.n_rows
    cdef int64_t* classes = NULL
    cdef double* weight = NULL
    cdef double* sample_weight = NULL
    cdef const int64_t* targets = <const int64_t*>given.targets.data + first_row
    cdef xentfast_options options = xentfast_default_options()
    cdef int status = XENTFAST_OK
    options.reduction, options.ignore_index = given.options[REDUCTION], given.options[IGNORE_INDEX]
    options.label_smoothing = xf_double(given.options[LABEL_SMOOTHING])
    options.z_loss, options.empty = xf_double(given.options[Z_LOSS]), xf_double(given.options[EMPTY])
    options.logit_scale, options.softcap = xf_double(given.options[LOGIT_SCALE]), xf_double(given.options[SOFTCAP])
    options.bad_place = bad_place
    if given.targets.dtype != XF_FFI_INT64:
        targets = classes = widened_integers(given.targets, first_row, given.n_rows)
        status = XENTFAST_OK if classes != NULL else XENTFAST_NO_MEMORY
    if given.weight != NULL and given.weight.dtype == XF_FFI_FLOAT64:
        options.weight = <const double*>given.weight.data + problem * given.n_classes
    elif given.weight != NULL:
        options.weight = weight = widened_numbers(given.weight, problem * given.n_classes, given.n_classes)
        status = status if weight != NULL else XENTFAST_NO_MEMORY
    if given.sample_weight != NULL and given.sample_weight.dtype == XF_FFI_FLOAT64:
        options.sample_weight = <const double*>given.sample_weight.data + first_row
    elif given.sample_weight != NULL:
        options.sample_weight = sample_weight = widened_numbers(given.sample_weight, first_row, given.n_rows)
        status = status if sample_weight != NULL else XENTFAST_NO_MEMORY
    if status == XENTFAST_OK:
        status = run(given, problem, targets, &options)
    free(classes)
    free(weight)
    free(sample_weight)
    return status


cdef xf_ffi_error* failed(const xf_ffi_call* call, const CrossEntropy* given, int status, int64_t problem,
                          int64_t bad_place) noexcept nogil:
    """A status as an error, with the words of the Python functions for what values decide."""
    if status == XENTFAST_BAD_TARGET:
        return bad_target(call, given, problem * given.n_rows + bad_place)
    if status == XENTFAST_BAD_WEIGHT:
        return bad_weight(call, "weight", given.weight, problem * given.n_classes + bad_place)
    if status == XENTFAST_BAD_SAMPLE_WEIGHT:
        return bad_weight(call, "sample_weight", given.sample_weight, problem * given.n_rows + bad_place)
    return error(call, XF_FFI_RESOURCE_EXHAUSTED if status == XENTFAST_NO_MEMORY else XF_FFI_INVALID_ARGUMENT,
                 api.status_message(status))


# ---- the handler


cdef xf_ffi_error* describe(const xf_ffi_call* call, xf_ffi_metadata* metadata) noexcept nogil:
    """XLA asks before the first call which version this was compiled for, and refuses one that is newer than its own: it is told
    its own where that is older, since all that is used here is the same there. Without `api` it is the oldest."""
    cdef int minor = XF_FFI_OLDEST_MINOR if call.api == NULL else call.api.version.minor_version
    if metadata.bytes < METADATA_BYTES:
        return NULL                                     # nothing said is a version 0.0, which no XLA takes
    metadata.version.bytes, metadata.version.extensions = VERSION_BYTES, NULL
    metadata.version.major_version, metadata.version.minor_version = XF_FFI_MAJOR, min(XF_FFI_MINOR, minor)
    metadata.traits = 0
    return NULL


cdef xf_ffi_error* handle(xf_ffi_call* call) noexcept nogil:
    cdef CrossEntropy given
    cdef int64_t problem, bad_place = -1
    cdef int status
    cdef xf_ffi_extension* extension = call.extensions
    if extension != NULL and extension.kind == XF_FFI_METADATA and extension.bytes >= METADATA_EXTENSION_BYTES:
        return describe(call, (<xf_ffi_metadata_extension*>extension).metadata)
    if (call.bytes < CALL_BYTES or call.api.version.major_version != XF_FFI_MAJOR or call.arguments.bytes < BUFFERS_BYTES
            or call.results.bytes < BUFFERS_BYTES or call.attributes.bytes < ATTRIBUTES_BYTES):
        return error(call, XF_FFI_INTERNAL, "this version of XLA's foreign function interface is not one that xentfast.jax was "
                     "made for; install another jaxlib or a newer xentfast")
    if call.stage != XF_FFI_EXECUTE or not unpack(call, &given):
        return misfit(call)
    if given.gradient != NULL:
        xf_ffi_ask_for_huge_pages(given.gradient.data,
                                  size_of(given.gradient) * (8 if given.gradient.dtype == XF_FFI_FLOAT64 else 4))
    for problem in range(given.n_problems):
        status = widen_and_run(&given, problem, &bad_place)
        if status != XENTFAST_OK:
            return failed(call, &given, status, problem, bad_place)
    return NULL


softmax_cross_entropy = PyCapsule_New(<void*>handle, NULL, NULL)
