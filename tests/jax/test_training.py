"""A network that learns by xentfast.jax is the one that learns by optax's loss."""

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
pytest.importorskip("ml_dtypes")
from jax_cases import check_bits  # noqa: E402
from tolerances import TRAINED_LOSSES  # noqa: E402

import xentfast.jax  # noqa: E402

pytestmark = pytest.mark.extras

jnp = jax.numpy
STEPS = 20


def ours(logits, targets):
    return xentfast.jax.softmax_cross_entropy(logits, targets)


def theirs(logits, targets):
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


def trained(cross_entropy, dtype, jit=True):
    """Losses of each step and the last weights, of a network with a hidden layer."""
    rng = np.random.default_rng(7)
    x, targets = jnp.asarray(rng.standard_normal((64, 8)).astype(dtype)), jnp.asarray(rng.integers(0, 5, 64), np.int32)
    weights = [jnp.asarray((rng.standard_normal(shape) / 3).astype(dtype)) for shape in ((8, 16), (16, 5))]

    def step(weights):
        def loss(weights):
            return cross_entropy(jnp.tanh(x @ weights[0]) @ weights[1], targets)
        value, grads = jax.value_and_grad(loss)(weights)
        return [weight - dtype(0.5) * grad for weight, grad in zip(weights, grads, strict=True)], value

    step = jax.jit(step) if jit else step
    losses = []
    for _ in range(STEPS):
        weights, value = step(weights)
        losses.append(value)
    return np.array(losses), [np.asarray(weight) for weight in weights]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_weights_as_by_optax(dtype, x64_for):
    x64_for(dtype)
    tolerance = TRAINED_LOSSES[np.dtype(dtype).name]
    losses, weights = trained(ours, dtype)
    want, their_weights = trained(theirs, dtype)
    assert losses[-1] < 0.8 * losses[0]
    np.testing.assert_allclose(losses, want, rtol=tolerance)
    for one, other in zip(weights, their_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def test_again_to_the_bit():
    (losses, weights), (again, same) = trained(ours, np.float32), trained(ours, np.float32)
    check_bits((losses, *weights), (again, *same))


def test_first_step_with_and_without_jit():
    """Of the loss and its gradient alone: XLA compiles products and sums around them in another way under jit."""
    rng = np.random.default_rng(7)
    logits, targets = rng.standard_normal((64, 5)).astype(np.float32), rng.integers(0, 5, 64)
    step = jax.value_and_grad(ours)
    for _ in range(STEPS):
        (value, grad), compiled = step(logits, targets), jax.jit(step)(logits, targets)
        check_bits((value, grad), compiled)
        logits = logits - np.float32(0.5) * np.asarray(grad)
