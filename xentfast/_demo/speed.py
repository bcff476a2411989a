"""The speed of this machine, beside other libraries: of the losses and of the initialisers, as text."""

import functools
import importlib.util
import math
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import xentfast as xf

# The standard deviation of a standard normal that is cut at ±2.
CUT_STD = 0.87962566103423976

SECONDS = 0.1           # of calls for each figure, after two that warm up


class Comparison(NamedTuple):
    """What is timed: each kind of call, at each shape, by each peer that is installed."""

    kinds: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]
    inputs: Callable        # shape → the arguments of a peer's function, but for the threads
    # Name in the table → the modules it needs, and a function of inputs and threads that returns a call without arguments for
    # each kind (None where the library has none).
    peers: dict[str, tuple[tuple[str, ...], Callable]]


def of_losses(threads):
    """A table of the mean loss, and one of loss and gradient."""
    return loss_table(*measure(LOSSES, threads, SECONDS), threads)


def of_weights(threads):
    """A table of weight matrices."""
    return weight_table(*measure(WEIGHTS, threads, SECONDS), threads)


def median_seconds(call, seconds):
    """Median time of a call, after two that warm up: of at least three, and of as many as fill `seconds`."""
    times = []
    while len(times) < 5 or sum(times[2:]) < seconds:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[2:]))


def measure(comparison, threads, seconds):
    """Nanoseconds per value as {(kind, shape): {peer: figure}}, and a line for each peer that failed."""
    from tqdm import tqdm

    kinds, shapes, inputs, peers = comparison
    present = {name: calls for name, (modules, calls) in peers.items() if all(map(importlib.util.find_spec, modules))}
    figures = {(kind, shape): {} for kind in kinds for shape in shapes}
    failures = {}
    # Freeing one block of this size makes glibc keep what is freed later. Without it, page faults, many or few by the
    # accident of earlier allocations, can double the times of those who allocate on the way: NumPy, SciPy, PyTorch.
    np.empty(33_500_000, np.uint8)
    for shape in shapes:
        arguments = inputs(shape)
        for name, calls in tqdm(present.items(), desc=f"timing {by(shape)}", leave=False, disable=None):
            try:
                for kind, call in zip(kinds, calls(*arguments, threads), strict=True):
                    if call is not None:
                        figures[kind, shape][name] = median_seconds(call, seconds) * 1e9 / math.prod(shape)
            except Exception as error:  # another library's fault must not end the table
                if name == "xentfast":
                    raise
                failures[name] = f"{name} failed: {type(error).__name__}: {error}".splitlines()[0][:110]
    return figures, list(failures.values())


def loss_table(figures, failures, threads):
    """The figures as text: the peers below each other, the shapes side by side."""
    lines = [f"\nNanoseconds per logit, float32, {in_threads(threads)} (NumPy and SciPy use 1); "
             "in brackets, relative to xentfast.",
             "The gradient goes into a ready array where the library takes one (xentfast, scikit-learn, Numba)."]
    for kind in dict.fromkeys(kind for kind, _ in figures):
        lines += block(kind, {by(shape): column for (its_kind, shape), column in figures.items() if its_kind == kind})
    return "\n".join([*lines, *failures])


def weight_table(figures, failures, threads):
    """The figures of one shape as text: the peers below each other, the kinds of weights side by side."""
    (shape,) = {shape for _, shape in figures}
    lines = [f"\nNanoseconds per float32 of a matrix of weights, {in_threads(threads)} (NumPy uses 1); "
             "in brackets, relative to xentfast.",
             "The weights go into a ready array where the library takes one (xentfast, NumPy, PyTorch)."]
    lines += block(by(shape), {kind: column for (kind, _), column in figures.items()})
    return "\n".join([*lines, *failures])


def block(corner, columns):
    """The lines of a table with {heading: {peer: figure}}."""
    lines = [f"\n{corner:16}" + "".join(f"{heading:>20}" for heading in columns)]
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        cells = [f"{column[name]:.2f} ({column[name] / column['xentfast']:5.2f})" if name in column else "-"
                 for column in columns.values()]
        lines.append(f"{name:16}" + "".join(f"{cell:>20}" for cell in cells))
    return lines


def by(shape):
    return f"{shape[0]} x {shape[1]}"


def in_threads(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def import_jax(threads):
    os.environ.update(JAX_PLATFORMS="cpu", PJRT_NPROC=str(threads))     # read when JAX starts
    import jax

    return jax


def logits_and_targets(shape):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, np.float32) * 3, rng.integers(0, shape[1], shape[0])


def xentfast_losses(logits, targets, threads):
    out = np.zeros_like(logits)
    return (lambda: xf.softmax_cross_entropy(logits, targets, n_threads=threads),
            lambda: xf.softmax_cross_entropy_value_and_grad(logits, targets, out=out, n_threads=threads)[0])


def numpy_losses(logits, targets, threads):
    rows = np.arange(len(targets))

    def loss():
        row_max = logits.max(1, keepdims=True)
        return (np.log(np.exp(logits - row_max).sum(1)) + row_max[:, 0] - logits[rows, targets]).mean()

    def loss_and_gradient():
        row_max = logits.max(1, keepdims=True)
        gradient = np.exp(logits - row_max)
        row_sum = gradient.sum(1, keepdims=True)
        gradient /= row_sum * len(targets)
        gradient[rows, targets] -= 1 / len(targets)
        return (np.log(row_sum[:, 0]) + row_max[:, 0] - logits[rows, targets]).mean()

    return loss, loss_and_gradient


