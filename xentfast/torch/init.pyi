from typing import TypeVar

import torch
from numpy.typing import ArrayLike

from xentfast._base.typing import Axes, Distribution, Fan, Nonlinearity, Rng
from xentfast.torch._module import init_module as init_module

__all__ = [
    "constant_",
    "dirac_",
    "eye_",
    "glorot_normal_",
    "glorot_uniform_",
    "he_normal_",
    "he_uniform_",
    "identity_",
    "init_module",
    "kaiming_normal_",
    "kaiming_uniform_",
    "lecun_normal_",
    "lecun_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "truncated_normal_",
    "uniform_",
    "variance_scaling_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_Tensor = TypeVar("_Tensor", bound=torch.Tensor)

def constant_(tensor: _Tensor, value: ArrayLike) -> _Tensor: ...
def dirac_(tensor: _Tensor, *, groups: int = 1, in_axis: Axes = 1, out_axis: Axes = 0) -> _Tensor: ...
def he_normal_(
    tensor: _Tensor, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def he_uniform_(
    tensor: _Tensor, *, gain: float = 1.0, nonlinearity: Nonlinearity = "relu", param: float | None = None, mode: Fan = "fan_in",
    in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def identity_(tensor: _Tensor, *, gain: float = 1.0) -> _Tensor: ...
def lecun_normal_(
    tensor: _Tensor, *, gain: float = 1.0, in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def lecun_uniform_(
    tensor: _Tensor, *, gain: float = 1.0, in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def normal_(
    tensor: _Tensor, *, mean: float = 0.0, std: float = 1.0, rng: Rng = None, name: str | None = None,
    n_threads: int | None = None,
) -> _Tensor: ...
def ones_(tensor: _Tensor) -> _Tensor: ...
def orthogonal_(
    tensor: _Tensor, *, gain: float = 1.0, in_axis: Axes = 1, out_axis: Axes = 0, rng: Rng = None, name: str | None = None,
    n_threads: int | None = None,
) -> _Tensor: ...
def sparse_(
    tensor: _Tensor, *, sparsity: float, std: float = 0.01, rng: Rng = None, name: str | None = None,
    n_threads: int | None = None,
) -> _Tensor: ...
def truncated_normal_(
    tensor: _Tensor, *, mean: float = 0.0, std: float = 1.0, lower: float = -2.0, upper: float = 2.0, rng: Rng = None,
    name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def uniform_(
    tensor: _Tensor, *, low: float = 0.0, high: float = 1.0, rng: Rng = None, name: str | None = None,
    n_threads: int | None = None,
) -> _Tensor: ...
def variance_scaling_(
    tensor: _Tensor, *, scale: float = 1.0, mode: Fan = "fan_in", distribution: Distribution = "truncated_normal",
    in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None, fan_out: float | None = None, rng: Rng = None,
    name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def xavier_normal_(
    tensor: _Tensor, *, gain: float = 1.0, in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def xavier_uniform_(
    tensor: _Tensor, *, gain: float = 1.0, in_axis: Axes = 1, out_axis: Axes = 0, fan_in: float | None = None,
    fan_out: float | None = None, rng: Rng = None, name: str | None = None, n_threads: int | None = None,
) -> _Tensor: ...
def zeros_(tensor: _Tensor) -> _Tensor: ...

eye_ = identity_
glorot_normal_ = xavier_normal_
glorot_uniform_ = xavier_uniform_
kaiming_normal_ = he_normal_
kaiming_uniform_ = he_uniform_
