from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

FLOAT32: np.dtype[np.float32]
FLOAT64: np.dtype[np.float64]

@disjoint_base
class CrossEntropyCall:
    logits: NDArray[Any]
    axis: int
    classes: NDArray[np.int64] | None
    soft: NDArray[Any] | None
    sample_weight: NDArray[np.float64] | None
    class_weight: NDArray[Any] | None
    smoothing: float
    gamma: float
    z_loss: float
    logit_scale: float
    softcap: float
    where: NDArray[np.bool_] | None
    hess_factor: float
    hess_size: bool
    hess_floor: float
    weight_sum: float
    weighs_soft: bool
    reduction: str
    exponential: bool
    n_threads: int
    @property
    def rows(self) -> tuple[int, ...]: ...
    @property
    def meaning_of_rows(self) -> str: ...
    @property
    def inputs(self) -> tuple[NDArray[Any] | None, ...]: ...
    @property
    def value_shape(self) -> tuple[int, ...]: ...
    @property
    def value_dtype(self) -> np.dtype[Any]: ...
    def output(self, out: object) -> NDArray[Any]: ...
    def outputs(self, out: object) -> tuple[NDArray[Any], NDArray[Any]]: ...

def cross_entropy_call(
    logits: object, targets: object, *, axis: object = -1, weight: object = None, sample_weight: object = None,
    ignore_index: object = -100, label_smoothing: object = 0.0, focal_gamma: object = 0.0, z_loss: object = 0.0,
    logit_scale: object = 1.0, softcap: object = None, where: object = None, reduction: object = "sum", n_threads: object = None,
) -> CrossEntropyCall: ...
