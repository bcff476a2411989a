"""What is measured of initialisers, and of the generator under them. A new public function gets a line in FUNCTIONS.

Rows are as in `softmax`. `shape` is that of the global array. Keywords that are not in DEFAULTS go to the function as they
are, and so do its `options`, in every row.
"""

from functools import partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np

import xentfast

THREADS = [1, 2]
OUT = ["new", "given"]
# `order` of the array that is given. `part` of the global array: all of it, or one half, as one of two shards makes it.
DEFAULTS = {"dtype": "float32", "out": "new", "order": "C", "part": "whole"}
RANDOM = {"rng": 0, "name": "layer/weight"}

# What a call costs before any arithmetic.
SMALL = {"shape": [(16, 16)]}
LARGE = {"shape": [(1024, 4096)], "n_threads": 1, "out": "given"}


class Function(NamedTuple):
    options: dict
    time: dict
    memory: dict


DISTRIBUTION = Function(
    RANDOM,
    time={
        "small": SMALL,
        # The least work that gets a second thread.
        "grain": {"shape": [(64, 512)], "n_threads": THREADS, "out": "given"},
        "large": LARGE | {"n_threads": THREADS},
        "dtype": LARGE | {"dtype": ["float16", "bfloat16", "float64"]},
        # Past the cache; a new output's pages fault.
        "huge": {"shape": [(8192, 4096)], "n_threads": 2, "out": OUT},
        # In one of them neighbours of the global array lie a power of two apart: in few sets of the cache.
        "strided": LARGE | {"shape": [(1024, 4096), (1000, 4100)], "order": "F"},
        # As many elements as `large` makes.
        "rows": LARGE | {"shape": [(2048, 4096)], "part": "rows"},
        "columns": LARGE | {"shape": [(1024, 8192)], "part": "columns"},
    },
    memory={
        "large": LARGE | {"out": "new"},
        "strided": LARGE | {"order": "F"},
    },
)
# The fills are those of the distributions; the way to them is not.
SCALED = Function(RANDOM, time={"small": SMALL, "with_a_key": SMALL | {"rng": "key", "out": "given"}, "large": LARGE},
                  memory={"large": LARGE | {"out": "new"}})


def fixed(small=(16, 16), large=(1024, 4096), **options):
    return Function(
        options,
        time={
            "small": {"shape": [small]},
            "large": {"shape": [large], "dtype": ["bfloat16", "float32"], "out": "given"},
        },
        memory={"large": {"shape": [large]}},
    )


FUNCTIONS = {
    "init.uniform": DISTRIBUTION,
    "init.normal": DISTRIBUTION,
    "init.truncated_normal": DISTRIBUTION,
    "init.variance_scaling": SCALED,
    "init.xavier_uniform": SCALED,
    "init.xavier_normal": SCALED,
    "init.he_uniform": SCALED,
    "init.he_normal": SCALED,
    "init.lecun_uniform": SCALED,
    "init.lecun_normal": SCALED,
    "init.zeros": fixed(),
    "init.ones": fixed(),
    "init.constant": fixed(value=0.5),
    "init.identity": fixed(),
    "init.dirac": fixed(small=(3, 3, 16, 16), large=(3, 3, 512, 512)),
    "init.sparse": Function(
        RANDOM | {"sparsity": 0.9},
        time={
            "small": SMALL,
            "large": LARGE | {"n_threads": THREADS},
            "columns": LARGE | {"shape": [(1024, 8192)], "part": "columns"},
        },
        memory={"large": LARGE | {"out": "new"}},
    ),
    "init.orthogonal": Function(
        RANDOM,
        time={
            "small": SMALL,
            "square": {"shape": [(256, 256), (1024, 1024), (2048, 2048)], "out": "given"},
            "tall_or_wide": {"shape": [(2048, 512), (512, 2048)], "out": "given"},
        },
        memory={"square": {"shape": [(1024, 1024)]}},
    ),
    # A model whose parameters are the steps along the first axis, and one with a single parameter of as many elements.
    "init.fill": Function(
        {"rng": 0},
        time={
            "small": {"shape": [(10, 16, 16), (200, 16, 16)], "parameters": "many"},
            "model": {"shape": [(200, 224, 224)], "parameters": ["many", "one"], "n_threads": THREADS, "out": "given"},
        },
        memory={"model": {"shape": [(200, 224, 224)], "parameters": ["many", "one"], "n_threads": 1}},
    ),
    "init.fans": Function({}, time={"small": {"shape": [(3, 3, 256, 512)]}}, memory={}),
    "init.gain": Function({}, time={"small": {"nonlinearity": ["relu", "leaky_relu"]}}, memory={}),
    "random.key": Function({}, time={"small": {"rng": [0]}}, memory={}),
    "random.Key": Function({}, time={"small": {"bits": [0]}}, memory={}),
    "random.stream": Function({}, time={"small": {"parameter": ["layer/weight"]}}, memory={}),
    # What NumPy's Generator draws with it; seeding is what the class itself does.
    "random.Philox4x32": Function(
        {"seed": 0},
        time={
            "seeding": {},
            "random": {"draw": "random", "shape": [(1_000_000,)], "dtype": ["float32", "float64"]},
            "standard_normal": {"draw": "standard_normal", "shape": [(1_000_000,)], "dtype": ["float32", "float64"]},
            "random_raw": {"draw": "random_raw", "shape": [(1_000_000,)]},
        },
        memory={"random": {"draw": "random", "shape": [(1_000_000,)]}},
    ),
}
# Names of the very same functions.
ALIASES = {
    "init.glorot_normal": "init.xavier_normal",
    "init.glorot_uniform": "init.xavier_uniform",
    "init.kaiming_normal": "init.he_normal",
    "init.kaiming_uniform": "init.he_uniform",
}
NO_MEMORY = {
    "init.fans": "returns two ints",
    "init.gain": "returns a float",
    "random.key": "returns an int",
    "random.Key": "is an int",
    "random.stream": "returns an int",
}

# As in `softmax`.
VERSION = "1"

PARTS = {
    "whole": lambda shape: None,
    "rows": lambda shape: slice(shape[0] // 2, None),
    "columns": lambda shape: (..., slice(shape[-1] // 2, None)),
}


def make_call(function, **values):
    """The public function with its arguments; its `keywords` hold the array that was given for the result."""
    make = {"init.fill": model_call, "random.Philox4x32": generator_call, "random.key": key_call, "random.Key": bits_call,
            "random.stream": stream_call}.get(function, initialiser_call)
    return make(attrgetter(function)(xentfast), **FUNCTIONS[function].options | values)


def initialiser_call(initialiser, *, shape=None, dtype, out, order, part, **keywords):
    # No argument is spelt out that a user would leave out: small calls would feel it.
    index = PARTS[part](shape)
    if index is not None:
        keywords["index"] = index
    if dtype != "float32":
        keywords["dtype"] = np.dtype(dtype)
    if keywords.get("rng") == "key":
        keywords["rng"] = xentfast.random.key(0)
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


def bits_call(key, *, bits, **_):
    return partial(key, bits)


def stream_call(stream, *, parameter, **_):
    return partial(stream, parameter)


def generator_call(bit_generator, *, draw=None, shape=None, dtype, seed, **_):
    if draw is None:
        return partial(bit_generator, seed)
    if draw == "random_raw":
        return partial(bit_generator(seed).random_raw, shape)
    return partial(getattr(np.random.Generator(bit_generator(seed)), draw), shape, np.dtype(dtype))
