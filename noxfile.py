"""What contributors run. `nox -l` lists it; `nox -s lint` runs it in an environment of its own, which is kept, and
`nox --no-venv --no-install -s lint` in the active one, with what is installed there. What follows `--` goes to the session's last
command.
"""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "virtualenv"         # tests call pip, which uv's environments have not
nox.options.reuse_venv = "yes"

PYPROJECT = nox.project.load_toml("pyproject.toml")


def group(name):
    """What a dependency group asks for, as arguments of pip, which reads groups from 25.1 on alone."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session(default=False)
def build(session):
    """The sdist, and the wheel made from it, in dist/."""
    session.install("build")
    session.run("python", "-m", "build", *session.posargs)


@nox.session(default=False)
def metadata(session):
    """What an index and its users read of sdist and wheels: of fresh ones, or of those in the folder that is named."""
    session.install(*group("metadata"))
    folder = Path(session.posargs[0] if session.posargs else f"{session.create_tmp()}/dist")
    if not session.posargs:
        shutil.rmtree(folder, ignore_errors=True)       # an older version's
        session.run("python", "-m", "build", "--outdir", str(folder))
    files = list(map(str, folder.iterdir()))
    # The developers have no address that all of them read.
    session.run("pyroma", "--min", "10", "--skip-tests", "AuthorEmail", *[name for name in files if name.endswith(".tar.gz")])
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *[name for name in files if name.endswith(".whl")])


@nox.session
def test(session):
    """The suite against an installed build."""
    session.install(".", *group("test"))
    session.run("pytest", *session.posargs)


@nox.session(default=False, python="3.11")
def oldest(session):
    """The suite with the oldest versions that pyproject.toml promises, PyTorch's gigabytes left out."""
    project = PYPROJECT["project"]
    extras = [one for name in ("test", "demo", "boosting", "dask") for one in project["optional-dependencies"][name]]
    session.install("uv")                               # pip knows no such resolution
    session.run_install("uv", "pip", "install", "--upgrade", "--resolution", "lowest-direct",
                        *PYPROJECT["build-system"]["requires"], *project["dependencies"], *extras)
    session.install("--no-build-isolation", "--no-deps", ".")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def peers(session):
    """The suite with all extras: beside the other libraries, and on their arrays."""
    session.install(".[peers]", *group("dev"))
    session.run("pytest", *session.posargs)


@nox.session(default=False)
@nox.parametrize("kind", [nox.param("address,undefined", id="address"), nox.param("thread", id="thread")])
def sanitize(session, kind):
    """Kernels and loops under sanitizers (Linux); for threads by Clang (or CC), whose OpenMP they understand."""
    environment = {"XENTFAST_SANITIZE": kind} | ({"CC": os.environ.get("CC", "clang")} if kind == "thread" else {})
    session.install(".", *group("test"), env=environment)
    session.run("python", "tools/sanitize.py", "-m", "sanitized and not slow", *session.posargs, env=environment)


@nox.session(default=False)
@nox.parametrize("machine", [nox.param(name, id=name) for name in ("aarch64", "s390x")])
def emulated(session, machine):
    """Bits, semantics and streams on another processor: cross-compiled, and run by QEMU (Debian; root)."""
    session.install(*PYPROJECT["build-system"]["requires"], "pip")
    session.run("python", "tools/emulated.py", machine, *session.posargs)


@nox.session(default=False)
def cross(session):
    """All C compiled for other systems, by Zig's Clang, without a warning: Windows, macOS, musl, s390x, RISC-V, POWER."""
    session.install(*PYPROJECT["build-system"]["requires"], *group("cross"))
    session.run("python", "tools/cross_compile.py", *session.posargs)


@nox.session(default=False)
def docs(session):
    """The site, in site/: without a warning, its examples executed, its links checked. `-- -D plot_gallery=0` executes none."""
    session.install(".", *group("docs"))
    session.run("sphinx-build", "-W", "--keep-going", "-n", "-q", "-E", "docs", "site", *session.posargs)
    session.run("linkchecker", "--no-status", "--no-warnings", "site/index.html")


@nox.session
def lint(session):
    """Every hook of .pre-commit-config.yaml on every file."""
    session.install(*group("lint"))
    session.run("pre-commit", "run", "--all-files", "--show-diff-on-failure", *session.posargs)


@nox.session(default=False)
def types(session):
    """What type checkers know of the public names, a sample of calls, and stubs against the modules that they describe."""
    session.install(".[torch,dask,jax]", *group("types"))
    root = Path.cwd()
    sample, settings = root / "tests/package/typed_use.py", root / "tools/mypy.ini"
    session.chdir(session.create_tmp())                 # away from the sources: it is about what is installed
    session.run("pyright", "--verifytypes", "xentfast", "--ignoreexternal")
    session.run("pyright", str(sample))
    session.run("python", "-m", "mypy", "--config-file", str(settings), str(sample))
    # Folders of kernels, which an editable install has beside modules of the same name, are for stubtest what needs a stub.
    session.run("python", "-m", "mypy.stubtest", "xentfast", "--mypy-config-file", str(settings), "--ignore-unused-allowlist",
                "--allowlist", str(root / "tools/stubtest-allowlist.txt"), *session.posargs)


@nox.session(default=False)
def bench(session):
    """Every benchmark once, in a minute; of extras that are not there, none. `-- --bench NAME` takes some."""
    session.install(".", *group("bench"))
    session.chdir("asv_benchmarks")
    session.run("asv", "machine", "--yes", silent=True)
    # In forked children, which have one thread: nothing is timed here, and a thousand processes would each import everything.
    session.run("asv", "run", "--quick", "--show-stderr", "--launch-method", "forkserver", "-E", "existing:same",
                *session.posargs)
