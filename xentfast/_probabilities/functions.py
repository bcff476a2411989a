"""Entropies of probabilities: cross-entropy with its gradient, entropy, divergence, and the log loss of labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.arrays import name_of, one_axis_of, reduced_shape, reduction_axes
from xentfast._base.entry import entry
from xentfast._base.numbers import is_true
from xentfast._base.threads import requested
from xentfast._probabilities.checks import (
    EPSILON,
    LogLossCall,
    clipping,
    float_dtype,
    gradient_output,
    name_bad_probability,
    named_probabilities,
    probability_arrays,
    rows_slack,
    value_dtype,
)
from xentfast._probabilities.loops import FOR_CROSS_ENTROPY, FOR_DIVERGENCE, FOR_ENTROPY, compare, label_losses, slopes
from xentfast._probabilities.loops import chunk_length as chunk_length  # for whoever has but some of the chunks
from xentfast._probabilities.plain import ComparisonCase, GradientCase

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from xentfast._base.typing import Loss, Losses

__all__ = ["cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence", "log_loss"]


@entry(ComparisonCase(FOR_CROSS_ENTROPY))
def cross_entropy(p: ArrayLike, q: ArrayLike, *, axis: int | tuple[int, ...] | None = -1, eps: float | None = None,
                  keepdims: bool = False, n_threads: int | None = None) -> Loss | Losses:
    r"""Cross-entropy H(p, q) of two probability distributions along `axis`.

    For logits there is `softmax_cross_entropy`, for labels `log_loss`.

    Parameters
    ----------
    p : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution that the mean is taken over, such as one-hot or soft targets. Of any shape with at least one axis,
        any strides.
    q : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution whose logarithm is taken, such as predictions. Its shape broadcasts with that of `p`.
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all. More than one may need a copy of `p` and `q`.
    eps : float, optional
        From 0 to 0.5: clip `q` to [eps, 1 − eps] first. By default it is not clipped: p > 0 where q = 0 gives +inf.
    keepdims : bool, default False
        Keep the axes that are summed over, with length one.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray or scalar
        In nats, of the broadcast shape without `axis`; float64 if `p` or `q` is float64 or integer, else float32.

    Raises
    ------
    ValueError
        `p` or `q` holds something else than numbers from 0 to 1, the first of which is named; shapes do not broadcast;
        an option is out of range.
    TypeError
        An argument is of a type that is not described.

    See Also
    --------
    cross_entropy_grad : Its gradient.
    entropy : H(p, p).
    kl_divergence : H(p, q) − H(p).
    softmax_cross_entropy : Of logits.
    log_loss : Of labels.

    Notes
    -----
    .. math:: H(p, q) = -\sum_c p_c \log q_c

    (Shannon 1948), with 0·log 0 = 0. Neither `p` nor `q` is made to sum to one. Logarithms of float32 and of 16-bit floats are
    computed in float32 and added up in float64, which keeps the result within 2 ulp, and within 2 ulp of the sum of the terms'
    sizes where terms have either sign (a divergence that `eps` clips is computed in float64). A result below the smallest normal
    number is 0. The result has the same bits for any memory layout, number of threads and CPU.

    References
    ----------
    .. [1] Shannon, "A mathematical theory of communication", 1948.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.cross_entropy([0.5, 0.5, 0.0], [0.25, 0.75, 0.0])
    np.float64(0.8369882167858358)
    >>> xf.cross_entropy([[1, 0], [0, 1]], [[0.5, 0.5], [1.0, 0.0]])
    array([0.69314718,        inf])
    """
    return _compared(FOR_CROSS_ENTROPY, {"p": p, "q": q}, axis, eps, keepdims, n_threads)


@entry(ComparisonCase(FOR_ENTROPY, has_q=False))
def entropy(p: ArrayLike, *, axis: int | tuple[int, ...] | None = -1, keepdims: bool = False,
            n_threads: int | None = None) -> Loss | Losses:
    r"""Entropy H(p) of a probability distribution along `axis`.

    Parameters
    ----------
    p : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution, of any shape with at least one axis, any strides.
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all. More than one may need a copy of `p`.
    keepdims : bool, default False
        Keep the axes that are summed over, with length one.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray or scalar
        In nats, of the shape of `p` without `axis`; float64 for float64 and integers, else float32.

    Raises
    ------
    ValueError, TypeError
        As for `cross_entropy`.

    See Also
    --------
    cross_entropy : Of two distributions.
    kl_divergence : What the cross-entropy is beyond the entropy.

    Notes
    -----
    .. math:: H(p) = -\sum_c p_c \log p_c

    (Shannon 1948), with 0·log 0 = 0. `p` is not made to sum to one, as `scipy.stats.entropy` does.

    References
    ----------
    .. [1] Shannon, "A mathematical theory of communication", 1948.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.entropy([0.25, 0.25, 0.25, 0.25])
    np.float64(1.3862943611198906)
    >>> xf.entropy([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
    array([0.69314718, 0.        ])
    """
    return _compared(FOR_ENTROPY, {"p": p}, axis, None, keepdims, n_threads)


@entry(ComparisonCase(FOR_DIVERGENCE))
def kl_divergence(p: ArrayLike, q: ArrayLike, *, axis: int | tuple[int, ...] | None = -1, eps: float | None = None,
                  keepdims: bool = False, n_threads: int | None = None) -> Loss | Losses:
    r"""Kullback–Leibler divergence of `p` from `q`, the relative entropy, along `axis`.

    Parameters
    ----------
    p : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution that the mean is taken over, such as one-hot or soft targets. Of any shape with at least one axis,
        any strides.
    q : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution that `p` is compared with. Its shape broadcasts with that of `p`.
    axis : int, tuple of ints or None, default -1
        The axis or axes to sum over; None for all. More than one may need a copy of `p` and `q`.
    eps : float, optional
        From 0 to 0.5: clip `q` to [eps, 1 − eps] first. By default it is not clipped: p > 0 where q = 0 gives +inf.
    keepdims : bool, default False
        Keep the axes that are summed over, with length one.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    ndarray or scalar
        In nats, of the broadcast shape without `axis`; float64 if `p` or `q` is float64 or integer, else float32.

    Raises
    ------
    ValueError, TypeError
        As for `cross_entropy`.

    See Also
    --------
    cross_entropy : With the entropy of `p`.
    entropy : Of one distribution.

    Notes
    -----
    .. math:: D(p \,\|\, q) = \sum_c p_c \log \frac{p_c}{q_c} = H(p, q) - H(p)

    (Kullback & Leibler 1951), with 0·log 0 = 0, and +inf for p > 0 on q = 0. Each logarithm is that of the ratio itself, so that
    terms keep their digits where `p` and `q` are close. Where both sum to the same, the result is not negative but for rounding.

    References
    ----------
    .. [1] Kullback & Leibler, "On information and sufficiency", Ann. Math. Statist. 22, 1951.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.kl_divergence([0.5, 0.5], [0.25, 0.75])
    np.float64(0.14384103622589045)
    >>> xf.kl_divergence([0.5, 0.5], [0.5, 0.5])
    np.float64(0.0)
    """
    return _compared(FOR_DIVERGENCE, {"p": p, "q": q}, axis, eps, keepdims, n_threads)


@entry(GradientCase())
def cross_entropy_grad(p: ArrayLike, q: ArrayLike, *, eps: float | None = None, out: NDArray[Any] | None = None,
                       n_threads: int | None = None) -> NDArray[Any]:
    r"""Gradient of `cross_entropy` with respect to `q`.

    Parameters
    ----------
    p : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution that the mean is taken over, of any shape with at least one axis, any strides.
    q : array_like of float16, bfloat16, float32, float64, ints or bool
        The distribution whose logarithm is taken, such as predictions. Its shape broadcasts with that of `p`.
    eps : float, optional
        From 0 to 0.5: clip `q` to [eps, 1 − eps] first. Elements that it clips have the gradient 0.
    out : ndarray, optional
        Where to put the result: of the broadcast shape and the result's dtype, any strides. ``out=q`` works in place, and so
        does ``out=p`` where its shape and dtype fit.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    grad : ndarray
        Of the broadcast shape and the dtype of `q` (float64 for integers); `out` where it was given.

    Raises
    ------
    ValueError, TypeError
        As for `cross_entropy`, and for an `out` of the wrong type, dtype or shape, read-only, or overlapping `p` or `q` without
        being the same elements. `out` is untouched then.

    See Also
    --------
    cross_entropy : What it is the gradient of.
    softmax_cross_entropy_grad : With respect to logits, where nothing is divided by.

    Notes
    -----
    :math:`-p_c / q_c`, rounded once to the result's dtype (to float32 first where that is a 16-bit one): exactly 0 where p = 0,
    on q = 0 too, and −inf where p > 0 and q = 0.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.cross_entropy_grad([0.5, 0.5, 0.0], [0.25, 0.75, 0.0])
    array([-2.        , -0.66666667,  0.        ])
    """
    given = {"p": p, "q": q}
    p, q = probability_arrays(given)
    least, largest = clipping(eps)
    n_threads = requested(n_threads)
    target = gradient_output(out, p, q)
    # Along the memory that is written: axes that lie evenly there become one.
    order = sorted(range(q.ndim), key=lambda axis: -abs(target.strides[axis]))
    p, q, grad = (array.transpose(order).squeeze() for array in (p, q, target))
    if not slopes(p, q, least, largest, grad, out is None, n_threads):
        name_bad_probability(given)
    return target


def log_loss(y_true: ArrayLike, y_pred: ArrayLike | None = None, *, sample_weight: ArrayLike | None = None,
             labels: ArrayLike | None = None, normalize: bool = True, y_proba: ArrayLike | None = None,
             n_threads: int | None = None) -> float:
    r"""Mean negative log-likelihood of labels under predicted probabilities, as scikit-learn's `log_loss`.

    Parameters
    ----------
    y_true : array_like of shape (N,) or (N, C)
        Labels of any dtype that can be sorted: integers, bool, strings, objects, whole floats. Or a matrix of indicators, 0
        or 1 for each class; two columns where `y_pred` has the probability of the second of two alone.
    y_pred : array_like of shape (N, C), (N,) or (N, 1)
        A probability for each row and class, the classes in the order of the sorted labels; or, for two labels, that of the
        second. Any strides, no copy.
    sample_weight : array_like of shape (N,), optional
        A finite weight for each row. Rows of weight 0 are looked at like all others, as in scikit-learn: their labels occur,
        and their probabilities must be some.
    labels : array_like of shape (C,), optional
        All labels that there are. By default those that occur in `y_true`.
    normalize : bool, default True
        Divide the sum by the number of rows, or by the sum of `sample_weight`.
    y_proba : array_like, optional
        The same argument as `y_pred`, under the name that scikit-learn has for it since version 1.9.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    float
        In nats.

    Raises
    ------
    ValueError
        `y_pred` holds something else than numbers from 0 to 1, the first of which is named; lengths or the numbers of labels and
        classes differ; a label is not among `labels`; the weights to divide by sum to zero.
    TypeError
        Labels cannot be sorted, an argument is of a type that is not described, or `y_pred` and `y_proba` are both given, or
        neither.

    See Also
    --------
    softmax_cross_entropy : Of logits.
    cross_entropy : Of two distributions.

    Notes
    -----
    .. math:: \frac{\sum_i w_i \,(-\log q_{i, y_i})}{\sum_i w_i}

    with q clipped to [ε, 1 − ε], ε the distance from 1 to the next number of its dtype. Computed in float64. Rows that do not
    sum to one within √ε are used as they are, with a UserWarning, and so are `labels` that are not sorted: they name the columns
    in sorted order all the same. The result has the same bits for any memory layout, number of threads and CPU.

    Examples
    --------
    >>> import xentfast as xf
    >>> xf.log_loss(["spam", "ham", "ham", "spam"], [[0.1, 0.9], [0.9, 0.1], [0.8, 0.2], [0.35, 0.65]])
    0.21616187468057912
    """
    given, name = named_probabilities(y_pred, y_proba)
    call = LogLossCall(y_true, given, sample_weight, labels, n_threads, name)
    eps = EPSILON[name_of(float_dtype(call.q.dtype))]
    total, fine, even = label_losses(call.q, call.classes, call.indicators, call.sample_weight, eps, 1.0 - eps,
                                     rows_slack(call.q.dtype), call.n_threads)
    if not fine:
        name_bad_probability({name: given})
    if not even:
        warnings.warn(f"rows of {name} do not sum to one; pass probabilities", UserWarning, stacklevel=2)
    if not call.in_order:
        warnings.warn(f"labels are not sorted, and the columns of {name} are taken to be: in the order of "
                      f"{call.declared.tolist()}", UserWarning, stacklevel=2)
    if not is_true(normalize, "normalize"):
        return total
    if call.weight_sum == 0.0:
        raise ValueError("sample_weight sums to zero, by which the mean would be divided")
    return total / call.weight_sum


def _compared(measure, given, axis, eps, keepdims, n_threads):
    """A value for each row of what was given: p, or p and q."""
    arrays = probability_arrays(given)
    p = arrays[0]
    axes = reduction_axes(axis, p, "p")
    least, largest = clipping(eps)
    n_threads = requested(n_threads)
    values = np.empty(reduced_shape(p.shape, axes, keepdims), value_dtype(arrays))
    merged = [one_axis_of(array, axes) for array in arrays]
    last = axes[0] if len(axes) == 1 else merged[0].ndim - 1
    q = merged[1] if len(merged) == 2 else None
    if not compare(measure, merged[0], q, last, least, largest, values, n_threads):
        name_bad_probability(given)
    return values[()]
