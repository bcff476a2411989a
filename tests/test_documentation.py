"""The documentation runs: every doctest, every Python block of README.md, and every public name is documented."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import xentfast as xf

ROOT = Path(__file__).parents[1]
MODULES = [module.name for module in pkgutil.iter_modules(xf.__path__) if module.name != "__main__"]
PUBLIC = [name for name in xf.__all__ if callable(getattr(xf, name))]


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(f"xentfast.{name}"))
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_numpydoc(name):
    """Sections in numpydoc's order, and every parameter described."""
    function = getattr(xf, name)
    text = inspect.getdoc(function)
    sections = re.findall(r"^(\w+)\n-+$", text, re.M)
    order = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]
    assert sections == [section for section in order if section in sections] and "Examples" in sections
    if inspect.signature(function).parameters:
        assert {"Parameters", "Returns", "Raises"} <= set(sections)
        described = text.partition("Parameters")[2].partition("Returns")[0]
        for parameter in inspect.signature(function).parameters:
            assert re.search(rf"^[\w, ]*\b{parameter}\b[\w, ]*( :|$)", described, re.M), parameter


def test_readme_blocks_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"np": np})


def test_readme_names_every_public_function():
    text = (ROOT / "README.md").read_text()
    assert [name for name in PUBLIC if f"`{name}" not in text and f"xf.{name}" not in text] == []


def test_files_that_readme_names_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_every_module_says_what_it_is():
    for path in (ROOT / "xentfast").rglob("*.py"):
        text = path.read_text()
        assert not text or text.lstrip().startswith('"""'), path
