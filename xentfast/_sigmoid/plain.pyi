from typing_extensions import disjoint_base

from xentfast._base.entry import PlainCase

@disjoint_base
class SigmoidCase(PlainCase):
    def __init__(self, valued: bool, differentiated: bool, curved: bool = False) -> None: ...
