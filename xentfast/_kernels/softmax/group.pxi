# A group: up to LANES rows that are settled together, whether they were swept one after the other (rows.pxi) or side by side
# (tiles.pxi). Where they are in memory, their targets, weights and masses.


cdef struct RowGroup:
    Py_ssize_t count
    Py_ssize_t logits[LANES]                # byte offsets
    Py_ssize_t out[LANES]
    Py_ssize_t hess[LANES]
    Py_ssize_t soft[LANES]
    Py_ssize_t open[LANES]
    Py_ssize_t target[LANES]                # −1 where there is none to leave out
    bint skip[LANES]
    double x_target[LANES]
    double target_mass[LANES]
    double weight[LANES]
    double slope[LANES]                     # what a cap, or being excluded, makes of the target's gradient
    double spread[LANES]


cdef struct RowPlace:               # a row's pointers, whatever the operands' strides
    const char* logits
    const char* soft
    const char* open                # its bytes of `where`, or NULL
    char* out
    char* hess
    Py_ssize_t target               # −1 where there is none
    double spread                   # what smoothing gives to each class


cdef inline void blank_rows(const Problem* problem, RowGroup* rows, Py_ssize_t n_rows) noexcept nogil:
    """What place_rows and those after it set only for options that say so: once for all groups of a range. Rows that are skipped,
    or that a group is short of, may keep what an earlier group had there: nothing of them is used."""
    cdef Py_ssize_t row
    for row in range(n_rows):
        rows.target[row] = -1
        rows.x_target[row] = 0.0
        rows.target_mass[row] = 1.0
        rows.weight[row] = 1.0
        rows.slope[row] = 1.0
        rows.spread[row] = spread_of(problem, NULL)


cdef void place_rows(const Problem* problem, Py_ssize_t first, Py_ssize_t count, RowGroup* rows) noexcept nogil:
    """Rows first, first + 1, …: where they are, their targets, sample weights and spreads."""
    cdef uint64_t n_classes = problem.n_classes + problem.other_classes
    cdef int64_t cls
    cdef Py_ssize_t row
    rows.count = count
    row_offsets(problem, &problem.logits, first, count, rows.logits)
    if problem.out.data != NULL:
        row_offsets(problem, &problem.out, first, count, rows.out)
    if problem.hess.data != NULL:
        row_offsets(problem, &problem.hess, first, count, rows.hess)
    if problem.soft.data != NULL:
        row_offsets(problem, &problem.soft, first, count, rows.soft)
    if problem.where.data != NULL:
        row_offsets(problem, &problem.where, first, count, rows.open)
    for row in range(LANES):
        rows.skip[row] = row >= count
    if problem.classes != NULL:
        # Read once. What is no class by now, though it was one when the caller looked, is skipped as an ignored row is: whoever
        # writes to targets during a call gets wrong numbers, but no index leads out of an array.
        for row in range(count):
            cls = problem.classes[first + row]
            rows.target[row] = cls - problem.first_class
            rows.skip[row] |= <uint64_t>cls >= n_classes
    if problem.sample_weight != NULL:
        for row in range(count):
            rows.weight[row] = problem.sample_weight[first + row]
            rows.skip[row] |= rows.weight[row] == 0.0
    if problem.sample_weight != NULL or problem.where.data != NULL:
        for row in range(count):
            rows.target[row] = -1 if rows.skip[row] else rows.target[row]
    if problem.open_classes != NULL:
        for row in range(count):
            rows.spread[row] = problem.smoothing / <double>max(problem.open_classes[first + row], <int64_t>1)
    elif problem.where.data != NULL and problem.smoothing != 0.0:
        for row in range(count):
            if not rows.skip[row]:
                rows.spread[row] = spread_of(problem, problem.where.data + rows.open[row])


cdef inline RowPlace place_of_row(const Problem* problem, const RowGroup* rows, Py_ssize_t row) noexcept nogil:
    cdef RowPlace place
    place.logits = problem.logits.data + rows.logits[row]
    place.soft = problem.soft.data + rows.soft[row] if problem.soft.data != NULL else NULL
    place.open = problem.where.data + rows.open[row] if problem.where.data != NULL else NULL
    place.out = problem.out.data + rows.out[row] if problem.out.data != NULL else NULL
    place.hess = problem.hess.data + rows.hess[row] if problem.hess.data != NULL else NULL
    place.target = rows.target[row]
    place.spread = rows.spread[row]
    return place


cdef inline void weigh_targets_as(const Problem* problem, RowGroup* rows, bint single) noexcept nogil:
    cdef Py_ssize_t row
    cdef bint closed
    for row in range(rows.count):
        if not rows.skip[row]:
            closed = (problem.where.data != NULL
                      and (problem.where.data + rows.open[row])[rows.target[row] * problem.where.step] == 0)
            rows.target_mass[row] = target_mass_of(problem, closed, rows.target[row], rows.spread[row], single)


cdef void weigh_targets(const Problem* problem, RowGroup* rows) noexcept nogil:
    """The targets' masses, of rows that place_rows has placed."""
    if problem.classes == NULL or (problem.smoothing == 0.0 and problem.class_weight == NULL):
        return
    if problem.weight_single:
        weigh_targets_as(problem, rows, True)
    else:
        weigh_targets_as(problem, rows, False)
