"""Options that are numbers or words: what may stand there, and the errors for what may not."""

import math
import operator

import numpy as np

# The smallest normal number: below it a number is 0 or not by the caller's floating-point mode.
SMALLEST = 2.2250738585072014e-308


# Integers beyond it mean nothing anywhere; Python may refuse to write longer ones out.
LARGEST_INTEGER = 2**2000


def shown(value):
    """What an error shows of an argument: all of it, if Python can."""
    try:
        return repr(value)
    except Exception:
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"of type {type(value).__name__}"


def integer(value, name):
    if type(value) is not int:
        if isinstance(value, (bool, np.bool_)):             # NumPy 2.0 still makes an index of the latter
            raise TypeError(f"{name} is a bool; expected an integer")
        try:
            value = operator.index(value)
        except MemoryError:
            raise
        except Exception:
            raise TypeError(f"{name} is {shown(value)}; expected an integer") from None
    if not -LARGEST_INTEGER < value < LARGEST_INTEGER:
        raise ValueError(f"{name} is a number of {value.bit_length()} bits; expected an integer of at most 2000")
    return value


def real_number(value, name):
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name} is {value!r}; expected a number")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} is {shown(value)}; expected a number within the range of float64") from None
    except MemoryError:
        raise
    except Exception:
        raise TypeError(f"{name} is {shown(value)}; expected a number") from None


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


def is_true(value, name):
    """Of what may be true or false, as NumPy takes it."""
    try:
        return bool(value)
    except MemoryError:
        raise
    except Exception:
        raise TypeError(f"{name} is {shown(value)}; expected True or False") from None


def focusing(focal_gamma):
    """γ of a focal loss."""
    number = focal_gamma if type(focal_gamma) is float else real_number(focal_gamma, "focal_gamma")
    if not 0.0 <= number < math.inf:
        raise ValueError(f"focal_gamma is {number}; expected a finite number of at least 0")
    return number


def one_of(value, choices, name):
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {shown(value)}; expected one of {', '.join(map(repr, choices))}")
    return value


def choice(value, names, argument):
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{argument} is {shown(value)}; expected {', '.join(map(repr, names[:-1]))} or {names[-1]!r}")
    return value


def position(flat, shape):
    """'[3, 17]' for a place in an array of `shape`; nothing for a scalar."""
    index = np.unravel_index(flat, shape)
    return f"[{', '.join(str(int(i)) for i in index)}]" if shape else ""
