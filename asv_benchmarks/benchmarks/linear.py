"""What is measured of the linear layer's loss. A shape is (rows, features, classes). Rows are as in `softmax`; a new public
function gets a line in FUNCTIONS."""

from functools import partial
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD, repeated


class Function(NamedTuple):
    time: dict
    memory: dict


# Most of the time is BLAS's, which has as many threads as it likes: `n_threads` are those of the loss.
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "targets": "int64", "ignored": 0.0, "memory_mib": None}
DTYPES = ["float32", "float64", "float16", "bfloat16"]

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 16, 10), (64, 16, 10)], "n_threads": None},
    "few_classes": {"shape": [(65_536, 16, 10)]},
    "wide": {"shape": [(512, 256, 32_000)], "dtype": DTYPES},
    # From a few rows a chunk, whose products are small, to all of them.
    "memory_limit": {"shape": [(512, 256, 32_000)], "memory_mib": [4, 16, 64, 256]},
    "ignored": {"shape": [(512, 256, 32_000)], "ignored": [0.1, 0.5]},
    "soft_targets": {"shape": [(512, 256, 4000)], "targets": "soft"},
}
GRADIENT = TIME | {"given": {"shape": [(512, 256, 32_000)], "out": "given"}}
MEMORY = {
    "wide": {"shape": [(512, 256, 32_000)], "dtype": DTYPES, "memory_mib": [16, None]},
    "ignored": {"shape": [(512, 256, 32_000)], "ignored": [0.5]},
}
FUNCTIONS = {"linear_cross_entropy": Function(TIME, MEMORY), "linear_cross_entropy_value_and_grad": Function(GRADIENT, MEMORY)}

# As in `softmax`.
VERSION = "1"


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
