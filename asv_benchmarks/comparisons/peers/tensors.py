"""NumPy arrays to PyTorch and JAX: a call of an expression, eager or compiled, with or without its gradient.

The gradient is that of the first array; such a call gives (value, gradient). PyTorch shares the arrays' memory, JAX copies them.
"""

import logging

from xentfast._demo.speed import import_jax

# What torch.compile makes of the graph. "aot_eager" traces without calling a C++ compiler, which takes seconds for each shape.
backend = "inductor"


def by_torch(expression, arrays, threads, gradient=False, compiled=False):
    import torch

    torch.set_num_threads(threads)
    first, *others = map(torch.from_numpy, arrays)
    if compiled:
        torch._dynamo.reset()       # a second shape would otherwise be compiled for any shape
        logging.getLogger("torch").setLevel(logging.CRITICAL)               # what it cannot compile is said once, below the table
        expression = torch.compile(expression, dynamic=False, backend=backend)
    if not gradient:
        return torch.no_grad()(lambda: expression(first, *others))
    tracked = first.detach().requires_grad_()

    def value_and_gradient():
        tracked.grad = None
        value = expression(tracked, *others)
        value.backward()
        return value.detach(), tracked.grad

    return value_and_gradient


def by_jax(expression, arrays, threads, gradient=False):
    jax = import_jax(threads)
    arrays = [jax.numpy.asarray(array) for array in arrays]
    function = jax.jit(jax.value_and_grad(expression) if gradient else expression)
    return lambda: jax.block_until_ready(function(*arrays))
