"""Elements that `where` or `ignore_index` leaves out: what is made of the others, and that nothing of these is looked at."""

import re
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from bad_outputs import READ_ONLY
from reference import sigmoid_cross_entropy
from routes import layouts
from tolerances import TWIN

import xentfast as xf
from xentfast._base.level import policy

pytestmark = pytest.mark.every_build

BOTH = xf.sigmoid_cross_entropy_value_and_grad
CURVED = xf.sigmoid_cross_entropy_grad_hess
DTYPES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]
NAN, INF = np.nan, np.inf
OPTIONS = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.1},
    "weighted": {"pos_weight": [0.5, 2.0, -1.0, 0.0, 3.0], "sample_weight": [[1.0], [0.0], [-2.3]]},
    "focal": {"focal_gamma": 2.0},
    "all": {"pos_weight": 3.0, "sample_weight": [1.0, 2.0, 0.0, 0.5, 4.0], "label_smoothing": 0.2, "focal_gamma": 0.7},
}


def problem(shape, dtype, ignored=None, seed=0):
    """(logits, targets, mask); some targets are `ignored`."""
    rng = np.random.default_rng(seed)
    x, t = (rng.standard_normal(shape) * 4).astype(dtype), rng.integers(0, 2, shape)
    if ignored is not None:
        t[rng.random(shape) < 0.3] = ignored
    return x, t, rng.random(shape) < 0.6


def as_bytes(x, t, **given):
    """Losses, their sum and mean, gradient and Hessian."""
    losses, grad = BOTH(x, t, reduction="none", **given)
    again, hess = CURVED(x, t, **given)
    assert again.tobytes() == grad.tobytes()
    return (losses.tobytes(), grad.tobytes(), hess.tobytes(),
            *[xf.sigmoid_cross_entropy(x, t, reduction=how, **given).tobytes() for how in ("sum", "mean")])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("masks", [("where",), ("ignore_index",), ("where", "ignore_index"), ("row",)])
def test_the_formula(level, masks, name, dtype):
    x, t, where = problem((3, 5), dtype, -1 if "ignore_index" in masks else None)
    given = dict(OPTIONS[name])
    given |= {"where": where} if "where" in masks else {"where": where[1]} if "row" in masks else {}
    given |= {"ignore_index": -1} if "ignore_index" in masks else {}
    for reduction in ("mean", "sum", "none"):
        want = sigmoid_cross_entropy(x, t, reduction=reduction, **given)
        got = *BOTH(x, t, reduction=reduction, **given), CURVED(x, t, reduction=reduction, **given)[1]
        for value, expected in zip(got, want, strict=True):
            assert np.allclose(value, expected, rtol=TWIN[np.dtype(dtype)], atol=TWIN[np.dtype(dtype)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(129,), (3, 1500)], ids=str)
