"""Sigmoid cross-entropy: what its options mean, what happens at the edges, and how exact it is."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mp
from reference import sigmoid_cross_entropy
from tolerances import FOCAL, HESSIAN, LARGEST_TERM, NEIGHBOURS, TWIN, gradient_bound, loss_bound, needs_long_double, ulp

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized]

BOTH = xf.sigmoid_cross_entropy_value_and_grad
CURVED = xf.sigmoid_cross_entropy_grad_hess
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = [np.float32, np.float64]
EVERY_DTYPE = [np.dtype(np.float16), BFLOAT16, np.dtype(np.float32), np.dtype(np.float64)]
INF, NAN = np.inf, np.nan
RNG = np.random.default_rng(5)
OPTIONS = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.1},
    "pos_weight": {"pos_weight": [0.5, 2.0, -1.0, 0.0, 3.0]},
    "sample_weight": {"sample_weight": [[1.0], [0.0], [-2.0]]},
    "focal": {"focal_gamma": 2.0},
    "all": {"pos_weight": 3.0, "sample_weight": [1.0, 2.0, 0.0, 0.5, 4.0], "label_smoothing": 0.2, "focal_gamma": 0.7},
}



def data(shape, dtype, soft=False, spread=4.0, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * spread).astype(dtype)
    return x, rng.random(shape).astype(x.dtype) if soft else rng.integers(0, 2, shape)


def near(a, b, dtype):
    limit = TWIN[np.dtype(dtype)]
    return np.allclose(np.asarray(a, np.float64), b, rtol=limit, atol=limit)


# ---- what the options mean


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_formula(level, name, soft, dtype, reduction):
    x, t = data((3, 5), dtype, soft)
    options = OPTIONS[name]
    want = sigmoid_cross_entropy(x, t, reduction=reduction, **options)
    loss, grad = BOTH(x, t, reduction=reduction, **options)
    again, hess = CURVED(x, t, reduction=reduction, **options)
    assert near(loss, want[0], dtype) and near(grad, want[1], dtype) and near(hess, want[2], dtype)
    assert again.tobytes() == grad.tobytes() and grad.dtype == hess.dtype == dtype


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("t", [0.0, 0.25, 1.0])
def test_focal_derivatives(level, gamma, t):
    """Against derivatives of Lin et al.'s formula in fifty digits."""
    mp.dps = 50
    for x in (-30.0, -3.0, -0.1, 0.0, 1.5, 8.0, 40.0):
        def loss(z, t=t):
            p = 1 / (1 + mp.exp(-z))
            return -(1 - (t * p + (1 - t) * (1 - p))) ** gamma * (3 * t * mp.log(p) + (1 - t) * mp.log(1 - p))

        got = [xf.sigmoid_cross_entropy(np.array(x), t, pos_weight=3, focal_gamma=gamma),
               *CURVED(np.array(x), t, pos_weight=3, focal_gamma=gamma)]
        for order, value in enumerate(got):
            want = float(mp.diff(loss, x, order))
            assert abs(value - want) <= FOCAL * abs(want) + np.finfo(np.float64).tiny


def test_reductions_and_weights():
    x, t = data((4, 6), np.float64)
    w = RNG.random((4, 1))
    losses = xf.sigmoid_cross_entropy(x, t, sample_weight=w, reduction="none")
    total = xf.sigmoid_cross_entropy(x, t, sample_weight=w, reduction="sum")
    assert np.isclose(losses.sum(), total)
    assert np.isclose(xf.sigmoid_cross_entropy(x, t, sample_weight=w), total / (6 * w.sum()))
    assert np.isclose(xf.sigmoid_cross_entropy(x, t), xf.sigmoid_cross_entropy(x, t, reduction="sum") / 24)


@pytest.mark.parametrize("dtype", EVERY_DTYPE)
def test_dtypes_and_shapes(dtype):
    loss_type = np.float64 if dtype == np.float64 else np.float32
    for shape in ((), (1,), (0,), (2, 0, 3), (2, 3, 4)):
        x, t = data(shape, dtype)
        x = np.asarray(x, dtype).reshape(shape)
        loss, grad = BOTH(x, t, reduction="none")
        assert np.shape(loss) == grad.shape == shape and loss.dtype == loss_type and grad.dtype == dtype
        assert type(xf.sigmoid_cross_entropy(x, t)) is loss_type
    assert xf.sigmoid_cross_entropy([1, 2], [0, 1]).dtype == np.float64
    assert BOTH([1, 2], [0, 1])[1].dtype == np.float64


