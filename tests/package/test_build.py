"""What was compiled and packed: no fused arithmetic, no libm on a value's path, nothing in the wheel that users do not need."""

import importlib.metadata
import platform
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import xentfast
from xentfast import _build

pytestmark = pytest.mark.every_build

PACKAGE = Path(xentfast.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in (".so", ".pyd"))
KERNELS = [path for path in MODULES if path.parent.parent.name == "_kernels"]
# What a unit's hot loops multiply.
KINDS = {"softmax_float": ["ps", "pd"], "softmax_double": ["pd"], "sigmoid": ["ps", "pd"], "probabilities": ["pd"],
         "random": ["ps", "pd"]}
# By name of the machine: one rounding for two operations, in each instruction set's words.
FUSED = {"x86_64": r"vfn?m(add|sub)\w*", "aarch64": r"fn?m(add|sub)|fml[as]l?2?", "s390x": r"m[as][ed]br?|[vw]fn?m[as]\w*"}
# Multiplications of a kernel's level: over registers, and over one number.
PRODUCTS = {"x86_64": {"ps": (r"v?mulps\b.*%{register}", r"v?mulss\b"), "pd": (r"v?mulpd\b.*%{register}", r"v?mulsd\b")},
            "aarch64": {"ps": (r"fmul\s+v\d+\.4s", r"fmul\s+s\d"), "pd": (r"fmul\s+v\d+\.2d", r"fmul\s+d\d")}}
REGISTERS = {"x86_64_v4": "zmm", "x86_64_v3": "ymm"}
LIBM = re.compile(r"\b(exp|exp2|expm1|log|log2|log10|log1p|pow|tanh|sinh|cosh|sin|cos|tan|fma|fmax|fmin|sqrt|cbrt)f?(@|$)")

UNOPTIMISED = bool(_build.DEBUG or _build.SANITIZE)
MACHINE = platform.machine()
# Those of this machine, though it be an emulated one on another.
OBJDUMP, NM = (shutil.which(f"{MACHINE}-linux-gnu-{name}") or shutil.which(name) for name in ("objdump", "nm"))
needs_binutils = pytest.mark.skipif(sys.platform != "linux" or not OBJDUMP or not NM, reason="reads Linux objects with binutils")


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def code_of(path):
    return output_of(OBJDUMP, "-d", "--no-show-raw-insn", str(path))


def unit_of(path):
    return path.name.partition(".")[0]


def name_of(path):
    """As in x86_64_v3/sigmoid."""
    return f"{path.parent.name}/{unit_of(path)}"


@pytest.mark.emulated
def test_every_level_was_built():
    assert [(path.parent.name, unit_of(path)) for path in KERNELS] == [
        (level, unit) for level in sorted(_build.LEVELS) for unit in sorted(KINDS)]


@pytest.mark.emulated
@needs_binutils
@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_fused_multiply_add(path):
    if MACHINE not in FUSED:
        pytest.skip(f"no words for it on {MACHINE} are known here")
    code = code_of(path)
    assert not re.findall(rf"\t({FUSED[MACHINE]})\s", code)
    assert len(code) > 5_000


@pytest.mark.emulated
@needs_binutils
@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_libm(path):
    symbols = [line.split()[-1] for line in output_of(NM, "-D", "--undefined-only", str(path)).splitlines()]
    assert symbols and not [name for name in symbols if LIBM.match(name)]


@pytest.mark.emulated
@needs_binutils
@pytest.mark.skipif(UNOPTIMISED, reason="the build is not optimised")
@pytest.mark.parametrize("path", KERNELS, ids=name_of)
def test_hot_loops_are_vectorised(path):
    """Multiplications over whole registers of the level, and more of them than over one number."""
    if MACHINE not in PRODUCTS:
        pytest.skip(f"no registers of several numbers on {MACHINE}")
    code = code_of(path)
    for kind in KINDS[unit_of(path)]:
        wide, narrow = (len(re.findall(rf"\t{pattern}".replace("{register}", REGISTERS.get(path.parent.name, "xmm")), code))
                        for pattern in PRODUCTS[MACHINE][kind])
        # Clang keeps a loop over single numbers, unrolled, beside each over registers, for arrays that might overlap: on SSE2
        # there are 0.82 as many of the latter's.
        assert wide > 50 and wide > narrow * (0.75 if "clang" in _build.COMPILER else 1)


@needs_binutils
@pytest.mark.skipif(UNOPTIMISED or "clang" in _build.COMPILER, reason="others lay out frames as they like")
@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_frame_is_above_16_kib(path):
    """64 KiB of stack are enough for a thread (docs/trust/faults.md)."""
    if MACHINE != "x86_64":
        pytest.skip("the instruction is named for x86-64")
    code = code_of(path)
    frames = [int(size, 16) for size in re.findall(r"\bsub +\$0x([0-9a-f]{1,8}),%rsp", code)]
    assert frames and max(frames) <= 16 * 1024


@pytest.mark.emulated
def test_strict_flags():
    flags = f"{_build.FLAGS} {' '.join(_build.LEVELS.values())}"
    for banned in ("-ffast-math", "-Ofast", "-march=native", "-funsafe-math", "-ffp-contract=fast"):
        assert banned not in flags
    assert "-ffp-contract=off" in flags or "/fp:precise" in flags


def test_the_wheel_holds_what_users_need():
    """Python, compiled modules, types, and what C and Cython need of it; no sources, no tests."""
    files = [str(path) for path in importlib.metadata.files("xentfast")]
    if any(path.startswith("__editable__") for path in files):
        pytest.skip("an editable install lists no package files")
    inside = {path for path in files if path.startswith("xentfast/") and "__pycache__" not in path}
    compiled = {path.partition(".")[0] for path in inside if path.endswith((".so", ".pyd")) and "_kernels" not in path}
    assert {f"{module}.pyi" for module in compiled} <= inside
    assert {"xentfast/__init__.py", "xentfast/py.typed", "xentfast/init/__init__.py", "xentfast/_build.py",
            "xentfast/__main__.py", "xentfast/_demo/digits.py", "xentfast/_kernels/__init__.py"} <= inside
    others = {path for path in inside if not path.endswith((".py", ".pyi", ".so", ".pyd", "py.typed"))}
    assert others == {"xentfast/__init__.pxd", "xentfast/include/xentfast.h"}
    top = {path.split("/")[0] for path in files if not path.startswith("..")}
    assert all(name == "xentfast" or name.startswith("xentfast-") or name == "xentfast.libs" for name in top)


@pytest.mark.skipif(UNOPTIMISED, reason="the build keeps its symbols")
def test_the_wheel_is_small():
    """Under 3.2 MB, compressed as in a wheel, of which compiled modules are nearly all. Clang's are larger by a tenth."""
    limit = 3.6e6 if "clang" in _build.COMPILER else 3.2e6
    assert sum(len(zlib.compress(path.read_bytes())) for path in MODULES) < limit


def test_numpy_is_the_only_run_time_dependency():
    needed = [line for line in importlib.metadata.requires("xentfast") if "extra ==" not in line]
    assert len(needed) == 1 and needed[0].startswith("numpy")
