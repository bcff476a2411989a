"""Which function is compared at which shape: sections of cases. Arrays are made when a case's turn comes, and freed after it.

`quick` sections have every function and every kind of case, with a few elements each.
"""

import math
from typing import NamedTuple

import numpy as np

import xentfast as xf

from . import init, limits, linear, probabilities, sigmoid, softmax

# Not compared: no computation; parts of a loss, which no peer has as calls of its own (tests/partials compares them with the
# whole, asv times them); the same functions from C (benchmarks/c_table.py); and names of the very same functions.
EXEMPT = {*(f"capi.{name}" for name in xf.capi.__all__),
          "__version__", "show_config", "get_include", "random.key", "random.Key", "random.stream",
          "softmax_cross_entropy_partial", "softmax_cross_entropy_combine", "softmax_cross_entropy_combine_grad",
          "init.glorot_normal", "init.glorot_uniform", "init.kaiming_normal", "init.kaiming_uniform"}
TOPICS = (softmax, sigmoid, probabilities, linear, init)
FUNCTIONS = {function: topic for topic in TOPICS for function in topic.FUNCTIONS}

SHAPES = [(65_536, 2), (65_536, 3), (65_536, 10), (32_768, 32), (8192, 100), (1024, 1000), (1024, 4000), (1024, 32_000),
          (256, 128_256), (1, 1_000_000)]
FEW, MIDDLE, WIDE = (65_536, 10), (1024, 1000), (1024, 32_000)
PICTURES = (64, 128, 56, 56)                # the classes second
CLASSES = [2 * 4**power for power in range(9)] + [2**18]
TINY = (6, 10)
PERIOD = 99_991                             # arrays repeat so many numbers; it is prime: no row is like the next
IN_PLACE = {"xentfast", "scikit-learn"}     # the others have no argument for it


class Case(NamedTuple):
    function: str
    label: str
    problem: NamedTuple
    size: int               # elements of a call; 0 for a call whose figure is microseconds
    libraries: dict         # name → what makes the call
    limit: tuple | None     # what moves at the least, as in `limits`, and how many arrays of it

    def calls_of_limit(self, threads):
        if self.limit is None or not self.size:
            return {}
        kind, arrays = self.limit
        return limits.calls(kind, arrays * self.size, threads)


def case(function, label, problem, size, only=None, limit=None):
    topic = FUNCTIONS[function]
    libraries = {name: library for name, library in topic.LIBRARIES.items() if only is None or name in only}
    return Case(function, label, problem, size, libraries, limit or topic.FUNCTIONS[function])


def named(shape):
    return " × ".join(f"{length:,}".replace(",", " ") for length in shape)


def logits_and_targets(shape, axis=-1, dtype=np.int64):
    rng = np.random.default_rng(0)
    logits = np.resize(rng.standard_normal(PERIOD, np.float32) * 3, shape)
    classes = shape[axis]
    rows = [length for index, length in enumerate(shape) if index != axis % len(shape)]
    return softmax.Problem(logits, rng.integers(0, min(classes, np.iinfo(dtype).max), rows, dtype), axis)


def pair(label, problem, **options):
    """The mean loss, and loss and gradient."""
    for function in (softmax.LOSS, softmax.BOTH):
        yield case(function, label, problem, problem.logits.size, **options)


def of_losses(quick):
    for shape in [TINY] if quick else SHAPES:
        yield from pair(named(shape), logits_and_targets(shape))
    few, middle, wide = [TINY] * 3 if quick else [FEW, MIDDLE, WIDE]
    for dtype in (np.int32, np.uint8):
        yield from pair(f"{named(few)}, {np.dtype(dtype).name} targets", logits_and_targets(few, dtype=dtype))
    every_second = logits_and_targets((2 * middle[0], middle[1]))
    yield from pair(f"{named(middle)}, every second row", every_second._replace(logits=every_second.logits[::2],
                                                                              targets=every_second.targets[::2]))
    given = logits_and_targets(wide)
    yield case(softmax.BOTH, f"{named(wide)}, into new arrays", given._replace(out="new"), given.logits.size)
    yield case(softmax.BOTH, f"{named(wide)}, in place", given._replace(out="in place"), given.logits.size, only=IN_PLACE,
               limit=("in place", 1))
    pictures = (2, 5, 3, 4) if quick else PICTURES
    yield from pair(f"{named(pictures)}, axis 1", logits_and_targets(pictures, axis=1))
    n, classes, *places = pictures
    last = logits_and_targets((n, *places, classes))
    yield from pair(f"{named(pictures)}, axis 1, channels last",
                    softmax.Problem(np.moveaxis(last.logits, -1, 1), last.targets, axis=1))


def of_softmax(quick):
    """The other functions of logits."""
    for shape in [TINY] if quick else [FEW, MIDDLE, WIDE]:
        problem = logits_and_targets(shape)
        for function in softmax.FUNCTIONS:
            if function not in (softmax.LOSS, softmax.BOTH):
                yield case(function, named(shape), problem, problem.logits.size)


def sigmoid_problem(shape):
    rng = np.random.default_rng(0)
    logits = np.resize(rng.standard_normal(PERIOD, np.float32) * 3, shape)
    return sigmoid.Problem(logits, np.resize(rng.integers(0, 2, PERIOD).astype(np.float32), shape))


