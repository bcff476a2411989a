"""Probabilities: cross-entropy, entropy, divergence and the gradient, by formula, by SciPy, to the ulp and bit for bit."""

import hashlib
import re
import tracemalloc
import warnings
from itertools import product

import numpy as np
import pytest
import reference
from bad_outputs import SWAPPED
from hypothesis import given, settings
from hypothesis import strategies as st
from routes import little_endian
from scipy import special
from tolerances import DIVERGENCE, ENTROPY, IDENTITY, NEARLY_EQUAL, TWIN, needs_long_double, ulp

import xentfast as xf
from xentfast._base import dispatch

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

PROPERTY = settings(max_examples=40, deadline=None, derandomize=True)
LEVELS = dispatch.supported_levels()
AWKWARD = [1, 2, 3, 5, 7, 31, 32, 33, 63, 64, 65, 97, 1024, 1025, 3000]
FLOATS = [np.float16, np.float32, np.float64]
FUNCTIONS = [xf.cross_entropy, xf.kl_divergence]
INF, NAN = np.inf, np.nan


def distributions(n_rows, n_classes, dtype=np.float64, seed=0):
    """Two distributions a row, with zeros, ones and numbers close to either."""
    rng = np.random.default_rng(seed)
    p, q = (rng.dirichlet(np.full(n_classes, 0.7), n_rows) for _ in range(2))
    if n_rows > 4:
        p[0], q[0] = np.eye(n_classes)[0], 1 / n_classes            # one-hot
        p[1] = q[1]
        q[2] = p[2] * (1 - 1e-4)                                    # close
        for row in (p[3], q[3]):                                    # zeros in both
            row[::2] = 0
            row /= row.sum() or 1
    return p.astype(dtype), np.maximum(q, 0).astype(dtype)


def everything(p, q, axis=-1, n_threads=None, **given):
    """All results as bytes, classes last."""
    grad = xf.cross_entropy_grad(p, q, n_threads=n_threads, **given)
    values = [xf.entropy(p, axis=axis, n_threads=n_threads)]
    values += [function(p, q, axis=axis, n_threads=n_threads, **given) for function in FUNCTIONS]
    return tuple(little_endian(a) for a in (*values, np.moveaxis(grad, axis, -1)))


def layouts(array):
    """The same values in other memory."""
    yield array
    yield np.asfortranarray(array)
    yield np.repeat(array, 2, axis=-1)[..., ::2]
    yield array[::-1, ::-1].copy()[::-1, ::-1]
    yield np.pad(array, ((1, 2), (3, 1)))[1:-2, 3:-1]


# ---- values


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n_classes", AWKWARD)
def test_twins(level, n_classes, dtype):
    for n_rows in (1, 5, 33):
        p, q = distributions(n_rows, n_classes, dtype)
        for eps in (None, 1e-3):
            got = xf.cross_entropy(p, q, eps=eps), xf.kl_divergence(p, q, eps=eps), xf.entropy(p)
            want = (reference.probability_cross_entropy(p, q, eps=eps), reference.kl_divergence(p, q, eps=eps),
                    reference.entropy(p))
            for one, other in zip(got, want, strict=True):
                assert one.dtype == (np.float64 if dtype == np.float64 else np.float32)
                np.testing.assert_allclose(one, other, rtol=TWIN[one.dtype], atol=TWIN[one.dtype])
            grad = xf.cross_entropy_grad(p, q, eps=eps)
            with np.errstate(over="ignore"):
                exact = reference.cross_entropy_grad(p, q, eps=None if eps is None else np.float64(eps)).astype(dtype)
            assert grad.dtype == dtype
            np.testing.assert_allclose(grad, exact, rtol=2 * np.finfo(dtype).eps, atol=np.finfo(dtype).tiny)


