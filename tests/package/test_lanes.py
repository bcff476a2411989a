"""The kernels' own exp, log1p, log and log of a ratio: their error bounds, their ends, and that no level rounds differently."""

import lanes
import numpy as np
import pytest
import tolerances
from mpmath import mp

from xentfast._base.level import chosen

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

X32 = -np.concatenate([np.geomspace(1e-9, 131, 400_000), np.linspace(0, 131, 400_000)]).astype(np.float32)
X64 = -np.concatenate([np.geomspace(1e-18, 1050, 200_000), np.linspace(0, 1050, 200_000)])


def test_exp_float(level):
    assert lanes.exp_float_error(X32).max() <= tolerances.EXP_FLOAT


def test_exp_double(level):
    assert lanes.exp_double_error(X64).max() <= tolerances.EXP_DOUBLE


def test_log1p_double(level):
    u = np.concatenate([np.geomspace(1e-300, 1e300, 300_000), np.linspace(0.1, 10, 100_000)])
    assert lanes.log1p_double_error(u).max() <= tolerances.LOG1P_DOUBLE


def test_tanh(level):
    u = np.concatenate([np.geomspace(1e-7, 400, 300_000), np.linspace(0, 10, 300_000)])
    assert lanes.tanh_float_error(u).max() <= tolerances.TANH_FLOAT and lanes.tanh_double_error(u).max() <= tolerances.TANH_DOUBLE
    for x in (u.astype(np.float32), u):
        assert np.array_equal(chosen.kernels.tanh(-x), -chosen.kernels.tanh(x))


def test_log_float(level):
    x = np.concatenate([np.geomspace(2.0**-126, 1, 400_000), np.linspace(0.25, 1, 400_000)]).astype(np.float32)
    assert lanes.log_error(x).max() <= tolerances.LOG_FLOAT


def test_log_double(level):
    x = np.concatenate([np.geomspace(5e-324, 1, 200_000), np.linspace(0.5, 1, 200_001), 1 - np.geomspace(1e-16, 0.5, 100_000)])
    assert lanes.log_error(x).max() <= tolerances.LOG_DOUBLE


def test_log_ratio(level):
    x = np.concatenate([np.geomspace(5e-324, 1, 100_000), np.linspace(0.01, 1, 100_000)])
    order = np.random.default_rng(3).permutation(len(x))
    for y in (x[order], x[::-1].copy(), np.minimum(x * (1 + np.geomspace(1e-16, 0.5, len(x))), 1), np.roll(x, 1)):
        for dtype, least in ((np.float32, 2.0**-149), (np.float64, 5e-324)):
            pairs = np.maximum(np.stack([x, y], 1), least).astype(dtype)
            assert lanes.log_ratio_error(pairs).max() <= tolerances.LOG_RATIO[dtype]


def test_log_ends(level):
    x = np.array([1.0, 0.0, 5e-324, 0.5])
    assert np.array_equal(chosen.kernels.log(x), [0.0, -np.inf, np.log(5e-324), np.log(0.5)])
    x = np.array([5e-324, 1.0, 0.3, 1e-310])
    assert np.array_equal(chosen.kernels.log_ratio(x, x), np.zeros(4))


def test_log1p_float(level):
    e = np.concatenate([np.geomspace(1e-30, 1, 400_000), np.linspace(0, 1, 400_000)]).astype(np.float32)
    assert lanes.log1p_float_error(e).max() <= tolerances.LOG1P_FLOAT


def test_the_oracle_itself():
    """Long double agrees with mpmath where the bounds are measured."""
    mp.dps = 40
    for x in (-0.3, -17.25, -700.0):
        exact = mp.exp(mp.mpf(x))
        assert abs(mp.mpf(repr(np.exp(np.longdouble(x))).split("'")[1]) / exact - 1) < 1e-18


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends(level, dtype):
    shift = lanes.FLOAT_SHIFT if dtype == np.float32 else lanes.DOUBLE_SHIFT
    x = np.array([0.0, -np.inf, -2000.0, np.nan, -0.0], dtype)
    one = dtype(2.0) ** shift
    assert np.array_equal(chosen.kernels.exp(x), np.array([one, 0, 0, np.nan, one], dtype), equal_nan=True)


def test_log1p_ends(level):
    u = np.array([0.0, np.nan, 5e-324, np.inf])
    result = chosen.kernels.log1p(u)
    assert result[0] == 0 and np.isnan(result[1]) and result[2] == 5e-324 and np.isnan(result[3])


def exp_twin(t):
    """exp_float step by step in NumPy, which never fuses a multiplication with an addition."""
    f = np.float32
    t = np.maximum(t, f(-132.39111))
    shifted = t * f(1.4426950216293335) + f(12583103.0)
    n = shifted - f(12583103.0)
    r = (t - n * f(0.693145751953125)) - n * f(1.4286068203094172e-06)
    tail = (((f(0.0013813144760206342) * r + f(0.008369418792426586)) * r + f(0.04166845604777336)) * r
            + f(0.16666515171527863)) * r + f(0.4999999403953552)
    return (f(1) + (r + r * r * tail)) * (shifted.view(np.int32) << 23).view(f)


def test_nothing_is_contracted(level):
    """Fails where the compiler fuses a·b + c, which -ffp-contract=off forbids."""
    assert chosen.kernels.exp(X32).tobytes() == exp_twin(X32).tobytes()
