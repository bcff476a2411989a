"""The fills have the distributions that they are named for; no value tells of another, nor one name's of another's.

A statistic's limit is such that right values fail it once in 10⁴ seeds (tests/helpers/tolerances.py), and the seeds are
fixed.
"""

import hashlib
import itertools
import math
from functools import partial

import ml_dtypes
import mpmath
import numpy as np
import philox
import pytest
import scipy.stats
import tolerances
from first_values import FIRST, FIRST_VALUES, first_values
from scipy.special import bdtr, bdtrc, chdtr, kolmogorov
from threadpoolctl import threadpool_limits
from tolerances import usual, z_limit

import xentfast as xf

N = 2**24
KEYS = {"rng": 7, "name": "statistics"}
DTYPES = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32, "float64": np.float64}
WIDE = ["float32", "float64"]
INF = math.inf

# Initialisers of three distributions, and what SciPy calls them.
DISTRIBUTIONS = {"uniform": (xf.init.uniform, scipy.stats.uniform()), "normal": (xf.init.normal, scipy.stats.norm())} | {
    f"truncated {low} {high}": (partial(xf.init.truncated_normal, lower=low, upper=high), scipy.stats.truncnorm(low, high))
    for low, high in [(-2, 2), (-1, 0.5), (0, INF), (-INF, 1), (3, 5), (-8, -6), (-3, INF)]}

# Of each scaled initialiser: the distribution, and the standard deviation from the fans, as published.
SCALES = {
    "xavier_uniform": (xf.init.xavier_uniform, "uniform", lambda i, o: math.sqrt(2 / (i + o))),
    "xavier_normal": (partial(xf.init.xavier_normal, gain=0.5), "normal", lambda i, o: 0.5 * math.sqrt(2 / (i + o))),
    "he_uniform": (xf.init.he_uniform, "uniform", lambda i, o: math.sqrt(2 / i)),
    "he_normal": (xf.init.he_normal, "normal", lambda i, o: math.sqrt(2 / i)),
    "he_normal fan_out": (partial(xf.init.he_normal, mode="fan_out"), "normal", lambda i, o: math.sqrt(2 / o)),
    "he_uniform leaky": (partial(xf.init.he_uniform, nonlinearity="leaky_relu", param=0.2), "uniform",
                         lambda i, o: math.sqrt(2 / (1.04 * i))),
    "lecun_uniform": (partial(xf.init.lecun_uniform, gain=5 / 3), "uniform", lambda i, o: 5 / 3 / math.sqrt(i)),
    "lecun_normal": (xf.init.lecun_normal, "normal", lambda i, o: 1 / math.sqrt(i)),
    "variance_scaling": (xf.init.variance_scaling, "truncated", lambda i, o: 1 / math.sqrt(i)),
    "variance_scaling fan_avg": (partial(xf.init.variance_scaling, scale=3, mode="fan_avg"), "truncated",
                                 lambda i, o: math.sqrt(6 / (i + o))),
    "variance_scaling normal": (partial(xf.init.variance_scaling, scale=0.5, mode="fan_out", distribution="normal"), "normal",
                                lambda i, o: math.sqrt(0.5 / o)),
    "variance_scaling uniform": (partial(xf.init.variance_scaling, scale=2, distribution="uniform"), "uniform",
                                 lambda i, o: math.sqrt(2 / i)),
}
# A largest value in standard deviations, and fourth moment.
SUPPORT = {"uniform": (math.sqrt(3), 1.8), "normal": (INF, 3.0)}
CUT = scipy.stats.truncnorm(-2, 2)
SUPPORT["truncated"] = 2 / CUT.std(), 3 + float(CUT.stats("k"))

NAMES = [None, "", "a", "b", "ab", "ba", "A", "w", "layer1/weight", "layer1/bias", "layer2/weight", "layer2/bias",
         "layer10/weight", "layer1/weight ", "0", "1"]
SEEDS = [0, 1, 2, 3, 4, 5, 6, 8, 2**31, 2**32 - 1, 2**32, 2**32 + 1, [0, 0, 1], [1, 2], [2, 1], 2**64 - 1]


@pytest.fixture(scope="module", autouse=True)
def one_blas_thread():
    """Its threads wait for each other by spinning, for seconds where the machine has other work."""
    with threadpool_limits(1, "blas"):
        yield


def standard(x, distribution):
    """float64 values of mean 0 and variance 1."""
    return x * np.float64(1) if distribution == "normal" else (x - np.float64(0.5)) * math.sqrt(12)


