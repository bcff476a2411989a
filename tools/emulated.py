"""Build for another processor and test it here, by emulation: the same bits, semantics and streams.

    python tools/emulated.py aarch64                    # GCC's cross compiler, Debian's Python and NumPy for arm64, QEMU
    python tools/emulated.py s390x --root FOLDER        # keeps the other machine's files, and takes them if they are there
    python tools/emulated.py aarch64 -k bits            # other arguments go to pytest, after -m "emulated and not slow"

Needs Debian or Ubuntu, and root for debootstrap: apt install debootstrap qemu-user-static and gcc-aarch64-linux-gnu or
gcc-s390x-linux-gnu. The tests take some forty minutes; -m "emulated and not slow" chooses them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What Python calls a machine: what Debian calls it, the release that has its packages, those that it has beyond PACKAGES, and
# those that come from Python's index. (What is in neither skips the tests that compare with it.)
MACHINES = {"aarch64": ("arm64", "trixie", [], ["ml_dtypes", "randomgen"]), "s390x": ("s390x", "sid", ["python3-ml-dtypes"], [])}
PACKAGES = ["libpython3-dev", "python3-numpy", "python3-scipy", "python3-pytest", "python3-hypothesis", "python3-mpmath",
            "libgomp1"]
# Nothing of the other machine runs before QEMU does: packages are unpacked, not set up, so what their scripts would link is not.
LIBRARIES = ["blas", "lapack"]


def run(*command, **settings):
    print("+", *command, flush=True)
    return subprocess.run([str(word) for word in command], check=True, **settings)


def unpack(root, machine):
    """The files of the other machine: its C library, Python, NumPy and what the tests import."""
    name, release, more, wheels = MACHINES[machine]
    run("debootstrap", f"--arch={name}", "--foreign", "--variant=minbase", f"--include={','.join(PACKAGES + more)}", release,
        root, stdout=subprocess.DEVNULL)
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        run("dpkg-deb", "-x", package, root)
        package.unlink()
    if wheels:
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--target", root / "extra",
            f"--platform=manylinux_2_28_{machine}", f"--platform=manylinux2014_{machine}",
            "--python-version", version(root), *wheels)


def version(root):
    """As in 3.13."""
    return next(root.glob("usr/include/python3.*")).name.removeprefix("python")


def build(sources, root, machine):
    """In place, by the Python that runs this, with what the other one says of itself (its name is in every module's)."""
    os.chdir(sources)
    facts = f"_sysconfigdata__{machine}-linux-gnu"
    (sources / "facts").mkdir()
    shutil.copy(root / f"usr/lib/python{version(root)}/{facts}.py", sources / "facts")
    run(sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", env=os.environ | {
        "_PYTHON_HOST_PLATFORM": f"linux-{machine}", "_PYTHON_SYSCONFIGDATA_NAME": facts, "PYTHONPATH": str(sources / "facts"),
        "CC": f"{machine}-linux-gnu-gcc --sysroot={root}", "CFLAGS": f"-I{root}/usr/include/python{version(root)}"})


def interpreter(folder, root, machine):
    """A script that runs the other Python: a program like any other, which tests start processes of."""
    libraries = ":".join(f"/usr/lib/{machine}-linux-gnu/{name}" for name in LIBRARIES)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec qemu-{machine}-static -L "{root}" -E LD_LIBRARY_PATH={libraries} -E PYTHONPATH="'
                      f'{root}/extra:{folder}/sources" "{root}/usr/bin/python{version(root)}" "$@"\n')
    script.chmod(0o755)
    return script


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("machine", choices=MACHINES)
    parser.add_argument("--root", type=Path, help="where the other machine's files are kept (default: in a temporary folder)")
    given, for_pytest = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        root = (given.root or folder / "root").resolve()
        if not root.exists():
            unpack(root, given.machine)
        files = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", capture_output=True).stdout
        for file in files.decode().rstrip("\0").split("\0"):
            target = folder / "sources" / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, target)
        build(folder / "sources", root, given.machine)
        python = interpreter(folder, root, given.machine)
        start = f"import sys; sys.executable = {str(python)!r}; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
        done = subprocess.run([python, "-c", start, "-q", "-p", "no:cacheprovider", "-m", "emulated and not slow", *for_pytest],
                              cwd=folder / "sources", env=os.environ | {"OMP_WAIT_POLICY": "passive"})
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
