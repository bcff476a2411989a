"""Cross-entropy of logits with the arguments and the meaning of torch.nn.functional.cross_entropy."""

from __future__ import annotations

import warnings

import torch

from xentfast._base.numbers import integer, is_true, real_number, shown
from xentfast._base.threads import requested
from xentfast.torch import _autograd
from xentfast.torch._tensors import FLOATS, check_tensor

__all__ = ["CrossEntropyLoss", "cross_entropy"]


def cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    *,
    n_threads: int | None = None,
) -> torch.Tensor:
    r"""Cross-entropy between targets and the softmax of logits: `torch.nn.functional.cross_entropy` on CPU tensors.

    Parameters
    ----------
    input : Tensor of float16, bfloat16, float32 or float64
        Logits: of shape (N, C), (N, C, d₁, …) or (C,), any strides.
    target : Tensor
        Class indices, int64 or uint8, of the shape of `input` without the class axis. Or probabilities, of the shape of
        `input` and any of the four float dtypes.
    weight : Tensor of shape (C,), optional
        A finite weight for each class; with class indices of the dtype of `input`.
    size_average : bool, optional
        Deprecated, as in PyTorch: overrules `reduction`.
    ignore_index : int, default -100
        Rows with this class index are not read: their loss and gradient are 0. Not for probabilities.
    reduce : bool, optional
        Deprecated, as in PyTorch: overrules `reduction`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by Σ weight[targetᵢ] over the rows that are not ignored, and with probabilities by the number
        of rows, also where there are weights.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C. See :ref:`what it does <option-label-smoothing>`.
    n_threads : int, optional
        Threads to use at most, by default ``torch.get_num_threads()``. The result has the same bits for any number.

    Returns
    -------
    loss : Tensor
        In the dtype of `input` (with probabilities, what theirs and the weights' make of it; under autocast at least float32): a
        scalar, or for "none" of the shape of `input` without the class axis.

    Raises
    ------
    IndexError
        A class index is neither a class nor `ignore_index`.
    RuntimeError, ValueError, TypeError
        Another argument is not as described: the type is PyTorch's for the same mistake. GPU and meta tensors are refused, and
        weights that require a gradient.

    See Also
    --------
    CrossEntropyLoss : The same as a module.
    xentfast.softmax_cross_entropy : On NumPy arrays, with more options.

    Notes
    -----
    See `xentfast.softmax_cross_entropy` for formula and accuracy. Where a gradient is needed it is made together with the loss,
    in one pass over the logits, and the backward pass returns it, multiplied by the incoming gradient unless that is 1. There
    are gradients with respect to `input` and to probabilities; second derivatives and forward mode are refused. float16 is
    computed by way of a float32 copy, since its gradients would underflow before a loss scale reaches them, and so is bfloat16
    where probabilities require a gradient; all else is read where it is.

    Other than in PyTorch a −inf logit with a target probability of 0 counts 0, not nan; an ignored row stays out of the
    gradient though it holds nan; where the weights add up to 0, so that the mean is nan, the gradient is 0; and a negative
    `label_smoothing` is an error.

    Works under `torch.compile` without a graph break, autocast (16 bits give a float32 loss), `torch.func.grad` (not inside
    `torch.compile`) and `torch.vmap` (one example after the other), and in DataLoader workers (on one thread).

    Examples
    --------
    >>> import torch
    >>> import xentfast.torch
    >>> logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 3.0, 0.0]], requires_grad=True)
    >>> loss = xentfast.torch.cross_entropy(logits, torch.tensor([0, 1]))
    >>> loss.backward()
    >>> round(loss.item(), 6), [round(value, 4) for value in logits.grad[1].tolist()]
    (0.168117, [0.0226, -0.0453, 0.0226])
    """
    if (weight is size_average is reduce is None and type(ignore_index) is int and ignore_index == -100
            and type(reduction) is str and reduction == "mean" and type(label_smoothing) is float and label_smoothing == 0.0
            and (n_threads is None or type(n_threads) is int and n_threads > 0)):
        loss = _autograd.plain_loss(input, target, n_threads)
        if loss is not None:
            return loss
    if size_average is not None or reduce is not None:
        reduction = _older_reduction(size_average, reduce)
    dtype = _check(input, target, weight, ignore_index, reduction, label_smoothing)
    requested(n_threads)                                            # checks it
    if input.shape != target.shape and input.ndim == 1:
        target = target.reshape(())
    if input.dtype == torch.float16 or input.dtype == torch.bfloat16 and target.requires_grad:
        input = input.float()
    return _autograd.loss(input, target, weight, reduction, ignore_index, float(label_smoothing), n_threads).to(dtype)


