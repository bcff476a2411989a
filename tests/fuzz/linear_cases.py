"""The loss of a linear layer, and that of classes in several places."""

import itertools
from operator import attrgetter

import numpy as np
from cases import Case, arguments, family
from comparing import LONG, Finding, base_of
from drawing import FLOATS
from reference import linear_cross_entropy
from softmax_cases import INF, NAN, judge_loss, options_for, targets_for
from tolerances import linear_bound

import xentfast as xf

LINEAR = {"linear_cross_entropy": "loss", "linear_cross_entropy_value_and_grad": "both"}
PARTIAL = ["softmax_cross_entropy_partial", "softmax_cross_entropy_combine", "softmax_cross_entropy_combine_grad"]


@family(*LINEAR)
def linear_case(draw, name):
    """Tame numbers: products are BLAS's."""
    n_rows, width, n_classes = draw.choice([1, 2, 5, 33, 64]), draw.choice([1, 2, 3, 8, 17]), draw.choice([1, 2, 3, 10, 33, 100])
    rows = draw.choice([(n_rows,), (n_rows,), (2, n_rows), (0,), ()])
    dtypes = [draw.choice(FLOATS) for _ in range(3)] if draw.chance(0.3) else [draw.choice(FLOATS)] * 3
    shape = (*rows, n_classes)
    options, arrays = options_for(draw, shape, -1, "softmax_cross_entropy")
    options.pop("axis", None)
    options.pop("softcap", None)
    options["logit_scale"] = draw.choice([1.0, 0.5, -0.7])
    targets = targets_for(draw, shape, -1, options)
    if "where" in arrays:                                           # the twin has no infinities here
        where = np.broadcast_to(arrays["where"], shape).copy()
        where[..., 0] = True
        if targets.dtype.kind in "iu":
            targets = np.where(targets == options.get("ignore_index", -100), targets, 0).astype(targets.dtype)
        else:
            targets = np.where(where, targets, 0).astype(targets.dtype)
        arrays["where"] = where
    arrays |= {"hidden": draw.rng.standard_normal((*rows, width)).astype(dtypes[0]),
               "linear_weight": draw.rng.standard_normal((n_classes, width)).astype(dtypes[1]), "targets": targets}
    if draw.chance(0.4):
        arrays["bias"] = draw.rng.standard_normal(n_classes).astype(dtypes[2])
    if draw.chance(0.4):
        options["memory_limit"] = draw.choice([2**16, 2**20, 10**9])
    given, plain = arguments(draw, arrays, options)
    wrong = {"hidden": ["a", None, np.zeros((*rows, width + 1)), np.zeros((*rows, width), complex)],
             "linear_weight": ["a", None, np.zeros(n_classes), np.zeros((n_classes, width + 1)),
                               np.zeros((n_classes, width), complex)],
             "targets": ["a", None, np.zeros((*rows, 2), int), np.zeros(shape, bool)],
             "bias": ["a", np.zeros(n_classes + 1), np.zeros((2, n_classes)), np.zeros(n_classes, complex)],
             "memory_limit": [-1, 0, "a", 1.5, None], "reduction": ["max", None], "z_loss": [NAN, "a"], "n_threads": [0, -1, "a"],
             "weight": [np.ones(n_classes + 1), "a"], "label_smoothing": [2.0, NAN], "focal_gamma": [-1, INF]}
    function = attrgetter(name)(xf)
    if LINEAR[name] == "both":
        function = lambda **options: flattened(xf.linear_cross_entropy_value_and_grad(**options))  # noqa: E731
    return Case(name, function, given, plain, lambda results: judge_linear(results, plain), wrong, same_bits=False)


def judge_linear(results, plain):
    options = {key: value for key, value in plain.items() if key not in ("n_threads", "memory_limit", "empty")}
    wide = {key: np.asarray(options.pop(key)).astype(np.float64) for key in ("hidden", "linear_weight", "bias") if key in options}
    bias = wide.pop("bias", None)
    for key in ("weight", "sample_weight"):
        if key in options:
            options[key] = np.asarray(options[key]).astype(np.float64)
    targets = np.asarray(options.pop("targets"))
    targets = targets if targets.dtype.kind in "iu" else targets.astype(np.float64)
    own = [np.asarray(plain[key]).dtype for key in ("hidden", "linear_weight", "bias") if key in plain]
    arithmetic = base_of(max(own, key=lambda dtype: dtype.itemsize))
    rows = int(np.prod(targets.shape[:wide["hidden"].ndim - 1]))
    with np.errstate(all="ignore"):
        loss, grads = linear_cross_entropy(wide["hidden"], wide["linear_weight"], targets, bias=bias, dtype=LONG, **options)
    got = results
    if not np.isfinite(np.asarray(loss, np.float64)).all() or not rows:
        return                                                      # the mean of nothing; targets without a probability
    pairs = [("the loss", got[0], loss)]
    pairs += [(f"gradient {i}", one, want) for i, (one, want) in enumerate(zip(got[1:], grads, strict=False))]
    total = 1 + sum(float(np.max(np.abs(np.asarray(part, np.float64)), initial=0.0)) for part in (grads[1], loss))
    total += 3 * rows * float(np.max(np.abs(options.get("sample_weight", 1.0)), initial=0.0))        # what cancels
    for what, one, want in pairs:
        limit = linear_bound(np.asarray(want, np.float64), one.dtype, arithmetic)
        limit = 8 * (limit + (1e-5 if arithmetic == np.float32 else 1e-13) * total)
        if not np.all(np.abs(one.astype(np.float64) - np.asarray(want, np.float64)) <= limit):
            raise Finding(f"{what} is {one!r:.200}; expected {want!r:.200}")


