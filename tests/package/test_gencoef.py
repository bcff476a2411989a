"""The coefficients in the kernels' sources are as near to their functions as the generator's table says; how it makes its own."""

import os
import subprocess
import sys

import numpy as np
import pytest
from gencoef import rounding, sources
from gencoef.digits import chebyshev_points, mp
from gencoef.minimax import Sample, minimax, weighted_error
from gencoef.polynomials import DOUBLE_CENTRE, DOUBLE_MIDDLE, FLOAT_MIDDLE, SINE_HEAD, SQRT_2PI, TABLE

ROOT = sources.root()
entries = pytest.mark.parametrize("entry", TABLE.values(), ids=list(TABLE))

# The table's bounds are rounded up to three digits: by a hundredth at most.
ROUNDED_UP = 1.01

# The figures in the kernels' comments have one digit or two.
STATED = 1.05

# Relative: the extrema of a best error, and closed forms. The generator stops at 1e-8, within the root of that of their places.
LEVEL, PLACES = 1e-7, 1e-3


# ---- the kernels


@entries
def test_the_kernel_keeps_its_bound(entry):
    """And no more than that: a smaller error asks for a smaller bound."""
    error = entry.error(entry.kernel())
    assert error <= entry.bound <= error * ROUNDED_UP


@entries
def test_every_coefficient_is_there_in_its_dtype(entry):
    over, under = entry.written()
    assert (len(over), len(under)) == (entry.degree + 1, entry.under_degree)
    exact = over[1:] if entry.head else over            # what is added to a head has more digits than it needs
    assert all(float(np.dtype(entry.dtype).type(literal)) == float(literal) for literal in exact + under)


@entries
def test_a_coefficient_that_is_a_hundredth_off_breaks_the_bound(entry):
    samples = [entry.sample_at(t) for t in [entry.low, *chebyshev_points(entry.low, entry.high, 12), entry.high]]
    kernel = entry.kernel()
    first = len(entry.fixed) + (entry.head != 0)        # a head leaves its coefficient little
    for part, start in ("over", first), ("under", 1):
        coefficients = getattr(kernel, part)
        for i in range(start, len(coefficients)):
            slipped = (*coefficients[:i], coefficients[i] * mp.mpf("1.01"), *coefficients[i + 1:])
            ratio = kernel._replace(**{part: slipped})
            assert max(abs(weighted_error(ratio, sample)) for sample in samples) > entry.bound, (part, i)


@pytest.mark.parametrize("name", [name for name in TABLE if not name.startswith("quantile_double")])     # two seconds each
def test_the_best_is_what_the_comment_says(name):
    assert TABLE[name].best().error <= TABLE[name].stated * STATED


def test_constants_of_the_table_are_the_kernels_own():
    assert float(sources.literals("circle_float", ("across",))[-1]) == SINE_HEAD["float32"]
    assert float(sources.literals("circle_double", ("across",))[-1]) == SINE_HEAD["float64"]
    for function in "inverse_tail_float", "inverse_tail_narrow":
        assert [float(c) for c in sources.literals(function, ("return",))] == [SQRT_2PI]
    assert float(np.float32(sources.literals("tail_depth_float", ("return",))[-1])) == FLOAT_MIDDLE
    assert [float(c) for c in sources.literals("inverse_tail_double", ("v",))] == [5, DOUBLE_MIDDLE, DOUBLE_CENTRE]


# ---- where they are found

KERNEL = """
cdef inline double other(double x) noexcept nogil:
    return 9.0 * x

# 8.0
cdef inline float wanted(float x,
                         float y) noexcept nogil:
    \"\"\"7.0\"\"\"
    cdef bint far = x > 6.0
    cdef float over = ((<float>-0.5 if far else <float>0.25) * x
                       + <float>1e-3)                   # 5.0
    over = over * x + -2.5e-07
    return over - 3.0

cdef double next(double x) noexcept nogil:
    over = 4.0
"""


def test_literals_are_found_wherever_the_function_stands(tmp_path, monkeypatch):
    folder = tmp_path / "xentfast" / "some" / "folder"
    folder.mkdir(parents=True)
    (folder / "file.pxi").write_text(KERNEL, encoding="utf-8")
    monkeypatch.setattr(sources, "root", lambda: tmp_path)
    assert sources.literals("wanted", ("over",)) == ["-0.5", "0.25", "1e-3", "-2.5e-07"]
    assert sources.coefficients(sources.Place("wanted", ("over", "return"), start=1, step=2)) == ["-2.5e-07", "0.25"]
    with pytest.raises(LookupError, match="missing is defined in 0 files"):
        sources.literals("missing", ("over",))
    (tmp_path / "xentfast" / "again.pxi").write_text(KERNEL, encoding="utf-8")
    with pytest.raises(LookupError, match="wanted is defined in 2 files"):
        sources.literals("wanted", ("over",))


# ---- the best real coefficients


def plain(function):
    """Approximated with absolute errors."""
    return lambda t: Sample(t, function(t), mp.mpf(1))


def alternations(ratio, function, low, high):
    """The error's extrema on a grid, in doubles: the largest of each stretch of one sign."""
    t = (low + high - (high - low) * np.cos(np.linspace(0, np.pi, 20_001))) / 2
    over, under = (np.polyval([float(c) for c in reversed(part)], t) for part in ratio)
    error = over / under - function(t)
    stretches = np.split(error, np.flatnonzero(np.diff(np.sign(error))) + 1)
    return np.array([stretch[np.argmax(np.abs(stretch))] for stretch in stretches])


