"""Targets and weights, before any work: what is bad in them, the sum of the rows' weights, what smoothing gives to each class."""
import numpy as np

cimport numpy as cnp

from xentfast._base import dispatch

from xentfast._base.level cimport Kernels, likely_threads

cnp.import_array()

include "loops.pxi"

cdef enum:
    SCAN = 65536            # rows whose weights are added up before they join the others'; results depend on it


cdef struct Scan:
    Py_ssize_t bad_class        # as in RowsLook
    Py_ssize_t bad_weight
    Total weight


cdef void scan_rows(const int64_t* classes, const double* sample_weight, const double* class_weight,
                    Py_ssize_t first, Py_ssize_t last, int64_t n_classes, int64_t ignored, Scan* scan) noexcept nogil:
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
                elif class_weight != NULL:
                    weight *= class_weight[cls]
            weights[row - start] = weight
        add_values(&scan.weight, weights, min(<Py_ssize_t>BLOCK, last - start))
        start += BLOCK
    xf_leave_ieee(saved)


cdef void scan_span(const SoftmaxKernels* table, const int64_t* classes, const double* sample_weight,
                    const double* class_weight, Py_ssize_t first, Py_ssize_t last, int64_t n_classes, int64_t ignored,
                    Scan* scan) noexcept nogil:
    """scan_rows, but where every row weighs 1 and no class is bad, counting will do."""
    cdef int64_t kept, good
    if classes != NULL and sample_weight == NULL and class_weight == NULL:
        table.count_classes(classes + first, last - first, n_classes, ignored, &kept, &good)
        if good == kept:
            scan.bad_class = scan.bad_weight = -1
            scan.weight.sum = <double>kept
            scan.weight.error = 0.0
            return
    scan_rows(classes, sample_weight, class_weight, first, last, n_classes, ignored, scan)


cdef bint look_at_rows(const SoftmaxKernels* table, Py_ssize_t n_rows, const int64_t* classes, const double* sample_weight,
                       const double* class_weight, int64_t n_classes, int64_t ignored, int n_threads,
                       RowsLook* look) noexcept nogil:
    """False where there is no memory."""
    cdef Py_ssize_t n_spans = (n_rows + SCAN - 1) // SCAN, span
    cdef Scan single
    cdef Scan* scans = &single
    cdef Total total
    cdef xf_mode saved
    if n_spans > 1:
        scans = <Scan*>malloc(n_spans * sizeof(Scan))
        if scans == NULL:
            return False
    look.bad_class = look.bad_weight = -1
    total.sum = total.error = 0.0
    if n_threads == 1 or n_spans < 2:
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
    if n_spans > 1:
        free(scans)
    return True


def scan_targets(Py_ssize_t n_rows, classes, sample_weight, class_weight, int64_t n_classes, int64_t ignored, int n_threads):
    """(first row with a bad class or −1, first row with a bad weight or −1, Σ of the row weights)"""
    cdef const int64_t* class_data = <const int64_t*>data_of(classes, n_rows, sizeof(int64_t))
    cdef const double* sample_data = <const double*>data_of(sample_weight, n_rows, sizeof(double))
    cdef const double* weight_data = <const double*>data_of(class_weight, n_classes, sizeof(double))
    cdef const SoftmaxKernels* table = (<Kernels?>dispatch.kernels).softmax(False)
    cdef RowsLook look
    cdef bint done
    with nogil:
        done = look_at_rows(table, n_rows, class_data, sample_data, weight_data, n_classes, ignored,
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


# ---- smoothing


cdef void set_masses(double smoothing, Py_ssize_t n_classes, const double* class_weight, Py_ssize_t width, Py_ssize_t padded,
                     void* masses, bint as_double) noexcept nogil:
    """class_weight·ε/C for each of `width` classes of C, zeros behind them up to `padded`; `class_weight` may be NULL."""
    cdef xf_mode saved = xf_enter_ieee()
    cdef double share = xf_here(smoothing) / <double>n_classes, mass
    cdef Py_ssize_t cls
    for cls in range(padded):
        mass = share if cls < width else 0.0
        if class_weight != NULL and cls < width:
            mass *= class_weight[cls]
        if as_double:
            (<double*>masses)[cls] = mass
        else:
            (<float*>masses)[cls] = <float>mass
    xf_leave_ieee(saved)


def smoothing_masses(double smoothing, Py_ssize_t n_classes, class_weight, Py_ssize_t width, bint as_double):
    """As an array, whose whole blocks the kernels read. `class_weight`, float64 and contiguous, has those of the width alone."""
    cdef Py_ssize_t lanes = (<Kernels?>dispatch.kernels).lanes
    cdef Py_ssize_t length = (width + lanes - 1) // lanes * lanes
    cdef cnp.ndarray masses = np.empty(length, np.float64 if as_double else np.float32)
    set_masses(smoothing, n_classes, <const double*>data_of(class_weight, width, sizeof(double)), width, length,
               cnp.PyArray_DATA(masses), as_double)
    return masses