def flattened(result):
    """(loss, (d_hidden, d_linear_weight, d_bias)) → a tuple of arrays."""
    loss, grads = result
    return loss, *[grad for grad in grads if grad is not None]


@family(*PARTIAL)
def partial_case(draw, name):
    """The whole way: slices of the classes, their partial results, loss and gradients."""
    shape, axis = draw.shape()
    dtype = draw.choice(FLOATS)
    logits = draw.floats(shape, dtype)
    options, arrays = options_for(draw, shape, axis, "softmax_cross_entropy")
    options["axis"] = axis
    targets = targets_for(draw, shape, axis, options)
    if targets.dtype.kind == "f" and "where" in arrays:
        targets = np.where(np.broadcast_to(arrays["where"], shape), targets, 0).astype(targets.dtype)
    given, plain = arguments(draw, {"logits": logits, "targets": targets, **arrays}, options)
    for container in (given, plain):                                # slices are cut from arrays
        for key in ("logits", "targets", "where"):
            if key in container:
                container[key] = to_array(container[key])
    n_classes = shape[axis]
    cuts = sorted({0, n_classes, *(draw.between(0, n_classes) for _ in range(draw.between(0, 3)))})
    calls = {key: attrgetter(key)(xf) for key in PARTIAL}

    def function(**options):
        return in_slices(calls, cuts, **options)
    x = np.asarray(plain["logits"])

    def judge(results):
        if x.size or results[1].shape != x.shape:                   # partial results of no rows tell no dtype
            judge_loss("both", results, x, plain, axis)
    wrong = {"reduction": ["max", None], "z_loss": [NAN, "a"], "n_threads": [0, -1, "a"], "weight": [np.ones(n_classes + 1), "a"],
             "label_smoothing": [2.0, NAN], "focal_gamma": [-1, INF], "logit_scale": [NAN, "a"], "softcap": [0, "a"],
             "targets": [np.zeros(shape, bool), np.zeros(shape, complex)],
             "logits": [np.zeros(shape, complex), np.zeros(shape, "M8[s]")]}
    return Case(name, function, given, plain, judge, wrong,
                nameable=("reduction", "z_loss", "weight", "sample_weight", "label_smoothing", "logit_scale", "softcap",
                          "n_threads"))


def to_array(value):
    value = getattr(value, "array", value)
    return np.ma.getdata(value) if isinstance(value, np.ma.MaskedArray) else np.asarray(value)


def cut(value, start, stop, axis):
    return value[(slice(None),) * (axis % value.ndim) + (slice(start, stop),)]


def in_slices(calls, cuts, logits, targets, axis, where=None, z_loss=0.0, reduction="mean", empty=NAN, **options):
    """(loss, gradient) by way of the slices between the cuts."""
    n_classes, soft = logits.shape[axis], targets.dtype.kind not in "iu"
    options |= {"n_classes": n_classes}
    if where is not None:
        where = np.broadcast_to(where, logits.shape)
        options["where_count"] = where.sum(axis)
    shared = {key: value for key, value in options.items() if key != "focal_gamma"}
    of_slices = [(cut(logits, *span, axis), cut(targets, *span, axis) if soft else targets,
                  {"first_class": span[0], "axis": axis, "where": None if where is None else cut(where, *span, axis)})
                 for span in itertools.pairwise(cuts)]
    partials = np.concatenate([calls[PARTIAL[0]](x, t, **place, **shared) for x, t, place in of_slices], axis=-2)
    loss = calls[PARTIAL[1]](partials, None if soft else targets, z_loss=z_loss, reduction=reduction, empty=empty, **options)
    grads = [calls[PARTIAL[2]](partials, x, t, z_loss=z_loss, reduction=reduction, **place, **options)
             for x, t, place in of_slices]
    return loss, np.concatenate(grads, axis=axis)
