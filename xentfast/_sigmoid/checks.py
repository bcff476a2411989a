"""Checks of what elementwise losses are given: arrays broadcast to the logits' shape, and what their values may be."""

import math
from typing import NamedTuple

import numpy as np

from xentfast._base.arrays import (
    any_masked,
    float_array,
    is_float,
    leave_out,
    native_array,
    plain_array,
    result_type,
    without_mask,
)
from xentfast._base.level import policy
from xentfast._base.memory import apart, is_plain_float
from xentfast._base.numbers import focusing, real_number, smoothing
from xentfast._base.outputs import output_array, output_pair
from xentfast._base.reduction import check_reduction
from xentfast._base.threads import requested
from xentfast._base.values import broadcast_mask, name_outside
from xentfast._sigmoid.loops import total_read, total_within


class SigmoidCall:
    """The checked arguments of one call to sigmoid cross-entropy."""

    __slots__ = ("gamma", "ignored", "logits", "n_threads", "pos_weight", "reduction", "sample_weight", "smoothing", "targets",
                 "valued", "weight_sum", "where")

    def __init__(self, logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, reduction,
                 n_threads):
        logits, closed = without_mask(logits, "logits")
        targets, skipped = without_mask(targets, "targets")
        sample_weight, weightless = without_mask(sample_weight, "sample_weight")
        logits = self.logits = float_array(logits, "logits")
        self.n_threads = requested(n_threads)
        self.reduction = check_reduction(reduction)
        self.valued = True                              # the losses are asked for
        self.smoothing = smoothing(label_smoothing)
        self.gamma = focusing(focal_gamma)
        self.targets = broadcast_array(targets, logits.shape, "targets")
        self.weight_sum = float(logits.size)
        self.pos_weight = self.sample_weight = self.where = self.ignored = None
        masked = any_masked(closed, skipped, weightless)
        if pos_weight is sample_weight is where is ignore_index is masked is None and self._have_good_targets():
            return                                      # the common case
        if pos_weight is not None:
            self.pos_weight = broadcast_array(pos_weight, logits.shape, "pos_weight")
        if sample_weight is not None:
            self.sample_weight = broadcast_array(sample_weight, logits.shape, "sample_weight")
        if where is not None:
            self.where = broadcast_mask(where, logits.shape)
        if masked is not None:
            self.where = np.broadcast_to(leave_out(self.where, masked), logits.shape)
        if ignore_index is not None:
            self.ignored = ignored_value(ignore_index, self.targets.dtype)
        self._look()

    def _have_good_targets(self):
        return self.targets.dtype.kind == "b" or not math.isnan(total_within(self.targets, 0.0, 1.0, self.n_threads))

    def _look(self):
        """At the weights and targets of elements that are read."""
        if self.pos_weight is not None:
            self._total(self.pos_weight, -math.inf, math.inf, "pos_weight", "finite weights")
        self.weight_sum = self.sum_weights()
        if self.targets.dtype.kind != "b" and (self.sample_weight is not None or not self.masked):
            self._total(self.targets, 0.0, 1.0, "targets", "a number from 0 to 1", whole=self.ignored is not None)

    def sum_weights(self, block_sums=None):
        """Of the elements that are read; with `block_sums` those of each block, which go there."""
        weights = self.sample_weight
        if not self.masked and block_sums is None:
            if weights is None:
                return float(self.logits.size)
            total = self._total(weights, -math.inf, math.inf, "sample_weight", "finite weights")
            return total * (self.logits.size / weights.size) if self.logits.size else 0.0
        if weights is None:                             # a look at the targets as well
            return self._total(self.targets, 0.0, 1.0, "targets", "a number from 0 to 1", counting=True, block_sums=block_sums)
        return self._total(weights, -math.inf, math.inf, "sample_weight", "finite weights", whole=True, block_sums=block_sums)

    @property
    def masked(self):
        """Whether elements are left out otherwise than by their weight."""
        return self.where is not None or self.ignored is not None

    def _total(self, array, lowest, highest, name, expected, whole=False, counting=False, block_sums=None):
        read = None
        if whole or counting or self.masked or self.sample_weight is not None:
            read = Read(self.logits, self.sample_weight, self.where, self.targets, self.ignored)
        return total_allowed(array, lowest, highest, name, expected, self.n_threads, read, whole, counting, block_sums)

    @property
    def value_shape(self):
        """That of the losses."""
        return self.logits.shape

    @property
    def value_dtype(self):
        return np.dtype(result_type(self.logits))

    @property
    def _inputs(self):
        """What is read beside the logits."""
        return self.targets, self.pos_weight, self.sample_weight, self.where

    def output(self, out):
        """The array for the gradient: `out`, checked, or a new one."""
        return output_array(out, self.logits, self._inputs)

    def outputs(self, out):
        """The same for gradient and Hessian."""
        return output_pair(out, self.logits, self._inputs)

    def passes_cache(self, out):
        """Whether `out` is worth writing by stores that go past the cache."""
        return out is not None and out.nbytes > policy.stream_bytes and apart(out, self.logits)


