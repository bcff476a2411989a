"""Sigmoid losses: value, gradient, both, and the diagonal of the Hessian."""

import inspect
from operator import attrgetter

import numpy as np
from cases import Case, arguments, bad_outputs, family, output
from comparing import LONG, base_of, check, expect_dtype
from drawing import FLOATS, INTEGERS
from reference import sigmoid_cross_entropy
from softmax_cases import INF, NAN, logits_dtype, result_dtype
from tolerances import FOCAL, GRADIENT, HESSIAN, LARGEST_TERM, LOSS

import xentfast as xf

KINDS = {"sigmoid_cross_entropy": "loss", "sigmoid_cross_entropy_grad": "grad", "sigmoid_cross_entropy_value_and_grad": "both",
         "sigmoid_cross_entropy_grad_hess": "hess"}
# Beyond the bounds of the plain loss: weights, smoothed targets, a mean.
MORE = 3.0


def broadcastable(draw, shape):
    """Which shape broadcasts to this one."""
    return tuple(1 if draw.chance(0.2) else n for n in shape)[draw.between(0, len(shape)) if draw.chance(0.2) else 0:]


def targets_for(draw, shape, options):
    shape = broadcastable(draw, shape)
    if draw.chance(0.6):
        targets = draw.rng.integers(0, 2, shape)
        if draw.chance(0.3):
            options["ignore_index"] = ignored = draw.choice([-1, -100, 0, 1, 0.5, 2])
            if ignored == int(ignored):
                targets = np.where(draw.rng.random(shape) < draw.choice([0.1, 0.5, 1.0]), int(ignored), targets)
        fits = [dtype for dtype in INTEGERS if targets.size == 0 or targets.min() >= np.iinfo(dtype).min]
        fits = fits + FLOATS + ([np.dtype(bool)] if targets.size == 0 or (targets.min() >= 0 and targets.max() <= 1) else [])
        return targets.astype(draw.choice(fits))
    soft = draw.rng.random(shape).astype(draw.choice(FLOATS))
    if draw.chance(0.2):
        options["ignore_index"] = draw.choice([-1, NAN, 0.25])
        soft = np.where(draw.rng.random(shape) < 0.3, np.asarray(options["ignore_index"], soft.dtype), soft)
        if np.isnan(options["ignore_index"]):
            del options["ignore_index"]
            soft = np.where(np.isnan(soft.astype(np.float64)), np.asarray(1, soft.dtype), soft)
    return soft.astype(draw.choice([soft.dtype, np.dtype(np.float64)]))


@family(*KINDS)
def sigmoid_case(draw, name):
    kind = KINDS[name]
    shape, _ = draw.shape()
    shape = () if draw.chance(0.03) else shape
    dtype = logits_dtype(draw)
    options, arrays = {}, {"logits": draw.floats(shape, dtype)}
    arrays["targets"] = targets_for(draw, shape, options)
    if draw.chance(0.3):
        arrays["pos_weight"] = draw.weights(broadcastable(draw, shape))
    if draw.chance(0.3):
        arrays["sample_weight"] = draw.weights(broadcastable(draw, shape))
    if draw.chance(0.25):
        arrays["where"] = draw.mask(shape)
    if draw.chance(0.3):
        options["label_smoothing"] = draw.choice([0.1, 1.0, 1e-6, 0.5])
    if draw.chance(0.25):
        options["focal_gamma"] = draw.choice([0.5, 1, 2.0, 5.0])
    if draw.chance(0.7):
        options["reduction"] = draw.choice(["mean", "sum", "none", "none"])
    if draw.chance(0.1) and kind in ("loss", "both"):
        options["empty"] = draw.choice([0.0, -1.0, NAN, INF, 5])
    given, plain = arguments(draw, arrays, options)
    x = np.asarray(plain["logits"])
    own = result_dtype(x.dtype)
    if kind != "loss" and draw.chance(0.5):
        outs = [output(draw, given, "logits", x.astype(own), x.shape)]
        if kind == "hess":
            outs.append(draw.out(x.shape, own))
        given["out"] = tuple(outs) if kind == "hess" else outs[0]
    return Case(name, attrgetter(name)(xf), given, plain, lambda results: judge(kind, results, x, plain),
                defects_for(shape, own, plain, kind))


def judge(kind, results, x, plain):
    own = result_dtype(x.dtype)
    base = base_of(own)
    with np.errstate(all="ignore"):
        values, sizes, read, weights, loose = exact_elements(x, own, plain)
        reduction = plain.get("reduction", "sum" if kind == "hess" else "mean")
        if reduction == "mean":
            total = np.where(read, weights, 0).sum()
            shaky = 1 + np.abs(np.where(read, weights, 0)).sum() / abs(total)
            if total == 0:
                values, sizes = [np.zeros(x.shape, LONG)] * 3, [np.zeros(x.shape, LONG)] * 3
            else:
                values, sizes = [value / total for value in values], [size / abs(total) * shaky for size in sizes]
        loss, size = values[0], sizes[0]
        if reduction != "none":
            loss, size = loss.sum(), size.sum()
            if reduction == "mean" and total == 0:
                loss, size = LONG(plain.get("empty", NAN)), LONG(0)
    gamma = float(plain.get("focal_gamma", 0))
    steep = (1 + gamma) ** 2
    if gamma and base == np.float64:                            # beside the rounding of γ·log
        steep = max(steep, FOCAL / np.finfo(base).eps)
    if kind in ("loss", "both"):
        expect_dtype("the loss", results[0], base)
        check("the loss", results[0], loss, size, (max(LOSS[base.type], LARGEST_TERM[base.type]) + MORE) * steep, loose)
    if kind != "loss":
        gradient = results[0] if kind == "hess" else results[-1]
        expect_dtype("the gradient", gradient, own)
        check("the gradient", gradient, values[1], sizes[1], (GRADIENT[base.type] + MORE) * steep, loose)
    if kind == "hess":
        expect_dtype("the Hessian", results[1], own)
        check("the Hessian", results[1], values[2], sizes[2], (GRADIENT[base.type] + HESSIAN + MORE) * steep, loose)


