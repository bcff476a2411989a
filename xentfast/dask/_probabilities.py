"""Entropies of probabilities on Dask arrays, and the log loss of labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

import xentfast
from xentfast._base.arrays import name_of, one_axis_of, plain_array, reduction_axes
from xentfast._base.numbers import is_true
from xentfast._base.reduction import totals
from xentfast._base.threads import requested
from xentfast._base.values import check_weights
from xentfast._probabilities.checks import (
    EPSILON,
    clipping,
    declared_labels,
    float_dtype,
    indicator_array,
    label_array,
    label_indices,
    name_bad_probability,
    named_probabilities,
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
from xentfast.dask._graphs import (
    ABSENT,
    any_array,
    apply,
    cut,
    dask_array,
    in_one_block,
    located,
    operand,
    stand_in,
    starts,
    whole_along,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from xentfast.dask._cross_entropy import Arrays, DaskArray

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
    return ProbabilityGraph(eps, n_threads, p=p, q=q).reduced(FOR_CROSS_ENTROPY, axis, keepdims)


@documented(cross_entropy)
def entropy(p: da.Array, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False,
            n_threads: int | None = 1) -> da.Array:
    """As `xentfast.entropy`, on Dask arrays.

    Parameters
    ----------
    p : dask.array.Array of float16, bfloat16, float32, float64, ints or bool
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
    return ProbabilityGraph(None, n_threads, p=p).reduced(FOR_ENTROPY, axis, keepdims)


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
    return ProbabilityGraph(eps, n_threads, p=p, q=q).reduced(FOR_DIVERGENCE, axis, keepdims)


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
    return ProbabilityGraph(eps, n_threads, p=p, q=q).slopes()


@documented()
def log_loss(y_true: Arrays, y_pred: DaskArray | None = None, *, sample_weight: Arrays | None = None,
             labels: ArrayLike | None = None, normalize: bool = True, y_proba: DaskArray | None = None,
             n_threads: int | None = 1) -> da.Array:
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
    y_proba : dask.array.Array, optional
        The same argument as `y_pred`, under the name that scikit-learn has for it since version 1.9.

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
    given, name = named_probabilities(y_pred, y_proba)
    q = dask_array(given, name)
    flat = q.ndim == 1
    shape = prediction(stand_in(q.shape, q.dtype.newbyteorder("=")), name).shape
    q = q[:, None] if flat else whole_along(q, 1)
    y = any_array(label_array(y_true, "y_true") if isinstance(y_true, (list, tuple)) else y_true, "y_true")
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    declared, in_order = declared_labels(y, labels, shape, name)
    requested(n_threads)
    normalize = is_true(normalize, "normalize")
    rows = q.chunks[0]
    classes, indicators = _classes(y, declared, max(shape[1], 2), name, rows)
    weights, divisor = _weights(sample_weight, rows, name)
    if not in_order:
        warnings.warn(f"labels are not sorted, and the columns of {name} are taken to be: in the order of "
                      f"{declared.tolist()}", UserWarning, stacklevel=2)
    losses = apply(label_losses, (0,), (q, (0, 1)), classes, indicators, weights, dtype=np.float64, place={0: rows}, flat=flat,
                   called=name, n_threads=n_threads)
    return apply(label_loss, (), (in_one_block(losses), (0,)), divisor if normalize else ABSENT, dtype=np.float64)


def _classes(y, declared, n_classes, name, rows):
    """(index of each row's class, matrix of indicators), one of which is absent, cut as the probabilities are."""
    if y.ndim == 2:
        return ABSENT, (cut(y, (rows, (n_classes,))), (0, 1))
    index = apply(indices, (0,), (in_one_block(y), (0,)), dtype=np.int64, declared=declared, n_classes=n_classes, called=name)
    return (cut(index, (rows,)), (0,)), ABSENT


def _weights(sample_weight, rows, name):
    """(each row's weight, their sum), in float64."""
    n_rows = sum(rows)
    if sample_weight is None:
        return ABSENT, (float(n_rows), None)
    sample_weight = any_array(sample_weight, "sample_weight")
    check_weights(sample_weight, (n_rows,), "sample_weight", f"a weight for each row of {name}")
    weights = apply(finite_weights, (0,), (cut(sample_weight, (rows,)), (0,)), dtype=np.float64, place={0: rows})
    weight_sum = apply(_sums.weight_sum, (), (in_one_block(weights), (0,)), dtype=np.float64)
    return (weights, (0,)), (weight_sum, ())


