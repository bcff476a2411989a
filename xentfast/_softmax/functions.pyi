from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Float, Loss, Losses, Reduction
from xentfast._softmax.call import CrossEntropyCall
from xentfast._softmax.loops import compute as compute
from xentfast._softmax.loops import soft_weight_sum as soft_weight_sum

__all__ = ["perplexity", "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_grad_hess",
           "softmax_cross_entropy_value_and_grad"]

@overload
def softmax_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., n_threads: int | None = None,
) -> Loss: ...
@overload
def softmax_cross_entropy(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., n_threads: int | None = None,
) -> Losses: ...

@overload
def softmax_cross_entropy_grad(
    logits: NDArray[Float], targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def softmax_cross_entropy_grad(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def softmax_cross_entropy_value_and_grad(
    logits: NDArray[Float], targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., out: NDArray[Float] | None = None,
    n_threads: int | None = None,
) -> tuple[Loss, NDArray[Float]]: ...
@overload
def softmax_cross_entropy_value_and_grad(
    logits: NDArray[Float], targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> tuple[Losses, NDArray[Float]]: ...
@overload
def softmax_cross_entropy_value_and_grad(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> tuple[Loss, NDArray[Any]]: ...
@overload
def softmax_cross_entropy_value_and_grad(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> tuple[Losses, NDArray[Any]]: ...

@overload
def softmax_cross_entropy_grad_hess(
    logits: NDArray[Float], targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    where: ArrayLike | None = None, reduction: Reduction = "sum", out: tuple[NDArray[Float], NDArray[Float]] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Float], NDArray[Float]]: ...
@overload
def softmax_cross_entropy_grad_hess(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    where: ArrayLike | None = None, reduction: Reduction = "sum", out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]: ...

def perplexity(
    logits: ArrayLike, targets: ArrayLike, *, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, logit_scale: float = 1.0, softcap: float | None = None,
    where: ArrayLike | None = None, empty: float = ..., n_threads: int | None = None,
) -> Loss: ...
def run(
    call: CrossEntropyCall, empty: float, out: NDArray[Any] | None = None, hess: NDArray[Any] | None = None,
) -> Loss | Losses: ...
