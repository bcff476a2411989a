"""Checks of what initialisers are given besides where their values go."""

from xentfast._base.arrays import LARGEST, name_of
from xentfast._base.numbers import integer, real_number


def axes_of(value, ndim, name):
    """An axis or a tuple of axes, counted from the front, each once."""
    axes = []
    for axis in value if isinstance(value, (tuple, list)) else (value,):
        index = integer(axis, name)
        if not -ndim <= index < ndim:
            raise ValueError(f"{name} is {value}; a shape of {ndim} axes has axes {-ndim} to {ndim - 1}")
        axes.append(index % ndim)
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name} is {value}, which names an axis twice")
    return axes


def in_and_out_axes(shape, in_axis, out_axis):
    in_axes, out_axes = axes_of(in_axis, len(shape), "in_axis"), axes_of(out_axis, len(shape), "out_axis")
    if set(in_axes) & set(out_axes):
        raise ValueError(f"in_axis is {in_axis} and out_axis is {out_axis}: the same axis of shape {shape}")
    return in_axes, out_axes


def scale_number(value, name, dtype, positive=False, share=1.0):
    """A finite number within that share of the range of `dtype`, not below 0 where `positive`."""
    number = value if type(value) is float else real_number(value, name)
    if not abs(number) <= share * LARGEST[name_of(dtype)]:
        raise ValueError(f"{name} is {number}; expected a finite number, within the range of {dtype}")
    if positive and number < 0:
        raise ValueError(f"{name} is {number}; expected a number of at least 0")
    return number
