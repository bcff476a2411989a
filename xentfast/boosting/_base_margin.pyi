from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOOR: float

@overload
def base_margin(labels: ArrayLike, n_classes: int, *, sample_weight: ArrayLike | None = None) -> NDArray[np.float64]: ...
@overload
def base_margin(
    labels: ArrayLike, n_classes: None = None, *, sample_weight: ArrayLike | None = None,
) -> float | NDArray[np.float64]: ...
