"""Measure the error of the kernels' own functions, in ulp, against long double.

    python tools/lanes.py exp_float            # every float32 from -131 to 0: some minutes
    python tools/lanes.py exp_double           # ten million values
    python tools/lanes.py log1p_double
    python tools/lanes.py tanh_float           # the absolute error, which is what counts behind an exponential
    python tools/lanes.py tanh_double
    python tools/lanes.py log_float
    python tools/lanes.py log_double
    python tools/lanes.py log_ratio_float       # in 2⁻²³ of the logarithm, which is in double
    python tools/lanes.py log_ratio_double
    python tools/lanes.py log1p_float          # every float32 from 2**-30 to 1
    python tools/lanes.py normal_float         # whole variates, ten million each
    python tools/lanes.py normal_double
    python tools/lanes.py truncated_float      # cut at ±2
    python tools/lanes.py wide_float           # cut at ±5

The figures stand above each function, in xentfast/_kernels: numerics/lanes.pxi, softmax/shape.pxi, sigmoid/sigmoid.pxi,
probabilities/terms.pxi and singles.pxi, random/normal.pxi.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy import special

import xentfast as xf
from xentfast._base.level import chosen

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))
from tolerances import ulp

# exp_scaled returns these powers of two times exp.
FLOAT_SHIFT, DOUBLE_SHIFT = 64, 500


def exp_float_error(x):
    exact = np.ldexp(np.exp(x.astype(np.float64)), FLOAT_SHIFT)
    return np.abs(chosen.kernels.exp(x) - exact) / ulp(exact, np.float32)


def exp_double_error(x):
    exact = np.ldexp(np.exp(x.astype(np.longdouble)), DOUBLE_SHIFT)
    return np.abs(chosen.kernels.exp(x) - exact) / ulp(exact, np.float64)


def log1p_double_error(x):
    exact = np.log1p(x.astype(np.longdouble))
    return np.abs(chosen.kernels.log1p(x) - exact) / ulp(exact, np.float64)


def tanh_float_error(x):
    """Absolute."""
    return np.abs(chosen.kernels.tanh(x.astype(np.float32)) - np.tanh(x.astype(np.float32).astype(np.longdouble)))


def tanh_double_error(x):
    exact = np.tanh(x.astype(np.longdouble))
    return np.abs(chosen.kernels.tanh(x) - exact) / ulp(exact, np.float64)


def log_error(x):
    exact = np.log(x.astype(np.longdouble))
    return np.abs(chosen.kernels.log(x) - exact) / ulp(exact, x.dtype)


def log_ratio_error(pairs):
    """Of p/q in two columns; by log1p of the exact difference where they are close."""
    p, q = pairs.T.copy().astype(np.longdouble)
    near = np.abs(p - q) < q / 4
    with np.errstate(all="ignore"):
        exact = np.where(near, np.log1p((p - q) / q), np.log(p / q))
    error = np.abs(chosen.kernels.log_ratio(*pairs.T) - exact)
    return error / (ulp(exact, np.float64) if pairs.dtype == np.float64 else np.abs(exact) * 2.0**-23 + 1e-300)


def log1p_float_error(x):
    exact = np.log1p(x.astype(np.longdouble))
    return np.abs(chosen.kernels.log1p(x) - exact) / ulp(exact, np.float32)


def bits_of(start, n, double):
    """The random bits of elements [start, start + n) of a stream, as long doubles, and how many bits there are."""
    generator = xf.random.Philox4x32(7, counter=start * (2 if double else 1) // 4)
    words = generator.random_raw(n * (2 if double else 1)).astype(np.uint64)
    bits = words[0::2] >> 5 << 26 | words[1::2] >> 6 if double else words
    return bits.astype(np.longdouble), 53 if double else 32


def normal_error(start, dtype):
    """`start` is the first of a million elements."""
    values = xf.init.normal((10**8,), rng=7, dtype=dtype, index=slice(start, start + 10**6))
    bits, n = bits_of(start, len(values), dtype is np.float64)
    radius_bits, turn_bits = bits[0::2] + 0.5, bits[1::2] + 0.5
    size = np.longdouble(2) ** n
    radius = np.sqrt(-2 * np.where(radius_bits < size / 2, np.log(radius_bits / size), np.log1p(-(size - radius_bits) / size)))
    quarter = np.rint(turn_bits / (size / 4))
    angle = (turn_bits / (size / 4) - quarter) * np.longdouble("1.5707963267948966192313216916397514")
    across, along = np.sin(angle), np.cos(angle)
    quarter = quarter.astype(int) % 4
    exact = np.empty(len(values), np.longdouble)
    exact[0::2] = radius * np.choose(quarter, [along, -across, -along, across])
    exact[1::2] = radius * np.choose(quarter, [across, along, -across, -along])
    return np.abs(values - exact) / ulp(exact, dtype)


def truncated_error(start, bound):
    """float32 alone: SciPy's inverse is good to a double."""
    values = xf.init.truncated_normal((10**8,), lower=-bound, upper=bound, rng=7, index=slice(start, start + 10**6))
    u = ((bits_of(start, len(values), False)[0] + 0.5) / 2**32).astype(np.float64)
    low = special.ndtr(-bound)
    tail = low + np.minimum(u, 1 - u) * (1 - 2 * low)
    exact = np.copysign(special.ndtri(tail), u - 0.5)
    # From the middle its distance is exact, and the tail's is not.
    y = np.abs(u - 0.5) * (1 - 2 * low)
    exact = np.where(y < 1e-3, np.copysign(y * np.sqrt(2 * np.pi) * (1 + np.pi / 3 * y * y), u - 0.5), exact)
    return np.abs(values - exact) / ulp(exact, np.float32)


