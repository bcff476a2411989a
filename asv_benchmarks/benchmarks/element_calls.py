"""A case of the table `elements` made real: arrays in memory and a call on them."""

from functools import partial

import numpy as np

import xentfast

from .loss_calls import PERIOD, repeated


def make_call(function, *, shape, dtype, n_threads, out, targets, option):
    """The public function with its arguments; its `keywords` hold the arrays that were given for the result."""
    rng = np.random.default_rng(0)
    logits = repeated(rng.standard_normal(PERIOD) * 3, shape, dtype)
    arguments = [logits, repeated(rng.integers(0, 2, PERIOD), shape, targets)]
    # No argument is spelt out that a user would leave out: small calls would feel it.
    keywords = {} if n_threads is None else {"n_threads": n_threads}
    if option == "transposed":
        arguments[0] = logits = np.ascontiguousarray(logits.T).T
    else:
        keywords |= options(option, rng, shape)
    if out != "new":
        grad = logits if out == "in place" else np.zeros(shape, dtype)
        keywords["out"] = (grad, np.zeros(shape, dtype)) if function.endswith("hess") else grad
    return partial(getattr(xentfast, function), *arguments, **keywords)


def options(name, rng, shape):
    every = {
        "label_smoothing": 0.1,
        "pos_weight": rng.uniform(0.5, 4, shape[-1:]).astype(np.float32),
        "sample_weight": rng.uniform(0.5, 1.5, shape).astype(np.float32),
        "focal_gamma": 2.0,
    }
    if name == "none":
        return {}
    return every if name == "every one" else {name: every[name]}
