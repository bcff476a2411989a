"""Philox4x32-10 in Python's integers, forwards and backwards; variates of its words to thirty digits."""

import mpmath

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


def round_keys(key):
    return [tuple((word + i * step) & MASK for word, step in zip(key, WEYL, strict=True)) for i in range(10)]


def block(key, counter):
    c0, c1, c2, c3 = counter
    for k0, k1 in round_keys(key):
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = p1 >> 32 ^ c1 ^ k0, p1 & MASK, p0 >> 32 ^ c3 ^ k1, p0 & MASK
    return c0, c1, c2, c3


def counter_of(key, words):
    """The counter whose block is `words`."""
    inverses = [pow(multiplier, -1, 2**32) for multiplier in MULTIPLIERS]
    c0, c1, c2, c3 = words
    for k0, k1 in reversed(round_keys(key)):
        b0, b2 = c3 * inverses[0] & MASK, c1 * inverses[1] & MASK
        c0, c1, c2, c3 = b0, c0 ^ k0 ^ MULTIPLIERS[1] * b2 >> 32, b2, c2 ^ k1 ^ MULTIPLIERS[0] * b0 >> 32
    return c0, c1, c2, c3


def unit(words):
    """(bits + ½)/2ⁿ of one word (n = 32), or of two as NumPy makes a double of them (n = 53)."""
    bits, n = (words[0], 32) if len(words) == 1 else ((words[0] >> 5) << 26 | words[1] >> 6, 53)
    return (bits + mpmath.mpf(1) / 2) / 2**n


def normal_pair(first, second):
    """Box & Muller of two units."""
    radius = mpmath.sqrt(-2 * mpmath.log(first))
    return radius * mpmath.cospi(2 * second), radius * mpmath.sinpi(2 * second)


def lower_tail(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def truncated(u, lower, upper):
    """Φ⁻¹ of the place u between the bounds, by Newton's rule on log Φ from the nearer tail."""
    mirrored = lower > 0
    if mirrored:
        u, lower, upper = 1 - u, -upper, -lower
    below, above = lower_tail(lower), lower_tail(-upper)
    mass = lower_tail(upper) - below if upper <= 0 else 1 - below - above
    p = below + u * mass
    q = above + (1 - u) * mass
    tail, sign = (p, -1) if p < q else (q, 1)
    x = mpmath.sqrt(-2 * mpmath.log(tail)) if tail < 0.01 else (mpmath.mpf(1) / 2 - tail) * mpmath.sqrt(2 * mpmath.pi)
    for _ in range(200):
        value = lower_tail(-x)
        step = (mpmath.log(value) - mpmath.log(tail)) * value * mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(x * x / 2)
        x += step
        if abs(step) <= mpmath.mpf(10) ** -24 * abs(x):
            break
    return -sign * x if mirrored else sign * x
