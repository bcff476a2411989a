"""Softmax cross-entropy on Dask arrays."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from xentfast._arguments import (
    CrossEntropyCall,
    check_targets,
    check_weights,
    class_axis,
    logit_options,
    real_number,
    result_type,
)
from xentfast._partials import FIELDS
from xentfast._slices import chunk_length
from xentfast.dask import _blocks
from xentfast.dask._graphs import (
    any_array,
    apply,
    as_floats,
    cut,
    dask_array,
    in_one_block,
    item,
    operand,
    whole_along,
    without_empty,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import ArrayLike

    from xentfast.losses import Reduction

    Arrays = ArrayLike | da.Array

__all__ = ["perplexity", "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_grad_hess",
           "softmax_cross_entropy_value_and_grad"]


def softmax_cross_entropy(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.softmax_cross_entropy`, on Dask arrays.

    Parameters
    ----------
    logits : dask.array.Array
        Of NumPy blocks of known sizes, cut over rows, over the class axis, or both.
    targets : dask or numpy array
        As there. Cut otherwise than `logits`, it is cut anew (lazily), and so are `sample_weight` and `where`.
    axis, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction, empty
        As there.
    weight, sample_weight, where : dask or numpy array, optional
        As there.
    n_threads : int, default 1
        Threads for each block. Dask runs as many blocks at a time as it has threads; None for as many threads as OpenMP
        would start.

    Returns
    -------
    loss : dask.array.Array
        Of no axes, or for "none" cut as the rows of `logits` are; of the dtype that is described there.

    Raises
    ------
    ValueError, TypeError
        An array or an option is not as described: at once. What only the values show (a target that is no class, an
        infinite weight) is raised when the loss is computed, with the place in the whole array.

    Notes
    -----
    Every block of logits is read once. Where a block has all classes of its rows it gives the rows' losses, else its partial
    results (`xentfast.softmax_cross_entropy_partial`), 72 bytes for 2 048 logits, which are joined for each row. Losses are
    added in one task, 8 bytes a row, in the order of the rows. Rows cut anywhere, and classes cut at multiples of 2 048 (1 024 of
    float64), give the bits that one machine gives; classes cut elsewhere its accuracy.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((1000, 50), chunks=(100, 50), dtype=np.float32)
    >>> loss = xd.softmax_cross_entropy(logits, np.arange(1000) % 50)
    >>> loss.compute()
    np.float32(3.912023)
    """
    given = Given(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, where,
                  reduction, n_threads)
    return given.reduced(given.losses(), empty)


def softmax_cross_entropy_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.softmax_cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing
        As for `xentfast.dask.softmax_cross_entropy`.
    z_loss, logit_scale, softcap, where, reduction, n_threads
        As there. With "none" the result is the gradient of the sum.

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
    What the mean is divided by comes from targets and weights alone, so that a block's gradient needs no other block of
    logits, unless they share rows.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((2, 4), chunks=(1, 2), dtype=np.float32)
    >>> xd.softmax_cross_entropy_grad(logits, [2, 0], reduction="sum").compute()
    array([[ 0.25,  0.25, -0.75,  0.25],
           [-0.75,  0.25,  0.25,  0.25]], dtype=float32)
    """
    given = Given(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, where,
                  reduction, n_threads)
    return given.gradient(given.partial_results())


def softmax_cross_entropy_value_and_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """Loss and gradient, to be computed together: from one pass over each block that has all classes of its rows.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing
        As for `xentfast.dask.softmax_cross_entropy`.
    z_loss, logit_scale, softcap, where, reduction, empty, n_threads
        As there.

    Returns
    -------
    loss, grad : dask.array.Array
        As from the two functions, with the same bits. ``dask.compute(loss, grad)`` shares what they share.

    Raises
    ------
    ValueError, TypeError
        As there.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> loss, grad = xd.softmax_cross_entropy_value_and_grad(da.zeros((2, 4), chunks=(1, 4)), [2, 0], reduction="sum")
    >>> loss, grad = dask.compute(loss, grad)
    >>> loss
    np.float64(2.772588722239781)
    """
    given = Given(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, where,
                  reduction, n_threads)
    if given.whole:
        both = given.of_whole_rows("both", given.labels, given.divisor)
        losses = apply(item, given.row_labels, (both, given.labels), dtype=given.values_dtype, number=0)
        grad = apply(item, given.labels, (both, given.labels), dtype=given.logits.dtype, number=1)
        return given.reduced(losses, empty), grad
    records = given.partial_results()
    return given.reduced(given.losses(records), empty), given.gradient(records)


def softmax_cross_entropy_grad_hess(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "sum",
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    r"""As `xentfast.softmax_cross_entropy_grad_hess`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, where, reduction, n_threads
        As for `xentfast.dask.softmax_cross_entropy_grad`. Where `logits` are cut over the class axis, the blocks of the same rows
        become one: cut the rows so that it fits in memory.

    Returns
    -------
    grad, hess : dask.array.Array
        Of the shape and dtype of `logits`, with all classes in one block. Compute them together: one task makes both.

    Raises
    ------
    ValueError, TypeError
        As there.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> grad, hess = xd.softmax_cross_entropy_grad_hess(da.zeros((1, 4)), [2])
    >>> hess.compute()
    array([[0.1875, 0.1875, 0.1875, 0.1875]])
    """
    given = Given(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, 0.0, 1.0, None, where, reduction,
                  n_threads, whole=True)
    both = given.of_whole_rows("hessian", given.labels, given.divisor)
    return tuple(apply(item, given.labels, (both, given.labels), dtype=given.logits.dtype, number=number) for number in (0, 1))


def perplexity(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.perplexity`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, logit_scale, softcap, where, empty, n_threads
        As for `xentfast.dask.softmax_cross_entropy`.

    Returns
    -------
    perplexity : dask.array.Array
        Of no axes.

    Raises
    ------
    ValueError, TypeError
        As there.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> xd.perplexity(da.zeros((3, 50), chunks=(1, 50), dtype=np.float32), [1, 2, -100]).compute()
    np.float32(50.0)
    """
    given = Given(logits, targets, axis, weight, sample_weight, ignore_index, 0.0, 0.0, logit_scale, softcap, where, "mean",
                  n_threads)
    return given.reduced(given.losses(), empty, exponential=True)


