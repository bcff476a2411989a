"""Sums of what the blocks gave: tasks over all of it, with the bits of one machine."""

from __future__ import annotations

import numpy as np

from xentfast._base import reduction
from xentfast._base.targets import scan_targets


def weight_sum(weights):
    """Their sum, with the bits that `scan_targets` gives it where it looks at all rows at once."""
    weights = np.ascontiguousarray(weights)
    return scan_targets(weights.size, None, weights, None, 0, 0, 1)[2]


def total(values):
    """The sum of rows' values, in the order of the rows."""
    return reduction.total(np.ascontiguousarray(values))


def loss(values, divisor, *, as_double, empty, exponential):
    """The sum of the rows' losses over the divisor; `empty` where that is 0."""
    if reduction.is_nothing(divisor):
        return (np.float64 if as_double else np.float32)(empty)
    return reduction.loss_of(total(values), divisor, as_double, exponential)
