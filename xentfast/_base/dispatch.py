"""Which kernel level runs, and why: the highest that was built and that CPU and operating system support.

XENTFAST_CPU caps the choice. A level gives no other bits than the next, so it is chosen once, here, and for speed alone.
"""

import importlib
import os
from typing import TYPE_CHECKING

from xentfast._base import level as _level
from xentfast._build import LEVELS

if TYPE_CHECKING:
    def _packed():
        """Never there: what packs applications (PyInstaller and its kind) reads import statements, and `load` has none."""
        from xentfast._kernels.baseline import probabilities, random, sigmoid, softmax_double, softmax_float
        from xentfast._kernels.x86_64_v3 import probabilities, random, sigmoid, softmax_double, softmax_float  # noqa: F811
        from xentfast._kernels.x86_64_v4 import probabilities, random, sigmoid, softmax_double, softmax_float  # noqa: F401, F811

# How far x86_64_level must reach for each level.
NEEDS = {"baseline": 0, "x86_64_v3": 3, "x86_64_v4": 4}


def supported_levels():
    """The built levels that this machine can run, lowest first."""
    return [level for level in LEVELS if NEEDS[level] <= _level.x86_64_level()]


def load(level):
    """The kernels of one level; it must be a supported one."""
    return _level.Kernels(level, lambda unit: importlib.import_module(f"xentfast._kernels.{level}.{unit}").table)


def choose_level(cap):
    """The highest supported level, not above `cap` (None or empty: no cap)."""
    supported = supported_levels()
    if not cap:
        return supported[-1]
    if cap not in NEEDS:
        raise ImportError(f"XENTFAST_CPU is {cap!r}, which is no level; the levels here are: {', '.join(supported)}")
    if cap not in supported:
        why = "was not built" if cap not in LEVELS else "is not supported by this CPU and operating system"
        raise ImportError(f"XENTFAST_CPU is {cap!r}, which {why}; the levels here are: {', '.join(supported)}")
    return cap


_level.chosen.kernels = load(choose_level(os.environ.get("XENTFAST_CPU")))