class CrossEntropyLoss(torch.nn.CrossEntropyLoss):
    """The module of `cross_entropy`: a `torch.nn.CrossEntropyLoss` with the same arguments.

    Parameters
    ----------
    weight : Tensor of shape (C,), optional
        A finite weight for each class; with class indices of the dtype of `input`. A buffer, which moves with the module.
    size_average : bool, optional
        Deprecated, as in PyTorch: overrules `reduction`.
    ignore_index : int, default -100
        Rows with this class index are not read: their loss and gradient are 0. Not for probabilities.
    reduce : bool, optional
        Deprecated, as in PyTorch: overrules `reduction`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by Σ weight[targetᵢ] over the rows that are not ignored, and with probabilities by the number
        of rows, also where there are weights.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C. See :ref:`what it does <option-label-smoothing>`.
    n_threads : int, optional
        Threads to use at most, by default ``torch.get_num_threads()``. The result has the same bits for any number.

    Raises
    ------
    RuntimeError, ValueError, TypeError
        When it is called, as `cross_entropy`.

    See Also
    --------
    cross_entropy : The same as a function.

    Examples
    --------
    >>> import torch
    >>> import xentfast.torch
    >>> loss = xentfast.torch.CrossEntropyLoss(reduction="sum")
    >>> loss(torch.zeros(2, 4), torch.tensor([2, 0]))
    tensor(2.7726)
    """

    def __init__(
        self,
        weight: torch.Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        *,
        n_threads: int | None = None,
    ) -> None:
        for name, value in (("size_average", size_average), ("reduce", reduce)):
            is_true(value, name)                        # PyTorch's own errors do not say which
        super().__init__(weight, size_average, ignore_index, reduce, reduction, label_smoothing)
        self.n_threads: int | None = n_threads

    def forward(self, input: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss: `cross_entropy` with this module's options.

        Parameters
        ----------
        input, target : Tensor
            As for `cross_entropy`.

        Returns
        -------
        loss : Tensor
            As from `cross_entropy`.
        """
        return cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                             label_smoothing=self.label_smoothing, n_threads=self.n_threads)


# ---- checks: the types of errors are those of PyTorch


def _older_reduction(size_average, reduce):
    size_average = size_average is None or is_true(size_average, "size_average")
    reduce = reduce is None or is_true(reduce, "reduce")
    reduction = "none" if not reduce else "mean" if size_average else "sum"
    warnings.warn(f"size_average and reduce are deprecated; pass reduction={reduction!r}", stacklevel=3)
    return reduction


def _check(input, target, weight, ignore_index, reduction, label_smoothing):
    """The dtype of the loss, or an error. What values decide (a class out of range, an infinite weight) is seen later."""
    for name, tensor in (("input", input), ("target", target), ("weight", weight)):
        if tensor is not None or name != "weight":
            check_tensor(tensor, name)
    if input.dtype not in FLOATS:
        raise NotImplementedError(f"input has dtype {input.dtype}; expected float16, bfloat16, float32 or float64")
    if not isinstance(reduction, str) or reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is {shown(reduction)}; expected 'mean', 'sum' or 'none'")
    if not 0.0 <= real_number(label_smoothing, "label_smoothing") <= 1.0:
        raise RuntimeError(f"label_smoothing is {label_smoothing}; expected a number from 0 to 1")
    integer(ignore_index, "ignore_index")
    if input.ndim == 0:
        raise ValueError("input is zero-dimensional; expected (C,), (N, C) or (N, C, d1, ...)")
    soft = input.shape == target.shape
    (_check_probabilities if soft else _check_classes)(input, target, ignore_index)
    dtype = _autocast(input.dtype)
    if soft:
        dtype = torch.promote_types(dtype, _autocast(target.dtype))
    if weight is not None:
        _check_weight(weight, input, dtype, soft)
        dtype = torch.promote_types(dtype, _autocast(weight.dtype))
    return dtype


def _check_probabilities(input, target, ignore_index):
    if target.dtype not in FLOATS:
        way = "" if target.is_complex() else (": target.to(input.dtype) makes probabilities of one-hot targets, "
                                              f"target.argmax({min(1, input.ndim - 1)}) class indices")
        raise RuntimeError(f"target has the shape of input, as probabilities have, and dtype {target.dtype}; expected float16, "
                           f"bfloat16, float32 or float64{way}")
    if ignore_index >= 0:
        raise RuntimeError(f"ignore_index is {ignore_index}, and target holds probabilities, none of which is ignored; "
                           "expected a negative number")


def _check_classes(input, target, ignore_index):
    expected = input.shape[:1] + input.shape[2:] if input.ndim > 1 else ()
    if target.shape != expected and not (input.ndim == 1 and target.shape == (1,)):
        batch_differs = input.ndim == 1 or target.ndim == 0 or target.shape[0] != input.shape[0]
        raise (ValueError if batch_differs else RuntimeError)(
            f"target has shape {tuple(target.shape)}; expected {tuple(expected)} for class indices, or {tuple(input.shape)}, the "
            "shape of input, for probabilities")
    if target.dtype not in (torch.int64, torch.uint8):
        raise RuntimeError(f"target has dtype {target.dtype}; expected int64 or uint8 for class indices")


def _check_weight(weight, input, dtype, soft):
    n_classes = input.shape[min(1, input.ndim - 1)]
    if weight.shape != (n_classes,):
        raise RuntimeError(f"weight has shape {tuple(weight.shape)}; expected ({n_classes},), a weight for each class")
    if weight.dtype not in FLOATS or not soft and _autocast(weight.dtype) != dtype:
        expected = "float16, bfloat16, float32 or float64" if soft else f"{dtype}, that of input"
        raise RuntimeError(f"weight has dtype {weight.dtype}; expected {expected}")
    if weight.requires_grad and torch.is_grad_enabled():
        raise RuntimeError("weight requires a gradient, which xentfast.torch.cross_entropy does not give; pass weight.detach()")


def _autocast(dtype):
    """Autocast makes float32 of 16 bits for this loss. So do the kernels, after they have read them as they are."""
    sixteen = dtype in (torch.float16, torch.bfloat16)
    return torch.float32 if sixteen and torch.is_autocast_enabled("cpu") else dtype
