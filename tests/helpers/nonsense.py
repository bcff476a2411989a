"""What no function expects as any of its arguments: {what it is: it}"""

import datetime
import decimal

import numpy as np
from extras import is_installed

NAN, INF = float("nan"), float("inf")


class Strange:
    """Refuses whatever it is asked."""

    def __repr__(self):
        raise KeyError("strange")

    __bool__ = __float__ = __index__ = __len__ = __iter__ = __eq__ = __repr__
    __hash__ = None


NONSENSE = {
    "None": None, "a string": "a", "bytes": b"a", "a surrogate": "\ud800", "nan": NAN, "inf": INF, "-inf": -INF, "1.5": 1.5,
    "-1": -1, "0": 0, "True": True, "1j": 1j, "2**63": 2**63, "-2**63 - 1": -2**63 - 1, "2**64": 2**64, "2**70": 2**70,
    "-2**70": -2**70,
    "10**400": 10**400, "10**5000": 10**5000, "-10**5000": -10**5000, "uint64": np.uint64(2**64 - 1), "bool_": np.True_,
    "longdouble": np.longdouble("1e400"), "Decimal": decimal.Decimal("NaN"), "a date": datetime.date(2026, 1, 1), "a class": int,
    "an object": object(), "Strange": Strange(), "[]": [], "()": (), "{}": {}, "a set": {1}, "ragged": [[1], [2, 3]], "...": ...,
    "a slice": slice(2**70), "large numbers": [2**70, 1, 0], "two large numbers": (2**70, 2**70), "negative": [-1, 0, 1],
    "infinite": [INF, 1.0, 2.0], "no whole numbers": [1.5, 0.0, 1.0], "nans": np.array([NAN, 1, 2]),
    "objects": np.array([None, 1, 2], object), "strings": np.array(["a", "b", "c"]), "dates": np.array(["2026-01-01"], "M8[D]"),
    "complex": np.zeros(3, complex), "records": np.zeros(3, "i4,f4"), "three axes": np.zeros((2, 3, 4)), "no axes": np.array(1.5),
    "masked": np.ma.masked_array([1, 2, 3], [0, 1, 0]),
}
if is_installed("torch"):
    import torch

    NONSENSE |= {"a gradient": torch.zeros(3, 4, requires_grad=True), "meta": torch.zeros(3, 4, device="meta")}
