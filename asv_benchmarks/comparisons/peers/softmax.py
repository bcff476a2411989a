"""Softmax losses and softmax: what each library calls for each function, or the formula that its users write.

A library gets a function's public name and a problem, and returns a call without arguments, or None where it has nothing.
Losses are the mean. Calls that compute a gradient give the loss, and leave the gradient in a ready array where the library takes
one (xentfast, scikit-learn, Numba). PyTorch and JAX compute no gradient without its loss.
"""

import functools
from typing import NamedTuple

import numpy as np

import xentfast as xf
from xentfast._demo import speed

from .loops import kernels, set_threads, softmax_kernel
from .tensors import by_jax, by_torch

LOSS, BOTH = "softmax_cross_entropy", "softmax_cross_entropy_value_and_grad"
GRAD, HESSIAN = "softmax_cross_entropy_grad", "softmax_cross_entropy_grad_hess"
# What a call moves at the least; the diagonal Hessian writes two arrays, for which no limit is measured.
FUNCTIONS = {LOSS: ("read", 1), BOTH: ("copy", 1), GRAD: ("copy", 1), HESSIAN: None, "perplexity": ("read", 1),
             "softmax": ("copy", 1), "log_softmax": ("copy", 1), "logsumexp": ("read", 1)}
PAIR = {LOSS: 0, BOTH: 1}           # what _demo/speed.py has of each library
SMALL = 16_384                      # up to so many logits, a call is made as a user would make it: without a number of threads


class Problem(NamedTuple):
    logits: np.ndarray
    targets: np.ndarray
    axis: int = -1
    out: str = "given"              # where the gradient goes: "given", "new", "in place"

    @property
    def rows(self):
        """The logits with the classes last and all other axes one: a view where there can be one."""
        moved = np.moveaxis(self.logits, self.axis, -1)
        return moved.reshape(-1, moved.shape[-1])


def by_xentfast(function, problem, threads):
    logits, targets, axis, out = problem
    options = {"n_threads": threads} if logits.size > SMALL else {}
    if axis != -1:
        options["axis"] = axis
    if FUNCTIONS[function] in (("copy", 1), None) and out != "new":
        given = logits if out == "in place" else np.zeros(logits.shape, logits.dtype)
        options["out"] = (given, np.zeros_like(given)) if function == HESSIAN else given
    arguments = (logits, targets) if function.startswith(LOSS) or function == "perplexity" else (logits,)
    return functools.partial(getattr(xf, function), *arguments, **options)


def by_numpy(function, problem, threads):
    x, t, axis, _ = problem
    if function in PAIR and x.ndim == 2:
        return speed.numpy_losses(x, t, threads)[PAIR[function]]
    places = np.expand_dims(t, axis)

    def loss_of(logsumexp):
        return (logsumexp - np.take_along_axis(x, places, axis)).mean()

    def powers():
        row_max = x.max(axis, keepdims=True)
        terms = np.exp(x - row_max)
        return terms, terms.sum(axis, keepdims=True), row_max

    def logsumexp():
        _, row_sum, row_max = powers()
        return np.log(row_sum) + row_max

    def softmax():
        terms, row_sum, _ = powers()
        terms /= row_sum
        return terms

    def log_softmax():
        terms = x - x.max(axis, keepdims=True)
        terms -= np.log(np.exp(terms).sum(axis, keepdims=True))
        return terms

    def without_target(p):
        np.put_along_axis(p, places, np.take_along_axis(p, places, axis) - 1, axis)
        return p

    def gradient():
        p = without_target(softmax())
        p /= t.size
        return p

    def both():
        terms, row_sum, row_max = powers()
        loss = loss_of(np.log(row_sum) + row_max)
        terms /= row_sum
        without_target(terms)
        terms /= t.size
        return loss, terms

    def hessian():
        p = softmax()
        diagonal = p * (1 - p)
        return without_target(p), diagonal

    return {LOSS: lambda: loss_of(logsumexp()), BOTH: both, GRAD: gradient, HESSIAN: hessian,
            "perplexity": lambda: np.exp(loss_of(logsumexp())), "softmax": softmax, "log_softmax": log_softmax,
            "logsumexp": lambda: logsumexp().squeeze(axis)}[function]


def by_scipy(function, problem, threads):
    from scipy import special

    x, t, axis, _ = problem
    if function in PAIR and x.ndim == 2:
        return speed.scipy_losses(x, t, threads)[PAIR[function]]
    places = np.expand_dims(t, axis)

    def loss():
        return -np.take_along_axis(special.log_softmax(x, axis), places, axis).mean()

    return {LOSS: loss, "perplexity": lambda: np.exp(loss()), "softmax": lambda: special.softmax(x, axis),
            "log_softmax": lambda: special.log_softmax(x, axis),
            "logsumexp": lambda: special.logsumexp(x, axis)}.get(function)


