"""Who may import whom, as docs/how/architecture.md says: read from the sources, which an installed wheel does not have."""

import ast
import re
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
PACKAGE = ROOT / "xentfast"
BUILT = PACKAGE / "_build.py"           # by setup.py, in a checkout that is built in place
PICTURE = (ROOT / "docs/how/architecture.md").read_text()
FOLDERS = sorted(path for path in PACKAGE.rglob("*") if path.is_dir() and path.name != "__pycache__")
SOURCES = sorted(path.relative_to(PACKAGE).as_posix() for folder in (PACKAGE, *FOLDERS) for path in folder.iterdir()
                 if path.suffix in (".py", ".pyx", ".pxd", ".pxi", ".h") and path != BUILT)

# (rule, whose files, what they may name). A cimport names a .pxd, an import a .py or .pyx. {0} is what the first bracket matched.
BASE = r"_base/.*|_kernels/\w+\.pxd"
FOR_OTHERS = r"(functions|normalise|checks|call)\.\w+"              # of a topic
RULES = [
    (1, r"_kernels/(softmax|sigmoid|probabilities|random)[_./].*", r"_kernels/(arrays\.pxd|numerics/.*|{0}[_./].*)"),
    (1, r"_kernels/(arrays\.pxd|numerics/.*)", r"_kernels/numerics/.*"),
    (2, r"_base/.*", rf"{BASE}|_build\.py|_kernels/numerics/(bits\.pxi|totals\.pxi|machine\.h)"),
    (3, r"_softmax/(functions|normalise)\..*", rf"{BASE}|_softmax/(plain|loops|call|checks)\..*"),
    (3, r"_softmax/plain\..*", rf"{BASE}|_softmax/(loops|call)\.pxd"),
    (3, r"_softmax/loops\..*", rf"{BASE}|_softmax/(call|checks)\..*"),
    (3, r"_softmax/call\..*", rf"{BASE}|_softmax/checks\..*"),
    (3, r"_softmax/checks\..*", BASE),
    (3, r"(_sigmoid|_probabilities)/functions\..*", rf"{BASE}|{{0}}/(plain|checks|loops)\..*"),
    (3, r"(_sigmoid|_probabilities)/plain\..*", rf"{BASE}|{{0}}/loops\.pxd"),
    (3, r"(_sigmoid|_probabilities)/checks\..*", rf"{BASE}|{{0}}/loops\..*"),
    (3, r"(_sigmoid|_probabilities)/loops\..*", BASE),
    (4, r"_partials/functions\..*", rf"{BASE}|_partials/(checks|loops)\..*|_softmax/{FOR_OTHERS}"),
    (4, r"_partials/checks\..*", rf"{BASE}|_partials/loops\..*|_softmax/{FOR_OTHERS}"),
    (4, r"_partials/loops\..*", rf"{BASE}|_softmax/(call|loops)\.pxd"),
    (4, r"_linear/functions\..*", rf"{BASE}|_linear/(checks|products)\..*|(_softmax|_partials)/{FOR_OTHERS}"),
    (4, r"_linear/checks\..*", rf"{BASE}|_linear/products\..*|(_softmax|_partials)/{FOR_OTHERS}"),
    (4, r"_linear/products\..*", BASE),
    (5, r"init/.*", r"(init|random|_base)/.*|_kernels/(arrays|random)\.pxd"),
    (5, r"random/.*", r"(random|_base)/.*|_kernels/((arrays|random)\.pxd|numerics/machine\.h|random/philox\.h)"),
    (6, r"(torch|dask|boosting)/.*", rf"({{0}}|_base|init)/.*|random/(?!_loops).*|__init__\.py|_\w+/{FOR_OTHERS}"),
    (6, r"jax/_handlers\..*", r"jax/ffi\.h|__init__\.pxd|_kernels/numerics/machine\.h"),
    (6, r"jax/(?!_handlers).*", rf"jax/.*|_base/.*|__init__\.py|_\w+/{FOR_OTHERS}"),
    (6, r"_capi.*", rf"{BASE}|_capi.*|__init__\.pxd|include/.*|\w+/_?loops\.pxd|random/_fills\.py"),
    (7, r"_demo/.*", r"_demo/.*|__init__\.py|(init|random|boosting|torch|dask|jax)/(__init__|init)\.py|capi\.py"),
]


