"""Probabilities: what each library calls for each function, or the formula that its users write, as in `losses`.

xentfast looks whether all numbers are probabilities, the others but SciPy's three do not. Rows are distributions.
"""

import functools
from typing import NamedTuple

import numpy as np

import xentfast as xf

from .loops import kernels, set_threads
from .tensors import by_jax, by_torch

FUNCTIONS = {"cross_entropy": ("read", 2), "entropy": ("read", 1), "kl_divergence": ("read", 2), "cross_entropy_grad": None,
             "log_loss": ("read", 1)}
SMALL = 16_384


class Problem(NamedTuple):
    p: np.ndarray
    q: np.ndarray
    labels: np.ndarray

    def arguments(self, function):
        return {"entropy": (self.p,), "log_loss": (self.q, self.labels)}.get(function, (self.p, self.q))


def by_xentfast(function, problem, threads):
    options = {"n_threads": threads} if problem.p.size > SMALL else {}
    arguments = problem.arguments(function)
    if function == "log_loss":
        arguments, options["labels"] = arguments[::-1], np.arange(problem.q.shape[1])
    if function == "cross_entropy_grad":
        options["out"] = np.zeros_like(problem.q)
    return functools.partial(getattr(xf, function), *arguments, **options)


def by_numpy(function, problem, threads):
    p, q, labels = problem
    rows, out = np.arange(len(labels)), np.zeros_like(q)
    return {
        "cross_entropy": lambda: -(p * np.log(q)).sum(1),
        "entropy": lambda: -(p * np.log(p)).sum(1),
        "kl_divergence": lambda: (p * np.log(p / q)).sum(1),
        "cross_entropy_grad": lambda: np.negative(np.divide(p, q, out=out), out=out),
        "log_loss": lambda: -np.log(q[rows, labels]).mean(),
    }[function]


def by_scipy(function, problem, threads):
    from scipy import special

    p, q, _ = problem
    return {
        "cross_entropy": lambda: -special.xlogy(p, q).sum(1),
        "entropy": lambda: special.entr(p).sum(1),
        "kl_divergence": lambda: special.rel_entr(p, q).sum(1),
    }.get(function)


def by_sklearn(function, problem, threads):
    from sklearn.metrics import log_loss

    if function != "log_loss":
        return None
    return functools.partial(log_loss, problem.labels, problem.q, labels=np.arange(problem.q.shape[1]))


def by_numba(function, problem, threads):
    set_threads(threads)
    kernel = kernels(threads > 1)[function]
    if function == "log_loss":
        return functools.partial(kernel, problem.labels, problem.q)
    out = np.zeros_like(problem.q) if function == "cross_entropy_grad" else np.zeros(len(problem.q), problem.q.dtype)
    return functools.partial(kernel, *problem.arguments(function), out)


def by_pytorch(function, problem, threads, compiled=False):
    import torch

    kl_div, nll_loss = torch.nn.functional.kl_div, torch.nn.functional.nll_loss
    expression = {
        "cross_entropy": lambda p, q: -(p * q.log()).sum(1),
        "entropy": lambda p: torch.special.entr(p).sum(1),
        "kl_divergence": lambda p, q: kl_div(q.log(), p, reduction="none").sum(1),
        "cross_entropy_grad": lambda p, q: -p / q,
        "log_loss": lambda q, labels: nll_loss(q.log(), labels),
    }[function]
    return by_torch(expression, problem.arguments(function), threads, compiled=compiled)


def by_xla(function, problem, threads):
    def of_rows(special, *arrays):
        import jax

        return getattr(jax.scipy.special, special)(*arrays).sum(1)

    def log_loss(q, labels):
        import jax.numpy as jnp

        return -jnp.log(jnp.take_along_axis(q, labels[:, None], 1)).mean()

    expression = {
        "cross_entropy": lambda p, q: -of_rows("xlogy", p, q),
        "entropy": lambda p: of_rows("entr", p),
        "kl_divergence": lambda p, q: of_rows("rel_entr", p, q),
        "cross_entropy_grad": lambda p, q: -p / q,
        "log_loss": log_loss,
    }[function]
    return by_jax(expression, problem.arguments(function), threads)


LIBRARIES = {"xentfast": by_xentfast, "NumPy": by_numpy, "SciPy": by_scipy, "scikit-learn": by_sklearn, "Numba": by_numba,
             "PyTorch": by_pytorch, "torch.compile": functools.partial(by_pytorch, compiled=True), "JAX": by_xla}
