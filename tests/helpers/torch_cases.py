"""What the tests of xentfast.torch compare with: PyTorch's own loss, in float64 of the same values."""

import numpy as np
import torch
from tolerances import twin_bound

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(5,), (7, 5), (3, 5, 4), (2, 5, 3, 4), (2, 5, 3, 2, 2)]


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


def widened(value):
    """A float tensor in float64, as a leaf that requires a gradient where it does."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().double().requires_grad_(value.requires_grad)
    return value


def example(shape, dtype=torch.float64, soft=False, seed=0, **options):
    """Logits that require a gradient, targets, and a generator's other choices: options that are asked for by True."""
    generator = torch.Generator().manual_seed(seed)
    n_classes = shape[min(1, len(shape) - 1)]
    logits = torch.randn(shape, generator=generator, dtype=torch.float64).mul(3).to(dtype).requires_grad_()
    rows = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if soft:
        target = torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype)
    else:
        target = torch.randint(n_classes, rows, generator=generator)
    if options.pop("weight", False):
        options["weight"] = (torch.rand(n_classes, generator=generator, dtype=torch.float64) + 0.5).to(dtype)
    return logits, target, options


def loss_and_gradients(cross_entropy, *tensors, incoming=None, **options):
    """The loss, and a gradient for each tensor that requires one, of Σ incoming·loss."""
    loss = cross_entropy(*tensors, **options)
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    incoming = torch.ones_like(loss) if incoming is None else incoming.to(loss.dtype)
    return loss, *torch.autograd.grad(loss, wanted, incoming)


def check_near(got, want, dtype, roundings=1):
    """Of shape and dtype of its own; `want` in float64, which 16 bits may be so many roundings away from."""
    assert got.shape == want.shape
    got, want = got.detach().double().numpy(), want.detach().numpy()
    assert got.dtype == want.dtype == np.float64
    same = np.isnan(got) & np.isnan(want) | (got == want)
    with np.errstate(invalid="ignore"):
        assert (same | (np.abs(got - want) <= roundings * twin_bound(want, np.dtype(name_of(dtype))))).all()