@pytest.mark.parametrize("degree, under", [(4, 0), (2, 2)])
def test_the_best_error_of_exp_alternates(degree, under):
    """Six extrema of one size, by NumPy: no polynomial of degree 4, and no ratio of degrees 2 and 2, has a smaller one."""
    best = minimax(plain(mp.exp), -1, 1, degree, under)
    extrema = alternations(best.ratio, np.exp, -1.0, 1.0)
    assert len(extrema) == len(best.extrema) == 6
    assert np.abs(extrema) == pytest.approx(float(best.error), rel=LEVEL)


def test_the_best_line_for_exp():
    """Its slope is the chord's, and its error −1 times that at the ends where exp has this slope (Muller 2016, section 3.3)."""
    best = minimax(plain(mp.exp), -1, 1, 1)
    slope = mp.sinh(1)
    constant = (mp.e - slope * mp.log(slope)) / 2
    assert [float(c) for c in best.ratio.over] == pytest.approx([float(constant), float(slope)], rel=LEVEL)
    assert best.error == pytest.approx(float(mp.e - slope - constant), rel=LEVEL)


@pytest.mark.parametrize("n", [3, 6, 11])
def test_the_best_error_of_a_power_is_chebyshev_s_polynomial(n):
    best = minimax(plain(lambda t: t**n), -1, 1, n - 1)
    assert best.error == pytest.approx(2.0 ** (1 - n), rel=LEVEL)
    assert [float(t) for t in best.extrema] == pytest.approx([float(-mp.cospi(mp.mpf(i) / n)) for i in range(n + 1)], abs=PLACES)


def test_weights_and_fixed_coefficients():
    """eᵗ = 1 + t·P(t), relative: 1 stays, and the error alternates with the weight, with one extremum fewer."""
    best = minimax(lambda t: Sample(t, mp.exp(t), mp.exp(-t)), mp.mpf("0.001"), 1, 4, fixed=(1,))
    assert best.ratio.over[0] == 1 and len(best.extrema) == 5
    errors = [float(mp.exp(-t) * (best.ratio(t) - mp.exp(t))) for t in best.extrema]
    assert errors == pytest.approx([errors[0], -errors[0]] * 2 + [errors[0]], rel=LEVEL)
    assert best.error > minimax(lambda t: Sample(t, mp.exp(t), mp.exp(-t)), mp.mpf("0.001"), 1, 4).error
    with pytest.raises(ValueError, match="fixed coefficients are for polynomials"):
        minimax(plain(mp.exp), 0, 1, 2, 2, fixed=(1,))


# ---- rounded ones


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_rounding_keeps_babai_s_bound(n):
    """The gap is at most half of each step's rest, along that rest: its square is a quarter of theirs, summed."""
    rng = np.random.default_rng(n)
    for _ in range(5):
        steps = rng.normal(size=(n, n + 3))
        wanted = rng.uniform(-100, 100, n)
        gap = (wanted - rounding.nearest([list(map(mp.mpf, step)) for step in steps], list(map(mp.mpf, wanted)))) @ steps
        rests = np.linalg.qr(steps[smallest_first(steps)].T)[1].diagonal()
        assert gap @ gap <= rests @ rests / 4


def smallest_first(steps):
    """Their order by the smallest rest beside those before, by projections."""
    order = []
    while len(order) < len(steps):
        basis = np.linalg.qr(steps[order].T)[0]
        rests = steps - steps @ basis @ basis.T
        order.append(min(set(range(len(steps))) - set(order), key=lambda i: rests[i] @ rests[i]))
    return order


def test_what_one_rounding_spoils_another_mends():
    """Of two steps that are nearly the same about one half each is wanted: one of either, not none of both."""
    steps = [[mp.mpf(100), mp.mpf(0)], [mp.mpf(100), mp.mpf(1)]]
    assert sorted(rounding.nearest(steps, [mp.mpf("0.49"), mp.mpf("0.49")])) == [0, 1]


@pytest.mark.parametrize("name", ["exp_float", "exp_double", "log_double", "cosine_float", "sine_double",
                                  "quantile_float_centre"])
def test_what_is_made_is_no_worse_than_the_kernel_s(name):
    """Rounded to the dtype as well, and as near at least."""
    entry = TABLE[name]
    made = entry.rounded(entry.best().ratio)
    over, under = entry.free(made)
    assert all(float(np.dtype(entry.dtype).type(float(c))) == c for c in over + under)
    assert entry.error(made) <= entry.error(entry.kernel())


# ---- the command


def run(*arguments):
    return subprocess.run([sys.executable, str(ROOT / "tools" / "gencoef"), *arguments], capture_output=True, text=True,
                          encoding="utf-8", env=os.environ | {"PYTHONIOENCODING": "utf-8"}, check=False)


def test_the_command_gives_back_the_kernel_s_log1p():
    """The coefficients of log1p_float come out of it to the last bit."""
    done = run("log1p_float")
    assert done.returncode == 0, done.stderr
    assert "P0        0.3333309292793274        0.3333309292793274\n" in done.stdout and "≠" not in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["log1p_float", "float32", "8", "0.019", "0.0198", "0.0198", "0.02", "1.00"]


def test_the_command_lists_names():
    assert [line.split()[0] for line in run("--list").stdout.splitlines() if line[0] != " "] == list(TABLE)
    wrong = run("exp_flaot")
    assert wrong.returncode == 2 and "no polynomial is called exp_flaot" in wrong.stderr
