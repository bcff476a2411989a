"""Numbers of more digits than any coefficient has, in a context of their own: who else uses mpmath keeps its precision."""

import mpmath

mp = mpmath.mp.clone()
mp.dps = 45                 # 16 of a double, and as many again for the condition of a ratio of two polynomials of degree 7


def evaluate(coefficients, v):
    """The polynomial with these coefficients, the constant one first, at v (Horner's rule)."""
    total = mp.mpf(0)
    for coefficient in reversed(coefficients):
        total = total * v + coefficient
    return total


def chebyshev_points(low, high, n):
    """n points between low and high, closer towards the ends, as the extrema of the best error are."""
    return [(low + high - (high - low) * mp.cospi((i + mp.mpf(1) / 2) / n)) / 2 for i in range(n)]
