"""xentfast.torch.cross_entropy means what torch.nn.functional.cross_entropy means (extra `torch`)."""

import subprocess
import sys
import warnings
from itertools import product

import numpy as np
import pytest

import xentfast as xf

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from torch.nn.functional import cross_entropy as theirs  # noqa: E402
from torch_cases import DTYPES, REDUCTIONS, SHAPES, check_near, example, loss_and_gradients, name_of, widened  # noqa: E402

import xentfast.torch  # noqa: E402
from xentfast.torch._tensors import array_of, tensor_of  # noqa: E402

pytestmark = pytest.mark.extras

ours = xentfast.torch.cross_entropy
nan, inf = float("nan"), float("inf")


def compare(*tensors, incoming=None, roundings=1, **options):
    """Both losses and gradients; ours in our dtypes, theirs in float64 of the same values."""
    got = loss_and_gradients(ours, *tensors, incoming=incoming, **options)
    wide = {key: widened(value) for key, value in options.items()}
    want = loss_and_gradients(theirs, *map(widened, tensors), incoming=incoming, **wide)
    assert got[0].dtype == theirs(*tensors, **options).dtype
    for one, other, tensor in zip(got, want, (got[0], *tensors), strict=False):
        assert one.dtype == tensor.dtype
        check_near(one, other, one.dtype, roundings)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_sample_inputs_of_pytorch(dtype):
    pytest.importorskip("expecttest")                # which PyTorch's own tests need
    from torch.testing._internal.common_methods_invocations import op_db
    operation = next(one for one in op_db if one.name == "nn.functional.cross_entropy")
    torch.manual_seed(1)
    samples = list(operation.sample_inputs("cpu", dtype, requires_grad=True))
    assert len(samples) > 10
    for sample in samples:
        compare(sample.input, *sample.args, **sample.kwargs)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "probabilities"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_options(dtype, soft, reduction):
    for shape, weight, smoothing in product(SHAPES, (False, True), (0.0, 0.1, 1.0)):
        logits, target, options = example(shape, dtype, soft, weight=weight)
        target.requires_grad_(soft)
        compare(logits, target, reduction=reduction, label_smoothing=smoothing, **options)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_incoming_gradient(dtype, reduction):
    for shape in SHAPES:
        logits, target, _ = example(shape, dtype, soft=True)
        target.requires_grad_()
        rows = theirs(logits, target, reduction=reduction).shape
        compare(logits, target, incoming=torch.rand(rows, generator=torch.Generator().manual_seed(3)).to(dtype) + 0.5,
                reduction=reduction, roundings=2)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8], ids=name_of)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ignored_rows(dtype, reduction):
    logits, target, options = example((9, 5), torch.float32, weight=True)
    target[[0, 4]] = 3
    compare(logits, target.to(dtype), ignore_index=3, reduction=reduction, **options)
    compare(logits, target.to(dtype), ignore_index=3, reduction=reduction, label_smoothing=0.3)
    if dtype == torch.int64:
        target[2] = -100
        compare(logits, target, reduction=reduction, **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_nothing_to_average(smoothing):
    logits, target, _ = example((4, 5))
    for reduction in REDUCTIONS:
        compare(logits, torch.full_like(target, -100), reduction=reduction, label_smoothing=smoothing)
        compare(logits[:0], target[:0], reduction=reduction, label_smoothing=smoothing)
        compare(logits[:0], logits[:0].detach().requires_grad_(), reduction=reduction, label_smoothing=smoothing)
    loss, gradient = loss_and_gradients(ours, logits, target, weight=torch.zeros(5, dtype=torch.float64))
    assert loss.isnan() and not gradient.any()


def test_one_class_index_for_one_row():
    """PyTorch takes it too, but has no gradient for it."""
    logits, target, _ = example((5,))
    for reduction in REDUCTIONS:
        loss, gradient = loss_and_gradients(ours, logits, target.reshape(1), reduction=reduction)
        want, want_gradient = loss_and_gradients(ours, logits, target, reduction=reduction)
        assert torch.equal(loss, want) and torch.equal(gradient, want_gradient)
        check_near(loss, theirs(logits, target.reshape(1), reduction=reduction), torch.float64)


def test_what_is_excluded_counts_nothing():
    """Where PyTorch has nan: 0·∞ in the loss, and what an ignored row holds in the gradient."""
    want = torch.tensor(2.0, dtype=torch.float64).log()
    logits = torch.tensor([[0.0, 0.0, -inf]], requires_grad=True)
    loss, gradient = loss_and_gradients(ours, logits, torch.tensor([[0.5, 0.5, 0.0]]))
    check_near(loss, want, torch.float32)
    assert gradient.tolist() == [[0.0, 0.0, 0.0]]
    logits = torch.tensor([[nan, nan], [0.0, 0.0]], requires_grad=True)
    loss, gradient = loss_and_gradients(ours, logits, torch.tensor([-100, 1]))
    check_near(loss, want, torch.float32)
    assert gradient.tolist() == [[0.0, 0.0], [0.5, -0.5]]


# ---- dtypes


@pytest.mark.parametrize("autocast", [None, torch.bfloat16, torch.float16], ids=str)
def test_dtype_of_the_loss(autocast):
    with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
        for dtype, other, weights in product(DTYPES, DTYPES, [None, *DTYPES]):
            logits, target, _ = example((3, 5), dtype)
            soft = torch.rand(3, 5).to(other)
            weight = None if weights is None else torch.ones(5, dtype=weights)
            assert ours(logits, soft, weight).dtype == theirs(logits, soft, weight).dtype
            try:
                want = theirs(logits, target, weight).dtype
            except RuntimeError:
                with pytest.raises(RuntimeError, match="weight has dtype"):
                    ours(logits, target, weight)
            else:
                assert ours(logits, target, weight).dtype == want


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=name_of)
def test_autocast(dtype):
    logits, target, _ = example((8, 50), dtype)
    with torch.autocast("cpu", dtype=dtype):
        loss, gradient = loss_and_gradients(ours, logits, target)
    want, want_gradient = loss_and_gradients(theirs, widened(logits), target)
    check_near(loss, want, torch.float32)
    check_near(gradient, want_gradient, dtype)


