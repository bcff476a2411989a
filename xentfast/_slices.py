"""Checks of what the functions of partial results are given: slices of the classes, and records of all of them."""

import math

import numpy as np

from xentfast import _core, _dispatch, _partials
from xentfast._arguments import (
    CrossEntropyCall,
    check_finite,
    class_axis,
    float_array,
    integer,
    is_float,
    logit_options,
    output_array,
    overlap,
    plain_array,
    position,
    result_type,
)
from xentfast._threads import thread_count

EXPECTED = "expected the float64 arrays of softmax_cross_entropy_partial, joined along their last axis but one"


class SliceCall(CrossEntropyCall):
    """The checked arguments of a call on a slice of the classes, on the records of all slices, or on both."""

    __slots__ = ("first_class", "n_classes", "open_classes", "records", "first_record")

    def __init__(self, logits, records, targets, n_classes, first_class, axis, weight, sample_weight, ignore_index,
                 label_smoothing, z_loss, logit_scale, softcap, where, where_count, reduction, n_threads):
        """`logits` or `records` may be None; `targets` too, where they were soft and there are no logits."""
        self.records = None if records is None else records_array(records)
        self.first_record = 0
        self._set_loss(label_smoothing, reduction)
        self.n_classes = integer(n_classes, "n_classes")
        if logits is not None:
            self.logits = float_array(logits, "logits")
            self.axis = class_axis(axis, self.logits, "logits")
        self.first_class = integer(first_class, "first_class")
        self._check_slice()
        self.n_threads = thread_count(n_threads, (self.logits if self.logits is not None else self.records).size)
        self._set_where(z_loss, logit_scale, softcap, where, where_count)
        self._set_weights(weight, sample_weight, self.rows, self.n_classes)
        if self.logits is None and targets is not None and is_float(plain_array(targets, "targets").dtype):
            raise TypeError("targets are floats; expected integers, or None where partials are of soft targets")
        if targets is not None:
            self.reduction = "sum"                      # the mean over soft targets is not to be had from a slice of them
            self._set_targets(targets, self.rows, self.n_classes, ignore_index)
            self.reduction = reduction
        if self.records is not None:
            self._check_records()
        if self.logits is not None:
            width = self.logits.shape[self.axis]
            weights = None if self.class_weight is None else self.class_weight[self.first_class:self.first_class + width]
            self._set_smoothing_mass(self.n_classes, weights)

    def _check_slice(self):
        if self.logits is None:
            return
        width = self.logits.shape[self.axis]
        if not 0 <= self.first_class <= self.n_classes - width:
            raise ValueError(f"first_class is {self.first_class}, and logits have {width} classes along axis {self.axis}; "
                             f"expected a slice of n_classes={self.n_classes} classes")
        if self.records is not None and self.rows != self.records.shape[:-2]:
            raise ValueError(f"logits of shape {self.logits.shape} have rows {self.rows} without axis {self.axis}, but partials "
                             f"of shape {self.records.shape} have rows {self.records.shape[:-2]}")

    def _set_where(self, z_loss, logit_scale, softcap, where, where_count):
        if where_count is not None:
            counts = plain_array(where_count, "where_count")
            if counts.dtype.kind not in "iu":
                raise TypeError(f"where_count has dtype {counts.dtype}; expected integers")
            if counts.shape != self.rows:
                raise ValueError(f"where_count has shape {counts.shape}; expected {self.rows}, {self.meaning_of_rows}")
            self.open_classes = np.ascontiguousarray(counts, np.int64)
            if where is None and self.logits is not None:
                where = np.True_                        # this slice is whole, others may not be
        else:
            self.open_classes = None
            if where is not None and self.smoothing:
                raise ValueError("where is given with label_smoothing, but not where_count; expected how many classes it leaves "
                                 "each row, over all slices, which smoothing spreads over")
        self.options = logit_options(self.logits, z_loss, logit_scale, softcap, where)

    def _check_records(self):
        counts, digits = records_layout(self.records)
        covered = int(counts.sum())
        if self.records.size and covered != self.n_classes:
            raise ValueError(f"partials are of {covered} classes; expected those of all n_classes={self.n_classes}")
        bad, finding = _partials.check_records(self.records, self.records.shape[-2], self.classes, self.sample_weight)
        if bad >= 0:
            where = position(bad, self.rows)
            raise ValueError({
                _partials.IS_UNEVEN: f"partials{where} are of other classes, or of another dtype, than those of the first row",
                _partials.HAS_NO_TARGET: f"partials{where} have no target; were they made with the same targets and n_classes?",
                _partials.HAS_TWO_TARGETS: f"partials{where} have more than one target: slices overlap",
                _partials.IS_SOFT: f"partials{where} are of soft targets; expected targets=None, or the slice's soft targets",
                _partials.IS_NOT_SOFT: f"partials{where} are not of soft targets in every slice; expected the targets that they "
                                       "were made with",
            }[finding])
        if self.classes is None:
            self._weigh_soft()
        if self.logits is not None and self.records.size:
            self._find_slice(counts, digits)

    def _weigh_soft(self):
        """As _set_soft does, without the targets."""
        self.weight_sum = float(math.prod(self.rows))
        if self.sample_weight is not None:
            _, bad_weight, self.weight_sum = _core.scan_targets(
                _dispatch.kernels, math.prod(self.rows), None, self.sample_weight, None, self.n_classes, 0, self.n_threads)
            check_finite(self.sample_weight, bad_weight, "sample_weight")
        if self.class_weight is not None:
            self.weight_sum = _partials.total(
                _partials.soft_weights(self.records, self.records.shape[-2], self.sample_weight))

    def _find_slice(self, counts, digits):
        """The place of the slice's first record."""
        starts = np.concatenate([[0], np.cumsum(counts)])
        width, chunk = self.logits.shape[self.axis], chunk_length(self.logits.dtype)
        self.first_record = int(np.searchsorted(starts, self.first_class))
        expected = [min(chunk, width - start) for start in range(0, width, chunk)]
        found = counts[self.first_record:self.first_record + len(expected)].tolist()
        if self.first_class not in starts or found != expected or digits != digits_of(self.logits):
            raise ValueError(f"partials have no records of the classes {self.first_class} to {self.first_class + width - 1} of "
                             f"{self.logits.dtype} logits as one slice: their chunks are of {found} classes; expected {expected}")

    @property
    def rows(self):
        return self.records.shape[:-2] if self.logits is None else super().rows

    @property
    def meaning_of_rows(self):
        if self.logits is None:
            return f"the shape of partials {self.records.shape} without its last two axes"
        return super().meaning_of_rows

    @property
    def n_chunks(self):
        """Chunks of the slice."""
        return -(-self.logits.shape[self.axis] // chunk_length(self.logits.dtype))

    @property
    def as_double(self):
        """Whether losses are float64."""
        return records_layout(self.records)[1] == 53 if self.logits is None else result_type(self.logits) == np.float64

    def check_apart(self, out):
        """`out` may share memory with no input."""
        for array in (self.logits, *self.inputs, self.open_classes):
            if array is not None and np.may_share_memory(out, array) and overlap(out, array):
                raise ValueError("out overlaps an input, which is read while it is written")

    def output(self, out):
        return output_array(out, self.logits, (*self.inputs, self.open_classes, self.records))


def chunk_length(dtype):
    """Classes whose sums make one record, of logits of that dtype."""
    return _dispatch.kernels.chunk_bytes // (8 if dtype == np.float64 else 4)


def digits_of(logits):
    return 53 if result_type(logits) == np.float64 else 24


def records_array(records):
    array = plain_array(records, "partials")
    if array.dtype != np.float64 or array.ndim < 2 or array.shape[-1] != _partials.FIELDS or array.shape[-2] == 0:
        raise ValueError(f"partials have dtype {array.dtype} and shape {array.shape}; {EXPECTED}")
    return np.ascontiguousarray(array, np.float64)


def records_layout(records):
    """(classes of each of a row's chunks, digits), as the first row has them; there may be none."""
    flat = records.reshape(-1, *records.shape[-2:])[:1]
    counts = flat[..., _partials.COUNT].ravel().astype(np.int64)
    return counts, int(flat[0, 0, _partials.DIGITS]) if len(flat) else 24
