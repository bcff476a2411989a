from typing import Any

from xentfast._base.level import Kernels

LARGEST: dict[str, float]
api: Any                                            # a capsule
kernels: Kernels

def take_policy() -> None: ...
