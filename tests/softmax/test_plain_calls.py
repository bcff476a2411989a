"""The compiled checks of plain calls: they let through what all the checks would, with the same result, and refuse nothing."""

import numpy as np
import pytest

import xentfast as xf
from xentfast._arguments import CrossEntropyCall
from xentfast._core import CrossEntropyArguments

pytestmark = pytest.mark.every_build

RNG = np.random.default_rng(0)
DEFAULTS = {"axis": -1, "weight": None, "sample_weight": None, "ignore_index": -100, "label_smoothing": 0.0, "z_loss": 0.0,
            "logit_scale": 1.0, "softcap": None, "where": None, "reduction": "mean", "n_threads": None}
FIELDS = [name for name, kind in vars(CrossEntropyArguments).items() if type(kind).__name__ == "getset_descriptor"]
X, T = RNG.standard_normal((5, 7)).astype(np.float32), np.array([0, 6, 2, -100, 3])


class Thorough(CrossEntropyCall):
    """All checks, whether arguments are plain or not."""

    __slots__ = ()

    def __new__(cls, *arguments):
        call = super().__new__(cls)
        call.check(*arguments)
        return call

    def __init__(self, *arguments):
        pass


class PlainOnly(CrossEntropyCall):
    __slots__ = ()

    def check(self, *arguments):
        raise LookupError("not plain")

    def checked_output(self, out):
        raise LookupError("not plain")


def made(kind, logits, targets, options):
    return kind(logits, targets, *(DEFAULTS | options).values())


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
    (X, T, {"z_loss": 0.1}), (X, T, {"logit_scale": 2.0}), (X, T, {"softcap": 3.0}), (X, T, {"where": True}),
    (X, T, {"reduction": np.str_("mean")}), (np.zeros((0, 3)), np.zeros(0, np.int64), {}),
    (np.zeros((65_537, 1)), np.zeros(65_537, np.int64), {}),
]
BAD = [
    (X, np.array([0, 6, 2, -100, 7]), {}), (X, np.array([0, 6, 2, -1, 0]), {}), (X, T[:4], {}), (X, T[:, None], {}),
    (X[0], T, {}), (np.zeros((3, 0)), np.full(3, -100), {}), (X, T, {"axis": True}), (X, T, {"ignore_index": False}),
    (X, T, {"n_threads": 0}), (X, T, {"label_smoothing": 1.5}), (X, T, {"z_loss": np.nan}), (X, T, {"logit_scale": None}),
    (X, T, {"reduction": "avg"}), (X, T, {"reduction": ["mean"]}),
]


@pytest.mark.parametrize(("logits", "targets", "options"), PLAIN)
def test_plain_calls_are_known(logits, targets, options):
    call, thorough = made(PlainOnly, logits, targets, options), made(Thorough, logits, targets, options)
    assert len(FIELDS) == 12
    for name in FIELDS:
        got, want = getattr(call, name), getattr(thorough, name)
        assert got is want or (type(got), got) == (type(want), want), name
    assert call.rows == thorough.rows == targets.shape


@pytest.mark.parametrize(("logits", "targets", "options"), OTHERS)
def test_other_calls_go_through_all_checks(logits, targets, options):
    with pytest.raises(LookupError):
        made(PlainOnly, logits, targets, options)
    made(CrossEntropyCall, logits, targets, options)


@pytest.mark.parametrize(("logits", "targets", "options"), BAD)
def test_errors_are_those_of_all_checks(logits, targets, options):
    errors = []
    for kind in (CrossEntropyCall, Thorough):
        with pytest.raises((TypeError, ValueError, IndexError)) as raised:
            made(kind, logits, targets, options)
        errors.append((raised.type, str(raised.value)))
    assert errors[0] == errors[1]


def test_plain_outputs_are_known():
    call = made(PlainOnly, X, T, {})
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
