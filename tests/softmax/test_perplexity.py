"""perplexity: the exponential of the mean loss, rounded once."""

import math
import re

import ml_dtypes
import numpy as np
import pytest
import reference
from exact import CASES, exact_loss, logits_of
from routes import LEVELS, layouts, problem
from tolerances import PERPLEXITY, TWIN, needs_long_double, perplexity_bound, ulp

import xentfast as xf

pytestmark = pytest.mark.every_build

WIDE = [np.float32, np.float64]
SIXTEEN_BIT = [np.float16, ml_dtypes.bfloat16]
DTYPES = [*WIDE, *SIXTEEN_BIT]
INF, NAN = np.inf, np.nan
X = np.zeros((3, 10), np.float32)
T = np.zeros(3, int)



def data(dtype, soft=False, shape=(50, 30)):
    rng = np.random.default_rng(3)
    x = (rng.standard_normal(shape) * 3).astype(dtype)
    return x, rng.dirichlet(np.ones(shape[1]), shape[0]).astype(dtype) if soft else rng.integers(0, shape[1], shape[0])


def result(dtype):
    return np.float64 if dtype == np.float64 else np.float32


# ---- exact


@needs_long_double
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n_rows", [1, 5, 64])
def test_exact(level, n_rows, case, dtype):
    x, t = (part[:n_rows] for part in logits_of(case, dtype))
    w = np.random.default_rng(1).random(len(x))
    for given, weights in (({}, np.ones(len(x))), ({"sample_weight": w}, w)):
        mean = (exact_loss(x, t) * weights).sum() / weights.astype(np.longdouble).sum()
        got = xf.perplexity(x, t, **given)
        assert type(got) is dtype
        if mean > np.log(np.finfo(dtype).max):
            assert got == INF
        else:
            assert abs(got - np.exp(mean)) <= perplexity_bound(mean, dtype) * ulp(np.exp(mean), dtype)


@needs_long_double
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("given", [{}, {"logit_scale": 0.7}, {"softcap": 20.0}, {"weight": True}, {"sample_weight": True}])
def test_exponential_of_the_mean(level, given, case):
    """That of the loss, which float64 has in full."""
    x, t = logits_of(case, np.float64)
    weights = {"weight": np.linspace(0.5, 2, x.shape[1]), "sample_weight": np.linspace(0.5, 2, len(x))}
    given = {key: weights.get(key, value) for key, value in given.items()}
    want = np.exp(np.longdouble(xf.softmax_cross_entropy(x, t, **given)))
    assert abs(xf.perplexity(x, t, **given) - want) <= PERPLEXITY * ulp(want, np.float64)


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("n_classes", [1, 2, 3, 50, 1000, 4096, 50_257])
def test_equally_likely_classes(level, n_classes, dtype):
    """Their number."""
    got = xf.perplexity(np.full((7, n_classes), 2.5, dtype), np.arange(7) % n_classes)
    mean = np.log(np.longdouble(n_classes))
    assert abs(got - n_classes) <= perplexity_bound(mean, dtype) * ulp(n_classes, dtype)


# ---- arguments


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", ["plain", "weight", "sample_weight", "scale", "softcap", "where", "all"])
def test_the_formula(level, name, soft, dtype):
    x, t = data(dtype, soft)
    rng = np.random.default_rng(5)
    mask = rng.random(x.shape) < 0.7
    if soft:
        t[~mask] = 0
    else:
        mask[np.arange(len(x)), t] = True
    every = {"weight": rng.random(30), "sample_weight": rng.random(50), "logit_scale": 0.7, "softcap": 4.0, "where": mask}
    given = {key: value for key, value in every.items() if name in ("all", key.removeprefix("logit_"))}
    want = np.exp(reference.cross_entropy(x, t, **given)[0])
    assert abs(xf.perplexity(x, t, **given) - want) <= TWIN[np.dtype(dtype)] * want


