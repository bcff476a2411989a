"""A case of the table `partials` made real: arrays in memory and a call on them."""

from functools import partial

import numpy as np

import xentfast

from .loss_calls import PERIOD, repeated

OPTIONS = {"none": {}, "label_smoothing": {"label_smoothing": 0.1}, "softcap": {"softcap": 30.0}}


def make_call(function, *, shape, dtype, n_threads, out, option):
    """The public function with its arguments; its `keywords` hold the array that was given for the result."""
    rng = np.random.default_rng(0)
    logits, targets = repeated(rng.standard_normal(PERIOD), shape, dtype), rng.integers(shape[1], size=shape[0])
    common = {"n_classes": shape[1], **OPTIONS[option]}
    if n_threads is not None:
        common["n_threads"] = n_threads
    make = partial(xentfast.softmax_cross_entropy_partial, logits, targets, first_class=0, **common)
    if function.endswith("partial"):
        return make
    if function.endswith("combine"):
        return partial(xentfast.softmax_cross_entropy_combine, make(), targets, **common)
    if out != "new":
        common["out"] = logits if out == "in place" else np.zeros(shape, dtype)
    return partial(xentfast.softmax_cross_entropy_combine_grad, make(), logits, targets, first_class=0, **common)
