"""The loss under autograd: the gradient is made in the forward pass, where one is needed, and the backward pass multiplies it by
the incoming one.

Tensors with values go through an autograd.Function, which costs less than a custom operator: one for torch.func and torch.vmap,
and one for everybody else, which costs less again, with a variant for plain arguments. What torch.compile traces goes through the
operator. All have one computation and one backward pass.
"""

import inspect
from operator import or_

import numpy as np
import torch
from torch.autograd import forward_ad

from xentfast._base.level import default_threads, policy
from xentfast._base.memory import array_over
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.functions import run, softmax_cross_entropy, softmax_cross_entropy_value_and_grad
from xentfast._softmax.normalise import log_softmax
from xentfast.torch._tensors import array_of, new_like, stored

SECOND_DERIVATIVE = ("xentfast.torch.cross_entropy has no second derivative: its gradient is made in the forward pass; use "
                     "torch.nn.functional.cross_entropy for it")


def loss(input, target, weight, reduction, ignore_index, label_smoothing, n_threads):
    """The loss of checked arguments, in float64 for float64 logits and else in float32."""
    options = (weight, reduction, ignore_index, label_smoothing, n_threads)
    if not has_values(input):
        return operator(input, target, *options, *_wanted(input, target))[0]
    if transformed():
        return Eager.apply(input, target, *options, *_wanted(input, target))[0]
    if any(_wanted(input, target)):
        return Direct.apply(input, target, *options, *_wanted(input, target))[0]
    return _compute(input, target, *options, False, False)[0]


def has_values(tensor):
    """And nobody traces (make_fx) or counts (FlopCounterMode), who sees operators alone."""
    return (type(tensor) in (torch.Tensor, torch.nn.Parameter) and not torch.compiler.is_compiling()
            and torch._C._len_torch_dispatch_stack() == 0)


def transformed():
    """Whether torch.func or torch.vmap are under way, or what sees functions alone: forward mode, which is refused, and
    torch.jit.trace."""
    return (torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
            or torch._C._get_tracing_state() is not None)


FLOAT_NUMBERS = {torch.float32: np.dtype(np.float32).num, torch.float64: np.dtype(np.float64).num}
INT64, INT64_NUMBER = torch.int64, np.dtype(np.int64).num
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor       # what torch.func has left behind is so


def plain_loss(input, target, n_threads):
    """The mean loss of plain arguments without options; None where they are not plain. What PyTorch is asked for, each time a
    part of a microsecond, is most of the time of a small loss."""
    if not (has_values(input) and type(target) is torch.Tensor and not transformed()):
        return None
    number, shape, rows = FLOAT_NUMBERS.get(input.dtype), input.shape, target.shape
    if not (number is not None and target.dtype is INT64 and input.is_cpu and target.is_cpu
            and len(shape) == 2 and len(rows) == 1 and shape[0] == rows[0] and input.is_contiguous() and target.is_contiguous()
            and not input.is_neg() and not input._is_zerotensor() and not target._is_zerotensor()
            and not _is_wrapped(input) and not _is_wrapped(target)):
        return None
    logits, targets = array_over(input.data_ptr(), shape, number), array_over(target.data_ptr(), rows, INT64_NUMBER)
    if n_threads is None:
        n_threads = 1 if logits.size < policy.grain else min(torch.get_num_threads(), default_threads())
    if input.requires_grad and torch.is_grad_enabled():
        return _apply_plain(input, logits, targets, n_threads)[0]
    return _scalar(softmax_cross_entropy(logits, targets, n_threads=n_threads))


def _scalar(value):
    """On the CPU, whatever the default device is."""
    return torch.from_numpy(np.asarray(value))


def _wanted(input, target):
    """Whether gradients with respect to these two will be asked for."""
    recording = torch.is_grad_enabled()
    return recording and input.requires_grad, recording and target.requires_grad


