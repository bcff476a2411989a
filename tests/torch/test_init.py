"""xentfast.torch fills tensors and modules with the values of xf.init, bit for bit, in PyTorch's layout (extra `torch`)."""

import inspect
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
KEYS = {"rng": 7, "name": "layer1.weight"}
NEEDED = {"constant": {"value": 0.5}, "sparse": {"sparsity": 0.25}}
# Those of xf.init that fill an array.
FILLS = [name for name in xf.init.__all__ if "out" in inspect.signature(getattr(xf.init, name)).parameters]
LAYOUT = {"in_axis": 1, "out_axis": 0}


def options_of(name):
    """What a call to xf.init needs and takes, in PyTorch's layout."""
    taken = inspect.signature(getattr(xf.init, name)).parameters
    return NEEDED.get(name, {}) | {key: value for key, value in (KEYS | LAYOUT).items() if key in taken}


def same_bits(tensor, array):
    return array_of(tensor).dtype == array.dtype and array_of(tensor).tobytes() == array.tobytes()


def test_every_initialiser_is_there():
    assert set(init.__all__) == {f"{name}_" for name in FILLS} | {"eye_", "init_module"}
    for alias, name in {"eye": "identity", "kaiming_normal": "he_normal", "kaiming_uniform": "he_uniform",
                        "glorot_normal": "xavier_normal", "glorot_uniform": "xavier_uniform"}.items():
        assert getattr(init, f"{alias}_") is getattr(init, f"{name}_")


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("name", FILLS)
def test_same_bits_as_the_array(name, dtype):
    fill = getattr(init, f"{name}_")
    options = options_of(name)
    given = {key: value for key, value in options.items() if key not in LAYOUT}
    for shape in ((6, 4),) if name in ("identity", "sparse") else ((6, 4), (8, 4, 3, 3)):
        want = getattr(xf.init, name)(shape, **options, dtype=name_of(dtype))
        tensor = torch.full(shape, -7.0, dtype=dtype, requires_grad=True)
        assert fill(tensor, **given) is tensor
        assert same_bits(tensor, want) and tensor.grad_fn is None and tensor.is_leaf
        strided = torch.empty(*shape[::-1], dtype=dtype).permute(*reversed(range(len(shape))))
        assert same_bits(fill(strided, **given), want) and not strided.is_contiguous()


@pytest.mark.parametrize("name", FILLS)
def test_signature(name):
    """That of xf.init without what the tensor says, and with PyTorch's axes."""
    fill, base = getattr(init, f"{name}_"), getattr(xf.init, name)
    parameters = inspect.signature(fill).parameters
    theirs = {key: value for key, value in inspect.signature(base).parameters.items()
              if key not in ("shape", "dtype", "out", "index")}
    assert list(parameters) == ["tensor", *theirs]
    for key, parameter in theirs.items():
        assert parameters[key].kind == parameter.kind
        assert parameters[key].default == LAYOUT.get(key, parameter.default)


def test_axes_may_be_said():
    assert same_bits(init.he_normal_(torch.empty(6, 4), in_axis=0, out_axis=1, **KEYS), xf.init.he_normal((6, 4), **KEYS))
    assert same_bits(init.he_normal_(torch.empty(6), fan_in=9, **KEYS), xf.init.he_normal((6,), fan_in=9, **KEYS))


def test_autograd_notices():
    """As after a function of PyTorch's: what was saved is no more."""
    weight = torch.ones(3, requires_grad=True)
    product = (weight * weight).sum()
    init.normal_(weight, rng=7)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()
    with torch.inference_mode():
        assert same_bits(init.zeros_(torch.ones(3)), np.zeros(3, np.float32))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda w: init.normal_(w.numpy()), TypeError, "tensor is of type ndarray; expected a tensor"),
    (lambda w: init.normal_(w.long()), TypeError, "tensor has dtype torch.int64; expected float16"),
    (lambda w: init.normal_(w.to("meta")), RuntimeError, "tensor is on the device meta; expected a CPU tensor"),
    (lambda w: init.normal_(w.to_sparse()), RuntimeError, "tensor has the layout torch.sparse_coo"),
    (lambda w: init.normal_(w[:, :1].expand(3, 4)), ValueError, "elements that share memory"),
    (lambda w: init.normal_(w, std=-1.0), ValueError, "std is -1.0; expected a number of at least 0"),
    (lambda w: init.normal_(w, 0.0), TypeError, "normal_: too many positional arguments"),
    (lambda w: init.normal_(w, dtype=np.float32), TypeError, "normal_: got an unexpected keyword argument 'dtype'"),
    (lambda w: init.constant_(w), TypeError, "constant_: missing a required argument: 'value'"),
    (lambda w: init.he_normal_(w[0]), ValueError, "pass fan_in="),
])
def test_bad_input(call, error, message):
    weight = torch.ones(3, 4)
    with pytest.raises(error, match=message):
        call(weight)
    assert (weight == 1).all()


# ---- modules


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
            want = xf.init.xavier_normal(parameter.shape, **layout, **given)
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
    assert same_bits(model.recurrent.weight_hh_l0, xf.init.orthogonal((20, 5), rng=7, name="recurrent.weight_hh_l0", **LAYOUT))
    assert same_bits(model.convolution.weight,
                     xf.init.he_normal((8, 2, 3, 3), in_axis=0, out_axis=1, rng=7, name="convolution.weight"))


def test_rules_by_function():
    seen = []

    def rule(name, parameter, module):
        seen.append((name, parameter, module))
        return None if isinstance(module, torch.nn.Linear) else init.ones_ if parameter.ndim == 1 else "default"
    model = Model()
    init_module(model, rules=rule, rng=7)
    assert [(name, parameter) for name, parameter, _ in seen] == list(model.named_parameters())
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
    (lambda m: torch.nn.utils.parametrizations.weight_norm(m[0]), {}, ValueError, "'parametrizations.weight.original0'"),
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
