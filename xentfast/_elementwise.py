"""Checks of what elementwise losses are given: arrays broadcast to the logits' shape, and what their values may be."""

import math

import numpy as np

from xentfast import _arguments, _checks, _dispatch, _elements
from xentfast._arguments import (
    REDUCTIONS,
    first_outside,
    float_array,
    is_float,
    output_array,
    output_pair,
    plain_array,
    position,
    real_number,
)
from xentfast._threads import thread_count


class SigmoidCall:
    """The checked arguments of one call to sigmoid cross-entropy."""

    __slots__ = ("gamma", "logits", "n_threads", "pos_weight", "reduction", "sample_weight", "smoothing", "targets", "weight_sum")

    def __init__(self, logits, targets, pos_weight, sample_weight, label_smoothing, focal_gamma, reduction, n_threads):
        logits = self.logits = float_array(logits, "logits")
        self.n_threads = thread_count(n_threads, logits.size)
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction is {reduction!r}; expected 'mean', 'sum' or 'none'")
        self.reduction = reduction
        self.smoothing = label_smoothing if type(label_smoothing) is float else real_number(label_smoothing, "label_smoothing")
        if not 0.0 <= self.smoothing <= 1.0:
            raise ValueError(f"label_smoothing is {self.smoothing}; expected a number from 0 to 1")
        self.gamma = focal_gamma if type(focal_gamma) is float else real_number(focal_gamma, "focal_gamma")
        if not 0.0 <= self.gamma < math.inf:
            raise ValueError(f"focal_gamma is {self.gamma}; expected a finite number of at least 0")
        self.targets = broadcast_array(targets, logits.shape, "targets")
        self.pos_weight = self.sample_weight = None
        self.weight_sum = float(logits.size)
        if pos_weight is not None:
            self.pos_weight = broadcast_array(pos_weight, logits.shape, "pos_weight")
            self._finite_sum(self.pos_weight, "pos_weight")
        if sample_weight is not None:
            own = self.sample_weight = broadcast_array(sample_weight, logits.shape, "sample_weight")
            total = self._finite_sum(own, "sample_weight")
            self.weight_sum = total * (logits.size / own.size) if logits.size else 0.0
        self._check_targets()

    def _finite_sum(self, weights, name):
        total = self._total_within(weights, -math.inf, math.inf)
        if math.isnan(total):
            name_bad_weight(weights, name)
        return total

    def _check_targets(self):
        if self.targets.dtype.kind != "b" and math.isnan(self._total_within(self.targets, 0.0, 1.0)):
            where, value = name_outside(self.targets, 0.0, 1.0)
            raise ValueError(f"targets{where} is {value}; expected a number from 0 to 1")

    def _total_within(self, array, lowest, highest):
        return _elements.total_within(_dispatch.kernels, array, lowest, highest, thread_count(self.n_threads, array.size))

    def output(self, out):
        """The array for the gradient: `out`, checked, or a new one."""
        return output_array(out, self.logits, inputs=(self.targets, self.pos_weight, self.sample_weight))

    def outputs(self, out):
        """The same for gradient and Hessian."""
        return output_pair(out, self.logits, (self.targets, self.pos_weight, self.sample_weight))

    def passes_cache(self, out):
        """Whether `out` is worth writing by stores that go past the cache."""
        return out is not None and out.nbytes > _arguments.STREAM_BYTES and _checks.apart(out, self.logits)


def broadcast_array(value, shape, name):
    """An aligned array of real numbers, of its own shape, which broadcasts to `shape`. A copy only where it must be."""
    if _checks.is_plain_float(value) and value.shape == shape:
        return value                                    # the common case
    array = value if type(value) is np.ndarray else plain_array(value, name, ", with sample_weight=0 for masked elements")
    check_broadcast(array, shape, name)
    return np.require(array, array.dtype.newbyteorder("="), "A")


def check_broadcast(array, shape, name):
    """Its dtype and shape."""
    native = array.dtype.newbyteorder("=")
    if native.kind not in "iub" and not is_float(native):
        raise TypeError(f"{name} {verb(name)} dtype {array.dtype}; "
                        "expected bool, integers, float16, bfloat16, float32 or float64")
    lead = len(shape) - array.ndim
    if lead < 0 or any(length not in (1, whole) for length, whole in zip(array.shape, shape[lead:], strict=True)):
        raise ValueError(f"{name} {verb(name)} shape {array.shape}; expected one that broadcasts to that of logits, {shape}")


def verb(name):
    return "have" if name == "targets" else "has"


def name_bad_weight(weights, name):
    """Raise ValueError for the first one that is not finite."""
    where, value = name_outside(weights, -math.inf, math.inf)
    raise ValueError(f"{name}{where} is {value}; expected finite weights")


def name_outside(array, lowest, highest):
    """('[1, 3]', value) of the first value that is not finite and from `lowest` to `highest`."""
    def allowed(values):
        values = values.astype(np.float64)
        return (values >= lowest) & (values <= highest) & np.isfinite(values)

    with np.errstate(invalid="ignore"):                     # signalling nans
        flat = first_outside(array, allowed)
    return position(flat, array.shape), array[np.unravel_index(flat, array.shape)]
