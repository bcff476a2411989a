"""xentfast.torch fills tensors with the values of xf.init, bit for bit, in PyTorch's layout (extra `torch`)."""

import inspect

import numpy as np
import pytest

import xentfast as xf

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from torch_cases import DTYPES, name_of  # noqa: E402

import xentfast.torch  # noqa: E402
from xentfast.torch._tensors import array_of  # noqa: E402

pytestmark = pytest.mark.extras

init = xentfast.torch.init
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
    (lambda w: init.normal_(torch._neg_view(w)), ValueError, "tensor is a lazy view of PyTorch's, whose memory holds the neg"),
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
