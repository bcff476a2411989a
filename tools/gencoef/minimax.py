"""The polynomial, or ratio of two, whose largest weighted error is the smallest: Remez's exchange.

With n coefficients, the best error takes its largest size n + 1 times, with alternating signs (Chebyshev). So those
coefficients are solved for whose error has one size and alternating signs on n + 1 points, these points move to where that
error is largest, and so on (E. Remez 1934, "Sur le calcul effectif des polynômes d'approximation de Tchebichef"; J.-M.
Muller, "Elementary Functions", 3rd ed. 2016, chapter 3).

The function is given along a parameter t (Sample). So the inverse of a function needs no inversion, and an error of the
polynomial counts by what it does to the result.
"""

from typing import NamedTuple

from .digits import chebyshev_points, evaluate, mp

POINTS = 16                 # of the first grid for each coefficient; the next ones have the extrema beside its points, too
STEPS = 50                  # of an iteration that ends after ten
CLOSE = mp.mpf(10) ** -8    # relative: errors that are one


class Sample(NamedTuple):
    """At one t: the polynomial's argument v, the value g that it should have there, and how much an error counts, w > 0."""

    v: object
    g: object
    w: object


class Ratio(NamedTuple):
    """over(v)/under(v): coefficients, the constant ones first. Of a polynomial `under` is (1,), and it begins with 1 always."""

    over: tuple
    under: tuple = (mp.mpf(1),)

    def __call__(self, v):
        value = evaluate(self.over, v)
        return value / evaluate(self.under, v) if len(self.under) > 1 else value


class Best(NamedTuple):
    ratio: Ratio
    error: object           # the largest
    extrema: list           # every t where the error has this size


def weighted_error(ratio, sample):
    return sample.w * (ratio(sample.v) - sample.g)


def largest_error(ratio, sample_at, low, high, points):
    """The largest size of the weighted error on so many points of the range and its ends, and beside them."""
    ts = [low, *chebyshev_points(low, high, points), high]
    errors = [weighted_error(ratio, sample_at(t)) for t in ts]
    top = max(range(len(ts)), key=lambda i: abs(errors[i]))
    return max(abs(errors[top]), abs(weighted_error(ratio, sample_at(_vertex(ts, errors, top)))))


def minimax(sample_at, low, high, degree, under=0, fixed=()):
    """The best ratio on [low, high], t → Sample given, of degrees `degree` and `under`, with `fixed` for first coefficients.

    P = fixed(v) + vᵏ·R(v), so R approximates (g − fixed)/vᵏ with the weight w·|v|ᵏ: v = 0 must not be among the points.
    """
    if fixed and under:
        raise ValueError("fixed coefficients are for polynomials: the best error of such a ratio need not alternate")
    fixed, low, high = tuple(map(mp.mpf, fixed)), mp.mpf(low), mp.mpf(high)
    rest_at = _rest(sample_at, fixed) if fixed else sample_at
    n = degree + 1 - len(fixed) + under
    ts = [low, *chebyshev_points(low, high, POINTS * (n + n % 2)), high]
    grid = {t: rest_at(t) for t in ts}
    for _ in range(STEPS):
        ratio, errors, places = _exchange([grid[t] for t in ts], degree - len(fixed), under)
        extrema = [_vertex(ts, errors, i) for i in places]
        grid.update((t, rest_at(t)) for t in extrema)
        ts = sorted(grid)
        error = max(abs(weighted_error(ratio, grid[t])) for t in extrema)
        if error <= abs(errors[places[0]]) * (1 + CLOSE):
            return Best(ratio._replace(over=fixed + ratio.over), error, extrema)
    raise ArithmeticError("the extrema do not settle")


def _rest(sample_at, fixed):
    """What the coefficients that are not fixed have to do."""
    def rest_at(t):
        v, g, w = sample_at(t)
        power = v ** len(fixed)
        return Sample(v, (g - evaluate(fixed, v)) / power, w * abs(power))
    return rest_at


def _exchange(samples, degree, under):
    """The best on these samples alone → the ratio, its errors, and the places of its extrema."""
    n = degree + under + 2
    places = [(2 * i + 1) * len(samples) // (2 * n) for i in range(n)]
    ratio, level = Ratio((mp.mpf(0),)), mp.mpf(0)
    for _ in range(STEPS):
        ratio, level = _levelled([samples[i] for i in places], degree, under, level, ratio.under)
        errors = [weighted_error(ratio, sample) for sample in samples]
        places = _alternating(errors, n)
        if max(map(abs, errors)) <= abs(level) * (1 + CLOSE):
            return ratio, errors, places
    raise ArithmeticError("the exchange of points does not end")


def _levelled(samples, degree, under, level, denominator):
    """The ratio P/Q whose error is +level/w, −level/w, +level/w, … on the samples, and this level.

    P = (g ± level/w)·Q is linear but for a product, of the level and Q's coefficients: Newton's method, from the values given. A
    polynomial, whose Q is 1, takes one step.
    """
    signs = [(-1) ** i / sample.w for i, sample in enumerate(samples)]
    for _ in range(STEPS):
        rows, right = [], []
        for (v, g, _), sign in zip(samples, signs, strict=True):
            value = g + sign * level
            slope = sign * evaluate(denominator, v)
            rows.append([v**i for i in range(degree + 1)] + [-value * v**j for j in range(1, under + 1)] + [-slope])
            right.append(value - slope * level)
        before = level
        *coefficients, level = mp.lu_solve(mp.matrix(rows), mp.matrix(right))
        denominator = (mp.mpf(1), *coefficients[degree + 1:])
        if not under or abs(level - before) <= CLOSE * abs(level):
            return Ratio(tuple(coefficients[:degree + 1]), denominator), level
    raise ArithmeticError("the levelled error is not found")


def _alternating(errors, n):
    """The places of n errors with alternating signs, the largest of all among them."""
    places = []
    for i, error in enumerate(errors):
        if not places or (error > 0) != (errors[places[-1]] > 0):
            places.append(i)
        elif abs(error) > abs(errors[places[-1]]):
            places[-1] = i
    while len(places) > n:
        places.pop(0 if abs(errors[places[0]]) < abs(errors[places[-1]]) else -1)
    if len(places) < n:
        raise ArithmeticError("the error has too few extrema")
    return places


def _vertex(ts, errors, i):
    """Where the error is extreme near ts[i]: the vertex of the parabola through this point and its neighbours."""
    if i in (0, len(ts) - 1):
        return ts[i]
    left = (errors[i] - errors[i - 1]) / (ts[i] - ts[i - 1])
    right = (errors[i + 1] - errors[i]) / (ts[i + 1] - ts[i])
    if left * right >= 0:                                           # no extremum between them
        return ts[i]
    return (ts[i - 1] + ts[i]) / 2 - left * (ts[i + 1] - ts[i - 1]) / (2 * (right - left))
