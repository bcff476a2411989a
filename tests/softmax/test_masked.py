"""where= of softmax, log_softmax and logsumexp: what it leaves out is never read, and never counts."""

import ml_dtypes
import numpy as np
import pytest
import reference
from routes import LEVELS, THREADS, layouts
from tolerances import twin_bound

import xentfast as xf

pytestmark = pytest.mark.every_build

INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
FUNCTIONS = [xf.softmax, xf.log_softmax, xf.logsumexp]
OF_CLASSES = [xf.softmax, xf.log_softmax]
LEFT_OUT = {xf.softmax: 0.0, xf.log_softmax: -INF}
# Rows along the lanes, and classes; a chunk of float64, and of float32, and one more class.
WIDTHS = [1, 2, 10, 33, 97, 600, 1025, 2049]


def masked(shape, dtype, seed=0):
    """(x, mask): rows of which all is left in, and nothing; what is left out is nan and infinite."""
    rng = np.random.default_rng(seed)
    x, mask = rng.standard_normal(shape) * 4, rng.random(shape) < 0.6
    mask[0], mask[-1] = True, False
    x[~mask] = rng.choice([NAN, INF, -INF], np.count_nonzero(~mask))
    return x.astype(dtype), mask


def as_excluded(x, mask):
    return np.where(mask, x, x.dtype.type(-INF))


def twin(function):
    return getattr(reference, function.__name__)


def close(got, want, dtype):
    got, want = np.atleast_1d(got).astype(np.float64), np.atleast_1d(want)
    finite = np.isfinite(want)
    return (np.array_equal(got[~finite], want[~finite])
            and np.all(np.abs(got[finite] - want[finite]) <= twin_bound(want[finite], dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", WIDTHS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_twin(function, n_classes, dtype):
    x, mask = masked((37, n_classes), dtype)
    got, want = function(x, where=mask), twin(function)(x.astype(np.float64), where=mask)
    assert got.dtype == x.dtype and got.shape == want.shape and close(got, want, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", WIDTHS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bits_are_those_of_minus_infinity(level, function, n_classes, dtype):
    x, mask = masked((37, n_classes), dtype)
    some = mask.any(1)
    got, want = function(x, where=mask), function(as_excluded(x, mask))
    assert got[some].tobytes() == want[some].tobytes()
    if function in LEFT_OUT:
        assert np.all(got[~mask] == LEFT_OUT[function])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_rows", "n_classes"), [(70, 10), (40, 97), (5, 2100), (2, 40_000)])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bits_of_levels_threads_and_layouts(use_level, function, n_rows, n_classes, dtype):
    x, mask = masked((n_rows, n_classes), dtype)
    want = function(x, where=mask, n_threads=1).tobytes()
    for level in LEVELS:
        use_level(level)
        for n_threads in THREADS:
            assert function(x, where=mask, n_threads=n_threads).tobytes() == want
    for layout, other in zip(layouts(x), reversed(list(layouts(mask))), strict=True):
        assert function(layout, where=other).tobytes() == want
    assert np.ascontiguousarray(function(x.T.copy(), 0, where=mask.T).T).tobytes() == want


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(40, 10), (40, 700), (3, 40_000)])
@pytest.mark.parametrize("function", OF_CLASSES)
def test_out_and_in_place(function, shape, dtype):
    x, mask = masked(shape, dtype)
    for axis, y, where in ((1, x, mask), (0, x.T.copy(), mask.T.copy())):
        want = function(y, axis, where=where)
        for read, out in ((y, np.empty_like(y)), (y, y)):
            assert function(read, axis, where=where, out=out) is out and out.tobytes() == want.tobytes()


def test_past_the_cache():
    """A result that is larger than a cache goes by way of a thread's own memory."""
    x, mask = masked((300, 15_000), np.float32)
    got = xf.softmax(x, where=mask)
    assert got[:-1].tobytes() == xf.softmax(as_excluded(x, mask)[:-1]).tobytes() and np.all(got[-1] == 0)


@pytest.mark.parametrize("shape", [(), (1,), (6,), (5, 1), (4, 1, 1), (1, 5, 6), (4, 5, 6)])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (1, 2), None])
def test_broadcasts_over_any_axes(axis, shape):
    rng = np.random.default_rng(6)
    x, mask = rng.standard_normal((4, 5, 6)), rng.random(shape) < 0.8
    full = np.broadcast_to(mask, x.shape).copy()
    for function in FUNCTIONS:
        want = function(x, axis, where=full)
        for where in (mask, mask.tolist()):
            assert np.array_equal(function(x, axis, where=where), want)
        assert close(want, twin(function)(x, axis, where=full), np.float64)


