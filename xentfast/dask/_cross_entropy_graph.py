"""Softmax cross-entropy on Dask arrays: the arguments of a call, checked and cut alike, and the layers that are made of them."""

from __future__ import annotations

from functools import cached_property

import dask.array as da
import numpy as np

from xentfast._base.arrays import class_axis, result_type
from xentfast._base.numbers import real_number
from xentfast._base.values import broadcast_mask, check_weights
from xentfast._partials.checks import FIELDS, chunk_length
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.checks import as_classes, check_focal, check_targets, ignored_class
from xentfast.dask import _cross_entropy_tasks as tasks
from xentfast.dask import _sums
from xentfast.dask._graphs import (
    ABSENT,
    any_array,
    apply,
    as_floats,
    cut,
    dask_array,
    filled,
    in_one_block,
    item,
    operand,
    stand_in,
    whole_along,
    without_empty,
    without_mask,
)

# Rows whose weights are added up while the graph is made, in some milliseconds.
AT_HAND = 2**20


class CrossEntropyGraph:
    """The checked arguments of one call, cut as the logits are, and the layers that are made of them.

    A layer's labels are the axes of the logits; partial results have one more, that of their fields. A label below 0 is an axis
    that goes into one block and is no other array's: -1 of `weight`, -2 of the chunks of partial results.
    """

    def __init__(self, logits, targets, *, axis, weight, sample_weight, ignore_index, label_smoothing=0.0, focal_gamma=0.0,
                 z_loss=0.0, logit_scale=1.0, softcap=None, where, reduction, n_threads, whole=False):
        logits, closed = without_mask(logits, "logits")
        logits = as_floats(dask_array(logits, "logits"), "logits")
        axis = self.axis = class_axis(axis, logits, "logits")
        self.logits = whole_along(logits, axis) if whole else without_empty(logits, axis)
        shape, self.n_classes = logits.shape, logits.shape[axis]
        rows = shape[:axis] + shape[axis + 1:]
        meaning = f"the shape of logits {shape} without axis {axis}"
        (targets, skipped), (weight, no_weight), (sample_weight, no_sample_weight) = (
            without_mask(value, name) for name, value in (("targets", targets), ("weight", weight),
                                                          ("sample_weight", sample_weight)))
        targets = any_array(targets, "targets")
        weight, sample_weight, where = (
            value if value is None else any_array(value, name)
            for name, value in (("weight", weight), ("sample_weight", sample_weight), ("where", where)))
        if targets.size == 0 and targets.shape == rows and targets.dtype.kind == "f":
            targets = targets.astype(np.int64)              # an empty list holds no float
        self.hard = check_targets(targets, shape, rows, meaning)
        if sample_weight is not None:
            check_weights(sample_weight, rows, "sample_weight", meaning)
        if weight is not None:
            check_weights(weight, (self.n_classes,), "weight", "a weight for each class")
        if where is not None:
            broadcast_mask(stand_in(where.shape, where.dtype), shape)
        weight, sample_weight = filled(weight, no_weight, 0), filled(sample_weight, no_sample_weight, 0)
        if closed is not None:
            where = ~closed if where is None else ~closed & where
        if skipped is not None and self.hard:
            targets = targets.map_blocks(as_classes, dtype=np.int64) if isinstance(targets, da.Array) else as_classes(targets)
            targets = filled(targets, skipped, ignored_class(ignore_index))
        elif skipped is not None:                           # soft ones of which some are masked
            ones = stand_in(rows, np.float64) + 1 if sample_weight is None else sample_weight
            sample_weight = filled(ones, skipped.any(axis), 0.0)
        # Of every task that sees logits or their partial results; `row_options` are for those that make losses and gradients.
        self.options = {"ignore_index": ignore_index, "label_smoothing": label_smoothing, "logit_scale": logit_scale,
                        "softcap": softcap, "n_threads": n_threads}
        self.row_options, self.reduction = {"focal_gamma": focal_gamma, "z_loss": z_loss}, reduction
        self._check_options(weight)
        # Targets and weights that are no Dask arrays are looked at at once, or None: tasks would take longer.
        self.at_hand = targets, sample_weight, weight
        if targets.size > AT_HAND or any(isinstance(one, da.Array) for one in self.at_hand):
            self.at_hand = None
        self._cut(targets, weight, sample_weight, where)

    def _check_options(self, weight):
        """By a call on no rows (on one, where there is no axis of rows)."""
        shape = [0] * self.logits.ndim
        shape[self.axis] = self.n_classes
        rows = shape[:self.axis] + shape[self.axis + 1:]
        cross_entropy_call(stand_in(shape, self.logits.dtype), np.zeros(rows, np.int64), axis=self.axis,
                           weight=weight if isinstance(weight, np.ndarray) else None, reduction=self.reduction,
                           **self.row_options, **self.options)
        check_focal(self.row_options["focal_gamma"], self.hard, self.options["label_smoothing"])

    def _cut(self, targets, weight, sample_weight, where):
        chunks, axis = self.logits.chunks, self.axis
        self.labels = tuple(range(self.logits.ndim))
        self.row_labels = self.labels[:axis] + self.labels[axis + 1:]
        self.record_labels = (*self.labels, self.logits.ndim)
        row_chunks = chunks[:axis] + chunks[axis + 1:]
        self.place = dict(zip(self.labels, chunks, strict=True))
        self.row_place = dict(zip(self.row_labels, row_chunks, strict=True))
        self.targets = (cut(targets, row_chunks), self.row_labels) if self.hard else (cut(targets, chunks), self.labels)
        self.sample_weight = ABSENT if sample_weight is None else (cut(sample_weight, row_chunks), self.row_labels)
        self.weight = ABSENT if weight is None else (in_one_block(weight), (-1,))
        self.where = self.where_count = ABSENT
        self.missing = ()
        if where is not None:
            found = operand(where, self.logits.shape, chunks)
            self.where, self.missing = found.pair, found.missing
            if self.options["label_smoothing"] and not self.whole:
                self.where_count = self._count(where, row_chunks), self.row_labels

    def _count(self, where, row_chunks):
        """How many classes it leaves each row."""
        if not isinstance(where, da.Array):             # Dask divides by zero where it is to choose blocks of no rows
            where = da.from_array(where, chunks="auto" if where.size else where.shape)
        where = where.reshape((1,) * (self.logits.ndim - where.ndim) + where.shape)
        count = where.sum(self.axis, dtype=np.int64)
        if where.shape[self.axis] != self.n_classes:
            count = count * self.n_classes
        return cut(da.broadcast_to(count, [sum(lengths) for lengths in row_chunks]), row_chunks)

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

    def _of_whole_rows(self, wanted):
        if wanted == "losses":
            labels, place, divisor, dtype = self.row_labels, self.row_place, (1.0, None), self.values_dtype
        else:
            labels, place, divisor, dtype = self.labels, self.place, self.divisor, self.logits.dtype
        return apply(tasks.whole_rows, labels, (self.logits, self.labels), self.targets, self.sample_weight, self.where,
                     self.weight, divisor, dtype=dtype, place=place, wanted=wanted, values_dtype=self.values_dtype,
                     axis=self.axis, missing=self.missing, **self.row_options, **self.options)

    def _partial_results(self):
        """Of all classes of a row in one block, where the logits themselves are not."""
        length = chunk_length(self.logits.dtype)
        records = apply(tasks.partial_results, self.record_labels, (self.logits, self.labels), self.targets, self.sample_weight,
                        self.where, self.where_count, self.weight, dtype=np.float64, place=self.place,
                        adjust_chunks={self.axis: tuple(-(-width // length) for width in self.logits.chunks[self.axis])},
                        new_axes={self.logits.ndim: FIELDS}, axis=self.axis, missing=self.missing, n_classes=self.n_classes,
                        **self.options)
        return whole_along(records, self.axis)

    def losses(self, records=None):
        """Of each row."""
        if self.whole:
            return self._of_whole_rows("losses")
        records = self._partial_results() if records is None else records
        return apply(tasks.sliced_losses, self.row_labels, self._without_classes(records),
                     self.targets if self.hard else ABSENT, self.sample_weight, self.where_count, self.weight,
                     dtype=self.values_dtype, place=self.row_place, values_dtype=self.values_dtype, axis=self.axis,
                     n_classes=self.n_classes, **self.row_options, **self.options)

    def _without_classes(self, records):
        """Their labels: the chunks of all classes are in one block, whichever classes the other arrays have."""
        return records, tuple(-2 if label == self.axis else label for label in self.record_labels)

    def gradient(self, records=None):
        """Over the divisor."""
        if self.whole:
            return self._of_whole_rows("gradient")
        records = self._partial_results() if records is None else records
        return apply(tasks.sliced_gradient, self.labels, self._without_classes(records), (self.logits, self.labels),
                     self.targets, self.sample_weight, self.where, self.where_count, self.weight, self.divisor,
                     dtype=self.logits.dtype, place=self.place, axis=self.axis, missing=self.missing, n_classes=self.n_classes,
                     **self.row_options, **self.options)

    def losses_and_gradient(self):
        """Each row's, and the gradient over the divisor: by tasks that make both, or from the same partial results."""
        if not self.whole:
            records = self._partial_results()
            return self.losses(records), self.gradient(records)
        both = self._of_whole_rows("both"), self.labels
        return (apply(item, self.row_labels, both, dtype=self.values_dtype, number=0),
                apply(item, self.labels, both, dtype=self.logits.dtype, number=1))

    def gradient_and_hessian(self):
        """Over the divisor, of whole rows."""
        both = self._of_whole_rows("hessian"), self.labels
        return tuple(apply(item, self.labels, both, dtype=self.logits.dtype, number=number) for number in (0, 1))

    # ---- rows to one number

    def reduced(self, losses, empty, exponential=False):
        """The rows' losses as they are, or their sum or mean, or its exponential."""
        empty = real_number(empty, "empty")
        if self.reduction == "none":
            return losses
        return apply(_sums.loss, (), (in_one_block(losses), self.row_labels), self.divisor, dtype=self.loss_dtype,
                     as_double=self.loss_dtype == np.float64, empty=empty, exponential=exponential)

    @cached_property
    def divisor(self):
        """What losses are divided by, (array, labels) or (number, None): from targets and weights alone."""
        if self.reduction != "mean":
            return 1.0, None
        if self.hard and self.at_hand is not None:
            place = tuple(slice(0, length) for length in self.at_hand[0].shape)
            try:
                weights = tasks.row_weights(*self.at_hand, place, n_classes=self.n_classes,
                                            ignore_index=self.options["ignore_index"])
                return _sums.weight_sum(weights), None
            except (IndexError, ValueError):        # what values show is an error when they are computed
                pass
        if self.hard:
            weights = apply(tasks.row_weights, self.row_labels, self.targets, self.sample_weight, self.weight, dtype=np.float64,
                            place=self.row_place, n_classes=self.n_classes, ignore_index=self.options["ignore_index"])
        elif self.weight[0] is not None:
            weights = self._soft_weights()
        elif self.sample_weight[0] is not None:
            weights = apply(tasks.finite_weights, self.row_labels, self.sample_weight, dtype=np.float64, place=self.row_place)
        else:
            return float(self.logits.size // self.n_classes), None
        add = _sums.weight_sum if self.hard or self.weight[0] is None else _sums.total
        return apply(add, (), (in_one_block(weights), self.row_labels), dtype=np.float64), ()

    def _soft_weights(self):
        """Of each row, from the chunks of its targets: a first pass over them."""
        length = chunk_length(self.logits.dtype)
        records = apply(tasks.soft_partial_results, self.record_labels, self.targets, self.weight, dtype=np.float64,
                        place=self.place, new_axes={self.logits.ndim: FIELDS}, axis=self.axis, n_classes=self.n_classes,
                        adjust_chunks={self.axis: tuple(-(-width // length) for width in self.logits.chunks[self.axis])},
                        logits_dtype=self.logits.dtype)
        return apply(tasks.soft_row_weights, self.row_labels, self._without_classes(whole_along(records, self.axis)),
                     self.sample_weight, dtype=np.float64, place=self.row_place, axis=self.axis)