def broadcast_array(value, shape, name):
    """An aligned array of real numbers, of its own shape, which broadcasts to `shape`. A copy only where it must be."""
    if is_plain_float(value) and value.shape == shape:
        return value                                    # the common case
    array = value if type(value) is np.ndarray else plain_array(value, name)
    check_broadcast(array, shape, name)
    return native_array(array)


def check_broadcast(array, shape, name):
    """Its dtype and shape."""
    native = array.dtype.newbyteorder("=")
    if native.kind not in "iub" and not is_float(native):
        raise TypeError(f"{name} {verb(name)} dtype {array.dtype}; "
                        "expected bool, integers, float16, bfloat16, float32 or float64")
    lead = len(shape) - array.ndim
    if lead < 0 or any(length not in (1, whole) for length, whole in zip(array.shape, shape[lead:], strict=True)):
        raise ValueError(f"{name} {verb(name)} shape {array.shape}; expected one that broadcasts to that of logits, {shape}")


class Read(NamedTuple):
    """Which elements of an array of that shape are read: those that have a weight, and are not left out by a mask or a value of
    their target. All arrays broadcast to `like`."""

    like: np.ndarray
    sample_weight: np.ndarray | None = None
    where: np.ndarray | None = None
    targets: np.ndarray | None = None
    ignored: float | None = None

    def total(self, array, lowest, highest, n_threads, counting=False, block_sums=None):
        return total_read(array, *self, lowest, highest, n_threads, counting, block_sums)

    def leaves_out(self, elements):
        """Each of a slice of the elements, in C order."""
        out = np.zeros(len(range(*elements.indices(self.like.size))), bool)
        if self.sample_weight is not None:
            out |= self._part(self.sample_weight, elements) == 0
        if self.where is not None:
            out |= ~self._part(self.where, elements)
        if self.ignored is not None:
            out |= self._part(self.targets, elements).astype(np.float64) == self.ignored
        return out

    def _part(self, array, elements):
        return np.broadcast_to(array, self.like.shape).flat[elements]


def total_allowed(array, lowest, highest, name, expected, n_threads, read=None, whole=False, counting=False, block_sums=None):
    """The sum of the values; ValueError where one is not finite and from `lowest` to `highest`, `expected` in words. Values that
    no element has which is `read` may be any. If `whole`, the sum is that over all these elements; when `counting`, their
    number, and `block_sums` is for these two; else over the array's own values, if all are allowed."""
    if whole or counting:
        total = read.total(array, lowest, highest, n_threads, counting, block_sums)
    else:
        total = total_within(array, lowest, highest, n_threads)
        if math.isnan(total) and read is not None:
            total = read.total(array, lowest, highest, n_threads)
    if not math.isnan(total):
        return total
    found = name_outside(array, lowest, highest) if read is None else name_outside(array, lowest, highest, read.like.shape,
                                                                                   read.leaves_out)
    if found:                                           # else the sum alone is not finite
        raise ValueError(f"{name}{found[0]} is {found[1]}; expected {expected}")
    return total


def ignored_value(ignore_index, dtype):
    """What targets of that dtype are compared with, as a float; None where none can be equal to it."""
    number = real_number(ignore_index, "ignore_index")
    if not math.isfinite(number):
        raise ValueError(f"ignore_index is {number}; expected a finite number, or None; where=numpy.isfinite(targets) leaves out "
                         "what is not finite")
    if dtype.kind in "iub":
        return number if number.is_integer() else None
    with np.errstate(over="ignore"):
        number = float(dtype.type(number))
    return number if math.isfinite(number) else None


def verb(name):
    return "have" if name == "targets" else "has"
