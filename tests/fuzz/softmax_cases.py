"""Losses of logits and class indices or soft targets: value, gradient, both, Hessian, perplexity."""

import inspect
from operator import attrgetter

import numpy as np
from cases import Case, arguments, bad_outputs, family, output
from comparing import LONG, base_of, check, expect_dtype
from drawing import FLOATS, INTEGERS
from softmax_oracle import exact_rows, floor_of, reduced, without

import xentfast as xf

INF, NAN = float("inf"), float("nan")
VALUES = {"softmax_cross_entropy": "loss", "softmax_cross_entropy_grad": "grad", "softmax_cross_entropy_value_and_grad": "both",
          "softmax_cross_entropy_grad_hess": "hess", "perplexity": "perplexity"}


def logits_dtype(draw):
    if draw.chance(0.06):
        return draw.choice([*INTEGERS, np.dtype(bool)])
    return draw.choice(FLOATS[:2] if draw.chance(0.7) else FLOATS)


def result_dtype(dtype):
    """Of the gradient: integers are taken as float64."""
    return np.dtype(np.float64) if dtype.kind in "iub" else dtype


def targets_for(draw, shape, axis, options):
    """Class indices of any dtype that holds them, some ignored; or soft targets."""
    n_classes, rows = shape[axis], tuple(np.delete(shape, axis).tolist())
    if draw.chance(0.7) or options.get("focal_gamma"):
        targets = draw.rng.integers(0, n_classes, rows)
        if draw.chance(0.3):
            ignored = draw.choice([-100, -1, 0, n_classes, n_classes - 1, 127, 2**31, -2**63, 2**63 - 1])
            options["ignore_index"] = ignored
            targets = np.where(draw.rng.random(rows) < draw.choice([0.1, 0.5, 1.0]), np.int64(ignored), targets)
        fits = [dtype for dtype in INTEGERS if targets.size == 0 or np.iinfo(dtype).min <= targets.min()
                and targets.max() <= np.iinfo(dtype).max]
        return targets.astype(draw.choice(fits))
    soft = draw.rng.random(shape) * draw.choice([1, 1, 2 / n_classes])
    if draw.chance(0.3):
        soft = np.where(draw.rng.random(shape) < 0.5, 0.0, soft)
    if draw.chance(0.2):
        soft = (draw.rng.random(shape) < 0.5) * 1.0
    return soft.astype(draw.choice([*FLOATS, np.dtype(np.float64)]))


def options_for(draw, shape, axis, name):
    n_classes, rows = shape[axis], tuple(np.delete(shape, axis).tolist())
    options, arrays = {}, {}
    if axis != -1 or draw.chance(0.3):
        options["axis"] = axis
    if draw.chance(0.3):
        arrays["weight"] = draw.weights((n_classes,))
    if draw.chance(0.3):
        arrays["sample_weight"] = draw.weights(rows)
    if draw.chance(0.2):
        arrays["where"] = draw.mask(shape)
    if VALUES[name] != "hess":
        if draw.chance(0.25):
            options["logit_scale"] = draw.choice([0.5, 2.0, -1.0, 0.7, -1.3, 0.0, 1, 3e-3, 40.0, 1e-30])
        if draw.chance(0.2):
            options["softcap"] = draw.choice([0.5, 5.0, 30, 50.0, 200.0])
    if VALUES[name] != "perplexity":
        if draw.chance(0.15):
            options["focal_gamma"] = draw.choice([0.5, 1, 2.0, 5.0, 0.1])
        elif draw.chance(0.3):
            options["label_smoothing"] = draw.choice([0.1, 0.2, 1.0, 1e-6, 0.9])
        if draw.chance(0.2) and VALUES[name] != "hess":
            options["z_loss"] = draw.choice([1e-4, 0.01, 1.0, -0.1, 3])
        if draw.chance(0.7):
            options["reduction"] = draw.choice(["mean", "sum", "none", "none"])
    if draw.chance(0.1) and VALUES[name] in ("loss", "both", "perplexity"):
        options["empty"] = draw.choice([0.0, -1.0, NAN, INF, 5])
    return options, arrays


@family(*VALUES)
def softmax_case(draw, name):
    shape, axis = draw.shape()
    dtype = logits_dtype(draw)
    logits = draw.floats(shape, dtype)
    options, arrays = options_for(draw, shape, axis, name)
    targets = targets_for(draw, shape, axis, options)
    if targets.dtype.kind == "f" and "where" in arrays and draw.chance(0.7):
        targets = np.where(np.broadcast_to(arrays["where"], shape), targets, 0).astype(targets.dtype)
    given, plain = arguments(draw, {"logits": logits, "targets": targets, **arrays}, options)
    x = np.asarray(plain["logits"])
    kind = VALUES[name]
    own = result_dtype(x.dtype)
    if kind in ("grad", "both", "hess") and draw.chance(0.5):
        outs = [output(draw, given, "logits", x.astype(own), shape)]
        if kind == "hess":
            outs.append(draw.out(shape, own))
        given["out"] = tuple(outs) if kind == "hess" else outs[0]
    judge = {"hess": judge_hessian, "perplexity": judge_perplexity}.get(kind, judge_loss)
    return Case(name, attrgetter(name)(xf), given, plain, lambda results: judge(kind, results, x, plain, axis),
                defects_for(draw, shape, axis, dtype, targets, plain, kind))


def exact_of(x, plain, axis):
    options = {key: value for key, value in plain.items() if key not in (
        "logits", "targets", "axis", "reduction", "empty", "n_threads", "out")}
    with np.errstate(all="ignore"):
        return exact_rows(x.astype(result_dtype(x.dtype)), plain["targets"], axis, options)


