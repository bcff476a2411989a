# Softmax cross-entropy for _capi.pyx: checks in the order of their price, then a Problem.

cdef struct Loss:
    Rows rows
    const int64_t* targets
    xentfast_options options
    bint valued                 # losses are asked for …
    void* loss
    bint sloped                 # … and the gradient
    char* grad
    int64_t grad_stride         # in bytes
    double divisor
    int64_t* classes            # memory for the targets where the kernels would not skip the ignored ones, or NULL


cdef int set_options(Loss* call, const xentfast_options* given) noexcept nogil:
    """What was given, checked, or the defaults."""
    cdef xentfast_options* options = &call.options
    cdef int64_t cls
    options[0] = xentfast_default_options()
    if given == NULL:
        return XENTFAST_OK
    if given.bytes != sizeof(xentfast_options):             # that of the first version; shorter ones once there are longer ones
        return XENTFAST_BAD_OPTION
    options[0] = given[0]
    if not (0.0 <= options.label_smoothing <= 1.0 and finite(options.z_loss) and finite(options.logit_scale)
            and finite(options.softcap) and (options.softcap == 0.0 or options.softcap >= policy.smallest)
            and options.reduction in (XENTFAST_MEAN, XENTFAST_SUM, XENTFAST_NONE)):
        return XENTFAST_BAD_OPTION
    if options.weight != NULL:
        for cls in range(call.rows.n_classes):
            if not finite(options.weight[cls]):
                return bad(XENTFAST_BAD_WEIGHT, options, cls)
    return XENTFAST_OK


cdef inline bint gives_each(const Loss* call) noexcept nogil:
    """A loss for each row."""
    return call.valued and call.options.reduction == XENTFAST_NONE


cdef int check_outputs(const Loss* call) noexcept nogil:
    cdef const Rows* rows = &call.rows
    cdef int64_t row_bytes = rows.n_classes * rows.itemsize
    if call.valued and call.loss == NULL and (rows.n_rows > 0 or not gives_each(call)):
        return XENTFAST_BAD_POINTER
    if rows.n_rows == 0:
        return XENTFAST_OK
    if call.targets == NULL or (call.sloped and call.grad == NULL):
        return XENTFAST_BAD_POINTER
    if call.sloped and rows.n_rows > 1 and -row_bytes < call.grad_stride < row_bytes:
        return XENTFAST_BAD_SHAPE
    if call.sloped and shares_elements(rows, call.grad, call.grad_stride):
        return XENTFAST_OVERLAP
    return XENTFAST_OK


cdef int check_values(Loss* call) noexcept nogil:
    """A look at targets and weights, which adds up what the mean is over."""
    cdef const xentfast_options* options = &call.options
    cdef ClassWeights weights
    cdef RowsLook look
    weights.data, weights.step, weights.single = <const char*>options.weight, sizeof(double), False
    if not look_at_rows(policy.softmax_float, call.rows.n_rows, call.targets, options.sample_weight, &weights,
                        call.rows.n_classes, options.ignore_index, call.rows.n_threads, &look):
        return XENTFAST_NO_MEMORY
    if look.bad_weight >= 0:
        return bad(XENTFAST_BAD_SAMPLE_WEIGHT, options, look.bad_weight)
    if look.bad_class >= 0:
        return bad(XENTFAST_BAD_TARGET, options, look.bad_class)
    call.divisor = look.weight_sum if options.reduction == XENTFAST_MEAN else 1.0
    return XENTFAST_OK


cdef void store_loss(Loss* call, double value) noexcept nogil:
    if call.rows.type == FLOAT64:
        (<double*>call.loss)[0] = value
    else:
        (<float*>call.loss)[0] = <float>value


cdef void run_empty(Loss* call) noexcept nogil:
    """The mean of nothing."""
    cdef int64_t row
    for row in range(call.rows.n_rows if call.sloped else 0):
        memset(call.grad + row * call.grad_stride, 0, call.rows.n_classes * call.rows.itemsize)
    if call.valued:
        store_loss(call, call.options.empty)


