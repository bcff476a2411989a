"""The loss of a linear layer, from hidden states and weights: what each library calls, or the formula that its users write, as in
`losses`. Gradients are those of hidden states and weights.
"""

import functools
from typing import NamedTuple

import numpy as np

import xentfast as xf

LOSS, BOTH = "linear_cross_entropy", "linear_cross_entropy_value_and_grad"
# Products, not memory, are their limit.
FUNCTIONS = {LOSS: None, BOTH: None}


class Problem(NamedTuple):
    hidden: np.ndarray
    linear_weight: np.ndarray
    targets: np.ndarray


def by_xentfast(function, problem, threads):
    options = {"n_threads": threads}
    if function == BOTH:
        options["out"] = (np.zeros_like(problem.hidden), np.zeros_like(problem.linear_weight), None)
    return functools.partial(getattr(xf, function), *problem, **options)


def by_numpy(function, problem, threads):
    hidden, linear_weight, targets = problem
    rows = np.arange(len(targets))

    def loss():
        x = hidden @ linear_weight.T
        x -= x.max(1, keepdims=True)
        return (np.log(np.exp(x).sum(1)) - x[rows, targets]).mean()

    def both():
        x = hidden @ linear_weight.T
        x -= x.max(1, keepdims=True)
        own = x[rows, targets]
        np.exp(x, out=x)
        row_sum = x.sum(1, keepdims=True)
        loss = (np.log(row_sum[:, 0]) - own).mean()
        x /= row_sum
        x[rows, targets] -= 1
        x /= len(targets)
        return loss, (x @ linear_weight, x.T @ hidden)

    return {LOSS: loss, BOTH: both}[function]


def by_pytorch(function, problem, threads, compiled=False):
    import torch

    from . import tensors

    torch.set_num_threads(threads)
    hidden, linear_weight, targets = map(torch.from_numpy, problem)
    if compiled:                                    # of the products and the loss: the fused function runs as it is
        torch._dynamo.reset()

        def expression(hidden, linear_weight, targets):
            return torch.nn.functional.cross_entropy(hidden @ linear_weight.T, targets)

        expression = torch.compile(expression, dynamic=False, backend=tensors.backend)
    else:
        expression = torch.nn.functional.linear_cross_entropy
    if function == LOSS:
        return torch.no_grad()(lambda: expression(hidden, linear_weight, targets))
    tracked = [hidden.detach().requires_grad_(), linear_weight.detach().requires_grad_()]

    def both():
        for tensor in tracked:
            tensor.grad = None
        value = expression(*tracked, targets)
        value.backward()
        return value.detach(), tuple(tensor.grad for tensor in tracked)

    return both


def by_xla(function, problem, threads):
    from xentfast._demo import speed

    jax = speed.import_jax(threads)
    import optax

    def loss(hidden, linear_weight, targets):
        return optax.softmax_cross_entropy_with_integer_labels(hidden @ linear_weight.T, targets).mean()

    arrays = [jax.numpy.asarray(array) for array in problem]
    compiled = jax.jit(loss if function == LOSS else jax.value_and_grad(loss, argnums=(0, 1)))
    return lambda: jax.block_until_ready(compiled(*arrays))


LIBRARIES = {"xentfast": by_xentfast, "NumPy": by_numpy, "PyTorch": by_pytorch,
             "torch.compile": functools.partial(by_pytorch, compiled=True), "JAX": by_xla}
