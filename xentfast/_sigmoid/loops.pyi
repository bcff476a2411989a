from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_LENGTH: int

def sigmoid(
    logits: NDArray[Any], targets: NDArray[Any], pos_weight: NDArray[Any] | None,
    sample_weight: NDArray[Any] | None, where: NDArray[np.bool_] | None, ignored: float | None, smoothing: float, gamma: float,
    divisor: float, valued: bool,
    losses: NDArray[Any] | None, gradient: NDArray[Any] | None, hessian: NDArray[Any] | None, stream: bool, n_threads: int,
    block_sums: NDArray[np.float64] | None = None,
) -> np.float32 | np.float64: ...
def total_read(
    array: NDArray[Any], like: NDArray[Any], sample_weight: NDArray[Any] | None, where: NDArray[np.bool_] | None,
    targets: NDArray[Any] | None, ignored: float | None, lowest: float, highest: float, n_threads: int, counting: bool = False,
    block_sums: NDArray[np.float64] | None = None,
) -> float: ...
def total_within(
    array: NDArray[Any], lowest: float, highest: float, n_threads: int,
    block_sums: NDArray[np.float64] | None = None,
) -> float: ...
