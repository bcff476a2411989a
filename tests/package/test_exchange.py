"""Arrays of other libraries: taken without a copy by DLPack or the buffer protocol, refused where they lie elsewhere."""

import array
import re

import ml_dtypes
import numpy as np
import pytest

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.extras]

RNG = np.random.default_rng(3)
X, T = RNG.standard_normal((40, 70), dtype=np.float32), RNG.integers(0, 70, 40)
BOTH = xf.softmax_cross_entropy_value_and_grad


class Exchanged:
    """All that a library's array needs to have."""

    def __init__(self, held, device=(1, 0), requires_grad=False):
        self.held, self.device, self.requires_grad, self.taken = held, device, requires_grad, 0

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, **keywords):
        self.taken += 1
        return self.held.__dlpack__(**keywords)


def same(a, b):
    return a[0].tobytes() == b[0].tobytes() and a[1].tobytes() == b[1].tobytes()


def test_dlpack_without_a_copy():
    """Strided too: what is written afterwards is read, and a result goes where it is asked to."""
    x, t = Exchanged(X[::-1, ::2]), Exchanged(T % 35)
    loss, grad = BOTH(x, t)
    assert same((loss, grad), BOTH(X[::-1, ::2], T % 35)) and type(grad) is np.ndarray
    assert x.taken == t.taken == 1
    held = np.zeros((40, 35), np.float32)
    _, grad = BOTH(x, t, out=Exchanged(held))
    assert np.shares_memory(grad, held) and held.any()


class Unversioned(Exchanged):
    """Of a library from before DLPack 1.0."""

    def __dlpack__(self):
        self.taken += 1
        return self.held.__dlpack__()


@pytest.mark.parametrize("kind", [Exchanged, Unversioned])
def test_what_may_be_written_to(kind):
    """Versions of NumPy differ in what they mark read-only of DLPack's arrays."""
    held = np.zeros_like(X)
    out = kind(held)
    assert np.shares_memory(xf.softmax(X, out=out), held) and (held == xf.softmax(X)).all() and out.taken == 1
    held.flags.writeable = False
    with pytest.raises((TypeError, ValueError), match="out is read-only|out is of type .*read-?only"):
        xf.softmax(X[0], out=kind(held[0]))
    assert (xf.softmax(Exchanged(X)) == held).all()


def test_in_place():
    own = Exchanged(X.copy())
    loss, grad = BOTH(own, T, out=own)
    assert same((loss, own.held), BOTH(X, T)) and np.shares_memory(grad, own.held)


def test_the_buffer_protocol():
    x = array.array("d", [0.0, 1.0, 2.0])
    assert (xf.softmax(x) == xf.softmax(np.array(x))).all()
    assert xf.softmax(x, out=x).base is not None and abs(sum(x) - 1) < 1e-15
    assert same(BOTH(memoryview(X), memoryview(T)), BOTH(X, T))
    with pytest.raises(ValueError, match="out is read-only"):
        xf.softmax(X[0], out=memoryview(bytes(280)).cast("f"))


def test_every_kind_of_argument():
    e = Exchanged
    weights, rows, mask = RNG.random(70), RNG.random(40), RNG.random((40, 70)) < 0.9
    given = {"weight": weights, "sample_weight": rows, "where": mask}
    assert same(BOTH(e(X), e(T), **{key: e(value) for key, value in given.items()}), BOTH(X, T, **given))
    p, labels = xf.softmax(X), T
    assert xf.log_loss(e(labels), e(p), labels=e(np.arange(70))) == xf.log_loss(labels, p, labels=np.arange(70))
    assert (xf.cross_entropy(e(p), e(p)) == xf.entropy(p)).all()
    assert xf.sigmoid_cross_entropy(e(X), e(mask), pos_weight=e(weights)) == xf.sigmoid_cross_entropy(X, mask, pos_weight=weights)
    parts = xf.softmax_cross_entropy_partial(e(X), e(T), first_class=0, n_classes=70)
    assert xf.softmax_cross_entropy_combine(e(parts), e(T), n_classes=70) == xf.softmax_cross_entropy(X, T)