def exact_elements(x, own, plain):
    """([loss, gradient, Hessian], their sizes, which elements are read, their weights, which overflow on the way)"""
    shape = x.shape
    wide = lambda array: np.broadcast_to(np.asarray(array), shape).astype(np.float64).astype(LONG)  # noqa: E731
    weights = wide(1.0 if plain.get("sample_weight") is None else plain["sample_weight"])
    read = np.broadcast_to(True if plain.get("where") is None else plain["where"], shape) & (weights != 0)
    targets = wide(plain["targets"])
    plainly = plain.get("pos_weight") is None and plain.get("sample_weight") is None and not plain.get("focal_gamma")
    rounded = targets.astype(base_of(own)).astype(LONG) if plainly else targets         # the others are in double
    if plain.get("ignore_index") is not None:
        read = read & (targets != plain["ignore_index"])
    x = np.where(read, x.astype(own).astype(np.float64).astype(LONG), 0)
    positive = wide(1.0 if plain.get("pos_weight") is None else plain["pos_weight"])
    given = {"label_smoothing": plain.get("label_smoothing", 0.0), "focal_gamma": LONG(plain.get("focal_gamma", 0.0))}
    bad = read & np.isnan(x)
    safe = np.where(np.isnan(x), 0, np.clip(x, -1e4, 1e4))
    # The twin says nothing of infinite logits: their limits. It is linear in huge ones.
    targets = np.where(read, rounded, 0)
    values = list(sigmoid_cross_entropy(safe, targets, pos_weight=positive, sample_weight=np.where(read, weights, 0),
                                        reduction="none", dtype=LONG, **given))
    sizes = list(sigmoid_cross_entropy(safe, targets, pos_weight=np.abs(positive), reduction="none", dtype=LONG,
                                       sample_weight=np.where(read, np.abs(weights), 0), **given))
    smoothing = LONG(given["label_smoothing"])
    t, rest = (part * (1 - smoothing) + smoothing / 2 for part in (targets, 1 - targets))
    p, q = 1 / (1 + np.exp(-safe)), 1 / (1 + np.exp(safe))
    m = t * q + rest * p
    factor = np.where(read, np.abs(weights), 0) * np.where(given["focal_gamma"] == 0, 1, m ** given["focal_gamma"])
    sizes[1] = factor * (rest * p + np.abs(positive) * t * q)
    far = np.abs(x) > 1e4
    beyond = np.where(far, np.abs(x) / 1e4, 1)
    values[0] = np.where(far & (np.abs(values[0]) < LONG(10) ** -1000), 0, values[0])
    values[0] = np.where(far & (values[0] != 0), values[0] * beyond, values[0])
    sizes[0] = np.where(sizes[0] == 0, 0, sizes[0] * beyond)
    if given["focal_gamma"] != 0:               # sums of terms of either sign; 1 − p_t is γ times as sensitive
        slope = given["focal_gamma"] * np.abs(rest - t) * p * q / np.where(m == 0, 1, m)
        loss = np.abs(positive) * t * np.logaddexp(0, -safe) + rest * np.logaddexp(0, safe)
        sizes[1] = sizes[1] + factor * loss * slope
        curve = (np.abs(positive) * t + rest) * p * q
        sizes[2] = factor * (curve + 2 * slope * (rest * p + np.abs(positive) * t * q) + loss * slope * (slope + 2))
    values[1:], sizes[1:] = [np.where(read, part, 0) for part in values[1:]], [np.where(read, part, 0) for part in sizes[1:]]
    values = [np.where(bad, NAN, np.where(read, value, 0)) for value in values]
    sizes = [np.where(np.isfinite(size), size, 0) for size in sizes]
    # Derivatives of the focal loss at limits are products of 0 and infinity in the twin.
    loose = read & far & (given["focal_gamma"] != 0)
    return values, sizes, read, weights, loose


def defects_for(shape, own, plain, kind):
    wrong = {
        "logits": [np.zeros(shape, complex), np.full(shape, None), np.zeros(shape, np.longdouble), "a", None, {},
                   np.zeros(shape, "M8[s]")],
        "targets": [np.zeros((2, *shape)), np.zeros(shape, complex), "a", None, np.full(shape, None)],
        "pos_weight": [np.ones((2, *shape)), np.full(shape, 1j), "a", [[1], [1, 2]]],
        "sample_weight": [np.ones((2, *shape)), np.full(shape, 1j), "a"],
        "where": [np.ones(shape), np.ones((2, *shape), bool), "a", 1],
        "ignore_index": ["a", 1j, [1, 2]], "label_smoothing": [-0.1, 1.5, NAN, "a", None],
        "focal_gamma": [-1, NAN, INF, "a", None],
        "reduction": ["max", None, 1, "Mean"], "empty": ["a", None, 1j], "n_threads": [0, -1, 1.5, "a"],
    }
    if kind in ("grad", "both"):
        wrong["out"] = bad_outputs(shape, own)
    if np.prod(shape) and plain.get("sample_weight") is None and plain.get("where") is None:
        wrong["targets"] += [np.full(shape, value) for value in (1.5, -0.5, NAN, INF, 7) if value != plain.get("ignore_index")]
    names = set(inspect.signature(getattr(xf, next(key for key, value in KINDS.items() if value == kind))).parameters)
    return {name: values for name, values in wrong.items() if name in names}