def test_scipy(level):
    for shape, axis in (((40, 7), -1), ((40, 1000), -1), ((500, 30), 0), ((3, 40, 5), 1)):
        rng = np.random.default_rng(1)
        p, q = rng.random(shape), rng.random(shape)
        p[p < 0.1] = 0
        np.testing.assert_allclose(xf.entropy(p, axis=axis), special.entr(p).sum(axis), rtol=TWIN[p.dtype])
        np.testing.assert_allclose(xf.kl_divergence(p, q, axis=axis), special.rel_entr(p, q).sum(axis),
                                   rtol=TWIN[p.dtype], atol=shape[axis] * TWIN[p.dtype])
        np.testing.assert_allclose(xf.cross_entropy(p, q, axis=axis), -special.xlogy(p, q).sum(axis), rtol=TWIN[p.dtype])


def exact_terms(p, q):
    p, q = p.astype(np.longdouble), q.astype(np.longdouble)
    with np.errstate(all="ignore"):
        ratio = np.where(np.abs(p - q) < q / 4, np.log1p((p - q) / q), np.log(p / q))
        return [np.where(p == 0, 0, p * log) for log in (-np.log(p), -np.log(q), ratio)]


@needs_long_double
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 10, 1000, 4096, 100_003])
def test_accuracy(on_every_level, n_classes, dtype):
    n_rows = 64 if n_classes < 10_000 else 4
    rng = np.random.default_rng(n_classes)
    p, q = distributions(n_rows, n_classes)
    tiny = 10.0 ** rng.uniform(-300, -1, p.shape) if dtype == np.float64 else 10.0 ** rng.uniform(-40, -1, p.shape)
    equal = np.full((1, n_classes), 1 / n_classes)
    for a, b in ((p, q), (tiny, q), (p, tiny), (tiny, tiny * rng.uniform(0.999, 1, p.shape)), (equal, equal), (p, equal)):
        a, b = np.broadcast_arrays(np.asarray(a, dtype), np.asarray(b, dtype))
        terms = exact_terms(a, b)
        for function, bound, term in ((lambda a, b: xf.entropy(a), ENTROPY, terms[0]), (xf.cross_entropy, ENTROPY, terms[1]),
                                      (xf.kl_divergence, DIVERGENCE, terms[2])):
            size, (got,) = np.abs(term).sum(-1), on_every_level(lambda f=function, a=a, b=b: (f(a, b),))
            exact = np.where(np.isinf(size), INF, np.where(np.isinf(term), 0, term).sum(-1))
            exact = np.where(np.abs(exact) < np.finfo(dtype).tiny, 0, exact)
            fine = np.isfinite(exact)
            assert np.array_equal(got[~fine], exact[~fine].astype(dtype))
            assert np.all(np.abs(got[fine] - exact[fine]) <= bound[np.dtype(dtype)] * ulp(size[fine], dtype))


@needs_long_double
@pytest.mark.parametrize("n_classes", [1, 2, 10, 1000, 5000])
def test_nearly_equal_distributions(level, n_classes):
    """In float32 a divergence of 10⁻¹² is as accurate as a large one, though its terms are a million times larger."""
    rng = np.random.default_rng(n_classes)
    exact = rng.dirichlet(np.full(n_classes, 0.7), 40) if n_classes > 1 else rng.random((40, 1))
    for distance in (1e-1, 1e-2, 1e-3, 1e-5, 1e-6):
        p, q = (a.astype(np.float32) for a in (exact, np.clip(exact * (1 + distance * rng.standard_normal(exact.shape)), 0, 1)))
        want = exact_terms(p, q)[2].sum(-1)
        wide = p.astype(np.longdouble), q.astype(np.longdouble)
        second_order = np.where(wide[1] > 0, (wide[0] - wide[1]) ** 2 / np.where(wide[1] > 0, wide[1], 1) / 2, 0).sum(-1)
        size = np.maximum(ulp(want, np.float32), ulp(second_order, np.float32))
        fine = np.isfinite(want)
        assert np.all(np.abs(xf.kl_divergence(p, q) - want)[fine] <= NEARLY_EQUAL * size[fine])


