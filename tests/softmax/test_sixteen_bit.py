"""float16 and bfloat16: computed in float32, and rounded once."""

import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from exact import check_rounded, exact_grad, exact_loss, exact_shifted, ordered
from reference import cross_entropy, logsumexp, softmax
from tolerances import LARGEST_TERM, loss_bound, needs_long_double, ulp

import xentfast as xf

pytestmark = [pytest.mark.every_build, needs_long_double]

BFLOAT16 = ml_dtypes.bfloat16
DTYPES = [np.float16, BFLOAT16]
INF, NAN = np.inf, np.nan
SHAPES = [(1000, 2), (500, 10), (200, 100), (100, 1000), (8, 50_257)]


def drawn(shape, dtype, spread=4):
    rng = np.random.default_rng(shape[1])
    return (rng.standard_normal(shape) * spread).astype(dtype), rng.integers(0, shape[1], shape[0])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", [1, 4, 30])
@pytest.mark.parametrize("shape", SHAPES)
def test_losses_and_gradients(shape, spread, dtype):
    x, t = drawn(shape, dtype, spread)
    for targets in (t, x.argmax(1)):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, reduction="none")
        assert loss.dtype == np.float32 and grad.dtype == dtype
        exact = exact_loss(x, targets)
        exact = np.where(exact < np.finfo(np.float32).tiny, 0, exact)
        assert np.all(np.abs(loss - exact) <= loss_bound(exact, np.float32) * ulp(exact, np.float32))
        check_rounded(grad, exact_grad(x, targets))
        scalar = xf.softmax_cross_entropy(x, targets)
        assert type(scalar) is np.float32 and abs(scalar - exact.mean()) <= ulp(exact.mean(), np.float32)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [1, 30])
def test_softmax_family(spread, shape, dtype):
    x, _ = drawn(shape, dtype, spread)
    for axis in (1, 0):                                             # rows, and tiles
        y = x if axis == 1 else np.ascontiguousarray(x.T)
        got = xf.softmax(y, axis), xf.log_softmax(y, axis), xf.logsumexp(y, axis)
        assert all(part.dtype == dtype for part in got)
        back = [np.moveaxis(part, 0, -1) if axis == 0 else part for part in got]
        check_rounded(back[0], softmax(x, dtype=np.longdouble))
        shifted, log_sum = exact_shifted(x)
        # Far below a maximum that is far ahead, x − m is often halfway between two 16-bit numbers, and float32 does not
        # see the logarithm that decides.
        check_rounded(back[1], shifted - log_sum, seldom=spread < 30)
        check_rounded(back[2], logsumexp(x, dtype=np.longdouble))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(50, 10), (50, 1000)])
def test_smoothing_and_soft_targets(shape, dtype):
    """Targets in any of the four dtypes; masses are rounded to float32, and the gradient once more."""
    x, t = drawn(shape, dtype)
    soft = np.random.default_rng(0).dirichlet(np.ones(shape[1]), shape[0])
    for targets in (t, *(soft.astype(other) for other in (np.float16, BFLOAT16, np.float32, np.float64))):
        for smoothing in (0.0, 0.1):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, label_smoothing=smoothing, reduction="none")
            exact_l, exact_g = cross_entropy(x, targets, label_smoothing=smoothing, reduction="none", dtype=np.longdouble)
            assert np.all(np.abs(loss - exact_l) <= LARGEST_TERM[np.float32] * ulp(exact_l, np.float32))
            check_rounded(grad, exact_g)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("soft", [False, True])
