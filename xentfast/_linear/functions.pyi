from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Loss, Losses

__all__ = ["linear_cross_entropy", "linear_cross_entropy_value_and_grad"]

MEMORY_LIMIT: int

@overload
def linear_cross_entropy(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: ArrayLike | None = None,
    weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0, focal_gamma: float = 0.0, z_loss: float = 0.0, logit_scale: float = 1.0,
    softcap: float | None = None, where: ArrayLike | None = None, reduction: Literal["mean", "sum"] = "mean", empty: float = ...,
    memory_limit: int = ..., n_threads: int | None = None,
) -> Loss: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: ArrayLike | None = None,
    weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0, focal_gamma: float = 0.0, z_loss: float = 0.0, logit_scale: float = 1.0,
    softcap: float | None = None, where: ArrayLike | None = None, reduction: Literal["none"], empty: float = ...,
    memory_limit: int = ..., n_threads: int | None = None,
) -> Losses: ...

@overload
def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: None = None, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ...,
    out: tuple[NDArray[Any] | None, NDArray[Any] | None, None] | None = None, memory_limit: int = ...,
    n_threads: int | None = None,
) -> tuple[Loss, tuple[NDArray[Any], NDArray[Any], None]]: ...
@overload
def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: ArrayLike, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ...,
    out: tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None] | None = None, memory_limit: int = ...,
    n_threads: int | None = None,
) -> tuple[Loss, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]: ...
@overload
def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: None = None, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., out: tuple[NDArray[Any] | None, NDArray[Any] | None, None] | None = None,
    memory_limit: int = ..., n_threads: int | None = None,
) -> tuple[Losses, tuple[NDArray[Any], NDArray[Any], None]]: ...
@overload
def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike, linear_weight: ArrayLike, targets: ArrayLike, *, bias: ArrayLike, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ...,
    out: tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None] | None = None, memory_limit: int = ...,
    n_threads: int | None = None,
) -> tuple[Losses, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]: ...
