# The load stage: rows and chunks as the arithmetic wants them, plain and contiguous, whatever the array's strides.
from libc.string cimport memcpy, memset

cdef extern from "numerics/transpose.h":
    enum:
        SIDE "XF_SIDE"
    void xf_side_to_tile_float(const char* rows, Py_ssize_t step, Py_ssize_t n, float* tile, Py_ssize_t lanes) noexcept nogil
    void xf_tile_to_side_float(const float* tile, Py_ssize_t lanes, Py_ssize_t n, char* rows, Py_ssize_t step) noexcept nogil
    void xf_rows_to_tile_float(const float* a, const float* b, const float* c, const float* d, Py_ssize_t n, float* tile,
                               Py_ssize_t lanes) noexcept nogil
    void xf_tile_to_rows_float(const float* tile, Py_ssize_t lanes, Py_ssize_t n, float* a, float* b, float* c,
                               float* d) noexcept nogil


cdef inline Py_ssize_t chunk_length(real kind) noexcept nogil:
    """Classes in a chunk; results depend on it."""
    return CHUNK_BYTES // <Py_ssize_t>sizeof(real)


cdef inline Py_ssize_t chunk_count(const Problem* problem, real kind) noexcept nogil:
    return (problem.n_classes + chunk_length(kind) - 1) // chunk_length(kind)


cdef inline void row_offsets(const Problem* problem, const Operand* operand, Py_ssize_t first, Py_ssize_t count,
                             Py_ssize_t* offsets) noexcept nogil:
    """offsets[0 : count]: the bytes from `operand.data` to rows first, first + 1, …"""
    cdef Py_ssize_t index[MAX_AXES]
    cdef Py_ssize_t row = first, offset = 0, stride
    cdef int axis
    if problem.n_axes == 1:
        offset, stride = first * operand.strides[0], operand.strides[0]
        if count == LANES:                          # a constant, which lanes take
            for row in range(LANES):
                offsets[row] = offset + row * stride
        else:
            for row in range(count):
                offsets[row] = offset + row * stride
        return
    for axis in range(problem.n_axes - 1, -1, -1):
        index[axis] = row % problem.shape[axis]
        row //= problem.shape[axis]
        offset += index[axis] * operand.strides[axis]
    for row in range(count):
        offsets[row] = offset
        axis = problem.n_axes - 1
        while axis >= 0:
            index[axis] += 1
            offset += operand.strides[axis]
            if index[axis] < problem.shape[axis]:
                break
            offset -= index[axis] * operand.strides[axis]
            index[axis] = 0
            axis -= 1


cdef inline Py_ssize_t item_bytes(ValueType type) noexcept nogil:
    return 8 if type == FLOAT64 else 4 if type == FLOAT32 else 2


cdef inline bint plain_classes(const Operand* operand, ValueType type, real kind) noexcept nogil:
    """Whether a row of it is an array of the kernel's own type."""
    return item_bytes(type) == <Py_ssize_t>sizeof(real) and operand.step == <Py_ssize_t>sizeof(real)


cdef inline float kept_float(float x, uint8_t open) noexcept nogil:
    """x, or −inf where `open` is 0, by bits: a choice between numbers would become a masked load."""
    cdef uint32_t closed = <uint32_t>((<int32_t>open - 1) >> 31)
    return xf_float((xf_bits32(x) & ~closed) | (closed & <uint32_t>0xff800000))


cdef void exclude(const char* open, Py_ssize_t step, Py_ssize_t n, const real* x, real* buffer) noexcept nogil:
    """buffer[0 : n] = x[0 : n], −inf where a byte of `open` is 0. `buffer` may be x."""
    cdef Py_ssize_t i
    if real is float:
        if step == 1:
            for i in range(n):
                buffer[i] = kept_float(x[i], (<const uint8_t*>open)[i])
            return
    for i in range(n):
        buffer[i] = x[i] if (<const uint8_t*>(open + i * step))[0] != 0 else -INFINITY


