"""Calls through the table of C functions, for arrays: what a C caller would pass, and nothing checked."""

import ctypes

import numpy as np

from xentfast import capi

TABLE = capi.table()
SENTINEL = 77.0
REDUCTIONS = {"mean": capi.MEAN, "sum": capi.SUM, "none": capi.NONE}


def name_of(function, dtype):
    return f"{function}_{np.dtype(dtype)}"


def stride_of(x):
    """Elements from row to row."""
    return x.strides[0] // x.itemsize


def options_of(bad_place=None, **keywords):
    """Options from the keywords of the Python function; the structure holds the arrays that it points to."""
    keywords = {key: value for key, value in keywords.items() if value is not None}
    arrays = {key: np.ascontiguousarray(keywords.pop(key), np.float64) for key in ("weight", "sample_weight") if key in keywords}
    if "reduction" in keywords:
        keywords["reduction"] = REDUCTIONS.get(keywords["reduction"], keywords["reduction"])
    if bad_place is not None:
        keywords["bad_place"] = bad_place.ctypes.data
    options = capi.Options(**keywords, **{key: array.ctypes.data for key, array in arrays.items()})
    options.arrays = arrays, bad_place
    return options


def losses_for(x, options):
    length = len(x) if options is not None and options.reduction == capi.NONE else 1
    return np.full(length, SENTINEL, x.dtype)


def cross_entropy(function, x, targets, options=None, grad=None, n_threads=0, changed=()):
    """(status, losses or None, gradient or None) of a function of two-dimensional logits; `changed` are other arguments."""
    loss = None
    arguments = {"logits": x.ctypes.data, "n_rows": len(x), "n_classes": x.shape[1], "row_stride": stride_of(x),
                 "targets": targets.ctypes.data, "options": None if options is None else ctypes.byref(options),
                 "n_threads": n_threads}
    if function != "softmax_cross_entropy_grad":
        loss = losses_for(x, options)
        arguments["loss"] = loss.ctypes.data
    if function != "softmax_cross_entropy":
        grad = np.full(x.shape, SENTINEL, x.dtype) if grad is None else grad
        arguments |= {"grad": grad.ctypes.data, "grad_stride": stride_of(grad)}
    arguments |= dict(changed)
    return getattr(TABLE, name_of(function, x.dtype))(*arguments.values()), loss, grad


def logsumexp(x, n_threads=0):
    result = np.full(len(x), SENTINEL, x.dtype)
    status = getattr(TABLE, name_of("logsumexp", x.dtype))(
        x.ctypes.data, len(x), x.shape[1], stride_of(x), n_threads, result.ctypes.data)
    return status, result


def fill(distribution, dtype, n, key, stream, first, *parameters, n_threads=0):
    out = np.full(n, SENTINEL, dtype)
    status = getattr(TABLE, name_of(distribution, dtype))(out.ctypes.data, n, key, stream, first, *parameters, n_threads)
    return status, out


def truncation(dtype, lower, upper):
    bounds = capi.Truncation()
    return getattr(TABLE, name_of("truncation", dtype))(lower, upper, ctypes.byref(bounds)), bounds
