"""Whatever allocation fails, a call ends in MemoryError, or as if nothing had been: no crash, no other error, no wrong bits then
or later, and no memory is left."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import every_call
import pytest
from extras import EXTRAS, public_names

from xentfast import _build

HELPERS = Path(every_call.__file__).parent
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
NAMES = sorted(every_call.CALLS)

needs_preloading = pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or COMPILER is None or _build.SANITIZE is not None,
                                      reason="puts itself between the process and glibc's malloc")

needs_malloc = pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
                                  reason="a free-threaded Python has no malloc for its objects")


def test_every_public_function_is_called():
    ours = {name for name in public_names() if name.partition(".")[0] not in EXTRAS}
    assert set(NAMES) == ours - every_call.EXEMPT


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", "-o", path, HELPERS / "failing_allocations.c", "-ldl"], check=True)
    return path


@needs_preloading
@needs_malloc
@pytest.mark.parametrize("mode", ["first", "all"])
@pytest.mark.parametrize("part", range(4))
def test_failing_allocations(library, mode, part):
    """The k-th allocation of a call fails, or all from there on, for every k. One thread: OpenMP's own allocations do not fail
    here, and with more of them a busy machine would take minutes."""
    run = subprocess.run([sys.executable, HELPERS / "failing_calls.py", mode, *NAMES[part::4]], capture_output=True, text=True,
                         env={**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "malloc", "OMP_THREAD_LIMIT": "1"})
    assert (run.returncode, run.stdout.splitlines()) == (0, ["done"]), run.stderr[-500:]
