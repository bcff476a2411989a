"""softmax, log_softmax and logsumexp, by the kernels of the losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.arrays import (
    float_array,
    leave_out,
    one_axis_of,
    one_axis_of_broadcast,
    reduced_shape,
    reduction_axes,
    without_mask,
)
from xentfast._base.entry import entry
from xentfast._base.outputs import checked_output, output_array
from xentfast._base.threads import requested
from xentfast._base.values import broadcast_factors, broadcast_mask
from xentfast._softmax import plain
from xentfast._softmax.loops import FOR_LOG_SOFTMAX, FOR_LOGSUMEXP, FOR_SOFTMAX, normalise

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

__all__ = ["log_softmax", "logsumexp", "softmax"]


@entry(plain.Normalised(log=False))
def softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, where: ArrayLike | None = None,
            out: NDArray[Any] | None = None, n_threads: int | None = None) -> NDArray[Any]:
    r"""Softmax: exponentials that sum to one along `axis`.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Any shape with at least one axis, any strides. Integers become float64.
    axis : int, tuple of ints or None, default -1
        The axis or axes to normalise over; None for all. More than one may need a copy of `x`.
    where : array_like of bool, optional
        Broadcasts to `x`. Where it is False a value is not read, and does not count; nor is a masked one of a masked array.
    out : ndarray, optional
        Where to put the result: of the shape and dtype of `x`. ``out=x`` works in place.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray
        Of the shape of `x` and its dtype (float64 for integers); 16 bits are computed in float32.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    See Also
    --------
    log_softmax : Its logarithm, without its underflow.
    logsumexp : The logarithm of what it divides by.
    softmax_cross_entropy : The loss of logits, without their softmax.

    Notes
    -----
    :math:`e^{x_j} / \sum_k e^{x_k}` over the classes that `where` leaves in, each within 4 ulp in float32 (float64: 8), whatever
    its size. A slice that holds nan or +inf among them, or no finite value, becomes nan.

    What `where` leaves out is exactly 0, in such a slice too; a slice of which it leaves nothing is all 0, as attention to
    nothing.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.softmax(np.array([0.0, 0.0, -np.inf]))
    array([0.5, 0.5, 0. ])

    Causal attention, whose first row sees one place and whose last sees all:

    >>> xf.softmax(np.zeros((2, 2)), where=np.tri(2, dtype=bool))
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    return _normalised(x, axis, where, out, n_threads, FOR_SOFTMAX)


@entry(plain.Normalised(log=True))
def log_softmax(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, where: ArrayLike | None = None,
                out: NDArray[Any] | None = None, n_threads: int | None = None) -> NDArray[Any]:
    r"""Logarithm of the softmax, without its underflow.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Any shape with at least one axis, any strides. Integers become float64.
    axis : int, tuple of ints or None, default -1
        The axis or axes to normalise over; None for all. More than one may need a copy of `x`.
    where : array_like of bool, optional
        Broadcasts to `x`. Where it is False a value is not read, and does not count; nor is a masked one of a masked array.
    out : ndarray, optional
        Where to put the result: of the shape and dtype of `x`. ``out=x`` works in place.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray
        Of the shape of `x` and its dtype (float64 for integers).

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    See Also
    --------
    softmax : Without the logarithm.
    logsumexp : What is subtracted.
    softmax_cross_entropy : The loss of logits, without their softmax.

    Notes
    -----
    :math:`(x_j - m) - \log \sum_k e^{x_k - m}` with m the maximum, which is left out of the sum and added back in
    double precision: the largest element's result does not vanish, however close to 0. What `where` leaves out is −inf, in a
    slice that is otherwise nan too.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.log_softmax(np.array([0.0, -50.0]))
    array([-1.92874985e-22, -5.00000000e+01])
    """
    return _normalised(x, axis, where, out, n_threads, FOR_LOG_SOFTMAX)


