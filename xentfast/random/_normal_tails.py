"""Probabilities of the normal distribution, to more digits than a double has.

They are constants of a fill and so reach every value's bits: libm's erfc, whose last bits are the platform's, will not do.
"""

import functools
import math
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

_PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
_DIGITS = 60
_SERIES_REACH = 6           # ½ − the series loses 9 digits there
_FRACTION_TERMS = 120       # leave less than 10⁻⁶⁰ from there on
_BEYOND = 40                # standard deviations, from where on a tail is 0 to a double: those of bounds there are all 0


class Truncation(NamedTuple):
    """The constants of a truncated normal fill, as in struct Fill (_kernels/random.pxd)."""

    flip: int
    narrow: bool
    sign: float
    middle: float
    mass: float
    upper_tail: float
    lower_tail: float
    upper_start: float
    lower_start: float


# No part of the distribution.
NOTHING = Truncation(0, False, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@functools.lru_cache(maxsize=64)
def truncation(lower, upper, places):
    """The constants for a normal number between `lower` and `upper`, lower < upper, in so many places."""
    if upper <= 0:
        return truncation(-upper, -lower, places)._replace(flip=0xFFFFFFFF, sign=-1.0)
    if lower > _BEYOND:
        return NOTHING
    with localcontext(Context(prec=_DIGITS)):
        half = Decimal("0.5")
        below, above = _lower_tail(lower), _lower_tail(-upper)
        if max(abs(lower), abs(upper)) < _SERIES_REACH:
            mass = _from_mean(upper) - _from_mean(lower)
            mean = -_from_mean(lower) / mass * places       # the place of the mean, where places are numbers plus ½
        else:
            mass = _lower_tail(-lower) - above if lower >= 0 else 1 - below - above
            mean = (half - below) / mass * places
        middle = min(max(0, math.ceil(mean - half)), places - 1)
        step = mass / places
        return Truncation(0, lower >= -2 and upper <= 2, 1.0, float(middle), float(mass), float(above + step / 2),
                          float(below + step / 2), float((middle + half - mean) * step), float((mean - middle + half) * step))


def _lower_tail(x):
    """Φ(x)"""
    if math.isinf(x):
        return Decimal(x > 0)
    if abs(x) < _SERIES_REACH:
        return Decimal("0.5") + _from_mean(x)
    size = abs(Decimal(x))
    tail = _density(size) / _fraction(size)
    return 1 - tail if x > 0 else tail


def _from_mean(x):
    """Φ(x) − ½, with all its digits near 0."""
    return _density(Decimal(x)) * _series(Decimal(x))


def _density(x):
    return (-x * x / 2).exp() / (2 * _PI).sqrt()


def _series(x):
    """x + x³/3 + x⁵/(3·5) + x⁷/(3·5·7) + …"""
    total, term, k = Decimal(0), x, 1
    while total + term != total:
        total += term
        k += 2
        term *= x * x / k
    return total


def _fraction(x):
    """x + 1/(x + 2/(x + 3/(x + …))) (Laplace)"""
    value = x
    for k in range(_FRACTION_TERMS, 0, -1):
        value = x + k / value
    return value
