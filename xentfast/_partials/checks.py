"""Checks of what the functions of partial results are given: slices of the classes, and records of all of them."""


import numpy as np

from xentfast._base import level
from xentfast._base.arrays import class_axis, float_array, is_float, leave_out, plain_array, result_type, without_mask
from xentfast._base.memory import contiguous_float64, contiguous_int64
from xentfast._base.numbers import integer, position, smoothing
from xentfast._base.outputs import output_array, overlap
from xentfast._base.reduction import check_reduction, total
from xentfast._base.threads import requested
from xentfast._partials import loops
from xentfast._partials.loops import FIELDS
from xentfast._softmax.call import CrossEntropyCall
from xentfast._softmax.checks import check_focal, set_options, set_targets, set_weight_sum, set_weights

EXPECTED = "expected the float64 arrays of softmax_cross_entropy_partial, joined along their last axis but one"


class SliceCall(CrossEntropyCall):
    """The checked arguments of a call on a slice of the classes, on the records of all slices, or on both."""

    __slots__ = ("first_class", "n_classes", "open_classes", "records", "first_record")

    def __new__(cls, *_, **__):
        """Without arguments: what Cython 3.3 makes of keywords frees what it does not hold, where memory for them is missing."""
        return super().__new__(cls)

    def __init__(self, logits, records, targets, *, n_classes, first_class=0, axis=-1, weight=None, sample_weight=None,
                 ignore_index=-100, label_smoothing=0.0, focal_gamma=0.0, z_loss=0.0, logit_scale=1.0, softcap=None, where=None,
                 where_count=None, reduction="sum", n_threads=None):
        """`logits` or `records` may be None; `targets` too, where they were soft and there are no logits."""
        self.records = None if records is None else records_array(records)
        self.first_record = 0
        self.reduction = check_reduction(reduction)
        self.smoothing = smoothing(label_smoothing)
        self.n_classes = integer(n_classes, "n_classes")
        if self.n_classes >= 2**63 or (logits is None and self.n_classes < 1):
            raise ValueError(f"n_classes is {self.n_classes}; expected an integer from 1 to 2**63 - 1")
        masked = None
        if logits is not None:
            logits, masked = without_mask(logits, "logits")
            self.logits = float_array(logits, "logits")
            self.axis = class_axis(axis, self.logits, "logits")
        self.first_class = integer(first_class, "first_class")
        self._check_slice()
        self.n_threads = requested(n_threads)
        shape = None if self.logits is None else self.logits.shape
        where = self._whole_where(where, where_count, masked)
        set_options(self, focal_gamma, z_loss, logit_scale, softcap, where, shape)
        if masked is not None:
            self.where = leave_out(self.where, masked)
        set_weights(self, weight, sample_weight, self.n_classes)
        if targets is not None:
            self._check_kind(targets)
            set_targets(self, targets, self.n_classes, ignore_index, shape)
        check_focal(self.gamma, self.classes is not None, self.smoothing)
        if self.records is not None:
            self._check_records()

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

    def _check_kind(self, targets):
        """Soft ones are there with logits alone, and unmasked: a row's mask in one slice would be unknown to the others."""
        data, masked = without_mask(targets, "targets")
        if not is_float(plain_array(data, "targets").dtype):
            return
        if self.logits is None:
            raise TypeError("targets are floats; expected integers, or None where partials are of soft targets")
        if masked is not None:
            raise TypeError("targets is a masked array of floats, whose mask the other slices do not have; pass its filled(0) "
                            "data, and with every slice sample_weight=0 for the rows that are masked in one")

    def _whole_where(self, where, where_count, masked):
        """The mask of this slice, and how many classes the rows have left."""
        if where_count is not None:
            counts = plain_array(where_count, "where_count")
            if counts.dtype.kind not in "iu":
                raise TypeError(f"where_count has dtype {counts.dtype}; expected integers")
            if counts.shape != self.rows:
                raise ValueError(f"where_count has shape {counts.shape}; expected {self.rows}, {self.meaning_of_rows}")
            self.open_classes = contiguous_int64(counts)
            if where is None and self.logits is not None:
                return np.True_                         # this slice is whole, others may not be
        else:
            self.open_classes = None
            if masked is not None and self.smoothing:
                raise ValueError("logits is a masked array, given with label_smoothing, but without where_count; expected how "
                                 "many classes are left to each row, over all slices, which smoothing spreads over")
            if where is not None and self.smoothing:
                raise ValueError("where is given with label_smoothing, but not where_count; expected how many classes it leaves "
                                 "each row, over all slices, which smoothing spreads over")
        return where

    def _check_records(self):
        counts, digits = records_layout(self.records)
        covered = int(counts.sum())
        if self.records.size and covered != self.n_classes:
            raise ValueError(f"partials are of {covered} classes; expected those of all n_classes={self.n_classes}")
        bad, finding = loops.check_records(self.records, self.classes, self.sample_weight)
        if bad >= 0:
            where = position(bad, self.rows)
            raise ValueError({
                loops.IS_UNEVEN: f"partials{where} are of other classes, or of another dtype, than those of the first row",
                loops.HAS_NO_TARGET: f"partials{where} have no target; were they made with the same targets and n_classes?",
                loops.HAS_TWO_TARGETS: f"partials{where} have more than one target: slices overlap",
                loops.IS_SOFT: f"partials{where} are of soft targets; expected targets=None, or the slice's soft targets",
                loops.IS_NOT_SOFT: f"partials{where} are not of soft targets in every slice; expected the targets that they "
                                       "were made with",
            }[finding])
        if self.classes is None:
            self._weigh_soft()
        if self.logits is not None and self.records.size:
            self._find_slice(counts, digits)

    def _weigh_soft(self):
        """The sum of the rows' weights, of soft targets: what is in the records is all that is needed of these."""
        set_weight_sum(self, self.n_classes)
        if self.class_weight is not None:
            self.weight_sum = total(loops.soft_weights(self.records, self.sample_weight))

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
    def value_dtype(self):
        return np.dtype(np.float64 if self.as_double else np.float32)

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
    return level.chosen.kernels.chunk_bytes // (8 if dtype == np.float64 else 4)


def digits_of(logits):
    return 53 if result_type(logits) == np.float64 else 24


def not_none(value, name):
    """What SliceCall can do without, and a function cannot."""
    if value is None:
        raise TypeError(f"{name} is None; expected an array")
    return value


def records_array(records):
    array = plain_array(records, "partials")
    if array.dtype.newbyteorder("=") != np.float64 or array.ndim < 2 or array.shape[-1] != FIELDS or array.shape[-2] == 0:
        raise ValueError(f"partials have dtype {array.dtype} and shape {array.shape}; {EXPECTED}")
    return contiguous_float64(array)


def records_layout(records):
    """(classes of each of a row's chunks, digits), as the first row has them; there may be none."""
    flat = records.reshape(-1, *records.shape[-2:])[:1]
    counts, digits = flat[..., loops.COUNT].ravel(), flat[..., loops.DIGITS].ravel()[:1]
    whole = (counts >= 1) & (counts <= chunk_length(np.float32)) & (counts == np.floor(counts))
    if not (whole.all() and np.isin(digits, (24, 53)).all()):
        raise ValueError(f"partials of the first row are of {counts.tolist()} classes and {digits.tolist()} digits; {EXPECTED}")
    return counts.astype(np.int64), int(digits[0]) if len(digits) else 24
