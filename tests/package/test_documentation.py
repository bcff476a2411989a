"""The documentation runs: every doctest, every Python block of README.md and of the site's pages; and every public name is
documented, in numpydoc's form and on a page of the reference."""

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
CALLABLE = [name for name in public_names() if callable(operator.attrgetter(name)(xf))]

# What numpydoc.validate would have otherwise, and why it is not.
OTHERWISE = {
    "ES01": "where the summary says what there is to say, no second paragraph repeats it",
    "PR08": "a description may begin with a symbol or the name of a dtype, which have a case of their own: γ, float16",
    "RT02": "one result, too, has the name that Notes and other functions call it by: loss, grad",
    "RT04": "as PR08: float64 for float64 logits",
}


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


@pytest.mark.parametrize("name", PUBLIC)
def test_numpydoc(name):
    """Sections in numpydoc's order, and every parameter described."""
    function = operator.attrgetter(name)(xf)
    text = inspect.getdoc(function)
    sections = re.findall(r"^(\w[\w ]*)\n-+$", text, re.M)
    order = ["Parameters", "Returns", "Raises", "See Also", "Notes", "References", "Examples"]
    assert sections == [section for section in order if section in sections] and {"See Also", "Examples"} <= set(sections)
    if inspect.signature(function).parameters:
        assert {"Parameters", "Raises"} <= set(sections) and ("Returns" in sections or inspect.isclass(function))
        described = text.partition("Parameters")[2].partition("Returns" if "Returns" in sections else "Raises")[0]
        for parameter in inspect.signature(function).parameters:
            assert re.search(rf"^[\w, ]*\b{parameter}\b[\w, ]*( :|$)", described, re.M), parameter


@pytest.mark.parametrize("name", CALLABLE)
def test_numpydoc_finds_no_fault(name):
    """Types, the signature's order, periods, what links say: what numpydoc looks at, which the extra `docs` brings."""
    validate = pytest.importorskip("numpydoc.validate").validate
    assert [error for error in validate(f"xentfast.{name}")["errors"] if error[0] not in OTHERWISE] == []


def names_in_reference():
    """Those in tables, and data that is described in place, as often as they are there; but for what is not installed."""
    for page in sorted((ROOT / "docs/reference").glob("*.md")):
        for block in re.findall(r"^```\{eval-rst\}\n(.*?)^```", page.read_text(), re.S | re.M):
            yield from filter(is_installed, re.findall(r"^(?:   |\.\. py:data:: )(\w[\w.]*)$", block, re.M))


def test_every_public_name_is_on_one_page_of_the_reference():
    assert sorted(names_in_reference()) == sorted(public_names())


# README.md and the pages of the site that are written by hand.
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "examples" not in path.parts)]


def blocks():
    """(page, what its blocks need beside the `test` extra, their code): <!-- needs torch --> may stand above a block. Those of a
    page with the same needs run one after the other, as a reader would."""
    for page in PAGES:
        found = {}
        for needs, code in re.findall(r"(?:<!-- needs ([\w ]+) -->\n+)?```python\n(.*?)```", page.read_text(), re.S):
            found.setdefault(" ".join(sorted(needs.split())), []).append(code)
        for needs, codes in found.items():
            yield pytest.param(page, needs, codes, id=f"{page.relative_to(ROOT)}-{needs}")


@pytest.mark.parametrize(("page", "needs", "codes"), list(blocks()))
def test_blocks_run(page, needs, codes, tmp_path, monkeypatch):
    """The `peers` extra brings what they need."""
    for module in needs.split():
        pytest.importorskip(module)
    monkeypatch.chdir(tmp_path)
    names = {}
    for code in codes:
        exec(compile(code, page.name, "exec"), names)


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_exist(page):
    """Pages of the gallery are made from its scripts."""
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target
    for name in re.findall(r"<\.\./examples/(plot_\w+)>`", text):
        assert (ROOT / f"examples/gallery/{name}.py").exists(), name


def test_every_module_says_what_it_is():
    for path in (ROOT / "xentfast").rglob("*.py"):
        text = path.read_text()
        assert not text or text.lstrip().startswith('"""'), path
