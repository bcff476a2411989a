"""Entropies of probabilities on Dask arrays, and the log loss of labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

import xentfast
from xentfast._base.arrays import name_of, one_axis_of, plain_array, reduction_axes
from xentfast._base.numbers import SMALLEST
from xentfast._base.reduction import totals
from xentfast._base.threads import requested
from xentfast._base.values import check_weights
from xentfast._probabilities.checks import (
    EPSILON,
    clipping,
    declared_labels,
    float_dtype,
    indicator_array,
    label_indices,
    name_bad_probability,
    prediction,
    probability_array,
    probability_arrays,
    rows_slack,
    value_dtype,
)
from xentfast._probabilities.functions import FOR_CROSS_ENTROPY, FOR_DIVERGENCE, FOR_ENTROPY, chunk_length, compare
from xentfast._probabilities.functions import label_losses as losses_of_labels
from xentfast.dask import _sums
from xentfast.dask._cross_entropy_tasks import finite_weights
from xentfast.dask._documentation import documented
from xentfast.dask._graphs import any_array, apply, cut, dask_array, in_one_block, located, operand, stand_in, starts, whole_along

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from xentfast.dask._cross_entropy import Arrays

__all__ = ["cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence", "log_loss"]


@documented()
def cross_entropy(p: Arrays, q: Arrays, *, axis: int | tuple[int, ...] | None = -1, eps: float | None = None,
                  keepdims: bool = False, n_threads: int | None = 1) -> da.Array:
    """As `xentfast.cross_entropy`, on Dask arrays.

    Parameters
    ----------
    q
        One of `p` and `q` at least is a Dask array of NumPy blocks of known sizes. Where both are, `q` is cut anew (lazily) as
        `p` is.

    Returns
    -------
    dask.array.Array
        In nats, of the broadcast shape without `axis`, cut as `p` is along the other axes; float64 if `p` or `q` is float64 or
        integer, else float32.

    Notes
    -----
    The bits are those that one machine gives where the rows are cut, or the classes at multiples of 1 024. Cut elsewhere, and
    over several axes that are cut, the sums of the blocks are added in order, in float64, with its accuracy.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> q = da.full((2, 4), 0.25, chunks=(1, 2))
    >>> xd.cross_entropy([0.5, 0.5, 0.0, 0.0], q).compute()
    array([1.38629436, 1.38629436])
    """
    return _compared(FOR_CROSS_ENTROPY, {"p": p, "q": q}, axis, eps, keepdims, n_threads)


@documented(cross_entropy)
def entropy(p: da.Array, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False,
            n_threads: int | None = 1) -> da.Array:
    """As `xentfast.entropy`, on Dask arrays.

    Parameters
    ----------
    p : dask.array.Array of float16, bfloat16, float32, float64, integers or bool
        The distribution, of any shape with at least one axis, in NumPy blocks of known sizes.
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all.

    Returns
    -------
    dask.array.Array
        In nats, of the shape of `p` without `axis`, cut as `p` is along the other axes; float64 for float64 and integers, else
        float32.

    Raises
    ------
    ValueError, TypeError
        `p` holds something else than numbers from 0 to 1, the first of which is named, or an argument is not as described.

    Notes
    -----
    Its bits are those of one machine where those of `cross_entropy` are.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.entropy(da.full((2, 4), 0.25, chunks=(1, 2))).compute()
    array([1.38629436, 1.38629436])
    """
    return _compared(FOR_ENTROPY, {"p": p}, axis, None, keepdims, n_threads)


@documented(cross_entropy)
def kl_divergence(p: Arrays, q: Arrays, *, axis: int | tuple[int, ...] | None = -1, eps: float | None = None,
                  keepdims: bool = False, n_threads: int | None = 1) -> da.Array:
    """As `xentfast.kl_divergence`, on Dask arrays.

    Notes
    -----
    Its bits are those of one machine where those of `cross_entropy` are.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.kl_divergence([0.5, 0.5], da.from_array([0.25, 0.75], chunks=1)).compute()
    np.float64(0.14384103622589045)
    """
    return _compared(FOR_DIVERGENCE, {"p": p, "q": q}, axis, eps, keepdims, n_threads)


@documented(cross_entropy)
def cross_entropy_grad(p: Arrays, q: Arrays, *, eps: float | None = None, n_threads: int | None = 1) -> da.Array:
    """As `xentfast.cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    eps
        Elements that it clips have the gradient 0.

    Returns
    -------
    grad : dask.array.Array
        Of the broadcast shape and the dtype of `q` (float64 for integers), with the bits that one machine gives.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.cross_entropy_grad([0.5, 0.5, 0.0], da.from_array([0.25, 0.75, 0.0], chunks=2)).compute()
    array([-2.        , -0.66666667,  0.        ])
    """
    shape, chunks, arrays, found = _operands({"p": p, "q": q})
    clipping(eps)
    requested(n_threads)
    labels = tuple(range(len(shape)))
    return apply(slopes, labels, *[one.pair for one in found], dtype=float_dtype(arrays[1].dtype),
                 place=dict(zip(labels, chunks, strict=True)), missing=[one.missing for one in found],
                 axes=[one.axes for one in found], eps=eps, n_threads=n_threads)


@documented()
def log_loss(y_true: Arrays, y_pred: da.Array, *, sample_weight: Arrays | None = None, labels: ArrayLike | None = None,
             normalize: bool = True, n_threads: int | None = 1) -> da.Array:
    """As `xentfast.log_loss`, on Dask arrays.

    Parameters
    ----------
    y_true
        Labels are brought together in one task, 8 bytes a row; a matrix of indicators is cut as `y_pred` is.
    y_pred : dask.array.Array of shape (N, C), (N,) or (N, 1)
        A probability for each row and class, the classes in the order of the sorted labels; or, for two labels, that of
        the second. In NumPy blocks of known sizes; where classes are cut, the blocks of the same rows become one.
    labels : array_like of shape (C,), optional
        All labels that there are. By default those that occur in `y_true`.

    Returns
    -------
    loss : dask.array.Array
        In nats, of no axes and float64, with the bits that one machine gives.

    Notes
    -----
    The warning about rows that do not sum to one comes when the loss is computed.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> y_pred = da.from_array([[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]], chunks=(2, 2))
    >>> xd.log_loss(["spam", "ham", "ham", "spam"], y_pred).compute()
    np.float64(0.21616187468057912)
    """
    q = dask_array(y_pred, "y_pred")
    shape = prediction(stand_in(q.shape, q.dtype.newbyteorder("="))).shape
    q = whole_along(q, 1) if q.ndim == 2 else q[:, None]
    y = any_array(y_true, "y_true")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    declared = declared_labels(y, labels, shape)
    requested(n_threads)
    rows = {0: q.chunks[0]}
    classes = indicators = weights = None, None
    if y.ndim == 2:
        indicators = cut(y, q.chunks), (0, 1)
    else:
        index = apply(indices, (0,), (in_one_block(y), (0,)), dtype=np.int64, declared=declared, n_classes=max(shape[1], 2))
        classes = cut(index, (q.chunks[0],)), (0,)
    divisor = float(shape[0]), None
    if sample_weight is not None:
        sample_weight = any_array(sample_weight, "sample_weight")
        check_weights(sample_weight, shape[:1], "sample_weight", "a weight for each row of y_pred")
        own = cut(sample_weight, (q.chunks[0],)), (0,)
        weights = apply(finite_weights, (0,), own, dtype=np.float64, place=rows), (0,)
        divisor = apply(_sums.weight_sum, (), (in_one_block(weights[0]), (0,)), dtype=np.float64), ()
    if declared is not None and not np.array_equal(declared, labels):
        warnings.warn("labels are not sorted, and the columns of y_pred are taken to be: in the order of "
                      f"{declared.tolist()}", UserWarning, stacklevel=2)
    losses = apply(label_losses, (0,), (q, (0, 1)), classes, indicators, weights, dtype=np.float64, place=rows,
                   flat=np.ndim(y_pred) == 1, n_threads=n_threads)
    return apply(label_loss, (), (in_one_block(losses), (0,)), divisor if normalize else (None, None), dtype=np.float64)


def _operands(given):
    """(shape, chunks, stand-ins of that shape, operands) of what was given by name, of which one at least is a Dask array."""
    arrays = {name: any_array(value, name) for name, value in given.items()}
    if not any(isinstance(array, da.Array) for array in arrays.values()):
        names = " and ".join(f"{name} is of type {type(value).__name__}" for name, value in given.items())
        raise TypeError(f"{names}; expected a Dask array, such as dask.array.from_array makes")
    stand_ins = probability_arrays({name: stand_in(array.shape, array.dtype.newbyteorder("="))
                                    for name, array in arrays.items()})
    shape = stand_ins[0].shape
    chunks = [(length,) for length in shape]
    for array in reversed(arrays.values()):
        if isinstance(array, da.Array):
            lead = len(shape) - array.ndim
            for axis, lengths in enumerate(array.chunks):
                if array.shape[axis] == shape[lead + axis]:
                    chunks[lead + axis] = tuple(length for length in lengths if length) or lengths[:1]
    return shape, chunks, stand_ins, [operand(array, shape, chunks) for array in arrays.values()]


def _compared(measure, given, axis, eps, keepdims, n_threads):
    shape, chunks, stand_ins, found = _operands(given)
    axes = reduction_axes(axis, stand_ins[0], "p")
    clipping(eps)
    requested(n_threads)
    dtype = value_dtype(stand_ins)
    labels = tuple(range(len(shape)))
    rows = tuple(label for label in labels if label not in axes)
    options = {"measure": measure, "missing": [one.missing for one in found], "axes": [one.axes for one in found], "over": axes,
               "eps": eps, "n_threads": n_threads}
    place = dict(zip(labels, chunks, strict=True))
    pairs = [one.pair for one in found] + [(None, None)] * (2 - len(found))
    if len(axes) == 1:
        length = chunk_length()
        adjust = {axes[0]: tuple(-(-width // length) for width in chunks[axes[0]])}
    else:
        adjust = dict.fromkeys(axes, 1)
    sums = apply(sums_of_chunks, labels, *pairs, dtype=np.float64, place=place, adjust_chunks=adjust, **options)
    values = apply(added_sums, rows, (whole_along(sums, *axes), labels), dtype=dtype, over=axes, values_dtype=dtype)
    return da.expand_dims(values, axes) if keepdims else values


# ---- tasks


def sums_of_chunks(p, q, place, *, measure, missing, axes, over, eps, n_threads):
    """A block's rows → the sum over each chunk of their classes, where these were; over several axes, one sum."""
    shape = tuple(one.stop - one.start for one in place)
    given = {name: probability_array(np.expand_dims(block, own), name)
             for name, block, own in zip("pq", (p, q), missing, strict=False)}
    arrays = [one_axis_of(np.broadcast_to(array, shape), over) for array in given.values()]
    last = over[0] if len(over) == 1 else arrays[0].ndim - 1
    n_classes = arrays[0].shape[last]
    step = chunk_length() if len(over) == 1 else max(n_classes, 1)
    least, largest = clipping(eps)
    results = []
    for start in range(0, n_classes, step):
        part = [array[(slice(None),) * last + (slice(start, start + step),)] for array in arrays]
        values = np.empty(part[0].shape[:last] + part[0].shape[last + 1:])
        fine = compare(measure, part[0], part[1] if len(part) == 2 else None, last, least,
                                    largest, values, requested(n_threads))
        if not fine:
            with located(**{name: starts(place, own) for name, own in zip("pq", axes, strict=False)}):
                name_bad_probability(given)
        results.append(values)
    return np.stack(results, last) if len(over) == 1 else np.expand_dims(results[0], over)


def added_sums(sums, *, over, values_dtype):
    """Sums of chunks, in order, to the rows' values, as the kernels add them (Neumaier 1974)."""
    sums = one_axis_of(sums, over) if len(over) > 1 else np.moveaxis(sums, over[0], -1)
    values = totals(np.ascontiguousarray(sums))
    smallest = SMALLEST if values_dtype == np.float64 else float(np.finfo(np.float32).tiny)
    return np.where(np.abs(values) < smallest, 0.0, values).astype(values_dtype)[()]


def slopes(p, q, place, *, missing, axes, eps, n_threads):
    p, q = map(np.expand_dims, (p, q), missing)
    with located(p=starts(place, axes[0]), q=starts(place, axes[1])):
        return xentfast.cross_entropy_grad(p, q, eps=eps, n_threads=n_threads)


def indices(y, *, declared, n_classes):
    """Each label's place among all of them."""
    return label_indices(plain_array(y, "y_true", advice=""), declared, n_classes)


def label_losses(q, classes, indicators, sample_weight, place, *, flat, n_threads):
    """Each row's loss; `flat`: y_pred had no axis of classes."""
    if indicators is not None:
        with located(y_true=[*starts(place), 0]):
            indicators = indicator_array(indicators)
    own = prediction(q) if q.size else q
    losses, eps = np.empty(len(q)), EPSILON[name_of(float_dtype(q.dtype))]
    _, fine, even = losses_of_labels(own, classes, indicators, sample_weight, eps, 1.0 - eps,
                                          rows_slack(q.dtype), requested(n_threads), losses)
    if not fine:
        with located(y_pred=starts(place) if flat else [*starts(place), 0]):
            name_bad_probability({"y_pred": q[:, 0] if flat else q})
    if not even:
        warnings.warn("rows of y_pred do not sum to one; pass probabilities", UserWarning, stacklevel=1)
    return losses


def label_loss(losses, divisor):
    total = _sums.total(losses)
    if divisor == 0.0:
        raise ValueError("sample_weight sums to zero, by which the mean would be divided")
    return np.float64(total if divisor is None else total / divisor)