def test_rounded_once(soft, axis, dtype):
    """To the bit, what float32 gives for the same logits, rounded."""
    for n_classes in (1, 2, 10, 33, 97, 1000, 2049, 5000):
        x, t = drawn((40, n_classes), dtype, 6)
        t = np.random.default_rng(0).random(x.shape).astype(dtype) if soft else t
        mask = np.random.default_rng(1).random(x.shape) < 0.9
        y = np.ascontiguousarray(np.moveaxis(x, 1, axis))
        wide = y.astype(np.float32)
        t, mask = np.moveaxis(t, -1, axis) if soft else t, np.moveaxis(mask, 1, axis)
        for given in ({}, {"label_smoothing": 0.1, "weight": (np.arange(n_classes) % 5 + 1) / 8}, {"softcap": 4.0, "z_loss": 0.1},
                      {"where": mask, "logit_scale": 0.7}, {"softcap": 4.0, "label_smoothing": 0.1, "where": mask}):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(y, t, axis=axis, reduction="none", **given)
            want = xf.softmax_cross_entropy_value_and_grad(wide, t, axis=axis, reduction="none", **given)
            assert loss.tobytes() == want[0].tobytes()
            assert np.array_equal(ordered(grad), ordered(want[1].astype(dtype))), (n_classes, given.keys())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("function", [xf.softmax, xf.log_softmax, xf.logsumexp])
def test_softmax_family_rounded_once(function, axis, dtype):
    for n_classes in (1, 2, 10, 33, 97, 1000, 2049, 5000):
        x = np.ascontiguousarray(np.moveaxis(drawn((40, n_classes), dtype, 6)[0], 1, axis))
        want = function(x.astype(np.float32), axis).astype(dtype)
        assert np.array_equal(ordered(function(x, axis)), ordered(want)), n_classes


@pytest.mark.parametrize("target_dtype", DTYPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_targets_of_sixteen_bit_for_wider_logits(dtype, target_dtype):
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((20, 300)).astype(dtype), rng.random((20, 300)).astype(target_dtype)
    for axis in (0, 1):
        got = xf.softmax_cross_entropy_value_and_grad(x, t, axis=axis, reduction="none")
        want = xf.softmax_cross_entropy_value_and_grad(x, t.astype(dtype), axis=axis, reduction="none")
        assert got[0].tobytes() == want[0].tobytes() and got[1].tobytes() == want[1].tobytes() and got[0].dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [2, 3, 40, 2600])
def test_bad_rows_are_nan(level, n_classes, dtype):
    """In 16 bits as well: not +inf, nor a number."""
    x, _ = drawn((40, n_classes), dtype)
    x[5, 0], x[6, -1], x[7] = NAN, INF, -INF
    x[8, 0] = -NAN
    bad = [5, 6, 7, 8]
    for y, axis in ((x, 1), (np.ascontiguousarray(x.T), 0)):
        for given in ({}, {"label_smoothing": 0.1}, {"softcap": 3.0}, {"where": True, "z_loss": 0.1}):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(y, np.zeros(40, int), axis=axis, reduction="none", **given)
            nan = np.isnan(np.moveaxis(grad, axis, 1).astype(np.float32))
            assert np.isnan(loss[bad]).all() and np.isnan(loss).sum() == 4 and nan[bad].all() and nan.sum() == 4 * n_classes
        for function in (xf.softmax, xf.log_softmax):
            nan = np.isnan(np.moveaxis(function(y, axis), axis, 1).astype(np.float32))
            assert nan[bad].all() and nan.sum() == 4 * n_classes
        sums = xf.logsumexp(y, axis).astype(np.float32)
        assert np.array_equal(sums[bad], [NAN, INF, -INF, NAN], equal_nan=True) and np.isfinite(np.delete(sums, bad)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_minus_infinity(level, dtype):
    x = np.array([[0, -INF, 0, -INF]], dtype)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, [0])
    assert loss == np.float32(np.log(2)) and np.array_equal(grad.astype(float), [[-0.5, 0, 0.5, 0]])
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, [1])
    assert loss == INF and np.array_equal(grad.astype(float), [[0.5, -1, 0.5, 0]])
    assert np.array_equal(xf.softmax(x).astype(float), [[0.5, 0, 0.5, 0]])
    assert np.array_equal(xf.log_softmax(x)[0, [1, 3]].astype(float), [-INF, -INF])


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_float16_sums_cannot_hold(level, dtype):
    """Sums of exponentials beyond 65 504, logits at the ends of the range."""
    x = np.zeros((2, 131_072), dtype)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, [0, 131_071], reduction="none")
    assert np.all(loss == np.float32(np.log(131_072))) and np.all(grad[:, 1:-1].astype(float) == 2.0**-17)
    assert np.all(xf.logsumexp(x) == dtype(np.log(131_072)))
    big = float(ml_dtypes.finfo(dtype).max)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(np.array([[big, -big], [-big, big], [big, big]], dtype), [0, 1, 0],
                                                         reduction="sum")
    assert loss == np.float32(np.log(2)) and np.array_equal(grad.astype(float), [[0, 0], [0, 0], [-0.5, 0.5]])


