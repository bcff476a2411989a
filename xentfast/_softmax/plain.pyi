from typing_extensions import disjoint_base

from xentfast._base.entry import PlainCase

@disjoint_base
class CrossEntropyCase(PlainCase):
    def __init__(self, valued: bool, differentiated: bool) -> None: ...

@disjoint_base
class Normalised(PlainCase):
    def __init__(self, log: bool) -> None: ...

class LogSumExp(PlainCase): ...