def test_causal_attention():
    """One mask for all heads: its rows are those of a head."""
    scores = np.random.default_rng(1).standard_normal((3, 50, 50)).astype(np.float32)
    causal = np.tri(50, dtype=bool)
    got = xf.softmax(scores, where=causal)
    assert np.all(got[:, ~causal] == 0) and np.allclose(got.sum(-1), 1)
    for head in range(3):
        for row in range(50):
            assert got[head, row, :row + 1].tobytes() == xf.softmax(scores[head, row, :row + 1]).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [4, 40, 2600])
@pytest.mark.parametrize("bad", [NAN, INF, "nothing finite"])
def test_bad_rows(level, bad, n_classes, dtype):
    """nan, but for what is left out."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((37, n_classes)).astype(dtype)
    mask = rng.random(x.shape) < 0.5
    mask[:, 1] = True
    x[5, 1] = dtype(0 if bad == "nothing finite" else bad)
    x[5] = dtype(-INF) if bad == "nothing finite" else x[5]
    for axis, y, where in ((1, x, mask), (0, x.T.copy(), mask.T.copy())):
        for function in OF_CLASSES:
            got = np.moveaxis(function(y, axis, where=where), axis, 1).astype(np.float64)
            assert np.all(got[~mask] == LEFT_OUT[function]) and np.isnan(got[5, mask[5]]).all()
            assert np.isnan(got).sum() == mask[5].sum()
        sums = xf.logsumexp(y, axis, where=where).astype(np.float64)
        assert np.array_equal(sums[5], {"nothing finite": -INF}.get(bad, bad), equal_nan=True)
        assert np.isfinite(np.delete(sums, 5)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [4, 2600])
def test_nothing_left_in(n_classes, dtype):
    x = np.full((3, n_classes), NAN, dtype)
    for where in (False, np.zeros(n_classes, bool), np.zeros((3, 1), bool)):
        assert np.all(xf.softmax(x, where=where) == 0) and np.all(xf.log_softmax(x, where=where) == -INF)
        assert np.all(xf.logsumexp(x, where=where) == -INF) and xf.logsumexp(x, None, where=where) == -INF


def test_integers():
    x = np.arange(12).reshape(3, 4)
    mask = x % 3 > 0
    for function in FUNCTIONS:
        assert function(x, where=mask).tobytes() == function(x.astype(float), where=mask).tobytes()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_errors(function):
    x = np.zeros((3, 4))
    out = np.full(3 if function is xf.logsumexp else (3, 4), 7.0)
    for where, error, text in ((np.ones((3, 4)), TypeError, "where has dtype float64; expected booleans"),
                               ([True] * 3, ValueError,
                                r"where has shape \(3,\), which does not broadcast to that of x, \(3, 4\)"),
                               (np.ones((2, 3, 4), bool), ValueError, r"where has shape \(2, 3, 4\), which does not broadcast"),
                               (np.ma.masked_array([True] * 4, [True] * 4), TypeError, "where is a masked array")):
        with pytest.raises(error, match=text):
            function(x, where=where, out=out)
    with pytest.raises(ValueError, match="out overlaps"):
        function(x, where=out.view(bool)[..., :4] if out.ndim == 2 else out.view(bool)[:4], out=out)
    assert np.all(out == 7)
