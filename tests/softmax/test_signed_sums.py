"""b= of logsumexp: what exponentials are multiplied by, of either sign."""

import ml_dtypes
import mpmath
import numpy as np
import pytest
import reference
from routes import LEVELS, THREADS, layouts
from scipy import special
from tolerances import CANCELLED, LARGEST_TERM, needs_long_double, twin_bound, ulp

import xentfast as xf

pytestmark = pytest.mark.every_build

INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
# Rows along the lanes, and classes; strips, and chunks of float64 and of float32.
WIDTHS = [1, 2, 10, 33, 64, 65, 200, 513, 1025, 2049, 5000]


def signed(shape, dtype, seed=0):
    """(x, b): of a row of ten the sum is below 0; b of 0, too, and x of −inf."""
    rng = np.random.default_rng(seed)
    x, b = rng.standard_normal(shape) * 4, rng.standard_normal(shape) + 0.5
    b[rng.random(shape) < 0.1] = 0
    x[rng.random(shape) < 0.1] = -INF
    x[::10, 0], b[::10, 0] = 30, -2
    return x.astype(dtype), b


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", WIDTHS)
def test_twin(n_classes, dtype):
    x, b = signed((41, n_classes), dtype)
    got, want = xf.logsumexp(x, b=b), reference.logsumexp(x.astype(np.float64), b=b)
    assert got.dtype == x.dtype and got.shape == want.shape and np.isnan(got.astype(np.float64)[::10]).all()
    finite = np.isfinite(want)
    assert np.array_equal(got.astype(np.float64)[~finite], want[~finite], equal_nan=True)
    assert np.all(np.abs(got.astype(np.float64)[finite] - want[finite]) <= 10 * twin_bound(want[finite], dtype))


def test_scipy():
    """Where it has an answer, and where that is infinite or nan."""
    x, b = signed((50, 30), np.float64)
    got, want = xf.logsumexp(x, b=b), special.logsumexp(x, -1, b=b)
    assert np.allclose(got, want, rtol=1e-12, atol=1e-12, equal_nan=True)
    x = np.array([[INF, 1, 2], [INF, 1, 2], [INF, INF, 1], [-INF, -INF, -INF], [0, 0, 1], [0, 0, 1], [0, 0, 1], [NAN, 0, 0],
                  [0, 0, 1], [10, 10, 10]])
    b = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, -1, 2], [1, -1, 0], [INF, 1, 1], [NAN, 1, 1], [1, 1, 1], [-INF, 1, 1],
                  [0, 0, 0]])
    assert np.array_equal(xf.logsumexp(x, b=b), special.logsumexp(x, -1, b=b), equal_nan=True)
    assert np.array_equal(xf.logsumexp(x, b=b), [INF, NAN, NAN, -INF, -INF, INF, NAN, NAN, NAN, -INF], equal_nan=True)


def test_what_is_multiplied_by_0_does_not_count():
    for n_classes in (3, 100, 2600):
        x = np.zeros((33, n_classes))
        x[:, 1:] = np.random.default_rng(0).choice([NAN, INF, -INF, 1e308], (33, n_classes - 1))
        for zero in (0.0, -0.0):
            b = np.where(np.arange(n_classes) == 0, 3, zero)
            assert np.all(xf.logsumexp(x, b=b) == xf.logsumexp([0.0], b=3.0))
            assert np.all(xf.logsumexp(x, b=zero) == -INF)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinite_terms(level, dtype):
    """As IEEE 754 adds them; rows beside them do not notice."""
    rows = {1: (INF, 2, INF), 2: (INF, -2, NAN), 3: (NAN, 1, NAN), 4: (0, INF, INF), 5: (0, -INF, NAN), 6: (0, NAN, NAN),
            7: (-INF, INF, NAN), 8: (-INF, NAN, NAN)}
    for n_classes in (2, 40, 700, 4500):
        x, b = signed((20, n_classes), dtype)
        want = xf.logsumexp(x, b=b)
        for row, (value, factor, _) in rows.items():
            x[row, -1], b[row, -1] = value, factor
        got = xf.logsumexp(x, b=b)
        assert np.array_equal(got[list(rows)].astype(float), [found for *_, found in rows.values()], equal_nan=True)
        others = np.setdiff1d(np.arange(20), list(rows))
        assert got[others].tobytes() == want[others].tobytes()


def exact(x, b):
    """(log Σ b·eˣ of a row, Σ |b|·eˣ over the sum's size) with sixty digits."""
    with mpmath.workdps(60):
        terms = [mpmath.mpf(float(factor)) * mpmath.exp(mpmath.mpf(float(value))) for value, factor in zip(x, b, strict=True)]
        total = mpmath.fsum(terms)
        cancelled = mpmath.fsum(abs(term) for term in terms) / abs(total)
        return np.longdouble(mpmath.nstr(mpmath.log(total), 40)) if total > 0 else np.longdouble(NAN), float(cancelled)