def test_the_identity(level):
    """H(p, q) = H(p) + KL(p‖q)"""
    for n_classes in (2, 33, 1000, 3000):
        p, q = distributions(40, n_classes)
        q = np.maximum(q, 1e-12)
        joint, own = xf.cross_entropy(p, q), xf.entropy(p)
        assert np.all(np.abs(joint - own - xf.kl_divergence(p, q)) <= IDENTITY * ulp(joint + own, np.float64))


# ---- semantics


def test_zeros(level):
    for n_classes in (2, 40, 2000):
        p, q = np.zeros((3, n_classes)), np.zeros((3, n_classes))
        p[1, 0] = p[2, 1] = q[1, 0] = q[2, 0] = 1.0
        assert np.array_equal(xf.entropy(p), [0, 0, 0]) and not np.signbit(xf.entropy(p)).any()
        assert np.array_equal(xf.cross_entropy(p, q), [0, 0, INF]) and not np.signbit(xf.cross_entropy(p, q)).any()
        assert np.array_equal(xf.kl_divergence(p, q), [0, 0, INF])
        grad = xf.cross_entropy_grad(p, q)
        assert grad[1, 0] == -1 and grad[2, 1] == -INF and np.all(np.delete(grad[2], 1) == 0) and np.all(grad[0] == 0)
        assert not np.signbit(grad[0]).any()


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_other_zero(level, dtype):
    """−0 is 0, wherever it stands."""
    p, q = np.array([[1, 0.25, -0.0, 0.0]], dtype), np.array([[-0.0, -0.0, 0.5, -0.0]], dtype)
    for function in (xf.cross_entropy, xf.kl_divergence, xf.cross_entropy_grad):
        assert function(p, q).tobytes() == function(np.abs(p), np.abs(q)).tobytes()
    assert xf.cross_entropy_grad(p, q).tolist() == [[-INF, -INF, 0, 0]] and xf.cross_entropy(p, q) == INF


def test_clipping(level):
    p, q = [[0.5, 0.5, 0.0]], [[0.0, 1.0, 0.25]]
    assert np.isclose(xf.cross_entropy(p, q, eps=0.1)[0], -0.5 * np.log(0.1) - 0.5 * np.log(0.9))
    assert np.isclose(xf.kl_divergence(p, q, eps=0.1)[0], 0.5 * np.log(5) + 0.5 * np.log(0.5 / 0.9))
    assert np.array_equal(xf.cross_entropy_grad(p, q, eps=0.1), [[0, 0, 0]])
    q = np.array([0.125, 0.875, 0.124, 0.876])
    assert np.array_equal(xf.cross_entropy_grad(np.full(4, 0.5), q, eps=0.125), [-4.0, -0.5 / 0.875, 0, 0])
    assert xf.cross_entropy([1.0], [0.0], eps=1e-300) == -np.log(1e-300)


