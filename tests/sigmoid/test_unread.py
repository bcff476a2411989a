"""Elements that are not read are not looked at: whatever targets and weights they have, results keep their bits."""

import ml_dtypes
import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

BOTH = xf.sigmoid_cross_entropy_value_and_grad
DTYPES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]
NAN, INF = np.nan, np.inf
FUNCTIONS = [xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_grad, BOTH, xf.sigmoid_cross_entropy_grad_hess]


def parts(result):
    return result if isinstance(result, tuple) else (result,)


def bits(x, t, **given):
    return [np.asarray(part).tobytes() for function in FUNCTIONS for part in parts(function(x, t, **given))]


def elements(shape, dtype, rng):
    return rng.standard_normal(shape).astype(dtype), rng.random(shape).astype(dtype), rng.random(shape) + 0.5


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4,), (50, 41)], ids=str)
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_elements_of_weight_0(level, dtype, shape, gamma):
    rng = np.random.default_rng(3)
    x, t, pos_weight = elements(shape, dtype, rng)
    weights = rng.integers(0, 3, shape) / 2
    want = bits(x, t, pos_weight=pos_weight, sample_weight=weights, focal_gamma=gamma)
    for bad in (NAN, 7.0, -INF):
        spoilt_x, spoilt_t, spoilt = (np.where(weights == 0, np.asarray(bad, a.dtype), a) for a in (x, t, pos_weight))
        assert bits(spoilt_x, spoilt_t, pos_weight=spoilt, sample_weight=weights, focal_gamma=gamma) == want
    if len(shape) == 2:
        rows = np.arange(shape[0])[:, None] % 2
        want = bits(x, t, pos_weight=pos_weight, sample_weight=rows, focal_gamma=gamma)
        x, t, pos_weight = (np.where(rows == 0, np.asarray(NAN, a.dtype), a) for a in (x, t, pos_weight))
        assert bits(x, t, pos_weight=pos_weight, sample_weight=rows, focal_gamma=gamma) == want
        weights = np.broadcast_to(rows, shape)
        assert bits(np.asfortranarray(x), t, pos_weight=np.asfortranarray(pos_weight), sample_weight=weights,
                    focal_gamma=gamma) == want


@pytest.mark.parametrize("dtype", "bBhiqQ")
def test_integer_targets(dtype):
    t = np.array([1, 0, 100, 1]).astype(dtype)
    x, weights = np.array([0.0, 1.0, NAN, 3.0]), np.array([1, 1, 0, 1])
    assert xf.sigmoid_cross_entropy(x, t, sample_weight=weights) == xf.sigmoid_cross_entropy(x[weights == 1], t[weights == 1])


@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_is_read_is_looked_at(n_threads):
    """The first that an element with weight has; of an array that is broadcast, by its place there."""
    x, rows = np.zeros((300, 400), np.float32), (np.arange(300) % 7 == 3)[:, None]
    t = np.where(rows, np.full((300, 400), 0.5), NAN)
    for place, value in (((290, 2), 2), ((17, 399), -INF), ((17, 390), NAN)):
        t[place] = value
        with pytest.raises(ValueError, match=rf"targets\[{place[0]}, {place[1]}\] is {float(value)}; expected a number from 0"):
            xf.sigmoid_cross_entropy(x, t, sample_weight=rows, n_threads=n_threads)
    diagonal = np.eye(300, 400)
    pos_weight = np.ones(400)
    pos_weight[[350, 120]] = NAN
    with pytest.raises(ValueError, match=r"pos_weight\[120\] is nan; expected finite weights"):
        xf.sigmoid_cross_entropy(x, 1, pos_weight=pos_weight, sample_weight=diagonal, n_threads=n_threads)
    pos_weight[120] = 2.0
    loss = xf.sigmoid_cross_entropy(x, 1, pos_weight=pos_weight, sample_weight=diagonal, n_threads=n_threads, reduction="sum")
    assert np.isclose(loss, 301 * np.log(2))
    with pytest.raises(ValueError, match=r"sample_weight\[2, 0\] is nan; expected finite weights"):
        xf.sigmoid_cross_entropy(x, t, sample_weight=np.where(np.arange(300)[:, None] == 2, NAN, 0), n_threads=n_threads)
