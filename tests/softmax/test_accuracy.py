"""Guarantee 2: within a few ulp of the exact result, on data that hurts others."""

import numpy as np
import pytest
from exact import CASES, check_flushed, exact_grad, exact_loss, exact_shifted, flushed, logits_of
from reference import cross_entropy, logsumexp, shaped, softmax
from tolerances import LARGEST_TERM, SOFTCAP_FLOAT64, gradient_bound, loss_bound, needs_long_double, slope_bound, ulp

import xentfast as xf

pytestmark = [pytest.mark.every_build, needs_long_double]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_integer_targets(on_every_level, case, dtype):
    x, targets = logits_of(case, dtype)
    loss, grad = on_every_level(lambda: xf.softmax_cross_entropy_value_and_grad(x, targets, reduction="none"))
    exact = flushed(exact_loss(x, targets), dtype)
    assert np.all(np.abs(loss - exact) <= loss_bound(exact, dtype) * ulp(exact, dtype))
    exact = flushed(exact_grad(x, targets), dtype)
    at_the_edge = np.abs(np.abs(exact_grad(x, targets)) / np.finfo(dtype).tiny - 1) < 1e-3
    error = np.abs(grad - exact) - gradient_bound(exact, dtype) * ulp(exact, dtype)
    assert np.all(at_the_edge | (error <= 0))
    assert not np.any((grad != 0) & (np.abs(grad) < np.finfo(dtype).tiny))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scale", [0.7, -1.3, 3.0])
def test_logit_scale(scale, case, dtype):
    """As if the products were exact: neither they nor a common offset cost anything."""
    x, targets = logits_of(case, dtype)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, logit_scale=scale, reduction="none")
    y = np.longdouble(scale) * (x.astype(np.longdouble) - x.max(1, keepdims=True).astype(np.longdouble))
    exact = exact_loss(y, targets)
    check_flushed(loss, exact, loss_bound(flushed(exact, dtype), dtype), dtype)
    exact = exact_grad(y, targets)
    check_flushed(grad, exact * scale, gradient_bound(exact, dtype), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("cap", "scale"), [(0.5, 0.3), (5.0, 1.0), (30.0, 1.0), (30.0, 0.3), (200.0, 1.0)])