def test_dtypes_and_shapes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    p, q = distributions(6, 50)
    for a, b in product([np.float16, ml_dtypes.bfloat16, np.float32, np.float64], repeat=2):
        x, y = p.astype(a), q.astype(b)
        want = np.float64 if np.float64 in (a, b) else np.float32
        assert xf.cross_entropy(x, y).dtype == xf.kl_divergence(x, y).dtype == want
        exact = xf.cross_entropy(x.astype(np.float64), y.astype(np.float64))
        if want is np.float64:
            assert np.array_equal(xf.cross_entropy(x, y), exact)
        else:                                                       # as float32
            assert np.all(np.abs(xf.cross_entropy(x, y) - exact) <= ENTROPY[np.dtype(want)] * ulp(exact, want))
            assert np.array_equal(xf.cross_entropy(x, y), xf.cross_entropy(x.astype(want), y.astype(want)))
        grad = xf.cross_entropy_grad(x, y)
        assert grad.dtype == b
        with np.errstate(over="ignore"):
            exact = xf.cross_entropy_grad(x.astype(np.float64), y.astype(np.float64))
            assert np.array_equal(grad, exact if b is np.float64 else exact.astype(np.float32).astype(b))
    hot = np.eye(50, dtype=bool)[:6]
    for code in "?bhilqBHILQ":
        assert xf.cross_entropy(hot.astype(code), q).tobytes() == xf.cross_entropy(hot.astype(float), q).tobytes()
        assert xf.cross_entropy(hot.astype(code), q.astype(np.float32)).dtype == np.float64
        assert xf.cross_entropy_grad(p, hot.astype(code)).dtype == np.float64
    assert type(xf.entropy([0.5, 0.5])) is np.float64 and type(xf.entropy(np.float32([1, 0]))) is np.float32
    assert xf.entropy(p, keepdims=True).shape == (6, 1) and xf.kl_divergence(p, q, axis=0, keepdims=True).shape == (1, 50)
    assert xf.entropy(p.astype(">f8")).tobytes() == xf.entropy(p).tobytes()
    unaligned = np.frombuffer(b"-" + p.tobytes(), np.uint8)[1:].view(np.float64).reshape(p.shape)
    assert not unaligned.flags.aligned and xf.entropy(unaligned).tobytes() == xf.entropy(p).tobytes()


def test_no_rows(level):
    for shape in ((0, 3), (2, 0, 3)):
        p = np.zeros(shape, np.float32)
        assert xf.entropy(p).shape == xf.cross_entropy(p, p).shape == shape[:-1]
        assert xf.cross_entropy_grad(p, p).shape == shape
        assert xf.cross_entropy_grad(p, p, out=p) is p


def test_broadcasting(level):
    p, q = distributions(12, 40)
    p, q = p.reshape(3, 4, 40), q[:4]
    both = np.broadcast_to(q, p.shape).copy()
    assert everything(p, q) == everything(p, both)
    assert everything(p[:1], both)[1:] == everything(np.repeat(p[:1], 3, 0), both)[1:]
    assert xf.cross_entropy(p[..., :1], both).tobytes() == xf.cross_entropy(np.repeat(p[..., :1], 40, -1), both).tobytes()
    assert xf.cross_entropy(np.ones(1), q).shape == (4,) and xf.cross_entropy_grad(np.ones(1), q).shape == (4, 40)


def test_several_axes(level):
    p, q = (a.reshape(5, 6, 7, 8) / 48 for a in distributions(35, 48))
    for axis in ((0, 2), (1, 3), (2, 3), (-1, 0, 1), None):
        axes = tuple(range(4)) if axis is None else axis
        rest = [i for i in range(4) if i not in [one % 4 for one in axes]]
        flat = [np.ascontiguousarray(a.transpose(rest + sorted(one % 4 for one in axes))).reshape(
            [a.shape[i] for i in rest] + [-1]) for a in (p, q)]
        for function in FUNCTIONS:
            assert function(p, q, axis=axis).tobytes() == function(*flat).tobytes()
        assert xf.entropy(p, axis=axis).tobytes() == xf.entropy(flat[0]).tobytes()
        kept = xf.entropy(p, axis=axis, keepdims=True)
        assert kept.shape == tuple(1 if i not in rest else p.shape[i] for i in range(4))


def test_out(level):
    p, q = distributions(30, 70, np.float32)
    want = xf.cross_entropy_grad(p, q)
    for out in (np.empty_like(q), np.empty((30, 140), np.float32)[:, ::2], np.asfortranarray(q), np.empty_like(q.T).T):
        assert xf.cross_entropy_grad(p, q, out=out) is out and np.array_equal(out, want)
    for view in list(layouts(q))[::-1]:                             # q itself last
        assert xf.cross_entropy_grad(p, view, out=view) is view and np.array_equal(view, want)
    p, q = distributions(30, 70, np.float32)
    assert xf.cross_entropy_grad(p, q, out=p) is p and np.array_equal(p, want)
    frame = np.full((32, 74), 9, np.float32)
    xf.cross_entropy_grad(*distributions(30, 70, np.float32), out=frame[1:-1, 2:-2])
    assert np.array_equal(frame[1:-1, 2:-2], want) and frame.sum() - want.sum() > 0 and np.all(frame[[0, -1]] == 9)
    assert np.all(frame[:, [0, 1, -2, -1]] == 9)


