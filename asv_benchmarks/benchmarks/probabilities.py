"""What is measured of probabilities. Rows are as in `softmax`. A new public function gets a line in FUNCTIONS."""

from functools import partial
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD


class Function(NamedTuple):
    time: dict
    memory: dict


THREADS = [1, 2]
FLOATS = ["float32", "float64"]
# `p` and `q` have one dtype and shape; `labels` are those of log_loss.
DEFAULTS = {"axis": -1, "dtype": "float32", "n_threads": 1, "out": "new", "eps": None, "labels": "int64"}

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 10), (64, 10)], "n_threads": None},
    # Either side of the work from which a second thread pays.
    "grain": {"shape": [(16, 1000), (64, 1000)], "n_threads": THREADS},
    "few_classes": {"shape": [(65_536, 2), (65_536, 10), (65_536, 100)], "dtype": FLOATS},
    "middle": {"shape": [(1024, 1000)], "dtype": ["float16", *FLOATS], "n_threads": THREADS},
    "inner_axis": {"shape": [(16, 128, 28, 28)], "axis": 1, "dtype": FLOATS},
    "one_row": {"shape": [(1, 1_000_000)], "n_threads": THREADS},
}
MEMORY = {"few_classes": {"shape": [(65_536, 10)]}, "inner_axis": {"shape": [(16, 128, 28, 28)], "axis": 1}}
# Elementwise: there is no axis, but a place for the result.
GRADIENT = {
    "small": TIME["small"],
    "middle": TIME["middle"] | {"out": ["new", "given", "in place"]},
    "wide": {"shape": [(256, 32_000)], "n_threads": THREADS, "out": ["given", "in place"]},
}
LABELLED = {
    "small": TIME["small"],
    "few_classes": TIME["few_classes"],
    "middle": {"shape": [(16_384, 100)], "dtype": ["float16", *FLOATS], "n_threads": THREADS},
    "labels": {"shape": [(65_536, 10)], "labels": ["int64", "uint8", "float64", "str", "indicators"]},
}

FUNCTIONS = {
    "cross_entropy": Function(TIME | {"clipped": {"shape": [(1024, 1000)], "eps": 1e-7}}, MEMORY),
    "cross_entropy_grad": Function(GRADIENT, {"middle": {"shape": [(1024, 1000)], "out": ["new", "given", "in place"]}}),
    "entropy": Function(TIME, MEMORY),
    "kl_divergence": Function(TIME, MEMORY),
    "log_loss": Function(LABELLED, {"few_classes": MEMORY["few_classes"] | {"labels": ["int64", "uint8"]}}),
}

# As in `softmax`.
VERSION = "1"


def make_call(function, *, shape, axis, dtype, n_threads, out, eps, labels):
    """The public function with its arguments; its `keywords` hold the array that was given for the result."""
    rng = np.random.default_rng(0)
    p, q = (probabilities(rng, shape, axis, dtype) for _ in range(2))
    arguments = {"entropy": [p], "log_loss": [labels_of(labels, shape), q]}.get(function, [p, q])
    keywords = {}
    # No argument is spelt out that a user would leave out: small calls would feel it.
    if function == "log_loss" and labels != "indicators":
        keywords["labels"] = np.unique(labels_of(labels, (shape[1], shape[1])))
    if axis != -1:
        keywords["axis"] = axis
    if eps is not None:
        keywords["eps"] = eps
    if n_threads is not None:
        keywords["n_threads"] = n_threads
    if out != "new":
        # In place would leave gradients behind, which are no probabilities: those of p = 0 are again p = 0.
        arguments = [np.zeros_like(p), q] if out == "in place" else arguments
        keywords["out"] = arguments[0] if out == "in place" else np.zeros_like(q)
    return partial(getattr(xentfast, function), *arguments, **keywords)


def probabilities(rng, shape, axis, dtype):
    """Rows that sum to one as nearly as the dtype allows."""
    numbers = np.resize(rng.uniform(0.1, 1.0, PERIOD), shape)
    numbers /= numbers.sum(axis, keepdims=True)
    return numbers.astype(dtype)


def labels_of(kind, shape):
    labels = np.arange(shape[0]) % shape[1]
    if kind == "indicators":
        return np.eye(shape[1], dtype=np.int8)[labels]
    return labels.astype(kind)
