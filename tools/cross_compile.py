"""Compile all C for systems that are not at hand, by Zig's Clang, without one warning; nothing is linked or run.

    python tools/cross_compile.py                           # all targets
    python tools/cross_compile.py x86_64-windows-gnu        # or some

Python's headers are this machine's; where its pyconfig.h tells of another system, a short one of ours stands in.
"""

import argparse
import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ["x86_64-windows-gnu", "aarch64-windows-gnu", "x86_64-macos", "aarch64-macos", "x86_64-linux-musl",
           "aarch64-linux-musl", "s390x-linux-gnu", "riscv64-linux-gnu", "powerpc64le-linux-gnu"]
# What Cython does not use of what it makes is no fault of ours.
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-unknown-pragmas",
            "-Wno-unused-but-set-variable"]
MACROS = ["-DNPY_NO_DEPRECATED_API=NPY_2_0_API_VERSION", "-DNPY_TARGET_VERSION=NPY_2_0_API_VERSION"]
# Of what Python's own file for Windows says, the part that its headers ask for.
WINDOWS = """
#define MS_WINDOWS
#define MS_WIN32
#define MS_WIN64
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
#define HAVE_STD_ATOMIC 1
#define NT_THREADS
#define HAVE_PY_SSIZE_T 1
typedef long long Py_ssize_t;
#define PY_SSIZE_T_MAX 9223372036854775807LL
"""
# NumPy's headers, as Linux has them, include it.
ENDIAN = """
#ifndef __BYTE_ORDER
#define __LITTLE_ENDIAN 1234
#define __BIG_ENDIAN 4321
#define __BYTE_ORDER __LITTLE_ENDIAN
#endif
"""


def headers(folder, target):
    """A folder with Python's."""
    place = folder / target
    shutil.copytree(sysconfig.get_path("include"), place)
    if "linux" not in target:
        (place / "endian.h").write_text(ENDIAN)
    if "windows" in target:
        (place / "pyconfig.h").write_text(WINDOWS)
    return place


def commands(setup, target, include):
    """(what, command) for each C file and level, but for where the object goes."""
    start = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-c", "-O0", *WARNINGS, *MACROS,
             *setup["STRICT"]["unix"], *(f"-I{path}" for path in (
                 include, numpy.get_include(), "xentfast", "xentfast/_kernels", "xentfast/include"))]
    levels = setup["LEVELS"].items() if target.startswith("x86_64") else [("baseline", ([], []))]
    for unit in setup["UNITS"]:
        for level, (flags, _) in levels:
            # Zig's Clang knows processors by -mcpu alone.
            chosen = [flag.replace("-march=", "-mcpu=").replace("-64-v", "_64_v") for flag in flags]
            yield f"{level}/{unit}", [*start, *setup["INLINED"]["unix"], *chosen, f"xentfast/_kernels/{unit}.c"]
    for module in setup["MODULES"]:
        yield module, [*start, f"xentfast/{module.replace('.', '/')}.c"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", nargs="*", choices=[*TARGETS, []], help="(default: all)")
    targets = parser.parse_args().target or TARGETS
    if not importlib.util.find_spec("ziglang"):
        sys.exit("this asks for Zig: pip install ziglang")
    os.chdir(ROOT)
    setup = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
    setup["translated"]([*(f"_kernels.{unit}" for unit in setup["UNITS"]), *setup["MODULES"]], None)
    failed = False
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as workers:
        for target in targets:
            work = list(commands(setup, target, headers(Path(folder), target)))
            runs = workers.map(lambda one, to=folder: subprocess.run(
                [*one[1], "-o", f"{to}/{one[0].replace('/', '.')}.o"], capture_output=True, text=True), work)
            for (what, _), done in zip(work, runs, strict=True):
                if done.returncode:
                    print(f"{target}: {what}\n{done.stderr[:2000]}")
                    failed = True
            print(f"{target}: {len(work)} files", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
