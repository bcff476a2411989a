"""Initialisers of plain arguments: from their shape to a request, or to the values, without Python in between (_base/entry.pyx).

Scales and constants are made by the same operations as in _scaling.py and _distributions.py, which have the errors.
"""
from cpython.dict cimport PyDict_GetItem, PyDict_Size
from cpython.object cimport PyObject
from libc.math cimport sqrt

import numpy as np

cimport numpy as cnp

from xentfast._base.entry cimport PlainCase, is_set, plain_threads
from xentfast._base.memory cimport is_contiguous
from xentfast._kernels.arrays cimport FLOAT32, FLOAT64
from xentfast._kernels.random cimport NORMAL
from xentfast.random._loops cimport PlainRequest, plain_request, run_one, set_uniform

from xentfast.random import _keys

cnp.import_array()

cdef enum:
    SHAPE, RNG, NAME, DTYPE, OUT, N_THREADS, FIRST, SECOND, N_VALUES
    MOST_AXES = 8
    LONGEST = 32768             # of an axis

cdef double LARGEST_FLOAT = np.finfo(np.float32).max
cdef object OF_FLOAT = np.dtype(np.float32), OF_DOUBLE = np.dtype(np.float64), AS_FLOAT = np.float32, AS_DOUBLE = np.float64


cdef class PlainFill(PlainCase):
    """Of a shape, and by name of rng, name, dtype, out, n_threads, and up to two numbers."""

    cdef object run(self, PyObject** values):
        cdef int n_threads = plain_threads(values[N_THREADS])
        cdef PlainRequest request = None if n_threads < 0 else self.begin(values)
        if request is None:
            return NotImplemented
        request.key = _keys.key_of(<object>values[RNG] if values[RNG] != NULL else None)     # last: it may advance a generator
        run_one(request, n_threads)
        return request.out

    def request(self, shape, name, dict options):
        """The request without its key; None where it is not plain. `options` are by name, none of rng and n_threads among
        them."""
        cdef PyObject* values[N_VALUES]
        cdef Py_ssize_t i, n_found = 0
        for i in range(len(self.names)):
            values[i] = PyDict_GetItem(options, self.names[i])
            n_found += values[i] != NULL
        if n_found < PyDict_Size(options):
            return None
        for i in range(len(self.names), N_VALUES):
            values[i] = NULL
        values[SHAPE], values[NAME] = <PyObject*>shape, <PyObject*>name
        return self.begin(values)

    cdef PlainRequest begin(self, PyObject** values):
        cdef cnp.npy_intp shape[MOST_AXES]
        cdef int n_axes = lengths_of(<object>values[SHAPE], shape), dtype = type_of(values[DTYPE])
        cdef object name = <object>values[NAME] if values[NAME] != NULL else None
        cdef PlainRequest request
        if (n_axes < 1 or dtype < 0 or not (name is None or type(name) is str)
                or not is_fitting(values[OUT], n_axes, shape, dtype)):
            return None
        request = plain_request(FLOAT64 if dtype == cnp.NPY_FLOAT64 else FLOAT32)
        if not self.set_variates(request, n_axes, shape, values):
            return None
        if name is not None:
            request.job.fill.stream[0], request.job.fill.stream[1] = _keys.stream_of(name)
        request.set_out(<object>values[OUT] if is_set(values[OUT]) else cnp.PyArray_EMPTY(n_axes, shape, dtype, False))
        return request

    cdef bint set_variates(self, PlainRequest request, int n_axes, const cnp.npy_intp* shape, PyObject** values):
        """False where the numbers are not plain."""
        return False


