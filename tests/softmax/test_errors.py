"""Bad input: a clear error before any work, that says what was got and what was expected; outputs stay untouched."""

import re

import ml_dtypes
import numpy as np
import pytest
from bad_outputs import OUTS

import xentfast as xf

X = np.zeros((3, 10), np.float32)
T = np.zeros(3, int)
BOTH = xf.softmax_cross_entropy_value_and_grad


def array(shape, dtype=np.float32):
    return np.zeros(shape, dtype)


ONE_HOT = ("; soft targets, one-hot ones too, are floats, such as targets.astype(logits.dtype); argmax over the classes gives "
           "indices")
# (arguments, options, error, what its message says)
CALLS = [
    ((np.float32(1), 0), {}, ValueError, "logits is zero-dimensional"),
    ((array((3, 0)), T), {}, ValueError, "logits has no classes: its shape is (3, 0) and axis is 1"),
    ((array((3, 10), complex), T), {}, TypeError,
     "logits has dtype complex128; expected float16, bfloat16 (of ml_dtypes), float32"),
    ((array((3, 10), object), T), {}, TypeError, "logits has dtype object"),
    ((array((3, 10), np.longdouble), T), {}, TypeError, "logits has dtype float128"),
    ((array((3, 10), "m8[s]"), T), {}, TypeError, "logits has dtype timedelta64[s]"),
    (([["a", "b"]], [0]), {}, TypeError, "logits has dtype <U1"),
    (([[1.0, 2.0], [1.0]], [0, 0]), {}, ValueError, "logits is not an array"),
    ((X, array(4, int)), {}, ValueError, "targets have shape (4,); expected (3,), the shape of logits (3, 10) without axis 1"),
    ((X, array((3, 10), int)), {}, ValueError, "targets have shape (3, 10); expected (3,)"),
    ((X, np.eye(10, dtype=int)[T]), {}, ValueError,
     "targets have shape (3, 10); expected (3,), the shape of logits (3, 10) without axis 1" + ONE_HOT),
    ((X, np.eye(10, dtype=bool)[T]), {}, TypeError,
     "targets have dtype bool; expected integers (class indices) or floats (soft targets)" + ONE_HOT),
    ((array(10), array(10, np.uint8)), {}, ValueError,
     "targets have shape (10,); expected (), the shape of logits (10,) without axis 0" + ONE_HOT),
    ((X, array(3)), {}, ValueError, "soft targets have shape (3,); expected that of logits, (3, 10)"),
    ((X, array((3, 10), np.longdouble)), {}, TypeError, "targets have dtype float128"),
    ((X, array(3, bool)), {}, TypeError, "targets have dtype bool; expected integers (class indices) or floats"),
    ((X, array(3, complex)), {}, TypeError, "targets have dtype complex128"),
    ((X, None), {}, TypeError, "targets have dtype object"),
    ((X, T), {"axis": 2}, ValueError, "axis 2 is out of bounds for array of dimension 2"),
    ((X, T), {"axis": -3}, ValueError, "axis -3 is out of bounds"),
    ((X, T), {"axis": 1.0}, TypeError, "axis is 1.0; expected an integer"),
    ((X, T), {"axis": True}, TypeError, "axis is a bool"),
    ((X, T), {"reduction": "avg"}, ValueError, "reduction is 'avg'; expected 'mean', 'sum' or 'none'"),
    ((X, T), {"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5; expected a number from 0 to 1"),
    ((X, T), {"label_smoothing": np.nan}, ValueError, "label_smoothing is nan"),
    ((X, T), {"label_smoothing": "a"}, TypeError, "label_smoothing is 'a'; expected a number"),
    ((X, T), {"ignore_index": 1.5}, TypeError, "ignore_index is 1.5; expected an integer"),
    ((X, X), {"ignore_index": [1]}, TypeError, "ignore_index is [1]; expected an integer"),
    ((X, T), {"weight": array(3)}, ValueError, "weight has shape (3,); expected (10,), a weight for each class"),
    ((X, T), {"weight": [1] * 9 + [np.inf]}, ValueError, "weight[9] is inf; expected finite weights"),
    ((X, T), {"weight": array(10, complex)}, TypeError, "weight has dtype complex128; expected real numbers"),
    ((X, T), {"sample_weight": array(10)}, ValueError, "sample_weight has shape (10,); expected (3,)"),
    ((X, T), {"sample_weight": [1, np.nan, 1]}, ValueError, "sample_weight[1] is nan; expected finite weights"),
    ((X, T), {"n_threads": 0}, ValueError, "n_threads is 0; expected None or an integer of at least 1"),
    ((X, T), {"n_threads": -1}, ValueError, "n_threads is -1"),
    ((X, T), {"n_threads": 2.0}, TypeError, "n_threads is 2.0"),
    ((X, T), {"n_threads": True}, TypeError, "n_threads is a bool"),
    ((X, [0, 10, 0]), {}, IndexError, "targets[1] is 10, but logits have 10 classes (0 to 9) and ignore_index is -100"),
    ((X, [0, -1, 0]), {}, IndexError, "targets[1] is -1"),
    ((X, np.array([0, 0, 2**64 - 100], np.uint64)), {}, IndexError, "targets[2] is 18446744073709551516"),
    ((array((2, 3, 4)), [[0, 1, 2], [3, 4, 9]]), {}, IndexError, "targets[1, 1] is 4, but logits have 4 classes (0 to 3)"),
    ((array(10), 10), {}, IndexError, "targets is 10, but"),
    ((X, [0, -100, 0]), {"ignore_index": -1}, IndexError, "targets[1] is -100"),
    ((X, array(3, int)), {"weight": X}, ValueError, "weight has shape (3, 10)"),
    ((X, T), {"softcap": 0}, ValueError, "softcap is 0.0; expected a number above 0, or None"),
    ((X, T), {"softcap": -1.5}, ValueError, "softcap is -1.5; expected a number above 0, or None"),
    ((X, T), {"softcap": np.nan}, ValueError, "softcap is nan; expected a finite number"),
    ((X, T), {"softcap": np.inf}, ValueError, "softcap is inf; expected a finite number"),
    ((X, T), {"softcap": "a"}, TypeError, "softcap is 'a'; expected a number"),
    ((X, T), {"softcap": array(2)}, TypeError, "softcap is array([0., 0.], dtype=float32); expected a number"),
    ((X, T), {"logit_scale": np.nan}, ValueError, "logit_scale is nan; expected a finite number"),
    ((X, T), {"logit_scale": -np.inf}, ValueError, "logit_scale is -inf; expected a finite number"),
    ((X, T), {"logit_scale": "a"}, TypeError, "logit_scale is 'a'; expected a number"),
    ((X, T), {"logit_scale": None}, TypeError, "logit_scale is None; expected a number"),
    ((X, T), {"logit_scale": array(2)}, TypeError, "logit_scale is array([0., 0.], dtype=float32); expected a number"),
    ((X, T), {"z_loss": np.nan}, ValueError, "z_loss is nan; expected a finite number"),
    ((X, T), {"z_loss": np.inf}, ValueError, "z_loss is inf; expected a finite number"),
    ((X, T), {"z_loss": "a"}, TypeError, "z_loss is 'a'; expected a number"),
    ((X, T), {"z_loss": 10**400}, ValueError, "expected a number within the range of float64"),
    ((X, T), {"z_loss": array(2)}, TypeError, "z_loss is array([0., 0.], dtype=float32); expected a number"),
    ((X, T), {"where": array((3, 10), int)}, TypeError, "where has dtype int64; expected booleans"),
    ((X, T), {"where": 1.0}, TypeError, "where has dtype float64; expected booleans"),
    ((X, T), {"where": np.ones(3, bool)}, ValueError,
     "where has shape (3,), which does not broadcast to that of logits, (3, 10)"),
    ((X, T), {"where": np.ones((2, 3, 10), bool)}, ValueError, "where has shape (2, 3, 10), which does not broadcast"),
    ((X, T), {"where": [[True], [True, False]]}, ValueError, "where is not an array"),
    ((X, T), {"where": np.ma.masked_array(X == 0, X == 0)}, TypeError, "where is a masked array"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), CALLS)
def test_losses(arguments, options, error, message):
    for function in (xf.softmax_cross_entropy, xf.softmax_cross_entropy_grad, BOTH):
        with pytest.raises(error, match=re.escape(message)):
            function(*arguments, **options)


@pytest.mark.parametrize(("dtype", "error"), [(int, ValueError), (np.uint8, ValueError), (bool, TypeError)])
def test_one_hot_targets(dtype, error):
    """That are no floats: the error says how to make them."""
    x, hot = np.zeros((3, 4, 5), np.float32), np.ones((3, 4, 5), dtype)
    for axis in range(3):
        for function in (xf.softmax_cross_entropy, xf.softmax_cross_entropy_grad, BOTH, xf.softmax_cross_entropy_grad_hess,
                         xf.perplexity):
            with pytest.raises(error, match=re.escape(ONE_HOT)):
                function(x, hot, axis=axis)
            function(x, hot.astype(x.dtype), axis=axis)
            function(x, hot.argmax(axis), axis=axis)


@pytest.mark.parametrize(("out", "error", "message"), OUTS)
def test_outputs(out, error, message):
    for call in (lambda: xf.softmax_cross_entropy_grad(X, T, out=out), lambda: BOTH(X, T, out=out),
                 lambda: xf.softmax(X, out=out), lambda: xf.log_softmax(X, out=out)):
        with pytest.raises(error, match=re.escape(message)):
            call()


def test_partial_overlap():
    memory = np.zeros((4, 10), np.float32)
    for x, out in ((memory[:3], memory[1:]), (memory[:3], memory[:3, ::-1]), (memory[:3, :9], memory[:3, 1:])):
        t = np.zeros(3, int)
        for call in (lambda x=x, t=t, out=out: BOTH(x, t, out=out), lambda x=x, out=out: xf.softmax(x, out=out)):
            with pytest.raises(ValueError, match="out overlaps the input without being the same elements"):
                call()
    soft = np.ones((3, 10), np.float32)
    with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
        BOTH(X, soft, out=soft)
    with pytest.raises(ValueError, match="out overlaps x"):
        xf.logsumexp(memory, out=memory[:, 0])


def test_out_overlaps_where():
    out = np.ones((3, 10), np.float32)
    for where in (out.view(bool)[:, :10], out.view(bool)[:1, 5:6], out.view(bool).reshape(3, 10, 4)[..., 1]):
        for call in (BOTH, xf.softmax_cross_entropy_grad):
            with pytest.raises(ValueError, match="out overlaps"):
                call(X, T, where=where, out=out)
    assert np.all(out == 1)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_outputs_of_sixteen_bit_inputs(dtype):
    """Have their dtype, not that of the arithmetic, nor the other of 16 bits."""
    name = np.dtype(dtype).name
    for other in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.uint16):
        if other == dtype:
            continue
        out, sums = np.full((3, 10), 7, other), np.full(3, 7, other)
        for call in (lambda out=out: BOTH(X.astype(dtype), T, out=out), lambda out=out: xf.softmax(X.astype(dtype), out=out),
                     lambda out=out: xf.log_softmax(X.astype(dtype), out=out),
                     lambda out=sums: xf.logsumexp(X.astype(dtype), out=out)):
            with pytest.raises(TypeError, match=f"out has dtype {np.dtype(other).name}; expected {name}"):
                call()
        with pytest.raises(TypeError, match=f"out has dtype {name}; expected float32"):
            BOTH(X, T, out=np.full((3, 10), 7, dtype))
        assert np.all(out == 7) and np.all(sums == 7)


