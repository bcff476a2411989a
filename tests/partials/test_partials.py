"""Partial results of slices of the classes: the bits of the whole where slices begin at chunks, its accuracy anywhere; errors."""

import itertools
import re

import ml_dtypes
import numpy as np
import pytest
from reference import cross_entropy
from routes import LEVELS, OPTIONS, options, problem
from tolerances import LARGEST_TERM, TWIN
from unread import spoilt, unread_rows

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

CHUNK = 2048                            # a multiple of float64's
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
SLICED = ("where", "targets")           # what is cut as the logits are


def cut(value, start, stop, axis):
    return value[(slice(None),) * (axis % value.ndim) + (slice(start, stop),)]


def in_slices(logits, targets, cuts, axis=-1, z_loss=0.0, reduction="none", n_threads=None, joined=np.concatenate, **given):
    """(loss, gradient, partial results) by way of the slices between the cuts."""
    n_classes = logits.shape[axis]
    soft = np.asarray(targets).dtype.kind not in "iu"
    common = {"n_classes": n_classes, "n_threads": n_threads, **given}
    where = common.pop("where", None)
    if where is not None:
        common["where_count"] = np.broadcast_to(where, logits.shape).sum(axis)
    of_slices = []
    for start, stop in itertools.pairwise(cuts):
        mask = None if where is None else cut(np.broadcast_to(where, logits.shape), start, stop, axis)
        of_slices.append(((cut(logits, start, stop, axis), cut(targets, start, stop, axis) if soft else targets),
                          {"first_class": start, "axis": axis, "where": mask, **common}))
    partials = joined([xf.softmax_cross_entropy_partial(*arrays, **options) for arrays, options in of_slices], axis=-2)
    loss = xf.softmax_cross_entropy_combine(partials, None if soft else targets, z_loss=z_loss, reduction=reduction, **common)
    grads = [xf.softmax_cross_entropy_combine_grad(partials, *arrays, z_loss=z_loss, reduction=reduction, **options)
             for arrays, options in of_slices]
    return loss, np.concatenate(grads, axis=axis), partials


def whole(logits, targets, **given):
    return xf.softmax_cross_entropy_value_and_grad(logits, targets, **given)


def as_bytes(loss, grad):
    return np.asarray(loss).tobytes(), grad.tobytes(), loss.dtype, grad.dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["none", *OPTIONS])
@pytest.mark.parametrize("soft", [False, True])
def test_slices_at_chunks_have_the_bits_of_the_whole(use_level, soft, name, dtype):
    n_rows, n_classes = 9, 2 * CHUNK + 77
    logits, targets = problem(n_rows, n_classes, dtype, soft)
    for more, cuts in [({}, [0, CHUNK, n_classes]), ({"label_smoothing": 0.2}, [0, CHUNK, n_classes]),
                       ({"weight": True, "sample_weight": True, "label_smoothing": 0.2}, [0, CHUNK, 2 * CHUNK, n_classes])]:
        given = options(name, n_rows, n_classes, more) if name != "none" else options("where", n_rows, n_classes, more)
        if name == "none":
            del given["where"]
        for reduction in ("none", "mean"):
            expected = as_bytes(*whole(logits, targets, reduction=reduction, **given))
            for level, n_threads in ((LEVELS[0], 1), (LEVELS[-1], 3)):
                use_level(level)
                loss, grad, _ = in_slices(logits, targets, cuts, reduction=reduction, n_threads=n_threads, **given)
                assert as_bytes(loss, grad) == expected


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_and_layout(axis):
    logits, targets = problem(6, CHUNK + 40, np.float32)
    logits = np.moveaxis(logits.reshape(2, 3, CHUNK + 40), -1, axis)[..., ::-1]
    targets = targets.reshape(2, 3)
    targets = targets[:, ::-1] if axis < 2 else targets
    targets = np.where(targets < 0, 3, targets)
    expected = as_bytes(*whole(logits, targets, axis=axis))
    loss, grad, _ = in_slices(logits, targets, [0, CHUNK, CHUNK + 40], axis=axis, reduction="mean")
    assert as_bytes(loss, grad) == expected


