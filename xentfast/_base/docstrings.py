"""Docstrings in numpydoc's form, taken apart: modules for other libraries' arrays say of an argument what the function on NumPy's
arrays says of it."""

import inspect
import re
from textwrap import dedent, indent


def sections_of(function):
    """A docstring's sections by title, "" for what stands before the first."""
    first, *others = re.split(r"^(\w[\w ]*)\n-+\n", inspect.getdoc(function), flags=re.M)
    return {"": first.strip(), **{title: body.strip() for title, body in zip(others[::2], others[1::2], strict=True)}}


def entries_of(section):
    """(names, type or "", text) of each entry of a section such as Parameters."""
    for names, kind, text in re.findall(r"^(\w[\w, ]*)(?: : (.*))?\n((?: .*\n?)*)", section, re.M):
        yield names.split(", "), kind, dedent(text).strip()


def entry(names, kind, text):
    """Such an entry."""
    return f"{', '.join(names)} : {kind}\n{indent(text, ' ' * 4)}"


def with_module(text, module):
    """The names of that module in the text, so that they are found from another one."""
    return re.sub(r"`(\w+)`", lambda match: f"`{module.__name__}.{match[1]}`" if match[1] in module.__all__ else match[0], text)