cdef inline const real* load_chunk(const Problem* problem, const char* row, const char* open_row, Py_ssize_t start,
                                   Py_ssize_t n, real* buffer) noexcept nogil:
    """Classes [start, start + n) of a row of logits, the sign of logit_scale put on them and excluded ones at −inf: in place
    where that leaves them as they are, else in `buffer`."""
    cdef const char* source = row + start * problem.logits.step
    cdef const real* x = <const real*>source
    cdef Py_ssize_t cls
    if not plain_classes(&problem.logits, problem.type, <real>0):
        read_values(source, problem.logits.step, problem.type, n, buffer)
        x = buffer
    if problem.negate:
        for cls in range(n):
            buffer[cls] = flipped(x[cls])
        x = buffer
    if open_row != NULL:
        if problem.where.step == 1:                     # the next chunk's; logits have theirs fetched while they are summed
            for cls in range(chunk_length(<real>0) // 64):
                XF_PREFETCH(open_row + start + chunk_length(<real>0) + 64 * cls)
        exclude(open_row + start * problem.where.step, problem.where.step, n, x, buffer)
        x = buffer
    return x


cdef inline const real* kept_chunk(const Problem* problem, const char* out_row, Py_ssize_t start, Py_ssize_t n,
                                   real* buffer) noexcept nogil:
    """What store_chunk put into `out`, of the kernel's own type: in place where it is contiguous, else in `buffer`."""
    cdef const char* source = out_row + start * problem.out.step
    if plain_classes(&problem.out, problem.type, <real>0):
        return <const real*>source
    read_values(source, problem.out.step, problem.type, n, buffer)
    return buffer


cdef inline void store_chunk(const Problem* problem, char* out_row, Py_ssize_t start, Py_ssize_t n,
                             const real* buffer) noexcept nogil:
    write_values(buffer, n, out_row + start * problem.out.step, problem.out.step, problem.type)


cdef inline real closed_value(const Problem* problem, real kind) noexcept nogil:
    """What is written of a class that `where` leaves out, whatever its row is."""
    return -INFINITY if problem.result == LOG_SOFTMAX else 0


cdef inline void bound_hess(const Problem* problem, real* values, Py_ssize_t n) noexcept nogil:
    """What a caller wants to be sure of: no sign, or no less than a number. nan stays."""
    cdef real floor = <real>problem.hess_floor, value
    cdef bint signless = problem.hess_size
    cdef Py_ssize_t i
    if problem.hess_floor == 0.0 and not signless:
        return
    for i in range(n):
        value = values[i]
        value = -value if signless and value < 0 else value
        values[i] = floor if value < floor else value


cdef void fill_chunk(const Problem* problem, const Operand* operand, char* row, const char* open_row, Py_ssize_t start,
                     Py_ssize_t n, bint bad, real* buffer) noexcept nogil:
    """Of a row that is skipped, 0; of a bad one, nan, but for the classes that `where` leaves out."""
    cdef Py_ssize_t cls
    for cls in range(n):
        buffer[cls] = <real>(NAN if bad else 0)
    if bad and open_row != NULL:
        for cls in range(n):
            if open_row[(start + cls) * problem.where.step] == 0:
                buffer[cls] = closed_value(problem, <real>0)
    if operand == &problem.hess:
        bound_hess(problem, buffer, n)
    write_values(buffer, n, row + start * operand.step, operand.step, problem.type)


# ---- masses: what soft targets, smoothing and class weights put on each class


cdef Py_ssize_t count_open(const Problem* problem, const char* open_row) noexcept nogil:
    """How many classes of a row `where` leaves in; at least 1."""
    cdef Py_ssize_t cls, count = 0
    if problem.where.step == 1:
        for cls in range(problem.n_classes):
            count += (<const uint8_t*>open_row)[cls] != 0
    else:
        for cls in range(problem.n_classes):
            count += (<const uint8_t*>(open_row + cls * problem.where.step))[0] != 0
    return max(count, <Py_ssize_t>1)


cdef inline double spread_of(const Problem* problem, const char* open_row) noexcept nogil:
    """What smoothing gives to each class that is not excluded: ε over their number."""
    if problem.smoothing == 0.0:
        return 0.0
    return problem.smoothing / <double>(problem.n_classes + problem.other_classes if open_row == NULL
                                        else count_open(problem, open_row))


cdef enum:
    MASSES_AT_ONCE = 256        # as doubles, which stay in L1


cdef enum Evenness:
    UNEVEN
    EVEN                        # 0, or what smoothing spreads
    ALL_EVEN                    # that, but for the target: nothing needs to be loaded


cdef inline Evenness evenness_of(const Problem* problem) noexcept nogil:
    if problem.soft.data != NULL or problem.class_weight != NULL:
        return UNEVEN
    return ALL_EVEN if problem.where.data == NULL else EVEN


cdef inline bint masses_are_targets(const Problem* problem) noexcept nogil:
    """Soft targets as they are."""
    return (problem.soft.data != NULL and problem.smoothing == 0.0 and problem.class_weight == NULL
            and problem.where.data == NULL)


cdef inline double weight_of_class(const Problem* problem, Py_ssize_t cls, bint single) noexcept nogil:
    """`single`: weight_single, a constant where it stands in a loop."""
    cdef const char* source = problem.class_weight + cls * problem.weight_step
    return <double>(<const float*>source)[0] if single else (<const double*>source)[0]


cdef inline const double* load_weights(const Problem* problem, Py_ssize_t start, Py_ssize_t n, double* buffer) noexcept nogil:
    """Class weights [start, start + n): in place where they are contiguous doubles, else in `buffer`."""
    cdef const char* source = problem.class_weight + start * problem.weight_step
    cdef Py_ssize_t i
    if problem.weight_step == <Py_ssize_t>sizeof(double) and not problem.weight_single:
        return <const double*>source
    if problem.weight_step == <Py_ssize_t>sizeof(float) and problem.weight_single:
        for i in range(n):
            buffer[i] = (<const float*>source)[i]
    else:
        for i in range(n):
            buffer[i] = weight_of_class(problem, start + i, problem.weight_single)
    return buffer


cdef void load_spread(const Problem* problem, double spread, Py_ssize_t start, Py_ssize_t n, real* mass) noexcept nogil:
    """weight_c·spread of classes [start, start + n)"""
    cdef double read[MASSES_AT_ONCE]
    cdef const double* weights
    cdef Py_ssize_t first = 0, count, i
    if problem.class_weight == NULL:
        for i in range(n):
            mass[i] = <real>spread
        return
    while first < n:
        count = min(<Py_ssize_t>MASSES_AT_ONCE, n - first)
        weights = load_weights(problem, start + first, count, read)
        for i in range(count):
            mass[first + i] = <real>(spread * weights[i])
        first += count


cdef inline const real* made_masses(const Problem* problem, Py_ssize_t start, Py_ssize_t n, real kind) noexcept nogil:
    """Those of classes [start, start + n), or NULL where they have to be loaded."""
    return <const real*>problem.masses + start if start + n <= problem.n_masses else NULL


cdef void make_masses(const Problem* problem, real* masses, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t cls
    load_spread(problem, spread_of(problem, NULL), 0, n, masses)
    for cls in range(n, (n + LANES - 1) // LANES * LANES):
        masses[cls] = 0


cdef inline void keep_open(const uint8_t* open, Py_ssize_t step, Py_ssize_t n, double keep, double spread, bint in_sums,
                           bint spreads, double* targets) noexcept nogil:
    cdef double target
    cdef Py_ssize_t i
    for i in range(n):
        target = targets[i] if in_sums or open[i * step] != 0 else 0.0
        targets[i] = keep * target + (spread if open[i * step] != 0 else 0.0) if spreads else target


cdef inline void weigh_targets_of(const Problem* problem, double* targets, Py_ssize_t n, const char* open, double spread,
                                  bint in_sums, const double* weights, real* mass) noexcept nogil:
    """weight·((1 − ε)·t + spread) of n targets, which are overwritten; `weights` may be NULL."""
    cdef double keep = 1.0 - problem.smoothing
    cdef Py_ssize_t i
    if open != NULL and problem.where.step == 1 and problem.smoothing != 0.0:
        keep_open(<const uint8_t*>open, 1, n, keep, spread, in_sums, True, targets)
    elif open != NULL:
        keep_open(<const uint8_t*>open, problem.where.step, n, keep, spread, in_sums, problem.smoothing != 0.0, targets)
    elif problem.smoothing != 0.0:
        for i in range(n):
            targets[i] = keep * targets[i] + spread
    if weights != NULL:
        for i in range(n):
            targets[i] *= weights[i]
    for i in range(n):
        mass[i] = <real>targets[i]


cdef void load_mass(const Problem* problem, const char* soft_row, const char* open_row, double spread,
                    Py_ssize_t start, Py_ssize_t n, bint in_sums, real* mass) noexcept nogil:
    """weight_c·((1 − ε)·t_c + spread) of classes [start, start + n); with integer targets, weight_c·spread alone. Classes that
    `where` excludes have no spread, and their targets count in the sums, not in the gradient."""
    cdef double targets[MASSES_AT_ONCE]
    cdef double read[MASSES_AT_ONCE]
    cdef const char* open = NULL
    cdef const double* weights = NULL
    cdef Py_ssize_t first, count, i, cls
    if start + n <= problem.n_masses:
        memcpy(mass, made_masses(problem, start, n, <real>0), n * sizeof(real))
        return
    if problem.soft.data == NULL and open_row == NULL:
        load_spread(problem, spread, start, n, mass)
        return
    if masses_are_targets(problem):
        read_values(soft_row + start * problem.soft.step, problem.soft.step, problem.soft_type, n, mass)
        return
    first = 0
    while first < n:
        count = min(<Py_ssize_t>MASSES_AT_ONCE, n - first)
        cls = start + first
        if problem.soft.data != NULL:
            read_values(soft_row + cls * problem.soft.step, problem.soft.step, problem.soft_type, count, targets)
        else:
            for i in range(count):
                targets[i] = 0.0
        if open_row != NULL:
            open = open_row + cls * problem.where.step
        if problem.class_weight != NULL:
            weights = load_weights(problem, cls, count, read)
        weigh_targets_of(problem, targets, count, open, spread, in_sums, weights, mass + first)
        first += count


cdef inline double target_mass_of(const Problem* problem, bint closed, Py_ssize_t cls, double spread,
                                  bint single) noexcept nogil:
    """weight_t·((1 − ε) + spread), the mass that the target keeps; no spread where it is excluded"""
    cdef double mass = 1.0
    if problem.smoothing != 0.0:
        mass = (1.0 - problem.smoothing) + (0.0 if closed else spread)
    if problem.class_weight != NULL:
        mass *= weight_of_class(problem, cls, single)
    return mass


cdef inline double sample_weight_of(const Problem* problem, Py_ssize_t row) noexcept nogil:
    return 1.0 if problem.sample_weight == NULL else problem.sample_weight[row]


cdef inline bint has_mass(const Problem* problem) noexcept nogil:
    return problem.soft.data != NULL or (problem.smoothing != 0.0 and problem.classes != NULL)


cdef inline bint is_scaled(const Problem* problem) noexcept nogil:
    """Whether exponentials are of s·x. Scales so far from 1 that float32 cannot hold ln 2/s are left to the load stage."""
    return problem.scale != 1.0 and problem.cap == 0.0 and 1e-30 < problem.scale < 1e30


cdef inline bint is_shaped(const Problem* problem) noexcept nogil:
    return problem.cap != 0.0 or not (1e-30 < problem.scale < 1e30)


cdef inline bint marks_own(const Problem* problem) noexcept nogil:
    """Whether each chunk leaves its largest class out of its sum: without an integer target, where more than ratios is wanted."""
    return problem.classes == NULL and problem.result != SOFTMAX


cdef inline bint is_optionless(const Problem* problem) noexcept nogil:
    """None of the options that settling a row knows of."""
    return (problem.z_loss == 0.0 and problem.unit == 1.0 and problem.cap == 0.0 and problem.where.data == NULL
            and problem.gamma == 0.0)


cdef inline bint is_plain(const Problem* problem) noexcept nogil:
    """Nor a Hessian."""
    return is_optionless(problem) and problem.hess.data == NULL


cdef inline bint is_bare(const Problem* problem) noexcept nogil:
    """One class a row apart, of mass 1, and no weights: integer targets, or logsumexp's largest. Partial results may bring masses
    that are not seen here."""
    return ((problem.classes != NULL or problem.result == LOGSUMEXP) and not has_mass(problem) and problem.records == NULL
            and problem.class_weight == NULL and problem.sample_weight == NULL)


cdef inline bint makes_exponentials(const Problem* problem) noexcept nogil:
    return problem.result == GRADIENT or problem.result == SOFTMAX


cdef inline bint keeps_exponentials(const Problem* problem) noexcept nogil:
    """Whether the first sweep leaves them for the second."""
    return makes_exponentials(problem) and not problem.again


cdef inline bint writes_classes(const Problem* problem) noexcept nogil:
    return makes_exponentials(problem) or problem.result == LOG_SOFTMAX