@needs_long_double
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 7, 40, 70, 1500])
@pytest.mark.parametrize("case", ["one sign", "both signs", "large factors", "offset", "far", "cancelling", "nearly 0"])
def test_accuracy(level, case, n_classes, dtype):
    """In ulp of the largest summand, and of float64's times what cancels."""
    rng = np.random.default_rng(n_classes)
    x, b = rng.standard_normal((4, n_classes)) * 5, rng.standard_normal((4, n_classes))
    if case == "one sign":
        b = np.abs(b)
    elif case == "large factors":
        b *= np.exp(rng.standard_normal(b.shape) * 150)
    elif case == "offset":
        x += 80
        b *= np.exp(-80)
    elif case == "far":
        x = x * 20 + 1e5
    elif case == "cancelling":
        x[:, 1::2], b[:, 1::2] = x[:, :n_classes // 2 * 2:2], -b[:, :n_classes // 2 * 2:2] * (1 + 1e-6)
    elif case == "nearly 0":
        x, b = x - 60, np.abs(b)
        x[:, 0], b[:, 0] = 0, 1
    x = x.astype(dtype)
    got = xf.logsumexp(x, b=b)
    for row in range(4):
        want, cancelled = exact(x[row], b[row])
        assert np.isnan(got[row]) == np.isnan(want)
        if not np.isnan(want):
            place = np.argmax(x[row] + np.log(np.abs(b[row])))
            largest = max(abs(want), abs(x[row, place]), abs(np.log(abs(b[row, place]))))
            largest = abs(want) if case == "nearly 0" else largest
            bound = LARGEST_TERM[dtype] * ulp(largest, dtype) + CANCELLED * max(cancelled - 1, 0)
            assert abs(got[row] - want) <= bound


def test_factors_of_any_size():
    """A term counts by its size, of whatever factor and logit that is made."""
    for x, b in (([0.0, -1400.0], [5e-324, 1e308]), ([700.0, -700.0], [1e-300, 1e300]), ([0.0, 1e4], [1e300, -5e-324]),
                 ([-1e4, 2.0, -1e4], [1e300, 1e-310, 3.0])):
        for more in (0, 100, 3000):
            x, b = (x[::-1], b[::-1]) if more == 100 else (x, b)
            padded = np.pad(x, (more, 0)), np.pad(b, (more, 0))
            want, _ = exact(x, b)
            got = xf.logsumexp(padded[0], b=padded[1])
            assert np.isnan(got) == np.isnan(want) and (np.isnan(want) or abs(got - want) <= 4 * np.spacing(max(np.abs(x))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_rows", "n_classes"), [(70, 10), (70, 64), (40, 200), (5, 2100), (2, 40_000)])
def test_bits_of_levels_threads_and_layouts(use_level, n_rows, n_classes, dtype):
    x, b = signed((n_rows, n_classes), dtype)
    mask = np.random.default_rng(1).random(x.shape) < 0.7
    want = xf.logsumexp(x, b=b, where=mask, n_threads=1).tobytes()
    for level in LEVELS:
        use_level(level)
        for n_threads in THREADS:
            assert xf.logsumexp(x, b=b, where=mask, n_threads=n_threads).tobytes() == want
    for layout, other, left_in in zip(layouts(x), reversed(list(layouts(b))), layouts(mask), strict=True):
        assert xf.logsumexp(layout, b=other, where=left_in).tobytes() == want
    assert xf.logsumexp(x.T.copy(), 0, b=b.T, where=mask.T).tobytes() == want
    assert xf.logsumexp(x, b=np.where(mask, b, 0)).tobytes() == want


def test_bits_of_rows_and_tiles():
    """Up to 64 classes rows go along the lanes; more of them, excluded ones, and classes do: to the same result."""
    for n_classes in (1, 3, 10, 31, 32, 33, 64):
        x, b = signed((40, n_classes), np.float32)
        wide = np.full((40, 65), NAN, np.float32), np.zeros((40, 65))
        wide[0][:, :n_classes], wide[1][:, :n_classes] = x, b
        assert xf.logsumexp(wide[0], b=wide[1]).tobytes() == xf.logsumexp(x, b=b).tobytes()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.uint16,
                                   np.int32, np.uint32, np.int64, np.uint64, np.bool_, ">f8", ">i4"])
@pytest.mark.parametrize("n_classes", [5, 300])
def test_dtypes_of_b(n_classes, dtype):
    x = np.random.default_rng(0).standard_normal((40, n_classes)).astype(np.float32)
    b = np.random.default_rng(1).integers(0, 2, (40, n_classes)).astype(dtype)
    want = xf.logsumexp(x, b=b.astype(np.float64))
    assert want.dtype == np.float32
    for factors in (b, np.asfortranarray(b), b.tolist() if dtype == np.bool_ else b[:, ::-1].copy()[:, ::-1]):
        assert xf.logsumexp(x, b=factors).tobytes() == want.tobytes()


@pytest.mark.parametrize("shape", [(), (1,), (6,), (5, 1), (4, 1, 1), (1, 5, 6), (4, 5, 6)])
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (1, 2), None])
def test_broadcasts_over_any_axes(axis, shape):
    rng = np.random.default_rng(6)
    x, b = rng.standard_normal((4, 5, 6)), rng.random(shape)
    want = xf.logsumexp(x, axis, b=np.broadcast_to(b, x.shape).copy(), keepdims=True)
    assert np.array_equal(xf.logsumexp(x, axis, b=b, keepdims=True), want)
    assert np.allclose(want, special.logsumexp(x, axis, b=b, keepdims=True), rtol=1e-13, atol=1e-13)
    out = np.empty(want.shape)
    assert xf.logsumexp(x, axis, b=b, keepdims=True, out=out) is out and np.array_equal(out, want)


def test_errors():
    x, out = np.zeros((3, 4)), np.full(3, 7.0)
    for b, error, text in ((np.ones(4, complex), TypeError, "b has dtype complex128; expected real numbers"),
                           ([1, 2, 3], ValueError, r"b has shape \(3,\), which does not broadcast to that of x, \(3, 4\)"),
                           (np.ones((2, 3, 4)), ValueError, r"b has shape \(2, 3, 4\), which does not broadcast to that of x"),
                           (np.array(["1"]), TypeError, "b has dtype <U1; expected real numbers"),
                           (out[:1], ValueError, "out overlaps b, which is read while it is written")):
        with pytest.raises(error, match=text):
            xf.logsumexp(x, b=b, out=out)
    assert np.all(out == 7)
