# Partial results of a slice of the classes: where a row's classes are in several places, each place makes records of its chunks,
# and whoever has the records of all chunks has the row's value, and the gradient of whichever slice it has the logits of.
#
# slice_chunks     a slice's logits → a Record a chunk (softmax.pxd): what sweep_row leaves of it
# combine_rows     the records of whole rows → their values
# combine_chunks   the same, and a slice's logits → that slice of the gradient, its exponentials made anew
#
# The fold over the records is that over a row's chunks. Slices that begin at multiples of a chunk have the chunks of the whole
# rows, and so the bits.


cdef inline Py_ssize_t slice_stats(const Problem* problem, Py_ssize_t n_chunks) noexcept nogil:
    """Doubles for the stats of one row's chunks of the slice, its target's logit behind them."""
    return N_FIELDS * n_chunks + 1


cdef Py_ssize_t slices_scratch(const Problem* problem, real kind) noexcept nogil:
    """Bytes: stats of the whole row, of the slices of a group of rows, and the buffers of a row."""
    cdef Py_ssize_t doubles = N_FIELDS * problem.n_records + LANES
    doubles += slice_stats(problem, chunk_count(problem, kind)) * (rows_at_once(problem, kind) if writes_classes(problem) else 1)
    return doubles * 8 + ROW_BUFFERS


cdef inline void write_record(const Problem* problem, const double* stats, Py_ssize_t n_chunks, Py_ssize_t k, Py_ssize_t n,
                              const RowPlace* place, Record* record, real kind) noexcept nogil:
    cdef Py_ssize_t start = k * chunk_length(kind)
    record.reference = stats[REFERENCE * n_chunks + k]
    record.sum = stats[TAIL * n_chunks + k]
    record.mass = stats[MASS * n_chunks + k]
    record.moment = stats[MOMENT * n_chunks + k]
    if problem.classes == NULL:
        record.state = TARGET_SOFT
        if problem.class_weight != NULL:
            record.target = weight_of_chunk(problem, place.soft, start, n)
    elif start <= place.target < start + n:
        record.target = stats[N_FIELDS * n_chunks]
        record.state = TARGET_HERE
        if place.open != NULL and place.open[place.target * problem.where.step] == 0:
            record.state = TARGET_EXCLUDED


cdef void slice_chunks(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                       real kind) noexcept nogil:
    """Chunks [first, last) of the slice, counted through all rows, → their records. Rows that are skipped have but the counts."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind), chunk = first, row, k, start, stop, n
    cdef double* stats = <double*>scratch
    cdef real* buffer = <real*>(stats + slice_stats(problem, n_chunks))
    cdef Record* record
    cdef RowGroup rows
    cdef RowPlace place
    blank_rows(problem, &rows, LANES)
    memset(row_values, 0, (last - first) * sizeof(double))
    while chunk < last:
        row = chunk // n_chunks
        start = chunk - row * n_chunks
        stop = min(n_chunks, start + last - chunk)
        place_rows(problem, row, 1, &rows)
        place = place_of_row(problem, &rows, 0)
        if not rows.skip[0]:
            sweep_any(problem, &place, start, stop, NULL, stats, buffer)
        for k in range(start, stop):
            n = min(chunk_length(kind), problem.n_classes - k * chunk_length(kind))
            record = problem.records + row * n_chunks + k
            memset(record, 0, sizeof(Record))
            record.count = <double>n
            record.digits = 24.0 if real is float else 53.0
            if not rows.skip[0]:
                write_record(problem, stats, n_chunks, k, n, &place, record, kind)
        chunk += stop - start


cdef inline void fold_records(const Problem* problem, const Record* records, RowGroup* rows, Py_ssize_t row, double* whole,
                              double* folds, real kind) noexcept nogil:
    """A row's records → its stats, its fold, and what its target brings."""
    cdef Py_ssize_t n = problem.n_records, k
    cdef const Record* record = records
    cdef double x_target = 0.0
    cdef bint closed = False
    cdef Fold fold
    for k in range(n):
        whole[REFERENCE * n + k] = record.reference
        whole[TAIL * n + k] = record.sum
        whole[MASS * n + k] = record.mass
        whole[MOMENT * n + k] = record.moment
        if record.state == TARGET_HERE or record.state == TARGET_EXCLUDED:
            x_target = record.target
            closed = record.state == TARGET_EXCLUDED
        record += 1
    fold = fold_chunks(problem, whole, n, 1, kind)
    keep_fold(&fold, row, folds)
    if problem.classes == NULL:
        return
    rows.x_target[row] = shaped_target(problem, x_target, NULL, rows.target[row], &rows.slope[row], kind)
    rows.slope[row] = 0.0 if closed else rows.slope[row]
    rows.target_mass[row] = target_mass_of(problem, closed, rows.target[row], rows.spread[row], problem.weight_single)