def test_the_others_keep_their_bits(level, shape, weighted, gamma, dtype):
    """Those of a call that reads all, or has a weight of 0 in place of a mask; what is left out is exactly 0."""
    x, t, where = problem(shape, dtype)
    given = {"focal_gamma": gamma} | ({"sample_weight": np.arange(1, x.size + 1).reshape(shape) % 4} if weighted else {})
    losses, grad = BOTH(x, t, reduction="none", **given)
    expected = [np.where(where, array, np.zeros((), array.dtype)) for array in (losses, grad, CURVED(x, t, **given)[1])]
    results = as_bytes(x, t, where=where, **given)
    assert results[:3] == tuple(array.tobytes() for array in expected)
    assert as_bytes(x, np.where(where, t, -7), ignore_index=-7, **given) == results
    assert as_bytes(x, t, where=True, **given) == as_bytes(x, t, ignore_index=-7, **given) == as_bytes(x, t, **given)
    if weighted or gamma:
        given["sample_weight"] = np.where(where, given.get("sample_weight", 1), 0)
        assert as_bytes(x, t, **given) == results


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "weighted", "focal", "all"])
def test_what_is_left_out_is_not_looked_at(level, name, dtype):
    x, t, where = problem((60, 70), dtype)
    given = {key: value if np.ndim(value) == 0 else np.ones((60, 70)) for key, value in OPTIONS[name].items()}
    want = as_bytes(x, t, where=where, **given)
    for bad in (NAN, -INF, 5.0):
        spoilt = [np.where(where, array, np.asarray(bad, dtype)) for array in (x, t.astype(dtype))]
        broken = {key: value if np.ndim(value) == 0 else np.where(where, value, bad) for key, value in given.items()}
        assert as_bytes(*spoilt, where=where, **broken) == want
        spoilt[1] = np.where(where, t, 9).astype(dtype)
        assert as_bytes(*spoilt, ignore_index=9, **broken) == want


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_first_bad_one_that_is_read_is_named(n_threads):
    x, t, where = problem((300, 400), np.float32)
    t = t.astype(float)
    t[~where] = NAN
    for place, value in ((290, 2), 2), ((17, 399), -INF), ((17, 390), NAN):
        t[place], where[place] = value, True
        message = re.escape(f"targets[{place[0]}, {place[1]}] is {float(value)}; expected a number from 0 to 1")
        with pytest.raises(ValueError, match=message):
            xf.sigmoid_cross_entropy(x, t, where=where, n_threads=n_threads)
        with pytest.raises(ValueError, match=message):
            xf.sigmoid_cross_entropy(x, np.where(where, t, -100), ignore_index=-100, n_threads=n_threads)
    weights = np.where(where, 1.0, INF)
    weights[20, 3] = INF
    where[20, 3] = True
    for given in ({"where": where}, {"ignore_index": -1}):
        with pytest.raises(ValueError, match=r"sample_weight\[20, 3\] is inf; expected finite weights"):
            xf.sigmoid_cross_entropy(x, np.where(where, 1, -1), sample_weight=weights, **given)
        with pytest.raises(ValueError, match=r"pos_weight\[20, 3\] is inf; expected finite weights"):
            xf.sigmoid_cross_entropy(x, np.where(where, 1, -1), pos_weight=weights, **given)


def test_targets_of_every_dtype(level):
    """A target is left out that equals the number in its own dtype."""
    x, t, _ = problem((7, 33), np.float32, 100)
    want = as_bytes(x, t, ignore_index=100)
    for dtype in [np.dtype(code) for code in "bhilqBHILQ"] + DTYPES + [np.dtype(">f4"), np.dtype(">i8")]:
        for number in (100, 100.0, np.int8(100), np.float32(100)):
            assert as_bytes(x, t.astype(dtype), ignore_index=number) == want
    for number in (-0.1, 1e-3, 1 / 3):
        for dtype in DTYPES:
            assert as_bytes(x, np.where(t == 100, number, t).astype(dtype), ignore_index=number) == want
    big = {"i": -2**31, "I": 2**32 - 1, "q": -2**63, "Q": 2**63, "f": 1e30, "d": 1e300}
    for code, number in big.items():
        assert as_bytes(x, np.where(t == 100, np.asarray(number, code), t.astype(code)), ignore_index=number) == want
    assert as_bytes(x, t == 1, ignore_index=0, where=t != 100)[1] == BOTH(x, t == 1, where=t == 1, reduction="none")[1].tobytes()
    good = np.where(t == 100, 1, t)
    for dtype, number in ((np.int64, 0.5), (np.float16, 1e6), (np.uint8, -1), (np.int8, 2**70), (np.float32, 1e300)):
        assert as_bytes(x, good.astype(dtype), ignore_index=number) == as_bytes(x, good)


@pytest.mark.parametrize(("near", "ignored", "dtype"), [
    (16777217, 16777216, np.int32), (np.nextafter(0.3, 1), 0.3, np.float64), (2**40 + 1, 2**40, np.int64)])
def test_a_close_target_is_another(near, ignored, dtype):
    """Though float32, the type of the arithmetic, has one number for both."""
    x, t = np.zeros(3, np.float32), np.array([0, ignored, near], dtype)
    if near > 1:
        with pytest.raises(ValueError, match=rf"targets\[2\] is {near}; expected a number from 0 to 1"):
            xf.sigmoid_cross_entropy(x, t, ignore_index=ignored)
    else:
        grad = xf.sigmoid_cross_entropy_grad(x, t, ignore_index=ignored, reduction="sum")
        assert np.flatnonzero(grad).tolist() == [0, 2]


