"""Build: the extension modules, the kernels once for each level, and what was found about OpenMP.

XENTFAST_NO_OPENMP=1   build without threads
XENTFAST_DEBUG=1       no optimisation, bounds checks on memoryviews and local arrays, assertions, no intrinsics in philox.h
XENTFAST_SANITIZE=...  what GCC's or Clang's -fsanitize= takes, as in address,undefined or thread: with symbols, little optimised.
                       Such a build runs where the sanitizer's library is loaded first (tools/sanitize.py)

Values depend on no flag but the contraction of a·b + c into one rounding, which is off for every compiler: a kernel gives
the same bits on every level. Never -ffast-math, -Ofast or -march=native.
"""
import atexit
import copy
import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NO_OPENMP = os.environ.get("XENTFAST_NO_OPENMP", "0") not in ("", "0")
DEBUG = os.environ.get("XENTFAST_DEBUG", "0") not in ("", "0")
SANITIZE = os.environ.get("XENTFAST_SANITIZE", "")

# level: (flags for GCC and Clang, flags for MSVC). A level whose flags the compiler does not know, as one for other processors,
# is left out.
LEVELS = {"baseline": ([], []), "x86_64_v3": (["-march=x86-64-v3"], ["/arch:AVX2"]),
          "x86_64_v4": (["-march=x86-64-v4", "-mprefer-vector-width=512"], ["/arch:AVX512"])}
# What makes other values of the same code, or code that other processors of the kind do not run: taken out of the compiler's
# command, where CFLAGS or the Python may have put it. (Linking with some of them lets the whole process flush subnormals.)
BREAKING = re.compile(r"""-Ofast | -ftz | -fp-model=.* | [/-]fp:(fast|contract)
    | -f(fast-math|unsafe-math-optimizations|associative-math|reciprocal-math|finite-math-only|no-signed-zeros)
    | -f(single-precision-constant|cx-limited-range|denormal-fp-math=.*|fp-contract=(fast|on).*|fp-model=.*)
    | -m(daz-ftz|recip.*|fpmath=(387|both).*|(arch|cpu|tune)=native)""", re.VERBOSE)
NO_COMPILER = """xentfast: there is no C compiler: {command} was not found. To get one:
    Debian, Ubuntu   apt install build-essential
    Fedora, RHEL     dnf install gcc
    Alpine           apk add build-base
    macOS            xcode-select --install
    Windows          the Build Tools for Visual Studio, with "Desktop development with C++"
or set CC to the one that you have."""

# The kernels, one unit a family and dtype: translated once, its C compiled once for each level.
UNITS = ["softmax_float", "softmax_double", "sigmoid", "probabilities", "random"]
# What else is compiled.
MODULES = ["_capi", "_base.entry", "_base.level", "_base.memory", "_base.reduction", "_base.targets", "_softmax.call",
           "_softmax.loops", "_softmax.plain", "_partials.loops", "_sigmoid.loops", "_sigmoid.plain", "_probabilities.loops",
           "_probabilities.plain", "random._loops", "random._philox", "init._plain", "jax._handlers"]

