"""Options that are numbers or words: what may stand there, and the errors for what may not."""

import math
import operator

# The smallest normal number: below it a number is 0 or not by the caller's floating-point mode.
SMALLEST = 2.2250738585072014e-308


def integer(value, name):
    if type(value) is int:
        return value
    if isinstance(value, bool):
        raise TypeError(f"{name} is a bool; expected an integer")
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is {value!r}; expected an integer") from None


def real_number(value, name):
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} is {value!r}; expected a number")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is {value!r}; expected a number") from None
    except OverflowError:
        raise ValueError(f"{name} is {value!r}; expected a number within the range of float64") from None


def finite_number(value, name):
    number = value if type(value) is float else real_number(value, name)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}; expected a finite number")
    return number


def smoothing(label_smoothing):
    number = label_smoothing if type(label_smoothing) is float else real_number(label_smoothing, "label_smoothing")
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"label_smoothing is {number}; expected a number from 0 to 1")
    return number


def one_of(value, choices, name):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(map(repr, choices))}")
    return value


def choice(value, names, argument):
    if value not in names:
        raise ValueError(f"{argument} is {value!r}; expected {', '.join(map(repr, names[:-1]))} or {names[-1]!r}")
    return value
