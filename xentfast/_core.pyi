from typing import Any

import numpy as np
from numpy.typing import NDArray

FOR_LOSS: int
FOR_GRADIENT: int
FOR_SOFTMAX: int
FOR_LOG_SOFTMAX: int
FOR_LOGSUMEXP: int

class Kernels:
    level: str
    def __init__(self, level: str, capsule: Any) -> None: ...
    @property
    def chunk_bytes(self) -> int: ...
    def exp(self, x: NDArray[Any]) -> NDArray[Any]: ...
    def log1p(self, x: NDArray[np.float64]) -> NDArray[np.float64]: ...

def openmp_version() -> int: ...
def x86_64_level() -> int: ...
def max_threads() -> int: ...
def cross_entropy(
    kernels: Kernels, logits: NDArray[Any], axis: int, classes: NDArray[np.int64] | None, soft: NDArray[Any] | None,
    sample_weight: NDArray[np.float64] | None, class_weight: NDArray[np.float64] | None,
    smoothing_mass: NDArray[Any] | None, smoothing: float, divisor: float, out: NDArray[Any] | None,
    row_values: NDArray[Any] | None, stream: bool, n_threads: int,
) -> Any: ...
def soft_weight_sum(
    kernels: Kernels, logits: NDArray[Any], axis: int, soft: NDArray[Any], sample_weight: NDArray[np.float64] | None,
    class_weight: NDArray[np.float64] | None, n_threads: int,
) -> float: ...
def normalise(
    kernels: Kernels, result: int, x: NDArray[Any], axis: int, out: NDArray[Any] | None,
    row_values: NDArray[Any] | None, stream: bool, n_threads: int,
) -> None: ...
def scan_targets(
    kernels: Kernels, n_rows: int, classes: NDArray[np.int64] | None, sample_weight: NDArray[np.float64] | None,
    class_weight: NDArray[np.float64] | None, n_classes: int, ignored: int, n_threads: int,
) -> tuple[int, int, float]: ...
def skip_ignored(classes: NDArray[np.int64], ignored: int) -> None: ...
