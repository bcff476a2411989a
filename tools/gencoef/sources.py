"""The coefficients that the kernels have: literals of a function, which is found by its name in whichever file it stands."""

import re
from pathlib import Path
from typing import NamedTuple

FILES = ("xentfast", "*.pxi")           # a folder beside pyproject.toml, and what is searched in it and below

_ASSIGNMENT = re.compile(r"(?:cdef \w+ )?(\w+) = (.*)|(return) (.*)")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+)")


class Place(NamedTuple):
    """Which literals: those of what a function assigns to these names (or returns), in their order, from `start` by `step`.

    All forms of evaluation in the kernels begin with the highest power, but where `ascending`.
    """

    function: str
    names: tuple
    start: int = 0
    stop: int | None = None
    step: int = 1
    ascending: bool = False


def coefficients(place):
    """Literals as they are written, the constant coefficient's first."""
    found = literals(place.function, place.names)[place.start:place.stop:place.step]
    return found if place.ascending else found[::-1]


def literals(function, names):
    """Every literal of what the function assigns to these names, in order."""
    found = []
    for statement in _statements(_body(source(function).read_text(encoding="utf-8"), function)):
        match = _ASSIGNMENT.fullmatch(statement)
        if match and (match[1] or match[3]) in names:
            found += _NUMBER.findall(match[2] or match[4])
    return found


def source(function):
    """The file that defines it."""
    folder, pattern = FILES
    files = [path for path in (root() / folder).rglob(pattern) if _head(function).search(path.read_text(encoding="utf-8"))]
    if len(files) != 1:
        raise LookupError(f"{function} is defined in {len(files)} files like {folder}/**/{pattern}, not in one")
    return files[0]


def root():
    """The checkout."""
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder
    raise LookupError("no pyproject.toml above this file")


def _head(function):
    return re.compile(rf"^cdef (?:inline )?\w+ {re.escape(function)}\(", re.MULTILINE)


def _body(text, function):
    """The lines of a function: its first, and those that are indented below it."""
    head, *lines = text[_head(function).search(text).start():].splitlines()
    yield head
    for line in lines:
        if line and not line[0].isspace():
            return
        yield line.partition("#")[0].strip()


def _statements(lines):
    """Lines that a bracket holds together, joined."""
    statement = ""
    for line in lines:
        statement = f"{statement} {line}".strip()
        if statement.count("(") == statement.count(")"):
            yield statement
            statement = ""
