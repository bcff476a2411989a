"""The documentation runs: every doctest, every Python block of README.md, and every public name is documented."""

import ctypes
import doctest
import importlib
import inspect
import operator
import pkgutil
import re
from pathlib import Path

import pytest
from extras import is_installed, public_names

import xentfast as xf

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[2]
# Kernel levels are imported by the dispatch alone: this machine may not be able to run them all.
MODULES = [module.name for module in pkgutil.walk_packages(xf.__path__, "xentfast.")
           if not module.name.endswith("__main__") and "_kernels" not in module.name
           and is_installed(module.name.removeprefix("xentfast."))]


def is_documented_here(name):
    """What is called; but for the structures of `capi`, whose fields xentfast.h has."""
    found = operator.attrgetter(name)(xf)
    return callable(found) and not (inspect.isclass(found) and issubclass(found, ctypes.Structure))


# Names as a user types them after "xf.".
PUBLIC = list(filter(is_documented_here, public_names()))


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_numpydoc(name):
    """Sections in numpydoc's order, and every parameter described."""
    function = operator.attrgetter(name)(xf)
    text = inspect.getdoc(function)
    sections = re.findall(r"^(\w+)\n-+$", text, re.M)
    order = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]
    assert sections == [section for section in order if section in sections] and "Examples" in sections
    if inspect.signature(function).parameters:
        assert {"Parameters", "Raises"} <= set(sections) and ("Returns" in sections or inspect.isclass(function))
        described = text.partition("Parameters")[2].partition("Returns" if "Returns" in sections else "Raises")[0]
        for parameter in inspect.signature(function).parameters:
            assert re.search(rf"^[\w, ]*\b{parameter}\b[\w, ]*( :|$)", described, re.M), parameter


def readme_blocks():
    """(what a block needs beside the `test` extra, its code): <!-- needs torch --> may stand above a block."""
    text = (ROOT / "README.md").read_text()
    return [(set(needs.split()), code) for needs, code in
            re.findall(r"(?:<!-- needs ([\w ]+) -->\n+)?```python\n(.*?)```", text, re.S)]


def test_readme_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = [code for needs, code in readme_blocks() if not needs]
    assert blocks
    names = {}
    for block in blocks:                    # one after the other, as a reader would
        exec(compile(block, "README.md", "exec"), names)


@pytest.mark.parametrize("needs", sorted({" ".join(sorted(needs)) for needs, _ in readme_blocks() if needs}))
def test_readme_blocks_of_extras_run(needs, tmp_path, monkeypatch):
    """Those with the same needs, one after the other; the `peers` extra brings what they need."""
    for module in needs.split():
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in [code for wanted, code in readme_blocks() if wanted == set(needs.split())]:
        exec(compile(block, "README.md", "exec"), names)


def test_readme_names_every_public_function():
    """Those of xentfast.dask have the names of those that they are on Dask arrays."""
    text = (ROOT / "README.md").read_text()
    names = {name.removeprefix("dask.") for name in PUBLIC}
    assert [name for name in names if not any(f"{start}{name}" in text for start in ("`", "xf.", "xentfast."))] == []
    assert "`xentfast.dask`" in text and "`xentfast.dask.init`" in text


def test_files_that_readme_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_every_module_says_what_it_is():
    for path in (ROOT / "xentfast").rglob("*.py"):
        text = path.read_text()
        assert not text or text.lstrip().startswith('"""'), path
