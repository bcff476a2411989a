"""setup.py builds wherever the sources lie: names with blanks and letters beyond ASCII, no git, the C locale, nothing to be
written beside them."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("cc"), reason="asks a compiler of Unix")

# Two modules stand for all.
DRIVER = """
import importlib.util, sys, tempfile

def load():
    spec = importlib.util.spec_from_file_location("xentfast_setup", "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.UNITS, module.MODULES = ["random"], ["_base.memory"]
    return module

def no_room(*args, **kwargs):
    raise OSError(30, "Read-only file system")

if __name__ == "__main__":
    module = load()
    if sys.argv.pop(1) == "read-only":
        tempfile.TemporaryFile = no_room
    module.main()
"""


@pytest.fixture
def sources(tmp_path):
    folder = tmp_path / "Quellen für später"
    folder.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    built = shutil.ignore_patterns("*.so", "*.c", "_build.py", "__pycache__")
    shutil.copytree(ROOT / "xentfast", folder / "xentfast", ignore=built)
    (tmp_path / "driver.py").write_text(DRIVER)
    return folder


def run(sources, how, *arguments):
    environment = os.environ | {"LC_ALL": "C", "CFLAGS": "-O0"}
    command = [sys.executable, str(sources.parent / "driver.py"), how, "-q", *arguments]
    done = subprocess.run(command, cwd=sources, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("how", ["usual", "read-only"])
def test_a_wheel(sources, how):
    before = files(sources)
    run(sources, how, "bdist_wheel", "--dist-dir", "../wheels")
    wheel, = (sources.parent / "wheels").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert sum("_base/memory." in name and not name.endswith((".pyi", ".pxd")) for name in names) == 1
    assert any("_kernels/baseline/random." in name for name in names) and "xentfast/_build.py" in names
    if how == "read-only":
        assert files(sources) == before


def test_an_sdist_without_git(sources):
    run(sources, "usual", "sdist", "--dist-dir", "../sdists")
    archive, = (sources.parent / "sdists").glob("*.tar.gz")
    shutil.unpack_archive(archive, sources.parent / "unpacked", filter="data")
    unpacked, = (sources.parent / "unpacked").iterdir()
    missing = {path.relative_to(ROOT / "xentfast") for path in (ROOT / "xentfast").rglob("*.p[yx][xdi]")} - {
        path.relative_to(unpacked / "xentfast") for path in (unpacked / "xentfast").rglob("*")}
    assert not missing
