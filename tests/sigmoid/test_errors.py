"""Bad input to sigmoid cross-entropy: a clear error before any work; outputs stay untouched."""

import re

import ml_dtypes
import numpy as np
import pytest
from bad_outputs import OUTS, READ_ONLY

import xentfast as xf

X = np.zeros((3, 10), np.float32)
T = np.zeros((3, 10))
BOTH = xf.sigmoid_cross_entropy_value_and_grad
FUNCTIONS = [xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_grad, BOTH, xf.sigmoid_cross_entropy_grad_hess]


def array(shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def put(value, place, dtype=np.float32):
    targets = array((3, 10), dtype)
    targets[place] = value
    return targets


# (arguments, options, error, what its message says)
CALLS = [
    ((array(3, complex), 0), {}, TypeError, "logits has dtype complex128; expected float16, bfloat16 (of ml_dtypes)"),
    ((array(3, np.longdouble), 0), {}, TypeError, f"logits has dtype {np.dtype(np.longdouble)}"),
    ((array(3, object), 0), {}, TypeError, "logits has dtype object"),
    ((array(3, ml_dtypes.float8_e5m2), 0), {}, TypeError, "logits has dtype float8_e5m2"),
    (("ab", 0), {}, TypeError, "logits has dtype <U2"),
    (([[1.0, 2.0], [1.0]], 0), {}, ValueError, "logits is not an array"),
    ((X, array((3, 10), complex)), {}, TypeError,
     "targets have dtype complex128; expected bool, integers, float16, bfloat16, float32 or float64"),
    ((X, None), {}, TypeError, "targets have dtype object"),
    ((X, array((3, 10), "m8[s]")), {}, TypeError, "targets have dtype timedelta64[s]"),
    ((X, array((3, 9))), {}, ValueError, "targets have shape (3, 9); expected one that broadcasts to that of logits, (3, 10)"),
    ((X, array((2, 3, 10))), {}, ValueError, "targets have shape (2, 3, 10); expected one that broadcasts"),
    ((array((1, 10)), T), {}, ValueError, "targets have shape (3, 10); expected one that broadcasts to that of logits, (1, 10)"),
    ((np.float32(1), [0.0]), {}, ValueError, "targets have shape (1,); expected one that broadcasts to that of logits, ()"),
    ((X, put(1.5, (1, 3))), {}, ValueError, "targets[1, 3] is 1.5; expected a number from 0 to 1"),
    ((X, put(-0.25, (2, 9), np.float16)), {}, ValueError, "targets[2, 9] is -0.25; expected a number from 0 to 1"),
    ((X, put(np.nan, (0, 1), float)), {}, ValueError, "targets[0, 1] is nan; expected a number from 0 to 1"),
    ((X, put(np.inf, (0, 1), ml_dtypes.bfloat16)), {}, ValueError, "targets[0, 1] is inf"),
    ((X, put(2, (1, 1), np.uint8)), {}, ValueError, "targets[1, 1] is 2;"),
    ((X, put(-1, (2, 2), np.int64)), {}, ValueError, "targets[2, 2] is -1;"),
    ((X, put(2**64 - 1, (2, 2), np.uint64)), {}, ValueError, "targets[2, 2] is 18446744073709551615;"),
    ((X, 2.0), {}, ValueError, "targets is 2.0; expected a number from 0 to 1"),
    ((X, T), {"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5; expected a number from 0 to 1"),
    ((X, T), {"label_smoothing": np.nan}, ValueError, "label_smoothing is nan"),
    ((X, T), {"label_smoothing": "a"}, TypeError, "label_smoothing is 'a'; expected a number"),
    ((X, T), {"focal_gamma": -1}, ValueError, "focal_gamma is -1.0; expected a finite number of at least 0"),
    ((X, T), {"focal_gamma": np.inf}, ValueError, "focal_gamma is inf"),
    ((X, T), {"focal_gamma": np.nan}, ValueError, "focal_gamma is nan"),
    ((X, T), {"focal_gamma": [1, 2]}, TypeError, "focal_gamma is [1, 2]; expected a number"),
    ((X, T), {"pos_weight": array(3)}, ValueError, "pos_weight has shape (3,); expected one that broadcasts to that of logits"),
    ((X, T), {"pos_weight": [1] * 9 + [np.inf]}, ValueError, "pos_weight[9] is inf; expected finite weights"),
    ((X, T), {"pos_weight": array(10, complex)}, TypeError, "pos_weight has dtype complex128; expected bool, integers"),
    ((X, T), {"sample_weight": [[1], [np.nan], [1]]}, ValueError, "sample_weight[1, 0] is nan; expected finite weights"),
    ((X, T), {"sample_weight": -np.inf}, ValueError, "sample_weight is -inf; expected finite weights"),
    ((X, T), {"sample_weight": array((4, 10))}, ValueError, "sample_weight has shape (4, 10)"),
    ((X, T), {"reduction": "avg"}, ValueError, "reduction is 'avg'; expected 'mean', 'sum' or 'none'"),
    ((X, T), {"n_threads": 0}, ValueError, "n_threads is 0; expected None or an integer of at least 1"),
    ((X, T), {"n_threads": 2.0}, TypeError, "n_threads is 2.0"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), CALLS)
def test_calls(arguments, options, error, message):
    for function in FUNCTIONS:
        with pytest.raises(error, match=re.escape(message)):
            function(*arguments, **options)


def test_the_first_bad_target_is_named():
    targets = np.zeros((1000, 300), np.float32)
    targets[[900, 700, 400], [1, 2, 3]] = 2, np.nan, -3
    for view in (targets, np.asfortranarray(targets)):
        with pytest.raises(ValueError, match=re.escape("targets[400, 3] is -3.0; expected a number from 0 to 1")):
            xf.sigmoid_cross_entropy(np.zeros((1000, 300)), view, n_threads=2)


@pytest.mark.parametrize(("out", "error", "message"), OUTS)
def test_outputs(out, error, message):
    for call in (lambda: xf.sigmoid_cross_entropy_grad(X, T, out=out), lambda: BOTH(X, T, out=out),
                 lambda: xf.sigmoid_cross_entropy_grad_hess(X, T, out=(out, X.copy())),
                 lambda: xf.sigmoid_cross_entropy_grad_hess(X, T, out=(X.copy(), out))):
        with pytest.raises(error, match=re.escape(message)):
            call()


def test_pairs_of_outputs():
    for out, error, message in (
        (X.copy(), TypeError, "out is of type ndarray; expected a tuple of two arrays, for gradient and Hessian"),
        ((X.copy(),), TypeError, "expected a tuple of two arrays"),
        ((X.copy(), X), ValueError, "out[1] overlaps the logits"),
        ((READ_ONLY, X.copy()), ValueError, "out is read-only"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            xf.sigmoid_cross_entropy_grad_hess(X, T, out=out)
    one = X.copy()
    for pair in ((one, one), (one[:], one[:])):
        with pytest.raises(ValueError, match=re.escape("out[0] and out[1] overlap")):
            xf.sigmoid_cross_entropy_grad_hess(X, T, out=pair)


def test_overlaps():
    memory = np.zeros((4, 10), np.float32)
    for x, out in ((memory[:3], memory[1:]), (memory[:3], memory[:3, ::-1]), (memory[:3, :9], memory[:3, 1:])):
        with pytest.raises(ValueError, match="out overlaps the input without being the same elements"):
            BOTH(x, 0, out=out)
    targets = np.ones((3, 10), np.float32)
    for options in ({"targets": targets}, {"targets": 0, "pos_weight": targets[1]},
                    {"targets": 0, "sample_weight": targets[:, :1]}):
        with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
            BOTH(X, **options, out=targets)
    with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
        BOTH(targets, targets, out=targets)


def test_outputs_stay_untouched():
    out = np.full((3, 10), 7, np.float32)
    bad = [{"targets": put(3, (2, 9))}, {"targets": T, "sample_weight": put(np.nan, (2, 9))},
           {"targets": T, "pos_weight": [1, 2]}, {"targets": T, "reduction": 1}, {"targets": T, "n_threads": 0},
           {"targets": T, "label_smoothing": 2}]
    for given in bad:
        x = np.ones((3, 10), np.float32)
        with pytest.raises(ValueError):
            BOTH(x, out=out, **given)
        with pytest.raises(ValueError):
            BOTH(x, out=x, **given)
        with pytest.raises(ValueError):
            xf.sigmoid_cross_entropy_grad_hess(x, out=(x, out), **given)
        assert np.all(x == 1)
    assert np.all(out == 7)


def test_empty_is_a_number():
    for function in (xf.sigmoid_cross_entropy, BOTH):
        with pytest.raises(TypeError, match="empty is 'x'; expected a number"):
            function(X, T, empty="x")


def test_keyword_only():
    for function in FUNCTIONS:
        with pytest.raises(TypeError, match="positional arguments"):
            function(X, T, 1)
