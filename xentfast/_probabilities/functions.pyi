from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Axes, Float, Loss, Losses
from xentfast._probabilities.loops import FOR_CROSS_ENTROPY as FOR_CROSS_ENTROPY
from xentfast._probabilities.loops import FOR_DIVERGENCE as FOR_DIVERGENCE
from xentfast._probabilities.loops import FOR_ENTROPY as FOR_ENTROPY
from xentfast._probabilities.loops import chunk_length as chunk_length
from xentfast._probabilities.loops import compare as compare
from xentfast._probabilities.loops import label_losses as label_losses

__all__ = ["cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence", "log_loss"]

@overload
def cross_entropy(
    p: ArrayLike, q: ArrayLike, *, axis: Axes | None = -1, eps: float | None = None, keepdims: Literal[True],
    n_threads: int | None = None,
) -> Losses: ...
@overload
def cross_entropy(
    p: ArrayLike, q: ArrayLike, *, axis: None, eps: float | None = None, keepdims: Literal[False] = False,
    n_threads: int | None = None,
) -> Loss: ...
@overload
def cross_entropy(
    p: ArrayLike, q: ArrayLike, *, axis: Axes | None = -1, eps: float | None = None, keepdims: bool = False,
    n_threads: int | None = None,
) -> Loss | Losses: ...

@overload
def entropy(p: ArrayLike, *, axis: Axes | None = -1, keepdims: Literal[True], n_threads: int | None = None) -> Losses: ...
@overload
def entropy(p: ArrayLike, *, axis: None, keepdims: Literal[False] = False, n_threads: int | None = None) -> Loss: ...
@overload
def entropy(p: ArrayLike, *, axis: Axes | None = -1, keepdims: bool = False, n_threads: int | None = None) -> Loss | Losses: ...

@overload
def kl_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: Axes | None = -1, eps: float | None = None, keepdims: Literal[True],
    n_threads: int | None = None,
) -> Losses: ...
@overload
def kl_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: None, eps: float | None = None, keepdims: Literal[False] = False,
    n_threads: int | None = None,
) -> Loss: ...
@overload
def kl_divergence(
    p: ArrayLike, q: ArrayLike, *, axis: Axes | None = -1, eps: float | None = None, keepdims: bool = False,
    n_threads: int | None = None,
) -> Loss | Losses: ...

@overload
def cross_entropy_grad(
    p: ArrayLike, q: NDArray[Float], *, eps: float | None = None, out: NDArray[Float] | None = None, n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def cross_entropy_grad(
    p: ArrayLike, q: ArrayLike, *, eps: float | None = None, out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def log_loss(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, labels: ArrayLike | None = None,
    normalize: bool = True, y_proba: None = None, n_threads: int | None = None,
) -> float: ...
@overload
def log_loss(
    y_true: ArrayLike, y_pred: None = None, *, sample_weight: ArrayLike | None = None, labels: ArrayLike | None = None,
    normalize: bool = True, y_proba: ArrayLike, n_threads: int | None = None,
) -> float: ...
