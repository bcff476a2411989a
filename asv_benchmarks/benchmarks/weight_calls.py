"""A case of the table `weights` made real: an array, where one is given, and a call that fills it."""

from functools import partial
from operator import attrgetter

import numpy as np

import xentfast

from .weights import FUNCTIONS

PARTS = {
    "whole": lambda shape: None,
    "rows": lambda shape: slice(shape[0] // 2, None),
    "columns": lambda shape: (..., slice(shape[-1] // 2, None)),
}


def make_call(function, **values):
    """The public function with its arguments; its `keywords` hold the array that was given for the result."""
    make = {"init.fill": model_call, "random.Philox4x32": generator_call, "random.key": key_call,
            "random.stream": stream_call}.get(function, initialiser_call)
    return make(attrgetter(function)(xentfast), **FUNCTIONS[function].options | values)


def initialiser_call(initialiser, *, shape=None, dtype, out, order, part, **keywords):
    # No argument is spelt out that a user would leave out: small calls would feel it.
    index = PARTS[part](shape)
    if index is not None:
        keywords["index"] = index
    if dtype != "float32":
        keywords["dtype"] = np.dtype(dtype)
    if out == "given":
        like = np.broadcast_to(np.empty((), dtype), shape)          # no memory of its own
        keywords["out"] = np.zeros(like[index or ...].shape, dtype, order)
    return partial(initialiser, *() if shape is None else (shape,), **keywords)


def model_call(fill, *, shape, parameters, dtype, out, order, part, **keywords):
    shapes = [shape] if parameters == "one" else [shape[1:]] * shape[0]
    where = [np.zeros(one, dtype, order) for one in shapes] if out == "given" else shapes
    return partial(fill, {f"layer{number}/weight": (xentfast.init.uniform, one) for number, one in enumerate(where)}, **keywords)


def key_call(key, *, rng, **_):
    return partial(key, rng)


def stream_call(stream, *, parameter, **_):
    return partial(stream, parameter)


def generator_call(bit_generator, *, draw=None, shape=None, dtype, seed, **_):
    if draw is None:
        return partial(bit_generator, seed)
    if draw == "random_raw":
        return partial(bit_generator(seed).random_raw, shape)
    return partial(getattr(np.random.Generator(bit_generator(seed)), draw), shape, np.dtype(dtype))
