"""Every tolerance of the suite, with its reason. Bits have none: they are compared as bytes."""

import numpy as np


def ulp(value, dtype):
    """The spacing of `dtype` at |value| (long double values allowed), of a normal number at least."""
    value = np.maximum(np.abs(np.asarray(value, np.longdouble)), np.longdouble(np.finfo(dtype).tiny))
    return np.ldexp(np.longdouble(1), np.frexp(value)[1] - 1 - np.finfo(dtype).nmant)


# Guarantee 2 of the README, integer targets, as bounds in ulp.
LOSS_FLOAT32 = 2.0                  # exp 0.98, the sum's rounding, the last rounding: 1.5 seen
LOSS_FLOAT64_LARGE = 4.0            # a loss of at least ½: the sum's relative error is damped by the logarithm
GRADIENT_FLOAT32 = 3.0              # + |ln |q||: x − c is rounded once, which costs half an ulp of x − c
FLOAT64_BASE, FLOAT64_SLOPE = 8.0, 1.1      # the sums are in the same type: no spare digits

# Soft targets and smoothing, in ulp of the largest term, since terms cancel: masses, differences and products are rounded
# in the logits' type before they are added. Where all logits but one are equal the roundings are too, and add up.
LARGEST_TERM = {np.float32: 3.0, np.float64: 16.0}
CONTRIVED = ("one ahead", "equal", "offset 1e8")

# The twins in float64 against float32 results: the twin's own error is far below one ulp of float32.
TWIN = {np.dtype(np.float32): 4e-6, np.dtype(np.float64): 4e-14}

# Functions of the lanes against long double, in ulp (the bounds that stand above them in lanes.pxi).
EXP_FLOAT, EXP_DOUBLE, LOG1P_DOUBLE = 0.977, 0.95, 0.80


def loss_bound(loss, dtype):
    """Guarantee 2 for exact losses, in ulp."""
    loss = np.asarray(loss, np.float64)
    if dtype == np.float32:
        return np.full(loss.shape, LOSS_FLOAT32)
    small = FLOAT64_BASE + FLOAT64_SLOPE * np.abs(np.log(np.maximum(loss, np.finfo(dtype).tiny)))
    return np.where(loss >= 0.5, LOSS_FLOAT64_LARGE, small)


def gradient_bound(q, dtype):
    """Guarantee 2 for exact gradient elements, in ulp."""
    log_q = np.abs(np.log(np.maximum(np.abs(np.asarray(q, np.float64)), np.finfo(dtype).tiny)))
    return GRADIENT_FLOAT32 + log_q if dtype == np.float32 else FLOAT64_BASE + FLOAT64_SLOPE * log_q


def largest_term_bound(case, n_classes, dtype):
    """Soft targets, smoothing and logsumexp, in ulp of the largest term."""
    return LARGEST_TERM[dtype] + (np.log(n_classes) if case in CONTRIVED else 0.0)
