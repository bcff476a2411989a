"""Small calls, of which the call itself is most: beside NumPy's formulas, SciPy, PyTorch and a bare loop of Numba's:

    python asv_benchmarks/comparisons/compare_small.py [--seconds 0.5] [--quick]

Microseconds on one thread, the least of rounds in which all calls take turns; in brackets over ours. It fails where a result is
not ours to some digits. --quick: one round, no times to speak of.
"""

import argparse
import math
import os
import sys
import time
from functools import partial

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")        # before any library is loaded

import numba
import numpy as np
import scipy.special
import torch
import torch.nn.functional as F
from peers import probabilities

import xentfast as xf
import xentfast.torch

ROUNDS = 30
AGREEMENT = {"rtol": 1e-5, "atol": 1e-6}
ENTROPIES = {"xentfast": probabilities.by_xentfast, "NumPy": probabilities.by_numpy, "SciPy": probabilities.by_scipy}


# ---- what NumPy's users write


def softmax_by_numpy(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logsumexp_by_numpy(x):
    top = x.max(-1)
    return top + np.log(np.exp(x - top[:, None]).sum(-1))


def loss_by_numpy(x, targets):
    return (logsumexp_by_numpy(x) - x[np.arange(len(x)), targets]).mean()


def both_by_numpy(x, targets):
    grad = softmax_by_numpy(x)
    loss = loss_by_numpy(x, targets)
    grad[np.arange(len(x)), targets] -= 1
    return loss, grad / len(x)


@numba.njit
def both_by_loops(x, targets, grad):
    """Without a look at any argument."""
    total = 0.0
    for i in range(x.shape[0]):
        top = x[i].max()
        for j in range(x.shape[1]):
            grad[i, j] = math.exp(x[i, j] - top)
        among = grad[i].sum()
        total += math.log(among) + top - x[i, targets[i]]
        for j in range(x.shape[1]):
            grad[i, j] /= among * x.shape[0]
        grad[i, targets[i]] -= 1.0 / x.shape[0]
    return total / x.shape[0], grad


def sigmoid_by_numpy(x, targets):
    return (np.maximum(x, 0) - x * targets + np.log1p(np.exp(-np.abs(x)))).mean()


# ---- calls


def steps(loss, x, targets):
    """A forward and a backward pass."""
    def step():
        x.grad = None
        loss(x, targets).backward()
        return x.grad
    return step


def losses(n_rows, n_classes=10):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n_rows, n_classes)).astype(np.float32)
    classes, yes = rng.integers(0, n_classes, n_rows), (x > 0.3).astype(np.float32)
    grad = np.empty_like(x)
    tensor, tensor_classes, tensor_yes = map(torch.from_numpy, (x, classes, yes))
    leaf = tensor.clone().requires_grad_()
    name = f"{n_rows} × {n_classes}, "
    return {
        name + "softmax_cross_entropy": {
            "xentfast": partial(xf.softmax_cross_entropy, x, classes), "NumPy": partial(loss_by_numpy, x, classes),
            "PyTorch": partial(F.cross_entropy, tensor, tensor_classes)},
        name + "loss + gradient": {
            "xentfast": partial(xf.softmax_cross_entropy_value_and_grad, x, classes, out=grad),
            "NumPy": partial(both_by_numpy, x, classes), "Numba": partial(both_by_loops, x, classes, np.empty_like(x))},
        name + "softmax": {
            "xentfast": partial(xf.softmax, x), "NumPy": partial(softmax_by_numpy, x),
            "SciPy": partial(scipy.special.softmax, x, -1), "PyTorch": partial(torch.softmax, tensor, -1)},
        name + "logsumexp": {
            "xentfast": partial(xf.logsumexp, x), "NumPy": partial(logsumexp_by_numpy, x),
            "SciPy": partial(scipy.special.logsumexp, x, -1), "PyTorch": partial(torch.logsumexp, tensor, -1)},
        name + "sigmoid_cross_entropy": {
            "xentfast": partial(xf.sigmoid_cross_entropy, x, yes), "NumPy": partial(sigmoid_by_numpy, x, yes),
            "PyTorch": partial(F.binary_cross_entropy_with_logits, tensor, tensor_yes)},
        name + "torch.cross_entropy, no gradient": {
            "xentfast": partial(xf.torch.cross_entropy, tensor, tensor_classes),
            "PyTorch": partial(F.cross_entropy, tensor, tensor_classes)},
        name + "torch.cross_entropy, forward": {
            "xentfast": lambda: xf.torch.cross_entropy(leaf, tensor_classes).detach(),
            "PyTorch": lambda: F.cross_entropy(leaf, tensor_classes).detach()},
        name + "torch.cross_entropy, forward + backward": {
            "xentfast": steps(xf.torch.cross_entropy, leaf, tensor_classes),
            "PyTorch": steps(F.cross_entropy, leaf, tensor_classes)},
    }


