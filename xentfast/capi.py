"""The table of C functions for ctypes and Numba. Modules compiled from C or Cython have xentfast.h and ``cimport xentfast``.

Structures and signatures are those of the header, which says what the functions take. A pointer of any type is
``c_void_p``: ctypes takes an address (``array.ctypes.data``) or a reference (``ctypes.byref(options)``), Numba takes
``array.ctypes``.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p
from typing import TYPE_CHECKING

from xentfast import _capi

if TYPE_CHECKING:
    from typing import Any

__all__ = ["MEAN", "NONE", "SUM", "VERSION", "Api", "Options", "Truncation", "table"]

# XENTFAST_VERSION, and the values of Options.reduction.
VERSION = 1
MEAN, SUM, NONE = range(3)


class Options(ctypes.Structure):
    """Options of the loss, as xentfast_default_options() has them but for the fields that are given.

    Parameters
    ----------
    **fields : int or float
        Any of the attributes, by its name.

    Attributes
    ----------
    bytes : int
        The structure's size; left alone.
    weight, sample_weight : int
        Addresses of float64, (C,) and (N,): ``array.ctypes.data``, or 0. The arrays must outlive the calls.
    label_smoothing, z_loss, logit_scale, softcap, empty : float
        As for `xentfast.softmax_cross_entropy`; a softcap of 0 is none.
    ignore_index : int
        As there.
    bad_place : int
        Address of an int64 that takes the place of a bad target or weight, or 0.
    reduction : int
        `MEAN`, `SUM` or `NONE`.

    Raises
    ------
    TypeError
        For a field that does not exist, or a value that it cannot hold.

    See Also
    --------
    table : The functions that take them.
    xentfast.softmax_cross_entropy : What the options do.

    Notes
    -----
    ``numpy.frombuffer(options, capi.Options)`` is an array over the same memory, whose fields Numba can set.

    Examples
    --------
    >>> from xentfast import capi
    >>> options = capi.Options(z_loss=1e-4, reduction=capi.SUM)
    >>> options.logit_scale, options.ignore_index
    (1.0, -100)
    """

    _fields_ = [("bytes", c_size_t), ("weight", c_size_t), ("sample_weight", c_size_t), ("label_smoothing", c_double),
                ("z_loss", c_double), ("logit_scale", c_double), ("softcap", c_double), ("empty", c_double),
                ("ignore_index", c_int64), ("bad_place", c_size_t), ("reduction", c_int64)]

    def __init__(self, **fields: Any) -> None:
        names = [field[0] for field in self._fields_]
        unknown = sorted(fields.keys() - set(names))
        if unknown:
            raise TypeError(f"{unknown[0]!r} is no field of Options; they are {', '.join(names)}")
        super().__init__(**{"bytes": ctypes.sizeof(Options), "logit_scale": 1.0, "empty": float("nan"), "ignore_index": -100,
                            **fields})


class Truncation(ctypes.Structure):
    """Where a normal distribution is cut: filled by ``table().truncation_float32`` or ``truncation_float64``.

    Attributes
    ----------
    dtype, constants : int and array of double
        What these functions write, nobody else's to set.

    See Also
    --------
    table : The functions that fill and take it.
    xentfast.init.truncated_normal : The same values in Python.

    Examples
    --------
    >>> import ctypes
    >>> import numpy as np
    >>> from xentfast import capi
    >>> api, bounds, out = capi.table(), capi.Truncation(), np.empty(1000, np.float32)
    >>> api.truncation_float32(-1.0, 3.0, ctypes.byref(bounds))
    0
    >>> api.truncated_normal_float32(out.ctypes.data, 1000, 7, 0, 0, 0.0, 0.02, ctypes.byref(bounds), 0)
    0
    >>> bool((out >= -0.02).all() and (out <= 0.06).all())
    True
    """

    _fields_ = [("dtype", c_int64), ("constants", c_double * 11)]


_ROWS = (c_void_p, c_int64, c_int64, c_int64)                   # pointer, n_rows, n_classes, row_stride
_LOSS = CFUNCTYPE(c_int, *_ROWS, c_void_p, c_void_p, c_int, c_void_p)
_GRAD = CFUNCTYPE(c_int, *_ROWS, c_void_p, c_void_p, c_int, c_void_p, c_int64)
_BOTH = CFUNCTYPE(c_int, *_ROWS, c_void_p, c_void_p, c_int, c_void_p, c_void_p, c_int64)
_LOGSUMEXP = CFUNCTYPE(c_int, *_ROWS, c_int, c_void_p)
_PLACE = (c_void_p, c_int64, c_uint64, c_uint64, c_int64)       # out, n, key, stream, first
_FILL = CFUNCTYPE(c_int, *_PLACE, c_double, c_double, c_int)
_TRUNCATED = CFUNCTYPE(c_int, *_PLACE, c_double, c_double, c_void_p, c_int)
_BOUNDS = CFUNCTYPE(c_int, c_double, c_double, c_void_p)


class Api(ctypes.Structure):
    """The table: xentfast_api in the header.

    Each function but the first returns a status: 0, or what went wrong. The header says what each argument is.

    Attributes
    ----------
    version, api_bytes, options_bytes : int
        `VERSION`, and the sizes of the table and of `Options`.
    status_message : function
        Of a status: a sentence about it, as bytes.
    softmax_cross_entropy_float32, softmax_cross_entropy_float64 : function
        Of (logits, n_rows, n_classes, row_stride, targets, options, n_threads, loss).
    softmax_cross_entropy_grad_float32, softmax_cross_entropy_grad_float64 : function
        Of (logits, n_rows, n_classes, row_stride, targets, options, n_threads, grad, grad_stride).
    softmax_cross_entropy_value_and_grad_float32, softmax_cross_entropy_value_and_grad_float64 : function
        Of (logits, n_rows, n_classes, row_stride, targets, options, n_threads, loss, grad, grad_stride).
    logsumexp_float32, logsumexp_float64 : function
        Of (x, n_rows, n_classes, row_stride, n_threads, result).
    uniform_float32, uniform_float64 : function
        Of (out, n, key, stream, first, low, high, n_threads).
    normal_float32, normal_float64 : function
        Of (out, n, key, stream, first, mean, std, n_threads).
    truncated_normal_float32, truncated_normal_float64 : function
        Of (out, n, key, stream, first, mean, std, bounds, n_threads).
    truncation_float32, truncation_float64 : function
        Of (lower, upper, bounds).

    See Also
    --------
    table : The one of this process.
    Options : Of the losses.
    Truncation : Of `truncated_normal`.

    Examples
    --------
    >>> from xentfast import capi
    >>> capi.table().status_message(6)
    b'a target is neither a class nor ignore_index; *bad_place has its row'
    """

    _fields_ = [("version", c_int64), ("api_bytes", c_size_t), ("options_bytes", c_size_t),
                ("status_message", CFUNCTYPE(c_char_p, c_int)),
                *((f"{name}_{dtype}", signature) for name, signature in [
                    ("softmax_cross_entropy", _LOSS), ("softmax_cross_entropy_grad", _GRAD),
                    ("softmax_cross_entropy_value_and_grad", _BOTH), ("logsumexp", _LOGSUMEXP), ("uniform", _FILL),
                    ("normal", _FILL), ("truncated_normal", _TRUNCATED), ("truncation", _BOUNDS)]
                    for dtype in ("float32", "float64"))]


def table() -> Api:
    """The table of C functions of this process.

    Returns
    -------
    Api
        Its fields are functions that ctypes calls without the GIL, and that Numba calls from compiled code.

    See Also
    --------
    Api : What is in it.
    xentfast.get_include : The header's folder, for C and Cython.
    xentfast.random.key : What the fills take for `rng`.
    xentfast.random.stream : What the fills take for `name`.

    Examples
    --------
    >>> import numpy as np
    >>> from xentfast import capi
    >>> x, result = np.zeros((2, 4)), np.empty(2)
    >>> capi.table().logsumexp_float64(x.ctypes.data, 2, 4, 4, 1, result.ctypes.data)
    0
    >>> result
    array([1.38629436, 1.38629436])
    """
    pointer_of = ctypes.PYFUNCTYPE(c_void_p, ctypes.py_object, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    return Api.from_address(pointer_of(_capi.api, b"xentfast._capi.api"))
