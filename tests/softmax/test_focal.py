"""The focal loss of softmax: its value, gradient and Hessian against exact ones, at the edges, with every other option, and with
the same bits by every route."""

import itertools
import re

import ml_dtypes
import mpmath
import numpy as np
import pytest
import reference
from exact import CASES, check_flushed, exact_grad, exact_loss, logits_of
from routes import LEVELS, THREADS, by_every_route, layouts, options, problem
from tolerances import FOCAL, GRADIENT, HESSIAN, LOSS, focal_bound, needs_long_double, twin_bound, ulp

import xentfast as xf

pytestmark = pytest.mark.every_build

BOTH, CURVED = xf.softmax_cross_entropy_value_and_grad, xf.softmax_cross_entropy_grad_hess
INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
GAMMAS = [0.25, 1.0, 2.0, 5.0]
# Options of logits and rows that meet the focal loss.
COMBINED = [{}, {"weight": True, "sample_weight": True}, {"z_loss": 0.01}, {"logit_scale": 1.5, "where": True},
            {"softcap": 4.0, "sample_weight": True}, {"weight": True, "z_loss": 0.1, "softcap": 5.0, "where": True}]


def given_by(more, n_rows, n_classes, targets):
    """Those options; a mask leaves the targets in."""
    given = {key: value for key, value in options("where", n_rows, n_classes, more).items() if key in more}
    if "where" in more:
        np.put_along_axis(given["where"], np.maximum(targets, 0)[:, None], True, -1)
    return given


# ---- values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 7, 70, 500, 2100])
def test_with_every_option(level, n_classes, dtype):
    rng = np.random.default_rng(0)
    for axis, more, gamma in zip(itertools.cycle((0, 1)), COMBINED, itertools.cycle(GAMMAS), strict=False):
        x = (rng.standard_normal((40, n_classes)) * 3).astype(dtype)
        t = rng.integers(0, n_classes, 40)
        t[5] = -100
        given = given_by(more, 40, n_classes, t)
        moved = {**given, "where": given["where"].T} if "where" in given and axis == 0 else given
        for reduction in ("mean", "sum", "none"):
            loss, grad = BOTH(x.T if axis == 0 else x, t, axis=axis, focal_gamma=gamma, reduction=reduction, **moved)
            want = reference.cross_entropy(x, t, focal_gamma=gamma, reduction=reduction, **given)
            loss_dtype = np.float64 if dtype == np.float64 else np.float32
            scale = 40 if reduction == "sum" else 1
            assert np.all(np.abs(loss - want[0]) <= focal_bound(twin_bound(want[0] / scale, loss_dtype) * scale, gamma))
            assert np.all(np.abs((grad.T if axis == 0 else grad).astype(np.float64) - want[1])
                          <= focal_bound(twin_bound(want[1], dtype), gamma))


@needs_long_double
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("wide")])
def test_accuracy(case, dtype):
    """Of confident and of hopeless rows, as of others."""
    x, t = logits_of(case, dtype, 16)
    plain, slopes = exact_loss(x, t), exact_grad(x, t)
    q, p = -np.expm1(-plain), np.exp(-plain)
    for gamma in GAMMAS:
        factor = np.exp(np.longdouble(gamma) * np.log(q))
        slope = factor * (1 + gamma * p / q * plain)
        loss, grad = BOTH(x, t, focal_gamma=gamma, reduction="none")
        check_flushed(loss, factor * plain, focal_bound(LOSS[dtype], gamma), dtype)
        check_flushed(grad, slope[:, None] * slopes, focal_bound(GRADIENT[dtype], gamma), dtype)


def exact(x, t, gamma):
    """(loss, gradient, Hessian's diagonal) of one row to fifty digits, the derivatives by differences."""
    def loss(*logits):
        powers = [mpmath.exp(logit) for logit in logits]
        q = mpmath.fsum(power for cls, power in enumerate(powers) if cls != t) / mpmath.fsum(powers)
        return -(q ** mpmath.mpf(gamma)) * mpmath.log(1 - q)

    logits = [mpmath.mpf(float(logit)) for logit in x]
    orders = np.eye(len(x), dtype=int)
    return (loss(*logits), [mpmath.diff(loss, logits, tuple(order.tolist())) for order in orders],
            [mpmath.diff(loss, logits, tuple((2 * order).tolist())) for order in orders])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 3.5])
