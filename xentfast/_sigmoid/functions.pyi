from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Float, Loss, Losses, Reduction
from xentfast._sigmoid.checks import SigmoidCall
from xentfast._sigmoid.loops import BLOCK_LENGTH as BLOCK_LENGTH

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess",
           "sigmoid_cross_entropy_value_and_grad"]

@overload
def sigmoid_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., n_threads: int | None = None,
) -> Loss: ...
@overload
def sigmoid_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., n_threads: int | None = None,
) -> Losses: ...

@overload
def sigmoid_cross_entropy_grad(
    logits: NDArray[Float], targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def sigmoid_cross_entropy_grad(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def sigmoid_cross_entropy_value_and_grad(
    logits: NDArray[Float], targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., out: NDArray[Float] | None = None,
    n_threads: int | None = None,
) -> tuple[Loss, NDArray[Float]]: ...
@overload
def sigmoid_cross_entropy_value_and_grad(
    logits: NDArray[Float], targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> tuple[Losses, NDArray[Float]]: ...
@overload
def sigmoid_cross_entropy_value_and_grad(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> tuple[Loss, NDArray[Any]]: ...
@overload
def sigmoid_cross_entropy_value_and_grad(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> tuple[Losses, NDArray[Any]]: ...

@overload
def sigmoid_cross_entropy_grad_hess(
    logits: NDArray[Float], targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Reduction = "sum", out: tuple[NDArray[Float], NDArray[Float]] | None = None, n_threads: int | None = None,
) -> tuple[NDArray[Float], NDArray[Float]]: ...
@overload
def sigmoid_cross_entropy_grad_hess(
    logits: ArrayLike, targets: ArrayLike, *, pos_weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0, where: ArrayLike | None = None,
    reduction: Reduction = "sum", out: tuple[NDArray[Any], NDArray[Any]] | None = None, n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]: ...

def compute(
    call: SigmoidCall, divisor: float, losses: NDArray[Any] | None, gradient: NDArray[Any] | None,
    hessian: NDArray[Any] | None, block_sums: NDArray[np.float64] | None = None,
) -> Loss: ...
