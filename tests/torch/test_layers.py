"""init_module knows what PyTorch's layers are: the variance of the values is that of each group, gate, query, key and value; tied
weights and embeddings, norms, weight norms, whatever the order and the names."""

from functools import partial

import numpy as np
import pytest
from tolerances import z_limit

import xentfast as xf

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from torch_cases import DTYPES, name_of  # noqa: E402

import xentfast.torch  # noqa: E402
from xentfast.torch._tensors import array_of  # noqa: E402

pytestmark = pytest.mark.extras

nn, init_module = torch.nn, xentfast.torch.init_module
MODES = {"fan_in": 2.0, "fan_out": 2.0, "fan_avg": 2.0}
LINEAR, TRANSPOSED = {"in_axis": 1, "out_axis": 0}, {"in_axis": 0, "out_axis": 1}


def has_variance(tensor, variance):
    """Of normal values of mean 0: their mean square's standard deviation is √(2/n)·variance."""
    n = tensor.numel()
    square = np.square(array_of(tensor).astype(np.float64)).mean()
    return abs(square / variance - 1) < z_limit() * (2 / n) ** 0.5


def fan_of(mode, fan_in, fan_out):
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]


# (module, name of a parameter, (fan_in, fan_out): how many products one output adds, how many outputs one input reaches)
FANS = [
    (nn.Conv2d(32, 64, 3), "weight", (32 * 9, 64 * 9)),
    (nn.Conv2d(32, 64, 3, groups=8), "weight", (4 * 9, 8 * 9)),
    (nn.Conv1d(96, 96, 5, groups=96), "weight", (5, 5)),
    (nn.Conv3d(16, 32, 3, groups=2), "weight", (8 * 27, 16 * 27)),
    (nn.ConvTranspose2d(32, 64, 3), "weight", (32 * 9, 64 * 9)),
    (nn.ConvTranspose2d(64, 32, 3, groups=16), "weight", (4 * 9, 2 * 9)),
    (nn.ConvTranspose1d(96, 96, 5, groups=96), "weight", (5, 5)),
    (nn.ConvTranspose3d(16, 32, 3, groups=4), "weight", (4 * 27, 8 * 27)),
    (nn.MultiheadAttention(48, 4), "in_proj_weight", (48, 48)),
    (nn.MultiheadAttention(48, 4), "out_proj.weight", (48, 48)),
    (nn.MultiheadAttention(48, 4, kdim=32, vdim=24), "k_proj_weight", (32, 48)),
    (nn.LSTM(24, 48, num_layers=2, bidirectional=True), "weight_ih_l0", (24, 48)),
    (nn.LSTM(24, 48, num_layers=2, bidirectional=True), "weight_ih_l1_reverse", (96, 48)),
    (nn.LSTM(24, 48, num_layers=2, bidirectional=True), "weight_hh_l0_reverse", (48, 48)),
    (nn.LSTM(24, 48, proj_size=12), "weight_hh_l0", (12, 48)),
    (nn.LSTM(24, 48, proj_size=12), "weight_hr_l0", (48, 12)),
    (nn.GRU(24, 48), "weight_ih_l0", (24, 48)),
    (nn.GRU(24, 48), "weight_hh_l0", (48, 48)),
    (nn.RNN(24, 48), "weight_ih_l0", (24, 48)),
    (nn.LSTMCell(24, 48), "weight_ih", (24, 48)),
    (nn.GRUCell(24, 48), "weight_hh", (48, 48)),
    (nn.RNNCell(24, 48), "weight_ih", (24, 48)),
    (nn.Bilinear(12, 16, 24), "weight", (12 * 16, 24 * 16)),
    (nn.Linear(48, 24), "weight", (48, 24)),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("module", "name", "fans"), FANS, ids=[f"{type(case[0]).__name__}.{case[1]}" for case in FANS])
def test_variance(module, name, fans, mode):
    init_module(module, partial(xf.init.he_normal, mode=mode), rng=7)
    assert has_variance(module.get_parameter(name), MODES[mode] / fan_of(mode, *fans))
    init_module(module, partial(xf.init.variance_scaling, scale=3.0, mode=mode, distribution="normal"), rng=7)
    assert has_variance(module.get_parameter(name), 3.0 / fan_of(mode, *fans))


@pytest.mark.parametrize(("module", "layout"), [
    (nn.Conv2d(16, 32, 3, groups=4), LINEAR), (nn.ConvTranspose2d(16, 32, 3, groups=4), TRANSPOSED),
    (nn.GRUCell(24, 48), LINEAR)])
