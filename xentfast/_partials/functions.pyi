from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Float, Loss, Losses, Reduction
from xentfast._partials.checks import SliceCall
from xentfast._partials.loops import combine_records as combine_records
from xentfast._partials.loops import soft_weights as soft_weights
from xentfast._partials.loops import write_records as write_records

__all__ = ["softmax_cross_entropy_combine", "softmax_cross_entropy_combine_grad", "softmax_cross_entropy_partial"]

def softmax_cross_entropy_partial(
    logits: ArrayLike, targets: ArrayLike, *, first_class: int, n_classes: int, axis: int = -1, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, logit_scale: float = 1.0,
    softcap: float | None = None, where: ArrayLike | None = None, where_count: ArrayLike | None = None,
    out: NDArray[np.float64] | None = None, n_threads: int | None = None,
) -> NDArray[np.float64]: ...

@overload
def softmax_cross_entropy_combine(
    partials: ArrayLike, targets: ArrayLike | None, *, n_classes: int, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where_count: ArrayLike | None = None,
    reduction: Literal["mean", "sum"] = "mean", empty: float = ..., n_threads: int | None = None,
) -> Loss: ...
@overload
def softmax_cross_entropy_combine(
    partials: ArrayLike, targets: ArrayLike | None, *, n_classes: int, weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None, ignore_index: int = -100, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
    z_loss: float = 0.0, logit_scale: float = 1.0, softcap: float | None = None, where_count: ArrayLike | None = None,
    reduction: Literal["none"], empty: float = ..., n_threads: int | None = None,
) -> Losses: ...

@overload
def softmax_cross_entropy_combine_grad(
    partials: ArrayLike, logits: NDArray[Float], targets: ArrayLike, *, first_class: int, n_classes: int, axis: int = -1,
    weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0, focal_gamma: float = 0.0, z_loss: float = 0.0, logit_scale: float = 1.0,
    softcap: float | None = None, where: ArrayLike | None = None, where_count: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def softmax_cross_entropy_combine_grad(
    partials: ArrayLike, logits: ArrayLike, targets: ArrayLike, *, first_class: int, n_classes: int, axis: int = -1,
    weight: ArrayLike | None = None, sample_weight: ArrayLike | None = None, ignore_index: int = -100,
    label_smoothing: float = 0.0, focal_gamma: float = 0.0, z_loss: float = 0.0, logit_scale: float = 1.0,
    softcap: float | None = None, where: ArrayLike | None = None, where_count: ArrayLike | None = None,
    reduction: Reduction = "mean", out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

def compute(call: SliceCall, divisor: float, values: NDArray[Any] | None) -> Any: ...
def compute_slice(call: SliceCall, divisor: float, out: NDArray[Any]) -> None: ...
