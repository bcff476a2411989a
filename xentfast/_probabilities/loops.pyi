from typing import Any

import numpy as np
from numpy.typing import NDArray

FOR_CROSS_ENTROPY: int
FOR_ENTROPY: int
FOR_DIVERGENCE: int

def chunk_length() -> int: ...
def compare(
    measure: int, p: NDArray[Any], q: NDArray[Any] | None, axis: int, least: float, largest: float,
    row_values: NDArray[Any], n_threads: int,
) -> bool: ...
def slopes(
    p: NDArray[Any], q: NDArray[Any], least: float, largest: float, out: NDArray[Any], fresh: bool, n_threads: int,
) -> bool: ...
def label_losses(
    q: NDArray[Any], classes: NDArray[np.int64] | None, indicators: NDArray[Any] | None,
    sample_weight: NDArray[np.float64] | None, least: float, largest: float, slack: float, n_threads: int,
    row_values: NDArray[np.float64] | None = None,
) -> tuple[float, bool, bool]: ...