@entry(plain.LogSumExp())
def logsumexp(x: ArrayLike, axis: int | tuple[int, ...] | None = -1, *, b: ArrayLike | None = None,
              where: ArrayLike | None = None, keepdims: bool = False, out: NDArray[Any] | None = None,
              n_threads: int | None = None) -> np.floating | NDArray[Any]:
    r"""Logarithm of the sum of exponentials along `axis`.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Any shape with at least one axis, any strides. Integers become float64.
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all. More than one may need a copy of `x`.
    b : array_like, optional
        Real numbers that the exponentials are multiplied by, of either sign. Broadcasts to `x`, and does not change the
        result's dtype. Where it is 0, or masked, a value does not count, nan and infinity included.
    where : array_like of bool, optional
        Broadcasts to `x`. Where it is False a value is not read, and does not count; nor is a masked one of a masked array.
    keepdims : bool, default False
        Keep the axes that are summed over, with length one.
    out : ndarray, optional
        Where to put the result: of its shape, and the dtype of `x`.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray or scalar
        Of the shape of `x` without `axis`, in its dtype (float64 for integers).

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described. `out` is untouched then.

    See Also
    --------
    softmax : Each term's share of the sum.
    log_softmax : The logarithm of each term's share.

    Notes
    -----
    :math:`m + \log \sum_k e^{x_k - m}` with m the maximum, over the values that `where` leaves in. As in SciPy, the result is
    −inf where every value is −inf or there is none, +inf where one is +inf, and nan where one is nan.

    With `b` it is

    .. math:: \log \sum_k b_k e^{x_k} = x_t + \log |b_t|
        + \log\Bigl(\pm 1 + \sum_{k \ne t} \frac{b_k e^{x_k}}{|b_t| e^{x_t}}\Bigr)

    with t the term of the largest size, computed in double precision for float32 and 16 bits too: nan where the sum is negative,
    −inf where it is 0. Terms of both signs cancel: beside some ulp of the largest of the three summands, the result is off by up
    to :math:`2^{-50} \sum_k |b_k| e^{x_k} / |\sum_k b_k e^{x_k}|`.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.logsumexp(np.array([1000.0, 1000.0]))
    np.float64(1000.6931471805599)
    >>> xf.logsumexp(np.array([1000.0, 999.0]), b=[1, -1])
    np.float64(999.5413248546129)
    """
    if where is None and type(x) is np.ndarray:
        x = float_array(x, "x")                             # the common case
    else:
        x, where = _masked(x, where)
    axes = reduction_axes(axis, x, "x", or_nothing=True)
    shape = reduced_shape(x.shape, axes, keepdims)
    b = None if b is None else broadcast_factors(b, x.shape)
    n_threads = requested(n_threads)
    if out is not None:
        out = checked_output(out, shape, x.dtype)
        for name, array in (("x", x), ("where", where), ("b", b)):
            if array is not None and np.may_share_memory(out, array):
                raise ValueError(f"out overlaps {name}, which is read while it is written")
    values = out if out is not None and out.flags.c_contiguous else np.empty(shape, x.dtype)
    if x.size == 0:
        values[...] = -np.inf                               # the sum of nothing is 0
    elif len(axes) == 1:
        normalise(FOR_LOGSUMEXP, x, axes[0], where, b, None, values, n_threads)
    else:
        x, where, b = _rows(axes, x, where, b)
        normalise(FOR_LOGSUMEXP, x, x.ndim - 1, where, b, None, values, n_threads)
    if out is None:
        return values[()]
    if values is not out:
        out[...] = values
    return out


def _normalised(x, axis, where, out, n_threads, result):
    if where is None and type(x) is np.ndarray:
        x = float_array(x, "x")                             # the common case
    else:
        x, where = _masked(x, where)
    axes = reduction_axes(axis, x, "x", or_nothing=True)
    n_threads = requested(n_threads)
    out = output_array(out, x) if where is None else output_array(out, x, (where,))
    if x.size == 0:
        return out
    if len(axes) == 1:
        normalise(result, x, axes[0], where, None, out, None, n_threads)
        return out
    merged, where, _ = _rows(axes, x, where, None)
    target = np.empty(merged.shape, x.dtype)
    normalise(result, merged, merged.ndim - 1, where, None, target, None, n_threads)
    kept = [i for i in range(x.ndim) if i not in axes]
    out.transpose(kept + list(axes))[...] = target.reshape([x.shape[i] for i in kept] + [x.shape[i] for i in axes])
    return out


def _masked(x, where):
    """(floats, booleans of their shape or None)"""
    x, masked = without_mask(x, "x")
    x = float_array(x, "x")
    if where is not None:
        where = broadcast_mask(where, x.shape, "x")
    return x, where if masked is None else leave_out(where, masked)


def _rows(axes, x, where, b):
    """The arrays with these axes made one, the last."""
    where, b = (None if array is None else one_axis_of_broadcast(array, axes) for array in (where, b))
    return one_axis_of(x, axes), where, b
