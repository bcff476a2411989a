"""The loss under autograd: the gradient is made in the forward pass, where one is needed, and the backward pass multiplies it by
the incoming one.

Tensors with values go through an autograd.Function, which serves torch.func too and costs less than a custom operator; what
torch.compile traces goes through the operator. Both have one computation and one backward pass.
"""

import inspect
from operator import or_

import numpy as np
import torch

from xentfast._base.level import default_threads
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.functions import run
from xentfast._softmax.normalise import log_softmax
from xentfast.torch._tensors import array_of, new_like, stored

SECOND_DERIVATIVE = ("xentfast.torch.cross_entropy has no second derivative: its gradient is made in the forward pass; use "
                     "torch.nn.functional.cross_entropy for it")


def loss(input, target, weight, reduction, ignore_index, label_smoothing, n_threads):
    """The loss of checked arguments, in float64 for float64 logits and else in float32."""
    # Whoever traces (make_fx) or counts (FlopCounterMode) sees operators alone.
    traced = torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0
    plain = type(input) in (torch.Tensor, torch.nn.Parameter) and not traced
    route = Eager.apply if plain else operator
    return route(input, target, weight, reduction, ignore_index, label_smoothing, n_threads, *_wanted(input, target))[0]


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
    return torch.from_numpy(np.asarray(value)), gradient, log_probabilities


def _save(ctx, inputs, output):
    _, target, weight, ctx.reduction, _, ctx.label_smoothing, *_ = inputs
    _, gradient, log_probabilities, *link = output
    ctx.target_dtype = target.dtype
    ctx.mark_non_differentiable(gradient, log_probabilities)
    ctx.save_for_backward(gradient, log_probabilities, weight, *link)
    ctx.set_materialize_grads(False)


def _backward(ctx, grad_loss, _gradient, _log_probabilities, grad_link=None):
    if grad_link is not None:
        raise RuntimeError(SECOND_DERIVATIVE)
    by_input = by_target = None
    if grad_loss is not None:
        gradient, log_probabilities, weight, *link = ctx.saved_tensors
        if torch.is_grad_enabled():                 # somebody may differentiate what comes out
            if not link:
                raise RuntimeError(SECOND_DERIVATIVE)
            grad_loss = grad_loss + link[0].sum()
        if ctx.needs_input_grad[0]:
            by_input = _times(gradient, grad_loss)
        if ctx.needs_input_grad[1]:
            by_target = _by_target(ctx, log_probabilities, weight, grad_loss)
    return by_input, by_target, *[None] * 7


def _times(gradient, factor):
    """One factor for all, or one for each row."""
    factors = factor if factor.ndim == 0 or gradient.ndim == 1 else factor.unsqueeze(1)
    plain = type(gradient) is type(factor) is torch.Tensor and not torch.compiler.is_compiling()
    if plain and not torch.is_grad_enabled() and not _keeps_graph():
        try:
            all_one = bool((factor == 1).all())
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


class Eager(torch.autograd.Function):
    """For tensors with values. torch.func and torch.vmap come here too.

    A last result, the link, is always empty. Through it gradients depend on the graph, so that a second derivative comes back
    here and is refused, instead of being lost; a first one is not, also where `create_graph` or torch.func would allow for more.
    """

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