def test_results_too_large_for_float16_are_infinite():
    grad = xf.softmax_cross_entropy_grad(np.zeros((1, 2), np.float16), [0], sample_weight=[1e6], reduction="sum")
    assert np.array_equal(grad, [[-INF, INF]])
    loss = xf.softmax_cross_entropy(np.zeros((1, 2), np.float16), [0], sample_weight=[1e6], reduction="sum")
    assert loss == np.float32(1e6 * np.log(2))


def test_small_gradients_stay_in_float16():
    """Down to its smallest subnormal number, 2⁻²⁴, rounded to even."""
    p = np.float16([-8, -12, -14, -16, -17.3, -20])
    x = np.concatenate([np.zeros(1, np.float16), p])[None]
    grad = xf.softmax_cross_entropy_grad(x, [0])
    check_rounded(grad, exact_grad(x, np.array([0])))
    assert 0 < grad[0, 4] < np.finfo(np.float16).tiny and grad[0, 6] == 0


def test_loss_scaling():
    """sample_weight = S with reduction="sum" keeps what the mean would lose in float16, and leaves but S to divide by."""
    x, t = drawn((4096, 100), np.float16)
    mean = xf.softmax_cross_entropy_grad(x, t)
    exact = exact_grad(x, t)
    scaled = xf.softmax_cross_entropy_grad(x, t, sample_weight=np.full(4096, 1024.0), reduction="sum")
    check_rounded(scaled, exact * 1024)
    lost = (mean == 0) & (exact != 0)
    assert lost.mean() > 0.2 and np.all(scaled[lost & (exact * 1024 > 2.0**-24)] != 0) and (scaled == 0).mean() < 0.001


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_of_sixteen_bit(dtype):
    x, t = drawn((40, 30), dtype)
    weight, sample_weight = (np.arange(n) / 32 for n in (30, 40))
    want = xf.softmax_cross_entropy(x, t, weight=weight, sample_weight=sample_weight)
    assert want == xf.softmax_cross_entropy(x, t, weight=weight.astype(dtype), sample_weight=sample_weight.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_number_is_converted_exactly(level, dtype):
    """All 2¹⁶: the softmax of (x, x) is ½, and x itself comes back from logsumexp, 0 for a subnormal number of bfloat16."""
    x = np.arange(2**16, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):
        want = x.astype(np.float64)
    want = np.where(np.abs(want) < np.finfo(np.float32).tiny, 0, want)
    got = xf.logsumexp(x[:, None]).astype(np.float64)
    assert np.array_equal(got, want, equal_nan=True)
    pairs = np.stack([x, x], 1)
    half = xf.softmax(pairs).astype(np.float64)
    assert np.all(half[np.isfinite(want)] == 0.5) and np.isnan(half[~np.isfinite(want)]).all()


def test_ml_dtypes_is_not_imported():
    """bfloat16 is known by its name."""
    code = ("import sys, numpy as np, xentfast as xf\n"
            "x = np.zeros((3, 4), np.float16)\n"
            "xf.softmax_cross_entropy(x, [0, 1, 2], softcap=3.0), xf.softmax(x), xf.logsumexp(x)\n"
            "print('ml_dtypes' in sys.modules)")
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.strip() == "False"