def test_softcap(cap, scale, case, dtype):
    x, targets = logits_of(case, dtype)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, softcap=cap, logit_scale=scale, reduction="none")
    y, slope = shaped(x, scale, cap, dtype=np.longdouble)
    rounding = SOFTCAP_FLOAT64 * cap if dtype == np.float64 else 0.0
    exact = exact_loss(y, targets)
    check_flushed(loss, exact, loss_bound(flushed(exact, dtype), dtype) + rounding, dtype)
    exact = exact_grad(y, targets) * slope
    check_flushed(grad, exact, gradient_bound(flushed(exact, dtype), dtype) + rounding + slope_bound(slope, dtype), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("z_loss", [0.01, 1.0])
def test_z_loss(z_loss, case, dtype):
    """In ulp of the largest term of the sum. A factor moves a probability to where an ulp may be half as large, and leaves it
    its relative error."""
    x, targets = logits_of(case, dtype)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, z_loss=z_loss, reduction="none")
    p, lse = softmax(x, dtype=np.longdouble), logsumexp(x, dtype=np.longdouble, keepdims=True)
    plain, squares = exact_loss(x, targets), np.longdouble(z_loss) * lse[:, 0] ** 2
    bound = LARGEST_TERM[dtype]
    assert np.all(np.abs(loss - (plain + squares)) <= bound * ulp(np.maximum(plain, squares), dtype))
    plain, slopes = exact_grad(x, targets), 2 * np.longdouble(z_loss) * lse * p
    at_the_edge = np.abs(plain + slopes) < np.finfo(dtype).tiny * 1.001
    bound = gradient_bound(p, dtype) * np.maximum((np.abs(plain) + np.abs(slopes)) * np.finfo(dtype).eps, ulp(0, dtype))
    error = np.abs(grad - (plain + slopes)) - bound
    assert np.all(at_the_edge & (grad == 0) | (error <= 0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_softmax_family(on_every_level, case, dtype):
    x, _ = logits_of(case, dtype)
    probabilities, logarithms, sums = on_every_level(lambda: (xf.softmax(x), xf.log_softmax(x), xf.logsumexp(x)))
    exact = flushed(softmax(x, dtype=np.longdouble), dtype)
    at_the_edge = np.abs(softmax(x, dtype=np.longdouble) / np.finfo(dtype).tiny - 1) < 1e-3
    error = np.abs(probabilities - exact) - gradient_bound(exact, dtype) * ulp(exact, dtype)
    assert np.all(at_the_edge | (error <= 0))
    shifted, log_sum = exact_shifted(x)
    exact = flushed(shifted - log_sum, dtype)
    largest = np.maximum(np.abs(shifted), log_sum)
    assert np.all(np.abs(logarithms - exact) <= LARGEST_TERM[dtype] * ulp(largest, dtype))
    exact = logsumexp(x, dtype=np.longdouble)
    bound = LARGEST_TERM[dtype]
    assert np.all(np.abs(sums - exact) <= bound * ulp(np.maximum(np.abs(x.max(1)), np.abs(exact)), dtype))


# On both sides of where a reference is a power of two, in units of that limit's upper end: 266, and 2 112.
PLACES = [0, 0.1, 0.6, 0.98, 1.0, 1.02, 5, -0.2, -0.49, -0.5, -0.51, -1, -40]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [3, 50])
@pytest.mark.parametrize("place", PLACES)
def test_elements_of_any_size_at_any_offset(on_every_level, place, spread, dtype):
    """A bound without the element's size in it: no difference of logits is rounded before it is exponentiated."""
    rng = np.random.default_rng(13)
    x = (rng.standard_normal((48, 2500)) * spread + place * (266 if dtype == np.float32 else 2112)).astype(dtype)
    t = rng.integers(0, 2500, 48)
    probabilities, loss, grad = on_every_level(lambda: (xf.softmax(x), *xf.softmax_cross_entropy_value_and_grad(
        x, t, reduction="none")))
    exact = softmax(x, dtype=np.longdouble)
    check_flushed(probabilities, exact, gradient_bound(exact, dtype), dtype)
    exact = exact_grad(x, t)
    check_flushed(grad, exact, gradient_bound(exact, dtype), dtype)
    exact = exact_loss(x, t)
    check_flushed(loss, exact, loss_bound(exact, dtype), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("case", CASES)
def test_soft_targets_and_smoothing(on_every_level, case, smoothing, dtype):
    """In ulp of the largest term of the sum."""
    x, targets = logits_of(case, dtype)
    rng = np.random.default_rng(2)
    soft = rng.dirichlet(np.ones(x.shape[1]), len(x)).astype(dtype)
    for t in (soft, targets) if smoothing else (soft,):
        loss, grad = on_every_level(lambda t=t: xf.softmax_cross_entropy_value_and_grad(
            x, t, label_smoothing=smoothing, reduction="none"))
        shifted = x.astype(np.longdouble) - x.max(1, keepdims=True).astype(np.longdouble)
        exact, exact_g = cross_entropy(shifted, t, label_smoothing=smoothing, reduction="none", dtype=np.longdouble)
        bound = LARGEST_TERM[dtype]
        assert np.all(np.abs(loss - exact) <= bound * ulp(exact, dtype))
        mass = np.abs(exact_g) + softmax(shifted, dtype=np.longdouble)
        assert np.all(np.abs(grad - exact_g) <= gradient_bound(mass, dtype) * ulp(mass, dtype))


def test_confident_losses_do_not_vanish(level):
    """Margins to 87: the loss is e^(−margin), where others give 0."""
    for margin in (1.0, 20.0, 50.0, 87.0):
        x = np.array([[margin, 0.0]], np.float32)
        exact = np.log1p(np.exp(-np.longdouble(margin)))
        loss = xf.softmax_cross_entropy(x, [0])
        assert abs(loss - exact) <= 2 * ulp(exact, np.float32)
        assert xf.softmax_cross_entropy(np.array([[88.0, 0.0]], np.float32), [0]) == 0


def test_equal_terms_do_not_drift(level):
    """Lanes that add the same number again and again round the same way every time."""
    for gap in np.linspace(0.05, 0.69, 40):
        for n_classes in (256, 1000, 2048, 30_000):
            x = np.full((1, n_classes), -gap, np.float32)
            x[0, 0] = 12.0
            x[0, 5] = 0.0
            exact = exact_loss(x, np.array([0]))
            loss = xf.softmax_cross_entropy(x, [0])
            assert abs(loss - exact[0]) <= (2 + np.log(n_classes)) * ulp(exact[0], np.float32)


def test_row_weights_lift_tiny_probabilities(level):
    """weight·p is a normal number though p is not (float32)."""
    x = np.array([[0.0, -95.0, 3.0]], np.float32)
    grad = xf.softmax_cross_entropy_grad(x, [0], sample_weight=[2.0**40], reduction="sum")
    exact = np.ldexp(softmax(x, dtype=np.longdouble)[0, 1], 40)
    assert abs(grad[0, 1] - exact) <= gradient_bound(exact / 2.0**40, np.float32) * ulp(exact, np.float32)


def test_mean_over_many_rows(level):
    """The mean of 300 000 losses is as exact as one."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((300_000, 2))
    t = rng.integers(0, 2, len(x))
    exact = exact_loss(x, t).mean()
    assert abs(xf.softmax_cross_entropy(x, t) - exact) <= 4 * ulp(exact, np.float64)


def test_a_target_without_weight(level):
    """Smoothing leaves it mass 0: its gradient p·Σ masses is no difference of larger numbers."""
    x = np.array([[5.0, 31.0, -2.0, 0.5] * 20])
    weight = np.where(np.arange(80) == 0, 0.0, np.arange(80) % 5 / 4)
    for dtype in (np.float32, np.float64):
        grad = xf.softmax_cross_entropy_grad(x.astype(dtype), [0], weight=weight, label_smoothing=0.1, reduction="none")
        exact = softmax(x, dtype=np.longdouble)[0, 0] * (np.longdouble(0.1) / 80 * weight).sum()
        assert abs(grad[0, 0] - exact) <= (gradient_bound(exact, dtype) + 1) * ulp(exact, dtype)


@pytest.mark.parametrize("size", [1e17, 1e60, 1e200, 8.9e307])
def test_logits_of_any_size(level, size):
    """What differences of logits lose to rounding is no exponent: three rows, of which each has such a difference."""
    x = size * np.array([[1.0, -1e-9, -0.7] + [-0.1] * 40, [-0.3, 0.9, 1.0] + [0.3] * 40, [0.77, 0.770001, -0.91] + [0.1] * 40])
    for wide in (x, x[:, :3]):
        for targets in ([2, 0, 0], [0, 2, 1]):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(wide, targets, reduction="none", logit_scale=0.5)
            rows, top = np.arange(3), np.array([0, 2, 1])
            exact = (wide[rows, top].astype(np.longdouble) - wide[rows, targets]) / 2
            assert np.all(np.abs(loss - exact) <= 4 * ulp(exact, np.float64))
            assert np.array_equal(grad, np.equal.outer(top, range(wide.shape[1])) * 0.5 - 0.5 * np.eye(wide.shape[1])[targets])
