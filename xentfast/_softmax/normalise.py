"""softmax, log_softmax and logsumexp, by the kernels of the losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.arrays import float_array, one_axis_of, reduced_shape, reduction_axes
from xentfast._base.outputs import checked_output, output_array
from xentfast._base.threads import requested
from xentfast._softmax.loops import FOR_LOG_SOFTMAX, FOR_LOGSUMEXP, FOR_SOFTMAX, normalise

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["log_softmax", "logsumexp", "softmax"]


def softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, out: NDArray[Any] | None = None,
            n_threads: int | None = None) -> NDArray[Any]:
    r"""Softmax: exponentials that sum to one along `axis`.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Any shape with at least one axis, any strides. Integers become float64.
    axis : int, tuple of ints or None, default -1
        The axis or axes to normalise over; None for all. More than one may need a copy of `x`.
    out : ndarray, optional
        Where to put the result: of the shape and dtype of `x`. ``out=x`` works in place.
    n_threads : int, optional
        As for `softmax_cross_entropy`.

    Returns
    -------
    ndarray
        Of the shape of `x` and its dtype (float64 for integers); 16 bits are computed in float32.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    Notes
    -----
    :math:`e^{x_j} / \sum_k e^{x_k}`, each q within 3 + \|ln q\| ulp in float32. A slice that holds nan or +inf, or no
    finite value, becomes nan.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.softmax(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    return _normalised(x, axis, out, n_threads, FOR_SOFTMAX)


def log_softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, out: NDArray[Any] | None = None,
                n_threads: int | None = None) -> NDArray[Any]:
    r"""Logarithm of the softmax, without its underflow.

    Parameters
    ----------
    x, axis, out, n_threads
        As for `softmax`.

    Returns
    -------
    ndarray
        Of the shape of `x` and its dtype (float64 for integers).

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    Notes
    -----
    :math:`(x_j - m) - \log \sum_k e^{x_k - m}` with m the maximum, which is left out of the sum and added back in
    double precision: the largest element's result does not vanish, however close to 0.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.log_softmax(np.array([0.0, -50.0]))
    array([-1.92874985e-22, -5.00000000e+01])
    """
    return _normalised(x, axis, out, n_threads, FOR_LOG_SOFTMAX)


def logsumexp(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, keepdims: bool = False,
              out: NDArray[Any] | None = None, n_threads: int | None = None) -> np.floating | NDArray[Any]:
    r"""Logarithm of the sum of exponentials along `axis`.

    Parameters
    ----------
    x, axis, n_threads
        As for `softmax`.
    keepdims : bool, default False
        Keep the axes that are summed over, with length one.
    out : ndarray, optional
        Where to put the result: of its shape, and the dtype of `x`.

    Returns
    -------
    ndarray or scalar
        Of the shape of `x` without `axis`, in its dtype (float64 for integers).

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    Notes
    -----
    :math:`m + \log \sum_k e^{x_k - m}` with m the maximum. As in SciPy, the result is −inf where every value is −inf,
    +inf where one is +inf, and nan where one is nan.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.logsumexp(np.array([1000.0, 1000.0]))
    np.float64(1000.6931471805599)
    """
    x = float_array(x, "x")
    axes = reduction_axes(axis, x, "x")
    shape = reduced_shape(x.shape, axes, keepdims)
    merged = one_axis_of(x, axes)
    last = axes[0] if merged is x else merged.ndim - 1
    n_threads = requested(n_threads)
    if out is not None:
        out = checked_output(out, shape, x.dtype)
        if np.may_share_memory(out, x):
            raise ValueError("out overlaps x, which is read while it is written")
    values = out if out is not None and out.flags.c_contiguous else np.empty(shape, x.dtype)
    normalise(FOR_LOGSUMEXP, merged, last, None, values, n_threads)
    if out is None:
        return values[()]
    if values is not out:
        out[...] = values
    return out


def _normalised(x, axis, out, n_threads, result):
    x = float_array(x, "x")
    axes = reduction_axes(axis, x, "x")
    merged = one_axis_of(x, axes)
    last = axes[0] if merged is x else merged.ndim - 1
    n_threads = requested(n_threads)
    out = output_array(out, x)
    target = out if merged is x else np.empty(merged.shape, x.dtype)
    normalise(result, merged, last, target, None, n_threads)
    if target is not out:
        kept = [i for i in range(x.ndim) if i not in axes]
        out.transpose(kept + list(axes))[...] = target.reshape([x.shape[i] for i in kept] + [x.shape[i] for i in axes])
    return out
