"""What is measured of losses and softmax. A new public function gets a line in FUNCTIONS, or in EXEMPT with a reason.

A row names a benchmark. Lists are its parameters, measured in every combination; other values hold for all of them;
what a row leaves out is in DEFAULTS.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD, repeated


class Function(NamedTuple):
    takes_targets: bool
    out: tuple              # where its result can go
    without: tuple = ()     # options that it does not take

    @property
    def time(self):
        return self.rows(TIME, TIME_TARGETS, TIME_ALONE)

    @property
    def memory(self):
        return self.rows(MEMORY, MEMORY_TARGETS, MEMORY_ALONE)

    def rows(self, every, with_targets, without_targets):
        """Those that apply to the function, without places where its result cannot go and options that it does not take."""
        rows = every | (with_targets if self.takes_targets else without_targets)
        rows = {name: {key: self.fitting(key, values) for key, values in row.items()} for name, row in rows.items()}
        return {name: row for name, row in rows.items() if row.get("option") != []}

    def fitting(self, key, values):
        if key == "out":
            return [out for out in values if out in self.out]
        if key == "option" and isinstance(values, list):
            return [option for option in values if option not in self.without]
        return values


FUNCTIONS = {
    "softmax_cross_entropy": Function(True, ("new",)),
    "softmax_cross_entropy_grad": Function(True, ("new", "given", "in place")),
    "softmax_cross_entropy_value_and_grad": Function(True, ("new", "given", "in place")),
    "softmax_cross_entropy_grad_hess": Function(True, ("new", "given", "in place"), ("z_loss", "logit_scale", "softcap")),
    "perplexity": Function(True, ("new",), ("label_smoothing", "focal_gamma", "z_loss", "reduction")),
    "softmax": Function(False, ("new", "given", "in place"), ("b", "class_b")),
    "log_softmax": Function(False, ("new", "given", "in place"), ("b", "class_b")),
    "logsumexp": Function(False, ("new", "given")),
}
EXEMPT = {
    "__version__": "is a string",
    "show_config": "prints a few lines, once in a session",
    "get_include": "a path, once in a build",
    "capi.Api": "a structure",
    "capi.MEAN": "an integer",
    "capi.NONE": "an integer",
    "capi.Options": "a structure",
    "capi.SUM": "an integer",
    "capi.Truncation": "a structure",
    "capi.VERSION": "an integer",
    "capi.table": "an address; what is there is measured in c_table.py",
}

# Raise it when inputs or calls change: asv then starts a new history, where it would see a faster or slower package.
VERSION = "1"

FLOATS = ["float32", "float64"]
SIXTEEN_BIT = ["float16", "bfloat16"]
THREADS = [1, 2]
OUT = ["new", "given", "in place"]
# One thread, but where threads are the question: a second one waits for any other process that is at work.
DEFAULTS = {"axis": -1, "dtype": "float32", "n_threads": 1, "out": "new", "targets": "int64", "option": "none"}

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 10), (64, 10)], "n_threads": None},
    # Either side of the work from which a second thread pays.
    "grain": {"shape": [(16, 1000), (64, 1000)], "n_threads": THREADS},
    "few_classes": {"shape": [(65_536, 2), (65_536, 10), (65_536, 100)], "dtype": FLOATS},
    "middle": {"shape": [(1024, 1000)], "dtype": FLOATS, "n_threads": THREADS},
    "wide": {"shape": [(256, 32_000)], "n_threads": THREADS, "out": OUT},
    "sixteen_bit": {"shape": [(256, 32_000)], "dtype": SIXTEEN_BIT},
    # Above 32 MiB glibc asks the system for each new output, whose pages fault; below it hands out the last one again.
    "fresh": {"shape": [(512, 32_000)]},
    "inner_axis": {"shape": [(16, 128, 28, 28)], "axis": 1, "dtype": FLOATS},
    "one_row": {"shape": [(1, 1_000_000)], "n_threads": THREADS},
}
# More rows, for functions with targets.
TIME_TARGETS = {
    "target_dtype": {"shape": [(65_536, 10)], "targets": ["int64", "int32", "uint8"]},
    "soft_targets": {"shape": [(65_536, 10), (1024, 1000)], "targets": "soft"},
    "option": {"shape": [(65_536, 10), (1024, 1000)], "option": ["label_smoothing", "weight", "sample_weight", "focal_gamma"]},
    # Those that shape the logits, and z_loss. `class_where` is a mask of the classes, which broadcasts.
    "logit_option": {"shape": [(1024, 1000), (256, 32_000)],
                     "option": ["z_loss", "logit_scale", "softcap", "where", "class_where"]},
}
# More rows, for functions without. `causal_where` leaves row i of a matrix its first i + 1 places, and broadcasts over matrices;
# `class_b` broadcasts over rows.
TIME_ALONE = {
    "masked": {"shape": [(65_536, 10), (16, 128, 128), (8, 1024, 1024)], "option": ["where", "causal_where"]},
    "multiplied": {"shape": [(65_536, 10), (1024, 1000)], "dtype": FLOATS, "option": ["b", "class_b"]},
}
MEMORY = {
    "few_classes": {"shape": [(65_536, 10)]},
    "wide": {"shape": [(256, 32_000)], "n_threads": 2, "out": OUT},
    "sixteen_bit": {"shape": [(256, 32_000)], "dtype": SIXTEEN_BIT},
    "inner_axis": {"shape": [(16, 128, 28, 28)], "axis": 1},
}
MEMORY_TARGETS = {
    "target_dtype": {"shape": [(65_536, 10)], "targets": ["int32"]},
    "soft_targets": {"shape": [(1024, 1000)], "targets": "soft"},
    "option": {"shape": [(65_536, 10)], "option": ["every one"]},
    "logit_option": {"shape": [(1024, 1000)], "option": ["where", "class_where"]},
}
MEMORY_ALONE = {
    "masked": {"shape": [(8, 1024, 1024)], "option": ["where", "causal_where"]},
    "multiplied": {"shape": [(1024, 1000)], "option": ["b", "class_b"]},
}


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
    elif option in ("where", "causal_where"):
        keywords["where"] = (repeated(rng.random(PERIOD) < 0.9, shape, bool) if option == "where"
                             else np.tri(*shape[-2:], dtype=bool))
    elif option in ("b", "class_b"):
        keywords["b"] = repeated(rng.random(PERIOD), shape if option == "b" else shape[-1:], dtype)
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
    return {name: (every | {"focal_gamma": 2.0, "z_loss": 1e-4, "logit_scale": 0.7, "softcap": 30.0})[name]}


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
