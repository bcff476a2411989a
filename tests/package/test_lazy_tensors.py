"""PyTorch's tensors whose memory is not their values: the values they stand for, or an error; never what lies in memory."""

import re

import numpy as np
import pytest

import xentfast as xf

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.extras

Z = torch.complex(torch.randn(6, 5, generator=torch.Generator().manual_seed(0)),
                  torch.randn(6, 5, generator=torch.Generator().manual_seed(1)))
T = torch.tensor([0, 4, 2, 1, 3, 3])
X = Z.imag.neg()                        # what Z.conj().imag is, in memory of its own
NO_MEMORY = "whose memory NumPy cannot share"


def negative(tensor):
    """The same values, in a view with the negative bit."""
    lazy = torch._neg_view(-tensor)
    assert lazy.is_neg()
    return lazy


class Wrapping(torch.Tensor):
    """Holds another tensor, and no memory."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype)

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return function(*(one.held if isinstance(one, Wrapping) else one for one in args), **(kwargs or {}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_negative_bit(dtype):
    x, weights = X.to(dtype), torch.arange(5.0)
    both = xf.softmax_cross_entropy_value_and_grad
    expected = both(x, T, weight=weights, sample_weight=torch.arange(6))
    found = both(negative(x), negative(T), weight=negative(weights), sample_weight=negative(torch.arange(6)))
    assert found[0] == expected[0] and found[1].tobytes() == expected[1].tobytes()
    if dtype == torch.float32:
        view = Z.conj().imag
        assert view.is_neg() and both(view, T)[1].tobytes() == both(X, T)[1].tobytes()
    with pytest.raises(TypeError, match="x has dtype complex64"):
        xf.softmax(Z.conj())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_negative_bit_of_outputs(dtype):
    x = X.to(dtype)
    out = negative(x)
    for call in (lambda: xf.softmax(x, out=out), lambda: xf.softmax(out, out=out),
                 lambda: xf.softmax_cross_entropy_grad(x, T, out=out), lambda: xf.init.fill({"w": (xf.init.zeros, out)}, rng=1),
                 lambda: xf.init.zeros((6, 5), dtype=str(dtype)[6:], out=out)):
        with pytest.raises(ValueError, match="out is a lazy view of PyTorch's, whose memory holds the negatives"):
            call()
    assert (out == x).all()


def test_zero_tensor():
    zero = torch._efficientzerotensor((6, 5))
    assert (xf.softmax_cross_entropy_grad(zero, T) == xf.softmax_cross_entropy_grad(torch.zeros(6, 5), T)).all()
    with pytest.raises(TypeError, match=f"out is of type Tensor, {NO_MEMORY}"):
        xf.softmax(X, out=zero)


def fake():
    from torch._subclasses.fake_tensor import FakeTensorMode
    with FakeTensorMode():
        return torch.zeros(6, 5)


OTHERS = {
    "fake": (fake, f"is of type FakeTensor, {NO_MEMORY}"),
    "wrapping": (lambda: Wrapping(X), f"is of type Wrapping, {NO_MEMORY}"),
    "sparse": (lambda: X.to_sparse(), NO_MEMORY),
    "mkldnn": (lambda: X.to_mkldnn(), NO_MEMORY),
    "float8": (lambda: X.to(torch.float8_e4m3fn), NO_MEMORY),
    "requires grad": (lambda: X.clone().requires_grad_(), "is a tensor that requires grad"),
    "meta": (lambda: X.to("meta"), "is on the device meta"),
}


@pytest.mark.parametrize(("make", "message"), OTHERS.values(), ids=OTHERS)
def test_no_memory(make, message):
    tensor = make()
    with pytest.raises(TypeError, match=re.escape(message)):
        xf.softmax(tensor)
    with pytest.raises(TypeError, match=re.escape(message)):
        xf.softmax(X, out=tensor)


@pytest.mark.parametrize("transform", ["vmap", "functionalize", "grad"])
def test_transforms(transform):
    def softmax(x):
        return torch.from_numpy(xf.softmax(x)).sum()
    with pytest.raises(TypeError, match=f"x is (of type Tensor, {NO_MEMORY}|a tensor that requires grad)"):
        getattr(torch.func, transform)(softmax)(X)


def test_values_of_their_own():
    class Plain(torch.Tensor):
        pass

    with torch.inference_mode():
        inferred = X * 1
    for x in (X.as_subclass(Plain), torch.nn.Parameter(X, requires_grad=False), inferred, X.t().contiguous().t()):
        result = xf.softmax(x)
        assert type(result) is np.ndarray and (result == xf.softmax(X.numpy())).all()
    assert xf.softmax(torch.zeros(0, 5)).shape == (0, 5)
