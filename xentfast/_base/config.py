"""What this copy is, how it was built, and what it chose on this machine."""

import os

try:
    from xentfast import _build
except ImportError as _error:
    raise ImportError("this xentfast is a source folder that has not been built: start Python elsewhere (or as python -P) to "
                      "get the installed one, or build here with pip install -e .") from _error
from xentfast._base import dispatch, level

__version__ = "0.1.0"


def show_config() -> None:
    """Print version, compiler, flags, OpenMP, kernel levels and threads.

    The last lines say which level runs here, and how many threads a call takes by default.

    See Also
    --------
    get_include : Where the C header is.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.show_config()                                        # doctest: +ELLIPSIS
    xentfast ...
    compiler:  ...
    flags:     ...
    OpenMP:    ...
    levels:    built ...
               supported here ...; chosen ...
    threads:   ... by default (OpenMP ..., CPUs of this process ..., of these by quota: ...)
    """
    openmp = f"yes ({_build.OPENMP}, specification of {level.openmp_version()})" if level.openmp_version() else (
        "no: built for one thread (where GCC, or Clang and libomp, is, pip install --no-binary xentfast xentfast builds with it)")
    levels = [f"{name} ({flags or 'default flags'})" for name, flags in _build.LEVELS.items()]
    print(f"xentfast {__version__}{' (debug build)' if _build.DEBUG else ''}")
    print(f"compiler:  {_build.COMPILER}")
    print(f"flags:     {_build.FLAGS}")
    if _build.LEFT_OUT:
        print(f"           without {_build.LEFT_OUT}, which the build was asked for and which would change values")
    print(f"OpenMP:    {openmp}")
    print(f"levels:    built {', '.join(levels)}")
    print(f"           supported here {', '.join(dispatch.supported_levels())}; chosen {level.chosen.kernels.level}")
    print(f"threads:   {level.default_threads()} by default (OpenMP {level.max_threads()}, CPUs of this process "
          f"{level.available_cpus()}, of these by quota: {level.policy.quota or 'none'})")


def get_include() -> str:
    """The folder of ``xentfast.h``, for the include_dirs of modules that call xentfast from C or Cython.

    Returns
    -------
    str
        Its path.

    See Also
    --------
    xentfast.capi.table : The same functions for ctypes and Numba.
    show_config : How this copy was built.

    Examples
    --------
    >>> import os
    >>> import xentfast as xf
    >>> os.listdir(xf.get_include())
    ['xentfast.h']
    """
    return os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "include")
