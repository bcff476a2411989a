from typing import Any

import numpy as np
from numpy.typing import NDArray

from xentfast._softmax.call import CrossEntropyCall

FIELDS: int
COUNT: int
DIGITS: int
IS_UNEVEN: int
HAS_NO_TARGET: int
HAS_TWO_TARGETS: int
IS_SOFT: int
IS_NOT_SOFT: int

def write_records(
    call: CrossEntropyCall, records: NDArray[np.float64], n_classes: int, first_class: int,
    open_classes: NDArray[np.int64] | None,
) -> None: ...
def combine_records(
    call: CrossEntropyCall, records: NDArray[np.float64], n_classes: int, open_classes: NDArray[np.int64] | None, as_double: bool,
    divisor: float, row_values: NDArray[Any] | None,
) -> Any: ...
def combine_slices(
    call: CrossEntropyCall, records: NDArray[np.float64], n_classes: int, first_class: int, first_record: int,
    open_classes: NDArray[np.int64] | None, divisor: float, out: NDArray[Any],
) -> None: ...
def check_records(
    records: NDArray[np.float64], classes: NDArray[np.int64] | None, sample_weight: NDArray[np.float64] | None,
) -> tuple[int, int]: ...
def soft_weights(records: NDArray[np.float64], sample_weight: NDArray[np.float64] | None) -> NDArray[np.float64]: ...
