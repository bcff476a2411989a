"""Every function against its ten-line NumPy twin, over the awkward sizes and all options."""

import itertools

import numpy as np
import pytest
import reference
from tolerances import TWIN

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

AWKWARD = [1, 2, 3, 5, 7, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 1025, 2050]
DTYPES = [np.float32, np.float64]


def close(got, want, dtype):
    scale = np.maximum(np.abs(want), 1.0)
    return np.all(np.abs(got - want) <= TWIN[np.dtype(dtype)] * scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", AWKWARD)
def test_sizes(level, n_classes, dtype):
    rng = np.random.default_rng(n_classes)
    for n_rows in (1, 2, 31, 32, 33, 65):
        x = (rng.standard_normal((n_rows, n_classes)) * 3).astype(dtype)
        t = rng.integers(0, n_classes, n_rows)
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t)
        want_loss, want_grad = reference.cross_entropy(x, t)
        assert close(loss, want_loss, dtype) and close(grad * n_rows, want_grad * n_rows, dtype)
        assert close(xf.softmax(x), reference.softmax(x), dtype)
        assert close(xf.log_softmax(x), reference.log_softmax(x), dtype)
        assert close(xf.logsumexp(x), reference.logsumexp(x), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [4, 70, 2050])
def test_every_combination_of_options(n_classes, soft, dtype):
    rng = np.random.default_rng(5)
    x = (rng.standard_normal((3, 11, n_classes)) * 3).astype(dtype)
    t = rng.random(x.shape) if soft else rng.integers(0, n_classes, (3, 11))
    if not soft:
        t[1, 4] = -100
    weights = (None, rng.random(n_classes) + 0.1)
    sample_weights = (None, rng.integers(-1, 4, (3, 11)).astype(float))
    for weight, sample_weight, smoothing, reduction in itertools.product(
            weights, sample_weights, (0.0, 0.2, 1.0), ("mean", "sum", "none")):
        given = {"weight": weight, "sample_weight": sample_weight, "label_smoothing": smoothing, "reduction": reduction}
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, **given)
        want_loss, want_grad = reference.cross_entropy(x, t, **given)
        assert close(loss, want_loss, dtype) or reduction == "sum" and close(loss / 33, want_loss / 33, dtype)
        assert close(grad, want_grad, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_axes(dtype):
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3, 4, 5, 6)).astype(dtype)
    for axis in (0, 1, 2, 3, -1, -3):
        t = rng.integers(0, x.shape[axis], np.delete(x.shape, axis))
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, axis=axis)
        want_loss, want_grad = reference.cross_entropy(x, t, axis=axis)
        assert close(loss, want_loss, dtype) and close(grad, want_grad, dtype)
        assert close(xf.softmax(x, axis), reference.softmax(x, axis), dtype)
    for axis in ((0, 1), (3, 1), (0, 2, 3), (0, 1, 2, 3), None, (-1,), (0, -1)):
        assert close(xf.softmax(x, axis), reference.softmax(x, axis), dtype)
        assert close(xf.log_softmax(x, axis), reference.log_softmax(x, axis), dtype)
        for keepdims in (False, True):
            got, want = xf.logsumexp(x, axis, keepdims=keepdims), reference.logsumexp(x, axis, keepdims=keepdims)
            assert got.shape == want.shape and close(got, want, dtype)


def test_scipy_agrees():
    special = pytest.importorskip("scipy.special")
    x = np.random.default_rng(7).standard_normal((20, 30)) * 10
    assert close(xf.softmax(x), special.softmax(x, axis=-1), np.float64)
    assert close(xf.log_softmax(x), special.log_softmax(x, axis=-1), np.float64)
    assert close(xf.logsumexp(x), special.logsumexp(x, axis=-1), np.float64)
    edges = np.array([[np.inf, 1.0], [-np.inf, -np.inf], [-np.inf, 2.0], [np.nan, np.inf], [np.inf, np.inf]])
    assert np.array_equal(xf.logsumexp(edges), special.logsumexp(edges, axis=-1), equal_nan=True)


def test_gradient_by_differences():
    """The gradient is that of the loss, options and all."""
    rng = np.random.default_rng(8)
    x, t = rng.standard_normal((4, 5)), rng.integers(0, 5, 4)
    given = {"weight": rng.random(5), "sample_weight": rng.random(4), "label_smoothing": 0.1}
    grad = xf.softmax_cross_entropy_grad(x, t, **given)
    step = 1e-6
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += step
        down[index] -= step
        slope = (xf.softmax_cross_entropy(up, t, **given) - xf.softmax_cross_entropy(down, t, **given)) / (2 * step)
        assert abs(grad[index] - slope) < 1e-8
