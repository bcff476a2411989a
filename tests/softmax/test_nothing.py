"""Softmax and its kin over no classes: the sum of nothing is 0, and its logarithm −inf. Losses over no classes are an error."""

import ml_dtypes
import numpy as np
import pytest
from scipy import special

import xentfast as xf

pytestmark = pytest.mark.every_build

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64]
SHAPES = [((0,), -1), ((3, 0), -1), ((3, 0), 1), ((0, 3), 0), ((2, 0, 4), (0, 1)), ((2, 0, 4), (1, 2)), ((2, 3, 0), None),
          ((0, 0), 0), ((0, 3), 1), ((0, 0), None), ((2, 0), 0)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(shape, axis, keepdims, dtype):
    x = np.zeros(shape, dtype)
    result = np.float64 if dtype is np.int64 else dtype
    for more in ({}, {"where": True}, {"b": 1}, {"where": np.ones(shape, bool), "b": np.ones(shape)}):
        got = xf.logsumexp(x, axis, keepdims=keepdims, **more)
        assert got.shape == np.sum(x, axis, keepdims=keepdims).shape and got.dtype == result and np.all(got == -np.inf)
        assert isinstance(got, np.ndarray) == (got.ndim > 0)
        out = np.zeros(got.shape, result)
        assert xf.logsumexp(x, axis, keepdims=keepdims, out=out, **more) is out and np.all(out == -np.inf)
    if dtype is np.float64 and isinstance(axis, int):       # SciPy fails over several
        assert np.array_equal(got, special.logsumexp(x, axis, keepdims=keepdims))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("function", [xf.softmax, xf.log_softmax])
def test_of_classes(function, shape, axis, dtype):
    x = np.zeros(shape, dtype)
    for more in ({}, {"where": True}, {"where": np.ones(shape, bool)}):
        got = function(x, axis, **more)
        assert got.shape == shape and got.dtype == (np.float64 if dtype is np.int64 else dtype)
        out = got.copy()
        assert function(x, axis, out=out, **more) is out


@pytest.mark.parametrize("function", [xf.softmax, xf.log_softmax, xf.logsumexp])
def test_arguments_are_looked_at_all_the_same(function):
    x = np.zeros((3, 0))
    for more, error, text in (({"axis": 2}, ValueError, "axis 2 is out of bounds"),
                              ({"axis": (1, 1)}, ValueError, "names an axis"), ({"n_threads": 0}, ValueError, "n_threads is 0"),
                              ({"where": [1.0]}, TypeError, "where has dtype"), ({"out": np.zeros(4)}, ValueError, "out has"),
                              ({"where": [True, True]}, ValueError, "where has shape")):
        with pytest.raises(error, match=text):
            function(x, **more)
    with pytest.raises(ValueError, match="x is zero-dimensional"):
        function(np.float32(1))


def test_losses_are_an_error():
    for targets in (np.zeros(3, int), np.zeros((3, 0))):
        with pytest.raises(ValueError, match="logits has no classes"):
            xf.softmax_cross_entropy(np.zeros((3, 0)), targets)
