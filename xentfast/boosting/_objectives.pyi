from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from numpy.typing import ArrayLike, NDArray

__all__ = ["SigmoidMetric", "SigmoidObjective", "SoftmaxMetric", "SoftmaxObjective"]

_Library = TypeVar("_Library", bound=Literal["xgboost", "lightgbm"])

class _DataSet(Protocol):
    def get_label(self) -> Any: ...

class SoftmaxObjective:
    hessian: Literal["xgboost", "lightgbm", "diagonal"]
    def __init__(
        self, hessian: Literal["xgboost", "lightgbm", "diagonal"], *, weight: ArrayLike | None = None,
        soft_labels: ArrayLike | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
        n_threads: int | None = None,
    ) -> None: ...
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[NDArray[Any], NDArray[Any]]: ...

class SigmoidObjective:
    def __init__(
        self, *, pos_weight: ArrayLike | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
        n_threads: int | None = None,
    ) -> None: ...
    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[NDArray[Any], NDArray[Any]]: ...

class _Metric(Generic[_Library]):
    library: _Library
    def __init__(self, library: _Library, name: str) -> None: ...
    @overload
    def __call__(
        self: _Metric[Literal["lightgbm"]], y_true: Any, y_pred: Any, sample_weight: Any = None,
    ) -> tuple[str, float, bool]: ...
    @overload
    def __call__(
        self: _Metric[Literal["xgboost"]], y_true: ArrayLike, y_pred: _DataSet, sample_weight: None = None,
    ) -> tuple[str, float]: ...
    @overload
    def __call__(
        self: _Metric[Literal["xgboost"]], y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None,
    ) -> float: ...

class SoftmaxMetric(_Metric[_Library]):
    def __init__(
        self, library: _Library, *, weight: ArrayLike | None = None, soft_labels: ArrayLike | None = None,
        label_smoothing: float = 0.0, focal_gamma: float = 0.0, name: str = "softmax_cross_entropy",
        n_threads: int | None = None,
    ) -> None: ...

class SigmoidMetric(_Metric[_Library]):
    def __init__(
        self, library: _Library, *, pos_weight: ArrayLike | None = None, label_smoothing: float = 0.0, focal_gamma: float = 0.0,
        name: str = "sigmoid_cross_entropy", n_threads: int | None = None,
    ) -> None: ...
