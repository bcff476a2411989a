"""A case of the table `losses` made real: arrays in memory and a call on them."""

from functools import partial

import numpy as np

import xentfast

from .losses import FUNCTIONS

# Arrays repeat this many numbers, so that no benchmark waits for its inputs. It is prime: no row is like the next.
PERIOD = 99_991


def make_call(function, *, shape, axis, dtype, n_threads, out, targets, option):
    """The public function with its arguments; its `keywords` hold the arrays that were given for the result.

    In place, each call works on the result of the one before: normal numbers, on which the kernels take as long.
    """
    rng = np.random.default_rng(0)
    logits = repeated(rng.standard_normal(PERIOD), shape, dtype)
    classes = shape[axis]
    rows = tuple(length for index, length in enumerate(shape) if index != axis % len(shape))
    arguments, keywords = [logits], {}
    # No argument is spelt out that a user would leave out: small calls would feel it.
    if FUNCTIONS[function].takes_targets:
        if targets == "soft":
            arguments.append(repeated(rng.random(PERIOD) * (2 / classes), shape, dtype))
        else:
            arguments.append(rng.integers(classes, size=rows, dtype=targets))
        keywords |= options(option, rng, rows, classes)
    if axis != -1:
        keywords["axis"] = axis
    if n_threads is not None:
        keywords["n_threads"] = n_threads
    if out == "in place":
        keywords["out"] = logits
    elif out == "given":
        keywords["out"] = np.zeros(rows if function == "logsumexp" else shape, dtype)
    return partial(getattr(xentfast, function), *arguments, **keywords)


def options(name, rng, rows, classes):
    """Keywords of the cross-entropy functions. Weights are float64, in which they are used."""
    every = {
        "label_smoothing": 0.1,
        "weight": rng.uniform(0.5, 1.5, classes),
        "sample_weight": rng.uniform(0.5, 1.5, rows),
        "ignore_index": 0,
        "reduction": "none",
    }
    if name == "none":
        return {}
    return every if name == "every one" else {name: every[name]}


def repeated(numbers, shape, dtype):
    return np.resize(numbers.astype(dtype), shape)
