"""Arrays to blocks: what is accepted as a Dask array, arrays cut alike, and the tasks over them.

(a) A task is a function of this package and the blocks of one place, so that it can be sent to another process. Layers are Dask's
    blockwise ones, which it fuses with those that make the blocks.
(b) An axis of the largest array is a label; arrays that are broadcast lack labels, and get axes of length 1 for them in the task.
(c) A block does not know where it is: errors that name a place in it are raised again with the place in the whole array.
"""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.core import flatten
from dask.highlevelgraph import HighLevelGraph
from dask.layers import ArraySliceDep

from xentfast._base import arrays
from xentfast._base.arrays import is_float, plain_array

ABSENT = None, None         # for `apply`: an argument that was not given


def dask_array(value, name):
    """A Dask array of NumPy blocks of known sizes."""
    if not isinstance(value, da.Array):
        raise TypeError(f"{name} is of type {type(value).__name__}; expected a Dask array, such as dask.array.from_array makes")
    return _checked(value, name)


def any_array(value, name):
    """A Dask array, or a NumPy array of what can be one."""
    if isinstance(value, da.Array):
        return _checked(value, name)
    if dask.is_dask_collection(value):
        raise TypeError(f"{name} is a Dask {type(value).__name__}; expected a Dask or NumPy array (to_dask_array makes one)")
    return plain_array(value, name)


def without_mask(value, name):
    """(the data, which of them are masked, or None): of a Dask array of masked arrays lazily, whatever will be masked."""
    if isinstance(value, da.Array) and isinstance(value._meta, np.ma.MaskedArray):
        return da.ma.getdata(value), da.ma.getmaskarray(value)
    return arrays.without_mask(value, name)


def filled(value, masked, filling):
    """`value`, but for the masked ones."""
    if masked is None:
        return value
    return (da if isinstance(value, da.Array) or isinstance(masked, da.Array) else np).where(masked, filling, value)


def _checked(array, name):
    if isinstance(array._meta, np.ma.MaskedArray):
        raise TypeError(f"{name} is a Dask array of masked arrays, whose masks would be lost; pass "
                        f"dask.array.ma.filled({name}, value), with a value of your choice")
    if not isinstance(array._meta, np.ndarray):
        kind = type(array._meta)
        raise TypeError(f"{name} is a Dask array of {kind.__module__}.{kind.__name__} blocks; expected numpy.ndarray, in the "
                        "CPU's memory")
    if any(math.isnan(length) for length in array.shape):
        raise ValueError(f"{name} has chunks of unknown size, its shape is {array.shape}; call its compute_chunk_sizes() first")
    return array


def as_floats(array, name):
    """`array` with a float dtype of the machine's byte order; integers become float64."""
    if is_float(array.dtype):
        return array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind not in "iub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected float16, bfloat16 (of ml_dtypes), float32 or float64")
    return array.astype(np.float64)


def rechunked(array, chunks):
    """By tasks that need their neighbours alone: a cluster's own way waits for all blocks, and would keep them meanwhile."""
    return array.rechunk(chunks, method="tasks")


def without_empty(array, axis):
    """No chunk of length 0 along an axis that has any length."""
    lengths = tuple(length for length in array.chunks[axis] if length)
    return rechunked(array, {axis: lengths}) if lengths and lengths != array.chunks[axis] else array


def whole_along(array, *axes):
    """In one block along these axes."""
    return rechunked(array, dict.fromkeys(axes, -1))


class Operand(NamedTuple):
    """An array that broadcasts to `whole`: its blocks lie where those of `whole` do."""

    array: da.Array
    labels: tuple[int, ...]
    missing: tuple[int, ...]        # its axes of length 1 that the blocks have not
    axes: tuple[int | None, ...]    # the label of each axis of the array that was given

    @property
    def pair(self):
        return self.array, self.labels


def operand(value, whole, chunks):
    """`value`, whose shape broadcasts to `whole`, cut as `chunks` has it."""
    lead = len(whole) - value.ndim
    missing = tuple(axis for axis in range(value.ndim) if value.shape[axis] == 1 and whole[lead + axis] != 1)
    labels = tuple(lead + axis for axis in range(value.ndim) if axis not in missing)
    array = cut(value, [chunks[lead + axis] if axis not in missing else (1,) for axis in range(value.ndim)])
    return Operand(array.squeeze(missing) if missing else array, labels, missing,
                   tuple(None if axis in missing else lead + axis for axis in range(value.ndim)))


def cut(value, chunks):
    """A Dask array of those chunks."""
    chunks = tuple(chunks)
    return rechunked(value, chunks) if isinstance(value, da.Array) else da.from_array(value, chunks=chunks)


def in_one_block(array):
    """All of it; for arrays of rows, which are small."""
    return rechunked(array, array.shape) if isinstance(array, da.Array) else da.from_array(array, chunks=array.shape)


def apply(function, labels, *pairs, dtype, place=None, adjust_chunks=None, new_axes=None, **options):
    """The array whose blocks are function(*blocks, **options); `pairs` are arrays and their labels, or (value, None).

    `place` are chunks by label: the function then gets the slices of its block along these labels as a last argument.
    """
    if place is not None:
        pairs = (*pairs, (ArraySliceDep(tuple(place[label] for label in labels if label in place)),
                          tuple(label for label in labels if label in place)))
    return da.blockwise(
        run, labels, *[part for pair in pairs for part in pair], function=function, dtype=dtype, align_arrays=False, **options,
        adjust_chunks=adjust_chunks, new_axes=new_axes, token=function.__name__, meta=np.empty((0,) * len(labels), dtype))


def fold(function, array, *more, dtype, **options):
    """The array of no axes that function([every block of `array`, in order], *more, **options) makes, in one task.

    `more` are numbers, or arrays of no axes. A layer of its own: Dask would fuse a blockwise one with all that makes the blocks.
    """
    name = f"{function.__name__}-{tokenize(function, array.name, [getattr(one, 'name', one) for one in more], options)}"
    arguments = [(one.name,) if isinstance(one, da.Array) else one for one in more]
    task = (partial(function, **options), list(flatten(array.__dask_keys__())), *arguments)
    graph = HighLevelGraph.from_collections(name, {(name,): task}, dependencies=[
        array, *[one for one in more if isinstance(one, da.Array)]])
    return da.Array(graph, name, (), meta=np.empty((), dtype))


def run(*blocks, function, **options):
    """A task. Along a label that the result has not there is one block, in a list."""
    return function(*map(_only, blocks), **options)


def _only(block):
    while isinstance(block, list):
        block, = block
    return block


def item(pair, number):
    """One of the results of a task that makes several at once."""
    return pair[number]


@contextmanager
def located(**origins):
    """Errors that name a place, as in "targets[3, 17] is", of an argument with an origin are moved to the whole array."""
    try:
        yield
    except (IndexError, ValueError) as error:
        found = re.match(r"(\w+)\[([\d, ]+)\]", str(error))
        if found is None or found[1] not in origins:
            raise
        index = [int(number) + start for number, start in zip(found[2].split(","), origins[found[1]], strict=True)]
        raise type(error)(f"{found[1]}{index}{str(error)[found.end():]}") from None


def starts(place, axes=None):
    """The origin of a block at these slices, for `located`; of an operand's axes, those that it lacks begin at 0."""
    return [one.start for one in place] if axes is None else [0 if axis is None else place[axis].start for axis in axes]


def stand_in(shape, dtype):
    """An array of that shape which takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def spread(block, missing):
    """A broadcast array's block with the axes of length 1 that it lacks."""
    return None if block is None else np.expand_dims(block, missing)
