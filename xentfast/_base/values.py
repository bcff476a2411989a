"""Weights, and the first bad value of an array with its place."""

import numpy as np

from xentfast._base.arrays import is_float, native_array, plain_array, without_mask
from xentfast._base.memory import contiguous_float64
from xentfast._base.numbers import position

# Elements that are looked through at a time for the one to name in an error.
LOOK = 65536
# Class weights that take no memory worth saving: 32 KiB.
FEW = 4096


def weight_array(value, shape, name, meaning):
    """A contiguous float64 array of finite weights of the given shape; masked ones are 0."""
    value, masked = without_mask(value, name)
    array = value if type(value) is np.ndarray else plain_array(value, name)
    check_weights(array, shape, name, meaning)
    if masked is not None:
        array = array.astype(np.float64)
        array[masked] = 0.0
    return contiguous_float64(array)


def class_weight_array(value, n_classes):
    """A finite weight for each class; masked ones are 0. Contiguous float64 where they are few, for which calls are short; else
    float32 and float64 in the machine's byte order as they are, others as float64."""
    value, masked = without_mask(value, "weight")
    array = value if type(value) is np.ndarray else plain_array(value, "weight")
    check_weights(array, (n_classes,), "weight", "a weight for each class")
    if masked is not None:
        array = array.astype(np.float64)
        array[masked] = 0.0
    elif n_classes <= FEW or array.dtype not in (np.float32, np.float64) or not array.flags.aligned:
        array = contiguous_float64(array)
    for start in range(0, n_classes, LOOK):                 # a mask of all would be a byte a class
        finite = np.isfinite(array[start:start + LOOK])
        if not finite.all():
            check_finite(array, start + int(np.argmin(finite)), "weight")
    return array


def check_real(array, name):
    if array.dtype.kind not in "iub" and not is_float(array.dtype):
        raise TypeError(f"{name} has dtype {array.dtype}; expected real numbers")


def check_weights(array, shape, name, meaning):
    """Their dtype and shape."""
    check_real(array, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}, {meaning}")


def broadcast_mask(where, shape, name="logits"):
    """An array of booleans, broadcast to the shape of the logits."""
    where = where if type(where) is np.ndarray else plain_array(where, "where", ": filled(False) leaves masked entries out")
    if where.dtype != np.bool_:
        raise TypeError(f"where has dtype {where.dtype}; expected booleans")
    return _broadcast(where, "where", shape, name)


def broadcast_factors(b, shape):
    """An array of real numbers as kernels read it, broadcast to the shape of x; masked ones are 0."""
    b, masked = without_mask(b, "b")
    array = b if type(b) is np.ndarray else plain_array(b, "b")
    check_real(array, "b")
    if masked is not None:
        array = np.where(masked, array.dtype.type(0), array)
    return _broadcast(native_array(array), "b", shape, "x")


def _broadcast(array, own_name, shape, name):
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"{own_name} has shape {array.shape}, which does not broadcast to that of {name}, {shape}") from None


def check_finite(weights, first_bad, name):
    """`first_bad` is the place of the first weight that is not finite, or −1."""
    if first_bad >= 0:
        raise ValueError(f"{name}{position(first_bad, weights.shape)} is {weights.flat[first_bad]}; expected finite weights")


def first_outside(array, allowed, unread=None):
    """The place, in C order, of the first element that is not allowed, or −1; without a copy of the whole. `unread` says of the
    elements of a slice which may be anything."""
    for start in range(0, array.size, LOOK):
        fine = allowed(array.flat[start:start + LOOK])
        if unread is not None and not fine.all():
            fine = fine | unread(slice(start, start + LOOK))
        if not fine.all():
            return start + int(np.argmin(fine))
    return -1


def name_outside(array, lowest, highest, shape=None, unread=None):
    """('[1, 3]', value) of the first value that is not finite and from `lowest` to `highest`; None where there is none. Where
    some elements of `shape`, to which the array is broadcast, are not read: of the first that is one of the others'."""
    def allowed(values):
        values = values.astype(np.float64)
        return (values >= lowest) & (values <= highest) & np.isfinite(values)

    shape = array.shape if shape is None else shape
    with np.errstate(invalid="ignore"):                     # signalling nans
        flat = first_outside(np.broadcast_to(array, shape), allowed, unread)
    if flat < 0:
        return None
    index = np.unravel_index(flat, shape)[len(shape) - array.ndim:]
    own = tuple(0 if length == 1 else i for i, length in zip(index, array.shape, strict=True))
    return position(np.ravel_multi_index(own, array.shape) if own else 0, array.shape), array[own]
