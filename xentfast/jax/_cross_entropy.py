"""Softmax cross-entropy of JAX's arrays: what is checked before all work, and the loss with and without its gradient."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from xentfast._base.arrays import class_axis, is_float
from xentfast._base.numbers import real_number, smoothing
from xentfast._base.reduction import check_reduction
from xentfast._base.threads import requested
from xentfast._base.values import check_weights
from xentfast._softmax.checks import ignored_class, set_options
from xentfast.jax import _derivatives
from xentfast.jax._arrays import array_of, held, numbers_of

if TYPE_CHECKING:
    from jax.typing import ArrayLike

    from xentfast._base.typing import Reduction

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_value_and_grad"]


def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> jax.Array:
    r"""Cross-entropy between class indices and the softmax of logits: `xentfast.softmax_cross_entropy` under jit, grad and vmap.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64
        Of any shape with at least one axis: arrays of JAX's, traced ones too, or of NumPy's. 16 bits are computed in float32.
    targets : array of ints
        The index of each row's class: integers of any dtype, of the shape of `logits` without `axis`.
    axis : int, default -1
        The axis of the classes. Of another than the last XLA makes a copy.
    weight : array of shape (C,), optional
        A finite weight for each class. See :ref:`what it does <option-weight>`.
    sample_weight : array, optional
        A finite weight for each row, of the shape of `logits` without `axis`. Rows of weight 0 are not read, nor are their
        targets looked at.
    ignore_index : int, default -100
        Rows with this target are not read: their loss and gradient are 0. See :ref:`what it does <option-ignore-index>`.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C. See :ref:`what it does <option-label-smoothing>`.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row. See :ref:`what it does <option-z-loss>`.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x. The gradient is with respect to x. See :ref:`what it does <option-logit-scale>`.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c). The gradient is with respect to x. See
        :ref:`what it does <option-softcap>`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by Σ wᵢ, where wᵢ = sample_weightᵢ·weight[tᵢ]; "none" gives one loss for each row.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0: no rows, every row ignored, or no weight.
    n_threads : int, optional
        Threads to use at most; small work stays on fewer. By default as many as OpenMP would start, not more than the
        CPUs that this process may use. The result has the same bits for any number.

    Returns
    -------
    loss : jax.Array
        float64 for float64 logits, else float32; for "none" of the shape of `logits` without `axis`.

    Raises
    ------
    ValueError, TypeError
        An argument is not as described, when the call is traced: options are numbers, not traced ones; arrays are on a CPU;
        those of NumPy's with 64 bits need ``jax_enable_x64`` where 32 cannot hold them.
    jax.errors.JaxRuntimeError
        When the call runs: a target is neither a class nor `ignore_index`, or a weight is not finite; the first one is named.
        JAX may run other work before it is seen; where it waits for the call, the error is a ValueError.
    NotImplementedError
        A second derivative is asked for.

    See Also
    --------
    softmax_cross_entropy_value_and_grad : With the gradient, in one pass.
    xentfast.softmax_cross_entropy : On NumPy arrays, with more options and soft targets.

    Notes
    -----
    See `xentfast.softmax_cross_entropy` for formula and accuracy: on the same array it gives the same bits, and so does its
    gradient. Where a gradient is needed it is made together with the loss, in one pass over the logits, and the backward pass
    multiplies it by the incoming one. There is a gradient with respect to `logits` alone: weights that depend on what is
    differentiated are refused unless they pass `jax.lax.stop_gradient`. So are second derivatives, and forward mode by JAX itself
    (a TypeError).

    Options are compiled in: another number compiles anew.

    Each entry of `jax.vmap` is a problem of its own, of whose rows "mean" is the mean. In `jax.shard_map` it is one over the rows
    of a shard.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import xentfast.jax
    >>> logits = jnp.array([[2.0, 0.5, -1.0], [0.0, 3.0, 0.0]])
    >>> step = jax.jit(jax.value_and_grad(xentfast.jax.softmax_cross_entropy))
    >>> loss, grad = step(logits, jnp.array([0, 1]))
    >>> round(float(loss), 6), [round(value, 4) for value in grad[1].tolist()]
    (0.168117, [0.0226, -0.0453, 0.0226])
    """
    return _loss(*_checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale,
                           softcap, reduction, empty, n_threads))


def softmax_cross_entropy_value_and_grad(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    weight: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = None,
) -> tuple[jax.Array, jax.Array]:
    r"""`softmax_cross_entropy` and its gradient with respect to the logits, in one pass, without `jax.grad`.

    Parameters
    ----------
    logits : array of float16, bfloat16, float32 or float64
        Of any shape with at least one axis: arrays of JAX's, traced ones too, or of NumPy's. 16 bits are computed in float32.
    targets : array of ints
        The index of each row's class: integers of any dtype, of the shape of `logits` without `axis`.
    axis : int, default -1
        The axis of the classes. Of another than the last XLA makes a copy.
    weight : array of shape (C,), optional
        A finite weight for each class. See :ref:`what it does <option-weight>`.
    sample_weight : array, optional
        A finite weight for each row, of the shape of `logits` without `axis`. Rows of weight 0 are not read, nor are their
        targets looked at.
    ignore_index : int, default -100
        Rows with this target are not read: their loss and gradient are 0. See :ref:`what it does <option-ignore-index>`.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/C. See :ref:`what it does <option-label-smoothing>`.
    z_loss : float, default 0.0
        λ: adds λ·sample_weightᵢ·(log-sum-exp)² to each row. See :ref:`what it does <option-z-loss>`.
    logit_scale : float, default 1.0
        s: the softmax is that of s·x. The gradient is with respect to x. See :ref:`what it does <option-logit-scale>`.
    softcap : float, optional
        c > 0: the softmax is that of c·tanh(s·x/c). The gradient is with respect to x. See
        :ref:`what it does <option-softcap>`.
    reduction : {"mean", "sum", "none"}, default "mean"
        "mean" divides the sum by Σ wᵢ, where wᵢ = sample_weightᵢ·weight[tᵢ]; "none" gives one loss for each row,
        and the gradient of their sum.
    empty : float, default nan
        What "mean" gives where Σ wᵢ is 0: no rows, every row ignored, or no weight.
    n_threads : int, optional
        Threads to use at most; small work stays on fewer. By default as many as OpenMP would start, not more than the
        CPUs that this process may use. The result has the same bits for any number.

    Returns
    -------
    loss : jax.Array
        float64 for float64 logits, else float32; for "none" of the shape of `logits` without `axis`.
    grad : jax.Array
        Of the shape and dtype of `logits`.

    Raises
    ------
    ValueError, TypeError
        An argument is not as described, when the call is traced: options are numbers, not traced ones; arrays are on a CPU;
        those of NumPy's with 64 bits need ``jax_enable_x64`` where 32 cannot hold them.
    jax.errors.JaxRuntimeError
        When the call runs: a target is neither a class nor `ignore_index`, or a weight is not finite; the first one is named.
        JAX may run other work before it is seen; where it waits for the call, the error is a ValueError.
    NotImplementedError
        The gradient itself is differentiated.

    See Also
    --------
    softmax_cross_entropy : The loss, for `jax.grad`.
    xentfast.softmax_cross_entropy_value_and_grad : On NumPy arrays, with more options and soft targets.

    Notes
    -----
    As `softmax_cross_entropy`. The loss can be differentiated, the gradient cannot.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> import xentfast.jax
    >>> logits = jnp.array([[2.0, 0.5, -1.0], [0.0, 3.0, 0.0]])
    >>> loss, grad = xentfast.jax.softmax_cross_entropy_value_and_grad(logits, jnp.array([0, 1]), reduction="sum")
    >>> round(float(loss), 6), [round(value, 4) for value in grad[1].tolist()]
    (0.336234, [0.0453, -0.0906, 0.0453])
    """
    return _loss_and_gradient(*_checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss,
                                        logit_scale, softcap, reduction, empty, n_threads))


# ---- checked arguments to results; jit, so that a call outside of one is compiled once too


@partial(jax.jit, static_argnums=(4, 5), inline=True)
def _loss(logits, targets, weight, sample_weight, axis, options):
    return _derivatives.loss(*_rows(logits, targets, weight, sample_weight, axis), options)


@partial(jax.jit, static_argnums=(4, 5), inline=True)
def _loss_and_gradient(logits, targets, weight, sample_weight, axis, options):
    loss, gradient = _derivatives.loss_and_gradient(*_rows(logits, targets, weight, sample_weight, axis), options)
    return loss, jnp.moveaxis(gradient.astype(logits.dtype), -1, axis)


def _rows(logits, targets, weight, sample_weight, axis):
    """As the handler takes them: the class axis is the last, nothing has 16 bits, and weights are constants."""
    weights = {"weight": weight, "sample_weight": sample_weight}
    return (numbers_of(jnp.moveaxis(logits, axis, -1)), targets,
            *(one if one is None else _derivatives.constant(numbers_of(one), name) for name, one in weights.items()))


# ---- checks


def _checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction,
             empty, n_threads):
    """Arguments of the two above, or an error for all that shapes, dtypes and options decide. What values decide (a class out of
    range, an infinite weight) is seen when the call runs."""
    logits = array_of(logits, "logits")
    if not is_float(logits.dtype):
        raise TypeError(f"logits have dtype {logits.dtype}; expected float16, bfloat16, float32 or float64")
    logits = held(logits, "logits")
    axis = class_axis(axis, logits, "logits")
    call = SimpleNamespace(softcap=0.0)
    set_options(call, 0.0, z_loss, logit_scale, softcap, None, None)
    options = _derivatives.packed(
        reduction=check_reduction(reduction), ignore_index=ignored_class(ignore_index), n_threads=requested(n_threads),
        has_weight=weight is not None, has_sample_weight=sample_weight is not None, label_smoothing=smoothing(label_smoothing),
        z_loss=call.z_loss, logit_scale=call.logit_scale, softcap=call.softcap, empty=real_number(empty, "empty"))
    rows = logits.shape[:axis] + logits.shape[axis + 1:]
    meaning_of_rows = f"the shape of logits {logits.shape} without axis {axis}"
    weight = _weights(weight, logits.shape[axis:axis + 1], "weight", "a weight for each class")
    sample_weight = _weights(sample_weight, rows, "sample_weight", meaning_of_rows)
    return logits, _classes(targets, rows, meaning_of_rows), weight, sample_weight, axis, options


def _weights(value, shape, name, meaning):
    if value is None:
        return None
    array = array_of(value, name)
    check_weights(array, shape, name, meaning)
    return held(array, name)


def _classes(value, rows, meaning_of_rows):
    targets = array_of(value, "targets")
    if targets.dtype.kind not in "iu":
        advice = ""
        if is_float(targets.dtype):
            advice = ("; jax.numpy.argmax over the classes makes indices of one-hot targets, and xentfast.softmax_cross_entropy, "
                      "on NumPy arrays, takes soft ones")
        raise TypeError(f"targets have dtype {targets.dtype}; expected integers, which are class indices{advice}")
    if targets.shape != rows:
        raise ValueError(f"targets have shape {targets.shape}; expected {rows}, {meaning_of_rows}")
    return held(targets, "targets")
