"""Softmax cross-entropy where a row's classes are in several places: partial results, and the way to combine them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.outputs import checked_output
from xentfast._base.reduction import mean_of_nothing, nothing_to_divide_by, reduced
from xentfast._partials.checks import FIELDS, SliceCall, not_none
from xentfast._partials.loops import combine_records, combine_slices, write_records
from xentfast._partials.loops import soft_weights as soft_weights  # for whoever has the records alone

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from xentfast._base.typing import Loss, Losses, Reduction

__all__ = ["softmax_cross_entropy_combine", "softmax_cross_entropy_combine_grad", "softmax_cross_entropy_partial"]


def softmax_cross_entropy_partial(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    first_class: int,
    n_classes: int,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: ArrayLike | None = None,
    where_count: ArrayLike | None = None,
    out: NDArray[np.float64] | None = None,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    r"""Partial results of `softmax_cross_entropy` over a slice of the classes: log-sum-exp in parts, target logit, masses.

    For logits whose classes are cut over processes, machines or files (class-parallel, vocabulary-parallel): each has the
    partial results of its slice made, they are joined, and `softmax_cross_entropy_combine` makes the exact loss of them,
    `softmax_cross_entropy_combine_grad` each slice of its gradient.

    The options are those of `softmax_cross_entropy`, which says more of each; they are the same for every slice.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        The slice: of any shape with at least one axis, any strides.
    targets : array_like of ints or floats
        Integers from 0 to `n_classes` − 1, which count through all slices: the class of each row. Or the slice's soft
        targets, of the shape of `logits`.
    first_class : int
        Which class of the whole rows the slice begins with.
    n_classes : int
        How many classes the whole rows have.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (n_classes,), optional
        A finite weight for each class of the whole rows.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: their loss and gradient are 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C, C the classes of the whole rows.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where : array_like of bool, optional
        Which of the slice's logits are read: broadcasts to `logits`.
    where_count : array_like of int, optional
        How many classes `where` leaves each row, over all slices; needed where it meets `label_smoothing`.
    out : ndarray of float64, optional
        Where to put the result: of its shape, any strides.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    partials : ndarray of float64
        Of the rows' shape and (chunks, 8). Joined along the last axis but one, in the order of the classes, those of all
        slices are what the other two functions take. Into an array of zeros of that shape each process may write its own
        chunks: the all-reduce by sum of these is the join, exactly.

    Raises
    ------
    IndexError, ValueError, TypeError
        As `softmax_cross_entropy`, and for a slice that does not lie within `n_classes`. `out` is untouched then.

    See Also
    --------
    softmax_cross_entropy_combine : The loss, of the partial results of all slices.
    softmax_cross_entropy_combine_grad : A slice of its gradient.
    softmax_cross_entropy : Where the classes are in one place.

    Notes
    -----
    A chunk is 2 048 classes of float32 and 16 bits, 1 024 of float64, or what is left at a slice's end. Slices that begin at
    multiples of a chunk have the chunks of the whole rows, and loss and gradient the bits of the functions that see
    these whole; others have their accuracy. The numbers for each chunk, with :math:`m_j` the mass of class j (soft targets,
    smoothing), are

    ===  =================================================================================================================
    0    its largest logit c, an integer target left out (after `logit_scale`'s sign, and `softcap`)
    1    sum: :math:`\sum_j e^{s x_j}/B` without an integer target, or else without the (first) largest logit
    2    :math:`\sum_j m_j`, an integer target left out
    3    :math:`\sum_j m_j\,s\,(c - x_j)`, an integer target left out
    4    the target's logit; with soft targets and `weight`, :math:`\sum_j \mathrm{weight}_j t_j`
    5    1 where the target is in this chunk, 2 where `where` excludes it there, 3 with soft targets
    6    the number of its classes
    7    bits of the arithmetic: 24 or 53
    ===  =================================================================================================================

    The reference B is that power of two which is nearest to :math:`e^{s c}`, but where :math:`s c` is beyond -132.7 to 265.8
    (float64: -1055.9 to 2111.7), or with `softcap`, :math:`e^{s c}`.

    References
    ----------
    .. [1] Milakov & Gimelshein, "Online normalizer calculation for softmax", 2018.
    .. [2] Shoeybi et al., "Megatron-LM: training multi-billion parameter language models using model parallelism", 2019.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> logits, targets = np.zeros((3, 4096), np.float32), [5, 4000, -100]
    >>> parts = [xf.softmax_cross_entropy_partial(logits[:, start:start + 2048], targets, first_class=start, n_classes=4096)
    ...          for start in (0, 2048)]
    >>> xf.softmax_cross_entropy_combine(np.concatenate(parts, axis=-2), targets, n_classes=4096)
    np.float32(8.317766)
    """
    call = SliceCall(
        not_none(logits, "logits"), None, not_none(targets, "targets"), n_classes=n_classes, first_class=first_class, axis=axis,
        weight=weight, sample_weight=sample_weight, ignore_index=ignore_index, label_smoothing=label_smoothing,
        logit_scale=logit_scale, softcap=softcap, where=where, where_count=where_count, n_threads=n_threads)
    shape = (*call.rows, call.n_chunks, FIELDS)
    if out is not None:
        out = checked_output(out, shape, np.dtype(np.float64))
        call.check_apart(out)
    records = out if out is not None and out.flags.c_contiguous else np.empty(shape)
    write_records(call, records, call.n_classes, call.first_class, call.open_classes)
    if out is None:
        return records
    if records is not out:
        out[...] = records
    return out


def softmax_cross_entropy_combine(
    partials: ArrayLike,
    targets: ArrayLike | None,
    *,
    n_classes: int,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where_count: ArrayLike | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> Loss | Losses:
    r"""The loss of whole rows, from the partial results of all their slices.

    `targets`, `n_classes` and the options that `softmax_cross_entropy_partial` has as well are those that the partial results
    were made with. `softmax_cross_entropy` says more of each.

    Parameters
    ----------
    partials : array_like of float64
        Those that `softmax_cross_entropy_partial` made of every slice, joined along the last axis but one in the order of the
        classes: of the rows' shape and (chunks of all slices, 8).
    targets : array_like of ints or None
        The class of each row; None for soft targets.
    n_classes : int
        How many classes the whole rows have.
    weight : array_like of shape (n_classes,), optional
        A finite weight for each class of the whole rows.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: their loss and gradient are 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C, C the classes of the whole rows.
    focal_gamma : float, default 0.0
        γ, at least 0: each row has the factor (1 − p_t)^γ.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where_count : array_like of int, optional
        How many classes `where` leaves each row, over all slices; needed where it meets `label_smoothing`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides by Σ wᵢ; "none" gives one loss for each row.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        As from `softmax_cross_entropy`: float64 where the logits were, else float32.

    Raises
    ------
    ValueError
        Partial results do not cover the classes, overlap, or are of other targets; or as `softmax_cross_entropy`.
    IndexError, TypeError
        As there.

    See Also
    --------
    softmax_cross_entropy_partial : Makes the partial results.
    softmax_cross_entropy_combine_grad : A slice of the gradient.
    softmax_cross_entropy : Where the classes are in one place.

    Notes
    -----
    With :math:`c = \max_k c_k` over the chunks k, the sum over the whole row is :math:`\sum_k e^{s(c_k - c)} s_k`, in double
    and in the order of the chunks.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> part = xf.softmax_cross_entropy_partial(np.zeros((2, 4)), [2, 0], first_class=0, n_classes=4)
    >>> xf.softmax_cross_entropy_combine(part, [2, 0], n_classes=4, reduction="sum")
    np.float64(2.772588722239781)
    """
    empty = mean_of_nothing(empty)
    call = SliceCall(
        None, not_none(partials, "partials"), targets, n_classes=n_classes, weight=weight, sample_weight=sample_weight,
        ignore_index=ignore_index, label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss,
        logit_scale=logit_scale, softcap=softcap, where_count=where_count, reduction=reduction, n_threads=n_threads)
    return reduced(call, compute, (), empty)


def softmax_cross_entropy_combine_grad(
    partials: ArrayLike,
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    first_class: int,
    n_classes: int,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: ArrayLike | None = None,
    where_count: ArrayLike | None = None,
    reduction: Reduction = "mean",
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    r"""A slice of the loss's gradient, from the partial results of all slices and the logits of this one.

    `logits`, `targets`, `first_class`, `n_classes` and the options that `softmax_cross_entropy_partial` has as well are those
    that the slice's own partial results were made with; `focal_gamma`, `z_loss` and `reduction` those of
    `softmax_cross_entropy_combine`.

    Parameters
    ----------
    partials : array_like of float64
        As for `softmax_cross_entropy_combine`: those of all slices, joined.
    logits : array_like of float16, bfloat16, float32 or float64
        The slice: of any shape with at least one axis, any strides.
    targets : array_like of ints or floats
        The class of each row, counted through all slices; or the slice's soft targets, of the shape of `logits`.
    first_class : int
        Which class of the whole rows the slice begins with.
    n_classes : int
        How many classes the whole rows have.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (n_classes,), optional
        A finite weight for each class of the whole rows.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: their loss and gradient are 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C, C the classes of the whole rows.
    focal_gamma : float, default 0.0
        γ, at least 0: each row has the factor (1 − p_t)^γ.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where : array_like of bool, optional
        Which of the slice's logits are read: broadcasts to `logits`.
    where_count : array_like of int, optional
        How many classes `where` leaves each row, over all slices; needed where it meets `label_smoothing`.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of which loss the gradient is. With "none" it is that of the sum.
    out : ndarray, optional
        Where to put the result: of the shape and dtype of `logits`, any strides. ``out=logits`` works in place.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    grad : ndarray
        Of the shape and dtype of `logits`; `out` where it was given.

    Raises
    ------
    IndexError, ValueError, TypeError
        As the other two functions, and where `partials` have no records of this slice. `out` is untouched then.

    See Also
    --------
    softmax_cross_entropy_partial : Makes the partial results.
    softmax_cross_entropy_combine : The loss.
    softmax_cross_entropy_grad : Where the classes are in one place.

    Notes
    -----
    The exponentials are made anew: each logit is read a second time, and no process has to keep anything between.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> logits = np.zeros((1, 2), np.float32)                   # of each of two slices
    >>> parts = [xf.softmax_cross_entropy_partial(logits, [3], first_class=start, n_classes=4) for start in (0, 2)]
    >>> xf.softmax_cross_entropy_combine_grad(np.concatenate(parts, axis=-2), logits, [3], first_class=2, n_classes=4)
    array([[ 0.25, -0.75]], dtype=float32)
    """
    call = SliceCall(
        not_none(logits, "logits"), not_none(partials, "partials"), not_none(targets, "targets"), n_classes=n_classes,
        first_class=first_class, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, where_count=where_count, reduction=reduction, n_threads=n_threads)
    out = call.output(out)
    divisor = call.weight_sum if reduction == "mean" else 1.0
    if not nothing_to_divide_by(divisor, out):
        compute_slice(call, divisor, out)
    return out


def compute(call, divisor, values):
    """The loss over `divisor`; or every row's into `values`, float32 or float64."""
    return combine_records(call, call.records, call.n_classes, call.open_classes, call.as_double, divisor, values)


def compute_slice(call, divisor, out):
    """The slice's gradient over `divisor` into `out`."""
    if call.records.size:
        combine_slices(call, call.records, call.n_classes, call.first_class, call.first_record, call.open_classes, divisor, out)
