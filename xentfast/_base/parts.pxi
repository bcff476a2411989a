# Work to threads: a contiguous part for each, cut into pieces. A thread takes the pieces of its own part, in order, and then
# those of others: a thread that the system does not run keeps nobody waiting but for the piece that it has in hand. On a quiet
# machine each thread has its own part, as always: what it touched first stays near it.
from xentfast._base.level cimport note_helpers, piece_numbers, threads_at_hand

cdef extern from "_base/platform.h":
    Py_ssize_t xf_take(Py_ssize_t* next) noexcept nogil

cdef enum:
    TICKET_LINE = 64            # bytes a part: no two counters in a cache line


cdef struct Parts:
    Py_ssize_t n_units          # what is counted: rows, squares of rows, chunks, items
    Py_ssize_t piece            # units that are taken at a time
    Py_ssize_t numbers          # of the whole work
    int n
    char* lines                 # for each part: how many of its pieces are taken, and whether its own thread has come


cdef struct Turn:               # of a thread at all parts
    int own
    int passed                  # parts, from its own on, that nothing is left of
    Py_ssize_t first            # units of the piece in hand
    Py_ssize_t last


cdef Py_ssize_t* ticket(const Parts* parts, int part) noexcept nogil:
    return <Py_ssize_t*>(parts.lines + part * TICKET_LINE)


cdef void set_parts(Parts* parts, Py_ssize_t n_units, Py_ssize_t numbers, int n, char* lines) noexcept nogil:
    """`lines` has room for TICKET_LINE bytes a part, of which the first 16 are used. A part is two pieces at least: one may be
    taken by whoever is early."""
    cdef int part
    parts.n_units, parts.numbers, parts.n, parts.lines = n_units, numbers, n, lines
    parts.piece = n_units
    if n > 1:
        parts.piece = <Py_ssize_t>(n_units * <double>piece_numbers() / max(numbers, <Py_ssize_t>1))
        parts.piece = max(min(parts.piece, n_units // (2 * n)), <Py_ssize_t>1)
    for part in range(n):
        ticket(parts, part)[0] = ticket(parts, part)[1] = 0


cdef Turn turn_of(int part) noexcept nogil:
    cdef Turn turn
    turn.own = part
    turn.passed = 0
    turn.first = turn.last = 0
    return turn


cdef bint take(const Parts* parts, Turn* turn) noexcept nogil:
    """The next piece, if any is left."""
    cdef Py_ssize_t end
    cdef int part
    while turn.passed < parts.n:
        part = (turn.own + turn.passed) % parts.n
        end = parts.n_units * (part + 1) // parts.n
        turn.first = parts.n_units * part // parts.n + xf_take(ticket(parts, part)) * parts.piece
        if turn.first < end:
            turn.last = min(turn.first + parts.piece, end)
            ticket(parts, turn.own)[1] = 1
            return True
        turn.passed += 1
    return False


cdef int came_to(const Parts* parts) noexcept nogil:
    """When all is done: how many threads had a part in it."""
    cdef int part, came = 0
    for part in range(parts.n):
        came += <int>ticket(parts, part)[1]
    return came


cdef void note_parts(const Parts* parts) noexcept nogil:
    note_helpers(parts.n, came_to(parts), parts.numbers)
