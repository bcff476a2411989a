"""Entropies, divergences and the gradient of probabilities; the log loss."""

from operator import attrgetter

import ml_dtypes
import numpy as np
from cases import Case, arguments, bad_outputs, family, output
from comparing import LONG, Finding, check, expect_dtype
from drawing import BFLOAT16, FLOATS, INTEGERS
from sigmoid_cases import broadcastable
from softmax_cases import INF, NAN
from tolerances import ENTROPY, LOG_LOSS, NEARLY_EQUAL

import xentfast as xf


def probabilities(draw, shape, dtype):
    """Numbers from 0 to 1, of any size; few zeros and ones."""
    values = draw.rng.random(shape)
    if draw.chance(0.3):
        values = 10.0 ** draw.rng.uniform(-44 if draw.chance(0.5) else -320, 0, shape)
    if draw.chance(0.4):
        special = draw.rng.choice([0.0, 1.0, -0.0, 5e-324, 1e-45], shape)
        values = np.where(draw.rng.random(shape) < draw.choice([0.1, 0.7, 1.0]), special, values)
    if dtype.kind in "iub":
        return (values > 0.5).astype(dtype)
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def prob_dtype(draw):
    return draw.choice([*FLOATS, *FLOATS, np.dtype(bool), draw.choice(INTEGERS)])


def result_dtype(*arrays):
    """float32, unless anything is float64 or of integers."""
    wide = any(array.dtype.kind in "iub" or array.dtype == np.float64 for array in arrays)
    return np.dtype(np.float64 if wide else np.float32)


@family("cross_entropy", "kl_divergence", "entropy", "cross_entropy_grad")
def probability_case(draw, name):
    shape, axis = draw.shape()
    arrays, options = {"p": probabilities(draw, shape, prob_dtype(draw))}, {}
    if name != "entropy":
        shape_of_q = broadcastable(draw, shape) or shape if draw.chance(0.2) else shape
        arrays["q"] = probabilities(draw, shape_of_q, prob_dtype(draw))
        if draw.chance(0.2) and shape_of_q == shape and arrays["p"].dtype.kind not in "iub":
            with np.errstate(all="ignore"):                                                 # close to each other
                near = arrays["p"] * (1 + draw.choice([0, 1e-7, 1e-3]) * draw.rng.standard_normal(shape))
                arrays["q"] = np.clip(near, 0, 1).astype(arrays["p"].dtype)
        if draw.chance(0.3):
            options["eps"] = draw.choice([1e-3, 0.1, 1e-300, 1e-7, 0.49])
    if name != "cross_entropy_grad":
        if len(shape) > 1 and draw.chance(0.2):
            axis = draw.choice([None, tuple(draw.random.sample(range(len(shape)), draw.between(1, len(shape))))])
            if not all(shape):                                  # there must be classes
                axis = shape.index(max(shape))
        if axis != -1 or draw.chance(0.3):
            options["axis"] = axis
        if draw.chance(0.3):
            options["keepdims"] = draw.chance(0.7)
    given, plain = arguments(draw, arrays, options)
    p = np.asarray(plain["p"])
    if name == "cross_entropy_grad":
        q = np.asarray(plain["q"])
        own = np.dtype(np.float64) if q.dtype.kind in "iub" else q.dtype
        if draw.chance(0.5):
            given["out"] = output(draw, given, "q", q.astype(own), p.shape)
    own = p.dtype if name == "entropy" else np.asarray(plain["q"]).dtype
    return Case(name, attrgetter(name)(xf), given, plain, lambda results: judge(name, results, plain, axis),
                defects_for(shape, axis, np.dtype(np.float64) if own.kind in "iub" else own, name))


def judge(name, results, plain, axis):
    p = np.asarray(plain["p"])
    q = p if name == "entropy" else np.asarray(plain["q"])
    dtype = result_dtype(p, q)
    wide = [LONG(0) + part.astype(np.float64).astype(LONG) for part in np.broadcast_arrays(p, q)]
    eps = plain.get("eps")
    highest = LONG(1 - eps) if eps is not None else 1           # in double
    with np.errstate(all="ignore"):
        p, q = wide
        clipped = q
        if eps is not None:
            clipped = np.clip(q, LONG(eps), highest)
        if name == "cross_entropy_grad":
            own = np.asarray(plain["q"]).dtype
            exact = np.where(p == 0, 0, -p / clipped)
            if eps is not None:
                exact = np.where((q < eps) | (q > highest), 0, exact)
            expect_dtype("the gradient", results[0], np.dtype(np.float64) if own.kind in "iub" else own)
            check("the gradient", results[0], exact, np.abs(exact), 2.0)
            return
        ratio = np.where(np.abs(p - clipped) < clipped / 4, np.log1p((p - clipped) / clipped), np.log(p / clipped))
        log = {"entropy": -np.log(clipped), "cross_entropy": -np.log(clipped), "kl_divergence": ratio}[name]
        if name != "kl_divergence":                             # near 1 without cancellation
            log = np.where(clipped > 0.5, -np.log1p(clipped - 1), log)
        terms = np.where(p == 0, 0, p * log)
        axes = axis if axis is None or isinstance(axis, tuple) else (axis,)
        exact = terms.sum(axes, keepdims=plain.get("keepdims", False))
        size = np.abs(np.where(np.isinf(terms), 0, terms)).sum(axes, keepdims=plain.get("keepdims", False))
        if name == "kl_divergence":
            # Where p and q are close the squares of their differences are what rounds.
            size = size + np.where(clipped > 0, (p - clipped) ** 2 / np.where(clipped > 0, clipped, 1) / 2, 0).sum(
                axes, keepdims=plain.get("keepdims", False))
    expect_dtype("the result", results[0], dtype)
    check("the result", results[0], exact, size, max(ENTROPY[dtype], NEARLY_EQUAL) + 0.5)


