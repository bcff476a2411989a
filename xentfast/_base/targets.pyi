from typing import Any

import numpy as np
from numpy.typing import NDArray

def scan_targets(
    n_rows: int, classes: NDArray[np.int64] | None, sample_weight: NDArray[np.float64] | None,
    class_weight: NDArray[Any] | None, n_classes: int, ignored: int, n_threads: int,
) -> tuple[int, int, float]: ...
def skip_ignored(classes: NDArray[np.int64], ignored: int) -> None: ...
