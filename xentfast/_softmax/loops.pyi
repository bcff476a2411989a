from typing import Any

from numpy.typing import NDArray

from xentfast._softmax.call import CrossEntropyCall

FOR_SOFTMAX: int
FOR_LOG_SOFTMAX: int
FOR_LOGSUMEXP: int

def compute(
    call: CrossEntropyCall, divisor: float, row_values: NDArray[Any] | None, out: NDArray[Any] | None, hess: NDArray[Any] | None,
) -> Any: ...
def soft_weight_sum(call: CrossEntropyCall) -> float: ...
def normalise(
    result: int, x: NDArray[Any], axis: int, where: NDArray[Any] | None, b: NDArray[Any] | None, out: NDArray[Any] | None,
    row_values: NDArray[Any] | None, n_threads: int,
) -> None: ...
