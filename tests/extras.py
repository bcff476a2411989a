"""Which modules need a package that the core does not: those that it lacks are left out of what walks all modules."""

import importlib.util

# Of each such module, and of those inside it, what has to be installed.
EXTRAS = {"xentfast.torch": ("torch", "ml_dtypes")}


def needs(module):
    """The packages that a module of xentfast needs beside NumPy."""
    return next((packages for name, packages in EXTRAS.items() if f"{module}.".startswith(f"{name}.")), ())


def is_installed(module):
    """Whether all that it needs is there. Nothing is imported."""
    return all(importlib.util.find_spec(package) for package in needs(module))
