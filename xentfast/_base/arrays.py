"""What users pass as arrays → NumPy arrays of known dtypes; their axes."""

import functools
import math

import numpy as np

from xentfast._base.exchange import exchanged_array
from xentfast._base.memory import is_plain_float
from xentfast._base.numbers import integer, is_true
from xentfast._base.tables import is_table, table_array

FLOATS = ("float16", "bfloat16", "float32", "float64")
# The largest finite number of each dtype.
LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38,
           "float64": 1.7976931348623157e308}
# What lists are of mostly.
UNMASKED = frozenset({int, float, bool, str, list, tuple, np.ndarray, np.float32, np.float64, np.int64, np.bool_})


def plain_array(value, name, advice=""):
    """Whatever NumPy makes an array of; arrays of other libraries, and buffers, without a copy."""
    value, masked = without_mask(value, name)
    if masked is not None:
        raise TypeError(f"{name} is a masked array, whose mask would be lost; pass its filled(value) data, with a value of your "
                        f"choice{advice}")
    if not isinstance(value, (np.ndarray, list, tuple)):
        if is_table(value):
            return table_array(value, name)
        if hasattr(value, "__dlpack__"):
            return exchanged_array(value, name)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    except (BufferError, OverflowError, RuntimeError, TypeError) as error:
        raise TypeError(f"{name} is not an array: {error}") from None


def without_mask(value, name):
    """(a masked array's data, which of them are masked); (`value`, None) where nothing is."""
    if type(value) is np.ndarray:
        return value, None                              # the common case
    if isinstance(value, (list, tuple)) and holds_masked(value):
        value = joined(value, name)
    if not isinstance(value, np.ma.MaskedArray):
        return value, None
    data, masked = np.asarray(value.data), value.mask
    if masked is np.ma.nomask or masked.dtype != np.bool_ or not masked.any():      # of records each field has its own
        return data, None
    return data, masked


def holds_masked(parts):
    """Whether rows or numbers among them are masked: NumPy would drop the masks."""
    return not UNMASKED.issuperset(map(type, parts)) and any(isinstance(part, np.ma.MaskedArray) for part in parts)


def joined(parts, name):
    pairs = [(False, True) if part is np.ma.masked else without_mask(part, name) for part in parts]
    try:
        data = np.stack([data for data, _ in pairs])
    except ValueError as error:
        raise ValueError(f"{name} is not an array: {error}") from None
    masked = np.zeros(data.shape, bool)
    for i, (_, own) in enumerate(pairs):
        masked[i] = False if own is None else own
    return np.ma.masked_array(data, masked)


def any_masked(*masks):
    """Where one of these masks is set, each of which may be None; None where all are. They broadcast to each other."""
    masks = [mask for mask in masks if mask is not None]
    return functools.reduce(np.logical_or, masks) if masks else None


def leave_out(where, masked):
    """`where` (or None), False where masked as well: the one array of the size of the logits that a mask asks for."""
    return ~masked if where is None else ~masked & where


def float_array(value, name):
    """An array of a float dtype, in the machine's byte order; integers become float64. A copy only where it must be."""
    if is_plain_float(value):
        return value
    array = value if type(value) is np.ndarray else plain_array(value, name)
    if is_float(array.dtype):
        return native_array(array)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected float16, bfloat16 (of ml_dtypes), float32 or float64")
    return np.require(array, np.float64, "A")


def native_array(array):
    """The array aligned and in the machine's byte order, as kernels read it. A copy only where it must be."""
    return np.require(array, array.dtype.newbyteorder("="), "A")


def is_float(dtype):
    """Whether it is one of the four float dtypes, in whichever byte order."""
    return name_of(dtype) in FLOATS


def result_type(array):
    """The dtype of losses over it: that of its arithmetic."""
    return np.float64 if array.dtype == np.float64 else np.float32


@functools.lru_cache(maxsize=64)
def name_of(dtype):
    """The dtype's name, which NumPy puts together anew each time. bfloat16 is known by it: ml_dtypes is not imported."""
    return dtype.name


def class_axis(axis, array, name):
    """`axis` as an index from the front; there must be at least one class along it."""
    ndim = array.ndim
    if ndim == 0:
        raise ValueError(f"{name} is zero-dimensional; expected at least one axis, that of the classes")
    axis = ndim - 1 if type(axis) is int and axis == -1 else one_axis(axis, ndim)
    if array.shape[axis] == 0:
        raise ValueError(f"{name} has no classes: its shape is {array.shape} and axis is {axis}")
    return axis


def one_axis(axis, ndim):
    index = integer(axis, "axis")
    if not -ndim <= index < ndim:
        raise np.exceptions.AxisError(index, ndim)
    return index % ndim


def reduction_axes(axis, array, name, or_nothing=False):
    """An int, a tuple of ints or None → the sorted axes. There must be something along them, unless `or_nothing`."""
    ndim = array.ndim
    if ndim == 0:
        raise ValueError(f"{name} is zero-dimensional; expected at least one axis")
    if type(axis) is int and -ndim <= axis < ndim and array.size > 0:
        return (axis % ndim,)                           # the common case
    axes = sorted_axes(axis, ndim)
    if not or_nothing and any(array.shape[one] == 0 for one in axes):
        raise ValueError(f"{name} has no classes: its shape is {array.shape} and axis is {axis}")
    return axes


def sorted_axes(axis, ndim):
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, tuple):
        axes = sorted(one_axis(one, ndim) for one in axis)
        if len(set(axes)) < len(axes):
            raise ValueError(f"axis is {axis}, which names an axis twice")
        if not axes:
            raise ValueError("axis is an empty tuple; expected an integer, a tuple of integers or None")
        return tuple(axes)
    return (one_axis(axis, ndim),)


def one_axis_of(x, axes):
    """`x` with the given axes made one, the last; `x` itself where there is but one."""
    if len(axes) <= 1:
        return x
    kept = [i for i in range(x.ndim) if i not in axes]
    n_classes = math.prod(x.shape[i] for i in axes)
    return x.transpose(kept + list(axes)).reshape([x.shape[i] for i in kept] + [n_classes])


def one_axis_of_broadcast(array, axes):
    """one_axis_of an array that was broadcast: where that needs a copy, of the rows that there are in memory alone."""
    rows = tuple(slice(1) if stride == 0 and i not in axes else slice(None) for i, stride in enumerate(array.strides))
    shape = [length for i, length in enumerate(array.shape) if i not in axes]
    merged = one_axis_of(array[rows], axes)
    return np.broadcast_to(merged, [*shape, merged.shape[-1]])


def reduced_shape(shape, axes, keepdims):
    """`shape` without the axes, or with length one for them."""
    if len(axes) == 1 and keepdims is False:
        return shape[:axes[0]] + shape[axes[0] + 1:]    # the common case
    if is_true(keepdims, "keepdims"):
        return tuple(1 if i in axes else length for i, length in enumerate(shape))
    return tuple(length for i, length in enumerate(shape) if i not in axes)
