"""Each variate is what the formula gives for its words, within a few ulp, at the ends of the range too."""

import math

import ml_dtypes
import mpmath
import numpy as np
import philox
import pytest
from tolerances import VARIATES

from xentfast.random import _fills
from xentfast.random._keys import Key
from xentfast.random._places import destination

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

mpmath.mp.dps = 30
WORDS = (123456789, 987654321)
KEY = Key(WORDS[1] << 32 | WORDS[0])
ENDS = [0, 1, 2, 3, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 3037000499, 3037000500]
# Near the axes and the middles between them.
TURNS = sorted({(eighth * 2**29 + step) % 2**32 for eighth in range(8) for step in (-2, -1, 0, 1, 2**20)})
BOUNDS = [(-2, 2), (-1, 0.5), (-3, 3), (-math.inf, math.inf), (0, math.inf), (1e-12, 1), (-1, 1e-12), (-math.inf, 0),
          (-12, -11), (11.5, 12), (-12, 5), (-0.1, 5), (2, 2.0001), (-2.0001, 2.5), (3, math.inf)]

# Where 60 digits would not do for a difference of two probabilities near ½.
NARROW = [(0, 1e-60), (-1e-60, 1e-70), (1e-30, 1.0000001e-30), (-1e-20, 2), (5.999999, 6.000001)]
FAR = [(-37, -36.5), (36, 37), (-37, 3), (30, math.inf)]


def of_words(words, variates, dtype):
    """Values of a fill whose block is `words`."""
    counter = philox.counter_of(WORDS, words)
    to = destination((2 if dtype is np.float64 else 4,), dtype, None)
    _fills.run([_fills.Request(to, variates, KEY, counter[2:], counter[0] | counter[1] << 32)])
    return to.out


def units(words, dtype):
    return [philox.unit(words[i:i + 2]) for i in (0, 2)] if dtype is np.float64 else [philox.unit([word]) for word in words]


def blocks():
    rng = np.random.default_rng(0)
    for end in ENDS:
        yield from ([end, turn, 2**32 - 1 - end, (turn + 7 * end) % 2**32] for turn in TURNS)
    yield from rng.integers(0, 2**32, (500, 4)).tolist()


def errors(values, exact):
    """In ulp of the exact values."""
    for value, real in zip(values, exact, strict=True):
        yield float(abs(mpmath.mpf(float(value)) - real) / float(np.spacing(abs(values.dtype.type(float(real))))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal(level, dtype):
    worst = 0.0
    for words in blocks():
        u = units(words, dtype)
        exact = [z for i in range(0, len(u), 2) for z in philox.normal_pair(u[i], u[i + 1])]
        worst = max(worst, *errors(of_words(words, _fills.normal_variates(0.0, 1.0), dtype), exact))
    assert worst <= VARIATES["normal", dtype]


@pytest.mark.parametrize(("dtype", "lower", "upper"), [(np.float32, *bounds) for bounds in BOUNDS]
                         + [(np.float64, *bounds) for bounds in BOUNDS + FAR + NARROW])
def test_truncated(level, dtype, lower, upper):
    variates = _fills.truncated_variates(0.0, 1.0, float(lower), float(upper), np.dtype(dtype))
    middle = int(variates.truncation.middle) ^ (variates.truncation.flip if dtype is np.float32 else 0)
    words = [*ENDS, *(word % 2**32 for word in (middle - 1, middle, middle + 1) if dtype is np.float32)]
    rng = np.random.default_rng(1)
    rows = [[word, *rng.integers(0, 2**32, 3).tolist()] for word in words] + rng.integers(0, 2**32, (20, 4)).tolist()
    worst = 0.0
    for row in rows:
        with mpmath.workdps(200 if (lower, upper) in NARROW else 40):
            exact = [philox.truncated(u, mpmath.mpf(lower), mpmath.mpf(upper)) for u in units(row, dtype)]
        values = of_words(row, variates, dtype)
        assert all(lower <= float(value) <= upper for value in values)
        worst = max(worst, *errors(values, exact))
    assert worst <= VARIATES["truncated", dtype]


@pytest.mark.parametrize(("dtype", "lower", "upper"), [
    (np.float32, 13.5, 14), (np.float32, -math.inf, -12.5), (np.float32, 12, 30),
    (np.float64, 38, 39), (np.float64, 37.5, math.inf)])
def test_truncated_beyond_reach(dtype, lower, upper):
    with pytest.raises(ValueError, match="standard deviations from the mean"):
        _fills.truncated_variates(0.0, 1.0, lower, upper, np.dtype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_is_exact(level, dtype):
    """Of [0, 1): the bits themselves, no rounding."""
    for words in blocks():
        bits = [words[i] >> 5 << 26 | words[i + 1] >> 6 for i in (0, 2)] if dtype is np.float64 else [word >> 8 for word in words]
        values = of_words(words, _fills.uniform_variates(0.0, 1.0, np.dtype(dtype)), dtype)
        assert [float(value) for value in values] == [math.ldexp(bit, -53 if dtype is np.float64 else -24) for bit in bits]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.1, 0.1), (1.0, 1.0 + 2**-20), (0.1, 0.3), (-1e30, 1e-3), (5.0, 5.0),
                                           (0.1, 0.1 + 1e-15), (16777216.0, 16777219.0), (-1.0, -0.999999)])
def test_uniform_stays_inside(level, dtype, low, high):
    """The largest and the smallest words; where no float lies between the bounds, the one next above `low`."""
    variates = _fills.uniform_variates(low, high, np.dtype(dtype))
    for words in ([2**32 - 1] * 4, [0] * 4, [2**31] * 4):
        for value in of_words(words, variates, dtype):
            assert low <= float(value) < high or float(value) == variates.least == variates.largest


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("std", [1.0, 2.0**-13, 2.0**-24, 3e4])
def test_16_bits_are_float32_rounded_once(level, dtype, std):
    """To the nearest, ties to even, subnormal and infinite where NumPy's conversion is."""
    whole = destination((20_000,), np.float32, None), destination((20_000,), dtype, None)
    for to in whole:
        _fills.run([_fills.Request(to, _fills.normal_variates(0.0, std), KEY, (0, 0))])
    with np.errstate(over="ignore"):
        expected = whole[0].out.astype(dtype)
    assert np.array_equal(expected.view(np.uint16), whole[1].out.view(np.uint16))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_16_bits_round_ties_to_even(level, dtype):
    """Uniform values of 24 bits, scaled so that many lie just between two numbers of 16 bits."""
    single, half = destination((50_000,), np.float32, None), destination((50_000,), dtype, None)
    for to in (single, half):
        _fills.run([_fills.Request(to, _fills.uniform_variates(-(2.0**-12), 2.0**-12, np.dtype(np.float32)), KEY, (0, 0))])
    assert np.array_equal(single.out.astype(dtype).view(np.uint16), half.out.view(np.uint16))
