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
        if option in ("where", "class_where"):
            keywords["where"] = mask(option, rng, shape, axis, arguments[1])
        else:
            keywords |= options(option, rng, rows, classes, FUNCTIONS[function].without)
    if axis != -1:
        keywords["axis"] = axis
    if n_threads is not None:
        keywords["n_threads"] = n_threads
    if out != "new":
        result = logits if out == "in place" else np.zeros(rows if function == "logsumexp" else shape, dtype)
        keywords["out"] = (result, np.zeros(shape, dtype)) if function.endswith("hess") else result
    return partial(getattr(xentfast, function), *arguments, **keywords)


def options(name, rng, rows, classes, without):
    """Keywords of the cross-entropy functions, `without` those that one does not take. Weights are float64, in which they are
    used."""
    every = {
        "label_smoothing": 0.1,
        "weight": rng.uniform(0.5, 1.5, classes),
        "sample_weight": rng.uniform(0.5, 1.5, rows),
        "ignore_index": 0,
        "reduction": "none",
    }
    if name == "none":
        return {}
    if name == "every one":
        return {key: value for key, value in every.items() if key not in without}
    # Not of "every one", which is older.
    return {name: (every | {"z_loss": 1e-4, "logit_scale": 0.7, "softcap": 30.0})[name]}


def mask(name, rng, shape, axis, targets):
    """Nine logits of ten, and each row's target; or all classes but the last twentieth, as a padded vocabulary has."""
    if name == "class_where":
        left_in = -(-shape[axis] * 19 // 20)
        np.minimum(targets, left_in - 1, out=targets)
        classes = np.arange(shape[axis]) < left_in
        return classes.reshape([-1 if index == axis % len(shape) else 1 for index in range(len(shape))])
    left_in = repeated(rng.random(PERIOD) < 0.9, shape, bool)
    np.put_along_axis(left_in, np.expand_dims(targets, axis), True, axis)
    return left_in


def repeated(numbers, shape, dtype):
    return np.resize(numbers.astype(dtype), shape)
