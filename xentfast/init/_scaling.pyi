from typing import Any, overload

from numpy.typing import DTypeLike, NDArray

from xentfast._base.typing import Axes, Distribution, Dtype, DtypeOf, Fan, Index, Nonlinearity, Rng, Shape

MODES: tuple[Fan, ...]
DISTRIBUTIONS: tuple[Distribution, ...]
CUT_STD: float

@overload
def variance_scaling(
    shape: Shape, *, scale: float = 1.0, mode: Fan = "fan_in", distribution: Distribution = "truncated_normal",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None, index: Index = None,
    n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def variance_scaling(
    shape: Shape, *, scale: float = 1.0, mode: Fan = "fan_in", distribution: Distribution = "truncated_normal",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def xavier_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def xavier_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None,
    index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def xavier_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def xavier_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None,
    index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def he_uniform(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None, index: Index = None,
    n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def he_uniform(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def he_normal(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DtypeOf[Dtype] = ..., out: NDArray[Dtype] | None = None, index: Index = None,
    n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def he_normal(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def lecun_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def lecun_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None,
    index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def lecun_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DtypeOf[Dtype] = ...,
    out: NDArray[Dtype] | None = None, index: Index = None, n_threads: int | None = None,
) -> NDArray[Dtype]: ...
@overload
def lecun_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, dtype: DTypeLike, out: NDArray[Any] | None = None,
    index: Index = None, n_threads: int | None = None,
) -> NDArray[Any]: ...

glorot_uniform = xavier_uniform
glorot_normal = xavier_normal
kaiming_uniform = he_uniform
kaiming_normal = he_normal
