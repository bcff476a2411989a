"""Every public name has types for type checkers: in a stub beside its module, or in the module itself. What these make of them is
seen by `nox -s types` alone."""

import ast
import operator
import runpy
from pathlib import Path

import pytest
from extras import is_installed, public_names

import xentfast as xf

pytestmark = pytest.mark.extras

PACKAGE = Path(__file__).parents[2] / "xentfast"
SAMPLE = runpy.run_path(str(Path(__file__).with_name("typed_use.py")))
# Functions and classes; what is neither has its value for all to see.
PUBLIC = [name for name in public_names() if callable(operator.attrgetter(name)(xf))]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyx")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_compiled_module_has_a_stub(path):
    """But for the kernels, which the dispatch alone imports."""
    assert path.with_suffix(".pyi").exists() != ("_kernels" in path.parts)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.pyi")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_stub_has_its_module(path):
    assert path.with_suffix(".py").exists() or path.with_suffix(".pyx").exists()


def definitions(found):
    """Those of a function or of a class's methods that type checkers see, each of its overloads."""
    # Classes may name the package that users import them from.
    module = getattr(vars(found).get("__init__"), "__module__", found.__module__)
    source = PACKAGE.parent.joinpath(*module.split("."))
    paths = [source.with_suffix(".pyi")] if source.with_suffix(".pyi").exists() else [source.with_suffix(".py")]
    if source.is_dir():
        paths = sorted(source.glob("*.pyi"))            # of a compiled class
    own = [node for path in paths for node in ast.parse(path.read_text()).body if getattr(node, "name", None) == found.__name__]
    for node in own:
        yield from (method for method in node.body if isinstance(method, ast.FunctionDef)) if isinstance(found, type) else [node]


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_annotated(name):
    found = operator.attrgetter(name)(xf)
    functions = list(definitions(found))
    assert functions or isinstance(found, type)             # a C structure has fields alone
    for function in functions:
        given = function.args
        several = [one for one in (given.vararg, given.kwarg) if one]
        arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *several][isinstance(found, type):]
        assert [argument.arg for argument in arguments if argument.annotation is None] == []
        assert function.returns is not None and ast.unparse(function.returns) != "Any", function.name


@pytest.mark.parametrize("name", [name for name, use in SAMPLE.items() if not name.startswith("__")
                                  and getattr(use, "__module__", "") == SAMPLE["__name__"]])
def test_the_sample_runs(name):
    if name in ("torch", "dask", "jax") and not is_installed(name):
        pytest.skip(f"needs {name}")
    SAMPLE[name]()
