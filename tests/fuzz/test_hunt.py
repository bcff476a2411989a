"""Hostile calls from seeds: ten thousand in each run, as many as one likes by hand (`python tests/fuzz/hunt.py --help`)."""

import sys
import warnings

import hunt
import numpy as np
import pytest
from cases import FAMILIES, Case
from comparing import Finding, check, check_bits
from drawing import Draw
from extras import public_names
from tolerances import needs_long_double

from xentfast._base.level import chosen, policy

pytestmark = [pytest.mark.every_build, pytest.mark.extras, pytest.mark.usefixtures("one_blas_thread")]

CALLS, PARTS = 10_000, 10
# What computes nothing; and what fills or changes modules, which tests/torch have.
EXEMPT = {"__version__", "get_include", "show_config", "boosting.base_margin", "torch.init_module", "torch.init.init_module"}


@pytest.fixture
def no_grain(monkeypatch):
    """In place of the one for all tests: a hunt sets these itself."""
    for holder, name in ((policy, "grain"), (policy, "piece"), (chosen, "kernels")):
        monkeypatch.setattr(holder, name, getattr(holder, name))


@needs_long_double
@pytest.mark.parametrize("part", range(PARTS))
def test_hostile_calls(part):
    """The seed is the same each time, so that a change fails which breaks something, and no other."""
    found, counted = hunt.hunt(seed=20261128, first=part * CALLS // PARTS, calls=CALLS // PARTS)
    assert not found, "\n".join(found)
    assert counted.total() > 0.9 * CALLS / PARTS


@needs_long_double
def test_a_call_follows_from_its_seed():
    draws = [Draw(5, 77), Draw(5, 77), Draw(5, 78)]
    first, again, other = ([draw.random.random(), *draw.rng.random(3)] for draw in draws)
    assert first == again != other
    assert hunt.one_call(3, 1) == hunt.one_call(3, 1)


def test_every_function_has_cases():
    """Of the modules for other libraries: those that hand arrays on. Their initialisers and C structures go by others' names."""
    names = {name for name in public_names() if not name.startswith(("capi.", "dask.init.", "torch.init."))} - EXEMPT
    assert names <= set(FAMILIES) | {"dask.log_loss"}
    assert not set(FAMILIES) - {"capi.table"} - set(public_names())


# ---- that a hunt finds something


def broken(result=lambda x: x + 1, **more):
    """A case of a function that adds 1 to x."""
    x = np.arange(3.0)
    values = {"name": "broken", "function": lambda x: result(x), "given": {"x": x}, "plain": {"x": x.copy()},
              "judge": lambda results: check("it", results[0], np.arange(3.0) + 1, 1.0, 1.0)}
    return Case(**(values | more))


def write_to(x):
    x[0] = 5
    raise ValueError("too late")


@pytest.mark.parametrize(("function", "message"), [
    (lambda x: x + 1.0001, "it.* is .*; expected"), (lambda x: x + np.where(x == 2, np.nan, 1), "is .*nan"),
    (lambda x: x + np.float32(1) if type(x) is np.ndarray else x + 2, "element 0 is"),
    (lambda x: [][1], "a valid call is refused"), (lambda x: (x + 1)[:2], "has shape"), (write_to, "a valid call is refused")])
def test_wrong_answers_are_found(function, message):
    draw = Draw(1, 1)
    case = broken(function)
    case.given["x"] = draw.held(case.given["x"].view(np.memmap if "element" in message else np.ndarray))
    with pytest.raises(Finding, match=message):
        hunt.valid_call(draw, case)


def test_changed_memory_is_found():
    draw = Draw(1, 1)
    x, out = draw.held(np.zeros(3)), draw.view((3,), np.dtype(float))
    assert not draw.changed(into_outputs=True)
    draw.filled(out)
    out[...] = 3
    assert not draw.changed(into_outputs=True) and draw.changed(into_outputs=False)
    x[1] = 1
    assert draw.changed(into_outputs=True)


@pytest.mark.parametrize(("function", "message"), [(lambda x: None, "no error"), (write_to, "memory has changed"),
                                                   (lambda x: {}["x"], "KeyError"), (lambda x: int(""[1:]), None)])
def test_wrong_errors_are_found(function, message):
    draw = Draw(1, 1)
    given = {"x": draw.held(np.zeros(3))}
    case = broken(function)
    if message is None:
        hunt.refused_call(draw, case, given, "it", must=True)
    else:
        with pytest.raises(Finding, match=message):
            hunt.refused_call(draw, case, given, "it", must=True)


def test_bits_and_bounds():
    one = np.ones(2, np.float32)
    with pytest.raises(Finding, match="element 1"):
        check_bits("it", one, np.array([1, np.nextafter(1, 2, dtype=np.float32)], np.float32))
    with pytest.raises(Finding, match="float32"):
        check_bits("it", one, np.ones(2))
    for got, exact, fine in ((1.0, 1 + 1e-7, True), (1.0, 1 + 1e-6, False), (np.inf, 1e39, True), (np.inf, 1e38, False),
                             (0.0, 1e-39, True), (0.0, 1e-37, False), (np.nan, np.nan, True), (np.nan, 1.0, False),
                             (np.inf, -1e39, False), (-np.inf, -np.inf, True), (1.0, np.inf, False)):
        with (warnings.catch_warnings() if fine else pytest.raises(Finding, match="expected")):
            check("it", np.array([got], np.float32), np.array([exact], np.longdouble), 0.0, 2.0)


def test_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["hunt.py", "--seed", "7", "--calls", "50", "--only", "softmax", "entropy"])
    assert not hunt.main()
    assert "--seed 7" in capsys.readouterr().out
