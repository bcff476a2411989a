"""Sigmoid cross-entropy on Dask arrays, element by element."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from xentfast._base.arrays import any_masked, result_type
from xentfast._base.numbers import real_number
from xentfast._base.reduction import nothing_to_divide_by
from xentfast._base.threads import requested
from xentfast._base.values import broadcast_mask
from xentfast._sigmoid.checks import SigmoidCall, broadcast_array, check_broadcast, total_allowed, total_within
from xentfast._sigmoid.functions import BLOCK_LENGTH, compute
from xentfast.dask import _sums
from xentfast.dask._documentation import documented
from xentfast.dask._graphs import (
    ABSENT,
    any_array,
    apply,
    as_floats,
    dask_array,
    fold,
    in_one_block,
    item,
    located,
    operand,
    spread,
    stand_in,
    starts,
    without_mask,
)

if TYPE_CHECKING:
    from xentfast._base.typing import Reduction
    from xentfast.dask._cross_entropy import Arrays

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess",
           "sigmoid_cross_entropy_value_and_grad"]

ARRAYS = "targets", "pos_weight", "sample_weight", "where"


@documented()
def sigmoid_cross_entropy(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    """As `xentfast.sigmoid_cross_entropy`, on Dask arrays.

    Parameters
    ----------
    logits : dask.array.Array of float16, bfloat16, float32 or float64
        Log-odds, of any shape, in NumPy blocks of known sizes that are cut in any way. Integers become float64.
    targets
        Cut otherwise than `logits`, they are cut anew (lazily), and so are `pos_weight`, `sample_weight` and `where`.

    Returns
    -------
    loss : dask.array.Array
        float64 for float64 logits, else float32; of no axes, or for "none" of the shape and chunks of `logits`.

    Notes
    -----
    The losses of "none" have the bits that one machine gives. Their sum is made of those of each block's spans of 1 024 elements
    (8 bytes for each span are brought together), in the order of the blocks: with the bits of one machine where the blocks
    are whole along all axes but the first and begin at multiples of 1 024 elements, else with its accuracy.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((1000, 50), chunks=(100, 25), dtype=np.float32)
    >>> xd.sigmoid_cross_entropy(logits, np.ones(50)).compute()
    np.float32(0.6931472)
    """
    graph = SigmoidGraph(
        logits, targets, pos_weight=pos_weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads)
    return graph.reduced(graph.results(graph.valued), empty)


@documented(sigmoid_cross_entropy)
def sigmoid_cross_entropy_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    n_threads: int | None = 1,
) -> da.Array:
    """As `xentfast.sigmoid_cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    reduction
        With "none" the result is the gradient of the sum: each element's own.

    Returns
    -------
    grad : dask.array.Array
        Of the shape, dtype and chunks of `logits`.

    Notes
    -----
    It has the bits that one machine gives, but for "mean" with a weight for each element in a Dask `sample_weight`, or with
    weights of which `ignore_index` or `where` leaves some: their sum is made as that of the losses.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.sigmoid_cross_entropy_grad(da.zeros(4, chunks=2), [0, 1, 0, 1]).compute()
    array([ 0.125, -0.125,  0.125, -0.125])
    """
    graph = SigmoidGraph(
        logits, targets, pos_weight=pos_weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads)
    return graph.results("gradient")


@documented(sigmoid_cross_entropy)
def sigmoid_cross_entropy_value_and_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """As `xentfast.sigmoid_cross_entropy_value_and_grad`, on Dask arrays, to be computed together.

    Returns
    -------
    loss, grad : dask.array.Array
        As from `sigmoid_cross_entropy` and `sigmoid_cross_entropy_grad`. ``dask.compute(loss, grad)`` shares what they share.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> loss, grad = dask.compute(*xd.sigmoid_cross_entropy_value_and_grad(da.zeros(4, chunks=2), [0, 1, 0, 1]))
    >>> loss
    np.float64(0.6931471805599453)
    """
    graph = SigmoidGraph(
        logits, targets, pos_weight=pos_weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads)
    values, grad = graph.results(graph.valued, "gradient")
    return graph.reduced(values, empty), grad


@documented(sigmoid_cross_entropy_grad)
def sigmoid_cross_entropy_grad_hess(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "sum",
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """As `xentfast.sigmoid_cross_entropy_grad_hess`, on Dask arrays.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}, default "sum"
        Of which loss they are; "none" gives what "sum" gives.

    Returns
    -------
    grad, hess : dask.array.Array
        Of the shape, dtype and chunks of `logits`. Compute them together: one task makes both.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> grad, hess = xd.sigmoid_cross_entropy_grad_hess(da.zeros(4, chunks=2), [0, 1, 0, 1])
    >>> hess.compute()
    array([0.25, 0.25, 0.25, 0.25])
    """
    graph = SigmoidGraph(
        logits, targets, pos_weight=pos_weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads)
    return graph.results("gradient", "hessian")


class SigmoidGraph:
    """The checked arguments of one call, cut as the logits are, and the layers that are made of them."""

    def __init__(self, logits, targets, *, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where,
                 reduction, n_threads):
        logits, closed = without_mask(logits, "logits")
        targets, skipped = without_mask(targets, "targets")
        sample_weight, weightless = without_mask(sample_weight, "sample_weight")
        logits = self.logits = as_floats(dask_array(logits, "logits"), "logits")
        self.labels = tuple(range(logits.ndim))
        self.reduction = reduction
        SigmoidCall(np.zeros(0, logits.dtype), 0, None, None, ignore_index, label_smoothing, focal_gamma, None, reduction,
                    n_threads)
        self.options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "focal_gamma": focal_gamma,
                        "n_threads": n_threads}
        given = zip(ARRAYS, (targets, pos_weight, sample_weight, where), strict=True)
        arrays = {name: any_array(value, name) for name, value in given if value is not None or name == "targets"}
        for name, array in arrays.items():
            if name == "where":
                broadcast_mask(stand_in(array.shape, array.dtype), logits.shape)
            else:
                check_broadcast(array, logits.shape, name)
        masked = any_masked(closed, skipped, weightless)
        if masked is not None:
            arrays["where"] = ~masked & arrays["where"] if "where" in arrays else ~masked
        self.weights = arrays.get("sample_weight")
        self.masked = "where" in arrays or ignore_index is not None
        self.operands = [operand(arrays[name], logits.shape, logits.chunks) if name in arrays else None for name in ARRAYS]

    @property
    def valued(self):
        """What is made for the loss: each element's, or the sums of spans of 1 024 of them."""
        return "losses" if self.reduction == "none" else "sums"

    @property
    def loss_dtype(self):
        return np.dtype(result_type(self.logits))

    def results(self, *wanted):
        """What is `wanted` of `elements`, each an array; the tasks make all at once."""
        dtypes = [{"losses": self.loss_dtype, "sums": np.float64}.get(name, self.logits.dtype) for name in wanted]
        cuts = [dict.fromkeys(self.labels, 1) if name == "sums" else None for name in wanted]
        made = self._apply(elements, self.logits, self.divisor if "gradient" in wanted else (1.0, None), dtype=dtypes[-1],
                           adjust_chunks=cuts[-1], wanted=wanted)
        if len(wanted) == 1:
            return made
        return tuple(apply(item, self.labels, (made, self.labels), dtype=dtype, adjust_chunks=cut, number=number)
                     for number, (dtype, cut) in enumerate(zip(dtypes, cuts, strict=True)))

    def _apply(self, function, logits, *more, without="", **options):
        """The array of what the function makes of each block and the operands there."""
        pairs = [ABSENT if one is None or name == without else one.pair for name, one in zip(ARRAYS, self.operands, strict=True)]
        return apply(function, self.labels, (logits, self.labels), *pairs, *more,
                     place=dict(zip(self.labels, self.logits.chunks, strict=True)),
                     missing=tuple(() if one is None else one.missing for one in self.operands),
                     axes=tuple(() if one is None else one.axes for one in self.operands), **options, **self.options)

    def reduced(self, values, empty):
        """The losses as they are, or their sum or mean, from the sums of spans."""
        empty = real_number(empty, "empty")
        if self.reduction == "none":
            return values
        return fold(loss_of_sums, values, self.divisor[0], dtype=self.loss_dtype, as_double=self.loss_dtype == np.float64,
                    empty=empty)

    @cached_property
    def divisor(self):
        """What losses are divided by, (array, labels) or (number, None): the sum of the weights of all elements that are read."""
        if self.reduction != "mean" or (self.weights is None and not self.masked):
            return (float(self.logits.size) if self.reduction == "mean" else 1.0), None
        if not self.logits.size:
            return 0.0, None
        if self.masked:                                         # neither logits nor positive weights are looked at
            shape = da.broadcast_to(da.zeros((), dtype=self.logits.dtype), self.logits.shape, chunks=self.logits.chunks)
            sums = self._apply(sums_of_read, shape, dtype=np.float64, adjust_chunks=dict.fromkeys(self.labels, 1),
                               without="pos_weight")
            return fold(total_of_sums, sums, dtype=np.float64, factor=1.0), ()
        weights = self.weights
        if isinstance(weights, np.ndarray) or weights.size < self.logits.size:
            weights = in_one_block(weights)                     # of rows, or in memory anyway
        labels = tuple(range(weights.ndim))
        sums = apply(sums_of_weights, labels, (weights, labels), dtype=np.float64, adjust_chunks=dict.fromkeys(labels, 1),
                     place=dict(zip(labels, weights.chunks, strict=True)), n_threads=self.options["n_threads"])
        return fold(total_of_sums, sums, dtype=np.float64, factor=self.logits.size / weights.size), ()


# ---- tasks


def elements(logits, targets, pos_weight, sample_weight, where, divisor, place, *, wanted, **options):
    """What is `wanted` of a block, one array or a tuple: its "losses", or the "sums" of spans of 1 024 of them; "gradient" and
    "hessian" over the divisor."""
    call = call_of_block(logits, targets, pos_weight, sample_weight, where, place, **options)
    logits = call.logits
    losses = np.empty(logits.shape, result_type(logits)) if "losses" in wanted else None
    sums = np.empty(-(-logits.size // BLOCK_LENGTH)) if "sums" in wanted else None
    gradient = hessian = None
    if "hessian" in wanted:
        gradient, hessian = call.outputs(None)
    elif "gradient" in wanted:
        gradient = call.output(None)
    call.valued = losses is not None or sums is not None
    if not nothing_to_divide_by(divisor, losses, sums, gradient, hessian):
        compute(call, divisor, losses, gradient, hessian, sums)
    made = {"losses": losses, "sums": sums, "gradient": gradient, "hessian": hessian}
    return made[wanted[0]] if len(wanted) == 1 else tuple(made[name] for name in wanted)


def call_of_block(logits, targets, pos_weight, sample_weight, where, place, *, missing, axes, ignore_index, label_smoothing,
                  focal_gamma, n_threads):
    """Errors name places in the whole arrays."""
    targets, pos_weight, sample_weight, where = map(spread, (targets, pos_weight, sample_weight, where), missing)
    with located(**{name: starts(place, own) for name, own in zip(ARRAYS, axes, strict=True)}):
        return SigmoidCall(logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, "sum",
                           n_threads)


def sums_of_read(logits, targets, pos_weight, sample_weight, where, place, **options):
    """The sums of the weights of spans of 1 024 elements, of those that are read. `logits` have the shape alone."""
    call = call_of_block(logits, targets, pos_weight, sample_weight, where, place, **options)
    sums = np.empty(-(-call.logits.size // BLOCK_LENGTH))
    call.sum_weights(sums)
    return sums


def sums_of_weights(weights, place, *, n_threads):
    """The sums of spans of 1 024 weights."""
    weights = broadcast_array(weights, weights.shape, "sample_weight")
    sums = np.empty(-(-weights.size // BLOCK_LENGTH))
    total_within(weights, -np.inf, np.inf, requested(n_threads), sums)
    if np.isnan(sums).any():
        with located(sample_weight=starts(place)):
            total_allowed(weights, -np.inf, np.inf, "sample_weight", "finite weights", requested(n_threads))
    return sums


def total_of_sums(blocks, *, factor):
    return _sums.total(np.concatenate(blocks)) * factor


def loss_of_sums(blocks, divisor, *, as_double, empty):
    return _sums.loss(np.concatenate(blocks), divisor, as_double=as_double, empty=empty, exponential=False)
