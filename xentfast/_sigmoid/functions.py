"""Sigmoid cross-entropy: a yes or no for each logit. The loss, its gradient, both in one pass, and the Hessian's diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentfast._base.entry import entry
from xentfast._base.reduction import mean_of_nothing, of_the_sum, reduced
from xentfast._sigmoid import loops
from xentfast._sigmoid.checks import SigmoidCall
from xentfast._sigmoid.loops import BLOCK_LENGTH as BLOCK_LENGTH  # for whoever has but some of the blocks
from xentfast._sigmoid.plain import SigmoidCase

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from xentfast._base.typing import Loss, Losses, Reduction

__all__ = ["sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess",
           "sigmoid_cross_entropy_value_and_grad"]


@entry(SigmoidCase(valued=True, differentiated=False))
def sigmoid_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> Loss | Losses:
    r"""Cross-entropy between targets from 0 to 1 and the sigmoid of logits, element by element.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Log-odds, of any shape and any strides. Integers become float64.
    targets : array_like of bool, ints or floats
        Probabilities from 0 to 1, broadcastable to the shape of `logits`.
    pos_weight : array_like, optional
        Finite weights of the positive term, broadcastable to the shape of `logits`: above 1 for more recall. See
        :ref:`what it does <option-pos-weight>`.
    sample_weight : array_like, optional
        Finite weights of the elements, broadcastable to the shape of `logits`. Elements of weight 0 are not read, nor are their
        targets and positive weights looked at.
    ignore_index : float, optional
        Elements whose target equals this number, such as −1 for "no label", are left out as by `where`. See
        :ref:`what it does <option-ignore-index>`.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2 (Szegedy et al. 2016). See
        :ref:`what it does <option-label-smoothing>`.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: the factor (1 − p_t)^γ plays down what is classified well (Lin et al. 2017). See
        :ref:`what it does <option-focal-gamma>`.
    where : array_like of bool, optional
        Broadcasts to `logits`. Elements where it is False are not read: their losses and gradients are 0, and their targets
        and weights are not looked at. See :ref:`what it does <option-where>`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by the sum of `sample_weight`, or by the number of elements without it, in either case over
        those that `ignore_index` and `where` leave; "none" gives one loss for each element.
    empty : float, default nan
        What "mean" gives where it would divide by 0: no elements, or no weight.
    n_threads : int, optional
        Threads to use at most; small work stays on fewer. By default as many as OpenMP would start, not more than the
        CPUs that this process may use. The result has the same bits for any number.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        float64 for float64 logits, else float32; for "none" an array of the shape of `logits`.

    Raises
    ------
    ValueError, TypeError
        An argument is not as described; the message says what was got and what was expected. The first target or weight that
        is out of range is named.

    See Also
    --------
    sigmoid_cross_entropy_value_and_grad : With the gradient, in one pass.
    sigmoid_cross_entropy_grad : The gradient alone.
    sigmoid_cross_entropy_grad_hess : Gradient and diagonal of the Hessian, for boosting.
    softmax_cross_entropy : One class of several for each row.

    Notes
    -----
    With t the (smoothed) target, p = 1/(1 + e^{−x}), v the positive weight and w the sample weight, an element's loss is

    .. math:: w\,\bigl(v\,t\,\log(1 + e^{-x}) + (1 - t)\,\log(1 + e^{x})\bigr)\,m^\gamma,
        \qquad m = 1 - p_t = t\,(1 - p) + (1 - t)\,p

    without a difference that cancels, so that losses of confident logits keep all their digits. The arithmetic is float32
    for logits of at most 32 bits, and float64 with weights or γ; sums are float64. A term whose coefficient is 0 counts 0:
    infinite logits have the limits. A nan logit has the loss nan. The result has the same bits for any memory layout, number
    of threads and CPU.

    Of masked arrays (`numpy.ma`) an element whose logit, target or sample weight is masked weighs nothing, for which weights of
    the shape of the masks are made. Results are plain arrays.

    References
    ----------
    .. [1] Shannon, "A mathematical theory of communication", 1948.
    .. [2] Lin et al., "Focal loss for dense object detection", ICCV 2017.
    .. [3] Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> logits = np.array([[2.0, -1.0], [0.0, 80.0]], np.float32)
    >>> xf.sigmoid_cross_entropy(logits, [[1, 0], [0, 1]])
    np.float32(0.28333423)
    >>> xf.sigmoid_cross_entropy(logits, [[1, 0], [0, 1]], reduction="none")
    array([[1.2692800e-01, 3.1326169e-01],
           [6.9314718e-01, 1.8048513e-35]], dtype=float32)

    Of several answers to a row, those that nobody knows:

    >>> xf.sigmoid_cross_entropy(logits, [[1, -1], [0, 1]], ignore_index=-1, reduction="none")
    array([[1.2692800e-01, 0.0000000e+00],
           [6.9314718e-01, 1.8048513e-35]], dtype=float32)
    """
    empty = mean_of_nothing(empty)
    call = SigmoidCall(logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, reduction,
                       n_threads)
    return reduced(call, compute, (None, None), empty)


@entry(SigmoidCase(valued=False, differentiated=True))
def sigmoid_cross_entropy_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    r"""Gradient of `sigmoid_cross_entropy` with respect to the logits.

    The options are those of `sigmoid_cross_entropy`, which says more of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Log-odds, of any shape.
    targets : array_like of bool, ints or floats
        Probabilities from 0 to 1, broadcastable to the shape of `logits`.
    pos_weight : array_like, optional
        Finite weights of the positive term, broadcastable to the shape of `logits`.
    sample_weight : array_like, optional
        Finite weights of the elements, broadcastable to the shape of `logits`. Elements of weight 0 are not read.
    ignore_index : float, optional
        Elements whose target equals this number are not read.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2.
    focal_gamma : float, default 0.0
        γ, at least 0: each element has the factor (1 − p_t)^γ.
    where : array_like of bool, optional
        Broadcasts to `logits`. Elements where it is False are not read.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of which loss the gradient is. With "none" it is that of the sum: each element's own.
    out : ndarray, optional
        Where to put the result: of the logits' shape and dtype, any strides. ``out=logits`` works in place. Passing `out`
        saves mapping and clearing a fresh array's pages, as for `softmax_cross_entropy_grad`.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    grad : ndarray
        Of the shape and dtype of `logits`; `out` where it was given.

    Raises
    ------
    ValueError, TypeError
        As `sigmoid_cross_entropy`, and for an `out` of the wrong type, dtype or shape, read-only, or overlapping an
        input other than exactly `logits`. `out` is untouched then.

    See Also
    --------
    sigmoid_cross_entropy_value_and_grad : With the loss, in one pass.
    sigmoid_cross_entropy_grad_hess : With the diagonal of the Hessian.

    Notes
    -----
    With the symbols of `sigmoid_cross_entropy`, q = 1 − p, L the loss for w = 1 and γ = 0, and s = 1/Σw for "mean", else 1:

    .. math:: L' = (1 - t)\,p - v\,t\,q, \qquad
        \text{gradient} = s\,w\,m^\gamma\,\Bigl(L' + \gamma\,(1 - 2t)\,\frac{p\,q}{m}\,L\Bigr)

    For targets of 0 and 1 that is no difference of rounded numbers: both tails are exact to a few ulp.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.sigmoid_cross_entropy_grad(np.array([0.0, 40.0]), [0, 1], reduction="sum")
    array([ 5.00000000e-01, -4.24835426e-18])
    """
    call = SigmoidCall(logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, reduction,
                       n_threads)
    out = call.output(out)
    _run_gradient(call, out, None)
    return out


@entry(SigmoidCase(valued=True, differentiated=True))
def sigmoid_cross_entropy_value_and_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> tuple[Loss | Losses, NDArray[Any]]:
    """Loss and gradient in one pass, each exponential computed once; the same bits as from the two functions.

    The options are those of `sigmoid_cross_entropy`, which says more of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Log-odds, of any shape.
    targets : array_like of bool, ints or floats
        Probabilities from 0 to 1, broadcastable to the shape of `logits`.
    pos_weight : array_like, optional
        Finite weights of the positive term, broadcastable to the shape of `logits`.
    sample_weight : array_like, optional
        Finite weights of the elements, broadcastable to the shape of `logits`. Elements of weight 0 are not read.
    ignore_index : float, optional
        Elements whose target equals this number are not read.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2.
    focal_gamma : float, default 0.0
        γ, at least 0: each element has the factor (1 − p_t)^γ.
    where : array_like of bool, optional
        Broadcasts to `logits`. Elements where it is False are not read.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides by the sum of the weights of what is read; "none" gives one loss for each element. The gradient is then
        that of their sum.
    empty : float, default nan
        What "mean" gives where it would divide by 0.
    out : ndarray, optional
        Where to put the gradient: of the logits' shape and dtype, any strides. ``out=logits`` works in place.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        As from `sigmoid_cross_entropy`.
    grad : ndarray
        As from `sigmoid_cross_entropy_grad`.

    Raises
    ------
    ValueError, TypeError
        As the two functions. `out` is untouched then.

    See Also
    --------
    sigmoid_cross_entropy : The loss alone.
    sigmoid_cross_entropy_grad : The gradient alone.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> loss, grad = xf.sigmoid_cross_entropy_value_and_grad(np.zeros(4), [0, 1, 1, 0.5], reduction="sum")
    >>> loss
    np.float64(2.772588722239781)
    >>> grad
    array([ 0.5, -0.5, -0.5,  0. ])
    """
    empty = mean_of_nothing(empty)
    call = SigmoidCall(logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, reduction,
                       n_threads)
    out = call.output(out)
    loss = reduced(call, compute, (out, None), empty)
    return loss, out


@entry(SigmoidCase(valued=False, differentiated=True, curved=True))
def sigmoid_cross_entropy_grad_hess(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    pos_weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: float | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "sum",
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Gradient of `sigmoid_cross_entropy` and the diagonal of its Hessian, as gradient boosting wants them.

    The gradient has the bits of `sigmoid_cross_entropy_grad`. The options are those of `sigmoid_cross_entropy`, which says more
    of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Log-odds, of any shape.
    targets : array_like of bool, ints or floats
        Probabilities from 0 to 1, broadcastable to the shape of `logits`.
    pos_weight : array_like, optional
        Finite weights of the positive term, broadcastable to the shape of `logits`.
    sample_weight : array_like, optional
        Finite weights of the elements, broadcastable to the shape of `logits`. Elements of weight 0 are not read.
    ignore_index : float, optional
        Elements whose target equals this number are not read.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2.
    focal_gamma : float, default 0.0
        γ, at least 0: each element has the factor (1 − p_t)^γ.
    where : array_like of bool, optional
        Broadcasts to `logits`. Elements where it is False are not read.
    reduction : {"mean", "sum", "none"}, default "sum"
        Of which loss they are; "none" gives what "sum" gives.
    out : tuple of two ndarrays, optional
        Where to put gradient and Hessian: of the logits' shape and dtype, any strides. The first may be `logits` itself.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    grad, hess : ndarray
        Of the shape and dtype of `logits`; those of `out` where it was given.

    Raises
    ------
    ValueError, TypeError
        As `sigmoid_cross_entropy_grad`, and where the second of `out` overlaps any other array. `out` is untouched then.

    See Also
    --------
    softmax_cross_entropy_grad_hess : The same for one class of several.
    xentfast.boosting.SigmoidObjective : Of this, an objective for XGBoost and LightGBM.

    Notes
    -----
    The loss is a sum over elements, so that the Hessian is diagonal. With the symbols of `sigmoid_cross_entropy_grad`,
    d = 1 − 2·t and r = p·q/m an element is

    .. math:: s\,w\,m^\gamma\,\Bigl((v\,t + 1 - t)\,p\,q + 2\,\gamma\,d\,r\,L'
        + \gamma\,d\,r\,L\,\bigl((\gamma - 1)\,d\,r + q - p\bigr)\Bigr)

    which is negative in places where γ > 0: boosting libraries want a lower bound there.

    Examples
    --------
    A custom objective of a boosting library:

    >>> import numpy as np
    >>> import xentfast as xf
    >>> raw_scores, labels = np.array([0.0, 2.0, -3.0]), np.array([1, 1, 0])
    >>> grad, hess = xf.sigmoid_cross_entropy_grad_hess(raw_scores, labels)
    >>> grad
    array([-0.5       , -0.11920292,  0.04742587])
    >>> hess
    array([0.25      , 0.10499359, 0.04517666])
    """
    call = SigmoidCall(logits, targets, pos_weight, sample_weight, ignore_index, label_smoothing, focal_gamma, where, reduction,
                       n_threads)
    gradient, hessian = call.outputs(out)
    _run_gradient(call, gradient, hessian)
    return gradient, hessian


def _run_gradient(call, gradient, hessian):
    """Without the losses."""
    call.valued = False
    call.reduction = of_the_sum(call.reduction)
    reduced(call, compute, (gradient, hessian), 0.0)


def compute(call, divisor, losses, gradient, hessian, block_sums=None):
    """The sum of the losses over the divisor, where the call is valued, or each of them into `losses`; gradient and Hessian, over
    the divisor as well, go to these arrays unless they are None. With `block_sums` the sums of blocks go there, over nothing."""
    return loops.sigmoid(call.logits, call.targets, call.pos_weight, call.sample_weight, call.where, call.ignored, call.smoothing,
                         call.gamma, divisor, call.valued, losses, gradient, hessian, call.passes_cache(gradient), call.n_threads,
                         block_sums)