class Given:
    """The checked arguments of one call, cut as the logits are, and the layers that are made of them.

    A layer's labels are the axes of the logits; partial results have one more, that of their fields.
    """

    def __init__(self, logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap,
                 where, reduction, n_threads, whole=False):
        logits = as_floats(dask_array(logits, "logits"), "logits")
        axis = self.axis = class_axis(axis, logits, "logits")
        self.logits = whole_along(logits, axis) if whole else without_empty(logits, axis)
        shape, self.n_classes = logits.shape, logits.shape[axis]
        rows = shape[:axis] + shape[axis + 1:]
        meaning = f"the shape of logits {shape} without axis {axis}"
        targets, weight, sample_weight, where = (
            value if value is None else any_array(value, name)
            for name, value in (("targets", targets), ("weight", weight), ("sample_weight", sample_weight), ("where", where)))
        if targets.size == 0 and targets.shape == rows and targets.dtype.kind == "f":
            targets = targets.astype(np.int64)              # an empty list holds no float
        self.hard = check_targets(targets, shape, rows, meaning)
        if sample_weight is not None:
            check_weights(sample_weight, rows, "sample_weight", meaning)
        if weight is not None:
            check_weights(weight, (self.n_classes,), "weight", "a weight for each class")
        logit_options(_blocks.stand_in(shape, logits.dtype), 0.0, 1.0, None,
                      None if where is None else _blocks.stand_in(where.shape, where.dtype))
        self._check_options(weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction, n_threads)
        self._cut(targets, weight, sample_weight, where)

    def _check_options(self, weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction, n_threads):
        """By a call on no rows (on one, where there is no axis of rows)."""
        shape = [0] * self.logits.ndim
        shape[self.axis] = self.n_classes
        CrossEntropyCall(_blocks.stand_in(shape, self.logits.dtype), np.zeros(shape[:self.axis] + shape[self.axis + 1:], np.int64),
                         self.axis, weight if isinstance(weight, np.ndarray) else None, None, ignore_index, label_smoothing,
                         z_loss, logit_scale, softcap, None, reduction, n_threads)
        self.reduction = reduction
        self.smoothing = label_smoothing
        self.options: Mapping[str, Any] = {
            "ignore_index": ignore_index, "label_smoothing": label_smoothing, "logit_scale": logit_scale, "softcap": softcap,
            "n_threads": n_threads}
        self.z_loss = z_loss

    def _cut(self, targets, weight, sample_weight, where):
        chunks, axis = self.logits.chunks, self.axis
        self.labels = tuple(range(self.logits.ndim))
        self.row_labels = self.labels[:axis] + self.labels[axis + 1:]
        self.record_labels = (*self.labels, self.logits.ndim)
        row_chunks = chunks[:axis] + chunks[axis + 1:]
        self.place = dict(zip(self.labels, chunks, strict=True))
        self.row_place = dict(zip(self.row_labels, row_chunks, strict=True))
        self.targets = (cut(targets, row_chunks), self.row_labels) if self.hard else (cut(targets, chunks), self.labels)
        self.sample_weight = (None, None) if sample_weight is None else (cut(sample_weight, row_chunks), self.row_labels)
        self.weight = (None, None) if weight is None else (in_one_block(weight), (-1,))
        self.where = self.where_count = (None, None)
        self.missing = ()
        if where is not None:
            found = operand(where, self.logits.shape, chunks)
            self.where, self.missing = found.pair, found.missing
            if self.smoothing and not self.whole:
                self.where_count = self._count(where, row_chunks), self.row_labels

    def _count(self, where, row_chunks):
        """How many classes it leaves each row."""
        where = da.asarray(where)
        where = where.reshape((1,) * (self.logits.ndim - where.ndim) + where.shape)
        count = where.sum(self.axis, dtype=np.int64)
        if where.shape[self.axis] != self.n_classes:
            count = count * self.n_classes
        return da.broadcast_to(count, [sum(lengths) for lengths in row_chunks]).rechunk(row_chunks)

    @property
    def whole(self):
        """Whether all classes are in one block."""
        return self.logits.numblocks[self.axis] == 1

    @property
    def loss_dtype(self):
        return np.dtype(result_type(self.logits))

    @property
    def values_dtype(self):
        """That of the rows' losses: those that are added are not rounded before."""
        return self.loss_dtype if self.reduction == "none" else np.dtype(np.float64)

    # ---- logits to losses and gradients

    def of_whole_rows(self, wanted, labels, divisor):
        return apply(_blocks.whole_rows, labels, (self.logits, self.labels), self.targets, self.sample_weight, self.where,
                     self.weight, divisor, dtype=self.values_dtype if wanted == "losses" else self.logits.dtype,
                     place=self.row_place if wanted == "losses" else self.place, wanted=wanted,
                     values_dtype=self.values_dtype, axis=self.axis, missing=self.missing, z_loss=self.z_loss, **self.options)

    def partial_results(self):
        """Of all classes of a row in one block; None where the logits themselves are."""
        if self.whole:
            return None
        length = chunk_length(self.logits)
        records = apply(_blocks.partial_results, self.record_labels, (self.logits, self.labels), self.targets, self.sample_weight,
                        self.where, self.where_count, self.weight, dtype=np.float64, place=self.place,
                        adjust_chunks={self.axis: tuple(-(-width // length) for width in self.logits.chunks[self.axis])},
                        new_axes={self.logits.ndim: FIELDS}, axis=self.axis, missing=self.missing, n_classes=self.n_classes,
                        **self.options)
        return whole_along(records, self.axis)

    def losses(self, records=None):
        """Of each row."""
        if self.whole:
            return self.of_whole_rows("losses", self.row_labels, (1.0, None))
        records = self.partial_results() if records is None else records
        return apply(_blocks.sliced_losses, self.row_labels, self._without_classes(records),
                     self.targets if self.hard else (None, None), self.sample_weight, self.where_count, self.weight,
                     dtype=self.values_dtype, place=self.row_place, values_dtype=self.values_dtype, axis=self.axis,
                     n_classes=self.n_classes, z_loss=self.z_loss, **self.options)

    def _without_classes(self, records):
        """Their labels: the chunks of all classes are in one block, whichever classes the other arrays have."""
        return records, tuple(-2 if label == self.axis else label for label in self.record_labels)

    def gradient(self, records):
        if self.whole:
            return self.of_whole_rows("gradient", self.labels, self.divisor)
        return apply(_blocks.sliced_gradient, self.labels, self._without_classes(records), (self.logits, self.labels),
                     self.targets, self.sample_weight, self.where, self.where_count, self.weight, self.divisor,
                     dtype=self.logits.dtype, place=self.place, axis=self.axis, missing=self.missing, n_classes=self.n_classes,
                     z_loss=self.z_loss, **self.options)

    # ---- rows to one number

    def reduced(self, losses, empty, exponential=False):
        """The rows' losses as they are, or their sum or mean, or its exponential."""
        empty = real_number(empty, "empty")
        if self.reduction == "none":
            return losses
        return apply(_blocks.loss, (), (in_one_block(losses), self.row_labels), self.divisor, dtype=self.loss_dtype,
                     as_double=self.loss_dtype == np.float64, empty=empty, exponential=exponential)

    @cached_property
    def divisor(self):
        """What losses are divided by, (array, labels) or (number, None): from targets and weights alone."""
        if self.reduction != "mean":
            return 1.0, None
        if self.hard:
            weights = apply(_blocks.row_weights, self.row_labels, self.targets, self.sample_weight, self.weight, dtype=np.float64,
                            place=self.row_place, n_classes=self.n_classes, ignore_index=self.options["ignore_index"])
        elif self.weight[0] is not None:
            weights = self._soft_weights()
        elif self.sample_weight[0] is not None:
            weights = apply(_blocks.finite_weights, self.row_labels, self.sample_weight, dtype=np.float64, place=self.row_place)
        else:
            return float(self.logits.size // self.n_classes), None
        add = _blocks.weight_sum if self.hard or self.weight[0] is None else _blocks.total
        return apply(add, (), (in_one_block(weights), self.row_labels), dtype=np.float64), ()

    def _soft_weights(self):
        """Of each row, from the chunks of its targets: a first pass over them."""
        length = chunk_length(self.logits)
        records = apply(_blocks.soft_partial_results, self.record_labels, self.targets, self.weight, dtype=np.float64,
                        place=self.place, new_axes={self.logits.ndim: FIELDS}, axis=self.axis, n_classes=self.n_classes,
                        adjust_chunks={self.axis: tuple(-(-width // length) for width in self.logits.chunks[self.axis])},
                        logits_dtype=self.logits.dtype)
        return apply(_blocks.soft_row_weights, self.row_labels, self._without_classes(whole_along(records, self.axis)),
                     self.sample_weight, dtype=np.float64, place=self.row_place, axis=self.axis)
