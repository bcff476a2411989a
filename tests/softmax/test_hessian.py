"""softmax_cross_entropy_grad_hess: the gradient's bits and, in the same pass, w·p·(1 − p), exact where p is near 1."""

import itertools
import re

import ml_dtypes
import numpy as np
import pytest
import reference
from bad_outputs import SWAPPED
from exact import check_flushed, check_rounded
from routes import LEVELS, layouts, problem
from sklearn._loss import HalfMultinomialLoss
from tolerances import DIFFERENCES, STEP, TWIN, hessian_bound, needs_long_double, twin_bound

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized]

BOTH = xf.softmax_cross_entropy_grad_hess
WIDE = [np.float32, np.float64]
SIXTEEN_BIT = [np.float16, ml_dtypes.bfloat16]
DTYPES = [*WIDE, *SIXTEEN_BIT]
INF, NAN = np.inf, np.nan
# (level, threads): each level, and one of them with threads.
RUNS = [*((level, 1) for level in LEVELS), (LEVELS[-1], 3)]



# ---- exact


def row_weights(x, targets, *, weight=None, sample_weight=None, label_smoothing=0.0, where=None, reduction="sum"):
    """Each row's weight in the Hessian, in long double. Classes are along the last axis."""
    t = reference.soft_targets(x.shape, targets, dtype=np.longdouble)
    hard = np.asarray(targets).dtype.kind in "iu"
    kept = np.ones(len(x), np.longdouble) if sample_weight is None else np.array(sample_weight, np.longdouble)
    kept = np.where(np.asarray(targets) < 0, 0, kept) if hard else kept
    w = np.ones(x.shape[1], np.longdouble) if weight is None else np.asarray(weight, np.longdouble)
    open_ = np.broadcast_to(True if where is None else where, x.shape)
    spread = np.longdouble(label_smoothing) * open_ / open_.sum(1, keepdims=True)
    total = (kept * ((w * t).sum(1) if hard or weight is not None else 1)).sum() if reduction == "mean" else 1
    return kept * (w * ((1 - np.longdouble(label_smoothing)) * t + spread)).sum(1) / total


def exact_parts(x, where=None):
    """(p, 1 − p) in long double. Of the largest p, 1 − p is summed from the others."""
    y, _ = reference.shaped(x, where=where, dtype=np.longdouble)
    p = reference.softmax(y, dtype=np.longdouble)
    rows, top = np.arange(len(p)), p.argmax(1)
    others = p.copy()
    others[rows, top] = 0
    rest = 1 - p
    rest[rows, top] = others.sum(1)
    return p, rest


def check(x, targets, **given):
    """The Hessian within its bound of the exact one, whose rows are those of long double."""
    hess = BOTH(x, targets, **given)[1]
    p, rest = exact_parts(x, given.get("where"))
    exact = row_weights(x, targets, **given)[:, None] * p * rest
    assert hess.dtype == x.dtype
    if x.dtype in WIDE:
        check_flushed(hess, exact, hessian_bound(p, rest, x.dtype), x.dtype)
    else:
        check_rounded(hess, exact)


def data(shape, dtype, soft=False, spread=8.0):
    rng = np.random.default_rng(shape[1])
    x = (rng.standard_normal(shape) * spread).astype(dtype)
    return x, rng.random(shape).astype(dtype) if soft else rng.integers(0, shape[1], len(x))


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [1, 2, 3, 33, 97, 2049, 5000])
def test_the_formula(n_classes, soft, smoothing, dtype):
    rng = np.random.default_rng(1)
    x, t = data((24, n_classes), dtype, soft)
    x[3, 0] += dtype(40)
    x[4, -1] += dtype(30)
    x[5, n_classes // 2] += dtype(25)
    if not soft:
        t[3] = 0
    for given in ({"sample_weight": rng.random(24)}, {"weight": rng.random(n_classes), "reduction": "mean"}):
        check(x, t, label_smoothing=smoothing, **given)


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 33, 2100])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("ahead", ["target", "another", "soft"])
def test_confident_rows(level, ahead, smoothing, n_classes, dtype):
    """One class is ahead by 50, or by less: 1 − p is far below one ulp of p, and every digit of it is there."""
    x, t = data((16, n_classes), dtype, ahead == "soft", spread=1.0)
    rows, top = np.arange(16), np.random.default_rng(2).integers(0, n_classes, 16)
    x[rows, top] = x.max(1) + np.linspace(0, 50, 16).astype(dtype)
    if ahead == "target":
        t = top
    elif ahead == "another":
        t = (top + 1 + np.arange(16) % (n_classes - 1)) % n_classes
    check(x, t, label_smoothing=smoothing)
    hess = BOTH(x, t, label_smoothing=smoothing)[1]
    if dtype in WIDE:
        assert hess[-1, top[-1]] > 0


