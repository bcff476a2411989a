from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentfast._core import Kernels

FOR_CROSS_ENTROPY: int
FOR_ENTROPY: int
FOR_DIVERGENCE: int

def chunk_length(kernels: Kernels) -> int: ...
def compare(
    kernels: Kernels, measure: int, p: NDArray[Any], q: NDArray[Any] | None, axis: int, least: float, largest: float,
    row_values: NDArray[Any], n_threads: int,
) -> bool: ...
def slopes(
    kernels: Kernels, p: NDArray[Any], q: NDArray[Any], least: float, largest: float, out: NDArray[Any] | None, n_threads: int,
) -> bool: ...
def log_loss(
    kernels: Kernels, q: NDArray[Any], classes: NDArray[np.int64] | None, indicators: NDArray[Any] | None,
    sample_weight: NDArray[np.float64] | None, least: float, largest: float, slack: float, n_threads: int,
    row_values: NDArray[np.float64] | None = None,
) -> tuple[float, bool, bool]: ...
