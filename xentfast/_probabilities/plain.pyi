from typing_extensions import disjoint_base

from xentfast._base.entry import PlainCase

@disjoint_base
class ComparisonCase(PlainCase):
    def __init__(self, measure: int, has_q: bool = True) -> None: ...

class GradientCase(PlainCase): ...