def judge_loss(kind, results, x, plain, axis):
    rows = exact_of(x, plain, axis)
    loss, size, grad, grad_size = reduced(rows, plain.get("reduction", "mean"), plain.get("empty", NAN))
    own = result_dtype(x.dtype)
    if kind in ("loss", "both"):
        expect_dtype("the loss", results[0], base_of(own))
        check("the loss", results[0], loss, size, rows.bound_loss, rows.loose)
    if kind in ("grad", "both"):
        expect_dtype("the gradient", results[-1], own)
        check("the gradient", np.moveaxis(results[-1], axis, -1), grad, grad_size, rows.bound_grad,
              np.broadcast_to(rows.loose_grad[..., None], grad.shape), floor_of(rows, plain.get("reduction", "mean")))


def judge_perplexity(kind, results, x, plain, axis):
    rows = exact_of(x, plain, axis)
    loss, size, _, _ = reduced(rows, "mean", plain.get("empty", NAN))
    expect_dtype("the perplexity", results[0], base_of(result_dtype(x.dtype)))
    with np.errstate(all="ignore"):
        total = rows.share.sum()
        exact = np.exp(loss) if total != 0 else LONG(plain.get("empty", NAN))
        # An error of the mean loss is one of the perplexity's logarithm.
        size = exact * (1 + size) if np.isfinite(loss) else exact
        check("the perplexity", results[0], exact, size, rows.bound_loss + 2, rows.loose)


def judge_hessian(kind, results, x, plain, axis):
    rows = exact_of(x, plain, axis)
    _, _, grad, grad_size = reduced(rows, plain.get("reduction", "sum"))
    own = result_dtype(x.dtype)
    for part in results:
        expect_dtype("a result", part, own)
    loose, floor = np.broadcast_to(rows.loose_grad[..., None], grad.shape), floor_of(rows, plain.get("reduction", "sum"))
    check("the gradient", np.moveaxis(results[0], axis, -1), grad, grad_size, rows.bound_grad, loose, floor)
    if not plain.get("focal_gamma"):
        hessian, size = exact_hessian(rows, x, plain, axis)
        check("the Hessian", np.moveaxis(results[1], axis, -1), hessian, size, rows.bound_grad + 1, loose, floor)


def exact_hessian(rows, x, plain, axis):
    """The diagonal p·(1 − p)·Σ masses of each row, weighted and reduced."""
    p, others = rows.p, without(rows.p)
    with np.errstate(all="ignore"):
        total = rows.share.sum() if plain.get("reduction") == "mean" else LONG(1)
        if total == 0:
            return np.zeros_like(p), np.zeros_like(p)
        curve = np.where(rows.read[..., None], p * others / total, 0)
        hessian, size = curve * rows.masses[..., None], np.abs(curve) * rows.all_masses[..., None]
        return np.where(rows.bad[..., None], np.where(rows.open, np.nan, 0), hessian), size


def defects_for(draw, shape, axis, dtype, targets, plain, kind):
    """What each argument must not be, in this call."""
    n_classes, rows = shape[axis], tuple(np.delete(shape, axis).tolist())
    hard = targets.dtype.kind in "iu"
    wrong = {
        "logits": [np.zeros(shape, complex), np.full(shape, None), np.zeros(shape, "M8[s]"), np.zeros(shape, np.longdouble), "a",
                   np.zeros((2, *shape), np.float32), np.zeros(shape, "S3"), None, {}],
        "targets": [np.zeros((*rows, 2), int), np.zeros(shape, bool), np.full(rows, 0.5), np.full(rows, None), "a", None,
                    np.zeros(rows, complex), np.zeros((*shape, 1)), np.zeros((3, *shape), np.int64)],
        "weight": [np.ones(n_classes + 1), np.ones((1, n_classes)), np.full(n_classes, NAN), np.full(n_classes, -INF), 1.0, "a",
                   np.zeros(n_classes, complex), [[1, 2], [3]]],
        "sample_weight": [np.ones((*rows, 1)), "a", np.ones(rows, complex), np.ones((7, *rows))],
        "where": [np.ones(shape), np.ones((2, *shape), bool), "a", 1, np.ones(shape, "i1")],
        "axis": [len(shape), -len(shape) - 1, 1.5, "a", None, (0,), 2**70],
        "ignore_index": [1.5, "a", None, NAN, [1, 2]],
        "label_smoothing": [-0.1, 1.5, NAN, INF, "a", None, [0.1, 0.2], 1j],
        "focal_gamma": [-1, NAN, INF, "a", None],
        "z_loss": [NAN, INF, "a", None, 1j], "logit_scale": [NAN, -INF, "a", None], "softcap": [0, -1.0, NAN, "a"],
        "reduction": ["max", None, 1, "Mean", b"mean"], "empty": ["a", None, 1j], "n_threads": [0, -1, 1.5, "a"],
    }
    if kind in ("grad", "both"):
        wrong["out"] = bad_outputs(shape, result_dtype(dtype))
    if hard and targets.size and plain.get("sample_weight") is None:
        ignored = plain.get("ignore_index", -100)
        for bad in (n_classes, -1, n_classes + 5, -2**63, 2**63 - 1):
            if bad != ignored:
                worse = targets.astype(np.int64)
                worse.reshape(-1)[draw.between(0, worse.size - 1)] = bad
                wrong["targets"].append(worse)
    return {name: values for name, values in wrong.items() if name in OPTIONS_OF[kind] or name in ("logits", "targets", "out")}


OPTIONS_OF = {kind: set(inspect.signature(attrgetter(name)(xf)).parameters) for name, kind in VALUES.items()}
