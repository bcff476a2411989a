"""A case of the table `information` made real: arrays in memory and a call on them."""

from functools import partial

import numpy as np

import xentfast

from .loss_calls import PERIOD


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
