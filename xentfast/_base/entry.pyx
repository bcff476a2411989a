"""Public functions whose plain calls never enter a Python frame.

A function is written in Python, with its signature and documentation; `entry` puts a plain case before it, compiled: that gets
the arguments as C has them, and either gives the result or NotImplemented, with nothing done. Then the function is called, which
looks at everything anew and has the errors. What is made so is documented, inspected, pickled and bound as the function itself.
"""
import functools
import types

from cpython.object cimport PyObject

cimport numpy as cnp

from xentfast._base.memory cimport apart, fits, is_plain_float, new_like

cnp.import_array()

cdef extern from "Python.h":
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject**, size_t, PyObject*)
    ctypedef struct PyTypeObject:
        Py_ssize_t tp_vectorcall_offset
        unsigned long tp_flags
    unsigned long Py_TPFLAGS_HAVE_VECTORCALL
    Py_ssize_t PyVectorcall_NARGS(size_t n)
    object PyObject_Call(object function, object arguments, object keywords)
    object PyObject_Vectorcall(object function, PyObject** arguments, size_t n, PyObject* names)


cdef class PlainCase:
    """What a subclass knows of its function's arguments, and does where all of them are plain."""

    cdef object run(self, PyObject** values):
        """`values`: one for each of `names`, borrowed; NULL where it is not given, which those given by position never are."""
        return NotImplemented


cdef enum:
    MOST_NAMES = 8           # of an initialiser


cdef class Entry:
    cdef vectorcallfunc vectorcall
    cdef readonly PlainCase plain
    cdef object general
    cdef dict __dict__

    def __init__(self, PlainCase plain, general):
        if len(plain.names) > MOST_NAMES:
            raise ValueError(f"{len(plain.names)} names; expected at most {MOST_NAMES}")
        self.vectorcall = <vectorcallfunc>enter
        self.plain, self.general = plain, general

    def __call__(self, *args, **kwargs):
        return PyObject_Call(self.general, args, kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self):
        return repr(self.general)

    def __reduce__(self):
        return self.__qualname__


cdef object enter(object function, PyObject** arguments, size_t flagged, PyObject* keywords):
    cdef Entry self = <Entry>function
    cdef PyObject* values[MOST_NAMES]
    cdef Py_ssize_t n = PyVectorcall_NARGS(flagged)
    if n == self.plain.n_positional and place(self.plain.names, arguments, n, keywords, values):
        result = self.plain.run(values)
        if result is not NotImplemented:
            return result
    return PyObject_Vectorcall(self.general, arguments, flagged, keywords)


cdef bint place(tuple names, PyObject** arguments, Py_ssize_t n, PyObject* keywords, PyObject** values):
    """The arguments to their names' places. False where one has another name."""
    cdef Py_ssize_t n_names = len(names), n_given = 0 if keywords == NULL else len(<tuple>keywords), i, at
    for i in range(n_names):
        values[i] = arguments[i] if i < n else NULL
    for i in range(n_given):
        at = n
        while at < n_names and names[at] is not (<tuple>keywords)[i]:       # names in a call are interned, as these are
            at += 1
        if at == n_names:
            return False
        values[at] = arguments[n + i]
    return True


def entry(plain):
    """A decorator: the function behind this plain case."""
    return lambda general: functools.update_wrapper(Entry(plain, general), general)


# What a type in C would say of itself. Nobody has seen this one yet.
cdef Entry probe = Entry.__new__(Entry)
(<PyTypeObject*>Entry).tp_vectorcall_offset = <char*>&probe.vectorcall - <char*><void*>probe
(<PyTypeObject*>Entry).tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL


# ---- what plain cases have in common


cdef bint is_set(PyObject* value) noexcept:
    """Whether an argument is given, and not None."""
    return value != NULL and <object>value is not None


cdef int plain_threads(PyObject* value) noexcept:
    """`n_threads` as the loops take it: 0 for None; −1 where it is not plain."""
    cdef object count
    if not is_set(value):
        return 0
    count = <object>value
    return <int>count if type(count) is int and 0 < count < 2**31 else -1


cdef int plain_axis(x, PyObject* axis):
    """The class axis, from the front; −1 where x or axis are not plain, or x is empty."""
    cdef int n_axes
    cdef object number
    if not is_plain_float(x) or cnp.PyArray_SIZE(<cnp.ndarray>x) == 0:
        return -1
    n_axes = cnp.PyArray_NDIM(<cnp.ndarray>x)
    if axis == NULL:
        return n_axes - 1
    number = <object>axis
    if type(number) is not int or not -n_axes <= number < n_axes:
        return -1
    return <int>number if number >= 0 else <int>number + n_axes


cdef object plain_reduction(PyObject* value):
    """`reduction`, "mean" where it is not given; None where it is not plain."""
    cdef object reduction
    if value == NULL:
        return "mean"
    reduction = <object>value
    if type(reduction) is str and (reduction == "mean" or reduction == "sum" or reduction == "none"):
        return reduction
    return None


cdef object plain_output(PyObject* out, cnp.ndarray like, other):
    """`out`, or a new array where there is none; None where it is not plain. `other` is read beside `like`, or is None."""
    if not is_set(out):
        return new_like(like)
    if fits(<object>out, like) and (<object>out is like or apart(<cnp.ndarray>out, like)) and apart(<cnp.ndarray>out, other):
        return <object>out
    return None


cdef cnp.ndarray new_rows(cnp.ndarray x, int axis):
    """A new array of x's shape without the class axis, and of its type."""
    cdef cnp.npy_intp shape[64]
    cdef int i
    for i in range(cnp.PyArray_NDIM(x) - 1):
        shape[i] = cnp.PyArray_DIM(x, i if i < axis else i + 1)
    return cnp.PyArray_EMPTY(cnp.PyArray_NDIM(x) - 1, shape, cnp.PyArray_TYPE(x), False)
