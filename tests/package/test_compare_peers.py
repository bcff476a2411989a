"""The comparison with the peers has every public function, runs, and says what it leaves out."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import xentfast as xf
from xentfast._base import dispatch

pytestmark = pytest.mark.extras

FOLDER = Path(__file__).parents[2] / "asv_benchmarks" / "comparisons"
LIGHT = ("NumPy", "SciPy", "scikit-learn")          # those of the extra `test`


@pytest.fixture
def load(monkeypatch):
    """A module of the comparison, which is no installed package."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in [name for name in sys.modules if name.partition(".")[0] in ("peers", "compare_peers")]:
        del sys.modules[name]


@pytest.fixture
def quick(load):
    return load("peers.comparison").Run(threads=2, quick=True, peers=LIGHT)


def public_names():
    for name in xf.__all__:
        found = getattr(xf, name)
        yield from (f"{name}.{inner}" for inner in found.__all__) if isinstance(found, ModuleType) else (name,)


def test_every_public_function_is_compared(load):
    cases = load("peers.cases")
    assert set(public_names()) - cases.EXEMPT == cases.FUNCTIONS.keys()
    compared = {case.function for section in cases.SECTIONS.values() for case in section(True)}
    assert compared == cases.FUNCTIONS.keys()


def test_sections_are_those_of_the_command(load):
    command, cases = load("compare_peers"), load("peers.cases")
    assert (tuple(cases.SECTIONS), tuple(cases.OF_PICTURE)) == (command.SECTIONS, command.OF_PICTURE)
    assert set(cases.TITLES) == {*command.SECTIONS, *command.OF_PICTURE}


@pytest.mark.parametrize("section", ["losses", "softmax", "sigmoid", "probabilities", "linear", "weights", "calls"])
def test_light_peers_agree_with_us(quick, section, capsys):
    quick.section(section)
    quick.say_what_is_missing()
    text = capsys.readouterr().out
    assert quick.disagreements == 0, text
    assert "fails" not in text
    assert all(np.isfinite(figure["time"]) and figure["time"] > 0 for figure in quick.figures)


def test_a_wrong_peer_is_found_out(load, quick, capsys):
    sigmoid = load("peers.sigmoid")
    sigmoid.LIBRARIES["NumPy"] = lambda function, problem, threads: lambda: np.float32(1)
    quick.section("sigmoid")
    quick.say_what_is_missing()
    assert quick.disagreements and "NumPy gives another result" in capsys.readouterr().out


def broken(function, problem, threads):
    raise RuntimeError("no such thing")


def test_a_peer_that_fails_is_a_dash_and_a_line(load, quick, capsys):
    load("peers.sigmoid").LIBRARIES["NumPy"] = broken
    quick.section("sigmoid")
    quick.say_what_is_missing()
    assert "NumPy fails, sigmoid_cross_entropy 6 × 10: RuntimeError: no such thing" in capsys.readouterr().out


def test_our_own_failure_is_raised(load, quick):
    load("peers.sigmoid").LIBRARIES["xentfast"] = broken
    with pytest.raises(RuntimeError, match="no such thing"):
        quick.section("sigmoid")


def test_rows_that_a_peer_wins_are_marked(load):
    cases, tables = load("peers.cases"), load("peers.tables")
    case = next(cases.SECTIONS["losses"](True))
    for markdown in (False, True):
        table = tables.Table(["xentfast", "NumPy", "SciPy"], markdown)
        lost = table.row(case, 1.0, {"xentfast": 2.0, "NumPy": 1.0})
        won = table.row(case, None, {"xentfast": 1.0, "NumPy": 2.5})
        assert tables.MARK in lost and "2.00 [2.00]" in lost and "1.00 (0.50)" in lost
        assert tables.MARK not in won and "2.50 (2.50)" in won and "[" not in won


def test_limits_move_every_number(load):
    """Compiled on the spot; nothing where there is no compiler."""
    limits = load("peers.limits")
    count = 3 * 16_384 + 48                         # parts, and an incomplete one
    library = limits.build()
    if library is None:
        pytest.skip("no C compiler")
    to, source = limits.arrays(count)
    source[:] = np.arange(count) % 5
    for threads in (1, 2):
        for kind, expected in {"write": np.full(count, 2), "copy": source, "in place": source}.items():
            for call in limits.calls(kind, count, threads).values():
                to[:] = source if kind == "in place" else -1
                call()
                assert np.allclose(to, expected, rtol=1e-6)
        (total,) = (call() for call in limits.calls("read", count, threads).values())
        assert total == source.sum(dtype=np.float64)


def test_no_compiler_leaves_the_limits_out(load, monkeypatch, capsys):
    limits = load("peers.limits")
    monkeypatch.setenv("CC", "no-such-compiler")
    limits.build.cache_clear()
    assert limits.calls("read", 1024, 1) == {}
    assert "no-such-compiler" in capsys.readouterr().err


def run(*arguments):
    return subprocess.run([sys.executable, str(FOLDER / "compare_peers.py"), *arguments], capture_output=True, text=True)


def test_levels_side_by_side():
    done = run("sigmoid", "--levels", "--quick", "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert all(level in done.stdout for level in dispatch.supported_levels())
    assert "sigmoid_cross_entropy_grad_hess 6 × 10" in done.stdout


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    picture, figures = tmp_path / "peers.png", tmp_path / "figures.json"
    done = run("--plot", str(picture), "--json", str(figures), "--quick", "--threads", "2", "--peers", "NumPy", "SciPy")
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert {figure["library"] for figure in json.loads(figures.read_text())} >= {"xentfast", "NumPy", "SciPy"}


def test_picture_without_matplotlib_names_the_extra(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit, match=r"xentfast\[peers\]"):
        load("compare_peers").main(["--plot", "peers.png"])


@pytest.mark.parametrize("arguments", [["nothing"], ["--threads", "0"], ["--peers", "Excel"]])
def test_bad_arguments_say_what_is_expected(arguments):
    done = run(*arguments)
    assert done.returncode != 0 and "expected" in done.stderr