cdef int run_loss(Loss* call) noexcept nogil:
    """All checks done, all memory but the threads' there."""
    cdef const Rows* rows = &call.rows
    cdef const xentfast_options* options = &call.options
    cdef int64_t row_bytes = rows.n_classes * rows.itemsize
    cdef bint each = gives_each(call)
    cdef Problem problem
    cdef double total
    set_problem(&problem, rows)
    problem.result = GRADIENT if call.sloped else LOSS
    problem.classes = call.targets
    problem.sample_weight = options.sample_weight
    problem.class_weight = <const char*>options.weight
    problem.weight_step = sizeof(double)
    problem.smoothing = options.label_smoothing
    problem.gradient_scale = inverse_of(call.divisor)
    if call.classes != NULL:
        without_ignored(call.targets, rows.n_rows, options.ignore_index, call.classes)
        problem.classes = call.classes
    if options.z_loss != 0.0 or options.logit_scale != 1.0 or options.softcap != 0.0:
        set_shape(&problem, options.logit_scale, options.softcap, options.z_loss)
    if call.sloped:
        problem.out.data = call.grad
        problem.out.strides[0] = call.grad_stride
        problem.out.step = rows.itemsize
        problem.stream = (rows.n_rows * row_bytes > policy.stream_bytes and row_bytes <= policy.stream_row_bytes
                          and apart(rows, call.grad, call.grad_stride))
    if not compute_problem(own_kernels(rows.type), &problem, NULL, rows.n_threads, call.loss if each else NULL, rows.type,
                           &total):
        return XENTFAST_NO_MEMORY
    if call.valued and not each:
        store_loss(call, quotient(total, call.divisor, NULL, rows.type == FLOAT64))
    return XENTFAST_OK


cdef int cross_entropy(Loss* call, const xentfast_options* given) noexcept nogil:
    """A call whose rows and outputs are set."""
    cdef bint has_ignored
    cdef int status = set_options(call, given)
    if status == XENTFAST_OK:
        status = check_outputs(call)
    if status == XENTFAST_OK:
        status = check_values(call)
    if status != XENTFAST_OK:
        return status
    if is_nothing(call.divisor):
        run_empty(call)
        return XENTFAST_OK
    has_ignored = call.options.ignore_index >= 0 and call.rows.n_rows > 0
    call.classes = <int64_t*>malloc(call.rows.n_rows * sizeof(int64_t)) if has_ignored else NULL
    status = XENTFAST_NO_MEMORY
    if call.classes != NULL or not has_ignored:
        status = run_loss(call)
    free(call.classes)
    return status


cdef int loss_of(ValueType type, const void* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride,
                 const int64_t* targets, const xentfast_options* options, int n_threads, bint valued, void* loss, bint sloped,
                 void* grad, int64_t grad_stride) noexcept nogil:
    cdef Loss call
    cdef int status = set_rows(&call.rows, type, logits, n_rows, n_classes, row_stride, n_threads)
    if status != XENTFAST_OK:
        return status
    call.targets = targets
    call.valued, call.loss = valued, loss
    call.sloped, call.grad, call.grad_stride = sloped, <char*>grad, step(&call.rows, grad_stride)
    return cross_entropy(&call, options)


cdef int softmax_cross_entropy_float32(
        const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, float* loss) noexcept nogil:
    return loss_of(FLOAT32, logits, n_rows, n_classes, row_stride, targets, options, n_threads, True, loss, False, NULL, 0)


cdef int softmax_cross_entropy_float64(
        const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, double* loss) noexcept nogil:
    return loss_of(FLOAT64, logits, n_rows, n_classes, row_stride, targets, options, n_threads, True, loss, False, NULL, 0)


cdef int softmax_cross_entropy_grad_float32(
        const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, float* grad, int64_t grad_stride) noexcept nogil:
    return loss_of(FLOAT32, logits, n_rows, n_classes, row_stride, targets, options, n_threads, False, NULL, True, grad,
                   grad_stride)


cdef int softmax_cross_entropy_grad_float64(
        const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, double* grad, int64_t grad_stride) noexcept nogil:
    return loss_of(FLOAT64, logits, n_rows, n_classes, row_stride, targets, options, n_threads, False, NULL, True, grad,
                   grad_stride)


cdef int softmax_cross_entropy_value_and_grad_float32(
        const float* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, float* loss, float* grad, int64_t grad_stride) noexcept nogil:
    return loss_of(FLOAT32, logits, n_rows, n_classes, row_stride, targets, options, n_threads, True, loss, True, grad,
                   grad_stride)


cdef int softmax_cross_entropy_value_and_grad_float64(
        const double* logits, int64_t n_rows, int64_t n_classes, int64_t row_stride, const int64_t* targets,
        const xentfast_options* options, int n_threads, double* loss, double* grad, int64_t grad_stride) noexcept nogil:
    return loss_of(FLOAT64, logits, n_rows, n_classes, row_stride, targets, options, n_threads, True, loss, True, grad,
                   grad_stride)