def test_derivatives(level, gamma):
    """Against differences of fifty digits: nothing of the formulas is used."""
    rng = np.random.default_rng(2)
    for n_classes, margin in itertools.product((2, 3, 5), (-12.0, -2.5, 0.0, 1.5, 14.0)):
        x = rng.standard_normal(n_classes)
        x[0] += margin
        with mpmath.workdps(60):
            loss, grad, hess = exact(x, 0, gamma)
        got = [xf.softmax_cross_entropy(x, 0, focal_gamma=gamma), *CURVED(x, 0, focal_gamma=gamma)]
        assert np.isclose(got[0], float(loss), rtol=FOCAL, atol=0)
        np.testing.assert_allclose(got[1], np.array(grad, float), rtol=FOCAL)
        np.testing.assert_allclose(got[2], np.array(hess, float), rtol=FOCAL, atol=FOCAL * np.abs(got[1]).max())


def test_autograd():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, t, w = rng.standard_normal((30, 12)) * 4, rng.integers(0, 12, 30), rng.random(12)
    logits = torch.from_numpy(x).requires_grad_()
    plain = torch.nn.functional.cross_entropy(logits, torch.from_numpy(t), reduction="none")
    ((1 - torch.exp(-plain)) ** 2.0 * plain * torch.from_numpy(w)[t]).sum().backward()
    grad = xf.softmax_cross_entropy_grad(x, t, weight=w, focal_gamma=2.0, reduction="sum")
    np.testing.assert_allclose(grad, logits.grad.numpy(), rtol=FOCAL, atol=FOCAL)


@needs_long_double
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 33, 500, 2100])
def test_hessian(level, n_classes, dtype):
    """Against the twin, in ulp of the sum of what is added; of classes, targets or not, that have nearly all as well."""
    rng = np.random.default_rng(4)
    x = (rng.standard_normal((12, n_classes)) * 2).astype(dtype)
    t = rng.integers(0, n_classes, 12)
    x[0, t[0]] += 25                                            # a confident row …
    x[1, t[1] - 1] += 25                                        # … and a hopeless one
    for gamma in GAMMAS:
        want, sizes = reference.softmax_hessian(x, t, gamma, np.longdouble)
        grad, hess = CURVED(x, t, focal_gamma=gamma)
        near = np.abs(hess - want) <= focal_bound(GRADIENT[dtype] + HESSIAN, gamma) * ulp(sizes, dtype)
        assert np.all(near | (hess == 0) & (np.abs(want) < 1.001 * np.finfo(dtype).tiny))
        assert grad.tobytes() == xf.softmax_cross_entropy_grad(x, t, focal_gamma=gamma, reduction="sum").tobytes()
    assert (CURVED(x, t, focal_gamma=2.0)[1] < 0).any()


@pytest.mark.parametrize("gamma", GAMMAS)
def test_two_classes_are_a_sigmoid(gamma):
    z = np.concatenate([np.linspace(-40, 40, 161), [-300, 300]])
    x = np.stack([np.zeros_like(z), z], -1)
    loss, grad = BOTH(x, np.ones(len(z), int), focal_gamma=gamma, reduction="none")
    want, slope = xf.sigmoid_cross_entropy_value_and_grad(z, 1, focal_gamma=gamma, reduction="none")
    np.testing.assert_allclose(loss, want, rtol=FOCAL)
    np.testing.assert_allclose(grad, np.stack([-slope, slope], -1), rtol=FOCAL)
    hess = CURVED(x, np.ones(len(z), int), focal_gamma=gamma)[1]
    curve = xf.sigmoid_cross_entropy_grad_hess(z, 1, focal_gamma=gamma)[1]
    np.testing.assert_allclose(hess, np.stack([curve, curve], -1), rtol=FOCAL, atol=FOCAL * 1e-3)


# ---- edges


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [3, 40, 2100])
def test_zero_is_the_plain_loss(n_classes, dtype):
    x, t = problem(37, n_classes, dtype)
    want = by_every_route(x, t)
    hess = [part.tobytes() for part in CURVED(x, t)]
    for zero in (0.0, -0.0, 0, np.float32(0), False):
        assert by_every_route(x, t, focal_gamma=zero) == want
        assert [part.tobytes() for part in CURVED(x, t, focal_gamma=zero)] == hess
        assert xf.softmax_cross_entropy(x, t, focal_gamma=zero, label_smoothing=0.1) is not None
        assert np.isnan(xf.softmax_cross_entropy(x, x, focal_gamma=zero))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [1e-300, 0.3, 2.0, 1e5, 1.7e308])
