"""The packages that users come from give the same losses and gradients, and weights of the same distributions (extra `peers`)."""

import math

import numpy as np
import pytest
from scipy.special import kolmogorov
from tolerances import ORTHONORMAL, TWIN, linear_bound, usual, z_limit

import xentfast as xf

pytestmark = pytest.mark.extras

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


@pytest.mark.parametrize("given", [{}, {"bias": True}, {"label_smoothing": 0.1}, {"reduction": "sum", "bias": True}])
@pytest.mark.parametrize("memory_limit", [100_000, 2**26])
@pytest.mark.parametrize("case", CASES)
def test_torch_linear(case, memory_limit, given):
    """Both ways: its fused function, where it has one, and the loss of explicit logits."""
    torch = pytest.importorskip("torch")
    n_rows, n_classes = case
    rng = np.random.default_rng(n_classes)
    hidden, linear_weight, bias = (rng.standard_normal(shape).astype(np.float32) for shape in
                                   ((n_rows, 24), (n_classes, 24), n_classes))
    t = np.where(np.arange(n_rows) == 1, -100, rng.integers(0, n_classes, n_rows))
    given = dict(given)
    arrays = (hidden, linear_weight, bias) if given.pop("bias", False) else (hidden, linear_weight)
    loss, gradients = xf.linear_cross_entropy_value_and_grad(
        hidden, linear_weight, t, bias=bias if len(arrays) == 3 else None, memory_limit=memory_limit, **given)

    def explicit(hidden, linear_weight, targets, linear_bias=None, **options):
        logits = torch.nn.functional.linear(hidden, linear_weight, linear_bias)
        return torch.nn.functional.cross_entropy(logits, targets, **options)

    for function in (explicit, getattr(torch.nn.functional, "linear_cross_entropy", explicit)):
        tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
        options = given | {"linear_bias": tensors[2]} if len(tensors) == 3 else given
        want = function(*tensors[:2], torch.tensor(t), **options)
        want.backward()
        assert near(loss, want.item())
        for gradient, tensor in zip(gradients, tensors, strict=False):
            assert np.all(np.abs(gradient - tensor.grad.numpy()) <= linear_bound(gradient, np.float32, np.float32))


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


# ---- weights

KEYS = {"rng": 7, "name": "layer1/weight"}
SHAPES = [(2048, 512), (64, 256, 8, 8)]
PYTORCH = {"in_axis": 1, "out_axis": 0}


def check_same_distribution(ours, theirs):
    """Kolmogorov & Smirnov for two samples, at 2¹⁴ even points; and mean squares, which tell scales four thousandths apart."""
    ours, theirs = np.ravel(ours).astype(np.float64), np.ravel(theirs).astype(np.float64)
    n = ours.size
    assert theirs.size == n
    ends = min(ours.min(), theirs.min()), max(ours.max(), theirs.max())
    below = [np.cumsum(np.histogram(x, 2**14, ends)[0]) for x in (ours, theirs)]
    assert usual(kolmogorov(np.abs(below[0] - below[1]).max() / math.sqrt(2 * n)))
    squares = ours**2, theirs**2
    assert abs(squares[0].mean() - squares[1].mean()) <= z_limit() * math.sqrt((squares[0].var() + squares[1].var()) / n)


def check_orthonormal(matrix, gain):
    """The columns, or the rows where they are fewer."""
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, gain**2 * np.eye(matrix.shape[1]), rtol=0, atol=ORTHONORMAL)


def check_same_rotations(ours, theirs):
    """An element, and a sum over the diagonal, of many small orthonormal matrices."""
    check_same_distribution(ours[:, 0, 0], theirs[:, 0, 0])
    check_same_distribution(np.trace(ours, axis1=1, axis2=2), np.trace(theirs, axis1=1, axis2=2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("theirs", "their_options", "ours", "options"), [
    ("uniform_", {"a": -0.3, "b": 0.7}, "uniform", {"low": -0.3, "high": 0.7}),
    ("normal_", {"mean": 0.1, "std": 0.02}, "normal", {"mean": 0.1, "std": 0.02}),
    ("trunc_normal_", {}, "truncated_normal", {}),
    ("trunc_normal_", {"std": 0.02}, "truncated_normal", {"std": 0.02, "lower": -100, "upper": 100}),
    ("trunc_normal_", {"mean": 0.1, "std": 0.5, "a": -0.9, "b": 0.6}, "truncated_normal",
     {"mean": 0.1, "std": 0.5, "lower": -2, "upper": 1}),
    ("trunc_normal_", {"a": 1, "b": 3}, "truncated_normal", {"lower": 1, "upper": 3}),
    ("xavier_uniform_", {}, "xavier_uniform", PYTORCH),
    ("xavier_uniform_", {"gain": 5 / 3}, "xavier_uniform", PYTORCH | {"gain": 5 / 3}),
    ("xavier_normal_", {"gain": 0.5}, "xavier_normal", PYTORCH | {"gain": 0.5}),
    ("kaiming_uniform_", {"a": math.sqrt(5)}, "he_uniform", PYTORCH | {"nonlinearity": "leaky_relu", "param": math.sqrt(5)}),
    ("kaiming_uniform_", {"mode": "fan_out", "nonlinearity": "relu"}, "he_uniform", PYTORCH | {"mode": "fan_out"}),
    ("kaiming_uniform_", {"nonlinearity": "linear"}, "lecun_uniform", PYTORCH),
    ("kaiming_normal_", {"nonlinearity": "relu"}, "he_normal", PYTORCH),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}, "he_normal",
     PYTORCH | {"mode": "fan_out", "nonlinearity": "tanh"}),
    ("kaiming_normal_", {"nonlinearity": "linear"}, "lecun_normal", PYTORCH),
])
def test_torch_weights(theirs, their_options, ours, options, shape):
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(1)
    weights = getattr(torch.nn.init, theirs)(torch.empty(shape), **their_options, generator=generator)
    check_same_distribution(getattr(xf.init, ours)(shape, **options, **KEYS), weights.numpy())


