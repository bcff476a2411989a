"""Properties that hold for any input (hypothesis)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import TWIN, gradient_bound, loss_bound, ulp

import xentfast as xf

pytestmark = pytest.mark.every_build

settings.register_profile("suite", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("suite")

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 140))
DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 2**32 - 1)


def draw(shape, dtype, seed, spread=4):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) * spread).astype(dtype), rng.integers(0, shape[1], shape[0]), rng


@given(SHAPES, DTYPES, SEEDS)
def test_gradient_rows_sum_to_zero(shape, dtype, seed):
    x, t, _ = draw(shape, dtype, seed)
    grad = xf.softmax_cross_entropy_grad(x, t, reduction="sum", label_smoothing=0.1)
    assert np.abs(grad.sum(1, dtype=np.float64)).max() <= TWIN[np.dtype(dtype)] * 2


@given(SHAPES, DTYPES, SEEDS, st.integers(-20, 20))
def test_a_shift_changes_nothing(shape, dtype, seed, shift):
    """But roundings, where the shift itself is exact."""
    x, t, _ = draw(shape, dtype, seed)
    x = np.round(x * 64) / dtype(64)
    a = xf.softmax_cross_entropy_value_and_grad(x, t, reduction="none")
    b = xf.softmax_cross_entropy_value_and_grad(x + dtype(shift), t, reduction="none")
    assert np.all(np.abs(a[0] - b[0]) <= 2 * loss_bound(a[0], dtype) * ulp(a[0], dtype))
    assert np.all(np.abs(a[1] - b[1]) <= 2 * gradient_bound(a[1], dtype) * ulp(a[1], dtype))


@given(SHAPES, DTYPES, SEEDS)
def test_permuting_rows_permutes_results(shape, dtype, seed):
    x, t, rng = draw(shape, dtype, seed)
    order = rng.permutation(len(x))
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, reduction="none")
    again, grad_again = xf.softmax_cross_entropy_value_and_grad(x[order], t[order], reduction="none")
    assert loss[order].tobytes() == again.tobytes() and grad[order].tobytes() == grad_again.tobytes()


@given(SHAPES, DTYPES, SEEDS)
def test_permuting_classes_permutes_the_gradient(shape, dtype, seed):
    x, t, rng = draw(shape, dtype, seed)
    order = rng.permutation(shape[1])
    place = np.argsort(order)
    grad = xf.softmax_cross_entropy_grad(x, t, reduction="none")
    again = xf.softmax_cross_entropy_grad(x[:, order], place[t], reduction="none")
    assert np.allclose(grad[:, order], again, rtol=TWIN[np.dtype(dtype)], atol=TWIN[np.dtype(dtype)])


@given(SHAPES, DTYPES, SEEDS)
def test_integer_and_one_hot_targets_agree(shape, dtype, seed):
    x, t, rng = draw(shape, dtype, seed)
    hot = np.eye(shape[1], dtype=dtype)[t]
    options = {"weight": rng.random(shape[1]) + 0.1, "sample_weight": rng.random(shape[0]) + 0.1, "label_smoothing": 0.2}
    a = xf.softmax_cross_entropy_value_and_grad(x, t, **options)
    b = xf.softmax_cross_entropy_value_and_grad(x, hot, **options)
    assert all(np.allclose(p, q, rtol=10 * TWIN[np.dtype(dtype)], atol=TWIN[np.dtype(dtype)]) for p, q in zip(a, b, strict=True))


@given(SHAPES, DTYPES, SEEDS)
def test_softmax_is_a_distribution(shape, dtype, seed):
    x, _, _ = draw(shape, dtype, seed, spread=30)
    p = xf.softmax(x)
    assert np.all(p >= 0) and np.all(np.abs(p.sum(1, dtype=np.float64) - 1) <= TWIN[np.dtype(dtype)])
    assert np.array_equal(p.argmax(1), x.argmax(1))
    assert np.all(xf.log_softmax(x) <= 0) and np.all(xf.logsumexp(x) >= x.max(1))


@given(SHAPES, DTYPES, SEEDS)
def test_losses_are_not_negative(shape, dtype, seed):
    x, t, _ = draw(shape, dtype, seed, spread=60)
    losses = xf.softmax_cross_entropy(x, t, reduction="none")
    assert np.all(losses >= 0)
    grad = xf.softmax_cross_entropy_grad(x, t, reduction="none")
    assert np.all(grad[np.arange(len(t)), t] <= 0)