@pytest.mark.parametrize("dtype", DTYPES)
def test_ignored_rows(level, dtype):
    """As if they were not there, whatever their logits are; by target or by weight."""
    x, t = data(dtype)
    want = xf.perplexity(x[10:], t[10:])
    x[:10] = NAN
    assert xf.perplexity(x, t, sample_weight=np.arange(50) >= 10) == want
    t[:10] = -100
    assert xf.perplexity(x, t) == want
    t[:10] = -1
    assert xf.perplexity(x, t, ignore_index=-1) == want


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty(dtype):
    nothing = [((X[:0], T[:0]), {}), ((X, T - 100), {}), ((X, T), {"sample_weight": [0, 0, 0]}),
               ((X, T), {"weight": [0] + [1] * 9}), ((X, X + 1), {"sample_weight": [0, 0, 0]})]
    for (x, t), given in nothing:
        got = xf.perplexity(x.astype(dtype), t, **given)
        assert np.isnan(got) and type(got) is result(dtype)
        for empty in (1.0, 0, INF, 3):
            got = xf.perplexity(x.astype(dtype), t, empty=empty, **given)
            assert got == empty and type(got) is result(dtype)
    assert xf.perplexity(X.astype(dtype), T, empty=3.0) != 3


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes(dtype):
    """16 bits are computed in float32, and the result is one."""
    x, t = data(dtype)
    got = xf.perplexity(x, t)
    assert type(got) is result(dtype)
    assert got == xf.perplexity(x.astype(result(dtype)), t)
    assert type(xf.perplexity([[1, 2]], [0])) is np.float64


def test_no_numbers_to_choose():
    """z_loss and smoothing are no part of a perplexity, and there is one number for all rows."""
    for option in ("z_loss", "label_smoothing", "reduction", "out"):
        with pytest.raises(TypeError, match=option):
            xf.perplexity(X, T, **{option: 0.0})


def test_errors():
    for arguments, given, error, message in (
        ((X, [0, 10, 0]), {}, IndexError, "targets[1] is 10, but logits have 10 classes"),
        ((X, T[:2]), {}, ValueError, "targets have shape (2,)"),
        ((X, T), {"softcap": -1}, ValueError, "softcap is -1.0"),
        ((X, T), {"logit_scale": NAN}, ValueError, "logit_scale is nan"),
        ((X, T), {"where": 1}, TypeError, "where has dtype int64"),
        ((X, T), {"sample_weight": [1, NAN, 1]}, ValueError, "sample_weight[1] is nan"),
        ((X, T), {"weight": [1]}, ValueError, "weight has shape (1,)"),
        ((X, T), {"n_threads": 0}, ValueError, "n_threads is 0"),
        ((X, T), {"empty": "x"}, TypeError, "empty is 'x'; expected a number"),
        ((X, T), {"axis": 2}, ValueError, "axis 2 is out of bounds"),
    ):
        with pytest.raises(error, match=re.escape(message)):
            xf.perplexity(*arguments, **given)
    with pytest.raises(TypeError, match="positional arguments"):
        xf.perplexity(X, T, 1)


# ---- extremes


@needs_long_double
@pytest.mark.parametrize(("dtype", "finite", "infinite"), [
    (np.float64, [700.0, 705.0, 708.0, 709.0, 709.78], [709.79, 710.0, 745.0, 800.0, 1e4, 1e300]),
    (np.float32, [80.0, 88.0, 88.5, 88.7, 88.72], [88.73, 89.0, 100.0, 705.0, 709.0, 800.0, 1e30]),
    (np.float16, [80.0, 88.0, 88.5], [89.0, 709.0, 800.0, 6e4]),
    (ml_dtypes.bfloat16, [80.0, 88.0, 88.5], [89.0, 708.0, 800.0, 1e30]),
])
def test_huge_losses(level, dtype, finite, infinite):
    """Infinite from the end of the type on, and exact before; without a warning."""
    with np.errstate(all="raise"):
        for loss in finite:
            x = np.array([[0.0, loss]], dtype)
            want = np.exp(np.longdouble(x[0, 1]))
            got = xf.perplexity(x, [0])
            assert np.isfinite(got) and type(got) is result(dtype)
            assert abs(got - want) <= PERPLEXITY * ulp(want, result(dtype))
        for loss in infinite:
            got = xf.perplexity(np.array([[0.0, loss]], dtype), [0])
            assert got == INF and type(got) is result(dtype)
        assert xf.perplexity(np.array([[0.0, 8.0], [0.0, infinite[0]]], dtype), [0, 0]) < INF


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [1, 2, 40, 2600])
def test_a_loss_of_zero(level, n_classes, dtype):
    """Exactly 1: right, and as certain as can be; or no other class."""
    x = np.zeros((3, n_classes), dtype)
    x[:, -1] = 1000
    assert xf.perplexity(x, np.full(3, n_classes - 1)) == 1
    x[:, :-1] = -INF
    assert xf.perplexity(x, np.full(3, n_classes - 1)) == 1
    assert xf.perplexity(np.zeros_like(x), np.full(3, n_classes - 1), where=np.arange(n_classes) == n_classes - 1) == 1