def test_targets_of_every_dtype(level):
    x, t = data((7, 33), np.float32)
    want = [part.tobytes() for part in BOTH(x, t, reduction="none")]
    for dtype in [np.dtype(code) for code in "?bhilqBHILQ"] + EVERY_DTYPE + [np.dtype(">f4"), np.dtype(">i8")]:
        assert [part.tobytes() for part in BOTH(x, t.astype(dtype), reduction="none")] == want
    assert [part.tobytes() for part in BOTH(x, t.tolist(), reduction="none")] == want
    want = [part.tobytes() for part in BOTH(x, t, sample_weight=t)]
    for dtype in [np.dtype(code) for code in "?bBQ"] + EVERY_DTYPE:
        assert [part.tobytes() for part in BOTH(x, t, sample_weight=t.astype(dtype))] == want


# ---- edges


@pytest.mark.parametrize("dtype", EVERY_DTYPE)
@pytest.mark.parametrize("gamma", [0.0, 2.0, 0.5])
def test_infinite_logits_have_the_limits(level, dtype, gamma):
    x, t = np.array([INF, INF, -INF, -INF], dtype), [1, 0, 1, 0]
    for options in ({}, {"pos_weight": 1}, {"sample_weight": 1}):
        loss, grad = BOTH(x, t, reduction="none", focal_gamma=gamma, **options)
        hess = CURVED(x, t, focal_gamma=gamma, **options)[1]
        assert loss.tolist() == [0, INF, INF, 0] and grad.tolist() == [0, 1, -1, 0] and hess.tolist() == [0, 0, 0, 0]
    assert BOTH(x, t, reduction="none", pos_weight=0, focal_gamma=gamma)[0].tolist() == [0, INF, 0, 0]


@pytest.mark.parametrize("dtype", EVERY_DTYPE)
@pytest.mark.parametrize("options", [{}, {"sample_weight": 2.0}, {"focal_gamma": 2.0}])
def test_nan_stays_with_its_element(level, dtype, options):
    x = np.zeros(70, dtype)
    x[[3, 40]] = -NAN, NAN
    loss, grad = BOTH(x, np.ones(70), reduction="none", **options)
    assert np.flatnonzero(np.isnan(loss)).tolist() == [3, 40] == np.flatnonzero(np.isnan(grad)).tolist()
    assert loss[3].tobytes() == loss[40].tobytes() == loss.dtype.type(NAN).tobytes()
    assert grad[3].tobytes() == grad[40].tobytes() == grad.dtype.type(NAN).tobytes()
    assert np.isnan(xf.sigmoid_cross_entropy(x, np.ones(70), **options))


@pytest.mark.parametrize("dtype", EVERY_DTYPE)
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_elements_without_weight_are_not_read(level, dtype, gamma):
    x = np.array([NAN, 1, INF, -INF, NAN], dtype)
    weight = np.array([0, 1, 0, 0, 0])
    loss, grad = BOTH(x, [1, 1, 0, 1, 0], sample_weight=weight, focal_gamma=gamma, reduction="none")
    assert np.flatnonzero(loss).tolist() == [1] == np.flatnonzero(np.asarray(grad, np.float64)).tolist()
    assert np.isclose(xf.sigmoid_cross_entropy(x, 1, sample_weight=weight, focal_gamma=gamma), loss[1])
    assert CURVED(x, 1, sample_weight=weight, focal_gamma=gamma)[1].tolist()[2:] == [0, 0, 0]