def test_layouts(level):
    x, t, where = problem((5, 9, 67), np.float32, -1)
    want = as_bytes(x, t, where=where, ignore_index=-1)
    seen = {as_bytes(x, t, where=mask, ignore_index=-1, n_threads=2) for mask in layouts(where)}
    seen |= {as_bytes(x, targets, where=where, ignore_index=-1, n_threads=3) for targets in layouts(t)}
    assert seen == {want}
    for mask in (where[0], where[:, :1], where[..., :1], where[0, 0, 0]):
        assert as_bytes(x, t, where=mask, ignore_index=-1) == as_bytes(x, t, where=mask | np.zeros_like(where), ignore_index=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_past_the_cache_and_in_place(monkeypatch, level, dtype):
    x, t, where = problem((9001,), dtype)
    want_loss, want = BOTH(x, t, where=where)
    monkeypatch.setattr(policy, "stream_bytes", 0)
    for n_threads in (1, 3):
        for out in (np.empty_like(x), x.copy()):
            loss, grad = BOTH(out if out[0] == x[0] else x, t, where=where, out=out, n_threads=n_threads)
            assert grad is out and out.tobytes() == want.tobytes() and loss == want_loss


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_to_average(dtype):
    x = np.array([1, NAN], dtype)
    for given in ({"where": False}, {"where": [True, False], "ignore_index": 1}, {"ignore_index": 1, "sample_weight": [NAN, 2.0]},
                  {"where": [True, False], "sample_weight": [0, NAN]}):
        for empty in (NAN, 0.0, -1.0):
            loss, grad = BOTH(x, 1, empty=empty, **given)
            assert np.array_equal(loss, empty, equal_nan=True) and np.all(grad == 0)
        assert xf.sigmoid_cross_entropy(x, 1, reduction="sum", **given) == 0
        assert xf.sigmoid_cross_entropy(x, 1, reduction="none", **given).tolist() == [0, 0]
        assert all(np.all(part == 0) for part in CURVED(x, 1, reduction="mean", **given))
    assert np.isnan(xf.sigmoid_cross_entropy(np.zeros((0, 3), dtype), 1, where=[True, False, True]))
    assert xf.sigmoid_cross_entropy(np.zeros((), dtype), 5, ignore_index=5, empty=2.0) == 2


def test_memory():
    """No temporary grows with the number of elements."""
    x, t, where = problem((1 << 20,), np.float16, -1)
    out, given = np.empty_like(x), {"ignore_index": -1, "where": where, "sample_weight": where.astype(np.float32)}
    for options in (given, {"where": where, "ignore_index": -1}):
        BOTH(x, t, out=out, **options)
        tracemalloc.start()
        BOTH(x, t, out=out, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < x.nbytes / 16


ERRORS = [
    ({"where": [1, 0, 1]}, TypeError, "where has dtype int64; expected booleans"),
    ({"where": [True, False]}, ValueError, "where has shape (2,), which does not broadcast to that of logits, (3,)"),
    ({"where": np.ones((2, 3), bool)}, ValueError, "where has shape (2, 3), which does not broadcast to that of logits, (3,)"),
    ({"ignore_index": "none"}, TypeError, "ignore_index is 'none'; expected a number"),
    ({"ignore_index": NAN}, ValueError, "ignore_index is nan; expected a finite number, or None; where=numpy.isfinite(targets) "
     "leaves out what is not finite"),
    ({"ignore_index": INF}, ValueError, "ignore_index is inf; expected a finite number, or None"),
    ({"ignore_index": 10**400}, ValueError, "expected a number within the range of float64"),
    ({"ignore_index": -2}, ValueError, "targets[1] is -1; expected a number from 0 to 1"),
]


@pytest.mark.parametrize(("given", "error", "message"), ERRORS)
def test_errors(given, error, message):
    for function in (xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_grad, BOTH, CURVED):
        with pytest.raises(error, match=re.escape(message)):
            function(np.zeros(3), [1, -1, 0], **given)


def test_outputs():
    mask = np.zeros((3, 10), np.float32)
    where = mask.view(bool)[:, :10]
    for function, out in ((xf.sigmoid_cross_entropy_grad, mask), (CURVED, (np.zeros_like(mask), mask))):
        with pytest.raises(ValueError, match="out overlaps the targets, the weights or where"):
            function(np.zeros((3, 10), np.float32), 1, where=where, out=out)
    with pytest.raises(ValueError, match="out is read-only"):
        BOTH(np.zeros((3, 10), np.float32), 1, where=False, out=READ_ONLY)