def defects_for(shape, axis, own, name):
    n_axes = len(shape)
    bad = [np.full(shape, value) for value in (-0.5, 1.5, NAN, INF)] if np.prod(shape) else []
    arrays = [np.zeros(shape, complex), np.full(shape, None), "a", None, np.zeros(shape, "M8[s]"), np.zeros(shape, np.longdouble),
              *bad]
    wrong = {"p": [np.zeros((2, *shape)) if name == "cross_entropy_grad" else "a", *arrays], "n_threads": [0, -1, 1.5, "a"]}
    if name != "cross_entropy_grad":
        wrong["axis"] = [n_axes, -n_axes - 1, 1.5, "a", (0, 0), (), (0, n_axes), 2**70]
    if name != "entropy":
        wrong |= {"q": arrays, "eps": [0, 0.5, -1, NAN, "a", 1]}
    if name == "cross_entropy_grad":
        wrong |= {"out": bad_outputs(shape, own), "p": arrays}
    return wrong


@family("log_loss")
def log_loss_case(draw, name):
    n_rows, n_classes = draw.choice([1, 2, 3, 7, 33, 64, 200]), draw.choice([2, 2, 3, 4, 10, 33])
    names = draw.choice([np.arange(n_classes), np.arange(n_classes) * 7 - 3,
                         np.array([f"class {i:02}" for i in range(n_classes)]), np.array([2**62 + i for i in range(n_classes)])])
    chosen = draw.rng.integers(0, n_classes, n_rows)
    q = probabilities(draw, (n_rows, n_classes), draw.choice(FLOATS))
    with np.errstate(all="ignore"):
        total = q.astype(np.float64).sum(1, keepdims=True)
        q = np.where(total > 1e-30, q.astype(np.float64) / np.where(total > 0, total, 1), 1 / n_classes).astype(q.dtype)
    q = np.clip(q.astype(np.float64), 0, 1).astype(q.dtype)
    arrays, options = {"y_true": names[chosen], draw.choice(["y_pred", "y_proba"]): q}, {"labels": names}
    if n_classes == 2 and draw.chance(0.4):
        key = next(key for key in arrays if key != "y_true")
        arrays[key] = q[:, 1].copy()
    if draw.chance(0.3):
        weights = draw.weights((n_rows,), signed=False, zeros=False)
        arrays["sample_weight"] = weights if np.all(weights) else np.ones(n_rows)
    if draw.chance(0.4):
        options["normalize"] = draw.chance(0.5)
    given, plain = arguments(draw, arrays, options)
    if names.dtype.kind == "U":
        given["y_true"] = plain["y_true"]
    return Case(name, xf.log_loss, given, plain,
                lambda results: judge_log_loss(results, np.searchsorted(names, plain["y_true"]), plain),
                {"sample_weight": ["a", np.ones(n_rows + 1), np.full(n_rows, 1j), np.ones((n_rows, 2))],
                 "y_true": [None, np.zeros((n_rows, 7)), np.zeros(n_rows + 1, int)], "labels": [names[:1], "a", 3.5],
                 "n_threads": [0, -1, 1.5, "a"]})


def judge_log_loss(results, chosen, plain):
    q = np.asarray(plain.get("y_pred", plain.get("y_proba")))
    dtype = q.dtype if q.dtype.kind == "f" or q.dtype == BFLOAT16 else np.dtype(np.float64)
    eps = LONG(float(ml_dtypes.finfo(dtype).eps))
    q = q.astype(np.float64).astype(LONG)
    q = np.stack([1 - q, q], 1) if q.ndim == 1 else q
    q = np.clip(q, eps, 1 - eps)[np.arange(len(q)), chosen]
    weights = np.ones(len(q)) if plain.get("sample_weight") is None else np.asarray(plain["sample_weight"]).astype(np.float64)
    mean = plain.get("normalize", True)
    losses = -np.log(q) * weights
    exact = losses.sum() / (weights.sum() if mean else 1)
    relative = LOG_LOSS.get(dtype, LOG_LOSS[np.dtype(np.float16)] * 8)
    least = 4 * float(eps) * (1 if mean else len(q) * float(np.max(weights)))           # of a probability near 1
    if not abs(float(results[0]) - exact) <= relative * abs(exact) + least:
        raise Finding(f"the log loss is {results[0]!r}; expected {exact!r}")