def imports(path):
    """(xentfast.package, a name in it or '', "import" or "cimport"); but for what a type checker alone imports."""
    text = (PACKAGE / path).read_text()
    if path.endswith(".py"):
        waiting = [ast.parse(text)]
        while waiting:
            node = waiting.pop()
            typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            waiting += node.orelse if typing else ast.iter_child_nodes(node)
            if isinstance(node, ast.Import):
                yield from ((alias.name, "", "import") for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path} has a relative import"
                yield from ((node.module, alias.name, "import") for alias in node.names)
        return
    text = re.sub(r"#.*", "", text)
    for package, how, names in re.findall(r"^[ \t]*from\s+([\w.]+)\s+(c?import)\s*(\([^)]*\)|.*)", text, re.M):
        yield from ((package, name, how) for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names))
    for how, names in re.findall(r"^[ \t]*(c?import)\s+(.+)", text, re.M):
        yield from ((name, "", how) for name in re.findall(r"([\w.]+)(?:\s+as\s+\w+)?", names))


def imported_files(path):
    """Paths in the package: a module's, its package's where the name is no module, or the name itself where there is neither."""
    for package, name, how in imports(path):
        if package.split(".")[0] == "xentfast":
            folder = package.replace(".", "/")
            kinds = (".pxd",) if how == "cimport" else (".py", ".pyx")
            modules = [f"{folder}/{name}", folder] if name else [folder]
            found = [f"{stem}{kind}" for module in modules for stem in (module, f"{module}/__init__") for kind in kinds
                     if (ROOT / f"{stem}{kind}").is_file() or ROOT / f"{stem}{kind}" == BUILT]
            yield (found[0] if found else f"xentfast/{name or folder}.py").removeprefix("xentfast/")
    for name in re.findall(r'^[ \t]*(?:#?include|cdef extern from)\s+"(.+)"', (PACKAGE / path).read_text(), re.M):
        found = [folder / name for folder in ((PACKAGE / path).parent, PACKAGE, PACKAGE / "_kernels", PACKAGE / "include")
                 if (folder / name).is_file()]                                          # none: the system's
        yield from (one.resolve().relative_to(PACKAGE.resolve()).as_posix() for one in found[:1])


@pytest.mark.parametrize("path", SOURCES)
def test_imports(path):
    rules = [rule for rule in RULES if re.fullmatch(rule[1], path)]
    found = sorted(set(imported_files(path)) - {path})
    assert rules or "/" not in path or not found, f"{path} is under no rule"
    for number, whose, may in rules:
        may = may.format(*re.fullmatch(whose, path).groups())
        assert not [f"rule {number}: {path} imports {one}" for one in found if not re.fullmatch(may, one)]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.endswith((".pyx", ".pxi"))])
def test_no_lists_are_built_in_cython(path):
    """By comprehensions, or stars in tuples and lists: where there is no memory for one more, Cython frees an element twice."""
    code = re.sub(r"#.*", "", (PACKAGE / path).read_text())
    assert not re.search(r"\[[^\[\]\n]*\bfor\b[^\[\]\n]*\bin\b|[(\[] *\*\w[^()\n]*,", code)


def test_every_folder_is_in_the_picture():
    assert not [folder for folder in FOLDERS if f"{folder.name}/" not in PICTURE]


def test_every_file_of_the_picture_is_there():
    """By its path, or the end of that."""
    names = set(re.findall(r"`([\w./]+\.(?:py|pyx|pxd|pxi|h))`", PICTURE))
    paths = [f"/{path.relative_to(ROOT).as_posix()}" for folder in (PACKAGE, ROOT / "tests", ROOT / "tools")
             for path in folder.rglob("*.*")]
    assert not [name for name in sorted(names - {BUILT.name}) if not any(path.endswith(f"/{name}") for path in paths)]
