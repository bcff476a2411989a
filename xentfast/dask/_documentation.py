"""Docstrings: what is special on Dask arrays is written with each function, the rest is that of the function on NumPy's."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import xentfast
from xentfast._base.docstrings import entries_of, entry, sections_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[..., Any])

N_THREADS = "int or None, default 1", """\
Threads for each block; None for as many as OpenMP would start. Dask runs as many blocks at a time as it has threads.
The result has the same bits for any number."""
ERRORS = """\
What shapes, dtypes and options show to be wrong is an error at once; what only values show is one when the result is
computed, about the first such value of a block, at its place in the whole array."""


def documented(*others: Callable[..., Any]) -> Callable[[Function], Function]:
    """Complete a function's docstring by that of its namesake in `xentfast`, and by those of `others`.

    The namesake's summary (its first line) and notes stand before the function's own; its references are taken over. An argument
    that the function describes with a type is described so; any other as by the first of `others` that has it, or by the
    namesake, and what the function says of it is added. Returns and Raises that the function lacks are those of the last of
    these. See Also has the namesake, and of what that sees those that are in the function's own module.
    """
    def complete(function: Function) -> Function:
        sources = [getattr(xentfast, function.__name__), *others]
        if all(one.__doc__ for one in (function, *sources)):            # python -OO leaves none
            function.__doc__ = _completed(function, [sections_of(one) for one in sources])
        return function

    return complete


def _completed(function, sources):
    own, namesake, last = sections_of(function), sources[0], sources[-1]
    text = _joined(namesake[""].partition("\n")[0], own[""])
    for title, body in {
        "Parameters": _parameters(inspect.signature(function).parameters, own, sources),
        "Returns": own.get("Returns", last["Returns"]),
        "Raises": own.get("Raises", last["Raises"]),
        "See Also": _siblings(function, namesake["See Also"]),
        "Notes": _joined(namesake.get("Notes"), own.get("Notes"), ERRORS),
        "References": namesake.get("References"),
        "Examples": own["Examples"],
    }.items():
        if body:
            text += f"\n\n{title}\n{'-' * len(title)}\n{body}"
    return text + "\n"


def _parameters(names, own, sources):
    described = {}
    for source in (sources[0], *reversed(sources[1:])):
        described |= {name: (kind.replace("array_like", "dask or numpy array"), text)
                      for name, kind, text in _arguments(source) if kind}
    described["n_threads"] = N_THREADS
    for name, kind, text in _arguments(own):
        described[name] = (kind, text) if kind else (described[name][0], f"{described[name][1]}\n{text}")
    return "\n".join(entry([name], *described[name]) for name in names)


def _siblings(function, seen):
    own = sys.modules[function.__module__].__all__
    return "\n".join([f"xentfast.{function.__name__} : On NumPy arrays.",
                      *(line for line in seen.splitlines() if line.partition(" : ")[0] in own)])


def _arguments(sections):
    """(name, type or "", text) of each."""
    return ((name, kind, text) for names, kind, text in entries_of(sections.get("Parameters", "")) for name in names)


def _joined(*paragraphs):
    return "\n\n".join(filter(None, paragraphs))
