"""Sigmoid losses: what each library calls for each function, as in `losses`. Targets are float32."""

import functools
from typing import NamedTuple

import numpy as np

import xentfast as xf

from .loops import kernels, set_threads
from .tensors import by_jax, by_torch

LOSS, BOTH = "sigmoid_cross_entropy", "sigmoid_cross_entropy_value_and_grad"
GRAD, HESSIAN = "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess"
# The loss reads two arrays; the others write as well, for which no limit is measured.
FUNCTIONS = {LOSS: ("read", 2), BOTH: None, GRAD: None, HESSIAN: None}
SMALL = 16_384


class Problem(NamedTuple):
    logits: np.ndarray
    targets: np.ndarray


def by_xentfast(function, problem, threads):
    options = {"n_threads": threads} if problem.logits.size > SMALL else {}
    if function != LOSS:
        given = np.zeros_like(problem.logits)
        options["out"] = (given, np.zeros_like(given)) if function == HESSIAN else given
    return functools.partial(getattr(xf, function), *problem, **options)


def by_formula(function, problem, sigmoid, softplus):
    """In NumPy, with a function for 1/(1 + e⁻ˣ) and one for log(1 + eˣ)."""
    x, t = problem
    share = x.dtype.type(1 / x.size)

    def gradient():
        p = sigmoid(x)
        p -= t
        p *= share
        return p

    def hessian():
        p = sigmoid(x)
        return p - t, p * (1 - p)

    def loss():
        return (softplus(x) - t * x).mean()

    return {LOSS: loss, BOTH: lambda: (loss(), gradient()), GRAD: gradient, HESSIAN: hessian}[function]


def by_numpy(function, problem, threads):
    return by_formula(function, problem, lambda x: 1 / (1 + np.exp(-x)), lambda x: np.logaddexp(0, x))


def by_scipy(function, problem, threads):
    from scipy import special

    return by_formula(function, problem, special.expit, lambda x: -special.log_expit(-x))


def by_sklearn(function, problem, threads):
    from sklearn._loss.loss import HalfBinomialLoss

    x, t = (array.reshape(-1) for array in problem)
    loss, given, diagonal = HalfBinomialLoss(), np.zeros_like(x), np.zeros_like(x)
    options = {"gradient_out": given, "n_threads": threads}
    return {
        LOSS: lambda: loss.loss(t, x, loss_out=given, n_threads=threads).mean(),
        BOTH: lambda: loss.loss_gradient(t, x, loss_out=diagonal, **options)[0].mean(),
        GRAD: lambda: np.divide(loss.gradient(t, x, **options), x.size, out=given),
        HESSIAN: lambda: loss.gradient_hessian(t, x, hessian_out=diagonal, **options),
    }[function]


def by_numba(function, problem, threads):
    set_threads(threads)
    x, t = (array.reshape(-1) for array in problem)
    name = {LOSS: "sigmoid_loss", BOTH: "sigmoid_both", HESSIAN: "sigmoid_hessian"}.get(function)
    outputs = {LOSS: 0, BOTH: 1, HESSIAN: 2}.get(function)
    return name and functools.partial(kernels(threads > 1)[name], x, t, *(np.zeros_like(x) for _ in range(outputs)))


def by_pytorch(function, problem, threads, compiled=False):
    import torch

    def hessian(x, t):
        p = x.sigmoid()
        return p - t, p * (1 - p)

    expression = hessian if function == HESSIAN else torch.nn.functional.binary_cross_entropy_with_logits
    return by_torch(expression, problem, threads, gradient=function in (BOTH, GRAD), compiled=compiled)


def by_xla(function, problem, threads):
    def loss(x, t):
        import optax

        return optax.sigmoid_binary_cross_entropy(x, t).mean()

    def hessian(x, t):
        import jax

        p = jax.nn.sigmoid(x)
        return p - t, p * (1 - p)

    return by_jax(hessian if function == HESSIAN else loss, problem, threads, gradient=function in (BOTH, GRAD))


LIBRARIES = {"xentfast": by_xentfast, "NumPy": by_numpy, "SciPy": by_scipy, "scikit-learn": by_sklearn, "Numba": by_numba,
             "PyTorch": by_pytorch, "torch.compile": functools.partial(by_pytorch, compiled=True), "JAX": by_xla}