def test_small_results_are_exactly_zero(level):
    assert xf.entropy(np.array([1e-320, 1.0])) == 0 and xf.entropy(np.float32([1e-42, 1.0])) == 0
    assert np.array_equal(xf.cross_entropy_grad([1e-310, 1e-300], [1.0, 1.0]), [0, -1e-300])
    assert np.array_equal(xf.cross_entropy_grad(np.float32([1e-40, 0.5]), np.float32([1.0, 1.0])), [0, -0.5])


# ---- bits


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n_classes", AWKWARD)
def test_levels_and_threads(use_level, n_classes, dtype):
    p, q = distributions(70, n_classes, dtype)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 2, 5):
            seen.add((everything(p, q, n_threads=n_threads), everything(p[:2], q[:2], n_threads=n_threads, eps=1e-3)))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n_classes", [1, 2, 33, 97, 1025, 3000])
def test_layouts(level, n_classes, dtype):
    p, q = distributions(70, n_classes, dtype)
    assert len({everything(a, b) for a, b in product(layouts(p), layouts(q))}) == 1
    alone = [everything(p[row], q[row]) for row in range(len(p))]
    assert tuple(b"".join(values) for values in zip(*alone, strict=True)) == everything(p, q)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n_classes", [1, 3, 64, 97, 1100])
def test_class_axis(level, n_classes, dtype):
    p, q = (a.reshape(2, 5, 7, n_classes) for a in distributions(70, n_classes, dtype))
    want = everything(p, q)
    for axis in range(4):
        a, b = (np.ascontiguousarray(np.moveaxis(x, -1, axis)) for x in (p, q))
        for other in (b, np.asfortranarray(b), b[::-1].copy()[::-1]):
            assert everything(a, other, axis) == everything(np.asfortranarray(a), other, axis) == want


@pytest.mark.parametrize("shape", [(1, 70_001), (2, 12_000), (70_000, 3)])
def test_wide_and_long(use_level, shape):
    """Chunks of few rows over threads, and more rows than one span holds."""
    p, q = distributions(*shape, np.float32)
    seen = set()
    for level in LEVELS:
        use_level(level)
        seen |= {everything(p, q, n_threads=n_threads) for n_threads in (1, 2, 5)}
    assert len(seen) == 1


def test_floats_of_every_size_agree(level):
    """Numbers that float16 and bfloat16 hold give the same sums as in float32."""
    p, q = (np.random.default_rng(i).integers(0, 129, (20, 300)) / 128 for i in (0, 1))
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = {f(p.astype(a), q.astype(b)).astype(np.float32).tobytes() for f in FUNCTIONS[:1]
              for a, b in product([np.float16, ml_dtypes.bfloat16, np.float32], repeat=2)}
    assert len(values) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_that_take_care_change_no_other_term(level, dtype):
    """A 0, a −0 or a subnormal number beside them."""
    rng = np.random.default_rng(2)
    p, q = (rng.random((5000, 1)).astype(dtype) for _ in range(2))
    q[::3] = np.clip(p[::3] * rng.uniform(0.9, 1.1, p[::3].shape), 0, 1)
    alone = everything(p, q)[:3]
    for odd, other in ((0.0, 0.0), (0.0, 0.5), (-0.0, -0.0), (0.0, np.finfo(dtype).smallest_subnormal)):
        beside = [np.concatenate([a, np.full_like(a, b)], 1) for a, b in ((p, odd), (q, other))]
        assert everything(*beside)[:3] == alone
    grad = xf.cross_entropy_grad(p, q)
    assert np.array_equal(xf.cross_entropy_grad(*beside), np.concatenate([grad, np.zeros_like(grad)], 1))


