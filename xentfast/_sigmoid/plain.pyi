from xentfast._base.entry import PlainCase

class SigmoidCase(PlainCase):
    def __init__(self, valued: bool, differentiated: bool, curved: bool = False) -> None: ...
