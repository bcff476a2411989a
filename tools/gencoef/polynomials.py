"""The table: every polynomial of the kernels, what it approximates, where, and how well.

Each serves a function f that comes out as f = offset + factor·R(v), R the polynomial or ratio, all of them along one parameter t.
Errors are those of f, relative, in ulp: in units of 2⁻²⁴ or 2⁻⁵³, the least that an ulp can be of a number. They are the
coefficients' alone; the whole functions, with what arithmetic adds, are measured against long double
(tests/package/test_lanes.py).

`stated` is the figure in the comment above the kernel's function: the best error of real coefficients, before they are rounded;
of exp2_cap, that of the kernel's own.
`bound` is the error of the coefficients that stand there, rounded up to three digits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from .digits import mp
from .minimax import Best, Ratio, Sample, largest_error, minimax
from .rounding import rounded
from .sources import Place, coefficients

DIGITS = {"float32": 24, "float64": 53}
NEAR_ZERO = mp.mpf(10) ** -8            # for 0, where formulae are 0/0; the digits that they lose next to it are there to spare
POINTS = 400                            # where an error is looked for: more than twenty between two of its zeros

half = mp.mpf(1) / 2
quarter = mp.mpf(1) / 4


def itself(t):
    return t


def square(t):
    return t * t


def one(t):
    return mp.mpf(1)


def zero(t):
    return mp.mpf(0)


@dataclass(frozen=True)
class Approximation:
    name: str
    form: str                           # in words, with the polynomial P, or P/Q
    dtype: str
    degree: int                         # of P, after the fixed coefficients
    f: Callable
    low: object
    high: object
    over: Place
    used: str                           # by which functions of the kernels
    stated: float
    bound: float
    reason: str                         # for what lies between the two
    under_degree: int = 0
    under: Place | None = None
    fixed: tuple = ()                   # coefficients below those of P
    head: float = 0.0                   # most of P's first coefficient, which the kernel adds in a step of its own
    argument: Callable = itself
    factor: Callable = one
    offset: Callable = zero
    relative: bool = True

    def sample_at(self, t):
        f, factor = self.f(t), self.factor(t)
        unit = mp.ldexp(abs(f), -DIGITS[self.dtype]) if self.relative else 1
        return Sample(self.argument(t), (f - self.offset(t)) / factor, abs(factor) / unit)

    def best(self) -> Best:
        """With real coefficients."""
        return minimax(self.sample_at, self.low, self.high, len(self.fixed) + self.degree, self.under_degree, self.fixed)

    def rounded(self, ratio) -> Ratio:
        return rounded(ratio, self.sample_at, self.low, self.high, DIGITS[self.dtype], len(self.fixed), mp.mpf(self.head))

    def kernel(self) -> Ratio:
        """With the coefficients of the sources, as the dtype has them."""
        stored = np.dtype(self.dtype).type
        over, under = ([mp.mpf(float(stored(literal))) for literal in literals] for literals in self.written())
        over[0] += self.head
        return Ratio((*map(mp.mpf, self.fixed), *over), (mp.mpf(1), *under))

    def written(self):
        """Literals of P, without the head, and of Q, without its 1."""
        return coefficients(self.over), coefficients(self.under) if self.under else []

    def free(self, ratio):
        """The coefficients of P and of Q that are stored in the dtype."""
        over = list(ratio.over[len(self.fixed):])
        over[0] -= self.head
        return over, list(ratio.under[1:])

    def error(self, ratio):
        return largest_error(ratio, self.sample_at, self.low, self.high, POINTS)


# ---- exponentials, for |r| up to half of ln 2, and a hundredth more: n is rounded from a product that is rounded itself

EXP_REACH = mp.mpf("1.01") * mp.ln2 / 2

EXPONENTIALS = [
    Approximation(
        "exp_float", "eʳ = 1 + r + r²·P(r), |r| ≤ 1.01·ln 2/2", "float32", 4, mp.exp, -EXP_REACH, EXP_REACH,
        Place("exp_tail_float", ("return",)), "exp_reduced_float",
        0.055, 0.0797, "of what is made, the whole's rounding makes 0.989 ulp instead of 0.976", fixed=(1, 1)),
    Approximation(
        "exp_double", "eʳ = 1 + r + r²·P(r), |r| ≤ 1.01·ln 2/2", "float64", 9, mp.exp, -EXP_REACH, EXP_REACH,
        Place("exp_tail_double", ("tail", "return")), "exp_reduced_double, tanh_double",
        0.037, 0.0386, "coefficients rounded each by itself", fixed=(1, 1)),
    Approximation(
        "exp_settle", "eʳ = 1 + r + r²·P(r), |r| ≤ 1.01·ln 2/2", "float64", 5, mp.exp, -EXP_REACH, EXP_REACH,
        Place("exp_tail_settle", ("tail", "return")), "exp_rows (settling rows of float32)",
        5.1e5, 5.06e5, "coefficients rounded each by itself", fixed=(1, 1)),
    Approximation(
        "exp2_cap", "2ᶠ = 1 + f·P(f), |f| ≤ ½, absolute", "float64", 6, lambda f: mp.mpf(2) ** f, -half, half,
        Place("cap_floats", ("tail",), ascending=True), "cap_floats (tanh of float32 logits)",
        5.2e-11, 5.19e-11, "the first coefficient is ln 2 itself, and the fit of the others stopped short of the best",
        fixed=(1,), relative=False),
]

# ---- logarithms of 1 + f, 1 + f from √½ to √2; log1p_float: of 1 + e, e from 0 to 1

LOGARITHMS = [
    Approximation(
        "log_double", "log(1 + f) = 2·artanh s = s·(2 + z·P(z)), z = s², s = f/(2 + f), z ≤ 0.0295", "float64", 6,
        lambda s: 2 * mp.atanh(s), NEAR_ZERO, mp.sqrt(mp.mpf("0.0295")),
        Place("log_tail", ("ratio", "return")), "log_double, log1p_double",
        0.011, 0.0147, "a polynomial near the best, rounded", fixed=(2,), argument=square, factor=itself),
    Approximation(
        "log_settle", "log(1 + f) = 2·artanh s = s·(2 + z·P(z)), z = s², s = f/(2 + f), z ≤ 0.0295", "float64", 3,
        lambda s: 2 * mp.atanh(s), NEAR_ZERO, mp.sqrt(mp.mpf("0.0295")),
        Place("log_tail_settle", ("ratio", "return")), "log_rows (settling rows of float32)",
        4.4e4, 4.34e4, "coefficients rounded each by itself", fixed=(2,), argument=square, factor=itself),
    Approximation(
        "log_float", "log(1 + f) = f − f²/2 + f³·P(f), √½ ≤ 1 + f ≤ √2", "float32", 7, mp.log1p,
        mp.sqrt(half) - 1, mp.sqrt(2) - 1,
        Place("log_tail_float", ("high", "low")), "radius_float, tail_depth_float, entropies",
        0.1, 0.108, "coefficients rounded each by itself", fixed=(0, 1, -half)),
    Approximation(
        "log1p_float", "log(1 + e) = e − e²/2 + e³·P(e), 0 ≤ e ≤ 1", "float32", 8, mp.log1p, NEAR_ZERO, mp.mpf(1),
        Place("log1p_float", ("u",)), "rest_of (sigmoid cross-entropy)",
        0.02, 0.0199, "coefficients rounded one after another", fixed=(0, 1, -half)),
]

# ---- the circle, x quarter turns from an axis

SINE_HEAD = {"float32": 1.5707963705062866, "float64": 1.5707963267948966}          # π/2 as the dtype has it


def sine(x):
    return mp.sinpi(x / 2)


def cosine(x):
    return mp.cospi(x / 2)


CIRCLE = [
    Approximation(
        "sine_float", "sin(πx/2) = x·(head + P(x²)), |x| ≤ ½", "float32", 3, sine, NEAR_ZERO, half,
        Place("circle_float", ("across",), stop=4), "circle_float",
        0.06, 0.143, "coefficients rounded each by itself", head=SINE_HEAD["float32"], argument=square, factor=itself),
    Approximation(
        "cosine_float", "cos(πx/2) = 1 + x²·P(x²), |x| ≤ ½", "float32", 3, cosine, NEAR_ZERO, half,
        Place("circle_float", ("along",), stop=4), "circle_float",
        0.002, 0.181, "coefficients rounded each by itself", fixed=(1,), argument=square),
    Approximation(
        "sine_double", "sin(πx/2) = x·(head + P(x²)), |x| ≤ ½", "float64", 7, sine, NEAR_ZERO, half,
        Place("circle_double", ("across",), stop=8), "circle_double",
        0.001, 0.0468, "coefficients rounded each by itself", head=SINE_HEAD["float64"], argument=square, factor=itself),
    Approximation(
        "cosine_double", "cos(πx/2) = 1 + x²·P(x²), |x| ≤ ½", "float64", 6, cosine, NEAR_ZERO, half,
        Place("circle_double", ("along",), stop=7), "circle_double",
        0.001, 0.206, "coefficients rounded each by itself", fixed=(1,), argument=square),
]

# ---- the inverse of the normal distribution, along the variate x itself: everything else is a function of it

# Constants as the kernels have them, rounded.
SQRT_2PI = 2.5066282749176025
FLOAT_MIDDLE = 1.600000023841858
DOUBLE_MIDDLE = 1.6
DOUBLE_CENTRE = 0.180625                # 0.425²


@cache
def excess(x):
    """y, the probability between 0 and x."""
    return mp.erf(x / mp.sqrt(2)) / 2


def tail(x):
    """The probability beyond x."""
    return mp.erfc(x / mp.sqrt(2)) / 2


def depth(x):
    return mp.sqrt(-mp.log(tail(x)))


def beyond(probability):
    """The x ≥ 0 with this tail."""
    goal = mp.log(probability)
    return mp.findroot(lambda x: mp.log(tail(x)) - goal, mp.sqrt(2 * abs(goal)))


CENTRE_END = beyond(half - mp.mpf("0.425"))
MIDDLE_END = beyond(mp.exp(-25))

QUANTILES = [
    Approximation(
        "quantile_float_centre", "x = y·(√(2π) + y²·P/Q(¼ − y²)), 0 ≤ y ≤ 0.425", "float32", 3, itself, NEAR_ZERO, CENTRE_END,
        Place("inverse_tail_float", ("over",), 3, 10, 2), "inverse_tail_float",
        0.09, 0.183, "a ratio near the best, rounded", 3, Place("inverse_tail_float", ("under",), 1, 6, 2),
        argument=lambda x: quarter - excess(x)**2, factor=lambda x: excess(x)**3, offset=lambda x: excess(x) * SQRT_2PI),
    Approximation(
        "quantile_float_far", "x = P/Q(√(−log tail) − 1.6), tail from 0.075 to 10⁻³⁸", "float32", 4, itself, CENTRE_END,
        beyond(mp.mpf("1e-38")), Place("inverse_tail_float", ("over",), 0, 10, 2), "inverse_tail_float",
        0.13, 0.760, "a ratio near the best, rounded, and so is 1.6", 3,
        Place("inverse_tail_float", ("under",), 0, 6, 2), argument=lambda x: depth(x) - FLOAT_MIDDLE),
    Approximation(
        "quantile_float_narrow", "x = y·(√(2π) + y²·P/Q(¼ − y²)), tail from ½ to 0.0222", "float32", 4, itself, NEAR_ZERO,
        beyond(mp.mpf("0.0222")), Place("inverse_tail_narrow", ("over",)), "inverse_tail_narrow",
        0.22, 0.823, "a ratio near the best, rounded; 0.32 up to x = 2, where its callers end",
        4, Place("inverse_tail_narrow", ("under",), 0, 4),
        argument=lambda x: quarter - excess(x)**2, factor=lambda x: excess(x)**3, offset=lambda x: excess(x) * SQRT_2PI),
    Approximation(
        "quantile_double_centre", "x = y·P/Q(0.425² − y²), 0 ≤ y ≤ 0.425", "float64", 7, itself, NEAR_ZERO, CENTRE_END,
        Place("inverse_tail_double", ("over",), 0, 24, 3), "inverse_tail_double",
        0.67, 1.05, "P0 rounded: the result at y = 0.425 is little else", 7, Place("inverse_tail_double", ("under",), 0, 21, 3),
        argument=lambda x: DOUBLE_CENTRE - excess(x)**2, factor=excess),
    Approximation(
        "quantile_double_middle", "x = P/Q(√(−log tail) − 1.6), tail from 0.075 to e⁻²⁵", "float64", 7, itself,
        CENTRE_END, MIDDLE_END, Place("inverse_tail_double", ("over",), 1, 24, 3), "inverse_tail_double",
        0.14, 0.764, "a ratio near the best, rounded", 7, Place("inverse_tail_double", ("under",), 1, 21, 3),
        argument=lambda x: depth(x) - DOUBLE_MIDDLE),
    Approximation(
        "quantile_double_far", "x = P/Q(√(−log tail) − 5), tail from e⁻²⁵ to 10⁻³⁰⁸", "float64", 7, itself, MIDDLE_END,
        beyond(mp.mpf("1e-308")), Place("inverse_tail_double", ("over",), 2, 24, 3), "inverse_tail_double",
        0.22, 0.740, "a ratio near the best, rounded", 7, Place("inverse_tail_double", ("under",), 2, 21, 3),
        argument=lambda x: depth(x) - 5),
]

TABLE = {entry.name: entry for entry in EXPONENTIALS + LOGARITHMS + CIRCLE + QUANTILES}
