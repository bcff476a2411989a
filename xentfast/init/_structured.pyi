from typing import Any, overload

from numpy.typing import ArrayLike, DTypeLike, NDArray

from xentfast._base.typing import Axes, Dtype, DtypeOf, Index, Rng, Shape

RANKED: int
ROUNDED: float

@overload
def constant(
    shape: Shape, value: ArrayLike, *, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None,
) -> NDArray[Dtype]: ...
@overload
def constant(shape: Shape, value: ArrayLike, *, dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

@overload
def zeros(shape: Shape, *, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None) -> NDArray[Dtype]: ...
@overload
def zeros(shape: Shape, *, dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

@overload
def ones(shape: Shape, *, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None) -> NDArray[Dtype]: ...
@overload
def ones(shape: Shape, *, dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

@overload
def identity(
    shape: Shape, *, gain: float = 1.0, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None,
) -> NDArray[Dtype]: ...
@overload
def identity(shape: Shape, *, gain: float = 1.0, dtype: DTypeLike, out: NDArray[Any] | None = None) -> NDArray[Any]: ...

@overload
def dirac(
    shape: Shape, *, groups: int = 1, in_axis: Axes = -2, out_axis: Axes = -1, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None,
) -> NDArray[Dtype]: ...
@overload
def dirac(
    shape: Shape, *, groups: int = 1, in_axis: Axes = -2, out_axis: Axes = -1, dtype: DTypeLike, out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...

@overload
def sparse(
    shape: Shape, *, sparsity: float, std: float = 0.01, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def sparse(
    shape: Shape, *, sparsity: float, std: float = 0.01, rng: Rng = None, name: str | None = None, dtype: DTypeLike,
    out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def orthogonal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, rng: Rng = None, name: str | None = None,
    dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def orthogonal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, rng: Rng = None, name: str | None = None,
    dtype: DTypeLike, out: NDArray[Any] | None = None, n_threads: int | None = None,
) -> NDArray[Any]: ...