cdef inline void combine_group(const Problem* problem, Py_ssize_t first, Py_ssize_t count, RowGroup* rows, double* whole,
                               double* slices, Settled* settled, real kind) noexcept nogil:
    """Rows first, first + 1, …, up to LANES: settled. `slices` gets the stats of each row's chunks of the slice, unless NULL."""
    cdef double folds[N_FIELDS * LANES]
    cdef Py_ssize_t n = problem.n_records, n_chunks = chunk_count(problem, kind), row, k
    cdef double* own
    memset(folds, 0, sizeof(folds))
    place_rows(problem, first, count, rows)
    for row in range(count):
        if rows.skip[row]:
            continue
        fold_records(problem, problem.records + (first + row) * n, rows, row, whole, folds, kind)
        if slices != NULL:
            own = slices + row * slice_stats(problem, n_chunks)
            for k in range(n_chunks):
                own[REFERENCE * n_chunks + k] = whole[REFERENCE * n + problem.first_record + k]
                own[SHARE * n_chunks + k] = whole[SHARE * n + problem.first_record + k]
    settle_rows(problem, rows, folds, settled, kind)


cdef void combine_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                       real kind) noexcept nogil:
    """Rows [first, last), of which there are no logits."""
    cdef RowGroup rows
    cdef Settled settled
    cdef Py_ssize_t start = first
    blank_rows(problem, &rows, LANES)
    while start < last:
        combine_group(problem, start, min(<Py_ssize_t>LANES, last - start), &rows, <double*>scratch, NULL, &settled, kind)
        settled_values(problem, &rows, &settled, 0, row_values + start - first, kind)
        start += LANES


cdef void combine_chunks(const Problem* problem, Py_ssize_t first, Py_ssize_t last, char* scratch, double* row_values,
                         real kind) noexcept nogil:
    """Chunks [first, last) of the slice's gradient, counted through all rows. `problem.again` is set. A thread whose part begins
    or ends within a row settles that row for itself."""
    cdef Py_ssize_t n_chunks = chunk_count(problem, kind), group = rows_at_once(problem, kind)
    cdef double* whole = <double*>scratch
    cdef double* slices = whole + N_FIELDS * problem.n_records
    cdef real* buffer = <real*>(slices + group * slice_stats(problem, n_chunks))
    cdef Py_ssize_t start = first // n_chunks, stop = (last + n_chunks - 1) // n_chunks, count, row, before
    cdef RowGroup rows
    cdef Settled settled
    cdef RowPlace place
    cdef RowState state
    blank_rows(problem, &rows, LANES)
    memset(row_values, 0, (last - first) * sizeof(double))
    while start < stop:
        count = min(group, stop - start)
        combine_group(problem, start, count, &rows, whole, slices, &settled, kind)
        for row in range(count):
            place = place_of_row(problem, &rows, row)
            state = state_of(&settled, row, rows.skip[row])
            before = (start + row) * n_chunks
            scale_any(problem, &state, &place, max(first - before, <Py_ssize_t>0), min(last - before, n_chunks), NULL,
                      slices + row * slice_stats(problem, n_chunks), buffer)
        start += count
