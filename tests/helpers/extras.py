"""Modules of xentfast that are imported by their name alone, and what each needs beside NumPy: without it, they are left out. All
public names, theirs included."""

import importlib
import importlib.util
from operator import attrgetter
from types import ModuleType

import xentfast as xf

EXTRAS = {"boosting": (), "dask": ("dask",), "jax": ("jax",), "torch": ("torch", "ml_dtypes")}


def is_installed(name):
    """Whether all that it needs is there; `name` is a module or a name in one, without `xentfast`. Nothing is imported."""
    return all(map(importlib.util.find_spec, EXTRAS.get(name.partition(".")[0], ())))


def public_names():
    """As users type them after `xf.` or `xentfast.`."""
    yield from _names_in(xf.__all__, "")
    for name in filter(is_installed, EXTRAS):
        importlib.import_module(f"xentfast.{name}")
        yield from _names_in([name], "")


def _names_in(names, prefix):
    """Of a module its own names count."""
    for name in names:
        found = attrgetter(f"{prefix}{name}")(xf)
        if isinstance(found, ModuleType):
            yield from _names_in(found.__all__, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
