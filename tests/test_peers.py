"""The packages that users come from give the same losses and gradients (extra `peers`)."""

import numpy as np
import pytest
from tolerances import TWIN

import xentfast as xf

CASES = [(1, 2), (64, 10), (33, 1000), (8, 5000)]


def data(n_rows, n_classes, dtype=np.float32):
    rng = np.random.default_rng(n_classes)
    return (rng.standard_normal((n_rows, n_classes)) * 3).astype(dtype), rng.integers(0, n_classes, n_rows), rng


def near(a, b, dtype=np.float32):
    return np.allclose(a, b, rtol=20 * TWIN[np.dtype(dtype)], atol=2 * TWIN[np.dtype(dtype)])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch(case, dtype):
    torch = pytest.importorskip("torch")
    x, t, rng = data(*case, dtype)
    t[0] = -100
    given = {"weight": rng.random(case[1]).astype(dtype), "label_smoothing": 0.1, "reduction": "sum"}
    logits = torch.tensor(x, requires_grad=True)
    cross_entropy = torch.nn.functional.cross_entropy
    loss = cross_entropy(logits, torch.tensor(t), torch.tensor(given["weight"]), reduction="sum", label_smoothing=0.1)
    loss.backward()
    got, grad = xf.softmax_cross_entropy_value_and_grad(x, t, **given)
    assert near(got, loss.item(), dtype) and near(grad, logits.grad.numpy(), dtype)
    soft = rng.dirichlet(np.ones(case[1]), case[0]).astype(dtype)
    assert near(xf.softmax_cross_entropy(x, soft), cross_entropy(torch.tensor(x), torch.tensor(soft)).item(), dtype)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_optax(case):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    x, t, _ = data(*case)

    def mean(logits):
        return optax.softmax_cross_entropy_with_integer_labels(logits, t).mean()

    loss, grad = jax.value_and_grad(mean)(jax.numpy.asarray(x))
    got, got_grad = xf.softmax_cross_entropy_value_and_grad(x, t)
    assert near(got, float(loss)) and near(got_grad, np.asarray(grad))


@pytest.mark.parametrize("case", CASES)
def test_scikit_learn(case):
    losses = pytest.importorskip("sklearn._loss.loss")
    x, t, rng = data(*case, np.float64)
    sample_weight = rng.random(len(x))
    loss, grad = losses.HalfMultinomialLoss(n_classes=case[1]).loss_gradient(t.astype(float), x, sample_weight)
    got, got_grad = xf.softmax_cross_entropy_value_and_grad(x, t, sample_weight=sample_weight, reduction="none")
    assert near(got, loss, np.float64) and near(got_grad, grad, np.float64)
