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
from xentfast.jax._arrays import array_of, numbers_of

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
    return _loss(*_checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap,
                           reduction, empty, n_threads))


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
    return _loss_and_gradient(*_checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss,
                                        logit_scale, softcap, reduction, empty, n_threads))


# ---- checked arguments to results; jit, so that a call outside of one is compiled once too


@partial(jax.jit, static_argnums=(4, 5), inline=True)
def _loss(logits, targets, weight, sample_weight, axis, options):
    rows = numbers_of(jnp.moveaxis(logits, axis, -1))
    return _derivatives.loss(rows, targets, weight, sample_weight, options)


@partial(jax.jit, static_argnums=(4, 5), inline=True)
def _loss_and_gradient(logits, targets, weight, sample_weight, axis, options):
    rows = numbers_of(jnp.moveaxis(logits, axis, -1))
    loss, gradient = _derivatives.loss_and_gradient(rows, targets, weight, sample_weight, options)
    return loss, jnp.moveaxis(gradient.astype(logits.dtype), -1, axis)


# ---- checks


def _checked(logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction,
             empty, n_threads):
    """Arguments of the two above, or an error for all that shapes, dtypes and options decide. What values decide (a class out of
    range, an infinite weight) is seen when the call runs."""
    logits = array_of(logits, "logits")
    if not is_float(logits.dtype):
        raise TypeError(f"logits have dtype {logits.dtype}; expected float16, bfloat16, float32 or float64")
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
    return numbers_of(array)


def _classes(value, rows, meaning_of_rows):
    targets = array_of(value, "targets")
    if targets.dtype.kind not in "iu":
        advice = ""
        if is_float(targets.dtype):
            advice = ("; jax.numpy.argmax over the classes makes indices of one-hot targets, and xentfast.softmax_cross_entropy, on "
                      "NumPy arrays, takes soft ones")
        raise TypeError(f"targets have dtype {targets.dtype}; expected integers, which are class indices{advice}")
    if targets.shape != rows:
        raise ValueError(f"targets have shape {targets.shape}; expected {rows}, {meaning_of_rows}")
    return targets
