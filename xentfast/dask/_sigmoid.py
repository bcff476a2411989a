"""Sigmoid cross-entropy on Dask arrays, element by element."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from xentfast._base.arrays import result_type
from xentfast._base.numbers import real_number
from xentfast._base.reduction import nothing_to_divide_by
from xentfast._base.threads import requested
from xentfast._sigmoid.checks import SigmoidCall, broadcast_array, check_broadcast, name_bad_weight, total_within
from xentfast._sigmoid.functions import BLOCK_LENGTH, compute
from xentfast.dask import _sums
from xentfast.dask._graphs import (
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
    starts,
)

if TYPE_CHECKING:
    from xentfast._base.typing import Reduction
    from xentfast.dask._cross_entropy import Arrays

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess",
           "sigmoid_cross_entropy_value_and_grad"]


def sigmoid_cross_entropy(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.sigmoid_cross_entropy`, on Dask arrays.

    Parameters
    ----------
    logits : dask.array.Array
        Of NumPy blocks of known sizes, cut in any way.
    targets : dask or numpy array
        As there. Cut otherwise than `logits`, it is cut anew (lazily), and so are `pos_weight` and `sample_weight`.
    pos_weight, sample_weight : dask or numpy array, optional
        As there.
    label_smoothing, focal_gamma, reduction, empty
        As there.
    n_threads : int, default 1
        Threads for each block, as for `xentfast.dask.softmax_cross_entropy`.

    Returns
    -------
    loss : dask.array.Array
        Of no axes, or for "none" of the shape and chunks of `logits`; of the dtype that is described there.

    Raises
    ------
    ValueError, TypeError
        An array or an option is not as described: at once. What only the values show is raised when the loss is computed, with
        the place in the whole array.

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
    given = Given(logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads)
    return given.reduced(given.results(given.values, (1.0, None)), empty)


def sigmoid_cross_entropy_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    reduction: Reduction = "mean",
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.sigmoid_cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads
        As for `xentfast.dask.sigmoid_cross_entropy`. With "none" the result is the gradient of the sum.

    Returns
    -------
    grad : dask.array.Array
        Of the shape, dtype and chunks of `logits`.

    Raises
    ------
    ValueError, TypeError
        As there.

    Notes
    -----
    With the bits that one machine gives, but for "mean" with a weight for each element in a Dask `sample_weight`, whose sum is
    made as that of the losses.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> xd.sigmoid_cross_entropy_grad(da.zeros(4, chunks=2), [0, 1, 0, 1]).compute()
    array([ 0.125, -0.125,  0.125, -0.125])
    """
    given = Given(logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads)
    return given.results("gradient", given.divisor)


def sigmoid_cross_entropy_value_and_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """Loss and gradient in one pass over each block; to be computed together.

    Parameters
    ----------
    logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, empty, n_threads
        As for `xentfast.dask.sigmoid_cross_entropy`.

    Returns
    -------
    loss, grad : dask.array.Array
        As from the two functions, with the same bits.

    Raises
    ------
    ValueError, TypeError
        As there.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> loss, grad = dask.compute(*xd.sigmoid_cross_entropy_value_and_grad(da.zeros(4, chunks=2), [0, 1, 0, 1]))
    >>> loss
    np.float64(0.6931471805599453)
    """
    given = Given(logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads)
    both = given.results("both", given.divisor)
    values = apply(item, given.labels, (both, given.labels), dtype=given.values_dtype, number=0)
    return given.reduced(values, empty), given.part(both, 1)