@pytest.mark.parametrize("n_rows", [1, 2, 65, 70_000])
def test_rows_and_threads(n_rows):
    """Chunks of one row over several threads, and sums over many rows."""
    n_classes = 3 * CHUNK if n_rows < 100 else 4
    logits, targets = problem(n_rows, n_classes, np.float32)
    cuts = [0, CHUNK, n_classes] if n_classes > CHUNK else [0, n_classes]
    weights = np.linspace(0, 2, n_rows) if n_rows > 1 else [0.3]
    expected = as_bytes(*whole(logits, targets, sample_weight=weights))
    for n_threads in (1, 2, 5):
        loss, grad, _ = in_slices(logits, targets, cuts, reduction="mean", n_threads=n_threads, sample_weight=weights)
        assert as_bytes(loss, grad) == expected


def test_weights_of_many_rows_of_soft_targets():
    """Their sum has the bits of the whole."""
    n_rows = 70_001
    logits, targets = problem(n_rows, 3, np.float32, True)
    for given in ({"sample_weight": np.linspace(0, 3, n_rows) ** 7}, {"weight": [0.3, 0.7, 1.9]}, {}):
        expected = as_bytes(*whole(logits, targets, **given))
        assert as_bytes(*in_slices(logits, targets, [0, 3], reduction="mean", **given)[:2]) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("cuts", [[0, 1, 2, 40], [0, 7, 39, 40], [0, 20, 40]])
def test_other_slices_have_the_accuracy(cuts, soft, dtype):
    logits, targets = problem(33, 40, dtype, soft)
    logits = np.where(np.isfinite(logits), logits, 0).astype(dtype)
    given = options("all", 33, 40, {"weight": True, "sample_weight": True, "label_smoothing": 0.2})
    given["where"] = given["where"] | np.eye(33, 40, dtype=bool) | (soft or np.arange(40) == np.maximum(targets, 0)[:, None])
    loss, grad, _ = in_slices(logits, targets, cuts, reduction="sum", **given)
    expected = cross_entropy(logits, targets, reduction="sum", dtype=np.longdouble, **given)
    tolerance = 20 * TWIN[np.dtype(dtype)]
    assert np.allclose(np.float64(loss), np.float64(expected[0]), rtol=tolerance, atol=0)
    assert np.allclose(np.float64(grad), np.float64(expected[1]), rtol=tolerance, atol=tolerance)


def test_a_confident_target_alone_in_its_slice():
    """Nothing of the others is lost beside it, as nothing is in the whole."""
    logits = np.full((1, 100), -60.0, np.float32)
    logits[0, 31] = 10.0
    loss, grad, _ = in_slices(logits, [31], [0, 31, 32, 100])
    exact = 99 * np.exp(np.longdouble(-70))
    assert abs(loss[0] - exact) < LARGEST_TERM[np.float32] * np.spacing(np.float32(exact))
    assert grad[0, 31] == -loss[0]


def test_an_all_reduce_by_sum_joins_them():
    """Each process adds its own chunks to zeros: the join, whatever the numbers are."""
    n_classes = 3 * CHUNK
    logits, targets = problem(20, n_classes, np.float32)
    logits[3, :CHUNK] = -np.inf
    logits[4, 7] = np.nan

    def summed(parts, axis):
        total, start = np.zeros((20, 3, parts[0].shape[-1])), 0
        for part in parts:
            own = np.zeros_like(total)
            own[:, start:start + part.shape[1]] = part
            total, start = total + own, start + part.shape[1]
        return total

    loss, grad, _ = in_slices(logits, targets, [0, 2 * CHUNK, n_classes], joined=summed)
    assert as_bytes(loss, grad) == as_bytes(*whole(logits, targets, reduction="none"))


def test_special_rows():
    """Rows that are ignored, of no weight, bad or empty; rows, but none; a mean of nothing."""
    logits, targets = problem(8, 50, np.float32)
    logits[1] = np.nan
    logits[2] = -np.inf
    logits[3, 9] = np.inf
    targets[:4] = [-100, 3, 9, 4]
    weights = [1, 1, 1, 0, 2, 2, 2, 2]
    expected = as_bytes(*whole(logits, targets, sample_weight=weights, reduction="none"))
    loss, grad, partials = in_slices(logits, targets, [0, 50], sample_weight=weights)
    assert as_bytes(loss, grad) == expected
    assert (partials[0, 0, :6] == 0).all() and partials[0, 0, 6] == 50      # not read
    nothing = in_slices(logits, np.full(8, -100), [0, 20, 50], reduction="mean")
    assert np.isnan(nothing[0]) and (nothing[1] == 0).all()
    none = in_slices(logits[:0], targets[:0], [0, 20, 50])
    assert none[0].shape == (0,) and none[1].shape == (0, 50)
    assert xf.softmax_cross_entropy_combine(none[2], targets[:0], n_classes=50, empty=7.0) == 7.0


