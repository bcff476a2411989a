"""The loss for JAX's transformations: one call of XLA's, and what differentiation makes of it.

The gradient is made together with the loss, where one is needed, and the backward pass multiplies it by the incoming one.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from xentfast.jax import _handlers

TARGET = "xentfast_softmax_cross_entropy"
REDUCTIONS = ("mean", "sum", "none")                # by their numbers in xentfast.h

SECOND_DERIVATIVE = ("the losses of xentfast.jax have no second derivative: their gradient is made together with the loss; use "
                     "jax.nn.log_softmax for it, or optax.softmax_cross_entropy_with_integer_labels")

jax.ffi.register_ffi_target(TARGET, _handlers.softmax_cross_entropy, platform="cpu")


def packed(*, reduction, label_smoothing, z_loss, logit_scale, softcap, empty, **integers):
    """The options as _handlers takes them, in integers, which are equal where they are the same: nan is not."""
    numbers = {"label_smoothing": label_smoothing, "z_loss": z_loss, "logit_scale": logit_scale, "softcap": softcap,
               "empty": empty}
    bits = {name: int(np.float64(number).view(np.int64)) for name, number in numbers.items()}
    values = {"reduction": REDUCTIONS.index(reduction), **integers, **bits}
    return tuple(values[name] for name in _handlers.OPTIONS)


def _is_none(options):
    return REDUCTIONS[options[_handlers.OPTIONS.index("reduction")]] == "none"


def _call(logits, targets, weight, sample_weight, options, *, with_gradient):
    """[loss], or [loss, gradient], of float32 or float64 logits whose last axis is that of the classes."""
    operands = [one for one in (logits, targets, weight, sample_weight) if one is not None]
    results = jax.eval_shape(partial(_stand_ins, options), *operands)[:2 if with_gradient else 1]
    call = jax.ffi.ffi_call(TARGET, results, vmap_method="broadcast_all")
    return call(*operands, options=np.array(options, np.int64))


def _stand_ins(options, *operands):
    """Of shape and dtype of the loss and the gradient, and in shard_map varying over the axes that any operand varies over, for
    which JAX's versions have different names."""
    logits = operands[0]
    nothing = sum(one.ravel()[:0].sum(dtype=logits.dtype) for one in operands)
    return (logits[..., 0] if _is_none(options) else logits.sum()) + nothing, logits + nothing


# ---- weights, which have no derivative


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def constant(weights, name):
    """The same; a perturbation of them is an error. (Not for `loss` to find: what it hands to its backward pass JAX may have made
    for a call in which they were constant.)"""
    return weights


@partial(constant.defjvp, symbolic_zeros=True)
def _constant_jvp(name, weights, tangents):
    if not isinstance(tangents[0], SymbolicZero):
        raise ValueError(f"the loss is differentiated with respect to {name}, or to something that {name} is made of, for which "
                         f"xentfast.jax has no gradient; pass jax.lax.stop_gradient({name})")
    return weights[0], tangents[0]


# ---- the loss alone


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def loss(logits, targets, weight, sample_weight, options):
    return _call(logits, targets, weight, sample_weight, options, with_gradient=False)[0]


def _loss_forward(*arguments):
    return loss_and_gradient(*arguments)        # the second is for the backward pass


def _loss_backward(options, gradient, by_loss):
    return _times(gradient, by_loss, options), None, None, None


loss.defvjp(_loss_forward, _loss_backward)


# ---- the loss and its gradient


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def loss_and_gradient(logits, targets, weight, sample_weight, options):
    return tuple(_call(logits, targets, weight, sample_weight, options, with_gradient=True))


def _forward(logits, targets, weight, sample_weight, options):
    values = [one if one is None else one.value for one in (logits, targets, weight, sample_weight)]
    results = loss_and_gradient(*values, options)
    return results, results[1]


def _backward(options, gradient, incoming):
    by_loss, by_gradient = incoming
    if not isinstance(by_gradient, SymbolicZero):
        raise NotImplementedError(SECOND_DERIVATIVE)
    if isinstance(by_loss, SymbolicZero):
        return jnp.zeros_like(gradient), None, None, None
    return _times(gradient, by_loss, options), None, None, None


loss_and_gradient.defvjp(_forward, _backward, symbolic_zeros=True)


def _times(gradient, factor, options):
    """One factor for all, or one for each row."""
    return gradient * (jnp.expand_dims(factor, -1) if _is_none(options) else factor)