def millions():
    return range(0, 10**7, 10**6)


def every_float(largest, least=2.0**-30):
    """Every float32 from −largest to −least, a million at a time."""
    first, last = (int(np.float32(v).view(np.int32)) for v in (least, largest))
    for start in range(first, last + 1, 1 << 20):
        yield -np.arange(start, min(start + (1 << 20), last + 1), dtype=np.int32).view(np.float32)


def ten_million(low, high, sign, logarithmic):
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = rng.uniform(low, high, 1_000_000)
        yield sign * (10.0**x if logarithmic else x)


def probabilities():
    """Twenty million numbers from 5·10⁻³²⁴ to 1, half of them above ½."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        yield np.maximum(10.0 ** rng.uniform(-323.5, 0.0, 1_000_000), 5e-324)
        yield rng.uniform(0.5, 1.0, 1_000_000)


def pairs():
    """As many pairs, half of them closer to each other than 10⁻³."""
    rng = np.random.default_rng(1)
    for p in probabilities():
        yield np.stack([p, rng.permutation(p)], 1)
        yield np.stack([p, np.clip(p * (1 + 10.0 ** rng.uniform(-16, -3, len(p))), 5e-324, 1)], 1)


MEASURES = {
    "exp_float": (exp_float_error, lambda: every_float(131.0)),
    "exp_double": (exp_double_error, lambda: ten_million(0.0, 1050.0, -1, False)),
    "log1p_double": (log1p_double_error, lambda: ten_million(-300.0, 300.0, 1, True)),
    "tanh_float": (tanh_float_error, lambda: ten_million(-6.0, 2.6, 1, True)),
    "tanh_double": (tanh_double_error, lambda: ten_million(-6.0, 2.6, 1, True)),
    "log_float": (log_error, lambda: (-x for x in every_float(1.0, 2.0**-126))),
    "log_double": (log_error, probabilities),
    "log_ratio_float": (log_ratio_error, lambda: (np.maximum(x, 2.0**-149).astype(np.float32) for x in pairs())),
    "log_ratio_double": (log_ratio_error, pairs),
    "log1p_float": (log1p_float_error, lambda: (-x for x in every_float(1.0))),
    "normal_float": (partial(normal_error, dtype=np.float32), millions),
    "normal_double": (partial(normal_error, dtype=np.float64), millions),
    "truncated_float": (partial(truncated_error, bound=2.0), millions),
    "wide_float": (partial(truncated_error, bound=5.0), millions),
}


def largest_error(name):
    """(ulp, where)"""
    measure, values = MEASURES[name]
    worst = (0.0, 0.0)
    for x in values():
        error = measure(x)
        at = int(np.argmax(error))
        worst = max(worst, (float(error[at]), x[at].tolist() if isinstance(x, np.ndarray) else x + at))
    return worst


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in MEASURES:
        sys.exit(__doc__)
    error, where = largest_error(sys.argv[1])
    print(f"{sys.argv[1]}: {error:.3g}{'' if sys.argv[1] == 'tanh_float' else ' ulp'} at {where!r}")
