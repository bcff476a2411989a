"""A case of the table `linear` made real: arrays in memory and a call on them."""

from functools import partial

import numpy as np

import xentfast

from .loss_calls import PERIOD, repeated


def make_call(function, *, shape, dtype, n_threads, out, targets, ignored, memory_mib):
    """The public function with its arguments; its `keywords` hold the arrays that were given for the result."""
    rng = np.random.default_rng(0)
    n_rows, n_features, n_classes = shape
    numbers = rng.standard_normal(PERIOD)
    hidden = repeated(numbers, (n_rows, n_features), dtype)
    linear_weight = repeated(numbers / np.sqrt(n_features), (n_classes, n_features), dtype)
    if targets == "soft":
        classes = repeated(rng.random(PERIOD) * (2 / n_classes), (n_rows, n_classes), np.float32)
    else:
        classes = np.where(rng.random(n_rows) < ignored, -100, rng.integers(n_classes, size=n_rows, dtype=targets))
    keywords = {}
    # No argument is spelt out that a user would leave out: small calls would feel it.
    if n_threads is not None:
        keywords["n_threads"] = n_threads
    if memory_mib is not None:
        keywords["memory_limit"] = memory_mib * 2**20
    if out == "given":
        keywords["out"] = (np.zeros_like(hidden), np.zeros_like(linear_weight), None)
    return partial(getattr(xentfast, function), hidden, linear_weight, classes, **keywords)