def test_outputs_of_every_kind():
    outs = [np.zeros_like(X), np.zeros_like(X)]
    xf.softmax_cross_entropy_grad_hess(X, T, out=tuple(map(Exchanged, outs)))
    assert all((out == own).all() for out, own in zip(outs, xf.softmax_cross_entropy_grad_hess(X, T), strict=True))
    values = np.zeros(40, np.float32)
    xf.logsumexp(X, out=Exchanged(values))
    assert (values == xf.logsumexp(X)).all()
    p, grad = xf.softmax(X), np.zeros_like(X)
    xf.cross_entropy_grad(p, p, out=Exchanged(grad))
    assert (grad == xf.cross_entropy_grad(p, p)).all()
    weight = np.zeros((3, 4), np.float32)
    xf.init.he_normal((3, 4), rng=1, name="w", out=Exchanged(weight))
    other = np.zeros((3, 4), np.float32)
    xf.init.fill({"w": (xf.init.he_normal, Exchanged(other))}, rng=1)
    assert (weight == xf.init.he_normal((3, 4), rng=1, name="w")).all() and (weight == other).all()


@pytest.mark.parametrize(("given", "error", "message"), [
    (Exchanged(X, device=(2, 1)), TypeError, "logits is on the device (2, 1); expected an array in the CPU's memory"),
    (Exchanged(X, requires_grad=True), TypeError, "logits is a tensor that requires grad, which NumPy arrays do not carry"),
    (Exchanged(X.astype(np.longdouble)), TypeError, "logits is of type Exchanged, whose memory NumPy cannot share"),
])
def test_what_cannot_be_shared(given, error, message):
    with pytest.raises(error, match=re.escape(message)):
        xf.softmax_cross_entropy(given, T)
    with pytest.raises(error, match=re.escape(message.replace("logits", "out"))):
        xf.softmax_cross_entropy_grad(X, T, out=given)


class Elsewhere:
    """A tensor on a device that DLPack has no number for."""
    device = "meta"

    def __dlpack__(self, **keywords):
        raise BufferError

    def __dlpack_device__(self):
        raise ValueError("unknown device type")


def test_an_unknown_device():
    with pytest.raises(TypeError, match="targets is on the device meta"):
        xf.softmax_cross_entropy(X, Elsewhere())


def test_torch():
    torch = pytest.importorskip("torch")
    x, t = torch.from_numpy(X), torch.from_numpy(T)
    assert same(BOTH(x, t), BOTH(X, T)) and same(BOTH(x.t(), t, axis=0), BOTH(X.T, T, axis=0))
    out = torch.zeros_like(x)
    loss, grad = BOTH(x, t, out=out)
    assert same((loss, out.numpy()), BOTH(X, T)) and grad.ctypes.data == out.data_ptr()
    for dtype, own in ((torch.bfloat16, ml_dtypes.bfloat16), (torch.float16, np.float16), (torch.float64, np.float64)):
        logits = x.to(dtype)
        loss, grad = BOTH(logits, t.int())
        assert grad.dtype == own and same((loss, grad), BOTH(X.astype(own), T))
    half = x.to(torch.bfloat16)
    BOTH(half, t, out=half)
    assert half.view(torch.int16).numpy().tobytes() == BOTH(X.astype(ml_dtypes.bfloat16), T)[1].tobytes()
    for bad, message in ((x.clone().requires_grad_(), "requires grad"), (x.to("meta"), "logits is on the device meta"),
                         (x.to_sparse(), "logits is of type Tensor, whose memory NumPy cannot share")):
        with pytest.raises(TypeError, match=message):
            xf.softmax_cross_entropy(bad, t)
    assert xf.softmax_cross_entropy(x.clone().requires_grad_().detach(), t) == xf.softmax_cross_entropy(X, T)
    weight = torch.zeros(3, 4, dtype=torch.bfloat16)
    xf.init.he_normal((3, 4), rng=1, dtype="bfloat16", out=weight)
    assert weight.any()


def test_jax():
    jax = pytest.importorskip("jax")
    x, t = jax.numpy.asarray(X), jax.numpy.asarray(T, "int32")
    assert same(BOTH(x, t), BOTH(X, T))
    half = x.astype("bfloat16")
    assert same(BOTH(half, t), BOTH(np.asarray(half), T))
    with pytest.raises(ValueError, match="out is read-only"):
        BOTH(x, t, out=x)