def test_excluded_by_where():
    """A target that `where` excludes has an infinite loss and the gradient 0; a −inf target the gradient −w."""
    logits = np.zeros((2, 6), np.float32)
    logits[1, 4] = -np.inf
    where = np.ones((2, 6), bool)
    where[0, 4] = False
    loss, grad, _ = in_slices(logits, [4, 4], [0, 3, 6], where=where, reduction="none")
    assert np.isposinf(loss).all() and grad[0, 4] == 0 and grad[1, 4] == -1


def test_out():
    logits, targets = problem(5, 2 * CHUNK, np.float32)
    joined = np.zeros((5, 2, 8))
    for k in range(2):
        own = joined[:, k:k + 1]
        arguments = logits[:, k * CHUNK:(k + 1) * CHUNK], targets
        assert xf.softmax_cross_entropy_partial(*arguments, first_class=k * CHUNK, n_classes=2 * CHUNK, out=own) is own
    loss, grad = whole(logits, targets)
    assert xf.softmax_cross_entropy_combine(joined, targets, n_classes=2 * CHUNK) == loss
    for k in range(2):
        own = logits[:, k * CHUNK:(k + 1) * CHUNK]
        xf.softmax_cross_entropy_combine_grad(joined, own, targets, first_class=k * CHUNK, n_classes=2 * CHUNK, out=own)
    assert logits.tobytes() == grad.tobytes()


X, T = np.zeros((3, 10), np.float32), np.array([0, 5, 19])
PARTS = [xf.softmax_cross_entropy_partial(X, T, first_class=start, n_classes=20) for start in (0, 10)]
BOTH = np.concatenate(PARTS, axis=-2)
SOFT = xf.softmax_cross_entropy_partial(X, X, first_class=0, n_classes=10)
PARTIAL, COMBINE, GRAD = (xf.softmax_cross_entropy_partial, xf.softmax_cross_entropy_combine,
                          xf.softmax_cross_entropy_combine_grad)