@pytest.mark.parametrize("gain", [1.0, 1.5])
@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (40, 8, 3, 3), (100, 8, 3, 3)])
def test_torch_orthogonal(shape, gain):
    torch = pytest.importorskip("torch")
    weights = torch.nn.init.orthogonal_(torch.empty(shape), gain, generator=torch.Generator().manual_seed(1))
    for matrix in weights.numpy(), xf.init.orthogonal(shape, gain=gain, **PYTORCH, **KEYS):
        check_orthonormal(matrix.reshape(shape[0], -1), gain)


def our_rotations(n, shape, **axes):
    return np.stack([xf.init.orthogonal(shape, **axes, rng=7, name=str(i)) for i in range(n)])


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 4)])
def test_torch_rotations(shape):
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(1)
    theirs = np.stack([torch.nn.init.orthogonal_(torch.empty(shape), generator=generator).numpy() for _ in range(4096)])
    check_same_rotations(our_rotations(4096, shape, **PYTORCH), theirs)


@pytest.mark.parametrize("sparsity", [0.1, 0.9])
def test_torch_sparse(sparsity):
    """As many zeros in each column, and the same distribution in the other places."""
    torch = pytest.importorskip("torch")
    theirs = torch.nn.init.sparse_(torch.empty(1001, 700), sparsity, std=0.02, generator=torch.Generator().manual_seed(1)).numpy()
    ours = xf.init.sparse((1001, 700), sparsity=sparsity, std=0.02, **KEYS)
    assert np.array_equal(np.count_nonzero(ours, axis=0), np.count_nonzero(theirs, axis=0))
    check_same_distribution(ours[ours != 0], theirs[theirs != 0])


def test_torch_identities():
    torch = pytest.importorskip("torch")
    for shape in (4, 4), (3, 5), (5, 3):
        assert np.array_equal(xf.init.identity(shape), torch.nn.init.eye_(torch.empty(shape)).numpy())
    for shape, groups in ((6, 4, 3), 1), ((4, 6, 5), 2), ((6, 2, 3, 4), 3), ((4, 4, 2, 3, 3), 1), ((8, 3, 1, 1), 4):
        theirs = torch.nn.init.dirac_(torch.empty(shape), groups).numpy()
        assert np.array_equal(xf.init.dirac(shape, groups=groups, **PYTORCH), theirs)


@pytest.mark.parametrize(("nonlinearity", "param"), [
    *((name, None) for name in ("linear", "sigmoid", "tanh", "relu", "selu", "leaky_relu")),
    *(("leaky_relu", slope) for slope in (0, 0.2, math.sqrt(5), -0.1))])
def test_torch_gain(nonlinearity, param):
    torch = pytest.importorskip("torch")
    assert xf.init.gain(nonlinearity, param) == torch.nn.init.calculate_gain(nonlinearity, param)


@pytest.mark.parametrize("axes", [{}, PYTORCH])
@pytest.mark.parametrize(("theirs", "arguments", "ours", "options"), [
    ("glorot_uniform", (), "glorot_uniform", {}),
    ("he_uniform", (), "he_uniform", {}),
    ("lecun_uniform", (), "lecun_uniform", {}),
    ("glorot_normal", (), "variance_scaling", {"mode": "fan_avg"}),
    ("he_normal", (), "variance_scaling", {"scale": 2}),
    ("lecun_normal", (), "variance_scaling", {}),
    ("variance_scaling", (1, "fan_avg", "normal"), "glorot_normal", {}),
    ("variance_scaling", (2, "fan_in", "normal"), "he_normal", {}),
    ("variance_scaling", (1, "fan_in", "normal"), "lecun_normal", {}),
    *(("variance_scaling", (0.7, mode, distribution), "variance_scaling",
       {"scale": 0.7, "mode": mode, "distribution": distribution})
      for mode in ("fan_in", "fan_out", "fan_avg") for distribution in ("uniform", "normal", "truncated_normal")),
])
def test_jax_weights(theirs, arguments, ours, options, axes):
    jax = pytest.importorskip("jax")
    for seed, shape in enumerate([(512, 2048), (4, 8, 64, 512)]):
        weights = getattr(jax.nn.initializers, theirs)(*arguments, **axes)(jax.random.key(seed), shape)
        check_same_distribution(getattr(xf.init, ours)(shape, **options, **axes, **KEYS), weights)


