"""Random fills to threads: arrays of any strides, and parts of a global array, as runs of its elements.

No policy and no arithmetic, as in _softmax/loops.pyx. An element's value depends on its place in the global array alone, so the
work may be cut anywhere:

(a) Axes are merged where the global array and the output walk them alike. The innermost axes, as long as they lie close
    together in the global array, make a span, whose elements are all made; the axes outside count the spans.
(b) Spans are cut into pieces, or gathered, to items of about PIECE elements. All items of all arrays of a call are cut over
    threads in one parallel region (_base/parts.pxi).
(c) A piece is made in chunks in L1 and copied from there to where its elements belong, past the cache where the array
    would not fit.
(d) Where neighbours in the output are not neighbours in the global array (Fortran order), a few spans are made side by side,
    in a tile, and written across, a cache line at a time.
"""
from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cython.parallel cimport prange
from libc.stdint cimport uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

cimport numpy as cnp

from xentfast._base.level cimport chosen_kernels, count_threads, stream_bytes
from xentfast._kernels.arrays cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, MAX_AXES, ValueType
from xentfast._kernels.random cimport (FILL_CHUNK, GROUP, LINES, NORMAL, TRUNCATED, UNIFORM, Fill, FillKernel, RandomKernels,
                                       StreamKernel)

cdef extern from "numerics/machine.h":
    ctypedef unsigned int xf_mode
    xf_mode xf_enter_ieee() noexcept nogil
    void xf_leave_ieee(xf_mode saved) noexcept nogil
    double xf_here(double value) noexcept nogil
    void xf_stream_done() noexcept nogil

cdef extern from "<math.h>" nogil:
    double INFINITY
    double nextafter(double x, double y)
    float nextafterf(float x, float y)

cdef enum:
    PIECE = 16384           # elements of an item: some 10 µs
    TILE = 16               # spans of a tile …
    TILE_COLUMNS = 256      # … and elements of each,
    TILE_LENGTH = TILE_COLUMNS + GROUP      # with what lies before in their group
    FEW_SPANS = 4           # that fit on a stack
    TILE_BYTES = TILE * TILE_LENGTH * 8

cnp.import_array()

include "../_base/parts.pxi"

FOR_UNIFORM, FOR_NORMAL, FOR_TRUNCATED = UNIFORM, NORMAL, TRUNCATED
AS_FLOAT16, AS_BFLOAT16, AS_FLOAT32, AS_FLOAT64 = FLOAT16, BFLOAT16, FLOAT32, FLOAT64


# ---- constants of a distribution


cpdef double at_least(double bound, bint as_double) noexcept nogil:
    """The bound as a float (or double), or the next one above where rounding goes below it."""
    cdef float number = <float>bound
    if as_double:
        return bound
    return number if number >= bound else nextafterf(number, INFINITY)


cdef void set_uniform(Fill* fill, double low, double high) noexcept nogil:
    """[low, high), low ≤ high, of float or double as `fill.type` says: no value below `low`, none at `high` or above it."""
    cdef xf_mode saved = xf_enter_ieee()
    cdef bint as_double = fill.type == FLOAT64
    cdef double last
    low, high = xf_here(low), xf_here(high)
    last = -at_least(-high, as_double)
    if last == high:
        last = nextafter(high, -INFINITY) if as_double else nextafterf(<float>high, -INFINITY)
    fill.distribution = UNIFORM
    fill.shift = low if as_double else <float>low
    fill.scale = high - low if as_double else <float>(high - low)
    fill.least = fill.shift if low == high else at_least(low, as_double)
    fill.largest = max(fill.least, last)
    xf_leave_ieee(saved)


def uniform_constants(double low, double high, bint as_double):
    """(shift, scale, least, largest) of a uniform fill in float64 or else in float32."""
    cdef Fill fill
    fill.type = FLOAT64 if as_double else FLOAT32
    set_uniform(&fill, low, high)
    return fill.shift, fill.scale, fill.least, fill.largest


# ---- layout


cdef void merge_axes(Job* job) noexcept nogil:
    """Axes of length 1 go; neighbours that both arrays walk evenly become one. At least one axis stays, the last of
    them with neighbours in the global array."""
    cdef int axis, last = -1
    for axis in range(job.n_axes):
        if job.shape[axis] == 1:
            continue
        if last >= 0 and (job.places[last] == job.places[axis] * job.shape[axis]
                          and job.strides[last] == job.strides[axis] * job.shape[axis]):
            job.shape[last] *= job.shape[axis]
        else:
            last += 1
            job.shape[last] = job.shape[axis]
        job.places[last] = job.places[axis]
        job.strides[last] = job.strides[axis]
    if last < 0 or job.places[last] != 1:
        last += 1
        job.shape[last] = 1
        job.places[last] = 1
        job.strides[last] = job.itemsize
    job.n_axes = last + 1