def test_outputs_stay_untouched():
    x = np.ones((3, 10), np.float32)
    out = np.full((3, 10), 7, np.float32)
    for given in ({"targets": [0, 1, 10]}, {"targets": T, "weight": [1]}, {"targets": T, "n_threads": 0},
                  {"targets": T, "sample_weight": [1, 1, np.inf]}, {"targets": T, "reduction": 1},
                  {"targets": T, "softcap": 0}, {"targets": T, "logit_scale": np.inf}, {"targets": T, "z_loss": np.nan},
                  {"targets": T, "where": [True] * 3}, {"targets": [0, 1, 10], "where": True, "softcap": 3.0}):
        with pytest.raises((IndexError, ValueError)):
            BOTH(x, out=out, **given)
        with pytest.raises((IndexError, ValueError)):
            BOTH(x, out=x, **given)
    assert np.all(out == 7) and np.all(x == 1)


def test_the_first_bad_target_is_named():
    targets = np.zeros(200_000, np.int32)
    targets[[150_000, 70_000]] = 5, -3
    with pytest.raises(IndexError, match=r"targets\[70000\] is -3, but logits have 2 classes \(0 to 1\)"):
        xf.softmax_cross_entropy(array((200_000, 2)), targets, n_threads=2)


@pytest.mark.parametrize(("axis", "error", "message"), [
    ((0, 0), ValueError, "axis is (0, 0), which names an axis twice"),
    ((0, 2), ValueError, "axis 2 is out of bounds"),
    ((), ValueError, "axis is an empty tuple"),
    ("0", TypeError, "axis is '0'; expected an integer"),
])
def test_axes(axis, error, message):
    for function in (xf.softmax, xf.log_softmax, xf.logsumexp):
        with pytest.raises(error, match=re.escape(message)):
            function(X, axis)


def test_the_softmax_family():
    for function in (xf.softmax, xf.log_softmax, xf.logsumexp):
        for x, error, message in ((np.float32(1), ValueError, "x is zero-dimensional"),
                                  (array(3, complex), TypeError, "x has dtype complex128")):
            with pytest.raises(error, match=re.escape(message)):
                function(x)
        with pytest.raises(ValueError, match="n_threads is 0"):
            function(X, n_threads=0)
    with pytest.raises(ValueError, match=re.escape("out has shape (4,); expected (3,)")):
        xf.logsumexp(X, out=array(4))


def test_empty_is_a_number():
    with pytest.raises(TypeError, match="empty is 'x'; expected a number"):
        xf.softmax_cross_entropy(X, T, empty="x")


def test_keyword_only():
    for call in (lambda: xf.softmax_cross_entropy(X, T, 1), lambda: xf.softmax(X, 1, X)):
        with pytest.raises(TypeError, match="positional arguments"):
            call()