@pytest.mark.parametrize(("theirs", "their_options", "ours", "options"), [
    ("uniform", {"scale": 0.5}, "uniform", {"high": 0.5}), ("normal", {"stddev": 0.02}, "normal", {"std": 0.02}),
    ("truncated_normal", {"stddev": 0.02}, "truncated_normal", {"std": 0.02}),
    ("truncated_normal", {"stddev": 0.02, "lower": -1, "upper": 3}, "truncated_normal", {"std": 0.02, "lower": -1, "upper": 3})])
def test_jax_distributions(theirs, their_options, ours, options):
    jax = pytest.importorskip("jax")
    weights = getattr(jax.nn.initializers, theirs)(**their_options)(jax.random.key(1), SHAPES[0])
    check_same_distribution(getattr(xf.init, ours)(SHAPES[0], **options, **KEYS), weights)


@pytest.mark.parametrize("shape", [(200, 300), (300, 200), (3, 3, 8, 40), (3, 3, 8, 100)])
def test_jax_orthogonal(shape):
    jax = pytest.importorskip("jax")
    for weights in jax.nn.initializers.orthogonal(1.5)(jax.random.key(1), shape), xf.init.orthogonal(shape, gain=1.5, **KEYS):
        check_orthonormal(np.asarray(weights).reshape(-1, shape[-1]), 1.5)


@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (3, 4)])
def test_jax_rotations(shape):
    jax = pytest.importorskip("jax")
    initialiser = jax.nn.initializers.orthogonal()
    theirs = jax.vmap(lambda key: initialiser(key, shape))(jax.random.split(jax.random.key(1), 4096))
    check_same_rotations(our_rotations(4096, shape), np.asarray(theirs))


# ---- sigmoid cross-entropy


ELEMENTS = [(), (7,), (33, 100), (4, 5, 6)]


def yes_or_no(shape, dtype=np.float32):
    rng = np.random.default_rng(3)
    return (rng.standard_normal(shape) * 5).astype(dtype), rng.integers(0, 2, shape), rng


@pytest.mark.parametrize("shape", ELEMENTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_binary(shape, dtype):
    torch = pytest.importorskip("torch")
    x, t, rng = yes_or_no(shape, dtype)
    x = np.asarray(x, dtype)
    given = {"pos_weight": rng.random(shape[-1:]).astype(dtype) * 3, "sample_weight": rng.random(shape).astype(dtype)
             if shape else dtype(0.5)}
    for targets in (t, rng.random(shape)):
        logits = torch.tensor(x, requires_grad=True)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, torch.tensor(np.asarray(targets, dtype)), torch.tensor(given["sample_weight"]),
            pos_weight=torch.tensor(given["pos_weight"].reshape(shape[-1:])), reduction="none")
        losses.sum().backward()
        got, grad = xf.sigmoid_cross_entropy_value_and_grad(x, targets, reduction="none", **given)
        assert near(got, losses.detach().numpy(), dtype) and near(grad, logits.grad.numpy(), dtype)


@pytest.mark.parametrize("shape", ELEMENTS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_optax_focal(shape, gamma):
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    x, t, rng = yes_or_no(shape)
    x = np.asarray(x, np.float32)

    def total(logits):
        return optax.losses.sigmoid_focal_loss(logits, jax.numpy.asarray(t, np.float32), gamma=gamma).sum()

    loss, grad = jax.value_and_grad(total)(jax.numpy.asarray(x))
    got, got_grad = xf.sigmoid_cross_entropy_value_and_grad(x, t, focal_gamma=gamma, reduction="sum")
    assert near(got, float(loss)) and near(got_grad, np.asarray(grad))


@pytest.mark.parametrize("shape", [(7,), (3000,)])
def test_scikit_learn_binary(shape):
    losses = pytest.importorskip("sklearn._loss.loss")
    x, t, rng = yes_or_no(shape, np.float64)
    sample_weight = rng.random(shape)
    peer = losses.HalfBinomialLoss()
    loss, grad = peer.loss_gradient(t.astype(float), x, sample_weight)
    assert near(xf.sigmoid_cross_entropy(x, t, sample_weight=sample_weight, reduction="none"), loss, np.float64)
    grad, hess = peer.gradient_hessian(t.astype(float), x, sample_weight)
    got, got_hess = xf.sigmoid_cross_entropy_grad_hess(x, t, sample_weight=sample_weight)
    assert near(got, grad, np.float64) and near(got_hess, hess, np.float64)
