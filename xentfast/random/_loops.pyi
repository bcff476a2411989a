from typing import Any

FOR_UNIFORM: int
FOR_NORMAL: int
FOR_TRUNCATED: int
AS_FLOAT16: int
AS_BFLOAT16: int
AS_FLOAT32: int
AS_FLOAT64: int

def run(requests: list[tuple[Any, ...]], n_threads: int) -> None: ...
def at_least(bound: float, as_double: bool) -> float: ...
def uniform_constants(low: float, high: float, as_double: bool) -> tuple[float, float, float, float]: ...