BAD = [
    (PARTIAL, (X, np.eye(3, 10, dtype=int)), {"first_class": 0, "n_classes": 10}, ValueError, "one-hot ones too, are floats"),
    (PARTIAL, (X, np.eye(3, 10, dtype=bool)), {"first_class": 0, "n_classes": 10}, TypeError, "one-hot ones too, are floats"),
    (PARTIAL, (X, T), {"first_class": 11, "n_classes": 20}, ValueError, "first_class is 11, and logits have 10 classes"),
    (PARTIAL, (X, T), {"first_class": -1, "n_classes": 20}, ValueError, "first_class is -1"),
    (PARTIAL, (X, T), {"first_class": 1.0, "n_classes": 20}, TypeError, "first_class is 1.0; expected an integer"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": [20]}, TypeError, "n_classes is [20]; expected an integer"),
    (PARTIAL, (X, [0, 5, 20]), {"first_class": 0, "n_classes": 20}, IndexError, "targets[2] is 20"),
    (PARTIAL, (X, T[:2]), {"first_class": 0, "n_classes": 20}, ValueError, "targets have shape (2,); expected (3,)"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "weight": np.ones(10)}, ValueError,
     "weight has shape (10,); expected (20,), a weight for each class"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "where": X == 0, "label_smoothing": 0.1}, ValueError,
     "where is given with label_smoothing, but not where_count"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "where_count": [1, 2]}, ValueError,
     "where_count has shape (2,); expected (3,)"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "where_count": [1.0, 2.0, 3.0]}, TypeError,
     "where_count has dtype float64; expected integers"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "out": np.empty((3, 2, 8))}, ValueError,
     "out has shape (3, 2, 8); expected (3, 1, 8)"),
    (PARTIAL, (X, T), {"first_class": 0, "n_classes": 20, "out": np.empty((3, 1, 8), np.float32)}, TypeError,
     "out has dtype float32; expected float64"),
    (COMBINE, (PARTS[0], T), {"n_classes": 20}, ValueError, "partials are of 10 classes; expected those of all n_classes=20"),
    (COMBINE, (np.concatenate([PARTS[0], BOTH], axis=-2), T), {"n_classes": 20}, ValueError, "partials are of 30 classes"),
    (COMBINE, (np.concatenate([PARTS[0], PARTS[0]], axis=-2), T), {"n_classes": 20}, ValueError,
     "partials[0] have more than one target: slices overlap"),
    (COMBINE, (np.concatenate([PARTS[1], PARTS[1]], axis=-2), T), {"n_classes": 20}, ValueError, "partials[0] have no target"),
    (COMBINE, (BOTH + np.array([0, 0, 1])[:, None, None] * (np.arange(8) == 6), T), {"n_classes": 20}, ValueError,
     "partials[2] are of other classes, or of another dtype, than those of the first row"),
    (COMBINE, (BOTH, [0, 5, -100]), {"n_classes": 20, "ignore_index": -1}, IndexError, "targets[2] is -100"),
    (COMBINE, (BOTH, T[:2]), {"n_classes": 20}, ValueError,
     "targets have shape (2,); expected (3,), the shape of partials (3, 2, 8) without its last two axes"),
    (COMBINE, (BOTH, X), {"n_classes": 20}, TypeError, "targets are floats; expected integers, or None"),
    (COMBINE, (BOTH, None), {"n_classes": 20}, ValueError, "partials[0] are not of soft targets"),
    (COMBINE, (SOFT, np.zeros(3, int)), {"n_classes": 10}, ValueError, "partials[0] are of soft targets"),
    (COMBINE, (SOFT, None), {"n_classes": 10, "sample_weight": [1, np.nan, 1]}, ValueError,
     "sample_weight[1] is nan; expected finite weights"),
    (COMBINE, (BOTH, T), {"n_classes": 20, "sample_weight": [1, np.inf, 1]}, ValueError, "sample_weight[1] is inf"),
    (COMBINE, (X, T), {"n_classes": 20}, ValueError, "partials have dtype float32 and shape (3, 10); expected the float64"),
    (COMBINE, (BOTH[..., :7], T), {"n_classes": 20}, ValueError, "partials have dtype float64 and shape (3, 2, 7)"),
    (COMBINE, (BOTH, T), {"n_classes": 20, "reduction": "max"}, ValueError, "reduction is 'max'"),
    (GRAD, (BOTH, X, T), {"first_class": 5, "n_classes": 20}, ValueError,
     "partials have no records of the classes 5 to 14 of float32 logits as one slice"),
    (GRAD, (BOTH, X[:, :4], T), {"first_class": 0, "n_classes": 20}, ValueError,
     "partials have no records of the classes 0 to 3 of float32 logits as one slice"),
    (GRAD, (BOTH, X.astype(float), T), {"first_class": 0, "n_classes": 20}, ValueError,
     "partials have no records of the classes 0 to 9 of float64 logits"),
    (GRAD, (BOTH, X[:2], T), {"first_class": 0, "n_classes": 20}, ValueError, "logits of shape (2, 10) have rows (2,)"),
    (GRAD, (PARTS[0], X, T), {"first_class": 0, "n_classes": 20}, ValueError, "partials are of 10 classes"),
]


@pytest.mark.parametrize(("function", "arguments", "given", "error", "message"), BAD)
def test_bad_input(function, arguments, given, error, message):
    if function is GRAD:
        given = given | {"out": np.full_like(arguments[1], 7)}
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments, **given)
    if function is GRAD:
        assert (given["out"] == 7).all()


def test_out_may_not_overlap():
    memory = np.zeros(3 * 10 * 8)
    partials = memory[:24].reshape(3, 1, 8)
    with pytest.raises(ValueError, match="out overlaps an input"):
        PARTIAL(memory[:30].reshape(3, 10), T, first_class=0, n_classes=20, out=partials)
    with pytest.raises(ValueError, match="out overlaps"):
        GRAD(PARTIAL(np.zeros((3, 3)), T % 3, first_class=0, n_classes=3, out=partials), np.zeros((3, 3)), T % 3, first_class=0,
             n_classes=3, out=memory[:9].reshape(3, 3))


@pytest.mark.parametrize("n_classes", [50, CHUNK + 9])
def test_what_is_not_read_is_not_looked_at(use_level, n_classes):
    given = unread_rows(30, n_classes)
    weight = np.arange(n_classes) % 3
    for level in LEVELS:
        use_level(level)
        for more in ({}, {"weight": weight, "label_smoothing": 0.1}):
            for reduction in ("none", "mean"):
                want, got = (in_slices(x, t, [0, 20, n_classes], sample_weight=w, reduction=reduction, **more)
                             for x, t, w in (given, spoilt(*given)))
                assert as_bytes(*got[:2]) == as_bytes(*want[:2])
