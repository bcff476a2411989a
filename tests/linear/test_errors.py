"""Bad input of linear_cross_entropy: a clear error before any work, and outputs that stay untouched."""

import re

import numpy as np
import pytest

import xentfast as xf

BOTH = xf.linear_cross_entropy_value_and_grad
H, W, T, B = np.zeros((3, 4), np.float32), np.zeros((5, 4), np.float32), np.zeros(3, int), np.zeros(5, np.float32)


def array(shape, dtype=np.float32):
    return np.zeros(shape, dtype)


# (arguments, options, error, what its message says)
CALLS = [
    ((np.float32(1), W, T), {}, ValueError, "hidden is zero-dimensional; expected at least one axis, that of the features"),
    ((H, array((5, 3)), T), {}, ValueError,
     "linear_weight has shape (5, 3), for 3 features, but hidden has shape (3, 4), with 4 features along its last axis"),
    ((H, W.T, T), {}, ValueError, "linear_weight has shape (4, 5), for 5 features"),
    ((H, array(4), T), {}, ValueError, "linear_weight has shape (4,); expected two axes, classes and features"),
    ((H, array((0, 4)), T), {}, ValueError, "linear_weight has no classes: its shape is (0, 4)"),
    ((array((3, 4), complex), W, T), {}, TypeError,
     "hidden has dtype complex128; expected float16, bfloat16 (of ml_dtypes), float32"),
    ((H, array((5, 4), object), T), {}, TypeError, "linear_weight has dtype object"),
    ((np.ma.masked_array(H, H == 0), W, T), {}, TypeError, "hidden is a masked array"),
    (([[1.0, 2.0], [1.0]], W, T), {}, ValueError, "hidden is not an array"),
    ((H, W, T), {"bias": array(4)}, ValueError, "bias has shape (4,); expected (5,), a number for each class"),
    ((H, W, T), {"bias": array(5, "m8[s]")}, TypeError, "bias has dtype timedelta64[s]"),
    ((H, W, array(4, int)), {}, ValueError, "targets have shape (4,); expected (3,), the shape of logits (3, 5) without axis 1"),
    ((H, W, array((3, 5), int)), {}, ValueError, "one-hot ones too, are floats, such as targets.astype(logits.dtype)"),
    ((H, W, array((3, 5), bool)), {}, TypeError, "one-hot ones too, are floats, such as targets.astype(logits.dtype)"),
    ((H, W, array((3, 4))), {}, ValueError, "soft targets have shape (3, 4); expected that of logits, (3, 5)"),
    ((H, W, [0, 5, 0]), {}, IndexError, "targets[1] is 5, but logits have 5 classes (0 to 4) and ignore_index is -100"),
    ((H, W, T), {"weight": array(4)}, ValueError, "weight has shape (4,); expected (5,), a weight for each class"),
    ((H, W, T), {"sample_weight": [1, np.nan, 1]}, ValueError, "sample_weight[1] is nan; expected finite weights"),
    ((H, W, T), {"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5"),
    ((H, W, T), {"softcap": 0}, ValueError, "softcap is 0.0; expected a number above 0, or None"),
    ((H, W, T), {"where": np.ones(4, bool)}, ValueError,
     "where has shape (4,), which does not broadcast to that of logits, (3, 5)"),
    ((H, W, T), {"reduction": "avg"}, ValueError, "reduction is 'avg'; expected 'mean', 'sum' or 'none'"),
    ((H, W, T), {"empty": "x"}, TypeError, "empty is 'x'; expected a number"),
    ((H, W, T), {"n_threads": 0}, ValueError, "n_threads is 0"),
    ((H, W, T), {"memory_limit": 1e6}, TypeError, "memory_limit is 1000000.0; expected an integer"),
    ((H, W, T), {"memory_limit": True}, TypeError, "memory_limit is a bool"),
    ((H, W, T), {"memory_limit": -1}, ValueError, "memory_limit is -1 bytes; expected at least"),
    ((H, W, T), {"memory_limit": 19}, ValueError, "memory_limit is 19 bytes; expected at least"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), CALLS)
def test_arguments(arguments, options, error, message):
    for function in (xf.linear_cross_entropy, BOTH):
        with pytest.raises(error, match=re.escape(message)):
            function(*arguments, **options)


def test_the_least_memory_is_what_the_error_says():
    """A row of 5 logits; with gradients and more than a row also the product of a class's gradient."""
    for function, rows, least in ((xf.linear_cross_entropy, 3, 20), (BOTH, 1, 20), (BOTH, 3, 36)):
        for given in ({}, {"reduction": "none"}):
            message = f"memory_limit is {least - 1} bytes; expected at least {least}, for a row of 5 logits in float32"
            with pytest.raises(ValueError, match=message):
                function(H[:rows], W, T[:rows], memory_limit=least - 1, **given)
            function(H[:rows], W, T[:rows], memory_limit=least, **given)


READ_ONLY = W.copy()
READ_ONLY.flags.writeable = False
OUTS = [
    ([None] * 3, TypeError, "out is of type list; expected a tuple of three, (d_hidden, d_linear_weight, d_bias)"),
    ((None, None), TypeError, "expected a tuple of three"),
    (H, TypeError, "out is of type ndarray; expected a tuple of three"),
    ((array((3, 5)), None, None), ValueError, "out[0] has shape (3, 5); expected (3, 4)"),
    ((None, array((5, 4), np.float64), None), TypeError, "out[1] has dtype float64; expected float32"),
    ((None, None, array((5, 1))), ValueError, "out[2] has shape (5, 1); expected (5,)"),
    ((None, READ_ONLY, None), ValueError, "out[1] is read-only"),
    ((None, [[0.0]], None), TypeError, "out[1] is of type list; expected a NumPy array"),
    ((None, np.lib.stride_tricks.as_strided(array(4), (5, 4), (0, 4)), None), ValueError,
     "out[1] has elements that share memory"),
    ((H, None, None), ValueError, "out[0] overlaps an input"),
    ((None, W, None), ValueError, "out[1] overlaps an input"),
    ((None, None, B), ValueError, "out[2] overlaps an input"),
]


@pytest.mark.parametrize(("out", "error", "message"), OUTS)
def test_outputs(out, error, message):
    with pytest.raises(error, match=re.escape(message)):
        BOTH(H, W, T, bias=B, out=out)


def test_outputs_apart_from_each_other_and_from_every_input():
    memory = np.ones((8, 4), np.float32)
    with pytest.raises(ValueError, match=re.escape("out[0] and out[1] overlap")):
        BOTH(H, W, T, out=(memory[:3], memory[2:7], None))
    soft = np.ones((3, 4), np.float32)
    with pytest.raises(ValueError, match=re.escape("out[0] overlaps an input")):
        BOTH(H, W[:4], soft, out=(soft, None, None))
    where = np.ones((3, 20), bool)
    with pytest.raises(ValueError, match=re.escape("out[0] overlaps an input")):
        BOTH(H, W, T, where=where[:, :5], out=(where[:, :16].view(np.float32), None, None))


def test_no_output_for_no_bias():
    with pytest.raises(ValueError, match=re.escape("out[2] is an array, but there is no bias; expected None")):
        BOTH(H, W, T, out=(None, None, array(5)))


@pytest.mark.parametrize(("weights", "wanted"), [(np.float16, "float32"), (np.float64, "float64")])
def test_sums_of_sixteen_bit_weights_are_float32(weights, wanted):
    with pytest.raises(TypeError, match=re.escape(f"out[1] has dtype int64; expected {wanted}")):
        BOTH(H, W.astype(weights), T, out=(None, array((5, 4), int), None))


def test_outputs_stay_untouched():
    out = np.full((3, 4), 7, np.float32), np.full((5, 4), 7, np.float32), np.full(5, 7, np.float32)
    for given in ({"targets": [0, 1, 5]}, {"targets": T, "weight": [1]}, {"targets": T, "memory_limit": 19},
                  {"targets": T, "n_threads": 0}, {"targets": T, "softcap": 0}, {"targets": T, "empty": None},
                  {"targets": T, "sample_weight": [1, 1, np.inf]}):
        with pytest.raises((IndexError, TypeError, ValueError)):
            BOTH(H, W, bias=B, out=out, **given)
    for bad in ((*out[:2], array(4)), (out[0], out[1][:4], out[2])):
        with pytest.raises(ValueError, match="has shape"):
            BOTH(H, W, T, bias=B, out=bad)
    assert all(np.all(one == 7) for one in out)


def test_keyword_only():
    with pytest.raises(TypeError, match="positional arguments"):
        BOTH(H, W, T, B)
