from typing_extensions import disjoint_base

from xentfast._base.entry import PlainCase
from xentfast.random._loops import PlainRequest

class PlainFill(PlainCase):
    def request(self, shape: object, name: str, options: dict[str, object]) -> PlainRequest | None: ...

@disjoint_base
class PlainScaled(PlainFill):
    def __init__(self, *, gain: float = 1.0, uniform: bool, average: bool = False) -> None: ...

class PlainUniform(PlainFill): ...
class PlainNormal(PlainFill): ...
