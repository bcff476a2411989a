"""xentfast.torch.init_module: each parameter by its name and by what its module is (extra `torch`)."""

from functools import partial

import numpy as np
import pytest

import xentfast as xf

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from torch_cases import DTYPES, name_of  # noqa: E402

import xentfast.torch  # noqa: E402
from xentfast.torch._tensors import array_of  # noqa: E402

pytestmark = pytest.mark.extras

init, init_module = xentfast.torch.init, xentfast.torch.init_module
LAYOUT = {"in_axis": 1, "out_axis": 0}


def same_bits(tensor, array):
    return array_of(tensor).dtype == array.dtype and array_of(tensor).tobytes() == array.tobytes()


class Model(torch.nn.Module):
    """One of each kind of parameter, and two names for one."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.tokens = torch.nn.Embedding(11, 6, padding_idx=3)
        self.convolution = torch.nn.Conv2d(4, 8, 3, groups=2)
        self.transposed = torch.nn.ConvTranspose2d(4, 8, 3)
        self.attention = torch.nn.MultiheadAttention(6, 2)
        self.recurrent = torch.nn.LSTM(6, 5)
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm2d(8), torch.nn.LayerNorm(6), torch.nn.GroupNorm(2, 8)])
        self.head = torch.nn.Linear(6, 11)
        self.head.weight = self.tokens.weight
        self.to(dtype)
        for parameter in self.parameters():
            torch.nn.init.constant_(parameter, -7.0)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_module(dtype):
    model = Model(dtype)
    versions = {name: parameter._version for name, parameter in model.named_parameters()}
    assert init_module(model, xf.init.xavier_normal, rng=7) is model
    for name, parameter in model.named_parameters():
        given = {"rng": 7, "name": name, "dtype": name_of(dtype)}
        if name == "tokens.weight":
            want = xf.init.normal((11, 6), **given)
            want[3] = 0
        elif "bias" in name:
            want = xf.init.zeros(parameter.shape, dtype=name_of(dtype))
        elif name.startswith("norms"):
            want = xf.init.ones(parameter.shape, dtype=name_of(dtype))
        else:
            layout = {"in_axis": 0, "out_axis": 1} if name.startswith("transposed") else LAYOUT
            n = {"convolution.weight": 2, "attention.in_proj_weight": 3}.get(name, 4 if name.startswith("recurrent") else 1)
            fan_in, fan_out = xf.init.fans((len(parameter) // n, *parameter.shape[1:]), **layout)
            want = xf.init.xavier_normal(parameter.shape, fan_in=fan_in, fan_out=fan_out, **given)
        assert same_bits(parameter, want), name
        assert parameter._version > versions[name] and parameter.requires_grad
    assert model.head.weight is model.tokens.weight
    assert (model.norms[0].running_var == 1).all()


def test_values_depend_on_seed_and_name_alone():
    """Not on the other parameters, their order, or the rules for them."""
    model = init_module(Model(), rng=7)
    alone = torch.nn.ModuleDict({"recurrent": torch.nn.LSTM(6, 5)})
    init_module(alone, rng=7)
    for name, parameter in alone.named_parameters():
        assert torch.equal(parameter, model.get_parameter(name))
    assert not torch.equal(init_module(Model(), rng=8).recurrent.weight_ih_l0, model.recurrent.weight_ih_l0)


def test_rules_by_pattern():
    model = init_module(Model(), rules={
        "tokens.*": partial(init.normal_, std=0.02), "recurrent.*bias*": partial(xf.init.constant, value=1.0),
        "recurrent.*": init.orthogonal_, "norms.1.*": None, "convolution.weight": partial(init.he_normal_, in_axis=0, out_axis=1),
    }, rng=7)
    want = xf.init.normal((11, 6), std=0.02, rng=7, name="tokens.weight")
    want[3] = 0
    assert same_bits(model.tokens.weight, want)
    assert (model.recurrent.bias_hh_l0 == 1).all() and (model.norms[1].weight == -7).all() and (model.norms[2].weight == 1).all()
    assert same_bits(model.recurrent.weight_hh_l0, np.concatenate([
        xf.init.orthogonal((5, 5), rng=7, name=f"recurrent.weight_hh_l0[{i}]", **LAYOUT) for i in range(4)]))
    assert same_bits(model.convolution.weight,
                     xf.init.he_normal((8, 2, 3, 3), in_axis=0, out_axis=1, rng=7, name="convolution.weight"))


def test_rules_by_function():
    seen = []

    def rule(name, parameter, module):
        seen.append((name, parameter, module))
        return None if isinstance(module, torch.nn.Linear) else init.ones_ if parameter.ndim == 1 else "default"
    model = Model()
    init_module(model, rules=rule, rng=7)
    assert sorted(name for name, *_ in seen) == sorted(name for name, _ in model.named_parameters(remove_duplicate=False))
    assert all(model.get_parameter(name) is parameter for name, parameter, _ in seen)
    assert all(getattr(module, name.rpartition(".")[2]) is parameter for name, parameter, module in seen)
    assert (model.head.bias == -7).all() and (model.convolution.bias == 1).all()
    assert same_bits(model.convolution.weight, xf.init.he_normal((8, 2, 3, 3), rng=7, name="convolution.weight", **LAYOUT))


def slope():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.PReLU())


@pytest.mark.parametrize(("change", "options", "error", "message"), [
    (lambda m: m.to("meta"), {}, RuntimeError, r"parameter '0.weight' is on the meta device, where it has no memory; call "
                                               r"model.to_empty\(device='cpu'\) before"),
    (lambda m: m.append(torch.nn.LazyLinear(4)), {"rules": {"1.*": None}}, RuntimeError, "parameter '2.weight' has no shape yet"),
    (lambda m: m.to(torch.complex64), {}, TypeError, "parameter '0.weight' has dtype torch.complex64; expected float16"),
    (lambda m: m, {}, ValueError, r"parameter '1.weight' of PReLU, of shape \(1,\), is no weight of a layer, bias or norm"),
    (lambda m: torch.nn.utils.parametrizations.spectral_norm(m[0]), {}, ValueError, "'parametrizations.weight.original'"),
    (lambda m: m, {"weight": torch.nn.init.kaiming_normal_}, TypeError, "expected a function of xentfast.init or of xentfast"),
    (lambda m: m, {"weight": partial(init.he_normal_, rng=1), "rules": {"1.*": None}}, TypeError, "has an initialiser with rng"),
    (lambda m: m, {"rules": {"2.*": None}}, ValueError, r"pattern '2.\*', which fits no parameter; there are 0.weight, 0.bias"),
    (lambda m: m, {"rules": {1: None}}, TypeError, "rules has the pattern 1; expected a string"),
    (lambda m: m, {"rules": [None]}, TypeError, "rules is of type list; expected a mapping or a callable"),
    (lambda m: m, {"rules": {"1.*": init.ones_}, "rng": "7"}, TypeError, "rng is '7'"),
    (lambda m: m.state_dict(), {}, TypeError, "model is of type OrderedDict; expected a torch.nn.Module"),
])
@pytest.mark.filterwarnings("ignore:Complex modules:UserWarning")
def test_bad_input_of_modules(change, options, error, message):
    model = slope()
    before = [parameter.clone() for parameter in model.parameters()]
    changed = change(model)
    with pytest.raises(error, match=message):
        init_module(changed, **options)
    if changed is model and not model[0].weight.is_meta and model[0].weight.dtype == torch.float32:
        assert all(map(torch.equal, model.parameters(), before))
