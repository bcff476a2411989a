"""softmax, log_softmax and logsumexp."""

from operator import attrgetter

import numpy as np
from cases import Case, arguments, bad_outputs, family, output
from comparing import LONG, base_of, check, expect_dtype
from softmax_cases import INF, NAN, logits_dtype, result_dtype
from tolerances import CANCELLED, GRADIENT, LARGEST_TERM

import xentfast as xf


@family("softmax", "log_softmax", "logsumexp")
def normalise_case(draw, name):
    shape, axis = draw.shape()
    if len(shape) > 1 and draw.chance(0.2):
        axis = draw.choice([None, tuple(draw.random.sample(range(len(shape)), draw.between(1, len(shape))))])
    dtype = logits_dtype(draw)
    arrays, options = {"x": draw.floats(shape, dtype)}, {}
    if axis != -1 or draw.chance(0.3):
        options["axis"] = axis
    if draw.chance(0.3):
        arrays["where"] = draw.mask(shape)
    if name == "logsumexp":
        if draw.chance(0.35):
            arrays["b"] = draw.weights(shape[draw.between(0, len(shape)):] if draw.chance(0.3) else shape)
        if draw.chance(0.3):
            options["keepdims"] = draw.chance(0.7)
    given, plain = arguments(draw, arrays, options)
    x = np.asarray(plain["x"])
    own = result_dtype(x.dtype)
    kept = x.shape
    if name == "logsumexp":
        kept = np.sum(np.zeros(x.shape, bool), axis=axis, keepdims=options.get("keepdims", False)).shape
    if draw.chance(0.4):
        given["out"] = draw.out(kept, own) if name == "logsumexp" else output(draw, given, "x", x.astype(own), kept)
    return Case(name, attrgetter(name)(xf), given, plain, lambda results: judge(name, results, x, plain, axis),
                defects_for(shape, dtype, own, kept, name))


