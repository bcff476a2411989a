"""Outputs that users pass: what they must be, what they may share memory with, and whether they go past the cache."""

import numpy as np

from xentfast._base.exchange import output_of
from xentfast._base.level import policy
from xentfast._base.memory import new_like, takes

# Outputs of more bytes than this go past the cache, which they would not fit (asv: SoftmaxCrossEntropyValueAndGrad.time_wide).
policy.stream_bytes = 16 * 2**20
# A thread's row of exponentials waits in cache meanwhile, if it is no longer than this.
policy.stream_row_bytes = 768 * 1024


def output_array(out, like, inputs=()):
    """`out` if it can take a result of `like`'s shape and dtype; a new array where it is None.

    `out` may be `like` itself, element for element; any other overlap, with `like` or with the other inputs, is refused.
    """
    if out is None:
        return new_like(like)
    if takes(out, like, inputs):
        return out
    out = checked_output(out, like.shape, like.dtype)
    if out is not like and np.may_share_memory(out, like) and not same_elements(out, like) and overlap(out, like):
        raise ValueError("out overlaps the input without being the same elements; pass the input itself, or another array")
    for array in inputs:
        if array is not None and np.may_share_memory(out, array) and overlap(out, array):
            raise ValueError("out overlaps the targets, the weights or where, which are read while it is written")
    return out


def output_pair(out, like, inputs):
    """(gradient, Hessian): two such outputs, apart from each other, the second apart from `like` as well."""
    if out is None:
        return output_array(None, like), output_array(None, like)
    if not isinstance(out, tuple) or len(out) != 2:
        raise TypeError(f"out is of type {type(out).__name__}; expected a tuple of two arrays, for gradient and Hessian")
    gradient, hessian = (output_array(array, like, inputs) for array in out)
    if np.may_share_memory(hessian, like) and overlap(hessian, like):
        raise ValueError("out[1] overlaps the logits, which are read while it is written; pass another array for the Hessian")
    if np.may_share_memory(hessian, gradient) and overlap(hessian, gradient):
        raise ValueError("out[0] and out[1] overlap; pass two separate arrays")
    return gradient, hessian


def checked_output(out, shape, dtype, name="out"):
    """`out` as an array to write to, if it can take a result of that shape and dtype."""
    out = output_of(out, name)
    if out.dtype != dtype or not out.dtype.isnative:
        raise TypeError(f"{name} has dtype {out.dtype}; expected {dtype}")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}; expected {shape}")
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only")
    if not out.flags.aligned:
        raise ValueError(f"{name} is not aligned to its items")
    if not out.flags.forc and overlaps_itself(out):
        raise ValueError(f"{name} has elements that share memory (strides {out.strides}, shape {out.shape})")
    return out


def same_elements(a, b):
    return (a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
            and a.shape == b.shape and a.strides == b.strides)


def overlap(a, b):
    try:
        return np.shares_memory(a, b, max_work=100_000)
    except np.exceptions.TooHardError:
        return True


def overlaps_itself(array):
    """Whether two indices could name one address. Exact for every layout that slicing and transposing can make."""
    reach = array.itemsize
    for stride, length in sorted(zip(map(abs, array.strides), array.shape, strict=True)):
        if length > 1:
            if stride < reach:
                return True
            reach = stride * length
    return False