# SHA-256 of what a release gives; a change needs a line under "Numerics" in CHANGELOG.md.
GOLDEN = "3ff2775d15dc62a9df21bb87a19c50ea699bfb85fdd65fb62a5d500024aa2929"


def test_outputs_are_those_of_the_release(level):
    """For any compiler and processor."""
    digest = hashlib.sha256()
    for dtype, (n_rows, n_classes) in product(FLOATS, ((40, 1), (70, 10), (33, 97), (9, 1000), (3, 5000))):
        places = np.arange(1, n_rows * n_classes + 1, dtype=np.uint64)
        p, q = (places * np.uint64(odd) % np.uint64(2**32) for odd in (2654435761, 40503))
        p, q = ((a.astype(np.float64) / 2**32).astype(dtype).reshape(n_rows, n_classes) for a in (p, q))
        for part in everything(p, q) + everything(p, q, eps=2.0**-8):
            digest.update(part)
        if n_classes > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                loss = xf.log_loss(np.arange(n_rows) * 7 % n_classes, q, labels=range(n_classes))
                digest.update(little_endian(np.float64(loss)))
    assert digest.hexdigest() == GOLDEN


@pytest.mark.parametrize("n_classes", [3, 97, 2049])
def test_flush_to_zero_mode_of_the_caller(level, flush_to_zero, n_classes):
    p, q = distributions(64, n_classes)
    predicted, y, tiny = p.copy(), np.arange(64) % n_classes, np.full(64, 1e-300)
    predicted[3] = 1 / n_classes                                    # a row that may hold zeros alone
    p[:, 0], q[:, 0] = 1e-310, 5e-324                               # subnormal inputs

    def run():
        loss = xf.log_loss(y, predicted, labels=range(n_classes), sample_weight=tiny, normalize=False)
        return everything(p, q, n_threads=2), np.float64(loss).tobytes()

    want = run()
    flush_to_zero(True)
    assert np.float32(1e-38) * np.float32(0.01) == 0                # the mode is on
    got = run()
    flush_to_zero(False)
    assert got == want


# ---- errors


P = np.full((3, 10), 0.1)
Q = P.astype(np.float32)
CALLS = [
    ((np.float64(1), P), {}, ValueError, "p is zero-dimensional"),
    ((P, 0.5), {}, ValueError, "q is zero-dimensional"),
    ((P, P[:, :9]), {}, ValueError, "p has shape (3, 10) and q has shape (3, 9), which do not broadcast to one"),
    ((P.astype(complex), P), {}, TypeError,
     "p has dtype complex128; expected float16, bfloat16, float32, float64, integers or bool"),
    ((P, P.astype(object)), {}, TypeError, "q has dtype object"),
    ((P, P.astype(np.longdouble)), {}, TypeError, "q has dtype"),
    ((P, None), {}, TypeError, "q has dtype object"),
    (([["a"]], P), {}, TypeError, f"p has dtype {np.dtype('U1')}"),
    (([[1.0, 2.0], [1.0]], P), {}, ValueError, "p is not an array"),
    ((np.ma.masked_array(P, P < 1), P), {}, TypeError, "p is a masked array"),
    ((P, np.ma.masked_array(P, P < 1)), {}, TypeError, "q is a masked array"),
    ((P, P), {"eps": 0.0}, ValueError, "eps is 0.0; expected None or a number between 0 and 0.5"),
    ((P, P), {"eps": 0.5}, ValueError, "eps is 0.5"),
    ((P, P), {"eps": NAN}, ValueError, "eps is nan"),
    ((P, P), {"eps": "a"}, TypeError, "eps is 'a'; expected a number"),
    ((P, P), {"n_threads": 0}, ValueError, "n_threads is 0"),
    ((P, P), {"n_threads": 1.5}, TypeError, "n_threads is 1.5"),
    ((P, [[0.1] * 9 + [1.5]]), {}, ValueError, "q[0, 9] is 1.5; expected a probability from 0 to 1"),
    (([0.1] * 9 + [-0.25], P), {}, ValueError, "p[9] is -0.25; expected a probability from 0 to 1"),
    ((np.full((3, 10), 2), P), {}, ValueError, "p[0, 0] is 2; expected"),
    ((P, [0.1] * 9 + [NAN]), {}, ValueError, "q[9] is nan; expected"),
    ((P, [0.1] * 9 + [INF]), {"eps": 0.1}, ValueError, "q[9] is inf; expected"),
    (([0.1] * 9 + [-INF], P), {}, ValueError, "p[9] is -inf; expected"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), CALLS)
