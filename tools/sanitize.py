"""Run a command with the library of the sanitizer that the installed build was made with, as in

    XENTFAST_SANITIZE=address,undefined pip install ".[test]"
    python tools/sanitize.py pytest -m "sanitized and not slow"

The command is a module of Python; arguments alone are pytest's. ``nox -s sanitize`` does both, in an environment of its own.
The first finding ends the process. For threads, build with Clang: its OpenMP tells ThreadSanitizer of its barriers (Archer),
without which all is a race.
"""

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parent
# allocator_may_return_null: tests ask for more memory than there is. Leaks are looked for by tests/faults/test_allocations.py:
# Python and NumPy keep much until the end, without freeing it.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:allocator_may_return_null=1:ignore_noninstrumented_modules=1"
                    f":suppressions={TOOLS / 'tsan-suppressions.txt'}",
}


def facts():
    """How the build was made; the package itself cannot be imported before the library is there."""
    package = importlib.util.find_spec("xentfast").submodule_search_locations[0]
    return runpy.run_path(os.path.join(package, "_build.py"))


def asked(compiler, option):
    return subprocess.run([compiler, option], capture_output=True, text=True, check=True).stdout.strip()


def path_of(compiler, *names):
    """Of the first library of these that the compiler has."""
    for name in names:
        found = asked(compiler, f"-print-file-name={name}")
        if os.path.isabs(found) and os.path.exists(found):
            return found
    if "clang" in os.path.basename(compiler):
        # Up to 16 at least, Clang does not look where its own OpenMP lies: lib/, where lib/clang/16 has its resources.
        for name in names:
            if (found := Path(asked(compiler, "-print-resource-dir")).parents[1] / name).exists():
                return str(found)
    sys.exit(f"{compiler} has none of {', '.join(names)}")


def settings():
    """Environment variables for such a process."""
    built = facts()
    if not built["SANITIZE"]:
        sys.exit("this xentfast was built without XENTFAST_SANITIZE")
    compiler = os.environ.get("CC") or ("clang" if "clang" in built["COMPILER"] else "gcc")
    short = next((short for word, short in (("address", "asan"), ("thread", "tsan"), ("undefined", "ubsan"))
                  if word in built["SANITIZE"]), None)
    if short is None:
        sys.exit(f"what has to be loaded for {built['SANITIZE']}, this file does not say")
    found = {**OPTIONS, "PYTHONMALLOC": "malloc", "OMP_WAIT_POLICY": "passive"}
    if "clang" not in built["COMPILER"]:
        return {**found, "LD_PRELOAD": path_of(compiler, f"lib{short}.so")}
    short = short.replace("ubsan", "ubsan_standalone")
    found["LD_PRELOAD"] = path_of(compiler, f"libclang_rt.{short}-{os.uname().machine}.so", f"libclang_rt.{short}.so")
    if short == "tsan":
        if subprocess.run(["true"], env={**os.environ, "LD_PRELOAD": found["LD_PRELOAD"]}).returncode:
            sys.exit(f"the ThreadSanitizer of {compiler} cannot be loaded before a process, as that of Clang 14: a newer one can")
        found["OMP_TOOL_LIBRARIES"] = path_of(compiler, "libarcher.so")
    return found


def main():
    command = sys.argv[1:]
    if not command or command[0].startswith("-") or os.path.exists(command[0].partition("::")[0]):
        command = ["pytest", "-p", "no:cacheprovider", *command]
    # As modules of this Python, which has the build; the sources that lie here have none.
    os.execve(sys.executable, [sys.executable, "-P", "-m", *command], {**os.environ, **settings()})


if __name__ == "__main__":
    main()