@needs_long_double
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 40, 2600])
def test_several_at_the_top(level, n_classes, hard, dtype):
    """p is ½ at most, of equal ones; and one ulp of a logit above it."""
    for gap in (0.0, np.finfo(dtype).eps, 1e-3, 0.5, 0.7):
        x = np.full((4, n_classes), -40, dtype)
        x[:, 0], x[:, -1] = 1.0, 1.0 + gap
        t = np.array([0, n_classes - 1, n_classes // 2, n_classes // 3])
        check(x, t if hard else np.eye(n_classes, dtype=dtype)[t])


def test_one_class():
    for t in ([0, 0], [[1.0], [0.5]]):
        grad, hess = BOTH([[3.0], [-INF]], t)
        assert np.all(hess[0] == 0) and grad[0] == 0 and np.isnan(hess[1])


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [3, 10, 200])
def test_scikit_learn(n_classes, weighted, dtype):
    x, t = data((50, n_classes), dtype, spread=3.0)
    w = np.random.default_rng(1).random(50).astype(dtype) if weighted else None
    want = HalfMultinomialLoss(n_classes=n_classes).gradient_hessian(t.astype(dtype), np.asfortranarray(x), w)
    for mine, theirs in zip(BOTH(x, t, sample_weight=w), want, strict=True):
        assert np.abs(mine - theirs).max() <= TWIN[np.dtype(dtype)]


@pytest.mark.parametrize("n_classes", [2, 7, 60])
def test_derivative_of_the_gradient(n_classes):
    """The diagonal of scaled differences of the gradient, one logit at a time."""
    x, t = data((3, n_classes), np.float64, spread=2.0)
    given = {"label_smoothing": 0.1, "weight": np.linspace(0.5, 2, n_classes), "sample_weight": [1.0, 0.5, -2.0]}
    hess = BOTH(x, t, **given)[1]
    for cls in range(n_classes):
        step = STEP * (np.arange(n_classes) == cls)
        up, down = (xf.softmax_cross_entropy_grad(x + sign * step, t, reduction="sum", **given) for sign in (1, -1))
        assert np.abs((up - down)[:, cls] / (2 * STEP) - hess[:, cls]).max() <= DIFFERENCES


# ---- arguments


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [5, 2600])
def test_reductions(n_classes, soft, dtype):
    """The sum is the default; "none" gives the same, since each row's Hessian is its own loss's; the mean divides."""
    x, t = data((40, n_classes), dtype, soft, spread=3.0)
    given = {"sample_weight": np.random.default_rng(1).random(40), "label_smoothing": 0.2}
    default, total, rows = (BOTH(x, t, **given, **more) for more in ({}, {"reduction": "sum"}, {"reduction": "none"}))
    for a, b, c in zip(default, total, rows, strict=True):
        assert a.tobytes() == b.tobytes() == c.tobytes()
    for reduction in ("sum", "mean"):
        check(x, t, reduction=reduction, **given)
    assert BOTH(x, t, reduction="mean", **given)[0].tobytes() == xf.softmax_cross_entropy_grad(x, t, **given).tobytes()


def test_a_mean_of_nothing_is_zero():
    x = np.full((2, 3), NAN)
    for given in ({"targets": [-100, -100]}, {"targets": [0, 1], "sample_weight": [0, 0]}):
        out = np.full((2, 3), 7.0), np.full((2, 3), 7.0)
        assert all(np.all(part == 0) for part in BOTH(x, reduction="mean", out=out, **given))
    assert [part.shape for part in BOTH(np.zeros((0, 3)), np.zeros(0, int), reduction="mean")] == [(0, 3), (0, 3)]
    assert [part.shape for part in BOTH(np.zeros((4, 3, 0)), np.zeros((4, 0), int), axis=1)] == [(4, 3, 0), (4, 3, 0)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [2, 40, 2600])