def test_errors(arguments, options, error, message):
    for function in (*FUNCTIONS, xf.cross_entropy_grad):
        with pytest.raises(error, match=re.escape(message)):
            function(*arguments, **options)


@pytest.mark.parametrize(("axis", "error", "message"), [
    ((0, 0), ValueError, "axis is (0, 0), which names an axis twice"),
    (2, ValueError, "axis 2 is out of bounds"),
    ((), ValueError, "axis is an empty tuple"),
    (1.0, TypeError, "axis is 1.0; expected an integer"),
])
def test_axes(axis, error, message):
    for call in (lambda: xf.entropy(P, axis=axis), *(lambda f=f: f(P, P, axis=axis) for f in FUNCTIONS)):
        with pytest.raises(error, match=re.escape(message)):
            call()
    with pytest.raises(ValueError, match="p has no classes"):
        xf.entropy(np.zeros((3, 0)))


@pytest.mark.parametrize("shape", [(40, 3), (40, 100), (3, 5000), (1, 200_000), (70_000, 2)])
@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, NAN])
def test_the_first_bad_number_is_named(level, shape, bad):
    for n_threads, place in product((1, 3), (1, -1)):
        p = np.full(shape, 0.5)
        p.flat[[place, -1]] = bad
        where = re.escape(f"[{', '.join(str(int(i)) for i in np.unravel_index(place % p.size, shape))}] is {np.float64(bad)}")
        for function, arguments in ((xf.entropy, [p]), (xf.kl_divergence, [p, p[:1]]), (xf.cross_entropy_grad, [p, p[:1]])):
            with pytest.raises(ValueError, match="^p" + where):
                function(*arguments, n_threads=n_threads)
        if shape[0] > 1:
            with pytest.raises(ValueError, match="^q" + where):
                xf.cross_entropy(np.zeros_like(p[:1]), p, n_threads=n_threads)


READ_ONLY = Q.copy()
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(("out", "error", "message"), [
    (np.zeros((3, 9), np.float32), ValueError, "out has shape (3, 9); expected (3, 10)"),
    (np.zeros((3, 10)), TypeError, "out has dtype float64; expected float32"),
    (np.zeros((3, 10), SWAPPED), TypeError, f"out has dtype {SWAPPED}; expected float32"),
    (Q.tolist(), TypeError, "out is of type list; expected a NumPy array"),
    (READ_ONLY, ValueError, "out is read-only"),
    (np.lib.stride_tricks.as_strided(np.zeros(10, np.float32), (3, 10), (0, 4)), ValueError,
     "out has elements that share memory"),
    (np.frombuffer(bytearray(121), np.uint8)[1:].view(np.float32).reshape(3, 10), ValueError, "out is not aligned"),
])
def test_outputs(out, error, message):
    with pytest.raises(error, match=re.escape(message)):
        xf.cross_entropy_grad(P, Q, out=out)


