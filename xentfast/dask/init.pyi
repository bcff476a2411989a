from typing import Any, TypeAlias

import dask.array as da
from numpy.typing import ArrayLike, DTypeLike

from xentfast._base.typing import Axes, Distribution, Fan, Nonlinearity, Rng, Shape

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "sparse",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]

_Chunks: TypeAlias = int | str | tuple[Any, ...]

def constant(shape: Shape, value: ArrayLike, *, chunks: _Chunks = "auto", dtype: DTypeLike = ...) -> da.Array: ...
def zeros(shape: Shape, *, chunks: _Chunks = "auto", dtype: DTypeLike = ...) -> da.Array: ...
def ones(shape: Shape, *, chunks: _Chunks = "auto", dtype: DTypeLike = ...) -> da.Array: ...
def identity(shape: Shape, *, gain: float = 1.0, chunks: _Chunks = "auto", dtype: DTypeLike = ...) -> da.Array: ...
def variance_scaling(
    shape: Shape, *, scale: float = 1.0, mode: Fan = "fan_in", distribution: Distribution = "truncated_normal",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, chunks: _Chunks = "auto",
    rng: Rng = None, name: str | None = None, dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def xavier_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None, dtype: DTypeLike = ...,
    n_threads: int | None = 1,
) -> da.Array: ...
def xavier_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None, dtype: DTypeLike = ...,
    n_threads: int | None = 1,
) -> da.Array: ...
def he_uniform(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, chunks: _Chunks = "auto",
    rng: Rng = None, name: str | None = None, dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def he_normal(
    shape: Shape, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None, fan_out: float | None = None, chunks: _Chunks = "auto",
    rng: Rng = None, name: str | None = None, dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def lecun_uniform(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None, dtype: DTypeLike = ...,
    n_threads: int | None = 1,
) -> da.Array: ...
def lecun_normal(
    shape: Shape, *, gain: float = 1.0, in_axis: Axes = -2, out_axis: Axes = -1, fan_in: float | None = None,
    fan_out: float | None = None, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None, dtype: DTypeLike = ...,
    n_threads: int | None = 1,
) -> da.Array: ...
def uniform(
    shape: Shape, *, low: float = 0.0, high: float = 1.0, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None,
    dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None,
    dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def truncated_normal(
    shape: Shape, *, mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0, chunks: _Chunks = "auto",
    rng: Rng = None, name: str | None = None, dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...
def sparse(
    shape: Shape, *, sparsity: float, std: float = 0.01, chunks: _Chunks = "auto", rng: Rng = None, name: str | None = None,
    dtype: DTypeLike = ..., n_threads: int | None = 1,
) -> da.Array: ...

glorot_normal = xavier_normal
glorot_uniform = xavier_uniform
kaiming_normal = he_normal
kaiming_uniform = he_uniform