def test_tiny_losses():
    """Nothing is lost beside 1, to which losses below half an ulp round; and nothing is below it."""
    for margin in (1.0, 10.0, 30.0, 36.0, 40.0, 300.0, 740.0):
        got = xf.perplexity(np.array([[margin, 0.0]]), [0])
        assert got >= 1 and abs(got - (1 + math.exp(-margin))) <= PERPLEXITY * np.finfo(np.float64).eps


@pytest.mark.parametrize("dtype", DTYPES)
def test_bad_and_infinite_rows(level, dtype):
    """Without a warning."""
    with np.errstate(all="raise"):
        for bad in ([NAN, 0], [INF, 0], [-INF, -INF]):
            assert np.isnan(xf.perplexity(np.array([[1, 2], bad], dtype), [0, 1]))
        assert xf.perplexity(np.array([[1, 2], [0, -INF]], dtype), [0, 1]) == INF
        assert xf.perplexity(np.array([[1, 2], [0, 3]], dtype), [0, 1], where=[True, False]) == INF


def test_negative_weights():
    """The quotient is as it comes, below 1 and towards 0 too."""
    x = np.array([[0.0, 800.0], [0.0, 1.0]])
    with np.errstate(all="raise"):
        assert xf.perplexity(x, [0, 0], sample_weight=[-1, 2]) == 0             # a mean of about −797
        assert xf.perplexity(x, [0, 0], sample_weight=[1, -0.5]) == INF
        mean = xf.softmax_cross_entropy(x[:, ::-1], [0, 1], sample_weight=[1, -4])
        assert abs(xf.perplexity(x[:, ::-1], [0, 1], sample_weight=[1, -4]) - math.exp(mean)) <= TWIN[x.dtype] * math.exp(mean)


# ---- bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
def test_levels_threads_layouts_and_class_axes(use_level, soft, dtype):
    for n_classes in (1, 3, 97, 2100):
        x, t = problem(37, n_classes, dtype, soft)
        x, t = x[8:], t[8:]                                         # without rows that are nan or infinite
        for given in ({}, {"softcap": 5.0, "weight": np.linspace(0.5, 2, n_classes)}):
            seen = set()
            for level, n_threads in ((LEVELS[0], 1), (LEVELS[0], 3), *((level, 1) for level in LEVELS[1:])):
                use_level(level)
                seen.add(xf.perplexity(x, t, n_threads=n_threads, **given).tobytes())
                seen.add(xf.perplexity(x.T.copy(), t.T.copy(), axis=0, n_threads=n_threads, **given).tobytes())
            seen |= {xf.perplexity(y, t, n_threads=1, **given).tobytes() for y in layouts(x)}
            assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("weights", [[1, 0], [0, 1], [1, 1], [-1, 1.1], [1e-310, 1e-300]])
def test_flush_to_zero_mode_of_the_caller(flush_to_zero, weights, dtype):
    """The last weights have a sum of losses that is subnormal, and a mean that is not."""
    x = np.array([[0.0, 80.0], [0.0, -60.0]], dtype)
    want = xf.perplexity(x, [0, 0], sample_weight=weights)
    flush_to_zero(True)
    try:
        got = xf.perplexity(x, [0, 0], sample_weight=weights)
    finally:
        flush_to_zero(False)
    assert got.tobytes() == want.tobytes()