def _compute(input, target, weight, reduction, ignore_index, label_smoothing, n_threads, wants_gradient, wants_log_softmax):
    """The loss and two more results, each of them empty where it is not wanted: its gradient with respect to the logits, and
    their log-softmax, of which that with respect to probabilities is made."""
    if n_threads is None:
        n_threads = min(torch.get_num_threads(), default_threads())
    input = stored(input)
    logits, targets = array_of(input), array_of(stored(target))
    axis = -1 if logits.ndim <= 2 else 1
    weights = None if weight is None else array_of(stored(weight))
    # PyTorch's mean over probabilities is one over rows, and xentfast's is weighted.
    over_rows = reduction == "mean" and weight is not None and targets.dtype.kind not in "iu"
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weights, ignore_index=ignore_index, label_smoothing=label_smoothing,
        reduction="sum" if over_rows else reduction, n_threads=n_threads)
    if over_rows:
        call.reduction, call.weight_sum = "mean", float(logits.size // logits.shape[axis])
    gradient = new_like(input) if wants_gradient else input.new_empty(0)
    value = run(call, float("nan"), array_of(gradient) if wants_gradient else None)
    log_probabilities = input.new_empty(0)
    if wants_log_softmax:
        log_probabilities = new_like(input)
        log_softmax(logits, axis, out=array_of(log_probabilities), n_threads=n_threads)
    return _scalar(value), gradient, log_probabilities


def _save(ctx, inputs, output):
    _, gradient, log_probabilities, *link = output
    ctx.mark_non_differentiable(gradient, log_probabilities)
    ctx.set_materialize_grads(False)
    _keep(ctx, inputs, gradient, log_probabilities, *link)


def _keep(ctx, inputs, gradient, log_probabilities, *link):
    _, target, weight, ctx.reduction, _, ctx.label_smoothing, *_ = inputs
    ctx.target_dtype = target.dtype
    ctx.save_for_backward(gradient, log_probabilities, weight, *link)


def _linked(grad_loss, grad_link, *link):
    """The incoming gradient, None where none comes; connected with the graph where somebody may differentiate what is made of it.
    That comes back here by way of the link, a result that is always empty, and is refused instead of being lost."""
    if grad_link is not None:
        raise RuntimeError(SECOND_DERIVATIVE)
    if grad_loss is None or not torch.is_grad_enabled():
        return grad_loss
    if not link:
        raise RuntimeError(SECOND_DERIVATIVE)
    return grad_loss + link[0].sum()


def _backward(ctx, grad_loss, _gradient, _log_probabilities, grad_link=None):
    gradient, log_probabilities, weight, *link = ctx.saved_tensors
    factor = _linked(grad_loss, grad_link, *link)
    return *((None, None) if factor is None else _gradients(ctx, factor, gradient, log_probabilities, weight)), *[None] * 7


def _gradients(ctx, factor, gradient, log_probabilities, weight):
    """With respect to logits and probabilities; None where it is not wanted."""
    return (_times(gradient, factor) if ctx.needs_input_grad[0] else None,
            _by_target(ctx, log_probabilities, weight, factor) if ctx.needs_input_grad[1] else None)


def _times(gradient, factor):
    """One factor for all, or one for each row."""
    factors = factor if factor.ndim == 0 or gradient.ndim == 1 else factor.unsqueeze(1)
    plain = type(gradient) is type(factor) is torch.Tensor and not torch.compiler.is_compiling()
    if plain and not torch.is_grad_enabled() and not _keeps_graph():
        try:
            all_one = factor.item() == 1.0 if factor.ndim == 0 else bool((factor == 1).all())
        except RuntimeError:                        # a batch of factors, of which vmap tells no values
            pass
        else:
            return gradient if all_one else gradient.mul_(factors)  # it is asked for once
    return (gradient * factors).to(gradient.dtype)


# Whether the same backward pass may come again, which would need the gradient as it is.
_keeps_graph = torch._C._autograd._get_current_graph_task_keep_graph


def _by_target(ctx, log_probabilities, weight, factor):
    """−(1 − ε)·weight·log softmax, times the factor."""
    per_class = log_probabilities.new_ones(1) if weight is None else weight.to(log_probabilities.dtype)
    per_class = per_class * (ctx.label_smoothing - 1.0)
    if log_probabilities.ndim > 1:
        per_class = per_class.reshape(-1, *[1] * (log_probabilities.ndim - 2))
        factor = factor if factor.ndim == 0 else factor.unsqueeze(1)
    if ctx.reduction == "mean":
        factor = factor / (log_probabilities.numel() // log_probabilities.shape[min(1, log_probabilities.ndim - 1)])
    return (log_probabilities * per_class * factor).to(ctx.target_dtype)


class Plain(torch.autograd.Function):
    """For plain_loss: the arrays are those of the tensors. A function without a context of its own set-up costs a third of one
    that has it."""

    @staticmethod
    def forward(ctx, input, logits, targets, n_threads):
        value, gradient = softmax_cross_entropy_value_and_grad(logits, targets, n_threads=n_threads)
        link = input.new_empty(0)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(torch.from_numpy(gradient), link)
        return _scalar(value), link

    @staticmethod
    def backward(ctx, grad_loss, grad_link):
        gradient, link = ctx.saved_tensors
        factor = _linked(grad_loss, grad_link, link)
        return None if factor is None else _times(gradient, factor), None, None, None


# Function.apply without what it does for transforms, which are not under way, and for contexts with a set-up: 2 µs less.
_apply_plain = super(torch.autograd.Function, Plain).apply


class Direct(torch.autograd.Function):
    """For tensors with values, where no transform is under way: as Plain."""

    @staticmethod
    def forward(ctx, *arguments):
        loss, *rest = _compute(*arguments)
        link = arguments[0].new_empty(0)
        ctx.set_materialize_grads(False)
        _keep(ctx, arguments, *rest, link)
        return loss, link

    @staticmethod
    def backward(ctx, grad_loss, grad_link):
        return _backward(ctx, grad_loss, None, None, grad_link)


class Eager(torch.autograd.Function):
    """For tensors with values under torch.func, torch.vmap and torch.jit.trace. Its last result is the link (_linked): a first
    derivative is not refused, also where `create_graph` or torch.func would allow for more."""

    @staticmethod
    def forward(*arguments):
        return *_compute(*arguments), arguments[0].new_empty(0)

    setup_context = staticmethod(_save)
    backward = staticmethod(_backward)

    @staticmethod
    def vmap(info, in_dims, input, target, weight, *options):
        tensors = (input, target, weight)
        results = []
        for example in range(info.batch_size):
            parts = [tensor if dim is None else tensor.select(dim, example)
                     for tensor, dim in zip(tensors, in_dims, strict=False)]
            wanted = map(or_, options[-2:], _wanted(*parts[:2]))        # by a transform inside vmap, or outside
            results.append(Eager.apply(*parts, *options[:-2], *wanted))
        return tuple(torch.stack(outputs) for outputs in zip(*results, strict=True)), (0, 0, 0, 0)


# PyTorch binds the arguments in each call, to a signature that it would find anew each time: with named ones, 30 µs.
Eager.forward.__signature__ = inspect.signature(Eager.forward)


@torch.library.custom_op("xentfast::cross_entropy", mutates_args=(), device_types="cpu")
def operator(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
    n_threads: int | None,
    wants_gradient: bool,
    wants_log_softmax: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return _compute(input, target, weight, reduction, ignore_index, label_smoothing, n_threads, wants_gradient,
                    wants_log_softmax)


@operator.register_fake
def _shapes(input, target, weight, reduction, ignore_index, label_smoothing, n_threads, wants_gradient, wants_log_softmax):
    rows = (input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()) if reduction == "none" else ()
    dtype = torch.float64 if input.dtype == torch.float64 else torch.float32
    return (input.new_empty(rows, dtype=dtype), torch.empty_like(input) if wants_gradient else input.new_empty(0),
            torch.empty_like(input) if wants_log_softmax else input.new_empty(0))


operator.register_autograd(_backward, setup_context=_save)