def test_overlaps():
    memory = np.full((4, 10), 0.5, np.float32)
    for out in (memory[1:], memory[:3, ::-1]):
        with pytest.raises(ValueError, match="out overlaps q without being the same elements; pass q itself, or another array"):
            xf.cross_entropy_grad(P, memory[:3], out=out)
        with pytest.raises(ValueError, match="out overlaps p without"):
            xf.cross_entropy_grad(memory[:3], Q, out=out)
    with pytest.raises(ValueError, match="out overlaps p without"):
        xf.cross_entropy_grad(memory[0], memory, out=memory)
    pairs = np.full((6, 2, 5), 0.5)
    assert np.all(xf.cross_entropy_grad(pairs[:, 0], pairs[:, 0], out=pairs[:, 1]) == -1)


def test_outputs_stay_untouched():
    bad = Q.copy()
    bad[2, 9] = 1.5
    out = np.full((3, 10), 7, np.float32)
    for p, q, where in ((P, bad, out), (bad, Q, out), (P, bad, bad)):
        before = where.copy()
        with pytest.raises(ValueError, match="is 1.5; expected a probability"):
            xf.cross_entropy_grad(p, q, out=where)
        assert np.array_equal(where, before)


def test_keyword_only():
    for call in (lambda: xf.entropy(P, 0), lambda: xf.cross_entropy(P, P, 0), lambda: xf.cross_entropy_grad(P, P, 0.1)):
        with pytest.raises(TypeError, match="positional argument"):
            call()


def test_no_warnings_from_any_edge(level):
    with np.errstate(all="raise"):
        p, q = np.array([[0.0, 1.0, 0.0], [1e-320, 1e-310, 1.0]]), np.array([[0.0, 0.0, 1.0], [1e-320, 5e-324, 1.0]])
        for dtype in FLOATS:
            with np.errstate(under="ignore"):
                a, b = p.astype(dtype), q.astype(dtype)
            everything(a, b)
            everything(a, b, eps=1e-5)


def test_memory():
    """No array as large as the inputs; n_threads × 1 MiB at most, which tracemalloc does not see."""
    p, q = np.full((2000, 500), 0.5, np.float32), np.full((1, 500), 0.5, np.float16)
    out = np.empty((2000, 500), np.float16)
    for call in (lambda: xf.entropy(p), lambda: xf.kl_divergence(p, q), lambda: xf.cross_entropy(p.T, q.T, axis=0),
                 lambda: xf.cross_entropy_grad(p, q, out=out)):
        call()
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2000 * 16 + 2**13
    p[-1, -1] = 2
    tracemalloc.start()
    with pytest.raises(ValueError, match=re.escape("p[1999, 499] is 2.0")):
        xf.entropy(p)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < p.nbytes / 4


# ---- properties


SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 140))
SEEDS = st.integers(0, 2**32 - 1)


@PROPERTY
@given(SHAPES, SEEDS)
def test_divergence_is_not_negative(shape, seed):
    p, q = distributions(*shape, seed=seed)
    assert np.all(xf.kl_divergence(p, q) >= -IDENTITY * ulp(1 + np.log(shape[1]), np.float64))
    assert np.all(xf.kl_divergence(p, p) == 0)
    assert np.all(xf.entropy(p) <= np.log(shape[1]) * (1 + TWIN[p.dtype]) + TWIN[p.dtype]) and np.all(xf.entropy(p) >= 0)


@PROPERTY
@given(SHAPES, SEEDS)
def test_cross_entropy_is_entropy_and_divergence(shape, seed):
    p, q = distributions(*shape, seed=seed)
    q = np.maximum(q, 1e-9)
    joint, own = xf.cross_entropy(p, q), xf.entropy(p)
    assert np.all(np.abs(joint - own - xf.kl_divergence(p, q)) <= IDENTITY * ulp(joint + own, np.float64))


@PROPERTY
@given(SHAPES, SEEDS)
def test_the_gradient_is_that_of_the_value(shape, seed):
    """Linear in p: Σ grad·q = −Σ p where q > 0."""
    p, q = distributions(*shape, seed=seed)
    q = np.maximum(q, 1e-9)
    assert np.allclose((xf.cross_entropy_grad(p, q) * q).sum(-1), -p.sum(-1), rtol=TWIN[p.dtype])