@pytest.mark.parametrize("dtype", EVERY_DTYPE)
@pytest.mark.parametrize(("x", "weight"), [([], None), ([], 1.0), ([1, NAN], 0.0), ([1, 2], [1, -1])])
def test_nothing_to_average(dtype, x, weight):
    x = np.array(x, dtype)
    for empty in (NAN, 0.0, -1.0):
        loss, grad = BOTH(x, 1, sample_weight=weight, empty=empty)
        assert np.array_equal(loss, empty, equal_nan=True) and grad.shape == x.shape and np.all(grad == 0)
    if weight != [1, -1]:
        assert xf.sigmoid_cross_entropy(x, 1, sample_weight=weight, reduction="sum") == 0
    assert all(np.all(part == 0) for part in CURVED(x, 1, sample_weight=weight, reduction="mean"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_large_weights_lift_tiny_values(level, dtype):
    """weight·value is a normal number though value is not."""
    margin, power = (95.0, 60) if dtype == np.float32 else (720.0, 100)
    exact = np.ldexp(np.exp(-np.longdouble(margin)), power)
    for options in ({"sample_weight": 2.0**power}, {"pos_weight": 2.0**power}):
        loss, grad = BOTH(np.array([margin], dtype), [1], reduction="none", **options)
        for value in (loss[0], -grad[0], CURVED(np.array([margin], dtype), [1], **options)[1][0]):
            assert abs(value - exact) <= gradient_bound(exact, dtype) * ulp(exact, dtype)
    loss, grad = BOTH(np.array([-2.0]), [1], pos_weight=1e300, reduction="none")
    assert near(loss / 1e300, np.log1p(np.exp(2.0)), dtype) and near(grad / 1e300, -1 / (1 + np.exp(-2.0)), dtype)


def test_in_place():
    x, t = data((50, 41), np.float32)
    want_loss, want = BOTH(x, t, sample_weight=2.0)
    for view in (x.copy(), x[::-1].copy()[::-1], np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        loss, grad = BOTH(view, t, sample_weight=2.0, out=view)
        assert grad is view and view.tobytes() == want.tobytes() and loss.tobytes() == want_loss.tobytes()
    view, hess = x.copy(), np.empty_like(x)
    want = CURVED(x, t)
    got = CURVED(view, t, out=(view, hess))
    assert got[0] is view and got[1] is hess
    assert view.tobytes() == want[0].tobytes() and hess.tobytes() == want[1].tobytes()


def test_memory():
    """No temporary grows with the number of elements, whatever is broadcast or converted."""
    x, t = data((1 << 20,), np.float16)
    out, options = np.empty_like(x), {"pos_weight": t.astype(np.int8), "sample_weight": t.astype(np.float32), "focal_gamma": 1.0}
    BOTH(x, t, out=out, **options)
    tracemalloc.start()
    BOTH(x, t, out=out, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes / 16


# ---- exactness


def exact_values(x, t, gamma=0.0, pos_weight=1.0):
    """(loss, gradient, Hessian, the largest term of each) in long double, without cancellation."""
    x, t = np.asarray(x).astype(np.longdouble), np.asarray(t).astype(np.longdouble)
    a, b = pos_weight * t, 1 - t
    e = np.exp(-np.abs(x))
    p, q = (np.where(sign * x >= 0, 1, e) / (1 + e) for sign in (1, -1))
    positive, negative = (np.maximum(-sign * x, 0) + np.log1p(e) for sign in (1, -1))
    loss = np.where(a == 0, 0, a * positive) + np.where(b == 0, 0, b * negative)
    return loss, b * p - a * q, (a + b) * p * q, np.maximum(b * p, a * q)


def logits_of(case, dtype):
    rng = np.random.default_rng(3)
    return {
        "usual": rng.standard_normal(100_000) * 4,
        "confident": rng.uniform(-90, 90, 100_000),
        "margins to 1000": np.linspace(-1000, 1000, 100_001),
        "near 0": np.concatenate([np.geomspace(1e-30, 1, 20_000), -np.geomspace(1e-30, 1, 20_000), [0.0, -0.0]]),
    }[case].astype(dtype)


CASES = ["usual", "confident", "margins to 1000", "near 0"]


def errors(got, exact, dtype):
    """In ulp. A result below the smallest normal number is exactly 0; next to it either is right."""
    tiny = np.finfo(dtype).tiny
    edge = np.abs(np.abs(exact) / tiny - 1) < 1e-3
    assert not np.any((got != 0) & (np.abs(got) < tiny))
    return np.where(edge, 0, np.abs(got - np.where(np.abs(exact) < tiny, 0, exact)) / ulp(exact, dtype))


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_hard_targets(on_every_level, case, dtype, weighted):
    """Guarantee 2, in both tails. Weights of 1 go another way, and change little."""
    x = logits_of(case, dtype)
    options = {"sample_weight": 1} if weighted else {}
    for t in (0, 1):
        loss, grad, hess = on_every_level(lambda t=t: (*BOTH(x, t, reduction="none", **options), CURVED(x, t, **options)[1]))
        exact = exact_values(x, t)
        assert np.all(errors(loss, exact[0], dtype) <= loss_bound(exact[0], dtype))
        assert np.all(errors(grad, exact[1], dtype) <= gradient_bound(exact[1], dtype))
        assert np.all(errors(hess, exact[2], dtype) <= gradient_bound(exact[2], dtype) + HESSIAN)


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_soft_targets(level, case, dtype):
    """In ulp of the largest term."""
    x = logits_of(case, dtype)
    t = np.random.default_rng(1).random(x.shape).astype(dtype)
    loss, grad = BOTH(x, t, reduction="none")
    exact = exact_values(x, t)
    assert np.all(np.abs(loss - exact[0]) <= LARGEST_TERM[dtype] * ulp(exact[0], dtype))
    assert np.all(np.abs(grad - exact[1]) <= gradient_bound(exact[3], dtype) * ulp(exact[3], dtype))


@needs_long_double
@pytest.mark.parametrize("dtype", [np.dtype(np.float16), BFLOAT16])
@pytest.mark.parametrize("options", [{}, {"sample_weight": 1.0}])
def test_16_bits_are_rounded_once(level, dtype, options):
    """The exact value rounded to 16 bits, or seldom its neighbour; losses are float32."""
    x = np.arange(2**16, dtype=np.uint16)
    x = x[x & 0x7fff < (0x7c00 if dtype == np.float16 else 0x7f80)].view(dtype)      # the finite ones
    for t in (0, 1):
        loss, grad = BOTH(x, t, reduction="none", **options)
        exact = exact_values(x, t)
        assert np.all(errors(loss, exact[0], np.float32) <= loss_bound(exact[0], np.float32))
        want = np.where(np.abs(exact[1]) < np.finfo(np.float32).tiny, 0, exact[1]).astype(np.float64).astype(dtype)
        apart = np.abs(grad.view(np.int16).astype(int) - want.view(np.int16))
        assert apart.max() <= 1 and np.mean(apart) <= NEIGHBOURS


@needs_long_double
def test_sums_keep_what_single_losses_lose(level):
    """A million losses below the smallest float32 add up to one above it."""
    x = np.full(2**20, 90.0, np.float32)
    exact = 2**20 * np.exp(-np.longdouble(90))
    for options in ({}, {"sample_weight": 1.0}):
        assert abs(xf.sigmoid_cross_entropy(x, 1, reduction="sum", **options) - exact) <= 2 * ulp(exact, np.float32)
        assert xf.sigmoid_cross_entropy(x[:1], 1, reduction="sum", **options) == 0


# ---- properties

settings.register_profile("suite", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("suite")
SHAPES = st.lists(st.integers(1, 40), min_size=0, max_size=3).map(tuple)
SEEDS = st.integers(0, 2**32 - 1)


@given(SHAPES, st.sampled_from(DTYPES), SEEDS, st.sampled_from([0.0, 1.0, 2.5]))
def test_signs_are_symmetric(shape, dtype, seed, gamma):
    """−x and 1 − t have the same loss, bit for bit, and the opposite gradient."""
    x, t = data(shape, dtype, seed=seed)
    x = np.asarray(x, dtype)
    loss, grad = BOTH(x, t, reduction="none", focal_gamma=gamma)
    mirrored, grad_mirrored = BOTH(-x, 1 - t, reduction="none", focal_gamma=gamma)
    assert np.array_equal(loss, mirrored) and np.array_equal(grad, -grad_mirrored)
    assert np.all(loss >= 0)


@given(SHAPES, st.sampled_from(DTYPES), SEEDS)
def test_two_classes_of_a_softmax(shape, dtype, seed):
    x, t = data((*shape, 1), dtype, seed=seed, spread=20.0)
    pairs = np.concatenate([np.zeros_like(x), x], -1)
    losses = xf.softmax_cross_entropy(pairs, t[..., 0], reduction="none")
    limit = TWIN[np.dtype(dtype)]
    assert np.allclose(xf.sigmoid_cross_entropy(x, t, reduction="none")[..., 0], losses, rtol=limit, atol=0)


@given(SHAPES, SEEDS)
def test_broadcasting_is_that_of_numpy(shape, seed):
    x, t = data(shape, np.float32, seed=seed)
    x, rng = np.asarray(x, np.float32), np.random.default_rng(seed)
    given = {name: rng.random(tuple(n if rng.random() < 0.5 else 1 for n in shape)[rng.integers(0, len(shape) + 1):])
             for name in ("pos_weight", "sample_weight")}
    whole = {name: np.broadcast_to(value, shape).copy() for name, value in given.items()}
    a, b = (BOTH(x, t, reduction="sum", **options) for options in (given, whole))
    assert a[0].tobytes() == b[0].tobytes() and a[1].tobytes() == b[1].tobytes()


@needs_long_double
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("smoothing", [1e-6, 1e-3, 0.1])
@pytest.mark.parametrize("more", [{}, {"sample_weight": 2.0}, {"where": True}])
def test_smoothed_targets_of_0_and_1_are_exact(level, more, smoothing, dtype):
    """What is left of the other class, ε/2, is no difference from 1."""
    x, t = data((5, 40), dtype, spread=8.0)
    scale = more.get("sample_weight", 1.0)
    want = sigmoid_cross_entropy(x, t, label_smoothing=smoothing, reduction="none", dtype=np.longdouble)
    loss, grad = BOTH(x, t, label_smoothing=smoothing, reduction="none", **more)
    slope, hess = CURVED(x, t, label_smoothing=smoothing, **more)
    p = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    terms = np.abs(want[1]) + 2 * np.where(t == 1, p, 1 - p) * smoothing / 2           # of either sign
    assert np.all(np.abs(loss - scale * want[0]) <= scale * (loss_bound(want[0], dtype) + 2) * ulp(want[0], dtype))
    assert np.all(np.abs(grad - scale * want[1]) <= scale * (gradient_bound(terms, dtype) + 1) * ulp(terms, dtype))
    assert np.all(np.abs(hess - scale * want[2]) <= scale * (gradient_bound(want[2], dtype) + HESSIAN) * ulp(want[2], dtype))
    assert slope.tobytes() == grad.tobytes()