class ProbabilityGraph:
    """The checked arguments of one call, `p` and `q` or `p` alone, cut alike, and the layers that are made of them."""

    def __init__(self, eps, n_threads, **given):
        arrays = {name: any_array(value, name) for name, value in given.items()}
        if not any(isinstance(array, da.Array) for array in arrays.values()):
            names = " and ".join(f"{name} is of type {type(value).__name__}" for name, value in given.items())
            raise TypeError(f"{names}; expected a Dask array, such as dask.array.from_array makes")
        self.stand_ins = probability_arrays({name: stand_in(array.shape, array.dtype.newbyteorder("="))
                                             for name, array in arrays.items()})
        clipping(eps)
        requested(n_threads)
        shape = self.stand_ins[0].shape
        chunks = common_chunks(arrays.values(), shape)
        found = [operand(array, shape, chunks) for array in arrays.values()]
        self.labels = tuple(range(len(shape)))
        self.place = dict(zip(self.labels, chunks, strict=True))
        self.pairs = [one.pair for one in found]
        self.options = {"missing": [one.missing for one in found], "axes": [one.axes for one in found], "eps": eps,
                        "n_threads": n_threads}

    def reduced(self, measure, axis, keepdims):
        """The measure along the axes: sums of chunks of each block, and the sums of these."""
        axes, dtype = reduction_axes(axis, self.stand_ins[0], "p"), value_dtype(self.stand_ins)
        rows = tuple(label for label in self.labels if label not in axes)
        n_sums = dict.fromkeys(axes, 1)
        if len(axes) == 1:
            n_sums = {axes[0]: tuple(-(-width // chunk_length()) for width in self.place[axes[0]])}
        pairs = self.pairs if len(self.pairs) == 2 else [*self.pairs, ABSENT]
        sums = apply(sums_of_chunks, self.labels, *pairs, dtype=np.float64, place=self.place, adjust_chunks=n_sums,
                     measure=measure, over=axes, **self.options)
        values = apply(added_sums, rows, (whole_along(sums, *axes), self.labels), dtype=dtype, over=axes, values_dtype=dtype)
        return da.expand_dims(values, axes) if is_true(keepdims, "keepdims") else values

    def slopes(self):
        """The gradient with respect to `q`."""
        return apply(slopes, self.labels, *self.pairs, dtype=float_dtype(self.stand_ins[1].dtype), place=self.place,
                     **self.options)


def common_chunks(arrays, shape):
    """Those of the first Dask array that has the axis in full; without empty ones, where the axis has any length."""
    chunks = [(length,) for length in shape]
    for array in reversed(arrays):
        if isinstance(array, da.Array):
            lead = len(shape) - array.ndim
            for axis, lengths in enumerate(array.chunks):
                if array.shape[axis] == shape[lead + axis]:
                    chunks[lead + axis] = tuple(length for length in lengths if length) or lengths[:1]
    return chunks


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
        if not compare(measure, part[0], part[1] if len(part) == 2 else None, last, least, largest, values, requested(n_threads)):
            with located(**{name: starts(place, own) for name, own in zip("pq", axes, strict=False)}):
                name_bad_probability(given)
        results.append(values)
    return np.stack(results, last) if len(over) == 1 else np.expand_dims(results[0], over)


def added_sums(sums, *, over, values_dtype):
    """Sums of chunks, in order, to the rows' values, as the kernels add them (Neumaier 1974)."""
    sums = one_axis_of(sums, over) if len(over) > 1 else np.moveaxis(sums, over[0], -1)
    return totals(np.ascontiguousarray(sums), values_dtype)[()]


def slopes(p, q, place, *, missing, axes, eps, n_threads):
    p, q = map(np.expand_dims, (p, q), missing)
    with located(p=starts(place, axes[0]), q=starts(place, axes[1])):
        return xentfast.cross_entropy_grad(p, q, eps=eps, n_threads=n_threads)


def indices(y, *, declared, n_classes, called):
    """Each label's place among all of them."""
    return label_indices(plain_array(y, "y_true", advice=""), declared, n_classes, called)


def label_losses(q, classes, indicators, sample_weight, place, *, flat, called, n_threads):
    """Each row's loss; `flat`: the probabilities, which the caller calls `called`, had no axis of classes."""
    if indicators is not None:
        with located(y_true=[*starts(place), 0]):
            indicators = indicator_array(indicators)
    own = prediction(q, called) if q.size else q
    losses, eps = np.empty(len(q)), EPSILON[name_of(float_dtype(q.dtype))]
    _, fine, even = losses_of_labels(own, classes, indicators, sample_weight, eps, 1.0 - eps, rows_slack(q.dtype),
                                     requested(n_threads), losses)
    if not fine:
        with located(**{called: starts(place) if flat else [*starts(place), 0]}):
            name_bad_probability({called: q[:, 0] if flat else q})
    if not even:
        warnings.warn(f"rows of {called} do not sum to one; pass probabilities", UserWarning, stacklevel=1)
    return losses


def label_loss(losses, divisor):
    """The sum of the rows' losses, over the divisor where there is one."""
    total = _sums.total(losses)
    if divisor == 0.0:
        raise ValueError("sample_weight sums to zero, by which the mean would be divided")
    return np.float64(total if divisor is None else total / divisor)
