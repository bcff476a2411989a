"""Softmax cross-entropy of a linear layer, and its gradients, without ever holding all of its logits."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.reduction import reduced
from xentfast._linear.checks import LinearCall
from xentfast._softmax.functions import compute, soft_weight_sum

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from xentfast._base.typing import Loss, Losses, Reduction

    Outputs = tuple[NDArray[Any] | None, NDArray[Any] | None, NDArray[Any] | None]
    Gradients = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]

__all__ = ["linear_cross_entropy", "linear_cross_entropy_value_and_grad"]

MEMORY_LIMIT = 64 * 2**20


def linear_cross_entropy(
    hidden: ArrayLike,
    linear_weight: ArrayLike,
    targets: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    memory_limit: int = MEMORY_LIMIT,
    n_threads: int | None = None,
) -> Loss | Losses:
    r"""Cross-entropy between targets and the softmax of ``hidden @ linear_weight.T + bias``, a chunk of rows at a time.

    The options of the loss are those of `softmax_cross_entropy`, which says more of each, for logits of shape (..., C).

    Parameters
    ----------
    hidden : array_like of float16, bfloat16, float32 or float64
        The layer's input, of shape (..., D) and any strides. Integers become float64.
    linear_weight : array_like of shape (C, D)
        The layer's weights, a row for each class, of the same dtypes.
    targets : array_like of ints or floats
        Integers of shape (...), the index of each row's class; or floats of shape (..., C): soft targets.
    bias : array_like of shape (C,), optional
        The layer's bias. −inf excludes a class.
    weight : array_like of shape (C,), optional
        A finite weight of the loss for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are left out of the products as well.
    ignore_index : int, default -100
        Rows with this integer target are left out of the products as well: their loss is 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C.
    focal_gamma : float, default 0.0
        γ, at least 0: each row has the factor (1 − p_t)^γ.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where : array_like of bool, optional
        Broadcasts to (..., C). Where it is False a logit is not read.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides by Σ wᵢ; "none" gives one loss for each row.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0.
    memory_limit : int, default 64 MiB
        Bytes that this function may allocate for logits, blocks of weights and what must be converted. Not counted are 48
        bytes a row, 1 MiB a thread and what BLAS keeps for itself. More memory means fewer, larger products.
    n_threads : int, optional
        Threads of the loss, at most, as for `softmax_cross_entropy`, but one by default where these would be two. The
        products' threads are BLAS's: see the notes.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        float64 where one of `hidden`, `linear_weight` and `bias` is, else float32; for "none" an array of shape (...).

    Raises
    ------
    IndexError
        A target is neither a class nor `ignore_index`; the first such target is named.
    ValueError, TypeError
        Another argument is not as described, or `memory_limit` is too small for a single row; the message says what was got
        and what was expected.

    See Also
    --------
    linear_cross_entropy_value_and_grad : With the gradients.
    softmax_cross_entropy : Of logits that are there.
    perplexity : Of logits that are there; here it is ``np.exp`` of the mean loss.

    Notes
    -----
    Logits are products of NumPy's BLAS, in float64 where one of the three arrays is float64, else in float32, of 16-bit arrays
    too, which are converted by the chunk and the block. The loss of these logits is that of `softmax_cross_entropy`, row by
    row, summed in float64. **The last bits are BLAS's**: they may change with its version, the CPU, its number of threads, and
    with `memory_limit`.

    BLAS and the loss take turns, and no thread of one works while the other does; but BLAS's may spin a while before they
    sleep, so that by default the loss takes one thread where it would take two. `n_threads` sets the loss's; BLAS's are set
    by ``OPENBLAS_NUM_THREADS`` (or ``MKL_NUM_THREADS``, ``VECLIB_MAXIMUM_THREADS``) before NumPy is imported, or by
    ``threadpoolctl.threadpool_limits(n, user_api="blas")``.

    A nan in `hidden` makes its row's loss nan; one in `linear_weight` every row's, unless `where` leaves its class out.

    References
    ----------
    .. [1] Wijmans et al., "Cut your losses in large-vocabulary language models", 2024.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> hidden = np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)
    >>> linear_weight = np.array([[2.0, 0.0], [0.5, 1.5], [-1.0, 0.0]], np.float32)
    >>> round(float(xf.linear_cross_entropy(hidden, linear_weight, [0, 1])), 4)
    0.1681
    """
    call = LinearCall(hidden, linear_weight, targets, bias, weight, sample_weight, ignore_index, label_smoothing, focal_gamma,
                      z_loss, logit_scale, softcap, where, reduction, empty, memory_limit, n_threads)
    return _run(call, None)


def linear_cross_entropy_value_and_grad(
    hidden: ArrayLike,
    linear_weight: ArrayLike,
    targets: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    out: Outputs | None = None,
    memory_limit: int = MEMORY_LIMIT,
    n_threads: int | None = None,
) -> tuple[Loss | Losses, Gradients]:
    r"""`linear_cross_entropy` and its gradients with respect to hidden states, weights and bias.

    The options of the loss are those of `softmax_cross_entropy`, which says more of each.

    Parameters
    ----------
    hidden : array_like of float16, bfloat16, float32 or float64
        The layer's input, of shape (..., D) and any strides. Integers become float64.
    linear_weight : array_like of shape (C, D)
        The layer's weights, a row for each class, of the same dtypes.
    targets : array_like of ints or floats
        The class of each row, of shape (...); or soft targets, of shape (..., C).
    bias : array_like of shape (C,), optional
        The layer's bias. −inf excludes a class.
    weight : array_like of shape (C,), optional
        A finite weight of the loss for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are left out of the products as well.
    ignore_index : int, default -100
        Rows with this integer target are left out of the products as well: their loss and gradients are 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C.
    focal_gamma : float, default 0.0
        γ, at least 0: each row has the factor (1 − p_t)^γ.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where : array_like of bool, optional
        Broadcasts to (..., C). Where it is False a logit is not read.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides by Σ wᵢ; "none" gives one loss for each row. The gradients are then those of their sum.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0.
    out : tuple of three, optional
        Where to put the gradients: (d_hidden, d_linear_weight, d_bias), each an ndarray of the shape and dtype given below
        and of any strides, or None for a new one. They may not overlap each other nor an input.
    memory_limit : int, default 64 MiB
        Bytes that this function may allocate, as for `linear_cross_entropy`.
    n_threads : int, optional
        Threads of the loss, at most, as for `linear_cross_entropy`.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        As from `linear_cross_entropy`.
    gradients : tuple of ndarray
        d_hidden of the shape and dtype of `hidden`; d_linear_weight and d_bias of those of `linear_weight` and `bias`, but
        float32 where these have 16 bits, in which the sums over all rows would lose what single rows add. d_bias is None
        where there is no bias. Those of `out` where they were given.

    Raises
    ------
    IndexError, ValueError, TypeError
        As `linear_cross_entropy`, and for an `out` that does not fit. It is untouched then.

    See Also
    --------
    linear_cross_entropy : The loss alone, by one product instead of three.
    softmax_cross_entropy_value_and_grad : Of logits that are there.

    Notes
    -----
    With G the gradient of the loss with respect to the logits (`softmax_cross_entropy_grad`), made in place of each chunk's
    logits:

    .. math:: d_\mathrm{hidden} = G\,W, \qquad d_W = G^\top \mathrm{hidden}, \qquad d_b = \sum_i G_i

    The rows of d_hidden that `ignore_index` or `sample_weight` leave out are exactly 0, and nothing in these rows of `hidden`,
    nan included, reaches the other gradients. Where Σ wᵢ is 0, "mean" gives gradients of 0. A class that `where` leaves out
    has gradients of 0, also where its rows are nan, but its weights must be finite: G is 0 there, and 0·nan is nan in d_hidden.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> hidden, linear_weight = np.array([[1.0, 2.0]]), np.zeros((4, 2))
    >>> loss, gradients = xf.linear_cross_entropy_value_and_grad(hidden, linear_weight, [2], bias=np.zeros(4))
    >>> loss
    np.float64(1.3862943611198906)
    >>> d_hidden, d_linear_weight, d_bias = gradients
    >>> d_linear_weight
    array([[ 0.25,  0.5 ],
           [ 0.25,  0.5 ],
           [-0.75, -1.5 ],
           [ 0.25,  0.5 ]])
    >>> d_bias
    array([ 0.25,  0.25, -0.75,  0.25])
    """
    call = LinearCall(hidden, linear_weight, targets, bias, weight, sample_weight, ignore_index, label_smoothing, focal_gamma,
                      z_loss, logit_scale, softcap, where, reduction, empty, memory_limit, n_threads)
    gradients = call.outputs(out)
    return _run(call, gradients), gradients


def _run(call, gradients):
    """The loss. The gradients go to the three arrays, unless there is None in place of them."""
    layer = call.layer(gradients)
    if call.loss.weighs_soft:
        call.loss.weight_sum = soft_weight_sum(call.loss)
    return reduced(call, partial(_compute, layer), gradients or (), call.empty)


def _compute(layer, call, divisor, values, *gradients):
    """By chunks of rows: their losses into `values`, or the sum of these over `divisor`."""
    losses = np.zeros(math.prod(call.value_shape)) if values is None else values.reshape(-1)
    losses[...] = 0
    if gradients and (layer.n_rows == 0 or layer.kept is not None):
        _clear(gradients if layer.n_rows == 0 else gradients[:1])
    with np.errstate(all="ignore"):                         # nan and infinity are results, and BLAS raises flags for nothing
        for i, rows in enumerate(layer.chunks()):
            own = losses[rows]
            if not gradients and call.in_tiles:
                call.losses_of_tiles(layer, rows, own)
                losses[rows] = own
                continue
            logits, hidden = layer.logits(rows)
            compute(call.chunk(rows, logits), divisor, own, logits if gradients else None, None)
            losses[rows] = own
            if gradients:
                if call.where is not None and np.isnan(own).any():
                    # 0 of a class that is left out, times nan, would be nan: the others' gradients have the nan anyway.
                    hidden = np.where(np.isfinite(hidden), hidden, hidden.dtype.type(1))
                layer.add_gradients(rows, logits, hidden, i == 0)
        if values is not None:
            return values
        loss = losses.sum() / divisor
        return call.dtype.type(0.0 if abs(loss) < np.finfo(call.dtype).tiny else loss)


def _clear(gradients):
    for gradient in gradients:
        if gradient is not None:
            gradient[...] = 0
