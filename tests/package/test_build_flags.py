"""setup.py with the compilers and flags that users have: values do not depend on them, and what is missing is said."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("cc"), reason="asks a compiler of Unix")


@pytest.fixture(scope="module")
def setup_module():
    spec = importlib.util.spec_from_file_location("xentfast_setup", ROOT / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def command(setup_module, monkeypatch):
    """A function of environment variables: the build command with its compiler, as setuptools makes it of them."""
    from setuptools import Distribution
    from setuptools._distutils.ccompiler import new_compiler
    from setuptools._distutils.sysconfig import customize_compiler

    def make(**environment):
        for name in ("CC", "CFLAGS", "LDSHARED", "LDFLAGS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        built = setup_module.BuildExt(Distribution())
        built.plat_name = "linux-x86_64"
        built.compiler = new_compiler()
        customize_compiler(built.compiler)
        return built
    return make


BREAKING = ["-Ofast", "-ffast-math", "-funsafe-math-optimizations", "-ffp-contract=fast", "-ffp-contract=on", "-march=native",
            "-mcpu=native", "-ffinite-math-only", "-fassociative-math", "-freciprocal-math", "-fno-signed-zeros",
            "-fp-model=fast", "-ffp-model=fast", "-mdaz-ftz", "-mfpmath=387", "-fsingle-precision-constant",
            "-fdenormal-fp-math=positive-zero"]


@pytest.mark.parametrize("flag", BREAKING)
def test_flags_that_change_values_are_left_out(command, capfd, flag):
    built = command(CFLAGS=f"-g {flag} -DKEPT")
    assert built.drop_breaking_flags() == [flag]
    for words in (built.compiler.compiler_so, built.compiler.linker_so):
        assert flag not in words
    assert "-DKEPT" in built.compiler.compiler_so
    assert f"building without {flag}" in capfd.readouterr().err


@pytest.mark.parametrize("flag", ["-O2", "-march=x86-64-v2", "-mtune=generic", "-ffp-contract=off", "-fno-fast-math", "-flto",
                                  "-mfpmath=sse", "-fno-finite-math-only", "-mavx2"])
def test_other_flags_stay(command, capfd, flag):
    built = command(CFLAGS=flag)
    assert built.drop_breaking_flags() == [] and flag in built.compiler.compiler_so
    assert capfd.readouterr().err == ""


def test_levels_that_the_compiler_does_not_know(command, setup_module):
    built = command()
    target = subprocess.run(["cc", "-dumpmachine"], capture_output=True, text=True, check=True).stdout
    for level, flags in setup_module.LEVELS.items():
        assert built.knows_level(flags, "unix") == (level == "baseline" or target.startswith("x86_64"))
    assert not built.knows_level((["-march=of-the-year-3000"], []), "unix")
    for platform, known in (("win-amd64", True), ("win-arm64", False), ("win32", False)):
        built.plat_name = platform
        assert built.knows_level(setup_module.LEVELS["x86_64_v3"], "msvc") == known
        assert built.knows_level(setup_module.LEVELS["baseline"], "msvc")


def test_probes_for_another_machine_need_not_run(command, setup_module, tmp_path):
    """What links is there; a program that this machine cannot run proves nothing."""
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00" + bytes(100))
    foreign.chmod(foreign.stat().st_mode | stat.S_IXUSR)
    assert setup_module.BuildExt.exits(foreign)
    failing = tmp_path / "failing"
    failing.write_text("#!/bin/sh\nexit 3\n")
    failing.chmod(0o755)
    assert not setup_module.BuildExt.exits(failing)
    assert not command().works("int main(void) { return no_such_name; }", [], [], run=True)


@pytest.mark.parametrize("wrapper", ["ccache", "sccache"])
def test_the_compiler_behind_a_wrapper_is_named(command, wrapper, tmp_path, monkeypatch):
    own = tmp_path / wrapper
    own.write_text('#!/bin/sh\nexec "$@"\n')
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert command(CC=f"{wrapper} cc").compiler_name("unix") == command(CC="cc").compiler_name("unix") != ""


def test_no_compiler(command):
    built = command(CC="no-such-compiler")
    built.extensions = []
    with pytest.raises(SystemExit, match=r"no C compiler: no-such-compiler was not found(.|\n)*apt install build-essential"):
        built.build_extensions()


@pytest.mark.parametrize("flag", ["-ffast-math", "-Ofast"])
def test_kernels_refuse_to_be_compiled_so(flag, tmp_path):
    header = ROOT / "xentfast/_kernels/numerics/machine.h"
    done = subprocess.run(["cc", flag, "-fsyntax-only", str(header)], capture_output=True, text=True)
    assert done.returncode and "build without -ffast-math" in done.stderr


def test_no_openmp_is_said(command, setup_module, capfd, monkeypatch):
    monkeypatch.setattr(setup_module, "OPENMP", {"unix": [(["-fno-such-openmp"], [])]})
    assert command().probe_openmp("unix") == ([], [])
    assert "building for one thread" in capfd.readouterr().err