def sigmoid_cross_entropy_grad_hess(
    logits: da.Array,
    targets: Arrays,
    *,
    pos_weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    reduction: Reduction = "sum",
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    r"""As `xentfast.sigmoid_cross_entropy_grad_hess`, on Dask arrays.

    Parameters
    ----------
    logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads
        As for `xentfast.dask.sigmoid_cross_entropy_grad`.

    Returns
    -------
    grad, hess : dask.array.Array
        Of the shape, dtype and chunks of `logits`. Compute them together: one task makes both.

    Raises
    ------
    ValueError, TypeError
        As there.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> grad, hess = xd.sigmoid_cross_entropy_grad_hess(da.zeros(4, chunks=2), [0, 1, 0, 1])
    >>> hess.compute()
    array([0.25, 0.25, 0.25, 0.25])
    """
    given = Given(logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads)
    both = given.results("hessian", given.divisor)
    return given.part(both, 0), given.part(both, 1)


class Given:
    """The checked arguments of one call, cut as the logits are, and the layers that are made of them."""

    def __init__(self, logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads):
        logits = self.logits = as_floats(dask_array(logits, "logits"), "logits")
        self.labels = tuple(range(logits.ndim))
        self.reduction = reduction
        SigmoidCall(np.zeros(0, logits.dtype), 0, None, None, label_smoothing, focal_gamma, reduction, n_threads)
        self.options = {"label_smoothing": label_smoothing, "focal_gamma": focal_gamma, "n_threads": n_threads}
        arrays = {"targets": any_array(targets, "targets")}
        arrays |= {name: any_array(value, name) for name, value in (("pos_weight", pos_weight), ("sample_weight", sample_weight))
                   if value is not None}
        for name, array in arrays.items():
            check_broadcast(array, logits.shape, name)
        self.weights = arrays.get("sample_weight")
        self.operands = {name: operand(array, logits.shape, logits.chunks) for name, array in arrays.items()}

    @property
    def values(self):
        return "losses" if self.reduction == "none" else "sums"

    @property
    def loss_dtype(self):
        return np.dtype(result_type(self.logits))

    @property
    def values_dtype(self):
        return self.loss_dtype if self.reduction == "none" else np.dtype(np.float64)

    def results(self, wanted, divisor):
        found = [self.operands.get(name) for name in ("targets", "pos_weight", "sample_weight")]
        pairs = [(None, None) if one is None else one.pair for one in found]
        return apply(
            elements, self.labels, (self.logits, self.labels), *pairs, divisor,
            dtype={"losses": self.loss_dtype, "sums": np.float64}.get(wanted, self.logits.dtype),
            adjust_chunks=dict.fromkeys(self.labels, 1) if wanted == "sums" else None,
            place=dict(zip(self.labels, self.logits.chunks, strict=True)), wanted=wanted, values=self.values,
            missing=tuple(() if one is None else one.missing for one in found),
            axes=tuple(() if one is None else one.axes for one in found), **self.options)

    def part(self, both, number):
        return apply(item, self.labels, (both, self.labels), dtype=self.logits.dtype, number=number)

    def reduced(self, values, empty):
        """The losses as they are, or their sum or mean, from the sums of spans."""
        empty = real_number(empty, "empty")
        if self.reduction == "none":
            return values
        return fold(loss_of_sums, values, self.divisor[0], dtype=self.loss_dtype, as_double=self.loss_dtype == np.float64,
                    empty=empty)

    @cached_property
    def divisor(self):
        """What losses are divided by, (array, labels) or (number, None): the sum of all elements' weights."""
        if self.reduction != "mean" or self.weights is None:
            return (float(self.logits.size) if self.reduction == "mean" else 1.0), None
        weights = self.weights
        if not self.logits.size:
            return 0.0, None
        if isinstance(weights, np.ndarray) or weights.size < self.logits.size:
            weights = in_one_block(weights)                     # of rows, or in memory anyway
        labels = tuple(range(weights.ndim))
        sums = apply(sums_of_weights, labels, (weights, labels), dtype=np.float64, adjust_chunks=dict.fromkeys(labels, 1),
                     place=dict(zip(labels, weights.chunks, strict=True)), n_threads=self.options["n_threads"])
        return fold(total_of_sums, sums, dtype=np.float64, factor=self.logits.size / weights.size), ()


# ---- tasks


def elements(logits, targets, pos_weight, sample_weight, divisor, place, *, wanted, values, missing, axes, label_smoothing,
             focal_gamma, n_threads):
    """`wanted`: the "losses", the "sums" of spans of 1 024 of them, their "gradient" over the divisor, "both" (the `values` are
    losses or sums), or gradient and "hessian"."""
    targets, pos_weight, sample_weight = map(spread, (targets, pos_weight, sample_weight), missing)
    origins = {name: starts(place, own) for name, own in zip(("targets", "pos_weight", "sample_weight"), axes, strict=True)}
    with located(**origins):
        call = SigmoidCall(logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, "sum", n_threads)
    logits, losses, sums, gradient, hessian = call.logits, None, None, None, None
    values = {"both": values, "losses": "losses", "sums": "sums"}.get(wanted)
    if values == "losses":
        losses = np.empty(logits.shape, result_type(logits))
    if values == "sums":
        sums = np.empty(-(-logits.size // BLOCK_LENGTH))
    if wanted in ("gradient", "both"):
        gradient = call.output(None)
    elif wanted == "hessian":
        gradient, hessian = call.outputs(None)
    call.valued = values is not None
    if not nothing_to_divide_by(divisor, losses, sums, gradient, hessian):
        compute(call, divisor, losses, gradient, hessian, sums)
    first = losses if sums is None else sums
    return {"gradient": gradient, "both": (first, gradient), "hessian": (gradient, hessian)}.get(wanted, first)


def sums_of_weights(weights, place, *, n_threads):
    """The sums of spans of 1 024 weights."""
    weights = broadcast_array(weights, weights.shape, "sample_weight")
    sums = np.empty(-(-weights.size // BLOCK_LENGTH))
    total_within(weights, -np.inf, np.inf, requested(n_threads), sums)
    if np.isnan(sums).any():
        with located(sample_weight=starts(place)):
            name_bad_weight(weights, "sample_weight")
    return sums


def total_of_sums(blocks, *, factor):
    return _sums.total(np.concatenate(blocks)) * factor


def loss_of_sums(blocks, divisor, *, as_double, empty):
    return _sums.loss(np.concatenate(blocks), divisor, as_double=as_double, empty=empty, exponential=False)
