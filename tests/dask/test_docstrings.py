"""On Dask arrays, docstrings stand alone: each argument once, in the signature's order, described as it is on Dask arrays."""

import inspect
import re
import subprocess
import sys

import pytest

import xentfast as xf

pytest.importorskip("dask")
xd = pytest.importorskip("xentfast.dask")

pytestmark = pytest.mark.extras

FUNCTIONS = [name for name in xd.__all__ if name != "init"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_is_described(name):
    function, text = getattr(xd, name), inspect.getdoc(getattr(xd, name))
    assert text.splitlines()[0] == inspect.getdoc(getattr(xf, name)).splitlines()[0]
    assert f"\n\nAs `xentfast.{name}`, on Dask arrays" in text
    parameters = re.search(r"\nParameters\n-+\n(.*?)\n\nReturns\n", text, re.S)[1]
    assert re.findall(r"^(\w+) : ", parameters, re.M) == list(inspect.signature(function).parameters)
    assert "n_threads : int or None, default 1\n    Threads for each block" in parameters
    assert not re.search(r"As there|As for `|`out\b|out=", text)
    assert all(len(line) <= 130 for line in text.splitlines())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_are_called_what_they_may_be(name):
    types = dict(re.findall(r"^(\w+) : (.*)", inspect.getdoc(getattr(xd, name)), re.M))
    for parameter in inspect.signature(getattr(xd, name)).parameters.values():
        kind = parameter.annotation.removesuffix(" | None")
        expected = {"da.Array": "dask.array.Array", "DaskArray": "dask.array.Array", "Arrays": "dask or numpy array",
                    "ArrayLike": "array_like"}.get(kind)
        assert expected is None or types[parameter.name].startswith(expected), parameter


def test_import_without_docstrings():
    done = subprocess.run([sys.executable, "-OO", "-P", "-c", "import xentfast.dask as xd; print(xd.softmax.__doc__)"],
                          capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("None\n", "")
