"""Checks of what elementwise losses are given: arrays broadcast to the logits' shape, and what their values may be."""

import math

import numpy as np

from xentfast._base import outputs
from xentfast._base.arrays import any_masked, float_array, is_float, native_array, plain_array, result_type, without_mask
from xentfast._base.memory import apart, is_plain_float
from xentfast._base.numbers import real_number, smoothing
from xentfast._base.outputs import output_array, output_pair
from xentfast._base.reduction import check_reduction
from xentfast._base.threads import requested
from xentfast._base.values import name_outside
from xentfast._sigmoid.loops import total_read, total_within


class SigmoidCall:
    """The checked arguments of one call to sigmoid cross-entropy."""

    __slots__ = ("gamma", "logits", "n_threads", "pos_weight", "reduction", "sample_weight", "smoothing", "targets", "valued",
                 "weight_sum")

    def __init__(self, logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads):
        logits, closed = without_mask(logits, "logits")
        targets, skipped = without_mask(targets, "targets")
        sample_weight, weightless = without_mask(sample_weight, "sample_weight")
        logits = self.logits = float_array(logits, "logits")
        self.n_threads = requested(n_threads)
        self.reduction = check_reduction(reduction)
        self.valued = True                              # the losses are asked for
        self.smoothing = smoothing(label_smoothing)
        self.gamma = focal_gamma if type(focal_gamma) is float else real_number(focal_gamma, "focal_gamma")
        if not 0.0 <= self.gamma < math.inf:
            raise ValueError(f"focal_gamma is {self.gamma}; expected a finite number of at least 0")
        self.targets = broadcast_array(targets, logits.shape, "targets")
        if skipped is not None:
            self.targets = np.where(skipped, False, self.targets)       # what is masked is not to be looked at
        self.pos_weight = None
        self.weight_sum = float(logits.size)
        if pos_weight is not None:
            self.pos_weight = broadcast_array(pos_weight, logits.shape, "pos_weight")
        if sample_weight is not None:
            sample_weight = broadcast_array(sample_weight, logits.shape, "sample_weight")
        masked = any_masked(closed, skipped, weightless)
        if masked is not None:
            sample_weight = np.asarray(~masked) if sample_weight is None else np.where(masked, False, sample_weight)
        self.sample_weight = sample_weight
        self._look()

    def _look(self):
        """At the weights and targets of elements that are read."""
        if self.pos_weight is not None:
            self._total(self.pos_weight, -math.inf, math.inf, "pos_weight", "finite weights")
        if self.sample_weight is not None:
            total = self._total(self.sample_weight, -math.inf, math.inf, "sample_weight", "finite weights")
            self.weight_sum = total * (self.logits.size / self.sample_weight.size) if self.logits.size else 0.0
        if self.targets.dtype.kind != "b":
            self._total(self.targets, 0.0, 1.0, "targets", "a number from 0 to 1")

    def _total(self, array, lowest, highest, name, expected):
        return total_allowed(array, lowest, highest, name, expected, self.n_threads, self.logits, self.sample_weight)

    @property
    def value_shape(self):
        """That of the losses."""
        return self.logits.shape

    @property
    def value_dtype(self):
        return np.dtype(result_type(self.logits))

    def output(self, out):
        """The array for the gradient: `out`, checked, or a new one."""
        return output_array(out, self.logits, inputs=(self.targets, self.pos_weight, self.sample_weight))

    def outputs(self, out):
        """The same for gradient and Hessian."""
        return output_pair(out, self.logits, (self.targets, self.pos_weight, self.sample_weight))

    def passes_cache(self, out):
        """Whether `out` is worth writing by stores that go past the cache."""
        return out is not None and out.nbytes > outputs.STREAM_BYTES and apart(out, self.logits)


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


def total_allowed(array, lowest, highest, name, expected, n_threads, like=None, sample_weight=None):
    """The sum of the values; ValueError where one is not finite and from `lowest` to `highest`, `expected` in words. With a
    `sample_weight`, that and the array being broadcast to `like`, elements of weight 0 may have any, which the sum is without."""
    total = total_within(array, lowest, highest, n_threads)
    if math.isnan(total) and sample_weight is not None:
        total = total_read(array, like, sample_weight, lowest, highest, n_threads)
    if not math.isnan(total):
        return total
    if sample_weight is None:
        found = name_outside(array, lowest, highest)
    else:
        weights = np.broadcast_to(sample_weight, like.shape)
        found = name_outside(array, lowest, highest, like.shape, lambda elements: weights.flat[elements] == 0)
    if found:                                           # else the sum alone is not finite
        raise ValueError(f"{name}{found[0]} is {found[1]}; expected {expected}")
    return total


def verb(name):
    return "have" if name == "targets" else "has"
