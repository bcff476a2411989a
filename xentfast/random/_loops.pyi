from typing import Any

from numpy.typing import NDArray
from typing_extensions import disjoint_base

FOR_UNIFORM: int
FOR_NORMAL: int
FOR_TRUNCATED: int
AS_FLOAT16: int
AS_BFLOAT16: int
AS_FLOAT32: int
AS_FLOAT64: int

@disjoint_base
class PlainRequest:
    key: int
    @property
    def out(self) -> NDArray[Any]: ...
    @property
    def target(self) -> PlainRequest: ...
    @property
    def size(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def fields(self, passes_cache: bool) -> PlainRequest: ...

def run(requests: list[Any], n_threads: int) -> None: ...
def at_least(bound: float, as_double: bool) -> float: ...
def uniform_constants(low: float, high: float, as_double: bool) -> tuple[float, float, float, float]: ...
