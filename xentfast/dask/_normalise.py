"""softmax, log_softmax and logsumexp on Dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dask.array as da

import xentfast
from xentfast._base.arrays import reduction_axes
from xentfast._base.numbers import is_true
from xentfast._base.threads import requested
from xentfast._base.values import broadcast_factors, broadcast_mask
from xentfast.dask._documentation import documented
from xentfast.dask._graphs import (
    ABSENT,
    any_array,
    apply,
    as_floats,
    dask_array,
    filled,
    operand,
    spread,
    stand_in,
    whole_along,
    without_mask,
)

if TYPE_CHECKING:
    from xentfast.dask._cross_entropy import Arrays

__all__ = ["log_softmax", "logsumexp", "softmax"]


@documented()
def softmax(x: da.Array, axis: int | tuple[int, ...] | None = -1, *, where: Arrays | None = None,
            n_threads: int | None = 1) -> da.Array:
    """As `xentfast.softmax`, on Dask arrays.

    Parameters
    ----------
    x : dask.array.Array of float16, bfloat16, float32 or float64
        Of any shape with at least one axis, in NumPy blocks of known sizes. Integers become float64. Blocks that lie side by side
        along `axis` become one: cut the other axes so that it fits in memory.

    Returns
    -------
    dask.array.Array
        Of the shape of `x` and its dtype (float64 for integers), with the bits that one machine gives.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.softmax(da.zeros((2, 4), chunks=(1, 2))).compute()
    array([[0.25, 0.25, 0.25, 0.25],
           [0.25, 0.25, 0.25, 0.25]])
    """
    return _normalised("softmax", x, axis, where, n_threads)


@documented(softmax)
def log_softmax(x: da.Array, axis: int | tuple[int, ...] | None = -1, *, where: Arrays | None = None,
                n_threads: int | None = 1) -> da.Array:
    """As `xentfast.log_softmax`, on Dask arrays.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.log_softmax(da.from_array([0.0, -50.0], chunks=1)).compute()
    array([-1.92874985e-22, -5.00000000e+01])
    """
    return _normalised("log_softmax", x, axis, where, n_threads)


@documented(softmax)
def logsumexp(x: da.Array, axis: int | tuple[int, ...] | None = -1, *, b: Arrays | None = None, where: Arrays | None = None,
              keepdims: bool = False, n_threads: int | None = 1) -> da.Array:
    """As `xentfast.logsumexp`, on Dask arrays.

    Parameters
    ----------
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all.

    Returns
    -------
    dask.array.Array
        Of the shape of `x` without `axis`, in its dtype (float64 for integers), with the bits that one machine gives.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.logsumexp(da.full((2, 2), 1000.0, chunks=1)).compute()
    array([1000.69314718, 1000.69314718])
    """
    x, axes, where = _whole_along(x, axis, where, n_threads)
    labels = tuple(label for label in range(x.ndim) if label not in axes)
    values = _of_blocks("logsumexp", labels, x, axes, where, b, n_threads)
    return da.expand_dims(values, axes) if is_true(keepdims, "keepdims") else values


def _normalised(wanted, x, axis, where, n_threads):
    x, axes, where = _whole_along(x, axis, where, n_threads)
    return _of_blocks(wanted, tuple(range(x.ndim)), x, axes, where, None, n_threads)


def _whole_along(x, axis, where, n_threads):
    """(x in one block along the axes, these, `where` with its mask)."""
    x, closed = without_mask(x, "x")
    x = as_floats(dask_array(x, "x"), "x")
    axes = reduction_axes(axis, x, "x", or_nothing=True)
    requested(n_threads)
    if where is not None:
        where = any_array(where, "where")
        broadcast_mask(stand_in(where.shape, where.dtype), x.shape, "x")
    if closed is not None:
        where = ~closed if where is None else ~closed & where
    return whole_along(x, *axes), axes, where


def _of_blocks(wanted, labels, x, axes, where, b, n_threads):
    where, missing = _operand(where, x)
    if b is not None:
        b, masked = without_mask(b, "b")
        b = filled(any_array(b, "b"), masked, 0)
        broadcast_factors(stand_in(b.shape, b.dtype), x.shape)
    b, missing_of_b = _operand(b, x)
    return apply(of_block, labels, (x, tuple(range(x.ndim))), where, b, dtype=x.dtype, wanted=wanted, axis=axes,
                 missing=missing, missing_of_b=missing_of_b, n_threads=n_threads)


def _operand(value, x):
    """((the array, its labels), the axes of length 1 that it lacks), cut as x is."""
    if value is None:
        return ABSENT, ()
    found = operand(value, x.shape, x.chunks)
    return found.pair, found.missing


def of_block(x, where, b, *, wanted, axis, missing, missing_of_b, n_threads):
    """A task."""
    given = {} if b is None else {"b": spread(b, missing_of_b)}
    return getattr(xentfast, wanted)(x, axis, where=spread(where, missing), n_threads=n_threads, **given)
