"""Targets and weights, before any work: what is bad in them, and the sum of the rows' weights."""
cimport numpy as cnp


from xentfast._base.level cimport chosen_kernels, likely_threads

cnp.import_array()

include "loops.pxi"

cdef enum:
    SCAN = 65536            # rows whose weights are added up before they join the others'; results depend on it


cdef struct Scan:
    Py_ssize_t bad_class        # as in RowsLook
    Py_ssize_t bad_weight
    Total weight


cdef inline double weight_of(const ClassWeights* weights, int64_t cls, bint single) noexcept nogil:
    cdef const char* source = weights.data + cls * weights.step
    return <double>(<const float*>source)[0] if single else (<const double*>source)[0]


cdef inline void scan_rows(const int64_t* classes, const double* sample_weight, const ClassWeights* class_weight,
                           Py_ssize_t first, Py_ssize_t last, int64_t n_classes, int64_t ignored, Scan* scan,
                           bint single) noexcept nogil:
    cdef double weights[BLOCK]
    cdef double weight
    cdef int64_t cls = 0
    cdef Py_ssize_t start = first, row
    cdef xf_mode saved = xf_enter_ieee()
    scan.bad_class = scan.bad_weight = -1
    scan.weight.sum = scan.weight.error = 0.0
    while start < last:
        for row in range(start, min(start + BLOCK, last)):
            if classes != NULL:
                cls = classes[row]
                if cls == ignored:                      # whatever its weight
                    weights[row - start] = 0.0
                    continue
            weight = 1.0 if sample_weight == NULL else sample_weight[row]
            if weight - weight != 0.0 and scan.bad_weight < 0:
                scan.bad_weight = row
            if classes != NULL:
                if cls < 0 or cls >= n_classes:
                    if weight != 0.0 and scan.bad_class < 0:
                        scan.bad_class = row
                elif class_weight.data != NULL:
                    weight *= weight_of(class_weight, cls, single)
            weights[row - start] = weight
        add_values(&scan.weight, weights, min(<Py_ssize_t>BLOCK, last - start))
        start += BLOCK
    xf_leave_ieee(saved)


cdef void scan_span(const SoftmaxKernels* table, const int64_t* classes, const double* sample_weight,
                    const ClassWeights* class_weight, Py_ssize_t first, Py_ssize_t last, int64_t n_classes, int64_t ignored,
                    Scan* scan) noexcept nogil:
    """scan_rows, but where every row weighs 1 and no class is bad, counting will do."""
    cdef int64_t kept, good
    if classes != NULL and sample_weight == NULL and class_weight.data == NULL:
        table.count_classes(classes + first, last - first, n_classes, ignored, &kept, &good)
        if good == kept:
            scan.bad_class = scan.bad_weight = -1
            scan.weight.sum = <double>kept
            scan.weight.error = 0.0
            return
    if class_weight.data != NULL and class_weight.single:
        scan_rows(classes, sample_weight, class_weight, first, last, n_classes, ignored, scan, True)
    else:
        scan_rows(classes, sample_weight, class_weight, first, last, n_classes, ignored, scan, False)


cdef bint look_at_rows(const SoftmaxKernels* table, Py_ssize_t n_rows, const int64_t* classes, const double* sample_weight,
                       const ClassWeights* class_weight, int64_t n_classes, int64_t ignored, int n_threads,
                       RowsLook* look) noexcept nogil:
    """False where there is no memory."""
    cdef Py_ssize_t n_spans = (n_rows + SCAN - 1) // SCAN, span
    cdef Scan single
    cdef Scan* scans
    cdef Total total
    cdef xf_mode saved
    if n_spans == 1:                                    # most calls
        scan_span(table, classes, sample_weight, class_weight, 0, n_rows, n_classes, ignored, &single)
        look.bad_class, look.bad_weight, look.weight_sum = single.bad_class, single.bad_weight, total_of(&single.weight)
        return True
    scans = <Scan*>malloc(n_spans * sizeof(Scan) + 1)
    if scans == NULL:
        return False
    look.bad_class = look.bad_weight = -1
    total.sum = total.error = 0.0
    if n_threads == 1:
        for span in range(n_spans):
            scan_span(table, classes, sample_weight, class_weight, span * SCAN, min((span + 1) * SCAN, n_rows), n_classes,
                      ignored, scans + span)
    else:
        for span in prange(n_spans, num_threads=likely_threads(n_threads, n_rows), schedule="dynamic"):
            scan_span(table, classes, sample_weight, class_weight, span * SCAN, min((span + 1) * SCAN, n_rows), n_classes,
                      ignored, scans + span)
    saved = xf_enter_ieee()
    for span in range(n_spans):
        if look.bad_class < 0:
            look.bad_class = scans[span].bad_class
        if look.bad_weight < 0:
            look.bad_weight = scans[span].bad_weight
        add_values(&total, &scans[span].weight.sum, 1)
        total.error += scans[span].weight.error
    xf_leave_ieee(saved)
    look.weight_sum = total_of(&total)
    free(scans)
    return True


def scan_targets(Py_ssize_t n_rows, classes, sample_weight, class_weight, int64_t n_classes, int64_t ignored, int n_threads):
    """(first row with a bad class or −1, first row with a bad weight or −1, Σ of the row weights)"""
    cdef const int64_t* class_data = <const int64_t*>data_of(classes, n_rows, sizeof(int64_t))
    cdef const double* sample_data = <const double*>data_of(sample_weight, n_rows, sizeof(double))
    cdef ClassWeights weights
    cdef const SoftmaxKernels* table = chosen_kernels().softmax(False)
    cdef RowsLook look
    cdef bint done
    weights.data = weights_of(class_weight, n_classes, &weights.step, &weights.single)
    with nogil:
        done = look_at_rows(table, n_rows, class_data, sample_data, &weights, n_classes, ignored,
                            count_threads(n_threads, n_rows), &look)
    if not done:
        raise MemoryError("no memory to scan the targets")
    return look.bad_class, look.bad_weight, look.weight_sum


cdef void without_ignored(const int64_t* classes, Py_ssize_t n_rows, int64_t ignored, int64_t* result) noexcept nogil:
    """Classes, −1 where they are ignored. `result` may be `classes`."""
    cdef Py_ssize_t row
    for row in range(n_rows):
        result[row] = -1 if classes[row] == ignored else classes[row]


def skip_ignored(cnp.ndarray classes, int64_t ignored):
    """Put −1, which the kernels skip, where `classes` (contiguous) is `ignored`."""
    cdef int64_t* data = <int64_t*>cnp.PyArray_DATA(classes)
    with nogil:
        without_ignored(data, cnp.PyArray_SIZE(classes), ignored, data)