def scipy_losses(logits, targets, threads):
    from scipy.special import log_softmax

    rows = np.arange(len(targets))
    return lambda: -log_softmax(logits, axis=1)[rows, targets].mean(), None


def sklearn_losses(logits, targets, threads):
    from sklearn._loss.loss import HalfMultinomialLoss

    function = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels = targets.astype(np.float32)                     # it takes no integers
    out, options = np.zeros_like(logits), {"loss_out": np.zeros_like(labels), "n_threads": threads}
    return (lambda: function.loss(labels, logits, **options).mean(),
            lambda: function.loss_gradient(labels, logits, gradient_out=out, **options)[0].mean())


def torch_losses(logits, targets, threads):
    import torch

    torch.set_num_threads(threads)
    cross_entropy = torch.nn.functional.cross_entropy
    plain, labels = torch.from_numpy(logits), torch.from_numpy(targets)
    tracked = plain.clone().requires_grad_()

    def loss_and_gradient():
        tracked.grad = None
        loss = cross_entropy(tracked, labels)
        loss.backward()
        return loss.detach()

    return torch.no_grad()(lambda: cross_entropy(plain, labels)), loss_and_gradient


def jax_losses(logits, targets, threads):
    jax = import_jax(threads)
    import optax

    def mean_loss(logits, labels):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, loss_and_gradient = jax.jit(mean_loss), jax.jit(jax.value_and_grad(mean_loss))
    arrays = jax.numpy.asarray(logits), jax.numpy.asarray(targets)
    return lambda: loss(*arrays).block_until_ready(), lambda: jax.block_until_ready(loss_and_gradient(*arrays))[0]


@functools.cache
def numba_kernel():
    """The loops that a Numba user would write; where `out` is None, its branches are not compiled."""
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def kernel(logits, targets, out):
        n_rows, n_classes = logits.shape
        total, share = 0.0, np.float32(1 / n_rows)
        for row in numba.prange(n_rows):
            row_max = logits[row, 0]
            for cls in range(n_classes):
                row_max = max(row_max, logits[row, cls])
            row_sum = np.float32(0)
            for cls in range(n_classes):
                power = math.exp(logits[row, cls] - row_max)
                row_sum += power
                if out is not None:
                    out[row, cls] = power
            total += math.log(row_sum) + row_max - logits[row, targets[row]]
            if out is not None:
                scale = share / row_sum
                for cls in range(n_classes):
                    out[row, cls] *= scale
                out[row, targets[row]] -= share
        return total / n_rows
    return kernel


def numba_losses(logits, targets, threads):
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    kernel, out = numba_kernel(), np.zeros_like(logits)
    return lambda: kernel(logits, targets, None), lambda: kernel(logits, targets, out)


def xentfast_weights(shape, threads):
    options = {"out": np.zeros(shape, np.float32), "rng": 0, "n_threads": threads}
    return (lambda: xf.init.xavier_uniform(shape, **options), lambda: xf.init.he_normal(shape, **options),
            lambda: xf.init.variance_scaling(shape, scale=2.0, **options))


def numpy_weights(shape, threads):
    rng, out = np.random.default_rng(0), np.zeros(shape, np.float32)
    limit, std = np.float32(math.sqrt(6 / sum(shape))), np.float32(math.sqrt(2 / shape[0]))

    def xavier_uniform():
        rng.random(dtype=np.float32, out=out)
        np.multiply(out, 2 * limit, out=out)
        return np.subtract(out, limit, out=out)

    def he_normal():
        rng.standard_normal(dtype=np.float32, out=out)
        return np.multiply(out, std, out=out)

    return xavier_uniform, he_normal, None


def torch_weights(shape, threads):
    import torch

    torch.set_num_threads(threads)
    out = torch.zeros(shape[::-1])                          # PyTorch's order: outputs, inputs
    std = math.sqrt(2 / shape[0]) / CUT_STD                 # before the cut, at two of it
    return (lambda: torch.nn.init.xavier_uniform_(out), lambda: torch.nn.init.kaiming_normal_(out, nonlinearity="relu"),
            lambda: torch.nn.init.trunc_normal_(out, std=std, a=-2 * std, b=2 * std))


def jax_weights(shape, threads):
    jax = import_jax(threads)
    key, initializers = jax.random.key(0), jax.nn.initializers

    def call(initializer):
        jitted = jax.jit(lambda key: initializer(key, shape))
        return lambda: jitted(key).block_until_ready()

    return (call(initializers.glorot_uniform()), call(initializers.variance_scaling(2.0, "fan_in", "normal")),
            call(initializers.he_normal()))                 # truncated, for all its name


# Both calls give the mean loss; the second computes its gradient as well.
LOSSES = Comparison(("loss", "loss + gradient"), ((65_536, 10), (1_024, 1_000), (256, 32_000)), logits_and_targets, {
    "xentfast": ((), xentfast_losses),
    "NumPy formula": ((), numpy_losses),
    "SciPy": (("scipy",), scipy_losses),
    "scikit-learn": (("sklearn",), sklearn_losses),
    "PyTorch": (("torch",), torch_losses),
    "JAX": (("jax", "optax"), jax_losses),
    "Numba": (("numba",), numba_losses),
})
# The shape is inputs × outputs; each call gives the weights.
WEIGHTS = Comparison(("Xavier uniform", "He normal", "truncated normal"), ((2_048, 4_096),), lambda shape: (shape,), {
    "xentfast": ((), xentfast_weights),
    "NumPy": ((), numpy_weights),
    "PyTorch": (("torch",), torch_weights),
    "JAX": (("jax",), jax_weights),
})
