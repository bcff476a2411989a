from typing import Any, overload

from numpy.typing import DTypeLike, NDArray

from xentfast._base.typing import Dtype, DtypeOf, Index, Rng, Shape

@overload
def uniform(
    shape: Shape, *, low: float = 0.0, high: float = 1.0, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def uniform(
    shape: Shape, *, low: float = 0.0, high: float = 1.0, rng: Rng = None, name: str | None = None, dtype: DTypeLike,
    out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, rng: Rng = None, name: str | None = None, dtype: DTypeLike,
    out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def truncated_normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0, rng: Rng = None,
    name: str | None = None, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None, index: Index = None,
    n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def truncated_normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0, rng: Rng = None,
    name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...
