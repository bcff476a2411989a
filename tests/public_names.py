"""The public names, as users type them after `xf.` or `xentfast.`."""

import importlib
import importlib.util
from types import ModuleType

import xentfast as xf

# Modules that are imported by name, and the packages that each needs: where one is not installed its names are left out.
IMPORTED_BY_NAME = {"boosting": ()}


def imported_by_name():
    return {name: importlib.import_module(f"xentfast.{name}") for name, needs in IMPORTED_BY_NAME.items()
            if all(map(importlib.util.find_spec, needs))}


def public_names():
    """Of a module its own names count."""
    members = {name: getattr(xf, name) for name in xf.__all__} | imported_by_name()
    for name, found in members.items():
        yield from (f"{name}.{inner}" for inner in found.__all__) if isinstance(found, ModuleType) else (name,)