def test_edges(level, gamma, dtype):
    tail = np.full(60, -5.0)
    for rest in (tail[:0], tail):
        x = np.array([[0, -INF, 3, *rest], [NAN, 0, 0, *rest], [0, INF, 0, *rest], [1e4, 0, 0, *rest], [0, 1e4, 0, *rest],
                      [5, -INF, -INF, *rest * INF]], dtype)
        t = [1, 0, 0, 0, 0, 0]
        with np.errstate(all="raise"):
            loss, grad = BOTH(x, t, focal_gamma=gamma, reduction="none")
            again, hess = CURVED(x, t, focal_gamma=gamma)
        assert loss[:5].tolist()[0] == INF and np.isnan(loss[1:3]).all() and loss[3] == 0 and loss[5] == 0
        # A target of −inf has q = 1: whatever γ is, the factor is 1.
        np.testing.assert_array_equal(grad[0], xf.softmax_cross_entropy_grad(x[:1], t[:1])[0])
        assert np.isnan(grad[1:3]).all() and np.isnan(hess[1:3]).all() and not grad[3].any() and not grad[5].any()
        assert loss[4] == 1e4 and grad[4, :2].tolist() == [-1, 1] and not hess[3:].any() and not np.isnan(hess[0]).any()
        assert again.tobytes() == grad.tobytes()
    assert xf.softmax_cross_entropy(np.ones((2, 1), dtype), [0, 0], focal_gamma=gamma) == 0
    where = np.array([[True, False, True]])
    loss, grad = BOTH(np.zeros((1, 3), dtype), [1], where=where, focal_gamma=gamma, reduction="none")
    assert loss == INF and grad.tolist() == [[0.5, 0, 0.5]]
    assert BOTH(np.zeros((2, 3), dtype), [-100, -100], focal_gamma=gamma, empty=7.0)[0] == 7


def test_the_mean_is_over_the_plain_weights():
    x, t, w = np.zeros((4, 2)), [0, 1, 1, -100], [1.0, 3.0]
    assert np.isclose(xf.softmax_cross_entropy(x, t, weight=w, focal_gamma=2.0), 0.25 * np.log(2), rtol=FOCAL)


def test_z_loss_is_not_focal():
    x, t = problem(5, 30, np.float64)
    z = {"z_loss": 0.1, "reduction": "none"}
    extra = xf.softmax_cross_entropy(x, t, **z) - xf.softmax_cross_entropy(x, t, reduction="none")
    got = xf.softmax_cross_entropy(x, t, focal_gamma=2.0, **z) - xf.softmax_cross_entropy(x, t, focal_gamma=2.0, reduction="none")
    np.testing.assert_allclose(got, extra, rtol=FOCAL)


# ---- bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [1, 2, 33, 97, 385, 2049, 5000])
def test_levels_threads_and_routes(use_level, n_classes, dtype):
    logits, targets = problem(37, n_classes, dtype)
    for more, gamma in zip(COMBINED, itertools.cycle(GAMMAS), strict=False):
        given = given_by(more, 37, n_classes, targets)
        seen, curved = set(), set()
        for level, n_threads in itertools.product(LEVELS, THREADS if n_classes in (97, 5000) else (1, 3)):
            use_level(level)
            seen.add(by_every_route(logits, targets, focal_gamma=gamma, reduction="none", n_threads=n_threads, **given))
            if not {"z_loss", "logit_scale", "softcap"} & set(given):
                grad, hess = CURVED(logits, targets, focal_gamma=gamma, n_threads=n_threads, **given)
                curved.add(grad.tobytes() + hess.tobytes())
        assert len(seen) == 1 and len(curved) <= 1, more


