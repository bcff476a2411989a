"""What a family of functions makes of a Draw: a call, the same call from plain arrays, and how its results are judged."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from drawing import BFLOAT16


@dataclass
class Case:
    """A valid call."""

    name: str                                       # as users type it after `xf.`
    function: Callable[..., Any]
    given: dict[str, Any]                           # its arguments, in any memory
    plain: dict[str, Any]                           # the same values in plain arrays, without outputs
    judge: Callable[[list[Any]], None]              # raises Finding for results (a list) that are not as promised
    defects: dict[str, list[Any]] = field(default_factory=dict)         # values that an argument must not have, here
    same_bits: bool = True                          # from plain arrays and from any number of threads
    nameable: tuple[str, ...] | None = ()           # arguments that nonsense may be given for, or those of `given`; None for none


FAMILIES: dict[str, Callable[[Any, str], Case]] = {}        # public name → function of (Draw, name)


def family(*names):
    """Register a function of (draw, name) that makes cases of these public functions."""
    def register(function):
        FAMILIES.update(dict.fromkeys(names, function))
        return function
    return register


def arguments(draw, arrays, options):
    """(given, plain) of {name: array} and of options that are none."""
    given, plain = dict(options), dict(options)
    for name, array in arrays.items():
        if array is None:
            given[name] = plain[name] = None
        else:
            given[name], plain[name] = draw.laid(array)
    if draw.chance(0.7):
        given["n_threads"] = draw.choice([None, 1, 2, 2, 3, 7])
    plain["n_threads"] = 2 if given.get("n_threads") == 1 else 1
    return given, plain


def output(draw, given, name, values, shape):
    """An output of that shape for `values` (an array of the dtype of the result): the argument `name` itself, or other memory."""
    if shape == values.shape and draw.chance(0.3):
        view = draw.view(values.shape, values.dtype)
        view[...] = values
        given[name] = view
        return draw.filled(view)
    return draw.out(shape, values.dtype)


def bad_outputs(shape, dtype):
    """What no function takes as `out` for a result of that shape and dtype."""
    read_only = np.zeros(shape, dtype)
    read_only.flags.writeable = False
    return [np.zeros((*shape, 1), dtype), np.zeros(shape, np.int32), read_only, np.zeros(shape).tolist(), "a",
            np.zeros(shape, BFLOAT16 if dtype != BFLOAT16 else np.float32), np.zeros((2, *shape), dtype)]
