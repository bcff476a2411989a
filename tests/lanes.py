"""Measure the error of the kernels' own functions, in ulp, against long double.

    python tests/lanes.py exp_float            # every float32 from -131 to 0: some minutes
    python tests/lanes.py exp_double           # ten million values
    python tests/lanes.py log1p_double

The figures stand above each function in xentfast/_kernels/lanes.pxi.
"""

import sys

import numpy as np
from tolerances import ulp

from xentfast import _dispatch

# exp_scaled returns these powers of two times exp.
FLOAT_SHIFT, DOUBLE_SHIFT = 64, 500


def exp_float_error(x):
    exact = np.ldexp(np.exp(x.astype(np.float64)), FLOAT_SHIFT)
    return np.abs(_dispatch.kernels.exp(x) - exact) / ulp(exact, np.float32)


def exp_double_error(x):
    exact = np.ldexp(np.exp(x.astype(np.longdouble)), DOUBLE_SHIFT)
    return np.abs(_dispatch.kernels.exp(x) - exact) / ulp(exact, np.float64)


def log1p_double_error(x):
    exact = np.log1p(x.astype(np.longdouble))
    return np.abs(_dispatch.kernels.log1p(x) - exact) / ulp(exact, np.float64)


def every_float(largest):
    """Every float32 from −largest to −2⁻³⁰, a million at a time."""
    first, last = (int(np.float32(v).view(np.int32)) for v in (2.0**-30, largest))
    for start in range(first, last + 1, 1 << 20):
        yield -np.arange(start, min(start + (1 << 20), last + 1), dtype=np.int32).view(np.float32)


def ten_million(low, high, sign, logarithmic):
    rng = np.random.default_rng(0)
    for _ in range(10):
        x = rng.uniform(low, high, 1_000_000)
        yield sign * (10.0**x if logarithmic else x)


MEASURES = {
    "exp_float": (exp_float_error, lambda: every_float(131.0)),
    "exp_double": (exp_double_error, lambda: ten_million(0.0, 1050.0, -1, False)),
    "log1p_double": (log1p_double_error, lambda: ten_million(-300.0, 300.0, 1, True)),
}


def largest_error(name):
    """(ulp, where)"""
    measure, values = MEASURES[name]
    worst = (0.0, 0.0)
    for x in values():
        error = measure(x)
        at = int(np.argmax(error))
        worst = max(worst, (float(error[at]), float(x[at])))
    return worst


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in MEASURES:
        sys.exit(__doc__)
    error, where = largest_error(sys.argv[1])
    print(f"{sys.argv[1]}: {error:.3f} ulp at {where!r}")
