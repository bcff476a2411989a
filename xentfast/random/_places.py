"""Where values go: an array, or a part of one, and the places of its elements in the global array."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xentfast._base.arrays import name_of
from xentfast._base.exchange import output_of
from xentfast._base.numbers import integer, shown
from xentfast._base.outputs import checked_output
from xentfast.random import _loops

TYPE_CODES = {"float16": _loops.AS_FLOAT16, "bfloat16": _loops.AS_BFLOAT16, "float32": _loops.AS_FLOAT32,
              "float64": _loops.AS_FLOAT64}
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def shape_of(shape):
    """A shape as a tuple of non-negative ints."""
    if type(shape) is tuple and all(type(length) is int and 0 <= length < 2**15 for length in shape) and len(shape) <= 4:
        return shape                                # the common case
    if not isinstance(shape, (Sequence, np.ndarray)) or isinstance(shape, (str, bytes)) or np.ndim(shape) == 0:
        shape = (integer(shape, "shape"),)
    lengths = tuple(integer(length, f"shape[{axis}]") for axis, length in enumerate(shape))
    if any(length < 0 for length in lengths):
        raise ValueError(f"shape is {shape}; expected lengths of at least 0")
    if any(length >= 2**62 for length in lengths):
        raise ValueError(f"shape is {shape}; expected lengths below 2**62")
    if len(lengths) > 64:
        raise ValueError(f"shape has {len(lengths)} axes; expected at most 64")
    if math.prod(lengths) >= 2**62:
        raise ValueError(f"shape is {shape}, which has {math.prod(lengths)} elements; expected fewer than 2**62")
    return lengths


def float_type(dtype):
    """A dtype that the fills know, in the machine's byte order. bfloat16 is known by its name: ml_dtypes is not imported."""
    try:
        found = np.dtype("None" if dtype is None else dtype)        # NumPy would make float64 of None
    except MemoryError:
        raise
    except Exception:
        hint = "; import ml_dtypes first, which defines it" if isinstance(dtype, str) and dtype == "bfloat16" else ""
        raise TypeError(f"dtype is {shown(dtype)}, which NumPy does not know{hint}") from None
    if name_of(found) not in TYPE_CODES or not found.isnative:
        raise TypeError(f"dtype is {found}; expected float16, bfloat16 (of ml_dtypes), float32 or float64")
    return found


@dataclass(slots=True)
class Destination:
    """Where values go: an output, and the place of its elements in the global array."""

    out: np.ndarray
    shape: tuple[int, ...]                          # of the global array
    parts: list[tuple[int, int | None]]             # of it: (start, length); length None for an axis that out has not
    first: int                                      # place of out's first element, in C order
    places: tuple[int, ...]                         # how far apart out's elements are there, along each of its axes

    @property
    def type_code(self):
        return TYPE_CODES[name_of(self.out.dtype)]

    @property
    def arithmetic(self):
        """The dtype that values are computed in."""
        return FLOAT64 if self.out.dtype == FLOAT64 else FLOAT32


def destination(shape, dtype, out, index=None):
    """The part `index` of an array of `shape`, in `out` or in a new array."""
    shape = shape_of(shape)
    dtype = float_type(dtype)
    parts = part_of(shape, index)
    first, stride, places, out_shape = 0, 1, [], []
    for (start, length), whole in zip(reversed(parts), reversed(shape), strict=True):
        first += start * stride
        if length is not None:
            places.append(stride)
            out_shape.append(length)
        stride *= whole
    out_shape = tuple(reversed(out_shape))
    if out is None:
        out = _new(out_shape, dtype)
    else:
        out = output_of(out)
        if out.dtype != dtype and name_of(out.dtype) in TYPE_CODES:
            raise TypeError(f"out has dtype {out.dtype}; expected {dtype}, which the argument dtype says")
        out = checked_output(out, out_shape, dtype)
    return Destination(out, shape, parts, first, tuple(reversed(places)))


def _new(shape, dtype):
    try:
        return np.empty(shape, dtype)
    except ValueError:
        raise ValueError(f"shape {shape} of {dtype} has more bytes than there are addresses") from None


def part_of(shape, index):
    """(start, length) for each axis; length None where an integer takes the axis away."""
    if index is None:
        return [(0, length) for length in shape]
    entries = index if isinstance(index, tuple) else (index,)
    n_given = sum(entry is not Ellipsis for entry in entries)
    if n_given < len(entries) - 1:
        raise IndexError(f"index is {shown(index)}, with more than one Ellipsis")
    if n_given > len(shape):
        raise IndexError(f"index is {shown(index)}, with {n_given} entries; shape {shape} has {len(shape)} axes")
    if n_given == len(entries):
        entries = (*entries, Ellipsis)
    at = [entry is Ellipsis for entry in entries].index(True)
    full = [slice(None)] * (len(shape) - n_given)
    return [_part(entry, length, axis) for axis, (entry, length) in
            enumerate(zip([*entries[:at], *full, *entries[at + 1:]], shape, strict=True))]


def _part(entry, length, axis):
    if isinstance(entry, slice):
        if entry.step is not None and integer(entry.step, f"the step of index[{axis}]") != 1:
            raise ValueError(f"index[{axis}] is {entry}; expected a step of 1")
        for bound in (entry.start, entry.stop):
            if bound is not None:
                integer(bound, f"a bound of index[{axis}]")
        start, stop, _ = entry.indices(length)
        return start, max(stop - start, 0)
    if isinstance(entry, (bool, np.bool_)) or entry is None:
        raise TypeError(f"index[{axis}] is {entry!r}; expected an integer or a slice")
    try:
        position = integer(entry, f"index[{axis}]")
    except TypeError:
        raise TypeError(f"index[{axis}] is {shown(entry)}; expected an integer or a slice") from None
    if not -length <= position < length:
        raise IndexError(f"index[{axis}] is {position}; axis {axis} has length {length}")
    return position % length, None
