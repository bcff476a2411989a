"""fans and gain: what the scale of a layer's weights is made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from xentfast._base.numbers import one_of, real_number, shown
from xentfast.init._checks import in_and_out_axes
from xentfast.random._places import shape_of

if TYPE_CHECKING:
    from xentfast._base.typing import Axes, Nonlinearity, Shape

# 1/√E f(z)² for z normal: what keeps the mean square through f, as √2 does for relu. By quadrature (mpmath, 30 digits).
GELU_GAIN = 1.53353044119553377
SILU_GAIN = 1.67653247033109116


def fans(shape: Shape, in_axis: Axes = -2, out_axis: Axes = -1) -> tuple[int, int]:
    """How many inputs each output has, and how many outputs each input has.

    Parameters
    ----------
    shape : sequence of ints
        Of the weights, at least two axes.
    in_axis, out_axis : int or tuple of ints, default -2 and -1
        Which axes count inputs and outputs; the others are the receptive field of a convolution. The default is that of
        ``x @ w``, Keras and JAX. PyTorch's ``[out, in, *kernel]`` is ``in_axis=1, out_axis=0``.

    Returns
    -------
    tuple of two ints
        fan_in, fan_out: the product of the in axes (of the out axes) and the receptive field.

    Raises
    ------
    ValueError, TypeError
        For a shape of fewer than two axes, for axes that it has not, and for one that is both.

    See Also
    --------
    variance_scaling : Scales by them.
    gain : What else scales are made of.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.fans((3, 3, 16, 32))
    (144, 288)
    >>> xf.init.fans((32, 16, 3, 3), in_axis=1, out_axis=0)
    (144, 288)
    """
    lengths = shape_of(shape)
    if len(lengths) < 2:
        raise ValueError(f"shape {few_axes(lengths)}; expected at least two axes")
    if len(lengths) == 2 and type(in_axis) is type(out_axis) is int and in_axis == -2 and out_axis == -1:
        return lengths                              # the common case
    in_axes, out_axes = in_and_out_axes(lengths, in_axis, out_axis)
    n_in = math.prod([lengths[axis] for axis in in_axes])
    n_out = math.prod([lengths[axis] for axis in out_axes])
    kernel = math.prod([length for axis, length in enumerate(lengths) if axis not in in_axes and axis not in out_axes])
    return n_in * kernel, n_out * kernel


def few_axes(shape):
    return (f"{shape} has {len(shape)} {'axis' if len(shape) == 1 else 'axes'}, which does not say how many inputs and outputs "
            "there are")


def gain(nonlinearity: Nonlinearity, param: float | None = None) -> float:
    """What the standard deviation of weights is multiplied by, for the nonlinearity behind them.

    Parameters
    ----------
    nonlinearity : {"linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu", "silu"}
        What follows the layer.
    param : float, optional
        The slope of leaky_relu for negative inputs, 0.01 unless given. Only leaky_relu has one.

    Returns
    -------
    float
        The gain.

    Raises
    ------
    ValueError, TypeError
        For another nonlinearity, and for a `param` that it does not have.

    See Also
    --------
    he_normal : Takes the nonlinearity itself.
    xavier_normal : Takes the gain.
    fans : What else scales are made of.

    Notes
    -----
    linear and sigmoid 1, tanh 5/3, relu √2, leaky_relu √(2/(1 + param²)), selu 3/4: as PyTorch's `calculate_gain`. That of
    relu keeps the mean square of normal activations through a layer (He et al. 2015, eq. 10), that of leaky_relu too
    (eq. 15); those of tanh and selu are empirical (selu's own theory wants 1: Klambauer et al. 2017). PyTorch has none for
    gelu and silu: here 1/√E f(z)² for z normal, 1.5335 and 1.6765, by the same rule as relu's.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.init.gain("relu")
    1.4142135623730951
    >>> xf.init.gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    one_of(nonlinearity, ("linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu", "silu"), "nonlinearity")
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else real_number(param, "param")
        if not math.isfinite(slope):
            raise ValueError(f"param is {slope}; expected a finite slope")
        return math.sqrt(2.0 / (1.0 + slope * slope))
    if param is not None:
        raise ValueError(f"param is {shown(param)}; expected None for {nonlinearity}, which has no parameter")
    return {"tanh": 5.0 / 3.0, "relu": math.sqrt(2.0), "selu": 0.75, "gelu": GELU_GAIN, "silu": SILU_GAIN}.get(nonlinearity, 1.0)
