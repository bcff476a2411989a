"""xentfast.torch.cross_entropy under torch.compile: one graph, the same bits, any shape."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")
from torch_cases import DTYPES, REDUCTIONS, example, loss_and_gradients, name_of  # noqa: E402

import xentfast.torch  # noqa: E402

pytestmark = [pytest.mark.extras, pytest.mark.filterwarnings("ignore::DeprecationWarning")]          # of PyTorch's own modules
ours = xentfast.torch.cross_entropy


@pytest.fixture(autouse=True)
def fresh():
    torch.compiler.reset()


def compiled(function, backend="aot_eager", **options):
    return torch.compile(function, backend=backend, fullgraph=True, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=name_of)
def test_operator_is_well_defined(dtype, reduction):
    """PyTorch's own checks: schema, shapes without values, autograd, dynamic shapes."""
    for shape, soft in (((6, 5), False), ((6, 5), True), ((3, 5, 4), False), ((5,), False)):
        logits, target, options = example(shape, dtype, soft, weight=True)
        target.requires_grad_(soft)
        torch.library.opcheck(torch.ops.xentfast.cross_entropy.default,
                              (logits, target, options["weight"], reduction, -100, 0.1, None, True, soft))


@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_same_bits(dtype):
    for shape, soft, options in (((6, 5), False, {"reduction": "none"}), ((6, 5), True, {"label_smoothing": 0.1}),
                                 ((3, 5, 4), False, {"weight": True})):
        logits, target, options = example(shape, dtype, soft, **options)
        target.requires_grad_(soft)
        got = loss_and_gradients(compiled(ours), logits, target, **options)
        assert all(map(torch.equal, got, loss_and_gradients(ours, logits, target, **options)))


def test_negative_bit():
    """A view whose memory holds the negatives: the imaginary part of a conjugate."""
    target = torch.arange(6) % 5
    z = torch.randn(6, 5, dtype=torch.complex128, requires_grad=True)

    def loss(z):
        return ours(z.conj().imag, target)
    assert all(map(torch.equal, loss_and_gradients(compiled(loss), z), loss_and_gradients(loss, z)))
    view = z.detach().conj().imag
    assert view.is_neg() and torch.equal(compiled(ours)(view, target), ours(view, target))


def test_without_gradients():
    logits, target, _ = example((6, 5))
    with torch.no_grad():
        assert torch.equal(compiled(ours)(logits, target), ours(logits, target))


def test_module_and_head():
    """With what compiles for this machine, and a layer before the loss."""
    torch.manual_seed(0)
    head = torch.nn.Linear(16, 30)
    loss = xentfast.torch.CrossEntropyLoss(label_smoothing=0.1)
    hidden, target = torch.randn(8, 16, requires_grad=True), torch.randint(30, (8,))

    def step(hidden):
        return loss(head(hidden) * 2, target) * 3
    got = loss_and_gradients(compiled(step, "inductor"), hidden)
    for one, other in zip(got, loss_and_gradients(step, hidden), strict=True):
        torch.testing.assert_close(one, other)


def test_dynamic_shapes():
    """One graph for all shapes."""
    graphs = []

    def count(graph, inputs):
        graphs.append(graph)
        return graph
    function = torch.compile(ours, backend=count, fullgraph=True, dynamic=True)
    for shape in ((6, 5), (7, 9), (20, 4)):
        logits, target, _ = example(shape)
        assert torch.equal(function(logits, target), ours(logits, target))
    assert len(graphs) == 1
    function = compiled(ours, dynamic=True)
    for shape in ((6, 5), (7, 9)):
        logits, target, _ = example(shape)
        assert all(map(torch.equal, loss_and_gradients(function, logits, target), loss_and_gradients(ours, logits, target)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=name_of)
def test_autocast(dtype):
    logits, target, _ = example((6, 5), dtype)

    def loss(logits, target):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return ours(logits, target)
    got = loss_and_gradients(compiled(loss), logits, target)
    assert got[0].dtype == torch.float32
    assert all(map(torch.equal, got, loss_and_gradients(loss, logits, target)))


def test_errors():
    logits, target, _ = example((6, 5))
    with pytest.raises(IndexError, match=r"targets\[0\] is \d, but logits have 5 classes"):
        compiled(ours)(logits, target + 5)


def test_second_derivatives_are_refused():
    logits, target, _ = example((6, 5))
    operator = torch.ops.xentfast.cross_entropy.default
    loss = operator(logits, target, None, "mean", -100, 0.0, None, True, False)[0]
    with pytest.raises(RuntimeError, match="has no second derivative"):
        torch.autograd.grad(loss, logits, create_graph=True)


def test_tracing_of_values():
    """The operator is in the graph, not its result."""
    logits, target, _ = example((6, 5))
    traced = torch.fx.experimental.proxy_tensor.make_fx(lambda x, t: ours(x, t))(logits.detach(), target)
    other, target, _ = example((6, 5), seed=1)
    assert torch.equal(traced(other.detach(), target), ours(other, target))


def test_export():
    class Loss(torch.nn.Module):
        def forward(self, logits, target):
            return ours(logits, target)
    logits, target, _ = example((6, 5))
    rows = torch.export.Dim("rows", min=2)
    program = torch.export.export(Loss(), (logits.detach(), target), dynamic_shapes=({0: rows}, {0: rows}))
    logits, target, _ = example((9, 5))
    assert torch.equal(program.module()(logits.detach(), target), ours(logits, target))
