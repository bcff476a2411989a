"""A level's kernels, as tables of functions, and how many threads run them."""
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t

import numpy as np

cimport numpy as cnp

from xentfast._kernels.probabilities cimport Comparison, LogLoss
from xentfast._kernels.random cimport Fill
from xentfast._kernels.sigmoid cimport Elements
from xentfast._kernels.softmax cimport Problem

cnp.import_array()

cdef extern from "_base/platform.h":
    int xf_openmp() nogil
    int xf_x86_64_level() nogil
    Py_ssize_t xf_load(const Py_ssize_t* value) nogil
    void xf_store(Py_ssize_t* value, Py_ssize_t n) nogil
    int omp_get_max_threads() nogil

cdef extern from "_base/start.h":
    int xf_startable(int n) nogil

cdef extern from "_base/cpus.h":
    int xf_cpus() nogil


def openmp_version():
    """The date of the OpenMP specification this was compiled with (201511, …); 0 without OpenMP."""
    return xf_openmp()


def x86_64_level():
    """4, 3 or 1: the level that CPU and operating system support; 0 on other architectures."""
    return xf_x86_64_level()


cdef class Kernels:
    def __init__(self, str level, table_of):
        """`table_of` gives the capsule of a unit by its name."""
        self.level = level
        self.table_of = table_of
        self.softmax(False)

    def __repr__(self):
        return f"<xentfast kernels for {self.level}>"

    @property
    def chunk_bytes(self):
        """Bytes of a row that share a reference."""
        return self.of_float.chunk_bytes

    @property
    def lanes(self):
        """Numbers in a block."""
        return self.of_float.lanes

    # A table is laid out as this build has it, or refused: a wrong one would be a crash at best.

    cdef const SoftmaxKernels* softmax(self, bint as_double) except NULL:
        """Of float64, or of float32 and what is computed in it."""
        cdef const SoftmaxKernels* table = self.of_double if as_double else self.of_float
        if table == NULL:
            unit = "softmax_double" if as_double else "softmax_float"
            table = <const SoftmaxKernels*>PyCapsule_GetPointer(self.table_of(unit), "xentfast._kernels.softmax")
            self.check(table.table_bytes == sizeof(SoftmaxKernels) and table.problem_bytes == sizeof(Problem))
            if as_double:
                self.of_double = table
            else:
                self.of_float = table
        return table

    cdef const SigmoidKernels* sigmoid(self) except NULL:
        cdef const SigmoidKernels* table = self.of_sigmoid
        if table == NULL:
            table = <const SigmoidKernels*>PyCapsule_GetPointer(self.table_of("sigmoid"), "xentfast._kernels.sigmoid")
            self.check(table.table_bytes == sizeof(SigmoidKernels) and table.elements_bytes == sizeof(Elements))
            self.of_sigmoid = table
        return table

    cdef const ProbabilityKernels* probabilities(self) except NULL:
        cdef const ProbabilityKernels* table = self.of_probabilities
        if table == NULL:
            table = <const ProbabilityKernels*>PyCapsule_GetPointer(
                self.table_of("probabilities"), "xentfast._kernels.probabilities")
            self.check(table.table_bytes == sizeof(ProbabilityKernels) and table.comparison_bytes == sizeof(Comparison)
                       and table.log_loss_bytes == sizeof(LogLoss))
            self.of_probabilities = table
        return table

    cdef const RandomKernels* random(self) except NULL:
        cdef const RandomKernels* table = self.of_random
        if table == NULL:
            table = <const RandomKernels*>PyCapsule_GetPointer(self.table_of("random"), "xentfast._kernels.random")
            self.check(table.table_bytes == sizeof(RandomKernels) and table.fill_bytes == sizeof(Fill))
            self.of_random = table
        return table

    def load(self):
        """All families, which are otherwise loaded one by one."""
        self.softmax(True)
        self.sigmoid()
        self.probabilities()
        self.random()
        return self

    cdef int check(self, bint fits) except -1:
        if not fits:
            raise ImportError(
                f"the kernels for {self.level} come from another build than xentfast._base; build all of them again")
        return 0

    # ---- the functions themselves, for the accuracy tests

    def exp(self, x):
        """Without its power of two's scale; of float32 and float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        self.softmax(is_double(source)).exp(cnp.PyArray_DATA(source), cnp.PyArray_DATA(result), source.size)
        return result

    def tanh(self, x):
        """In float64, as it is taken of float32 and of float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty(x.shape)
        self.softmax(is_double(source)).tanh(cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result), source.size)
        return result

    def log1p(self, x):
        """Of float32 up to 1, and of float64."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        if is_double(source):
            self.sigmoid().log1p_double(<const double*>cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result), source.size)
        else:
            self.sigmoid().log1p_float(<const float*>cnp.PyArray_DATA(source), <float*>cnp.PyArray_DATA(result), source.size)
        return result

    def log(self, x):
        """Of float32 and float64, above 0."""
        cdef cnp.ndarray source = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray result = np.empty_like(source)
        if is_double(source):
            self.probabilities().log_double(<const double*>cnp.PyArray_DATA(source), <double*>cnp.PyArray_DATA(result),
                                            source.size)
        else:
            self.probabilities().log_float(<const float*>cnp.PyArray_DATA(source), <float*>cnp.PyArray_DATA(result), source.size)
        return result

    def log_ratio(self, x, y):
        """log(x/y) of float32 and float64, above 0, in float64."""
        cdef cnp.ndarray first = cnp.PyArray_GETCONTIGUOUS(x)
        cdef cnp.ndarray second = cnp.PyArray_GETCONTIGUOUS(y)
        cdef cnp.ndarray result = np.empty(x.shape)
        cdef Py_ssize_t n = min(first.size, second.size)
        if is_double(first):
            self.probabilities().log_ratio_double(<const double*>cnp.PyArray_DATA(first), <const double*>cnp.PyArray_DATA(second),
                                                  <double*>cnp.PyArray_DATA(result), n)
        else:
            self.probabilities().log_ratio_float(<const float*>cnp.PyArray_DATA(first), <const float*>cnp.PyArray_DATA(second),
                                                 <double*>cnp.PyArray_DATA(result), n)
        return result


cdef class Chosen:
    """The level whose kernels run: dispatch.py sets it, which is imported before anything that runs them."""
    cdef public Kernels kernels


chosen = Chosen()
cdef Chosen own_chosen = chosen


cdef Kernels chosen_kernels():
    return own_chosen.kernels


cdef bint is_double(cnp.ndarray array) noexcept:
    return cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64


# ---- threads


cdef class Policy:
    """What decides how many threads run, and what goes past the cache; threads.py and outputs.py say why, and set it when they
    are imported."""
    cdef public int64_t grain           # numbers for each thread below which a second one costs more than it brings
    cdef public int64_t piece           # numbers that a thread takes at a time
    cdef public int crowd               # threads for each CPU that an explicit count may ask for
    cdef public int quota               # CPUs that the control group grants; 0: no limit
    cdef public int cpus                # where the system does not say at each call
    cdef public int openmp              # what OpenMP would start; 0: as it says itself at each call
    cdef public int affinity            # CPUs that the process may run on; 0: as the system says at each call
    cdef public bint forked             # in a child after fork there is one thread
    cdef public bint wary               # of threads that came too late for the last calls
    cdef public int64_t stream_bytes    # outputs of more go past the cache …
    cdef public int64_t stream_row_bytes        # … if a row is no longer than this


policy = Policy()
cdef Policy own_policy = policy


cpdef int max_threads() noexcept nogil:
    """What OpenMP would start now: OMP_NUM_THREADS and threadpoolctl have their say here."""
    return own_policy.openmp if own_policy.openmp > 0 else omp_get_max_threads()


cpdef int available_cpus() noexcept nogil:
    """CPUs that this process may use: its affinity now, or the places of OpenMP where it binds threads; its quota at import."""
    cdef int found = own_policy.affinity if own_policy.affinity > 0 else xf_cpus()
    if found == 0:
        found = own_policy.cpus
    return min(found, own_policy.quota) if own_policy.quota > 0 else found


cpdef int default_threads() noexcept nogil:
    """What a call that asks for no number gets, for large work."""
    cdef int most = max_threads()                   # first: libomp binds the thread here, libgomp when it is loaded
    return 1 if own_policy.forked else max(1, min(most, available_cpus()))


cdef int64_t piece_numbers() noexcept nogil:
    return own_policy.piece


cdef int64_t stream_bytes() noexcept nogil:
    return own_policy.stream_bytes


cdef int64_t stream_row_bytes() noexcept nogil:
    return own_policy.stream_row_bytes


# What the last calls on several threads have taught: on a busy machine a thread may come when its part is long done by others,
# and a parallel region waits for it all the same, for milliseconds. Such a call gains nothing by that thread, nor would the next.
# Calls at once read and write these as they come: they may miss each other's notes, which costs time alone.
cdef Py_ssize_t came_last = 0           # threads that took part, where some did not; 0: all did
cdef Py_ssize_t numbers_last = 0        # of that call
cdef Py_ssize_t calls_left = 0          # that stay on so few
cdef Py_ssize_t patience = 0


cdef int likely_threads(int n_threads, int64_t n_numbers) noexcept nogil:
    """Of so many threads, those that are likely to come in time."""
    cdef Py_ssize_t came = xf_load(&came_last)
    if (not own_policy.wary or came <= 0 or n_threads <= came or n_numbers // 4 > xf_load(&numbers_last)
            or xf_load(&calls_left) <= 0):
        return n_threads
    return <int>came


cpdef int threads_at_hand(int n_threads, int64_t n_numbers) noexcept nogil:
    """The same for a call, after which its threads are noted. All are tried again after 1, 3, 7 … 63 calls, or for longer
    work."""
    cdef int likely = likely_threads(n_threads, n_numbers)
    if likely < n_threads:
        xf_store(&calls_left, xf_load(&calls_left) - 1)
    return likely


cpdef void note_helpers(int asked, int came, int64_t n_numbers) noexcept nogil:
    """After a call: so many threads of those that were asked took part."""
    cdef Py_ssize_t wait
    if came < asked:
        xf_store(&came_last, max(came, 1))
        xf_store(&numbers_last, <Py_ssize_t>n_numbers)
        wait = min(2 * xf_load(&patience) + 1, <Py_ssize_t>63)
        xf_store(&patience, wait)
        xf_store(&calls_left, wait)
    elif xf_load(&came_last) > 0 and asked > xf_load(&came_last):
        xf_store(&came_last, 0)
        xf_store(&patience, 0)


cpdef int count_threads(int n_threads, int64_t n_numbers) noexcept nogil:
    """Threads for work on so many numbers, of those that were asked for; 0: as many as pay. One where they cannot be started."""
    if n_numbers < 2 * own_policy.grain or own_policy.forked:
        return 1
    if n_threads == 0:
        n_threads = default_threads()
    elif n_threads > own_policy.crowd:                  # thousands take seconds to start, and bring nothing
        n_threads = min(<int64_t>n_threads, <int64_t>own_policy.crowd * available_cpus())
    return xf_startable(<int>min(<int64_t>n_threads, n_numbers // own_policy.grain))
