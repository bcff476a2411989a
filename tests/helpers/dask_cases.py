"""What the tests of xentfast.dask compare by."""

import dask
import dask.array as da
import numpy as np


def same(result, expected):
    """Lazy results have the shapes, dtypes and bytes of arrays."""
    for lazy, found, want in zip(result, dask.compute(*result), expected, strict=True):
        assert isinstance(lazy, da.Array)
        assert lazy.shape == np.shape(found) == np.shape(want) and lazy.dtype == lazy._meta.dtype == found.dtype == want.dtype
        assert np.asarray(found).tobytes() == np.asarray(want).tobytes()
