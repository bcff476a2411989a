from typing import Any

from xentfast._base.level import Kernels

api: Any                                            # a capsule
kernels: Kernels

def take_policy() -> None: ...