@pytest.mark.parametrize("axis", [1, 0])
def test_rows_that_are_not_read_and_rows_that_are_bad(level, axis, n_classes, soft, dtype):
    """Weight 0 and ignored: 0, whatever the logits are. nan, +inf, or nothing finite: nan. The others do not notice."""
    x, t = data((40, n_classes), dtype, soft, spread=3.0)
    w = np.ones(40)
    w[[3, 4]] = 0
    if not soft:
        t[[5, 6]] = -100
    skipped, bad = ([3, 4] if soft else [3, 4, 5, 6]), [10, 11, 12]
    others = np.setdiff1d(np.arange(40), skipped + bad)
    want = BOTH(x[others], t[others])
    x[[skipped[0], skipped[-2], 10], -1] = NAN
    x[[skipped[1], skipped[-1], 11], 0] = INF
    x[12] = -INF
    got = BOTH(np.moveaxis(x, 1, axis).copy(), np.moveaxis(t, 1, axis).copy() if soft else t, axis=axis, sample_weight=w)
    for part, expected in zip(got, want, strict=True):
        part = np.moveaxis(part, axis, 1)
        assert np.all(part[skipped] == 0) and np.isnan(part[bad]).all()
        assert part[others].tobytes() == expected.tobytes()


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_classes", [5, 97, 2600])
def test_where(n_classes, smoothing, soft, dtype):
    """What is masked is not read and has the Hessian 0; the rest is as if it were alone."""
    rng = np.random.default_rng(3)
    x, t = data((40, n_classes), dtype, soft, spread=4.0)
    mask = rng.random(x.shape) < 0.7
    mask[:, 0] = True
    if soft:
        t[~mask] = 0
    else:
        mask[np.arange(40), t] = True
    x[~mask] = NAN
    given = {"sample_weight": rng.random(40), "label_smoothing": smoothing}
    check(x, t, where=mask, **given)
    grad, hess = BOTH(x, t, where=mask, **given)
    assert np.all(hess[~mask] == 0) and np.all(grad[~mask] == 0)
    of_classes = np.arange(n_classes) % 2 == 0
    t, x = (t if soft else t // 2 * 2), np.where(of_classes, data(x.shape, dtype, soft)[0], dtype(NAN))
    masked = BOTH(x, t, where=of_classes, **given)
    if not smoothing:
        alone = BOTH(x[:, ::2], t[:, ::2] if soft else t // 2, **given)
        assert all(np.all(part[:, 1::2] == 0) for part in masked)
        if not soft:
            assert all(np.allclose(np.float64(a[:, ::2]), np.float64(b), rtol=0, atol=twin_bound(1.0, dtype))
                       for a, b in zip(masked, alone, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
def test_a_target_that_is_excluded(level, n_classes, dtype):
    """By −inf or by `where`: its probability is 0, and so is its Hessian; the row keeps its weight."""
    x, t = data((40, n_classes), dtype, spread=2.0)
    t[:] = 1
    infinite = x.copy()
    infinite[:, 1] = -INF
    others = np.arange(n_classes) != 1
    p = reference.softmax(x[:, others].astype(np.float64))
    for hess in (BOTH(infinite, t)[1], BOTH(x, t, where=others)[1]):
        assert np.all(hess[:, 1] == 0)
        assert np.all(np.abs(hess[:, others] - p * (1 - p)) <= twin_bound(p * (1 - p), dtype))


def test_every_edge_without_warnings():
    with np.errstate(all="raise"):
        x = np.array([[NAN, INF], [-INF, -INF], [1e4, -1e4], [0, -INF]])
        for dtype, reduction, more in itertools.product(
                DTYPES, ("sum", "mean", "none"), ({}, {"where": [[True, False]] * 4}, {"label_smoothing": 0.1})):
            BOTH(x.astype(dtype), [0, 1, 1, 1], reduction=reduction, **more)


# ---- bits


def by_every_route(logits, targets, **given):
    """Gradient and Hessian as bytes; the routes agree among themselves, and with the gradient alone."""
    grad, hess = BOTH(logits, targets, **given)
    alone = xf.softmax_cross_entropy_grad(logits, targets, **{"reduction": "sum"} | given)
    place, curve = logits.copy(order="K"), np.empty_like(logits)
    in_place = BOTH(place, targets, out=(place, curve), **given)
    assert in_place[0] is place and in_place[1] is curve
    strided = [np.empty((*logits.shape[:-1], 2 * logits.shape[-1]), logits.dtype)[..., ::2] for _ in range(2)]
    mixed = np.empty(logits.shape, logits.dtype, "F"), strided[1].copy()
    BOTH(logits, targets, out=tuple(strided), **given)
    BOTH(logits, targets, out=mixed, **given)
    assert grad.tobytes() == alone.tobytes() == place.tobytes() == strided[0].tobytes() == mixed[0].tobytes()
    assert hess.tobytes() == curve.tobytes() == strided[1].tobytes() == mixed[1].tobytes()
    return grad.tobytes(), hess.tobytes()


def options(name, n_rows, n_classes):
    rng = np.random.default_rng(7)
    mask = rng.random((n_rows, n_classes)) < 0.8
    mask[n_rows // 2] = True
    mask[n_rows // 2 + 1:n_rows // 2 + 2] = False
    weights = {"weight": rng.random(n_classes), "sample_weight": rng.integers(0, 4, n_rows) / 2}
    return {"plain": {}, "smoothed": {"label_smoothing": 0.1}, "weighted": weights, "where": {"where": mask},
            "all": {"label_smoothing": 0.1, **weights, "where": mask, "reduction": "mean"}}[name]


def confident(logits, targets):
    """The same with rows that have a class far ahead: the target, and another."""
    if len(logits) > 20:
        logits[20, -1] += logits.dtype.type(30)
        logits[21, logits.shape[1] // 3] += logits.dtype.type(40)
        logits[22, 0] += logits.dtype.type(60)
        if targets.ndim == 1:
            targets[22] = 0
    return logits, targets


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "smoothed", "weighted", "where", "all"])
@pytest.mark.parametrize("soft", [False, True])
def test_levels_threads_and_routes(use_level, soft, name, dtype):
    for n_classes in (1, 2, 33, 97, 385, 2049, 5000):
        logits, targets = confident(*problem(37, n_classes, dtype, soft))
        given = options(name, 37, n_classes)
        seen = set()
        for level, n_threads in RUNS:
            use_level(level)
            seen.add(by_every_route(logits, targets, n_threads=n_threads, **given))
        assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "all"])
@pytest.mark.parametrize("soft", [False, True])
def test_layouts(use_level, soft, name, dtype):
    for n_classes in (3, 97, 2100):
        logits, targets = confident(*problem(37, n_classes, dtype, soft))
        given = options(name, 37, n_classes)
        seen = set()
        for level in (LEVELS[0], LEVELS[-1]):
            use_level(level)
            seen |= {by_every_route(x, targets, n_threads=1, **given) for x in layouts(logits)}
            if soft:
                seen |= {by_every_route(logits, t, n_threads=1, **given) for t in layouts(targets)}
        assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "smoothed", "where"])
@pytest.mark.parametrize("soft", [False, True])
def test_class_axis(use_level, soft, name, dtype):
    """(N, C, H, W) gives what (N, H, W, C) gives, transposed: the same rows by tiles, of several chunks above 2 048 classes."""
    for n_classes in (1, 3, 97, 2100, 5000):
        logits, targets = confident(*problem(60, n_classes, dtype, soft))
        given = options(name, 60, n_classes)
        shape = (2, 5, 6, n_classes)
        last, targets = logits.reshape(shape), targets.reshape(shape if soft else shape[:-1])
        mask = given.pop("where", np.bool_(True)).reshape(shape if name == "where" else ())
        want = BOTH(last, targets, where=mask, **given)
        use_level(LEVELS[n_classes % len(LEVELS)])
        for axis, n_threads in ((0, 1), (1, 3), (2, 1)):
            x, t, m = (np.moveaxis(part, -1, axis).copy() if part.shape == shape else part for part in (last, targets, mask))
            place = x.copy()
            for out in (None, (place, np.empty_like(x))):
                got = BOTH(x if out is None else place, t, axis=axis, where=m, out=out, n_threads=n_threads, **given)
                for mine, wanted in zip(got, want, strict=True):
                    assert np.moveaxis(mine, axis, -1).tobytes() == wanted.tobytes(), (n_classes, axis, n_threads)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", [{}, {"label_smoothing": 0.1, "where": np.arange(70_001) % 5 != 1}])
@pytest.mark.parametrize("soft", [False, True])
def test_rows_cut_over_threads(use_level, soft, given, dtype):
    """One row, with no class far ahead, and with one."""
    logits, targets = problem(1, 70_001, dtype, soft)
    for ahead in (0, 60):
        logits[0, 40_000] = ahead
        seen = set()
        for level, n_threads in [*RUNS, (LEVELS[0], 2)]:
            use_level(level)
            seen.add(by_every_route(logits, targets, n_threads=n_threads, **given))
        assert len(seen) == 1, ahead


@pytest.mark.parametrize("dtype", DTYPES)
def test_flush_to_zero_mode_of_the_caller(flush_to_zero, dtype):
    x, t = data((64, 300), dtype, spread=20.0)
    weights = np.repeat([1e-310, 1e-300], 32)
    want = by_every_route(x, t), by_every_route(x, t, sample_weight=weights)
    flush_to_zero(True)
    try:
        got = by_every_route(x, t), by_every_route(x, t, sample_weight=weights)
    finally:
        flush_to_zero(False)
    assert got == want


# ---- errors


def pair():
    return np.full((3, 10), 7, np.float32), np.full((3, 10), 7, np.float32)


@pytest.mark.parametrize("soft", [False, True])
def test_outputs_stay_untouched(soft):
    x = np.ones((3, 10), np.float32)
    t = np.ones((3, 10), np.float32) if soft else np.zeros(3, int)
    grad, hess = pair()
    frozen = hess.copy()
    frozen.flags.writeable = False
    memory = np.full((4, 10), 7, np.float32)
    x_before, t_before = x.copy(), t.copy()
    outs = [
        (grad, TypeError, "out is of type ndarray; expected a tuple of two arrays, for gradient and Hessian"),
        ([grad, hess], TypeError, "out is of type list; expected a tuple of two arrays"),
        ((grad,), TypeError, "expected a tuple of two arrays"),
        ((grad, hess, hess.copy()), TypeError, "expected a tuple of two arrays"),
        ((grad, hess.astype(np.float64)), TypeError, "out has dtype float64; expected float32"),
        ((grad.astype(SWAPPED), hess), TypeError, f"out has dtype {SWAPPED}; expected float32"),
        ((grad, hess[:, :9]), ValueError, "out has shape (3, 9); expected (3, 10)"),
        ((grad[:2], hess), ValueError, "out has shape (2, 10); expected (3, 10)"),
        ((grad, frozen), ValueError, "out is read-only"),
        ((grad, x), ValueError, "out[1] overlaps the logits"),
        ((x, x), ValueError, "out[1] overlaps the logits"),
        ((grad, x[::-1]), ValueError, "out overlaps the input without being the same elements"),
        ((x[::-1], hess), ValueError, "out overlaps the input without being the same elements"),
        ((grad, grad), ValueError, "out[0] and out[1] overlap; pass two separate arrays"),
        ((memory[:3], memory[1:]), ValueError, "out[0] and out[1] overlap; pass two separate arrays"),
        ((memory[:3], memory[2::-1]), ValueError, "out[0] and out[1] overlap; pass two separate arrays"),
        ((grad, np.lib.stride_tricks.as_strided(memory, (3, 10), (0, 4))), ValueError, "out has elements that share memory"),
    ]
    if soft:
        outs += [(out, ValueError, "out overlaps the targets, the weights or where") for out in ((t, hess), (grad, t))]
    for out, error, message in outs:
        with pytest.raises(error, match=re.escape(message)):
            BOTH(x, t, out=out)
    for part in (grad, hess, frozen, memory):
        assert np.all(part == 7)
    assert x.tobytes() == x_before.tobytes() and t.tobytes() == t_before.tobytes()


def test_other_overlaps():
    x, t = np.ones((3, 10)), np.zeros(3, int)
    grad, hess = np.empty((3, 10)), np.empty((3, 10))
    for array, given in ((hess, {"weight": hess[0]}), (grad, {"weight": grad[1]})):
        array[...] = 7
        with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
            BOTH(x, t, out=(grad, hess), **given)
        assert np.all(array == 7)
    mask = np.ones(3 * 10 * 8, bool)
    with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
        BOTH(x, t, where=mask[:30].reshape(3, 10), out=(grad, mask.view(np.float64).reshape(3, 10)))
    assert mask.all()


def test_bad_arguments_leave_outputs_alone():
    x, t = np.ones((3, 10), np.float32), np.zeros(3, int)
    grad, hess = pair()
    for targets, given, error, message in (
        ([0, 10, 0], {}, IndexError, "targets[1] is 10, but logits have 10 classes"),
        (t, {"sample_weight": [1, NAN, 1]}, ValueError, "sample_weight[1] is nan"),
        (t, {"weight": [1, 2]}, ValueError, "weight has shape (2,)"),
        (t, {"reduction": "avg"}, ValueError, "reduction is 'avg'"),
        (t, {"label_smoothing": 2}, ValueError, "label_smoothing is 2"),
        (t, {"where": 1}, TypeError, "where has dtype int64"),
        (t, {"n_threads": 0}, ValueError, "n_threads is 0"),
        (t, {"axis": 2}, ValueError, "axis 2 is out of bounds"),
    ):
        for out in ((grad, hess), (x, hess)):
            with pytest.raises(error, match=re.escape(message)):
                BOTH(x, targets, out=out, **given)
    assert np.all(x == 1) and np.all(grad == 7) and np.all(hess == 7)


@pytest.mark.parametrize("option", ["z_loss", "logit_scale", "softcap", "empty"])
def test_options_that_it_has_not(option):
    with pytest.raises(TypeError, match=option):
        BOTH(np.ones((3, 10)), np.zeros(3, int), **{option: 1.0})