def judge(name, results, x, plain, axis):
    own = result_dtype(x.dtype)
    expect_dtype("the result", results[0], own)
    axes = tuple(range(x.ndim)) if axis is None else tuple(one % x.ndim for one in (axis if isinstance(axis, tuple) else (axis,)))
    last = [one for one in range(x.ndim) if one not in axes] + list(axes)
    n_classes = int(np.prod([x.shape[one] for one in axes]))

    def rows_of(array):
        return np.broadcast_to(array, x.shape).transpose(last).reshape(x.size // max(n_classes, 1), n_classes)
    rows = rows_of(x).astype(own).astype(np.float64).astype(LONG)
    open_ = rows_of(True if plain.get("where") is None else plain["where"])
    b = plain.get("b")
    if x.size == 0:
        if name == "logsumexp":
            check("the result", results[0], np.full(results[0].shape, -INF), 0, 0)
        return
    with np.errstate(all="ignore"):
        if name == "logsumexp":
            factors = np.where(open_, LONG(1) if b is None else rows_of(np.asarray(b)).astype(np.float64).astype(LONG), 0)
            exact, size, more, vague = exact_logsumexp(rows, factors, b is not None)
            bound = LARGEST_TERM[base_of(own).type] + 0.5
            got = results[0].reshape(-1)
            eps = LONG(np.finfo(base_of(own)).eps)
            check("the result", got, exact, size + more / (bound * eps), bound, vague)
            return
        got = results[0].transpose(last).reshape(rows.shape)
        exact, size = exact_rows(rows, open_, name)
        check("the result", got, exact, size, (GRADIENT if name == "softmax" else LARGEST_TERM)[base_of(own).type] + 0.5)


def exact_rows(x, open_, name):
    """(softmax or log_softmax, the size of its terms)"""
    excluded = ~open_ | np.isneginf(x)
    bad = (open_ & (np.isnan(x) | np.isposinf(x))).any(-1, keepdims=True)
    bad |= excluded.all(-1, keepdims=True) & open_.any(-1, keepdims=True)
    shifted = np.where(excluded, -INF, x)
    top = shifted.max(-1, keepdims=True, initial=-INF)
    shifted = np.where(bad | np.isneginf(top), 0, shifted - np.where(np.isinf(top), 0, top))
    powers = np.exp(shifted)
    total = powers.sum(-1, keepdims=True)
    others = powers.copy()
    np.put_along_axis(others, shifted.argmax(-1)[:, None], 0, -1)
    log_sum = np.log1p(others.sum(-1, keepdims=True))
    exact = powers / total if name == "softmax" else shifted - log_sum
    size = exact if name == "softmax" else np.maximum(np.abs(shifted), log_sum)
    outside = 0 if name == "softmax" else -INF
    exact = np.where(open_, np.where(bad, NAN, exact), outside)
    return np.where(np.isneginf(x) & open_ & ~bad, outside, exact), np.where(np.isfinite(size), size, 0)


def exact_logsumexp(x, factors, weighted):
    """(log Σ b·eˣ, the size of its terms, what cancelling terms lose beside, where these leave nothing that is exact)"""
    with_terms = factors != 0
    values = np.where(with_terms, x, -INF)
    infinite = np.where(np.isposinf(values), factors * INF, 0).sum(-1)
    finite = np.where(np.isfinite(values), values, -INF)
    top = finite.max(-1, initial=-INF)
    shift = np.where(np.isinf(top), 0, top)[:, None]
    terms = np.where(np.isfinite(finite), factors * np.exp(np.where(np.isfinite(finite), finite - shift, 0)), 0)
    total, sizes, main = terms.sum(-1), np.abs(terms).sum(-1), np.abs(terms).argmax(-1)[:, None]
    exact = np.log(total) + shift[:, 0]
    if not weighted:                                        # the largest apart
        others = terms.copy()
        np.put_along_axis(others, main, 0, -1)
        exact = np.where(total > 0, shift[:, 0] + np.log1p(others.sum(-1)), exact)
    largest = np.take_along_axis(np.where(with_terms, x, 0), main, -1)[:, 0]
    scale = np.take_along_axis(np.log(np.abs(np.where(with_terms, factors, 1))), main, -1)[:, 0]
    size = np.maximum(np.maximum(np.abs(largest), np.abs(scale)), np.abs(np.where(np.isfinite(exact), exact, 0)))
    cancelled = np.where(total > 0, sizes / total, 1)
    # In long double a sum of terms that cancel wholly is 0, or what their logarithms lost.
    vague = weighted & (np.abs(total) < sizes * 2.0**-40) & ~(np.isnan(values) | np.isposinf(values)).any(-1)
    exact = np.where(infinite > 0, INF, np.where(infinite < 0, NAN, exact))
    exact = np.where(np.isnan(values).any(-1) | np.isnan(infinite), NAN, exact)
    more = CANCELLED * np.maximum(cancelled - 1, 0) + CANCELLED * weighted
    return exact, np.where(np.isfinite(size), size, 0), np.where(np.isfinite(exact), more, 0), vague


def defects_for(shape, dtype, own, kept, name):
    n_axes = len(shape)
    wrong = {
        "x": [np.zeros(shape, complex), np.full(shape, None), np.zeros(shape, np.longdouble), "a", None, {},
              np.zeros(shape, "M8[s]"), 3.0],
        "axis": [n_axes, -n_axes - 1, 1.5, "a", (0, 0), (), (0, n_axes), 2**70, [[0]]],
        "where": [np.ones(shape), np.ones((2, *shape), bool), "a", 1, np.ones(shape, "i1")],
        "n_threads": [0, -1, 1.5, "a"],
        "out": bad_outputs(kept, own),
    }
    if name == "logsumexp":
        wrong |= {"b": [np.zeros(shape, complex), "a", np.ones((2, *shape)), np.full(shape, None), [[1], [1, 2]]]}
    return wrong
