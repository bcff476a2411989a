"""python -OO, which leaves no asserts and no docstrings: every module is imported, every function gives what it gives without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from good_calls import answers

pytestmark = pytest.mark.extras

HELPERS = Path(__file__).parents[1] / "helpers"
PROGRAM = """
import importlib, json, pkgutil, sys
import xentfast
from extras import is_installed
from good_calls import answers

assert False, "asserts are on"
for module in pkgutil.walk_packages(xentfast.__path__, "xentfast."):
    if "__main__" not in module.name and "_kernels" not in module.name and is_installed(module.name.removeprefix("xentfast.")):
        importlib.import_module(module.name)
if xentfast.softmax.__doc__ is not None:
    raise SystemExit("docstrings are there")
json.dump(answers(), sys.stdout)
"""


def test_without_asserts_and_docstrings():
    done = subprocess.run([sys.executable, "-P", "-OO", "-c", PROGRAM], capture_output=True, text=True, timeout=300,
                          env=os.environ | {"PYTHONPATH": str(HELPERS), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr
    found, want = json.loads(done.stdout), answers()
    assert found.keys() == want.keys() and [name for name in want if found[name] != want[name]] == []