@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_and_class_axis(dtype):
    for n_classes in (3, 97, 2100):
        logits, targets = problem(90, n_classes, dtype)
        want = by_every_route(logits, targets, focal_gamma=2.0, reduction="none")
        assert {by_every_route(x, targets, focal_gamma=2.0, reduction="none") for x in layouts(logits)} == {want}
        moved = np.ascontiguousarray(np.moveaxis(logits.reshape(9, 10, n_classes), -1, 1))
        loss, grad = BOTH(moved, targets.reshape(9, 10), axis=1, focal_gamma=2.0, reduction="none")
        assert (loss.tobytes(), np.moveaxis(grad, 1, -1).tobytes()) == want


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_results(dtype):
    """A row's classes in several places: the bits of the whole."""
    chunk = 2048 if dtype == np.float32 else 1024
    logits, targets = problem(9, 2 * chunk + 77, dtype)
    for more in COMBINED[:3]:
        given = {key: value for key, value in given_by(more, 9, logits.shape[1], targets).items() if key != "z_loss"}
        all_options = {"focal_gamma": 2.0, **{key: value for key, value in more.items() if key == "z_loss"}, **given}
        common = {"n_classes": logits.shape[1]}
        parts = [xf.softmax_cross_entropy_partial(logits[:, start:stop], targets, first_class=start, **common, **given)
                 for start, stop in ((0, chunk), (chunk, logits.shape[1]))]
        joined = np.concatenate(parts, -2)
        loss = xf.softmax_cross_entropy_combine(joined, targets, reduction="none", **common, **all_options)
        grads = [xf.softmax_cross_entropy_combine_grad(joined, logits[:, start:stop], targets, first_class=start,
                                                       reduction="none", **common, **all_options)
                 for start, stop in ((0, chunk), (chunk, logits.shape[1]))]
        want = BOTH(logits, targets, reduction="none", **all_options)
        assert loss.tobytes() == want[0].tobytes() and np.concatenate(grads, -1).tobytes() == want[1].tobytes()


# ---- errors

X, T = np.zeros((3, 10), np.float32), np.zeros(3, int)


@pytest.mark.parametrize(("targets", "given", "error", "message"), [
    (T, {"focal_gamma": -1}, ValueError, "focal_gamma is -1.0; expected a finite number of at least 0"),
    (T, {"focal_gamma": INF}, ValueError, "focal_gamma is inf; expected a finite number"),
    (T, {"focal_gamma": NAN}, ValueError, "focal_gamma is nan; expected a finite number"),
    (T, {"focal_gamma": "2"}, TypeError, "focal_gamma is '2'; expected a number"),
    (T, {"focal_gamma": [1, 2]}, TypeError, "focal_gamma is [1, 2]; expected a number"),
    (X, {"focal_gamma": 2}, ValueError, "focal_gamma is 2.0 and targets are soft; expected class indices, or focal_gamma=0"),
    (T, {"focal_gamma": 0.5, "label_smoothing": 0.1}, ValueError,
     "focal_gamma is 0.5 and label_smoothing is 0.1; expected one of them to be 0: the focal loss has the probability of one"),
])
def test_errors(targets, given, error, message):
    part = xf.softmax_cross_entropy_partial(X, targets, first_class=0, n_classes=10)
    records = {"partials": part, "targets": None if targets is X else targets, "n_classes": 10}
    for call in (lambda: xf.softmax_cross_entropy(X, targets, **given),
                 lambda: xf.softmax_cross_entropy_grad(X, targets, **given),
                 lambda: BOTH(X, targets, **given), lambda: CURVED(X, targets, **given),
                 lambda: xf.softmax_cross_entropy_combine(**records, **given),
                 lambda: xf.softmax_cross_entropy_combine_grad(part, X, targets, first_class=0, n_classes=10, **given),
                 lambda: xf.linear_cross_entropy(X, np.ones((10, 10), np.float32), targets, **given),
                 lambda: xf.linear_cross_entropy_value_and_grad(X, np.ones((10, 10), np.float32), targets, **given)):
        with pytest.raises(error, match=re.escape(message)):
            call()
    with pytest.raises(TypeError, match="focal_gamma"):
        xf.perplexity(X, T, focal_gamma=2.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gamma", [1e4, 1e16, 1e300])
def test_a_gamma_of_any_size(level, gamma, dtype):
    """(1 − p_t)^γ is 0 where that is, and not 0 times infinity."""
    x = np.array([[0.0, 0.5], [30.0, -30.0], [-1.0, -1.0]], dtype)
    for targets in ([0, 0, 1], [1, 1, 0]):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, focal_gamma=gamma, reduction="none")
        _, hess = xf.softmax_cross_entropy_grad_hess(x, targets, focal_gamma=gamma)
        assert np.all(loss[[0, 2]] == 0) and np.all(grad[[0, 2]] == 0) and np.all(hess[[0, 2]] == 0)
        assert np.isfinite(loss).all() and np.isfinite(grad).all() and np.isfinite(hess).all()
