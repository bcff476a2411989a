"""Coefficients rounded to a dtype, with as little loss as can be.

A rounded coefficient is a whole number of last places, and what all of them can make is a lattice: wanted is its point near
the best real approximation (N. Brisebarre & S. Chevillard 2007, "Efficient polynomial L∞-approximations"). Here one
coefficient is rounded after another, and those that are left are fitted anew, by least squares, after each: the nearest plane
of L. Babai 1986, "On Lovász' lattice reduction and the nearest lattice point problem". Coefficients that are rounded each by
itself lose several times as much, those of a sine or cosine up to eighty times.
"""

from .digits import chebyshev_points, evaluate, mp

POINTS = 4                  # for each coefficient, on which the two are compared


def last_place(value, digits):
    """What a number of so many binary digits near `value` is a multiple of."""
    return mp.ldexp(1, mp.frexp(value)[1] - digits)


def rounded(ratio, sample_at, low, high, digits, fixed=0, head=0):
    """The ratio with rounded coefficients, but for the first `fixed`. The first one of them is rounded less `head`."""
    n = len(ratio.over) - fixed
    values = [*ratio.over[fixed:], *ratio.under[1:]]
    values[0] -= head
    places = [last_place(value, digits) for value in values]
    samples = [sample_at(t) for t in chebyshev_points(low, high, POINTS * len(values))]
    effects = _effects(ratio, samples, fixed)
    steps = [[place * change for change in effect] for place, effect in zip(places, effects, strict=True)]
    wanted = [value / place for value, place in zip(values, places, strict=True)]
    values = [place * k for place, k in zip(places, nearest(steps, wanted), strict=True)]
    values[0] += head
    return ratio._replace(over=(*ratio.over[:fixed], *values[:n]), under=(mp.mpf(1), *values[n:]))


def _effects(ratio, samples, fixed):
    """What each coefficient does to the weighted error on the samples; of a ratio, in first order."""
    weights = [w / evaluate(ratio.under, v) for v, _, w in samples]
    for i in range(fixed, len(ratio.over)):
        yield [weight * v**i for weight, (v, _, _) in zip(weights, samples, strict=True)]
    for j in range(1, len(ratio.under)):
        yield [-weight * ratio(v) * v**j for weight, (v, _, _) in zip(weights, samples, strict=True)]


def nearest(steps, wanted):
    """Integers k for which Σ kᵢ·stepsᵢ is near Σ wantedᵢ·stepsᵢ."""
    order, normals = _in_order(steps)
    k = [0] * len(steps)
    target = [mp.fsum(amount * x for amount, x in zip(wanted, row, strict=True)) for row in zip(*steps, strict=True)]
    for i, normal in zip(reversed(order), reversed(normals), strict=True):
        k[i] = int(mp.nint(mp.fdot(target, normal) / mp.fdot(steps[i], normal)))
        target = [x - k[i] * step for x, step in zip(target, steps[i], strict=True)]
    return k


def _in_order(steps):
    """Their order, and what is left of each without its part along those before it (Gram & Schmidt).

    The smallest rest comes first. So the last, which is rounded before all others, is where a last place costs most, and what its
    rounding spoils the others can still mend.
    """
    rests, order, normals = dict(enumerate(steps)), [], []
    while rests:
        size, i = min((mp.fdot(rest, rest), i) for i, rest in rests.items())
        normal = rests.pop(i)
        order.append(i)
        normals.append(normal)
        for j, rest in rests.items():
            along = mp.fdot(rest, normal) / size
            rests[j] = [x - along * y for x, y in zip(rest, normal, strict=True)]
    return order, normals
