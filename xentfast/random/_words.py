"""What a Philox4x32 is given: its words, and its state."""

import numpy as np

from xentfast._base.numbers import integer, shown

PARTS = ("bit_generator", "state", "buffer", "buffer_pos")


def words_of(value, n, name):
    """An int, or n words, as n uint32, the lowest first."""
    several = value.ndim == 1 if isinstance(value, np.ndarray) else isinstance(value, (list, tuple))
    try:
        words = [integer(word, name) for word in (value if several else [value])]
    except TypeError:
        raise TypeError(f"{name} is {shown(value)}; expected an integer or {n} words") from None
    if several:
        # Not by a generator expression: Python 3.12.1 and 3.13.0 crash where there is no memory for one.
        if len(words) != n or min(words) < 0 or max(words) >= 2**32:
            raise ValueError(f"{name} is {shown(value)}; expected {n} words, each from 0 to 2**32 - 1")
        return words
    number = words[0]
    if not 0 <= number < 2 ** (32 * n):
        raise ValueError(f"{name} is {number}; expected an integer from 0 to 2**{32 * n} - 1")
    return [number >> 32 * i & 0xffffffff for i in range(n)]


def state_of(value, kind):
    """(key, counter, buffer, place in it) of the dict that is the state of a generator of that kind."""
    if not isinstance(value, dict):
        raise TypeError(f"state is of type {type(value).__name__}; expected a dict")
    found = value.get("bit_generator")
    if not isinstance(found, str) or found != kind:
        raise ValueError(f"state is of a {found}; expected that of a {kind}")
    inner = _part(value, "state", PARTS, "state")
    if not isinstance(inner, dict):
        raise TypeError(f"state['state'] is of type {type(inner).__name__}; expected a dict")
    key = words_of(_part(inner, "key", ("key", "counter"), "state['state']"), 2, "state['state']['key']")
    counter = words_of(_part(inner, "counter", ("key", "counter"), "state['state']"), 4, "state['state']['counter']")
    buffer = words_of(_part(value, "buffer", PARTS, "state"), 4, "state['buffer']")
    position = integer(_part(value, "buffer_pos", PARTS, "state"), "state['buffer_pos']")
    if not 0 <= position <= 4:
        raise ValueError(f"state['buffer_pos'] is {position}; expected 0 to 4")
    return key, counter, buffer, position


def _part(value, part, parts, name):
    if part not in value:
        raise ValueError(f"{name} has no {part!r}; expected {', '.join(map(repr, parts[:-1]))} and {parts[-1]!r}")
    return value[part]
