from collections.abc import Callable
from typing import TypeVar

_Function = TypeVar("_Function", bound=Callable[..., object])

class PlainCase:
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def n_positional(self) -> int: ...

def entry(plain: PlainCase) -> Callable[[_Function], _Function]: ...
