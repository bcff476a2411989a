"""What xentfast needs of a build is its folder among the include_dirs, and itself among pyproject.toml's build requirements."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

import xentfast

OPENMP = {"linux": (["-fopenmp"], ["-fopenmp"]), "win32": (["/openmp"], [])}.get(sys.platform, ([], []))

setup(ext_modules=cythonize([Extension(
    "bigram._model", ["bigram/_model.pyx"], include_dirs=[xentfast.get_include()], extra_compile_args=OPENMP[0],
    extra_link_args=OPENMP[1])], language_level=3))