def test_the_stream_is_that_of_the_name(module, layout):
    """As if the tensor were one matrix: the fans alone differ."""
    name = "weight" if hasattr(module, "weight") else "weight_ih"
    weight = init_module(module, xf.init.lecun_normal, rng=7).get_parameter(name)
    n = 4 if name == "weight" else 3
    fan_in, _ = xf.init.fans((len(weight) // n, *weight.shape[1:]), **layout)
    assert array_of(weight).tobytes() == xf.init.lecun_normal(weight.shape, fan_in=fan_in, rng=7, name=name).tobytes()


@pytest.mark.parametrize("options", [{"in_axis": 0, "out_axis": 1}, {"fan_in": 5}, {"in_axis": 1}])
def test_options_of_ones_own_overrule(options):
    module = init_module(nn.Conv2d(16, 32, 3, groups=4), partial(xf.init.he_normal, **options), rng=7)
    want = xf.init.he_normal(module.weight.shape, **(LINEAR | options), rng=7, name="weight")
    assert array_of(module.weight).tobytes() == want.tobytes()


@pytest.mark.parametrize(("module", "name", "n", "layout"), [
    (nn.Conv2d(16, 32, 3, groups=4), "weight", 4, LINEAR), (nn.ConvTranspose2d(16, 32, 3, groups=4), "weight", 4, TRANSPOSED),
    (nn.LSTM(24, 48), "weight_hh_l0", 4, LINEAR), (nn.MultiheadAttention(48, 4), "in_proj_weight", 3, LINEAR)])
def test_each_matrix_is_orthogonal(module, name, n, layout):
    init_module(module, xf.init.orthogonal, rng=7)
    matrices = np.split(array_of(module.get_parameter(name)), n)
    for i, matrix in enumerate(matrices):
        assert (matrix == xf.init.orthogonal(matrix.shape, rng=7, name=f"{name}[{i}]", **layout)).all()
    assert not (matrices[0] == matrices[1]).any()


def test_each_matrix_is_an_identity():
    lstm = init_module(nn.LSTM(5, 5), xf.init.identity, rng=7)
    assert all((matrix == np.eye(5)).all() for matrix in np.split(array_of(lstm.weight_hh_l0), 4))
    for module, signal in ((nn.Conv2d(6, 6, 3, groups=3, padding=1), 6), (nn.ConvTranspose2d(6, 6, 3, groups=3, padding=1), 6)):
        x = torch.randn(2, signal, 5, 5, generator=torch.Generator().manual_seed(1))
        assert torch.equal(init_module(module, xf.init.dirac)(x), x)
    told = init_module(nn.Conv2d(6, 6, 3, groups=3, padding=1), partial(xf.init.dirac, groups=3))
    assert (array_of(told.weight) == xf.init.dirac((6, 2, 3, 3), groups=3, **LINEAR)).all()


# ---- tied weights


class Tied(nn.Module):
    def __init__(self, head_first):
        super().__init__()
        tokens, head = nn.Embedding(50, 8, padding_idx=3), nn.Linear(8, 50)
        head.weight = tokens.weight
        for name, module in (("head", head), ("tokens", tokens))[::1 if head_first else -1]:
            self.add_module(name, module)


@pytest.mark.parametrize("head_first", [True, False])
def test_tied_weights_are_an_embeddings(head_first):
    model = init_module(Tied(head_first), rng=7)
    want = xf.init.normal((50, 8), rng=7, name="head.weight" if head_first else "tokens.weight")
    want[3] = 0
    assert (array_of(model.head.weight) == want).all() and model.head.weight is model.tokens.weight


@pytest.mark.parametrize("head_first", [True, False])
def test_rules_for_any_name_of_a_tied_weight(head_first):
    for pattern in ("head.weight", "tokens.*"):
        model = init_module(Tied(head_first), rules={pattern: xf.init.ones})
        assert (model.head.weight[3] == 0).all() and (model.head.weight.sum() == 49 * 8)

    def rule(name, parameter, module):
        return xf.init.ones if name == "tokens.weight" else "default"
    assert init_module(Tied(head_first), rules=rule).head.weight.sum() == 49 * 8
    both = init_module(Tied(head_first), rules={"tokens.*": xf.init.ones, "head.weight": xf.init.zeros})
    assert both.head.weight.sum() == 49 * 8


def test_a_module_of_two_names_is_filled_once():
    shared = nn.Linear(4, 5)
    model = init_module(nn.Sequential(shared, nn.Tanh(), nn.Linear(5, 4), shared), rng=7)
    assert (array_of(shared.weight) == xf.init.he_normal((5, 4), rng=7, name="0.weight", **LINEAR)).all()
    assert model[3] is shared


@pytest.mark.parametrize("module", [nn.Embedding(200, 24, padding_idx=-1), nn.EmbeddingBag(200, 24, padding_idx=199)])
def test_embeddings(module):
    init_module(module, xf.init.zeros, rng=7)
    assert (module.weight[199] == 0).all() and has_variance(module.weight[:199], 1.0)


# ---- norms


class NormedLinear(nn.Linear):
    pass


class ChannelNorm(nn.Module):
    """As models have them: a scale for each channel, of images too."""

    def __init__(self, *shape):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.ones(shape))


@pytest.mark.parametrize("module", [
    nn.BatchNorm1d(6), nn.BatchNorm2d(6), nn.BatchNorm3d(6), nn.SyncBatchNorm(6), nn.InstanceNorm2d(6, affine=True),
    nn.LayerNorm(6), nn.LayerNorm((6, 5, 4)), nn.GroupNorm(2, 6), nn.RMSNorm(6), nn.RMSNorm((6, 4)), ChannelNorm(6),
    ChannelNorm(6, 1, 1), ChannelNorm()], ids=repr)
def test_norms_are_ones(module):
    with torch.no_grad():
        module.weight.fill_(-7.0)
    init_module(module, rng=7)
    assert (module.weight == 1).all() and (getattr(module, "bias", None) is None or (module.bias == 0).all())


@pytest.mark.parametrize("module", [NormedLinear(48, 24), NormedLinear(48, 1)], ids=repr)
def test_a_matrix_is_none_whatever_its_class_is_called(module):
    init_module(module, rng=7)
    want = xf.init.he_normal(tuple(module.weight.shape), rng=7, name="weight", **LINEAR)
    assert (array_of(module.weight) == want).all()


# ---- weight norm


def hooked(module, **options):
    with pytest.warns(FutureWarning, match="weight_norm"):
        return nn.utils.weight_norm(module, **options)


NORMED = {"hook": (hooked, "{0}_v", "{0}_g"),
          "parametrisation": (nn.utils.parametrizations.weight_norm, "parametrizations.{0}.original1",
                              "parametrizations.{0}.original0")}


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("how", NORMED)
@pytest.mark.parametrize(("make", "tensor", "fan_in", "options"), [
    (lambda: nn.Linear(6, 4), "weight", 6, {}), (lambda: nn.Linear(6, 4), "weight", 6, {"dim": None}),
    (lambda: nn.Conv2d(6, 4, 3, groups=2), "weight", 27, {"dim": 1}), (lambda: nn.LSTM(6, 4), "weight_hh_l0", 4, {}),
    (lambda: NormedLinear(6, 4), "weight", 6, {})])
def test_the_weight_is_as_without_a_weight_norm(make, tensor, fan_in, options, how, dtype):
    apply, direction, magnitude = (part.format(tensor) if isinstance(part, str) else part for part in NORMED[how])
    module = apply(make().to(dtype), name=tensor, **options)
    init_module(module, xf.init.lecun_normal, rng=7)
    v, g = module.get_parameter(direction), module.get_parameter(magnitude)
    want = xf.init.lecun_normal(tuple(v.shape), fan_in=fan_in, rng=7, name=direction, dtype=name_of(dtype))
    assert (array_of(v) == want).all() and (g > 0).all()
    near = {"rtol": 4 * torch.finfo(dtype).eps, "atol": 0.0}
    torch.testing.assert_close(getattr(module, tensor).detach(), v.detach(), **near)
    assert g.requires_grad and g.grad_fn is None


@pytest.mark.parametrize("how", NORMED)
def test_rules_for_parts_of_a_weight_norm(how):
    apply, direction, magnitude = (part.format("weight") if isinstance(part, str) else part for part in NORMED[how])
    module = init_module(apply(nn.Linear(6, 4)), rules={magnitude: partial(xf.init.constant, value=3.0)}, rng=7)
    torch.testing.assert_close(module.weight.norm(dim=1), torch.full((4,), 3.0))
    module = apply(nn.Linear(6, 4))
    before = module.weight.detach().clone()
    init_module(module, rules={direction: None})                    # the magnitude is that of what is there
    torch.testing.assert_close(module.weight.detach(), before)


def test_padding_under_a_weight_norm():
    module = init_module(nn.utils.parametrizations.weight_norm(nn.Embedding(11, 6, padding_idx=3)), rng=7)
    assert (module.weight[3] == 0).all() and (module.weight.norm(dim=1)[4:] > 0).all()


@pytest.mark.parametrize("make", [lambda: nn.LazyConv2d(4, 3, groups=2), lambda: nn.LazyBatchNorm1d(), lambda: nn.LazyLinear(3)])
def test_a_lazy_module_has_no_shape_yet(make):
    model = nn.Sequential(nn.Linear(3, 3), make())
    before = model[0].weight.detach().clone()
    with pytest.raises(RuntimeError, match="parameter '1.weight' has no shape yet; run the model on an example before"):
        init_module(model)
    assert torch.equal(model[0].weight, before)
