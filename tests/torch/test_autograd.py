"""The gradient of xentfast.torch.cross_entropy is made once, and right however often and in which way it is asked for."""

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from tolerances import TRAINED_LOSSES  # noqa: E402
from torch_cases import DTYPES, REDUCTIONS, SHAPES, check_near, example, loss_and_gradients, name_of  # noqa: E402

import xentfast.torch  # noqa: E402

pytestmark = pytest.mark.extras

ours = xentfast.torch.cross_entropy


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradcheck(reduction):
    for shape in SHAPES:
        for soft in (False, True):
            logits, target, options = example(shape, soft=soft, weight=True)
            target.requires_grad_(soft)
            assert torch.autograd.gradcheck(
                lambda *tensors, options=options: ours(*tensors, reduction=reduction, label_smoothing=0.1, **options),
                (logits, target), check_batched_grad=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_gradient_is_the_one_of_the_forward_pass(dtype):
    """No copy of it is made where it is wanted as it is, once; and none where it is multiplied."""
    logits, target, _ = example((6, 5), dtype)
    for factor in (1.0, 3.0):
        if dtype == torch.float16:                  # made in float32
            continue
        loss = ours(logits, target)
        node = next(node for node in ancestors(loss) if node.name() in ("PlainBackward", "DirectBackward"))
        kept = node.saved_tensors[0].data_ptr()
        logits.grad = None
        loss.backward(torch.tensor(factor, dtype=dtype))
        assert logits.grad.data_ptr() == kept and logits.grad.dtype == dtype


def ancestors(tensor):
    nodes = [tensor.grad_fn]
    for node in nodes:
        nodes += [parent for parent, _ in node.next_functions if parent is not None]
    return nodes


@pytest.mark.parametrize("factor", [1.0, 0.5])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_more_than_one_backward_pass(reduction, factor):
    """What was handed out may be written to, by its owner or by the sum of gradients."""
    logits, target, _ = example((6, 5))
    loss = ours(logits, target, reduction=reduction)
    incoming = torch.full_like(loss, factor)
    want, = torch.autograd.grad(loss, logits, incoming, retain_graph=True)
    want = want.clone()
    torch.autograd.grad(loss, logits, incoming, retain_graph=True)[0].zero_()
    for count in range(1, 4):
        loss.backward(incoming, retain_graph=count < 3)
        assert torch.equal(logits.grad, count * want)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        loss.backward(incoming)


def test_gradients_of_several_losses_add_up():
    logits, target, _ = example((6, 5))
    hidden = logits * 2
    loss = ours(hidden, target) + ours(hidden, target, reduction="sum") / 4
    loss.backward()
    want = sum(loss_and_gradients(lambda x, t, **options: ours(x * 2, t, **options), logits, target, **options)[1] * factor
               for options, factor in (({}, 1), ({"reduction": "sum"}, 0.25)))
    check_near(logits.grad, want, torch.float64)


def test_loss_may_be_changed_in_place():
    """As `loss /= steps` does where gradients of several batches are added up."""
    logits, target, _ = example((6, 5))
    loss = ours(logits, target)
    loss /= 4
    loss.backward()
    assert torch.equal(logits.grad * 4, loss_and_gradients(ours, logits, target)[1])


def test_logits_may_be_changed_after_the_forward_pass():
    logits, target, _ = example((6, 5))
    hidden = logits * 1
    loss = ours(hidden, target)
    hidden.zero_()
    loss.backward()
    assert torch.equal(logits.grad, loss_and_gradients(ours, logits, target)[1])


@pytest.mark.parametrize("soft", [False, True])
def test_second_derivatives_are_refused(soft):
    logits, target, _ = example((6, 5), soft=soft)
    target.requires_grad_(soft)
    for wanted in ([logits, target] if soft else [logits]):
        for factor in (1.0, 2.0):
            gradient, = torch.autograd.grad(factor * ours(logits, target), wanted, create_graph=True)
            assert torch.equal(gradient, torch.autograd.grad(factor * ours(logits, target), wanted)[0])
            with pytest.raises(RuntimeError, match="has no second derivative"):
                gradient.square().sum().backward()
    for options in ({}, {"reduction": "sum"}):
        with pytest.raises(RuntimeError, match="has no second derivative"):     # where what is unused would count 0
            torch.autograd.functional.hessian(partial(ours, target=target.detach(), **options), logits.detach())
    with pytest.raises(RuntimeError, match="has no second derivative"):
        torch.func.jacrev(torch.func.grad(ours))(logits.detach(), target.detach())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")            # of PyTorch's own modules
def test_forward_mode_is_refused():
    logits, target, _ = example((6, 5))
    with pytest.raises(NotImplementedError, match="jvp"):
        torch.func.jvp(lambda x: ours(x, target), (logits.detach(),), (logits.detach(),))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(logits.detach(), torch.ones(6, 5))
        for options in ({}, {"reduction": "sum"}):
            with pytest.raises(NotImplementedError, match="jvp"):
                ours(dual, target, **options)


def test_another_default_device():
    logits, target, _ = example((6, 5))
    expected = loss_and_gradients(ours, logits, target)
    with torch.device("meta"):
        found = ours(logits, target), ours(logits.detach(), target), torch.autograd.grad(ours(logits, target), logits)[0]
    assert all(map(torch.equal, found, (expected[0], expected[0], expected[1])))


@pytest.mark.filterwarnings("ignore")                                # torch.jit is deprecated, and warns of what it traces
@pytest.mark.parametrize("options", [{}, {"reduction": "sum"}])
def test_a_traced_call_computes_anew(options):
    logits, target, _ = example((6, 5))
    traced = torch.jit.trace(lambda x: ours(x, target, **options), (logits.detach(),), check_trace=False)
    for factor in (1.0, 2.0):
        assert torch.equal(traced(logits.detach() * factor), ours(logits.detach() * factor, target, **options))


def test_checkpoint():
    logits, target, _ = example((6, 5))
    loss = torch.utils.checkpoint.checkpoint(lambda x: ours(x * 1, target), logits, use_reentrant=False)
    loss.backward()
    assert torch.equal(logits.grad, loss_and_gradients(ours, logits, target)[1])


def test_saved_tensors_elsewhere():
    logits, target, _ = example((6, 5))
    with torch.autograd.graph.save_on_cpu():
        loss = ours(logits, target)
    loss.backward(torch.tensor(2.0, dtype=torch.float64))
    assert torch.equal(logits.grad, 2 * loss_and_gradients(ours, logits, target)[1])


# ---- function transforms


def test_function_transforms():
    """Each example's loss and gradient, by every nesting of grad and vmap."""
    logits, _, _ = example((4, 6, 5))
    examples, target = logits.detach(), torch.randint(5, (4, 6))
    one_by_one = [loss_and_gradients(ours, x.clone().requires_grad_(), t) for x, t in zip(examples, target, strict=True)]
    losses, gradients = map(torch.stack, zip(*one_by_one, strict=True))
    assert torch.equal(torch.vmap(ours)(examples, target), losses)
    assert torch.equal(torch.func.grad(ours)(examples[0], target[0]), gradients[0])
    assert torch.equal(torch.vmap(torch.func.grad(ours))(examples, target), gradients)
    assert torch.equal(torch.func.grad(lambda x: torch.vmap(ours)(x, target).sum())(examples), gradients)
    assert torch.equal(torch.autograd.grad(torch.vmap(ours)(logits, target).sum(), logits)[0], gradients)
    shared = torch.vmap(ours, in_dims=(1, None))(examples.transpose(0, 1), target[0])
    assert torch.equal(shared, torch.stack([ours(x, target[0]) for x in examples]))


@pytest.mark.parametrize("recording", [True, False])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_logits_that_a_transform_has_left_behind(reduction, recording):
    """A tensor that has got out of torch.func.grad is a wrapper without memory of its own."""
    logits, target, _ = example((6, 5))
    kept = []
    torch.func.grad(lambda x: kept.append(x * logits) or x.sum())(logits.detach())
    with torch.set_grad_enabled(recording):
        loss = ours(kept[0], target, reduction=reduction)
    assert torch.equal(loss, ours(logits.detach() ** 2, target, reduction=reduction))
    assert loss.requires_grad == recording


def test_jacobian():
    logits, target, _ = example((6, 5))
    _, gradient = loss_and_gradients(ours, logits, target, reduction="sum")

    def losses(x):
        return ours(x, target, reduction="none")
    for jacobian in (torch.func.jacrev(losses)(logits.detach()),
                     torch.autograd.functional.jacobian(losses, logits.detach(), vectorize=True)):
        assert torch.equal(jacobian.sum(0), gradient) and torch.equal(jacobian[2, 2], gradient[2])


# ---- training


def trained(cross_entropy, dtype, autocast):
    """The losses of some steps of a small network."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)).to(dtype)
    data, target = (data := torch.randn(128, 20, dtype=dtype)), data[:, :10].argmax(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(20):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            loss = cross_entropy(model(data), target, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return np.array(losses)


@pytest.mark.parametrize(("dtype", "autocast"), [(torch.float32, False), (torch.float64, False), (torch.float32, True)])
def test_training_goes_the_same_way(dtype, autocast):
    got = trained(ours, dtype, autocast)
    want = trained(torch.nn.functional.cross_entropy, dtype, autocast)
    assert want[-1] < 0.8 * want[0]
    np.testing.assert_allclose(got, want, rtol=TRAINED_LOSSES["bfloat16" if autocast else name_of(dtype)])


def test_incoming_gradient_of_another_dtype():
    """Under autocast the losses are float32, and so are their gradients."""
    logits, target, _ = example((6, 5), torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = ours(logits, target, reduction="none")
    losses.backward(torch.full((6,), 0.3))
    want = loss_and_gradients(ours, logits.detach().double().requires_grad_(), target, reduction="sum")[1]
    check_near(logits.grad, 0.3 * want, torch.bfloat16, roundings=2)


PLAIN = {"as they are": lambda logits, target: (logits, target), "one row": lambda logits, target: (logits[:1], target[:1]),
         "strided": lambda logits, target: (logits[:, ::2], target // 2),
         "transposed": lambda logits, target: (logits.T, target[:8] // 2),
         "no rows": lambda logits, target: (logits[:0], target[:0]), "a view": lambda logits, target: (logits[1:], target[1:]),
         "negative": lambda logits, target: (torch.complex(logits, logits).conj().imag, target),
         "uint8": lambda logits, target: (logits, target.to(torch.uint8)),
         "ignored": lambda logits, target: (logits, target - 101 * (target > 3)),
         "all ignored": lambda logits, target: (logits, target * 0 - 100), "bad": lambda logits, target: (logits, target + 5)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", PLAIN)
def test_plain_calls_give_what_others_give(case, dtype):
    """A mean without options goes a way of its own (plain_loss): the same bits and errors as by `n_threads=numpy.int64(1)`, which
    is not plain."""
    results = []
    for n_threads in (1, np.int64(1)):
        torch.manual_seed(3)
        base = torch.randn(8, 8, dtype=dtype, requires_grad=True)
        logits, target = PLAIN[case](base, torch.arange(8))
        try:
            loss = ours(logits, target, n_threads=n_threads)
            without = ours(logits.detach(), target, n_threads=n_threads)
            gradient, = torch.autograd.grad(loss * 3, base)
            results.append([loss.detach().numpy().tobytes(), without.numpy().tobytes(), loss.dtype, loss.requires_grad,
                            gradient.numpy().tobytes()])
        except IndexError as error:
            results.append(str(error))
    assert results[0] == results[1]
