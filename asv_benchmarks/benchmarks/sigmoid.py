"""What is measured of the elementwise losses. A new public function gets a line in FUNCTIONS.

Rows are as in `softmax`. An option that is an array has the shape that `make_call` gives it.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD, repeated
from .softmax import FLOATS, OUT, THREADS

# As in `softmax`.
VERSION = "1"
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "targets": "float32", "option": "none"}
HALVES = ["float16", "bfloat16"]


class Function(NamedTuple):
    out: tuple          # where its result can go

    @property
    def time(self):
        return self.rows(TIME)

    @property
    def memory(self):
        return self.rows(MEMORY)

    def rows(self, every):
        """Without the places where the result cannot go."""
        return {name: row | {"out": [out for out in row["out"] if out in self.out]} if "out" in row else row
                for name, row in every.items()}


FUNCTIONS = {
    "sigmoid_cross_entropy": Function(("new",)),
    "sigmoid_cross_entropy_grad": Function(("new", "given", "in place")),
    "sigmoid_cross_entropy_value_and_grad": Function(("new", "given", "in place")),
    "sigmoid_cross_entropy_grad_hess": Function(("new", "given", "in place")),
}
TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(10,), (64, 10)], "n_threads": None},
    # Either side of the work from which a second thread pays.
    "grain": {"shape": [(16, 1000), (64, 1000)], "n_threads": THREADS},
    "middle": {"shape": [(1024, 1000)], "dtype": FLOATS + HALVES, "n_threads": THREADS},
    # Past the cache.
    "large": {"shape": [(4096, 4096)], "n_threads": THREADS, "out": OUT},
    "target_dtype": {"shape": [(1024, 1000)], "targets": ["bool", "int64", "float64"]},
    "option": {"shape": [(1024, 1000)], "option": ["label_smoothing", "pos_weight", "sample_weight", "focal_gamma", "every one"]},
    # Three elements of ten are left out.
    "mask": {"shape": [(1024, 1000)], "targets": ["float32", "int8"], "option": ["where", "ignore_index"]},
    "strided": {"shape": [(1024, 1000)], "option": "transposed"},
}
MEMORY = {
    "middle": {"shape": [(1024, 1000)], "dtype": ["float16", "float32"], "out": OUT},
    "target_dtype": {"shape": [(1024, 1000)], "targets": ["int32"]},
    "option": {"shape": [(1024, 1000)], "option": ["every one", "where", "ignore_index"]},
}


def make_call(function, *, shape, dtype, n_threads, out, targets, option):
    """The public function with its arguments; its `keywords` hold the arrays that were given for the result."""
    rng = np.random.default_rng(0)
    logits = repeated(rng.standard_normal(PERIOD) * 3, shape, dtype)
    arguments = [logits, repeated(rng.integers(0, 2, PERIOD), shape, targets)]
    # No argument is spelt out that a user would leave out: small calls would feel it.
    keywords = {} if n_threads is None else {"n_threads": n_threads}
    if option == "transposed":
        arguments[0] = logits = np.ascontiguousarray(logits.T).T
    elif option in ("where", "ignore_index"):
        read = repeated(rng.random(PERIOD) < 0.7, shape, bool)
        keywords |= {"where": read} if option == "where" else {"ignore_index": -1}
        if option == "ignore_index":
            arguments[1][~read] = -1
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
