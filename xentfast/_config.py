"""What this copy is, how it was built, and what it chose on this machine."""

import os

try:
    from xentfast import _build
except ImportError as error:
    raise ImportError("this xentfast is a source folder that has not been built: start Python elsewhere (or as python -P) to "
                      "get the installed one, or build here with pip install -e .") from error
from xentfast import _core, _dispatch, _threads

__version__ = "0.1.0"


def show_config():
    """Print version, compiler, flags, OpenMP, kernel levels and threads.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.show_config()                                        # doctest: +ELLIPSIS
    xentfast ...
    """
    openmp = f"yes ({_build.OPENMP}, specification of {_core.openmp_version()})" if _core.openmp_version() else "no"
    quota = _threads._QUOTA if _threads._QUOTA is not None else "none"
    levels = [f"{level} ({flags or 'default flags'})" for level, flags in _build.LEVELS.items()]
    print(f"xentfast {__version__}{' (debug build)' if _build.DEBUG else ''}")
    print(f"compiler:  {_build.COMPILER}")
    print(f"flags:     {_build.FLAGS}")
    print(f"OpenMP:    {openmp}")
    print(f"levels:    built {', '.join(levels)}")
    print(f"           supported here {', '.join(_dispatch.supported_levels())}; chosen {_dispatch.kernels.level}")
    print(f"threads:   {_threads.default_threads()} by default (OpenMP {_core.max_threads()}, CPUs of this process "
          f"{_threads.available_cpus()}, of these by quota: {quota})")


def get_include() -> str:
    """The folder of ``xentfast.h``, for the include_dirs of modules that call xentfast from C or Cython.

    Returns
    -------
    str
        Its path.

    Examples
    --------
    >>> import os
    >>> import xentfast as xf
    >>> os.listdir(xf.get_include())
    ['xentfast.h']
    """
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "include")