def test_loss_scale_reaches_gradients_before_they_underflow():
    """A mean over many rows in float16, times 2¹⁵: gradients below 6e-8 before that."""
    logits, target, _ = example((4096, 200), torch.float16)
    scale = torch.tensor(2.0**15)
    gradient, = torch.autograd.grad(ours(logits, target).float() * scale, logits)
    want, = torch.autograd.grad(theirs(wide := widened(logits), target) * scale, wide)
    check_near(gradient, want, torch.float16)
    assert (want.abs() / scale < 2.0**-25).any()


# ---- memory


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_tensor_and_array_share_memory(dtype):
    tensor = torch.arange(12, dtype=dtype).reshape(3, 4).T[:, ::2].requires_grad_()
    array = array_of(tensor)
    assert array.dtype.name == name_of(dtype) and (array == np.array(tensor.tolist())).all()
    assert array.__array_interface__["data"][0] == tensor.data_ptr() == tensor_of(array).data_ptr()


LAYOUTS = {
    "transposed": lambda x: x.transpose(0, 2).contiguous().transpose(0, 2),
    "channels last": lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
    "every other": lambda x: torch.stack([x, x], -1)[..., 0],
    "reversed in memory": lambda x: x.permute(2, 1, 0).contiguous().permute(2, 1, 0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_strides_change_no_bit(layout, dtype):
    logits, target, _ = example((6, 40, 3), dtype)
    strided = LAYOUTS[layout](logits.detach()).requires_grad_()
    assert not strided.is_contiguous() and torch.equal(strided, logits)
    loss, gradient = loss_and_gradients(ours, logits, target)
    strided_loss, strided_gradient = loss_and_gradients(ours, strided, target)
    assert torch.equal(loss, strided_loss) and torch.equal(gradient, strided_gradient)
    assert strided_gradient.stride() == torch.empty_like(strided).stride()


def negative(tensor):
    """The same values, in a view with the negative bit."""
    lazy = torch._neg_view(-tensor.detach())
    assert lazy.is_neg() and torch.equal(lazy, tensor)
    return lazy.requires_grad_(tensor.requires_grad)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
@pytest.mark.parametrize("soft", [False, True], ids=["classes", "probabilities"])
def test_negative_bit(dtype, soft):
    logits, target, options = example((6, 40, 3), dtype, soft, weight=True)
    target.requires_grad_(soft)
    lazy = [negative(logits), negative(target)]
    got = loss_and_gradients(ours, *lazy, weight=negative(options["weight"]))
    assert all(map(torch.equal, got, loss_and_gradients(ours, logits, target, **options)))


def test_imaginary_parts():
    z = torch.randn(6, 5, dtype=torch.complex128, requires_grad=True)
    got, want = (loss_and_gradients(lambda z, loss=loss: loss(z.conj().imag, torch.arange(6) % 5), z) for loss in (ours, theirs))
    torch.testing.assert_close(got, want)


def test_zero_tensor():
    target = torch.arange(6) % 5
    assert ours(torch._efficientzerotensor((6, 5)), target) == ours(torch.zeros(6, 5), target)


def test_expanded_logits():
    row = torch.randn(1, 5, dtype=torch.float64)
    compare(row.expand(4, 5).requires_grad_(), torch.tensor([0, 1, 2, 3]))


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_bits_are_those_of_the_array(dtype):
    logits, target, options = example((33, 1000), dtype, weight=True)
    loss, gradient = loss_and_gradients(ours, logits, target, label_smoothing=0.1, **options)
    want, want_gradient = xf.softmax_cross_entropy_value_and_grad(
        array_of(logits), target.numpy(), weight=array_of(options["weight"]), label_smoothing=0.1)
    assert torch.equal(loss, torch.tensor(want).to(dtype))
    assert array_of(gradient).tobytes() == want_gradient.tobytes()


# ---- calls


def test_older_arguments():
    logits, target, _ = example((4, 5))
    for size_average, reduce in product((None, True, False), (None, True, False)):
        if size_average is reduce is None:
            continue
        with pytest.warns(UserWarning, match=r"size_average and reduce are deprecated; pass reduction="):
            got = ours(logits, target, None, size_average, -100, reduce)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check_near(got, theirs(logits, target, None, size_average, -100, reduce), torch.float64)


def test_module():
    logits, target, options = example((6, 5), torch.float32, weight=True)
    loss = xentfast.torch.CrossEntropyLoss(**options, ignore_index=2, label_smoothing=0.1, reduction="sum", n_threads=1)
    assert isinstance(loss, torch.nn.CrossEntropyLoss) and "weight" in dict(loss.named_buffers())
    want = ours(logits, target, **options, ignore_index=2, label_smoothing=0.1, reduction="sum")
    assert torch.equal(loss(logits, target), want)
    assert loss.double()(logits.double(), target).dtype == torch.float64


@pytest.mark.parametrize(("called", "options"), [("cross_entropy_call", {"reduction": "sum"}),
                                                 ("softmax_cross_entropy_value_and_grad", {})])
def test_threads(monkeypatch, called, options):
    """As many as PyTorch would take, unless the caller says how many."""
    counts = []
    call = getattr(xentfast.torch._autograd, called)
    monkeypatch.setattr(xentfast.torch._autograd, called,
                        lambda *arrays, **given: counts.append(given["n_threads"]) or call(*arrays, **given))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    logits, target, _ = example((64, 50))
    one = loss_and_gradients(ours, logits, target, **options)
    three = loss_and_gradients(ours, logits, target, **options, n_threads=3)
    assert counts == [1, 3]
    assert all(map(torch.equal, one, three))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode):
    logits, target, _ = example((6, 5))
    with mode():
        loss = ours(logits, target)
        assert torch.equal(ours(logits * 1, target * 1), loss)      # inference tensors, in that mode
    assert loss.grad_fn is None and torch.equal(loss, ours(logits, target).detach())


WORKERS = """
import torch, xentfast.torch
class Losses(torch.utils.data.Dataset):             # an item is computed where it is loaded
    def __len__(self):
        return 4
    def __getitem__(self, number):
        logits = torch.randn(256, 500, generator=torch.Generator().manual_seed(number)).requires_grad_()
        loss = xentfast.torch.cross_entropy(logits, torch.arange(256))
        loss.backward()
        return loss.detach(), logits.grad
here = [Losses()[number] for number in range(4)]    # starts OpenMP's threads, which the forked workers have not
loader = torch.utils.data.DataLoader(Losses(), batch_size=None, num_workers=2, multiprocessing_context="fork")
for one, other in zip(here, loader, strict=True):
    assert all(map(torch.equal, one, other))
print("the same")
"""


def test_data_loader_workers():
    """In a process of its own: what else the tests have imported may not like a fork."""
    run = subprocess.run([sys.executable, "-P", "-c", WORKERS], capture_output=True, text=True, timeout=100)
    assert run.stdout == "the same\n", run.stderr


# ---- errors


def call(cross_entropy, change, **options):
    logits, target, _ = example((3, 5), torch.float32)
    arguments = {"input": logits.detach(), "target": target} | options
    for name, value in change.items():
        arguments[name] = value(arguments["target" if name == "target" else "input"]) if callable(value) else value
    return cross_entropy(**arguments)


MISUSES = {
    "classes of int32": ({"target": lambda t: t.int()}, "target has dtype torch.int32; expected int64 or uint8"),
    "classes of bool": ({"target": lambda t: t.bool()}, "target has dtype torch.bool; expected int64 or uint8"),
    "classes of float": ({"target": lambda t: t.float()}, "target has dtype torch.float32; expected int64 or uint8"),
    "probabilities of int64": ({"target": torch.ones(3, 5).long()}, "target has the shape of input, as probabilities have"),
    "one-hot": ({"target": torch.eye(3, 5).long()},
                r"float64: target.to\(input.dtype\) makes probabilities of one-hot targets, target.argmax\(1\) class indices"),
    "another batch": ({"target": lambda t: t[:2]}, r"target has shape \(2,\); expected \(3,\)"),
    "no batch": ({"target": lambda t: t[0]}, r"target has shape \(\); expected \(3,\)"),
    "more axes": ({"target": lambda t: t.reshape(3, 1)}, r"target has shape \(3, 1\); expected \(3,\)"),
    "another length": ({"input": torch.zeros(3, 5, 4), "target": torch.zeros(3, 2).long()}, r"\(3, 2\); expected \(3, 4\)"),
    "fewer axes": ({"input": torch.zeros(3, 5, 4, 4), "target": torch.zeros(3, 4).long()}, r"\(3, 4\); expected \(3, 4, 4\)"),
    "two for one row": ({"input": torch.zeros(5), "target": torch.zeros(2).long()}, r"target has shape \(2,\); expected \(\)"),
    "target too large": ({"target": lambda t: t + 5}, r"targets\[0\] is \d, but logits have 5 classes"),
    "target too small": ({"target": lambda t: t - 6}, r"targets\[0\] is -\d, but logits have 5 classes"),
    "too many weights": ({"weight": torch.ones(6)}, r"weight has shape \(6,\); expected \(5,\)"),
    "weights of two axes": ({"weight": torch.ones(1, 5)}, r"weight has shape \(1, 5\); expected \(5,\)"),
    "weights of float64": ({"weight": torch.ones(5).double()}, "weight has dtype torch.float64; expected torch.float32"),
    "weights of int64": ({"weight": torch.ones(5).long()}, "weight has dtype torch.int64; expected torch.float32"),
    "weights as a list": ({"weight": [1.0] * 5}, "weight is of type list; expected a tensor"),
    "weights with gradient": ({"weight": torch.ones(5, requires_grad=True)}, "weight requires a gradient"),
    "reduction": ({"reduction": "average"}, "reduction is 'average'; expected 'mean', 'sum' or 'none'"),
    "smoothing": ({"label_smoothing": 1.5}, "label_smoothing is 1.5; expected a number from 0 to 1"),
    "smoothing as text": ({"label_smoothing": "a"}, "label_smoothing is 'a'; expected a number"),
    "ignore_index": ({"ignore_index": 1.5}, "ignore_index is 1.5; expected an integer"),
    "ignored probabilities": ({"target": torch.ones(3, 5), "ignore_index": 1}, "ignore_index is 1, and target holds"),
    "logits of int64": ({"input": torch.ones(3, 5).long()}, "input has dtype torch.int64; expected float16"),
    "logits of complex64": ({"input": torch.ones(3, 5) + 0j}, "input has dtype torch.complex64; expected float16"),
    "an array": ({"input": np.ones((3, 5))}, "input is of type ndarray; expected a tensor"),
    "sparse logits": ({"input": lambda x: x.to_sparse()}, "input has the layout torch.sparse_coo; expected a strided tensor"),
    "target on meta": ({"target": lambda t: t.to("meta")}, "target is on the device meta; expected a CPU tensor"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_misuse_raises_what_pytorch_raises(misuse):
    change, message = MISUSES[misuse]
    with pytest.raises((ValueError, TypeError, IndexError, RuntimeError)) as theirs_raise:
        call(theirs, change)
    with pytest.raises((ValueError, TypeError, IndexError, RuntimeError), match=message) as ours_raise:
        call(ours, change)
    assert isinstance(theirs_raise.value, ours_raise.type)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"input": torch.ones(3, 5, device="meta")}, RuntimeError, "input is on the device meta; expected a CPU tensor"),
    ({"input": torch.tensor(1.0), "target": torch.tensor(1)}, ValueError, "input is zero-dimensional"),
    ({"input": torch.ones(3, 0)}, ValueError, "no classes"),
    ({"weight": torch.tensor([1, 1, inf, 1, 1])}, ValueError, r"weight\[2\] is inf; expected finite weights"),
    ({"label_smoothing": -0.1}, RuntimeError, "label_smoothing is -0.1; expected a number from 0 to 1"),
    ({"label_smoothing": nan}, RuntimeError, "label_smoothing is nan"),
    ({"n_threads": 0}, ValueError, "n_threads is 0"),
    ({"n_threads": 1.5}, TypeError, "n_threads is 1.5"),
])
def test_misuse_that_pytorch_lets_pass(change, error, message):
    with pytest.raises(error, match=message):
        call(ours, change)