def entropies(n_rows, n_classes=10):
    p, q = np.random.default_rng(0).dirichlet(np.ones(n_classes), (2, n_rows)).astype(np.float32)
    problem = probabilities.Problem(p, q, labels=np.zeros(n_rows, int))
    found = {}
    for function in ("entropy", "cross_entropy", "kl_divergence", "cross_entropy_grad"):
        calls = {library: make(function, problem, 1) for library, make in ENTROPIES.items()}
        found[f"{n_rows} × {n_classes}, {function}"] = {library: call for library, call in calls.items() if call is not None}
    return found


def weights():
    """Values differ from library to library: only their times are compared."""
    key, generator = xf.random.key(0), np.random.default_rng(0)
    out, tensor = np.empty((16, 16), np.float32), torch.empty(16, 16)
    model = {f"layer{number}/weight": (xf.init.he_normal, (16, 16)) for number in range(200)}
    tensors = [torch.empty(16, 16) for _ in range(200)]
    return {
        "he_normal 16 × 16, from a seed": {
            "xentfast": partial(xf.init.he_normal, (16, 16), rng=0),
            "NumPy": lambda: np.random.default_rng(0).standard_normal((16, 16), np.float32) * np.float32(0.35)},
        "he_normal 16 × 16, into an array, with a key": {
            "xentfast": partial(xf.init.he_normal, (16, 16), rng=key, out=out),
            "NumPy": partial(generator.standard_normal, None, np.float32, out),
            "PyTorch": partial(torch.nn.init.kaiming_normal_, tensor)},
        "fill, 200 arrays of 16 × 16": {
            "xentfast": partial(xf.init.fill, model, rng=0),
            "PyTorch": lambda: [torch.nn.init.kaiming_normal_(one) for one in tensors]},
    }


def agree(calls):
    """Whether all give what ours gives."""
    expected = calls["xentfast"]()
    for call in calls.values():
        found = call()
        for one, other in zip(*(value if isinstance(value, tuple) else (value,) for value in (expected, found)), strict=True):
            if not np.allclose(np.asarray(one), np.asarray(other), **AGREEMENT):
                return False
    return True


def least(calls, rounds, seconds):
    """{name: microseconds of each call}, which take turns."""
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            n, start = 0, time.perf_counter()
            while n == 0 or time.perf_counter() - start < seconds / rounds:
                for _ in range(20):
                    call()
                n += 20
            found[name] = min(found[name], (time.perf_counter() - start) / n * 1e6)
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="of each call")
    parser.add_argument("--quick", action="store_true")
    parsed = parser.parse_args(arguments)
    torch.set_num_threads(1)
    wrong = 0
    compared = losses(1) | losses(64) | entropies(1) | entropies(64)
    for name, calls in (compared | weights()).items():
        if name in compared and not agree(calls):
            wrong += 1
            print(f"{name}: not the same result")
        times = least(calls, 1 if parsed.quick else ROUNDS, 0.0 if parsed.quick else parsed.seconds)
        ours = times.pop("xentfast")
        others = "".join(f"   {library} {value:.2f} ({value / ours:.2f})" for library, value in times.items())
        print(f"{name:44s}{ours:9.2f}{others}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
