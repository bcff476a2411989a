"""The level is the one asked for, and what cannot be asked for says what can."""

import os
import subprocess
import sys

import pytest
from cpython_capsule import foreign_table

import xentfast as xf
from xentfast import _build
from xentfast._base import dispatch, level
from xentfast._base.level import chosen

pytestmark = pytest.mark.every_build

LEVELS = dispatch.supported_levels()


def import_with(cap):
    code = "import xentfast._base.dispatch as d; print(d._level.chosen.kernels.level)"
    environment = {key: value for key, value in os.environ.items() if key != "XENTFAST_CPU"}
    if cap is not None:
        environment["XENTFAST_CPU"] = cap
    return subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, timeout=60)


@pytest.mark.parametrize("cap", [None, "", *LEVELS])
def test_a_process_for_each_level(cap):
    run = import_with(cap)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == (cap or LEVELS[-1])


def test_an_unknown_name_lists_the_choices():
    run = import_with("avx9")
    assert run.returncode != 0 and "ImportError" in run.stderr
    assert f"XENTFAST_CPU is 'avx9', which is no level; the levels here are: {', '.join(LEVELS)}" in run.stderr


def test_an_absent_level_lists_the_choices(monkeypatch):
    monkeypatch.setattr(level, "x86_64_level", lambda: 1)
    assert dispatch.supported_levels() == ["baseline"] and dispatch.choose_level(None) == "baseline"
    if "x86_64_v4" in _build.LEVELS:
        with pytest.raises(ImportError, match="is not supported by this CPU and operating system; the levels here are: baseline"):
            dispatch.choose_level("x86_64_v4")
    monkeypatch.setattr(dispatch, "LEVELS", {"baseline": ""})
    with pytest.raises(ImportError, match="which was not built; the levels here are: baseline"):
        dispatch.choose_level("x86_64_v3")


def test_levels_above_the_machine_are_not_imported():
    """Their module's first instruction could be one that the CPU has not."""
    code = "import sys, xentfast; print(sorted(m for m in sys.modules if 'x86_64' in m))"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True,
                         env={**os.environ, "XENTFAST_CPU": "baseline"})
    assert run.stdout.strip() == "[]"


def test_show_config(capsys):
    xf.show_config()
    text = capsys.readouterr().out
    for word in (xf.__version__, _build.COMPILER, "-ffp-contract=off" if os.name == "posix" else "/fp:precise",
                 "OpenMP", *_build.LEVELS, f"chosen {chosen.kernels.level}", "threads"):
        assert word in text


def test_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert xf.__version__ == version("xentfast")


@pytest.mark.parametrize("unit", ["softmax_float", "softmax_double", "sigmoid", "probabilities", "random"])
def test_kernels_of_another_build_are_refused(unit):
    """Their structs could be laid out differently: a crash at best."""
    own = dispatch.load("baseline").table_of

    with pytest.raises(ImportError, match="the kernels for baseline come from another build"):
        level.Kernels("baseline", lambda name: foreign_table(unit.partition("_")[0]) if name == unit else own(name)).load()
