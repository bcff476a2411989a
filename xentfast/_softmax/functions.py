"""Softmax cross-entropy: the loss, its gradient, and both in one pass over memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentfast._base.entry import entry
from xentfast._base.reduction import mean_of_nothing, of_the_sum, reduced
from xentfast._softmax import plain
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.loops import compute, soft_weight_sum

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from xentfast._base.typing import Loss, Losses, Reduction

__all__ = ["perplexity", "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_grad_hess",
           "softmax_cross_entropy_value_and_grad"]


@entry(plain.CrossEntropyCase(valued=True, differentiated=False))
def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
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
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> Loss | Losses:
    r"""Cross-entropy between targets and the softmax of logits.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis, any strides. Integers become float64. 16 bits
        (bfloat16 is that of ml_dtypes) are computed in float32.
    targets : array_like of ints or floats
        Integers of the shape of `logits` without `axis`: the index of each row's class. Or floats of any dtype and the
        shape of `logits`: soft targets, which need not sum to one.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (C,), optional
        A finite weight for each class. Many of float32 or float64 are read where they are; others are copied to float64. See
        :ref:`what it does <option-weight>`.
    sample_weight : array_like, optional
        A finite weight for each row, of the shape of `logits` without `axis`. Rows of weight 0 are not read, nor are their
        targets looked at.
    ignore_index : int, default -100
        Rows with this integer target are not read, nor is their sample weight looked at: their loss and gradient are 0. See
        :ref:`what it does <option-ignore-index>`.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C (Szegedy et al. 2016); with `where`, C counts the classes that
        a row has left. See :ref:`what it does <option-label-smoothing>`.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: each row has the factor (1 − p_t)^γ, which plays down what is classified well (Lin et al. 2017).
        For integer targets, without `label_smoothing`. See :ref:`what it does <option-focal-gamma>`.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row, which keeps logits from drifting (Chowdhery et al. 2022). See
        :ref:`what it does <option-z-loss>`.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x, an inverse temperature. The gradient is with respect to x. See
        :ref:`what it does <option-logit-scale>`.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c). The gradient is with respect to x. See
        :ref:`what it does <option-softcap>`.
    where : array_like of bool, optional
        Broadcasts to `logits`. Where it is False a logit is not read: its probability and gradient are 0, and a target there
        gives an infinite loss. See :ref:`what it does <option-where>`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by Σ wᵢ, where wᵢ = sample_weightᵢ·weight[tᵢ] (soft targets: sample_weightᵢ·Σ_c
        weight_c·t_ic, or sample_weightᵢ without `weight`); "none" gives one loss for each row.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0: no rows, every row ignored, or no weight.
    n_threads : int, optional
        Threads to use at most; small work stays on fewer. By default as many as OpenMP would start, not more than the
        CPUs that this process may use. The result has the same bits for any number.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        float64 for float64 logits, else float32; for "none" an array of the shape of `logits` without `axis`.

    Raises
    ------
    IndexError
        A target is neither a class nor `ignore_index`; the first such target is named.
    ValueError, TypeError
        Another argument is not as described; the message says what was got and what was expected.

    See Also
    --------
    softmax_cross_entropy_value_and_grad : With the gradient, in one pass.
    softmax_cross_entropy_grad : The gradient alone.
    softmax_cross_entropy_grad_hess : Gradient and diagonal of the Hessian, for boosting.
    perplexity : The exponential of the mean loss.
    linear_cross_entropy : Of a linear layer, without its logits.
    softmax_cross_entropy_partial : Where a row's classes are in several places.
    sigmoid_cross_entropy : A yes or no for each logit.
    cross_entropy : Of probabilities.
    xentfast.torch.cross_entropy : Of tensors, under autograd.
    xentfast.jax.softmax_cross_entropy : Of JAX's arrays, under jit, grad and vmap.

    Notes
    -----
    Row i has the loss

    .. math:: w_i\,\Bigl(\log \sum_c e^{x_{ic}} - x_{i,t_i}\Bigr),
        \qquad \text{soft targets:}\quad \sum_c w_{ic}\,t_{ic}\,\Bigl(\log \sum_k e^{x_{ik}} - x_{ic}\Bigr)

    times :math:`(1 - p_{i,t_i})^\gamma`, p the softmax, for `focal_gamma` γ, and plus
    :math:`\lambda\,\mathrm{sample\_weight}_i\,(\log \sum_k e^{x_{ik}})^2` (Shannon 1948), by a log-sum-exp that leaves
    the target out of the sum it might swamp and adds it back in double precision, so that confident rows keep all their
    digits. Inside a chunk (2 048 classes of float32, 1 024 of float64), 16 numbers at a time are added in the logits' type
    (float32 for 16 bits); all other sums are in float64. A logit of −inf excludes its class, whatever `logit_scale` and
    `softcap` are; a row with a nan or +inf logit, or with no finite one, has the loss nan, and the gradient, but for what
    `where` leaves out. The result has the same bits for any memory layout, number of threads and CPU. A focal loss and its
    gradient are 1 + γ times as sensitive to the exponentials' rounding, and as far from the exact ones.

    Of masked arrays (`numpy.ma`) masked logits are those that `where` leaves out, for which a mask of a byte a logit is made;
    masked targets and weights make their rows weigh nothing, a soft target with one masked entry too (a masked class weight the
    rows of its class). What is masked is not looked at, and results are plain arrays.

    References
    ----------
    .. [1] Shannon, "A mathematical theory of communication", 1948.
    .. [2] Blanchard, Higham & Higham, "Accurately computing the log-sum-exp and softmax functions",
       IMA J. Numer. Anal. 41, 2021.
    .. [3] Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016.
    .. [4] Chowdhery et al., "PaLM: scaling language modeling with pathways", section 5, 2022.
    .. [5] Lin et al., "Focal loss for dense object detection", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> logits = np.array([[2.0, 0.5, -1.0], [0.0, 3.0, 0.0]], np.float32)
    >>> xf.softmax_cross_entropy(logits, [0, 1])
    np.float32(0.16811712)
    >>> xf.softmax_cross_entropy(logits, [0, -100], reduction="none")
    array([0.2413113, 0.       ], dtype=float32)

    As language models have it, over the first two classes alone:

    >>> xf.softmax_cross_entropy(logits, [0, 1], softcap=30.0, z_loss=1e-4, where=[True, True, False])
    np.float32(0.12620708)
    """
    empty = mean_of_nothing(empty)
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    return run(call, empty)


@entry(plain.CrossEntropyCase(valued=False, differentiated=True))
def softmax_cross_entropy_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
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
    reduction: Reduction = "mean",
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]:
    r"""Gradient of `softmax_cross_entropy` with respect to the logits.

    The options are those of `softmax_cross_entropy`, which says more of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis.
    targets : array_like of ints or floats
        The class of each row; or soft targets, of the shape of `logits`.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (C,), optional
        A finite weight for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: their gradient is 0.
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
        Broadcasts to `logits`. Where it is False a logit is not read. Its gradient is 0.
    reduction : {"mean", "sum", "none"}, default "mean"
        Of which loss the gradient is. With "none" it is that of the sum: row i is the gradient of loss i.
    out : ndarray, optional
        Where to put the result: of the logits' shape and dtype, any strides. ``out=logits`` works in place. Passing `out`
        saves mapping and clearing a fresh array's pages: for 131 MB a third of the time, and five sixths of it where there
        are no huge pages (the site has the command, under "Performance").
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    grad : ndarray
        Of the shape and dtype of `logits`; `out` where it was given.

    Raises
    ------
    IndexError, ValueError, TypeError
        As `softmax_cross_entropy`, and for an `out` of the wrong type, dtype or shape, read-only, or overlapping an
        input other than exactly `logits`. `out` is untouched then.

    See Also
    --------
    softmax_cross_entropy_value_and_grad : With the loss, in one pass.
    softmax_cross_entropy_grad_hess : With the diagonal of the Hessian.
    softmax_cross_entropy_combine_grad : Of a slice of the classes.

    Notes
    -----
    Row i is :math:`s\,w_i\,(p_{ic} - [c = t_i])` with p the softmax and s = 1/Σ wᵢ for "mean", else 1; for soft targets
    :math:`s\,(p_{ic} \sum_k w_{ik} t_{ik} - w_{ic} t_{ic})`. Where Σ wᵢ is 0 it is 0. `z_loss` adds
    :math:`2\,s\,\lambda\,\mathrm{sample\_weight}_i\,\mathrm{lse}_i\,p_{ic}`; `logit_scale` and `softcap` multiply by
    their derivatives. A −inf logit has the gradient 0, and −s·wᵢ (times `logit_scale`) where it is the target.
    With `focal_gamma` γ and :math:`q = 1 - p_{i,t_i}` the gradient of the cross-entropy has the factor
    :math:`q^\gamma - \gamma\,q^{\gamma - 1} (1 - q) \log(1 - q)`.

    float16 holds no number below 6·10⁻⁸, which the mean over many rows soon is: scale the loss, as in the second example, and
    divide the weights' update by S.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.softmax_cross_entropy_grad(np.zeros((1, 4), np.float32), [2])
    array([[ 0.25,  0.25, -0.75,  0.25]], dtype=float32)

    >>> half, S = np.zeros((1, 60_000), np.float16), 1024.0
    >>> xf.softmax_cross_entropy_grad(half, [2], sample_weight=[S], reduction="sum")[0, :3]
    array([ 1.706e-02,  1.706e-02, -1.024e+03], dtype=float16)
    """
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    out = call.output(out)
    call.reduction = of_the_sum(call.reduction)
    run(call, 0.0, out)
    return out


@entry(plain.CrossEntropyCase(valued=True, differentiated=True))
def softmax_cross_entropy_value_and_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
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
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> tuple[Loss | Losses, NDArray[Any]]:
    """Loss and gradient in one pass, each exponential computed once; the same bits as from the two functions.

    The options are those of `softmax_cross_entropy`, which says more of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis.
    targets : array_like of ints or floats
        The class of each row; or soft targets, of the shape of `logits`.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (C,), optional
        A finite weight for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: their loss and gradient are 0.
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
        Broadcasts to `logits`. Where it is False a logit is not read.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides by Σ wᵢ; "none" gives one loss for each row. The gradient is then that of their sum.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0.
    out : ndarray, optional
        Where to put the gradient: of the logits' shape and dtype, any strides. ``out=logits`` works in place.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    loss : numpy.float32, numpy.float64 or ndarray
        As from `softmax_cross_entropy`.
    grad : ndarray
        As from `softmax_cross_entropy_grad`.

    Raises
    ------
    IndexError, ValueError, TypeError
        As the two functions. `out` is untouched then.

    See Also
    --------
    softmax_cross_entropy : The loss alone.
    softmax_cross_entropy_grad : The gradient alone.
    linear_cross_entropy_value_and_grad : Of a linear layer, without its logits.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> loss, grad = xf.softmax_cross_entropy_value_and_grad(np.zeros((2, 4)), [2, 0], reduction="sum")
    >>> loss
    np.float64(2.772588722239781)
    >>> grad
    array([[ 0.25,  0.25, -0.75,  0.25],
           [-0.75,  0.25,  0.25,  0.25]])
    """
    empty = mean_of_nothing(empty)
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    out = call.output(out)
    loss = run(call, empty, out)
    return loss, out


def softmax_cross_entropy_grad_hess(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: ArrayLike | None = None,
    reduction: Reduction = "sum",
    out: tuple[NDArray[Any], NDArray[Any]] | None = None,
    n_threads: int | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    r"""Gradient of `softmax_cross_entropy` and the diagonal of its Hessian in one pass, as gradient boosting wants them.

    The gradient has the bits of `softmax_cross_entropy_grad`. The options are those of `softmax_cross_entropy`, which says more
    of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis.
    targets : array_like of ints or floats
        The class of each row; or soft targets, of the shape of `logits`.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (C,), optional
        A finite weight for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read: gradient and Hessian are 0.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C.
    focal_gamma : float, default 0.0
        γ, at least 0: each row has the factor (1 − p_t)^γ.
    where : array_like of bool, optional
        Broadcasts to `logits`. Where it is False a logit is not read.
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
    IndexError, ValueError, TypeError
        As `softmax_cross_entropy_grad`, and where the second of `out` overlaps any other array. `out` is untouched then.

    See Also
    --------
    sigmoid_cross_entropy_grad_hess : The same for a yes or no for each logit.
    xentfast.boosting.SoftmaxObjective : Of this, an objective for XGBoost and LightGBM.

    Notes
    -----
    An element of the Hessian is :math:`s\,w_i\,p_{ic}\,(1 - p_{ic})`, with soft targets :math:`w_i = \sum_c w_{ic} t_{ic}`;
    1 − p is summed from the other classes where p is near 1. Boosting libraries have conventions of their own: XGBoost
    doubles it, LightGBM multiplies by C/(C − 1). A row with a nan or +inf logit is nan.

    With `focal_gamma` γ, A the factor of the gradient, :math:`q = 1 - p_{i,t_i}`, and δ 1 for the target, else 0, it is

    .. math:: s\,w_i \Bigl(A\,p_{ic}\,(1 - p_{ic}) + \gamma\,q^{\gamma - 1} (1 - q) \Bigl(2 + \log(1 - q)
        - (\gamma - 1) \frac{1 - q}{q} \log(1 - q)\Bigr) (p_{ic} - \delta)^2\Bigr)

    which is negative in places: boosting libraries want its absolute value, or a lower bound.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> grad, hess = xf.softmax_cross_entropy_grad_hess(np.zeros((1, 4)), [2])
    >>> hess
    array([[0.1875, 0.1875, 0.1875, 0.1875]])
    """
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads)
    grad, hess = call.outputs(out)
    call.reduction = of_the_sum(call.reduction)
    run(call, 0.0, grad, hess)
    return grad, hess


def perplexity(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: ArrayLike | None = None,
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> Loss:
    r"""Perplexity: the exponential of the mean cross-entropy, as language models are judged.

    The options are those of `softmax_cross_entropy`, which says more of each.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis.
    targets : array_like of ints or floats
        The class of each row; or soft targets, of the shape of `logits`.
    axis : int, default -1
        The axis of the classes.
    weight : array_like of shape (C,), optional
        A finite weight for each class.
    sample_weight : array_like, optional
        A finite weight for each row. Rows of weight 0 are not read.
    ignore_index : int, default -100
        Rows with this integer target are not read, and do not count.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c).
    where : array_like of bool, optional
        Broadcasts to `logits`. Where it is False a logit is not read.
    empty : float, default nan
        What comes out where Σ wᵢ is 0: no rows, every row ignored, or no weight.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Returns
    -------
    perplexity : numpy.float32 or numpy.float64
        float64 for float64 logits, else float32. From 1 (certain and right) to C where all classes are equally likely, and
        beyond.

    Raises
    ------
    IndexError, ValueError, TypeError
        As `softmax_cross_entropy`.

    See Also
    --------
    softmax_cross_entropy : Its logarithm, with more options.
    linear_cross_entropy : That logarithm without the logits: ``np.exp`` of it is the perplexity.

    Notes
    -----
    :math:`\exp\bigl(\sum_i w_i\,\mathrm{loss}_i / \sum_i w_i\bigr)`, from the mean in double, so that it is rounded
    once. Over tokens of one kind; perplexities of different vocabularies do not compare.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast as xf
    >>> xf.perplexity(np.zeros((3, 50), np.float32), [1, 2, -100])
    np.float32(50.0)
    """
    empty = mean_of_nothing(empty)
    call = cross_entropy_call(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        logit_scale=logit_scale, softcap=softcap, where=where, reduction="mean", n_threads=n_threads)
    call.exponential = True
    return run(call, empty)


def run(call, empty, out=None, hess=None):
    """The loss, or its exponential; gradient and Hessian go to `out` and `hess` unless these are None."""
    if call.weighs_soft:
        call.weight_sum = soft_weight_sum(call)
    return reduced(call, compute, (out, hess), empty)