cdef void plan_spans(Job* job) noexcept nogil:
    """An axis joins the span where making what lies between its steps costs no more than making each step apart."""
    cdef int axis, inner = job.n_axes - 1
    cdef Py_ssize_t spans = 1
    job.n_outer = inner
    job.span = job.shape[inner]
    job.tiled = job.shape[inner] >= GROUP and bring_neighbours_inside(job)
    while (not job.tiled and job.n_outer > 0
           and job.places[job.n_outer - 1] <= (job.span + GROUP - 1) // GROUP * GROUP):
        job.n_outer -= 1
        job.span += (job.shape[job.n_outer] - 1) * job.places[job.n_outer]
    for axis in range(job.n_outer):
        spans *= job.shape[axis]
    if job.tiled:
        job.cells = spans // job.shape[inner - 1] * ((job.shape[inner - 1] + TILE - 1) // TILE)
        job.pieces = (job.span + TILE_COLUMNS - 1) // TILE_COLUMNS
        job.cells *= job.pieces
        job.cells_per_item = PIECE // (TILE * TILE_COLUMNS)
    else:
        job.pieces = (job.span + PIECE - 1) // PIECE
        job.cells = spans * job.pieces
        job.cells_per_item = max(<Py_ssize_t>1, PIECE // max(job.span, <Py_ssize_t>GROUP))


cdef bint bring_neighbours_inside(Job* job) noexcept nogil:
    """Make the axis along the output's memory the innermost of the outer ones, if it is one of them."""
    cdef int axis, inner = job.n_axes - 1
    cdef Py_ssize_t length, place
    for axis in range(inner):
        if job.strides[axis] == job.itemsize and job.strides[inner] != job.itemsize:
            length, place = job.shape[axis], job.places[axis]
            while axis < inner - 1:
                job.shape[axis], job.places[axis] = job.shape[axis + 1], job.places[axis + 1]
                job.strides[axis] = job.strides[axis + 1]
                axis += 1
            job.shape[axis], job.places[axis], job.strides[axis] = length, place, job.itemsize
            return True
    return False


# ---- values to where they belong


cdef inline void copy_run(char* target, Py_ssize_t stride, const char* source, Py_ssize_t n, Py_ssize_t itemsize,
                          StreamKernel stream) noexcept nogil:
    """n numbers → target, `stride` bytes apart; past the cache by way of `stream` where that is not NULL."""
    cdef Py_ssize_t size = n * itemsize, head, lines, i
    if stride == itemsize:
        if stream != NULL and size >= 2 * LINES:
            head = -<Py_ssize_t><uintptr_t>target & 63
            lines = (size - head) // LINES
            memcpy(target, source, head)
            stream(target + head, source + head, lines)
            head += lines * LINES
            memcpy(target + head, source + head, size - head)
        else:
            memcpy(target, source, size)
    elif itemsize == 4:
        for i in range(n):
            (<uint32_t*>(target + i * stride))[0] = (<const uint32_t*>source)[i]
    elif itemsize == 8:
        for i in range(n):
            (<uint64_t*>(target + i * stride))[0] = (<const uint64_t*>source)[i]
    else:
        for i in range(n):
            (<uint16_t*>(target + i * stride))[0] = (<const uint16_t*>source)[i]


cdef void scatter(const Job* job, char* data, const char* values, Py_ssize_t first, Py_ssize_t n,
                  StreamKernel stream) noexcept nogil:
    """Elements [first, first + n) of a span, those of them that are wanted, → the output, whose span begins at `data`."""
    cdef Py_ssize_t index[MAX_AXES]
    cdef Py_ssize_t last = first + n, rest = first, place = 0, start, stop
    cdef int inner = job.n_axes - 1, axis, deeper
    if job.n_outer == inner:
        copy_run(data + first * job.strides[inner], job.strides[inner], values, n, job.itemsize, stream)
        return
    # The first run that ends behind `first`: where an axis is overrun, the next step of the one outside of it.
    for axis in range(job.n_outer, inner):
        index[axis] = rest // job.places[axis]
        rest -= index[axis] * job.places[axis]
    index[inner] = 0
    if rest >= job.shape[inner]:
        index[inner - 1] += 1
    for axis in range(inner - 1, job.n_outer, -1):
        if index[axis] >= job.shape[axis]:
            index[axis - 1] += 1
            index[axis] = 0
            for deeper in range(axis + 1, inner):
                index[deeper] = 0
    while index[job.n_outer] < job.shape[job.n_outer]:
        place = 0
        start = 0
        for axis in range(job.n_outer, inner):
            place += index[axis] * job.places[axis]
            start += index[axis] * job.strides[axis]
        if place >= last:
            return
        rest = max(first - place, <Py_ssize_t>0)
        stop = min(last - place, job.shape[inner])
        if stop > rest:
            copy_run(data + start + rest * job.strides[inner], job.strides[inner],
                     values + (place + rest - first) * job.itemsize, stop - rest, job.itemsize, NULL)
        axis = inner - 1
        index[axis] += 1
        while axis > job.n_outer and index[axis] == job.shape[axis]:
            index[axis] = 0
            axis -= 1
            index[axis] += 1


# ---- items


cdef char* make(FillKernel kernel, const Job* job, uint64_t place, Py_ssize_t n, char* values) noexcept nogil:
    """Elements [place, place + n) of the global array, at most a chunk with what lies before them in their group, → their
    place in `values`."""
    cdef Py_ssize_t lead = <Py_ssize_t>(place % GROUP)
    kernel(&job.fill, place // GROUP, (lead + n + GROUP - 1) // GROUP, values)
    return values + lead * job.itemsize


cdef void walk(const Job* job, int n_axes, Py_ssize_t step, uint64_t* place, char** data) noexcept nogil:
    """Where step number `step` over the first `n_axes` axes leads, in the global array and in the output."""
    cdef Py_ssize_t index
    cdef int axis = n_axes - 1
    place[0] = job.first
    data[0] = job.data
    while axis >= 0:
        index = step % job.shape[axis]
        step //= job.shape[axis]
        place[0] += <uint64_t>(index * job.places[axis])
        data[0] += index * job.strides[axis]
        axis -= 1


cdef void run_cell(const RandomKernels* kernels, const Job* job, Py_ssize_t cell) noexcept nogil:
    """One piece of one span."""
    cdef double values[FILL_CHUNK + 8]              # of any type
    cdef char* aligned = <char*>((<uintptr_t>values + 63) & ~<uintptr_t>63)         # wide stores that cross no cache line
    cdef StreamKernel stream = kernels.stream if job.stream else NULL
    cdef char* first
    cdef char* data
    cdef uint64_t place
    cdef Py_ssize_t start = cell % job.pieces * PIECE, stop = min(start + PIECE, job.span), n
    walk(job, job.n_outer, cell // job.pieces, &place, &data)
    while start < stop:
        n = min(stop - start, <Py_ssize_t>FILL_CHUNK - <Py_ssize_t>((place + <uint64_t>start) % GROUP))
        first = make(kernels.chunk, job, place + <uint64_t>start, n, aligned)
        scatter(job, data, first, start, n, stream)
        start += n


cdef void run_tile(const RandomKernels* kernels, const Job* job, Py_ssize_t cell, char* room) noexcept nogil:
    """TILE spans, or what is left of them, in one piece each: all side by side in `room`, or a few at a time where it is NULL."""
    cdef double values[FEW_SPANS * TILE_LENGTH]     # of any type
    cdef char* data
    cdef uint64_t place
    cdef int inner = job.n_axes - 1
    cdef Py_ssize_t start = cell % job.pieces * TILE_COLUMNS, rest = cell // job.pieces
    cdef Py_ssize_t n_tiles = (job.shape[inner - 1] + TILE - 1) // TILE, first = rest % n_tiles * TILE
    cdef Py_ssize_t n_rows = min(job.shape[inner - 1] - first, <Py_ssize_t>TILE)
    cdef Py_ssize_t n_columns = min(job.span - start, <Py_ssize_t>TILE_COLUMNS), done = 0, count
    cdef Py_ssize_t at_once = TILE if room != NULL else FEW_SPANS
    walk(job, inner - 1, rest // n_tiles, &place, &data)
    place += <uint64_t>(first * job.places[inner - 1] + start)
    data += first * job.itemsize + start * job.strides[inner]
    while done < n_rows:
        count = min(at_once, n_rows - done)
        run_spans(kernels, job, place + <uint64_t>(done * job.places[inner - 1]), data + done * job.itemsize, count, n_columns,
                  room if room != NULL else <char*>values)
        done += count


cdef void run_spans(const RandomKernels* kernels, const Job* job, uint64_t place, char* data, Py_ssize_t n_rows,
                    Py_ssize_t n_columns, char* room) noexcept nogil:
    """So many elements of neighbouring spans, side by side in `room`, and from there to the output, a column at a time."""
    cdef char* rows[TILE]
    cdef int inner = job.n_axes - 1
    cdef Py_ssize_t row, column
    for row in range(n_rows):
        rows[row] = make(kernels.chunk, job, place + <uint64_t>(row * job.places[inner - 1]), n_columns,
                         room + row * TILE_LENGTH * 8)
    for column in range(n_columns):
        if job.itemsize == 4:
            for row in range(n_rows):
                (<uint32_t*>data)[row] = (<const uint32_t*>rows[row])[column]
        elif job.itemsize == 8:
            for row in range(n_rows):
                (<uint64_t*>data)[row] = (<const uint64_t*>rows[row])[column]
        else:
            for row in range(n_rows):
                (<uint16_t*>data)[row] = (<const uint16_t*>rows[row])[column]
        data += job.strides[inner]


cdef void run_item(const RandomKernels* kernels, const Job* jobs, Py_ssize_t n_jobs, Py_ssize_t item,
                   char* room) noexcept nogil:
    cdef Py_ssize_t low = 0, high = n_jobs, middle, cell
    while high - low > 1:                           # the last job whose items begin at or before this one
        middle = (low + high) // 2
        if jobs[middle].first_item <= item:
            low = middle
        else:
            high = middle
    cell = (item - jobs[low].first_item) * jobs[low].cells_per_item
    high = min(cell + jobs[low].cells_per_item, jobs[low].cells)
    while cell < high:
        if jobs[low].tiled:
            run_tile(kernels, &jobs[low], cell, room)
        else:
            run_cell(kernels, &jobs[low], cell)
        cell += 1
    if jobs[low].stream:
        xf_stream_done()


cdef void run_items(const RandomKernels* kernels, const Job* jobs, Py_ssize_t n_jobs, const Parts* parts, int part,
                    char* room) noexcept nogil:
    """All that one thread comes to. `room` for a tile, or NULL."""
    cdef Turn turn = turn_of(part)
    cdef Py_ssize_t item
    cdef xf_mode saved = xf_enter_ieee()
    while take(parts, &turn):
        for item in range(turn.first, turn.last):
            run_item(kernels, jobs, n_jobs, item, room)
    xf_leave_ieee(saved)


cdef class PlainRequest:
    @property
    def size(self):
        return self.job.shape[0]

    @property
    def nbytes(self):
        return self.job.shape[0] * self.job.itemsize

    @property
    def target(self):
        """As of a Request: what it fills is known."""
        return self

    @property
    def key(self):
        return <uint64_t>self.job.fill.key[1] << 32 | self.job.fill.key[0]

    @key.setter
    def key(self, uint64_t key):
        self.job.fill.key[0], self.job.fill.key[1] = <uint32_t>key, <uint32_t>(key >> 32)

    cdef int set_out(self, out) except -1:
        self.out = out
        self.job.shape[0] = cnp.PyArray_SIZE(out)
        self.job.stream = cnp.PyArray_NBYTES(out) > stream_bytes()
        return 0

    cdef int locate(self) except -1:
        """Just before it is filled: what made the key may have been Python code, which had the array in its hands."""
        if cnp.PyArray_NBYTES(self.out) != self.job.shape[0] * self.job.itemsize:
            raise ValueError("an array has another shape or dtype than when the call began; expected arrays that stay as they "
                             "are")
        self.job.data = <char*>cnp.PyArray_DATA(self.out)
        return 0

    def fields(self, bint passes_cache):
        self.job.stream = passes_cache
        return self


cdef PlainRequest plain_request(ValueType type):
    """One whose output and variates are to be set, for float32 or float64."""
    cdef PlainRequest request = PlainRequest.__new__(PlainRequest)
    request.job.fill.type = type
    request.job.fill.least, request.job.fill.largest = -INFINITY, INFINITY
    request.job.itemsize = 8 if type == FLOAT64 else 4
    request.job.n_axes = request.job.places[0] = 1
    request.job.strides[0] = request.job.itemsize
    return request


cdef int run_one(PlainRequest request, int n_threads) except -1:
    """Fill its output."""
    cdef const RandomKernels* table = chosen_kernels().random()
    request.locate()
    n_threads = count_threads(n_threads, request.job.shape[0])
    with nogil:
        run_jobs(table, &request.job, 1, n_threads)
    return 0


cdef void set_job(Job* job, fields) except *:
    """`fields` are those of a Request (_fills.py), whose output has an element at least."""
    cdef Py_buffer view
    cdef int axis
    if type(fields) is PlainRequest:
        (<PlainRequest>fields).locate()
        memcpy(job, &(<PlainRequest>fields).job, sizeof(Job))
        return
    (out, job.fill.type, job.first, places, job.stream, key, stream, job.fill.first_block, job.fill.distribution,
     job.fill.shift, job.fill.scale, job.fill.least, job.fill.largest, truncation) = fields
    job.fill.key[0], job.fill.key[1] = key & 0xFFFFFFFF, key >> 32
    job.fill.stream[0], job.fill.stream[1] = stream
    (job.fill.flip, job.fill.narrow, job.fill.sign, job.fill.middle, job.fill.mass, job.fill.upper_tail, job.fill.lower_tail,
     job.fill.upper_start, job.fill.lower_start) = truncation
    PyObject_GetBuffer(out, &view, PyBUF_STRIDES | PyBUF_WRITABLE)
    job.data = <char*>view.buf
    job.itemsize = view.itemsize
    job.n_axes = view.ndim
    for axis in range(view.ndim):
        job.shape[axis] = view.shape[axis]
        job.strides[axis] = view.strides[axis]
        job.places[axis] = places[axis]
    PyBuffer_Release(&view)                         # the caller's list holds the array


cdef void run_jobs(const RandomKernels* table, Job* jobs, Py_ssize_t n_jobs, int n_threads) noexcept nogil:
    """Jobs whose fields are set up to `strides`, and `stream`."""
    cdef Py_ssize_t only_line[2]
    cdef Py_ssize_t n_items = 0, i, tile_bytes = 0
    cdef char* lines
    cdef char* room = NULL
    cdef Parts parts
    cdef int part
    for i in range(n_jobs):
        merge_axes(jobs + i)
        plan_spans(jobs + i)
        jobs[i].first_item = n_items
        n_items += (jobs[i].cells + jobs[i].cells_per_item - 1) // jobs[i].cells_per_item
        if jobs[i].tiled:
            tile_bytes = TILE_BYTES
    n_threads = threads_at_hand(<int>min(<Py_ssize_t>n_threads, n_items), n_items * PIECE)
    lines = <char*>malloc(n_threads * (TICKET_LINE + tile_bytes))
    if lines == NULL:                               # a fill has no way to fail, and one thread needs no memory
        n_threads = 1
    elif tile_bytes > 0:
        room = lines + n_threads * TICKET_LINE
    set_parts(&parts, n_items, n_items * PIECE, n_threads, lines if lines != NULL else <char*>only_line)
    if n_threads == 1:
        run_items(table, jobs, n_jobs, &parts, 0, room)
    else:
        for part in prange(n_threads, num_threads=n_threads, schedule="static"):
            run_items(table, jobs, n_jobs, &parts, part, NULL if room == NULL else room + part * tile_bytes)
        note_parts(&parts)
    free(lines)


def run(requests, int n_threads):
    """Fill the outputs of `requests`, each the fields of a Request (_fills.py), in one parallel region."""
    cdef const RandomKernels* table = chosen_kernels().random()
    cdef Py_ssize_t n_jobs = len(requests), size = 0, i
    cdef Job* jobs
    if n_jobs == 0:
        return
    jobs = <Job*>calloc(n_jobs, sizeof(Job))
    if jobs == NULL:
        raise MemoryError("no memory for the list of arrays")
    try:
        for i in range(n_jobs):
            set_job(jobs + i, requests[i])
            size += size_of(jobs + i)
        with nogil:
            run_jobs(table, jobs, n_jobs, count_threads(n_threads, size))
    finally:
        free(jobs)


cdef Py_ssize_t size_of(const Job* job) noexcept nogil:
    cdef Py_ssize_t size = 1
    cdef int axis
    for axis in range(job.n_axes):
        size *= job.shape[axis]
    return size