@pytest.fixture(scope="module", params=itertools.product(["uniform", "normal"], WIDE), ids=" ".join)
def values(request):
    distribution, dtype = request.param
    return standard(DISTRIBUTIONS[distribution][0]((N,), **KEYS, dtype=dtype), distribution)


@pytest.fixture(scope="module", params=WIDE)
def pairs(request):
    """Box & Muller's: cosines, sines."""
    return np.ascontiguousarray(xf.init.normal((N // 2, 2), **KEYS, dtype=request.param).T, np.float64)


def check_scores(z):
    """Independent standard normal numbers, by the largest and by their sum of squares."""
    z = np.ravel(z)
    assert np.abs(z).max() <= z_limit(z.size)
    assert usual(chdtr(z.size, z @ z))


def check_count(count, n, probability):
    """How many of n have something that each has with this probability."""
    assert min(bdtr(count, n, probability), bdtrc(count - 1, n, probability)) >= tolerances.SELDOM / 2


def check_differences(below, expected, n):
    """Kolmogorov & Smirnov: of n values, the numbers below some points, against probabilities. Between points nothing is seen."""
    assert usual(kolmogorov(math.sqrt(n) * np.abs(below / n - expected).max()))


def check_distribution(x, distribution):
    """At 2¹⁶ + 1 even points, between which there are 10⁻⁴ of the values or fewer: the test sees differences from 5·10⁻⁴."""
    counts, edges = np.histogram(x, 2**16, np.clip(distribution.support(), -9, 9))
    assert counts.sum() == x.size
    check_differences(np.cumsum(counts), distribution.cdf(edges[1:].astype(np.float64)), x.size)


def quadrature(distribution):
    """Gauss & Legendre's points, and their weights times the density."""
    points, weights = np.polynomial.legendre.leggauss(200)
    low, high = np.clip(distribution.support(), -12, 12)
    points = low + (points + 1) / 2 * (high - low)
    return points, weights * distribution.pdf(points) * (high - low) / 2


# ---- distributions


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution_and_moments(name, dtype):
    """Mean, variance, skewness and kurtosis, each with its exact standard error."""
    make, distribution = DISTRIBUTIONS[name]
    x = make((N,), **KEYS, dtype=dtype)
    check_distribution(x, distribution)
    mean, std = distribution.mean(), distribution.std()
    y = (x - mean) / std
    square = y * y
    got = y.sum(), square.sum(), y @ square, square @ square
    t, weights = quadrature(distribution)
    exact = [weights @ ((t - mean) / std) ** k for k in range(9)]
    for k in range(1, 5):
        assert abs(got[k - 1] / N - exact[k]) <= z_limit(4) * math.sqrt((exact[2 * k] - exact[k] ** 2) / N), f"moment {k}"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution_of_16_bits(name, dtype):
    """A number of 16 bits stands for all that round to it: counts up to it belong to the point half-way to the next."""
    make, distribution = DISTRIBUTIONS[name]
    bits = make((N,), **KEYS, dtype=DTYPES[dtype]).view(np.uint16)
    with np.errstate(invalid="ignore"):             # signalling NaNs
        numbers = np.arange(2**16, dtype=np.uint16).view(DTYPES[dtype]).astype(np.float64)
    order = np.argsort(numbers, kind="stable")
    order = order[np.isfinite(numbers[order])]
    counts, numbers = np.bincount(bits, minlength=2**16)[order], numbers[order]
    assert counts.sum() == N
    check_differences(np.cumsum(counts)[:-1], distribution.cdf((numbers[1:] + numbers[:-1]) / 2), N)


@pytest.mark.parametrize("dtype", WIDE)
def test_tails(dtype):
    """At 3, 4 and 5 standard deviations, beyond which there are 38 of 2²⁷ values on either side."""
    sigmas = np.array([3, 4, 5])
    counts = np.zeros((2, 3), np.int64)
    for part in range(8):
        x = xf.init.normal((8 * N,), **KEYS, dtype=dtype, index=slice(part * N, (part + 1) * N))
        counts += [[np.count_nonzero(x > sigma) for sigma in sigmas], [np.count_nonzero(x < -sigma) for sigma in sigmas]]
    for sigma, above, below in zip(sigmas, *counts, strict=True):
        check_count(above, 8 * N, scipy.stats.norm.sf(sigma))
        check_count(below, 8 * N, scipy.stats.norm.sf(sigma))


@pytest.mark.parametrize("dtype", WIDE)
def test_ends_of_the_uniform(dtype):
    x = xf.init.uniform((N,), **KEYS, dtype=dtype)
    for places in range(1, 21):
        for count in np.count_nonzero(x < 2.0**-places), np.count_nonzero(x >= 1 - 2.0**-places):
            check_count(count, N, 2.0**-places)


# ---- independence within an array


def test_serial_correlation(values):
    check_scores([values[:-lag] @ values[lag:] / math.sqrt(N - lag) for lag in range(1, 65)])


def test_serial_correlation_of_squares(values):
    """Sizes, which signs hide: that of a pair's radius would be at lag 1."""
    squares = values * values - 1
    std = math.sqrt({True: 0.8, False: 2.0}[values.max() < 2])
    squares /= std
    check_scores([squares[:-lag] @ squares[lag:] / math.sqrt(N - lag) for lag in range(1, 65)])


@pytest.mark.parametrize("n_lanes", [4, 32, 64, 1024])
def test_lanes(values, n_lanes):
    """Lanes of a block, of a vector, of a kernel's group and of its chunk: their means, and each with each."""
    rows = values.reshape(-1, n_lanes)
    check_scores(rows.sum(axis=0) / math.sqrt(len(rows)))
    gram = rows.T @ rows / math.sqrt(len(rows))
    check_scores(gram[np.triu_indices(n_lanes, 1)])


def test_cosine_and_sine(pairs):
    """Hermite's polynomials of degree 1 to 4 have no correlation with each other, in two independent normal numbers."""
    gram = np.zeros((4, 4))
    for part in np.split(pairs, 256, axis=1):
        square = part * part
        hermite = np.stack([part, (square - 1) / math.sqrt(2), (square - 3) * part / math.sqrt(6),
                            ((square - 6) * square + 3) / math.sqrt(24)])
        gram += hermite[:, 0] @ hermite[:, 1].T
    check_scores(gram / math.sqrt(N // 2))


def test_angle_and_radius(pairs):
    """The angle is uniform, so is exp(−r²/2), and all squares of angle and radius get as many."""
    turn = np.arctan2(pairs[1], pairs[0]) / (2 * math.pi) + 0.5
    inside = np.exp(-(pairs[0] ** 2 + pairs[1] ** 2) / 2)
    for x in turn, inside:
        check_distribution(x, scipy.stats.uniform())
    cells = np.bincount((turn * 64).astype(np.int64) % 64 * 64 + (inside * 64).astype(np.int64), minlength=64 * 64)
    assert usual(scipy.stats.chisquare(cells).pvalue)


# ---- independence of names and seeds


STREAMS = {"names": [{"rng": 7, "name": name} for name in NAMES],
           "seeds": [{"rng": seed} for seed in SEEDS],
           "both": [{"rng": seed, "name": name} for seed in range(4) for name in ("a", "b", "layer1/weight", "layer2/weight")]}


@pytest.mark.parametrize("streams", STREAMS)
def test_streams_are_not_correlated(streams):
    """Values and squares, each stream with each and, shifted by a value, a block or a kernel's group, with itself."""
    x = np.stack([xf.init.normal((N // 16,), **keys) for keys in STREAMS[streams]]).astype(np.float64)
    for y in x, (x * x - 1) / math.sqrt(2):
        check_scores((y @ y.T / math.sqrt(y.shape[1]))[np.triu_indices(16, 1)])
        for shift in 1, 4, 64:
            n = y.shape[1] - shift
            check_scores(y[:, :n] @ y[:, shift:].T / math.sqrt(n))


@pytest.mark.parametrize("streams", STREAMS)
def test_streams_share_half_their_bits(streams):
    """As words of 24 bits, whose lowest a correlation would not see."""
    x = np.stack([xf.init.uniform((N // 64,), **keys) for keys in STREAMS[streams]])
    words = (x * 2**24).astype(np.uint32)
    differing = [int(np.bitwise_count(a ^ b).sum(dtype=np.int64)) for a, b in itertools.combinations(words, 2)]
    bits = 24 * x.shape[1]
    check_scores((np.array(differing) - bits / 2) / math.sqrt(bits / 4))


# ---- scales


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize(("shape", "axes", "fans"), [
    ((2000, 500), {}, (2000, 500)), ((2000, 500), {"in_axis": 1, "out_axis": 0}, (500, 2000)),
    ((5, 5, 100, 400), {}, (2500, 10000)), ((400, 100, 5, 5), {"in_axis": 1, "out_axis": 0}, (2500, 10000)),
    ((100, 5, 2000), {"in_axis": 0, "out_axis": (1, 2)}, (100, 10000)), ((1000, 1000), {"fan_in": 7, "fan_out": 2.5}, (7, 2.5))])
@pytest.mark.parametrize("name", SCALES)
def test_scales(name, shape, axes, fans, dtype):
    """The published standard deviation; and the published bound, reached as nearly as so many values do, and not passed."""
    make, distribution, formula = SCALES[name]
    std, (bound, fourth) = formula(*fans), SUPPORT[distribution]
    x = make(shape, **axes, **KEYS, dtype=dtype).ravel().astype(np.float64)
    assert abs(x @ x / (x.size * std**2) - 1) <= z_limit() * math.sqrt((fourth - 1) / x.size)
    assert abs(x.mean()) <= z_limit() * std / math.sqrt(x.size)
    bound *= std
    if distribution == "truncated":
        bound *= 1 + tolerances.CUT_ROUNDING[np.dtype(dtype)]
    assert -bound <= x.min() and x.max() <= bound
    if distribution == "uniform":
        nearest = bound * (1 + 2 * math.log(tolerances.SELDOM / 2) / x.size)
        assert x.min() <= -nearest and nearest <= x.max()


@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("shape", [(300, 300), (500, 200), (200, 500), (3, 3, 20, 40), (3, 3, 8, 100)])
def test_scale_of_orthogonal(shape, dtype):
    """Unit columns, or rows where they are fewer, times the gain."""
    x = xf.init.orthogonal(shape, gain=1.5, **KEYS, dtype=dtype).astype(np.float64)
    longer = max(shape[-1], x.size // shape[-1])
    assert abs(np.mean(x * x) * longer / 1.5**2 - 1) <= tolerances.UNIT_COLUMNS[np.dtype(dtype)]


def test_orthogonal_has_haar_measure():
    """A place of a random rotation of space, and each element of it, is uniform on ±1 (Archimedes); half turn it inside out."""
    q = np.stack([xf.init.orthogonal((3, 3), rng=7, name=str(i), dtype=np.float64) for i in range(5000)])
    for element in q.reshape(-1, 9).T:
        check_distribution(element, scipy.stats.uniform(-1, 2))
    check_count(np.count_nonzero(np.linalg.det(q) > 0), len(q), 0.5)


# ---- first values


def exact_first_values(case, dtype, name):
    """Of Python's integers and thirty digits."""
    key = np.random.SeedSequence(7).generate_state(2, np.uint32).tolist()
    digest = bytes(8) if name is None else hashlib.sha256(name.encode()).digest()
    stream = int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:8], "little")
    words = [word for number in (0, 1) for word in philox.block(key, (number, 0, *stream))]
    per_value = 2 if dtype == "float64" else 1
    units = [philox.unit(words[i:i + per_value]) for i in range(0, 4 * per_value, per_value)]
    options = {name: mpmath.mpf(value) for name, value in FIRST[case][1].items()}
    mean, std = options.get("mean", 0), options.get("std", 1)
    if case.startswith("uniform"):
        places = 53 if dtype == "float64" else 24
        low, high = options.get("low", 0), options.get("high", 1)
        return [low + mpmath.floor(u * 2**places) / 2**places * (high - low) for u in units]
    if case.startswith("normal"):
        return [mean + std * z for i in (0, 2) for z in philox.normal_pair(units[i], units[i + 1])]
    return [mean + std * philox.truncated(u, options.get("lower", -2), options.get("upper", 2)) for u in units]


@pytest.mark.parametrize("name", [None, "w"])
@pytest.mark.parametrize("dtype", WIDE)
@pytest.mark.parametrize("case", FIRST)
def test_first_values(case, dtype, name):
    """Version 1 of the streams: what the formulas give, and these very bits."""
    got = first_values(case, dtype, name)
    options = FIRST[case][1]
    shift = abs(options.get("low", options.get("mean", 0.0)))
    with mpmath.workdps(30):
        for value, exact in zip(got, exact_first_values(case, dtype, name), strict=True):
            spacing = float(tolerances.ulp(max(abs(float(exact)), shift), DTYPES[dtype]))
            assert abs(mpmath.mpf(float(value)) - exact) <= tolerances.FIRST_VALUES[case.split()[0], DTYPES[dtype]] * spacing
    assert " ".join(float(value).hex() for value in got) == FIRST_VALUES[case, dtype, name]