def in_rows(library):
    """For a library that takes rows of classes alone: another layout is copied into rows first, in every call."""
    @functools.wraps(library)
    def make(function, problem, threads):
        rows = problem.rows
        if np.shares_memory(rows, problem.logits):
            return library(function, problem._replace(logits=rows, targets=problem.targets.reshape(-1), axis=-1), threads)
        ready = np.zeros_like(rows)
        moved = np.moveaxis(problem.logits, problem.axis, -1)
        inner = library(function, problem._replace(logits=ready, targets=problem.targets.reshape(-1), axis=-1), threads)

        def call():
            np.copyto(ready.reshape(moved.shape), moved)
            return inner()
        return inner and call
    return make


@in_rows
def by_sklearn(function, problem, threads):
    x, t, _, out = problem
    if function in PAIR and out == "given":
        return speed.sklearn_losses(x, t, threads)[PAIR[function]]
    from sklearn._loss.loss import HalfMultinomialLoss
    from sklearn.utils.extmath import softmax

    loss, labels = HalfMultinomialLoss(n_classes=x.shape[1]), t.astype(x.dtype)     # it takes no integers
    given = {"new": None, "in place": x}.get(out, np.zeros_like(x))
    options = {"gradient_out": given, "n_threads": threads}
    diagonal = np.zeros_like(x)
    return {
        BOTH: lambda: loss.loss_gradient(labels, x, **options)[0].mean(),
        GRAD: lambda: np.divide(loss.gradient(labels, x, **options), len(t), out=given),
        HESSIAN: lambda: loss.gradient_hessian(labels, x, hessian_out=diagonal, **options),
        "perplexity": lambda: np.exp(loss.loss(labels, x, n_threads=threads).mean()),
        "softmax": lambda: softmax(x),
    }.get(function)


@in_rows
def by_numba(function, problem, threads):
    set_threads(threads)
    x, t, _, out = problem
    if function in (LOSS, BOTH, GRAD, "perplexity"):
        kernel, gradient = softmax_kernel(threads > 1), np.zeros_like(x)
        return {LOSS: lambda: kernel(x, t, None), "perplexity": lambda: np.exp(kernel(x, t, None)),
                GRAD: lambda: (kernel(x, t, gradient), gradient),
                BOTH: lambda: kernel(x, t, np.empty_like(x) if out == "new" else gradient)}[function]
    if function == HESSIAN:
        return functools.partial(kernels(threads > 1)["softmax_hessian"], x, t, np.zeros_like(x), np.zeros_like(x))
    result = np.zeros(len(x), x.dtype) if function == "logsumexp" else np.zeros_like(x)
    return functools.partial(kernels(threads > 1)[function], x, result)


def by_pytorch(function, problem, threads, compiled=False):
    import torch

    x, t, axis, _ = problem
    if function in PAIR and x.ndim == 2 and not compiled and t.dtype == np.int64:
        return speed.torch_losses(x, t, threads)[PAIR[function]]
    cross_entropy = torch.nn.functional.cross_entropy            # of axis 1, which is that of every problem here
    if t.dtype not in (np.int64, np.uint8):
        t = t.astype(np.int64)                      # the others are refused

    def hessian(x, t):
        p = x.softmax(axis)
        return p - torch.nn.functional.one_hot(t, x.shape[axis]).movedim(-1, axis), p * (1 - p)

    expression = {LOSS: cross_entropy, BOTH: cross_entropy, GRAD: cross_entropy, HESSIAN: hessian,
                  "perplexity": lambda x, t: cross_entropy(x, t).exp(), "softmax": lambda x: x.softmax(axis),
                  "log_softmax": lambda x: x.log_softmax(axis), "logsumexp": lambda x: x.logsumexp(axis)}[function]
    arrays = (x, t) if function.startswith(LOSS) or function == "perplexity" else (x,)
    return by_torch(expression, arrays, threads, gradient=function in (BOTH, GRAD), compiled=compiled)


def by_xla(function, problem, threads):
    jax = speed.import_jax(threads)
    import optax

    x, t, axis, _ = problem
    if function in PAIR and x.ndim == 2:
        return speed.jax_losses(x, t, threads)[PAIR[function]]

    def loss(x, t):
        return optax.softmax_cross_entropy_with_integer_labels(x, t, axis=axis).mean()

    def hessian(x, t):
        p = jax.nn.softmax(x, axis)
        return p - jax.nn.one_hot(t, x.shape[axis], axis=axis), p * (1 - p)

    expression = {LOSS: loss, BOTH: loss, GRAD: loss, HESSIAN: hessian, "perplexity": lambda x, t: jax.numpy.exp(loss(x, t)),
                  "softmax": lambda x: jax.nn.softmax(x, axis), "log_softmax": lambda x: jax.nn.log_softmax(x, axis),
                  "logsumexp": lambda x: jax.nn.logsumexp(x, axis)}[function]
    arrays = (x, t) if function.startswith(LOSS) or function == "perplexity" else (x,)
    return by_jax(expression, arrays, threads, gradient=function in (BOTH, GRAD))


LIBRARIES = {"xentfast": by_xentfast, "NumPy": by_numpy, "SciPy": by_scipy, "scikit-learn": by_sklearn, "Numba": by_numba,
             "PyTorch": by_pytorch, "torch.compile": functools.partial(by_pytorch, compiled=True), "JAX": by_xla}
