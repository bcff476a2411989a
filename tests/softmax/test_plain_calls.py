"""The compiled checks of plain calls: they let through what all the checks would, with the same result, and refuse nothing."""

import numpy as np
import pytest

import xentfast as xf
from xentfast._softmax import call as module
from xentfast._softmax import checks
from xentfast._softmax.call import CrossEntropyCall, cross_entropy_call

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized]

RNG = np.random.default_rng(0)
DEFAULTS = {"axis": -1, "weight": None, "sample_weight": None, "ignore_index": -100, "label_smoothing": 0.0, "focal_gamma": 0.0,
            "z_loss": 0.0, "logit_scale": 1.0, "softcap": None, "where": None, "reduction": "mean", "n_threads": None}
FIELDS = ("logits", "axis", "classes", "soft", "sample_weight", "class_weight", "smoothing", "gamma", "z_loss", "logit_scale",
          "softcap", "where", "hess_factor", "hess_size", "hess_floor", "weight_sum", "weighs_soft", "reduction",
          "exponential", "n_threads")
OTHER_NAMES = {"rows", "meaning_of_rows", "inputs", "value_shape", "value_dtype"}
X, T = RNG.standard_normal((5, 7)).astype(np.float32), np.array([0, 6, 2, -100, 3])


def thorough_call(logits, targets, options):
    """All checks, whether arguments are plain or not."""
    call = CrossEntropyCall()
    checks.fill(call, logits, targets, *(DEFAULTS | options).values())
    return call


def checked_call(logits, targets, options):
    return cross_entropy_call(logits, targets, **(DEFAULTS | options))


@pytest.fixture
def plain_only(monkeypatch):
    """What is not plain raises LookupError."""
    def refuse(*arguments):
        raise LookupError("not plain")

    monkeypatch.setattr(module, "fill", refuse)
    monkeypatch.setattr(module, "output_array", refuse)


PLAIN = [
    (X, T, {}),
    (X.astype(np.float64), T, {"reduction": "sum"}),
    (X[:, ::2], np.array([0, 3, 3, 1, 2]), {"reduction": "none"}),
    (X.T, np.array([0, 4, 4, -1, 2, 0, 0]), {"ignore_index": -1, "n_threads": 2}),
    (X[0], np.array(6), {"n_threads": np.int64(3)}),
    (np.zeros((2, 3, 1)), np.zeros((2, 3), np.int64), {}),
    (X, np.full(5, -100), {}),
]
OTHERS = [
    (X.tolist(), T, {}), (X, T.tolist(), {}), (X, T.astype(np.int32), {}), (X, np.ones_like(X), {}),
    (X.astype(np.float16), T, {}), (X.astype(">f4"), T, {}), (X, T.astype(">i8"), {}), (X, np.repeat(T, 2)[::2], {}),
    (X.view(np.matrix), T, {}), (X, T, {"axis": 1}), (X, T, {"axis": np.int64(-1)}), (X, T, {"weight": np.ones(7)}),
    (X, T, {"sample_weight": np.ones(5)}), (X, np.arange(5), {"ignore_index": 2}), (X, T, {"ignore_index": np.int64(-100)}),
    (X, np.arange(5), {"ignore_index": -2**70}), (X, T, {"label_smoothing": 0.1}), (X, T, {"label_smoothing": 0}),
    (X, T, {"focal_gamma": 2.0}), (X, T, {"z_loss": 0.1}), (X, T, {"logit_scale": 2.0}), (X, T, {"softcap": 3.0}),
    (X, T, {"where": True}), (X, T, {"reduction": np.str_("mean")}), (np.zeros((0, 3)), np.zeros(0, np.int64), {}),
    (np.zeros((65_537, 1)), np.zeros(65_537, np.int64), {}),
]
BAD = [
    (X, np.array([0, 6, 2, -100, 7]), {}), (X, np.array([0, 6, 2, -1, 0]), {}), (X, T[:4], {}), (X, T[:, None], {}),
    (X[0], T, {}), (np.zeros((3, 0)), np.full(3, -100), {}), (X, T, {"axis": True}), (X, T, {"ignore_index": False}),
    (X, T, {"n_threads": 0}), (X, T, {"label_smoothing": 1.5}), (X, T, {"z_loss": np.nan}), (X, T, {"logit_scale": None}),
    (X, T, {"focal_gamma": -1}), (X, X, {"focal_gamma": 1.0}), (X, T, {"focal_gamma": 1.0, "label_smoothing": 0.1}),
    (X, T, {"reduction": "avg"}), (X, T, {"reduction": ["mean"]}),
]


def test_fields_are_all_that_a_call_has():
    found = {name for name, kind in vars(CrossEntropyCall).items() if type(kind).__name__ == "getset_descriptor"}
    assert found == {*FIELDS, *OTHER_NAMES}


@pytest.mark.parametrize(("logits", "targets", "options"), PLAIN)
def test_plain_calls_are_known(logits, targets, options, plain_only):
    call, thorough = checked_call(logits, targets, options), thorough_call(logits, targets, options)
    for name in FIELDS:
        got, want = getattr(call, name), getattr(thorough, name)
        assert got is want or (type(got), got) == (type(want), want), name
    assert call.rows == thorough.rows == targets.shape


@pytest.mark.parametrize(("logits", "targets", "options"), OTHERS)
def test_other_calls_go_through_all_checks(logits, targets, options, plain_only):
    with pytest.raises(LookupError):
        checked_call(logits, targets, options)
    thorough_call(logits, targets, options)


@pytest.mark.parametrize(("logits", "targets", "options"), BAD)
def test_errors_are_those_of_all_checks(logits, targets, options):
    errors = []
    for made in (checked_call, thorough_call):
        with pytest.raises((TypeError, ValueError, IndexError)) as raised:
            made(logits, targets, options)
        errors.append((raised.type, str(raised.value)))
    assert errors[0] == errors[1]


def test_plain_outputs_are_known(plain_only):
    call = checked_call(X, T, {})
    for out in (X, X.copy(), np.empty((6, 7), np.float32)[1:]):
        assert call.output(out) is out
    new = call.output(None)
    assert (type(new), new.dtype, new.shape, new.flags.c_contiguous) == (np.ndarray, X.dtype, X.shape, True)
    for out in (np.empty((5, 14), np.float32)[:, ::2], np.empty((7, 5), np.float32).T, X[:], X[::-1]):
        with pytest.raises(LookupError):                # some of them are fine, but it takes a look
            call.output(out)


@pytest.mark.parametrize("dtype", ["bfloat16", np.float16, np.float32, np.float64])
def test_new_outputs_are_as_numpy_makes_them(dtype):
    pytest.importorskip("ml_dtypes")
    for x in (X.astype(dtype), X.astype(dtype).T, X.astype(dtype)[:0], X.astype(dtype).view(np.matrix)):
        grad = xf.softmax(x)
        assert (type(grad), grad.dtype, grad.shape) == (np.ndarray, x.dtype, x.shape) and grad.flags.c_contiguous
