from collections.abc import Callable
from typing import Any, TypeVar

from typing_extensions import disjoint_base

_Function = TypeVar("_Function", bound=Callable[..., object])

@disjoint_base
class PlainCase:
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def n_positional(self) -> int: ...

@disjoint_base
class Entry:
    def __init__(self, plain: PlainCase, general: Callable[..., object]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...

def entry(plain: PlainCase) -> Callable[[_Function], _Function]: ...
