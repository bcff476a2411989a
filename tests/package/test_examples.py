"""The examples run as a user would run them, against the package that is installed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.extras

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name):
    # -P: the package is the installed one, not what happens to lie beside the example
    done = subprocess.run([sys.executable, "-P", str(EXAMPLES / name)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_class_parallel():
    pytest.importorskip("torch")
    lines = run("class_parallel.py").splitlines()
    assert len(lines) == 2 and len({line.partition(", loss ")[2] for line in lines}) == 1
