"""What packs an application (PyInstaller, Nuitka, cx_Freeze) follows import statements of Python: they lead to every module."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import xentfast

PACKAGE = Path(xentfast.__file__).parent
APART = ("__main__", "_demo", "boosting", "dask", "jax", "torch")      # who uses them imports them
APPLICATION = """
import xentfast as xf
print(xf.softmax_cross_entropy([[0.0, 1.0]], [1]), xf.sigmoid_cross_entropy([1.0], [1.0]), xf.entropy([0.5, 0.5]))
print(xf.init.he_normal((2, 2), rng=0), xf.random.Philox4x32(1).random_raw(), xf.capi.__name__)
print(xf.linear_cross_entropy([[1.0]], [[1.0], [2.0]], [0]))
xf.show_config()
"""


def modules():
    """Names of all modules that are installed, packages among them."""
    for path in PACKAGE.rglob("*"):
        if path.suffix in (".py", ".so", ".pyd") and path.relative_to(PACKAGE).parts[0].partition(".")[0] not in APART:
            parts = (*path.relative_to(PACKAGE.parent).parent.parts, path.name.partition(".")[0])
            yield ".".join(parts).removesuffix(".__init__")


def named():
    """Whatever may be a module in an import statement, though it stand where no code comes by."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_module_is_imported_by_a_statement():
    found = set(named())
    assert sorted(name for name in set(modules()) if not any(one == name or one.startswith(f"{name}.") for one in found)) == []


@pytest.mark.extras
def test_a_packed_application(tmp_path):
    pytest.importorskip("PyInstaller")
    program = tmp_path / "application.py"
    program.write_text(APPLICATION)
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "ERROR", "--paths", str(PACKAGE.parent), str(program)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    packed = subprocess.run([tmp_path / "dist/application/application"], cwd=tmp_path, check=True, capture_output=True, text=True)
    plain = subprocess.run([sys.executable, "-P", str(program)], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert packed.stdout == plain.stdout != ""
