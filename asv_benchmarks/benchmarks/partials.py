"""What is measured of partial results, over one slice that has all classes. Rows are as in `softmax`."""

from functools import partial
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD, repeated


class Function(NamedTuple):
    time: dict
    memory: dict


THREADS = [1, 2]
FLOATS = ["float32", "float64"]
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "option": "none"}

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 10), (64, 10)], "n_threads": None},
    "middle": {"shape": [(1024, 1000)], "dtype": ["float16", *FLOATS], "n_threads": THREADS},
    "wide": {"shape": [(256, 32_000)], "n_threads": THREADS},
    "option": {"shape": [(1024, 1000)], "option": ["label_smoothing", "softcap"]},
    "one_row": {"shape": [(1, 1_000_000)], "n_threads": THREADS},
}
GRADIENT = TIME | {"wide": TIME["wide"] | {"out": ["given", "in place"]}}
MEMORY = {"wide": {"shape": [(256, 32_000)], "n_threads": 2}}

FUNCTIONS = {
    "softmax_cross_entropy_partial": Function(TIME, MEMORY),
    "softmax_cross_entropy_combine": Function(TIME, MEMORY),
    "softmax_cross_entropy_combine_grad": Function(GRADIENT, MEMORY | {"wide": MEMORY["wide"] | {"out": ["new", "in place"]}}),
}

# As in `softmax`.
VERSION = "1"

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