def of_sigmoid(quick):
    for shape in [TINY] if quick else [MIDDLE, (4096, 4096)]:
        problem = sigmoid_problem(shape)
        for function in sigmoid.FUNCTIONS:
            yield case(function, named(shape), problem, problem.logits.size)


def probability_problem(shape):
    rng = np.random.default_rng(0)
    p, q = (np.resize(rng.uniform(0.1, 1.0, PERIOD).astype(np.float32), shape) for _ in range(2))
    p /= p.sum(1, keepdims=True)
    q /= q.sum(1, keepdims=True)
    return probabilities.Problem(p, q, rng.integers(0, shape[1], shape[0]))


def of_probabilities(quick):
    for shape in [TINY] if quick else [FEW, MIDDLE, (16_384, 1000)]:
        problem = probability_problem(shape)
        for function in probabilities.FUNCTIONS:
            yield case(function, named(shape), problem, problem.p.size)


def linear_problem(n_rows, n_features, n_classes):
    rng = np.random.default_rng(0)
    hidden = np.resize(rng.standard_normal(PERIOD, np.float32), (n_rows, n_features))
    linear_weight = np.resize(rng.standard_normal(PERIOD, np.float32) / math.sqrt(n_features), (n_classes, n_features))
    return linear.Problem(hidden, linear_weight, rng.integers(0, n_classes, n_rows))


def of_linear(quick):
    for shape in [(6, 5, 10)] if quick else [(4096, 256, 1000), (512, 512, 32_000)]:
        for function in linear.FUNCTIONS:
            yield case(function, f"{named(shape[:2])} → {named(shape[2:])}", linear_problem(*shape), shape[0] * shape[2])


def of_weights(quick):
    shapes = {"init.dirac": (3, 3, 512, 512), "init.fill": (200, 224, 224), "init.orthogonal": (2048, 2048),
              "init.sparse": (1024, 4096), "random.Philox4x32": (2**22,)}
    shapes |= dict.fromkeys(["init.uniform", "init.normal", "init.truncated_normal"], (8192, 4096))
    for function in init.FUNCTIONS:
        if function not in ("init.fans", "init.gain"):
            shape = shapes.get(function, (2048, 4096))
            if quick:
                shape = tuple(min(length, 6 if axis < 2 else 3) for axis, length in enumerate(shape))
            label = f"{named(shape)}, drawn by NumPy" if function == "random.Philox4x32" else named(shape)
            yield case(function, label, init.Problem(shape), math.prod(shape))


def of_calls(quick):
    """What a call costs before any arithmetic; the figures are microseconds."""
    for shape in [(1, 10)] if quick else [(1, 10), (64, 10)]:
        for function in softmax.FUNCTIONS:
            yield case(function, named(shape), logits_and_targets(shape), 0)
        for function in sigmoid.FUNCTIONS:
            yield case(function, named(shape), sigmoid_problem(shape), 0)
        for function in probabilities.FUNCTIONS:
            yield case(function, named(shape), probability_problem(shape), 0)
        for function in linear.FUNCTIONS:
            yield case(function, f"{shape[0]} × 16 → {shape[1]}", linear_problem(shape[0], 16, shape[1]), 0)
    for function in init.DISTRIBUTIONS | init.FIXED | dict.fromkeys(["init.identity", "init.orthogonal"]):
        yield case(function, named((16, 16)), init.Problem((16, 16)), 0)
    yield case("init.fans", "(3, 3, 256, 512)", init.Problem((3, 3, 256, 512)), 0)
    yield case("init.gain", "relu", init.Problem(()), 0)
    yield case("random.Philox4x32", "seeding", init.Problem(()), 0)


def of_widths(quick):
    """For the picture: as many logits each time, in ever fewer rows."""
    for classes in CLASSES:
        shape = (max(1, (2**12 if quick else 2**22) // classes), classes)
        yield from pair(named(shape), logits_and_targets(shape))


def of_wide(quick):
    """For the picture's threads."""
    shape = (8, 320) if quick else (512, 32_000)
    yield from pair(named(shape), logits_and_targets(shape))


SECTIONS = {"losses": of_losses, "softmax": of_softmax, "sigmoid": of_sigmoid, "probabilities": of_probabilities,
            "linear": of_linear, "weights": of_weights, "calls": of_calls}
OF_PICTURE = {"widths": of_widths, "wide": of_wide}
TITLES = {
    "losses": "Softmax cross-entropy of float32 logits, nanoseconds per logit",
    "softmax": "The other functions of float32 logits, nanoseconds per logit",
    "sigmoid": "Sigmoid cross-entropy of float32 logits and targets, nanoseconds per logit",
    "probabilities": "Probabilities in float32, nanoseconds per probability",
    "linear": "Softmax cross-entropy of a linear layer in float32, nanoseconds per logit",
    "weights": "Weights in float32, nanoseconds per weight",
    "calls": "Small calls, microseconds per call",
    "widths": "2²² logits in ever fewer rows, nanoseconds per logit",
    "wide": "Wide rows, nanoseconds per logit",
}