cdef class PlainScaled(PlainFill):
    """Of mean 0 and standard deviation gain·√(1/fan); a keyword `gain` multiplies its own."""
    cdef double gain
    cdef bint uniform, average      # over both fans, or that of the inputs

    def __init__(self, *, double gain=1.0, bint uniform, bint average=False):
        self.n_positional = 1
        self.names = ("shape", "rng", "name", "dtype", "out", "n_threads", "gain")
        self.gain, self.uniform, self.average = gain, uniform, average

    cdef bint set_variates(self, PlainRequest request, int n_axes, const cnp.npy_intp* shape, PyObject** values):
        cdef double gain = 1.0, kernel = 1.0, fan, std
        cdef int axis
        if n_axes < 2 or not set_number(values[FIRST], 0.0, LARGEST_FLOAT / 4.0, &gain):
            return False
        for axis in range(n_axes - 2):
            kernel *= <double>shape[axis]
        fan = <double>shape[n_axes - 2] * kernel
        if self.average:
            fan = (fan + <double>shape[n_axes - 1] * kernel) / 2.0
        gain = gain * self.gain
        if self.uniform:
            std = gain * sqrt(3.0 / fan)
            if std > LARGEST_FLOAT / 4.0:
                return False
            set_uniform(&request.job.fill, -std, std)
        else:
            request.job.fill.distribution = NORMAL
            request.job.fill.scale = gain * sqrt(1.0 / fan)
        return True


cdef class PlainUniform(PlainFill):
    def __init__(self):
        self.n_positional = 1
        self.names = ("shape", "rng", "name", "dtype", "out", "n_threads", "low", "high")

    cdef bint set_variates(self, PlainRequest request, int n_axes, const cnp.npy_intp* shape, PyObject** values):
        cdef double low = 0.0, high = 1.0, most = LARGEST_FLOAT / 4.0
        if not (set_number(values[FIRST], -most, most, &low) and set_number(values[SECOND], -most, most, &high)) or low > high:
            return False
        set_uniform(&request.job.fill, low, high)
        return True


cdef class PlainNormal(PlainFill):
    def __init__(self):
        self.n_positional = 1
        self.names = ("shape", "rng", "name", "dtype", "out", "n_threads", "mean", "std")

    cdef bint set_variates(self, PlainRequest request, int n_axes, const cnp.npy_intp* shape, PyObject** values):
        cdef double mean = 0.0, std = 1.0
        if not (set_number(values[FIRST], -LARGEST_FLOAT, LARGEST_FLOAT, &mean)
                and set_number(values[SECOND], 0.0, LARGEST_FLOAT, &std)):
            return False
        request.job.fill.distribution = NORMAL
        request.job.fill.shift, request.job.fill.scale = mean, std
        return True


cdef bint set_number(PyObject* value, double least, double largest, double* number):
    """The argument, if it is given, into `number`. False where it is no float between the bounds."""
    if value == NULL:
        return True
    if type(<object>value) is not float or not least <= <double><object>value <= largest:
        return False
    number[0] = <double><object>value
    return True


cdef int lengths_of(shape, cnp.npy_intp* lengths) except -2:
    """How many axes there are; −1 where the shape is not plain, or has no elements."""
    cdef Py_ssize_t axis
    cdef double size = 1.0
    if type(shape) is not tuple or not 0 < len(<tuple>shape) <= MOST_AXES:
        return -1
    for axis in range(len(<tuple>shape)):
        length = (<tuple>shape)[axis]
        if type(length) is not int or not 0 < length < LONGEST:
            return -1
        lengths[axis] = length
        size *= <double>lengths[axis]
    return <int>len(<tuple>shape) if size < 2.0**31 else -1


cdef int type_of(PyObject* dtype):
    """NumPy's number of it; −1 where it is not plain."""
    if dtype == NULL or <object>dtype is AS_FLOAT or <object>dtype is OF_FLOAT:
        return cnp.NPY_FLOAT32
    return cnp.NPY_FLOAT64 if <object>dtype is AS_DOUBLE or <object>dtype is OF_DOUBLE else -1


cdef bint is_fitting(PyObject* out, int n_axes, const cnp.npy_intp* shape, int dtype):
    """Whether `out` is not given, or is an array like that."""
    return (not is_set(out) or is_contiguous(<object>out, dtype) and cnp.PyArray_NDIM(<cnp.ndarray>out) == n_axes
            and cnp.PyArray_CompareLists(cnp.PyArray_DIMS(<cnp.ndarray>out), shape, n_axes))