# Not c11: by it, GCC evaluates float as double on s390x.
STRICT = {
    "unix": ["-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    "msvc": ["/std:c11", "/fp:precise"],
}
# Intel's compilers do not keep to IEEE 754 unless they are told.
INTEL_ONLY = ["-fp-model=precise"]
OPTIMISED = {"unix": ["-O3", "-g0"], "msvc": ["/O2"]}
# For GCC; Clang does not know these. It would swap or jam the loops over blocks and lanes of a running maximum, and lose the
# lanes; it would call memcpy for loops that copy a block of lanes, which then has to be in memory; and without scheduling, one
# register's chain of operations follows after the other's, of which a CPU sees two or three at a time (5 to 15 % on AVX-512 and
# AVX2). What is not declared inline stays a function, though it be called from one place: frames of several would add up to more
# than the 16 KiB that a thread's stack is promised to be asked for (tests/faults/test_stack.py).
GCC_ONLY = ["-fno-loop-interchange", "-fno-loop-unroll-and-jam", "-fno-tree-loop-distribute-patterns", "-fschedule-insns",
            "-fsched-pressure", "-fno-inline-functions-called-once"]
# For Clang: else it unrolls loops over 32 lanes before it looks for vectors, and puts some together again in fours. What it
# makes of a loop afterwards, two or four vectors, is unrolled all the same.
CLANG_ONLY = ["-mllvm", "-unroll-full-max-count=8"]
# Kernel functions take their options as constants, which only counts once they are inlined.
INLINED = {"unix": ["-DCYTHON_INLINE=inline __attribute__((always_inline))"], "msvc": ["/DCYTHON_INLINE=__forceinline"]}
CHECKED = {
    "unix": ["-O1", "-g", "-UNDEBUG", "-fsanitize=bounds", "-fsanitize-undefined-trap-on-error", "-DXF_PORTABLE"],
    "msvc": ["/Od", "/RTC1", "/DXF_PORTABLE"],
}
# -fsanitize= is added, where objects are linked too. Whether the first finding ends the process is for the run to say.
SANITIZED = ["-O1", "-g1", "-fno-omit-frame-pointer", "-UNDEBUG"]
# (compile flags, link flags) to try, in this order
OPENMP = {
    "unix": [(["-fopenmp"], ["-fopenmp"]), (["-Xpreprocessor", "-fopenmp"], ["-lomp"])],
    "msvc": [(["/openmp"], [])],
}
PROBE = r"""
#include <omp.h>
int main(void)
{
    int seen = 0;
#pragma omp parallel for reduction(+ : seen)
    for (int i = 0; i < 64; i++)
        seen += omp_get_num_threads() > 0;
    return seen == 64 ? 0 : 1;
}
"""


class BuildExt(build_ext):
    """Compile each extension with its level's flags and write down what was used (xentfast/_build.py)."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        kind = "msvc" if self.compiler.compiler_type == "msvc" else "unix"
        if kind == "unix" and not shutil.which(self.compiler.compiler_so[0]):
            sys.exit(NO_COMPILER.format(command=self.compiler.compiler_so[0]))
        left_out = self.drop_breaking_flags()
        known = [level for level, flags in LEVELS.items() if self.knows_level(flags, kind)]
        self.extensions = [extension for extension in self.extensions if level_of(extension) in (None, *known)]
        openmp_compile, openmp_link = self.probe_openmp(kind)
        common = STRICT[kind] + self.optimisation(kind)
        name = self.compiler_name(kind)
        if name.startswith("Intel"):
            common += INTEL_ONLY
        sanitizer = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
        levels = {}
        for extension in self.extensions:
            level = level_of(extension)
            if level is not None:
                levels[level] = " ".join(LEVELS[level][kind == "msvc"])
                extension.extra_compile_args = common + sanitizer + INLINED[kind] + LEVELS[level][kind == "msvc"]
                extension.extra_link_args = sanitizer
            else:
                extension.extra_compile_args = common + sanitizer + openmp_compile
                extension.extra_link_args = sanitizer + openmp_link
        # The longest first, else the last one is waited for.
        self.extensions.sort(key=lambda extension: os.path.getsize(extension.sources[0]), reverse=True)
        super().build_extensions()
        self.facts = {"COMPILER": name, "FLAGS": " ".join(common + sanitizer), "LEVELS": levels,
                 "OPENMP": " ".join(openmp_compile) or None, "DEBUG": DEBUG, "SANITIZE": SANITIZE or None,
                 "LEFT_OUT": " ".join(left_out) or None}

    def drop_breaking_flags(self):
        """Those that were in the compiler's commands."""
        found = []
        for name, command in vars(self.compiler).items():
            if isinstance(command, list) and name.startswith(("compiler", "linker", "preprocessor")):
                found += [flag for flag in command[1:] if BREAKING.fullmatch(flag)]
                setattr(self.compiler, name, [word for word in command if not BREAKING.fullmatch(word)])
        if found:
            print("xentfast: values must not depend on the compiler: building without", *dict.fromkeys(found), file=sys.stderr)
        return list(dict.fromkeys(found))

    def knows_level(self, flags, kind):
        """Whether the compiler makes code of the level; MSVC, which warns alone, by the processor that it is for."""
        if kind == "msvc":
            return not flags[1] or self.plat_name == "win-amd64"
        return not flags[0] or self.works("int main(void) { return 0; }", flags[0], [])

    def optimisation(self, kind):
        if SANITIZE:
            if kind == "msvc" or DEBUG:
                sys.exit("xentfast: XENTFAST_SANITIZE is for GCC and Clang, and not together with XENTFAST_DEBUG")
            return SANITIZED
        if DEBUG:
            return CHECKED[kind]
        known = (own for own in (GCC_ONLY, CLANG_ONLY) if kind == "unix" and self.works("int main(void) { return 0; }", own, []))
        return OPTIMISED[kind] + next(known, [])

    def build_extension(self, extension):
        """A unit's C file is compiled for several levels: each has a folder of its own for what comes of it."""
        own = copy.copy(self)
        own.build_temp = os.path.join(self.build_temp, level_of(extension) or "modules")
        super(BuildExt, own).build_extension(extension)

    def copy_extensions_to_source(self):
        """In place, levels have folders that no file of the sources is in."""
        for extension in self.extensions:
            Path(self.get_ext_fullpath(extension.name)).parent.mkdir(exist_ok=True)
        super().copy_extensions_to_source()

    def run(self):
        super().run()
        target = Path(self.get_ext_fullpath("xentfast._capi")).with_name("_build.py")
        lines = ['"""How this copy was built; written by setup.py."""\n']
        target.write_text("\n".join(lines + [f"{name} = {value!r}" for name, value in self.facts.items()]) + "\n")

    def probe_openmp(self, kind):
        if NO_OPENMP:
            print("xentfast: OpenMP is off (XENTFAST_NO_OPENMP)")
            return [], []
        for compile_flags, link_flags in OPENMP[kind]:
            if self.works(PROBE, compile_flags, link_flags, run=True):
                print("xentfast: OpenMP works with", " ".join(compile_flags + link_flags))
                return compile_flags, link_flags
        print("xentfast: no working OpenMP was found: building for one thread. GCC has it; for Clang install libomp (Debian: "
              "libomp-dev, macOS: brew install libomp, with CPPFLAGS and LDFLAGS as brew says)", file=sys.stderr)
        return [], []

    def works(self, source, compile_flags, link_flags, run=False):
        """Whether `source` compiles and links; and exits with 0, where it is to `run` and this machine can run it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "probe.c")
            path.write_text(source)
            try:
                objects = self.compiler.compile([str(path)], output_dir=folder, extra_postargs=compile_flags)
                self.compiler.link_executable(objects, "probe", output_dir=folder, extra_postargs=compile_flags + link_flags)
                return not run or self.exits(Path(folder, "probe"))
            except Exception as error:
                print(f"xentfast: {' '.join(compile_flags)} does not work: {error}")
                return False

    @staticmethod
    def exits(program):
        """With 0, or at least on the machine that it is for."""
        try:
            return subprocess.run([str(program)], timeout=30).returncode == 0
        except OSError as error:
            return error.errno == errno.ENOEXEC

    def compiler_name(self, kind):
        if kind == "msvc":
            return "MSVC"
        wrappers = ("ccache", "sccache", "distcc", "icecc")
        command = [next(word for word in self.compiler.compiler_so if Path(word).name not in wrappers), "--version"]
        return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]


def level_of(extension):
    """The level that a module of kernels is for, or None."""
    return next((level for level in LEVELS if extension.name.startswith(f"xentfast._kernels.{level}.")), None)


def extension(name, sources=None):
    """What a module depends on besides setup.py, Cython finds out."""
    return Extension(
        f"xentfast.{name}", sources or [f"xentfast/{name.replace('.', '/')}.pyx"],
        include_dirs=[numpy.get_include(), "xentfast", "xentfast/_kernels", "xentfast/include"], depends=["setup.py"],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_2_0_API_VERSION")])


def elsewhere():
    """None, or where nothing can be written beside the sources: a folder to build in, which goes with this process."""
    try:
        with tempfile.TemporaryFile(dir="."):
            return None
    except OSError:
        folder = tempfile.mkdtemp(prefix="xentfast-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


def translated(names, folder):
    """Extensions of C, by as many processes as there are CPUs."""
    return cythonize(
        [extension(name) for name in names],
        build_dir=folder,
        nthreads=os.cpu_count(),
        language_level=3,
        include_path=["."],
        compiler_directives={
            "boundscheck": DEBUG, "wraparound": False, "initializedcheck": DEBUG, "cdivision": True,
            "freethreading_compatible": True, "embedsignature": True,
        },
    )


def main():
    folder = elsewhere()
    modules = []
    for found in translated([*(f"_kernels.{unit}" for unit in UNITS), *MODULES], folder):
        package, _, unit = found.name.rpartition(".")
        if package == "xentfast._kernels":
            for level in LEVELS:
                one = extension(f"_kernels.{level}.{unit}", found.sources)
                one.depends = found.depends
                modules.append(one)
        else:
            modules.append(found)
    setup(cmdclass={"build_ext": BuildExt}, ext_modules=modules,
          options={"build": {"build_base": folder}, "egg_info": {"egg_base": folder}} if folder else {})


# Not where a process of Cython's imports this file again.
if __name__ == "__main__":
    main()
