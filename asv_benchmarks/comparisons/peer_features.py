"""What the peers do in the cases of the table in docs/performance/peers.md: each claim, and what the installed versions do.

    python asv_benchmarks/comparisons/peer_features.py                  every peer that is installed
    python asv_benchmarks/comparisons/peer_features.py PyTorch SciPy    some

Under each peer, one line a fact: `holds` or `CHANGED`, the row of the table, the claim, and what was seen. A release that
mends something shows as CHANGED, and the exit status is 1: then the table wants editing. Facts that speak for a peer are
here as well as those that speak against it. PyTorch is taken as it is called, not through `torch.compile`.

What depends on the process (threads, instruction sets, peak memory) is seen in children of this script: TASKS.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import warnings
from importlib import import_module
from inspect import isgenerator, signature

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

INF, NAN = np.inf, np.nan
LINUX_X86 = sys.platform == "linux" and platform.machine() == "x86_64"
CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1

# The modules that each needs.
PEERS = {
    "PyTorch": ["torch"],
    "JAX and optax": ["optax", "jax"],
    "SciPy": ["scipy.special"],
    "scikit-learn": ["sklearn.metrics", "sklearn._loss.loss"],
    "Keras on JAX": ["keras", "jax"],
    "Numba": ["numba"],
    "xentfast": ["xentfast"],
}
FACTS = {peer: [] for peer in PEERS}


def fact(peer, row, claim, *, when=True):
    """Register a function that returns whether the claim holds, and what was seen. `when`: whether this machine can tell."""
    def register(check):
        if when:
            FACTS[peer].append((row, claim, check))
        return check
    return register


# Data, and the exact answers in float64

TWO_ROWS = np.array([[1, 2, 3], [NAN, 0, 0]], np.float32)               # the second is to be ignored
EXCLUDED = np.array([[1, 2, -INF]], np.float32)                         # a class that cannot be
MIXTURE = np.array([[0.4, 0.6, 0]], np.float32)                         # ... and has no target mass
MIXTURE_LOSS = np.log1p(np.e) - 0.6                                     # log(e¹ + e²) − 0.4·1 − 0.6·2
CONFIDENT = np.array([[50, 0]], np.float32)
CONFIDENT_LOSS = np.log1p(np.exp(-50))                                  # 1.93e-22


def batch(rows, classes, scale=3.0, offset=0.0, dtype=np.float32):
    rng = np.random.default_rng(0)
    logits = (rng.normal(0, scale, (rows, classes)) + offset).astype(dtype)
    return logits, rng.integers(classes, size=rows)


def exact(logits, targets):
    """Losses of the rows and their gradients, in float64, the target left out of the sum: nothing cancels."""
    logits, rows = np.asarray(logits, np.float64), np.arange(len(targets))
    shifted = logits - logits[rows, targets][:, None]
    shifted[rows, targets] = -INF
    top = np.maximum(shifted.max(axis=1), 0)[:, None]
    terms = np.exp(shifted - top)
    others, target = terms.sum(axis=1), np.exp(-top[:, 0])
    grad = terms / (others + target)[:, None]
    grad[rows, targets] = -others / (others + target)
    return np.where(top[:, 0] == 0, np.log1p(others), np.log(others + target) + top[:, 0]), grad


# The peers' calls, from NumPy arrays to NumPy arrays: losses of the rows, and the gradient of their sum

def torch_rows(logits, targets, loss="cross_entropy", dtype=None, reduction="none", **options):
    import torch
    x = torch.tensor(logits).to(dtype or torch.tensor(logits).dtype).requires_grad_()
    losses = getattr(torch.nn.functional, loss)(x, torch.tensor(targets), reduction=reduction, **options)
    losses.sum().backward()
    return losses.detach().double().numpy(), x.grad.double().numpy()


def jax_rows(loss, logits, jit):
    import jax
    transform = jax.jit if jit else lambda function: function
    losses, grad = transform(loss), transform(jax.grad(lambda x: loss(x).sum()))
    logits = jax.numpy.asarray(logits)
    return np.asarray(losses(logits), np.float64), np.asarray(grad(logits), np.float64)


def optax_rows(logits, targets, loss="softmax_cross_entropy_with_integer_labels", **options):
    import optax
    return jax_rows(lambda x: getattr(optax, loss)(x, targets, **options), logits, jit=True)


def keras_rows(logits, targets, loss="sparse_categorical_crossentropy", jit=False, **options):
    import keras
    return jax_rows(lambda x: getattr(keras.losses, loss)(targets, x, from_logits=True, **options), logits, jit)


def sklearn_rows(logits, targets, **options):
    from sklearn._loss.loss import HalfMultinomialLoss
    return HalfMultinomialLoss(n_classes=logits.shape[1]).loss_gradient(targets, logits, **options)


def around_10_000(rows):
    """Error of float32 losses, in ulps and as such, for logits around 10 000 whose target is the largest."""
    logits, _ = batch(256, 1000, offset=1e4)
    targets = logits.argmax(axis=1)
    losses, expected = np.asarray(rows(logits, targets), np.float64), exact(logits, targets)[0]
    errors = np.abs(losses - expected)
    return np.max(errors / np.spacing(expected.astype(np.float32))), f"{errors.max():.1e}"


def error(call, *arguments, **options):
    """The exception's name and text; `no error` where there is none."""
    try:
        call(*arguments, **options)
    except Exception as problem:
        return f"{type(problem).__name__}: {problem}".splitlines()[0]
    return "no error"


def lacks(function, *names):
    """Whether the function has none of these parameters, and those that it has."""
    parameters = [name for name in signature(function).parameters if name != "self"]
    return not set(names) & set(parameters), ", ".join(parameters)


def show(*values):
    return "; ".join(str(value) if isinstance(value, str) else
                     np.array2string(np.asarray(value, np.float64), precision=4, separator=", ").replace("\n", "")
                     for value in values)


# PyTorch

@fact("PyTorch", "NumPy arrays", "refuses NumPy arrays, and tensors of int32 targets")
def _():
    import torch
    cross_entropy = torch.nn.functional.cross_entropy
    arrays = error(cross_entropy, CONFIDENT, np.array([0]))
    int32 = error(cross_entropy, torch.tensor(CONFIDENT), torch.tensor([0], dtype=torch.int32))
    return "no error" not in (arrays, int32), show(arrays, int32)


@fact("PyTorch", "options", "no row weights, z-loss, scale or cap, mask of classes, class axis or out")
def _():
    import torch
    return lacks(torch.nn.functional.cross_entropy, "sample_weight", "z_loss", "logit_scale", "softcap", "where", "dim", "out")


@fact("PyTorch", "class weights", "the same targets as integers and one-hot: two different weighted means")
def _():
    import torch
    options = {"weight": torch.tensor([1.0, 2.0, 4.0]), "reduction": "mean"}
    logits = np.array([[1, 2, 3], [0, 1, 5]], np.float32)
    integer, _ = torch_rows(logits, [0, 2], **options)
    one_hot, _ = torch_rows(logits, np.eye(3, dtype=np.float32)[[0, 2]], **options)
    return abs(integer - one_hot) > 0.1, show(integer, one_hot)


@fact("PyTorch", "ignored rows", "nan in an ignored row: the loss is clean, the row's gradient is nan")
def _():
    losses, grad = torch_rows(TWO_ROWS, [0, -100])
    return losses[1] == 0 and np.isnan(grad[1]).all(), show(losses[1], grad[1])


@fact("PyTorch", "0·log 0", "soft target 0 on a -inf logit: the loss is nan, the gradient is right")
def _():
    losses, grad = torch_rows(EXCLUDED, MIXTURE)
    return np.isnan(losses[0]) and np.isfinite(grad).all(), show(losses, grad)


@fact("PyTorch", "confident rows", "margin 50: loss 0 and target's gradient 0, exactly 1.93e-22 and its negative")
def _():
    losses, grad = torch_rows(CONFIDENT, [0])
    return losses[0] == 0 and grad[0, 0] == 0, show(losses, grad)


@fact("PyTorch", "common offset", "float32 logits around 10 000: losses within 100 ulp")
def _():
    ulps, seen = around_10_000(lambda logits, targets: torch_rows(logits, targets)[0])
    return ulps < 100, f"{ulps:.1f} ulp, {seen}"


@fact("PyTorch", "16-bit logits", "bfloat16, 50 257 classes: the mean loss is bfloat16, some gradients are off by 5 % or more")
def _():
    import torch
    logits, targets = batch(64, 50_257, scale=1.0)
    logits = torch.tensor(logits).bfloat16().float().numpy()
    losses, grad = exact(logits, targets)
    seen, _ = torch_rows(logits, targets, dtype=torch.bfloat16, reduction="mean")
    _, seen_grad = torch_rows(logits, targets, dtype=torch.bfloat16)
    worst = np.max(np.abs(seen_grad / grad - 1))
    return abs(seen - losses.mean()) > 0.03 and worst > 0.05, (
        f"mean {seen:.4f}, exactly {losses.mean():.4f}; gradient off by {worst:.1%} (rounding to bfloat16 alone: 0.4 %)")


@fact("PyTorch", "16-bit logits", "float16, 131 072 equal logits: loss inf (exactly 11.78), gradients 0 (exactly 7.6e-06)")
def _():
    losses, grad = torch_rows(np.zeros((1, 131_072), np.float16), [0])
    return losses[0] == INF and grad[0, 1] == 0, show(losses, grad[0, 1])


@fact("PyTorch", "bad target", "IndexError with its value, not its position")
def _():
    seen = error(torch_rows, np.zeros((2, 3), np.float32), [0, 7])
    return seen.startswith("IndexError") and "7" in seen and "1" not in seen, seen


@fact("PyTorch", "mean of nothing", "nan, where every row is ignored and where there is none")
def _():
    ignored, _ = torch_rows(np.zeros((2, 3), np.float32), [-100, -100], reduction="mean")
    empty, _ = torch_rows(np.zeros((0, 3), np.float32), np.zeros(0, np.int64), reduction="mean")
    return np.isnan(ignored) and np.isnan(empty), show(ignored, empty)


@fact("PyTorch", "binary", "loss 0 for logit -50 and target 0, gradient 0 for 50 and 1 (exactly 1.93e-22); nan for -inf and 0")
def _():
    losses, grad = torch_rows(np.array([-50, 50, -INF], np.float32), np.array([0, 1, 0], np.float32),
                              "binary_cross_entropy_with_logits")
    return losses[0] == 0 and grad[1] == 0 and np.isnan(losses[2]), show(losses, grad)


@fact("PyTorch", "memory", "loss and gradient: about two arrays as large as the logits, besides the gradient", when=LINUX_X86)
def _():
    arrays = child("memory", "torch")
    return arrays > 1.5, f"{arrays:.2f}"


@fact("PyTorch", "threads", "1 or 2 threads, integer targets: the same bits", when=CORES > 1)
def _():
    return same(*child("torch"), "losses", "sum", "gradient")


@fact("PyTorch", "threads", "1 or 2 threads, soft targets: the sum of losses has other bits", when=CORES > 1)
def _():
    return differ(*child("torch"), "sum, soft targets")


@fact("PyTorch", "CPU levels", "losses and gradients have other bits on AVX2 than on AVX-512, or without either", when=LINUX_X86)
def _():
    import torch
    below = "avx2" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "default"
    return differ(child("torch", ATEN_CPU_CAPABILITY=below)[0], child("torch")[0], "losses", "gradient")


# JAX and optax

@fact("JAX and optax", "options", "no weights, ignore_index, label smoothing, z-loss, scale or cap, reduction or out")
def _():
    import optax
    return lacks(optax.softmax_cross_entropy_with_integer_labels, "weight", "sample_weight", "ignore_index", "label_smoothing",
                 "z_loss", "logit_scale", "softcap", "reduction", "out")


@fact("JAX and optax", "ignored rows", "nan in a row with where=False: loss 0, gradient 0 (there is no ignore_index)")
def _():
    losses, grad = optax_rows(TWO_ROWS, np.array([0, 0]), where=np.array([True, False]))
    return losses[1] == 0 and not grad[1].any(), show(losses[1], grad[1])


@fact("JAX and optax", "mask of classes", "a target that `where` excludes gives a negative loss")
def _():
    losses, grad = optax_rows(np.array([[1, 2, 3]], np.float32), np.array([2]), where=np.array([[True, True, False]]))
    return losses[0] < 0, show(losses, grad)


@fact("JAX and optax", "0·log 0", "soft target 0 on a -inf logit: loss nan, gradient right; the safe_ variant: both right")
def _():
    losses, grad = optax_rows(EXCLUDED, MIXTURE, "softmax_cross_entropy")
    safe, _ = optax_rows(EXCLUDED, MIXTURE, "safe_softmax_cross_entropy")
    return np.isnan(losses[0]) and np.isfinite(grad).all() and np.isclose(safe[0], MIXTURE_LOSS), show(losses, grad, safe)


@fact("JAX and optax", "confident rows", "margin 50: loss 0 and target's gradient 0, exactly 1.93e-22 and its negative")
def _():
    losses, grad = optax_rows(CONFIDENT, np.array([0]))
    return losses[0] == 0 and grad[0, 0] == 0, show(losses, grad)


@fact("JAX and optax", "common offset", "float32 logits around 10 000, integer targets: losses off by 10 000 ulp and more")
def _():
    ulps, seen = around_10_000(lambda logits, targets: optax_rows(logits, targets)[0])
    return ulps > 10_000, f"{ulps:.0f} ulp, {seen}"


@fact("JAX and optax", "16-bit logits", "bfloat16, 50 257 classes: losses are bfloat16 and off by 0.04 or more, gradients by 2 %")
def _():
    import jax.numpy as jnp
    logits, targets = batch(64, 50_257, scale=1.0)
    logits = jnp.asarray(logits, jnp.bfloat16)
    losses, grad = exact(np.asarray(logits, np.float64), targets)
    seen, seen_grad = optax_rows(logits, targets)
    off, worst = np.abs(seen - losses).max(), np.max(np.abs(seen_grad / grad - 1))
    return off > 0.04 and worst > 0.02, f"{off:.3f}, {worst:.1%} (rounding to bfloat16 alone: 0.03, 0.4 %)"


@fact("JAX and optax", "16-bit logits", "float16, 131 072 equal logits: loss inf (exactly 11.78)")
def _():
    losses, _ = optax_rows(np.zeros((1, 131_072), np.float16), np.array([0]))
    return losses[0] == INF, show(losses)


@fact("JAX and optax", "bad target", "too large: loss nan, gradient finite and wrong; -1 counts from the end; no error")
def _():
    losses, grad = optax_rows(np.array([[1, 2, 3]] * 2, np.float32), np.array([3, -1]))
    return np.isnan(losses[0]) and np.isfinite(losses[1]) and np.isfinite(grad).all(), show(losses, grad)


@fact("JAX and optax", "binary", "gradients of confident rows are right; loss nan for logit -inf and target 0")
def _():
    losses, grad = optax_rows(np.array([-50, 50, -INF], np.float32), np.array([0, 1, 0], np.float32),
                              "sigmoid_binary_cross_entropy")
    return np.isclose(grad[1], -CONFIDENT_LOSS, atol=0) and np.isnan(losses[2]), show(losses, grad)


@fact("JAX and optax", "memory", "loss and gradient, jitted: no temporary array that grows with rows × classes")
def _():
    import optax
    arrays = jax_temporaries(lambda x, t: optax.softmax_cross_entropy_with_integer_labels(x, t).mean())
    return arrays < 0.1, f"{arrays:.3f}"


@fact("JAX and optax", "threads", "one core or several, 3 × 1 000 000: softmax or gradient has other bits", when=CORES > 1)
def _():
    return differ(child("jax", 1), child("jax", CORES), "softmax", "gradient", every=False)


@fact("JAX and optax", "CPU levels", "the gradient has other bits on SSE4.2 than on this machine's level", when=LINUX_X86)
def _():
    return differ(child("jax", CORES, XLA_FLAGS="--xla_cpu_max_isa=SSE4_2"), child("jax", CORES), "gradient")


@fact("JAX and optax", "CPU levels", "AVX2 and this machine's level, AVX-512 included: the same bits", when=LINUX_X86)
def _():
    return same(child("jax", CORES, XLA_FLAGS="--xla_cpu_max_isa=AVX2"), child("jax", CORES), "losses", "softmax", "gradient")


# SciPy

@fact("SciPy", "options", "log_softmax takes no mask and no out (and SciPy has no loss of logits)")
def _():
    import scipy.special
    return lacks(scipy.special.log_softmax, "where", "out")


@fact("SciPy", "confident rows", "log_softmax, margin 50: 0 in float32 and in float64")
def _():
    from scipy.special import log_softmax
    seen = [log_softmax(CONFIDENT.astype(dtype), axis=1)[0, 0] for dtype in (np.float32, np.float64)]
    return not any(seen), show(seen)


@fact("SciPy", "confident rows", "logsumexp(x - x[target]): right")
def _():
    from scipy.special import logsumexp
    seen = logsumexp(CONFIDENT - 50)
    return np.isclose(seen, CONFIDENT_LOSS, atol=0), show(seen)


@fact("SciPy", "common offset", "float32 logits around 10 000, log_softmax: losses within 100 ulp")
def _():
    from scipy.special import log_softmax
    ulps, seen = around_10_000(lambda logits, targets: -log_softmax(logits, axis=1)[np.arange(len(targets)), targets])
    return ulps < 100, f"{ulps:.1f} ulp, {seen}"


@fact("SciPy", "0·log 0", "-(t * log_softmax(x)).sum(), soft target 0 on a -inf logit: nan")
def _():
    from scipy.special import log_softmax
    seen = -(MIXTURE * log_softmax(EXCLUDED, axis=1)).sum()
    return np.isnan(seen), show(seen)


@fact("SciPy", "16-bit logits", "float16, 131 072 equal logits: log_softmax -inf (exactly -11.78), softmax 0 (exactly 7.6e-06)")
def _():
    from scipy.special import log_softmax, softmax
    logits = np.zeros((1, 131_072), np.float16)
    logarithm, probability = log_softmax(logits, axis=1)[0, 0], softmax(logits, axis=1)[0, 0]
    return logarithm == -INF and probability == 0, show(logarithm, probability)


@fact("SciPy", "memory", "log_softmax: about two arrays as large as the logits, besides its result", when=LINUX_X86)
def _():
    arrays = child("memory", "scipy")
    return arrays > 1.5, f"{arrays:.2f}"


@fact("SciPy", "CPU levels", "log_softmax has other bits without NumPy's dispatched instruction sets", when=LINUX_X86)
def _():
    return differ(child("scipy"), child("scipy", NPY_DISABLE_CPU_FEATURES=numpy_levels()), "float32", "float64", every=False)


# scikit-learn: the private loss module, and the public log_loss

@fact("scikit-learn", "NumPy arrays", "the gradient can go in place of the logits")
def _():
    logits, targets = batch(8, 10)
    expected = exact(logits, targets)[1]
    _, grad = sklearn_rows(logits, targets.astype(np.float32), gradient_out=logits)
    return grad is logits and np.allclose(grad, expected, atol=1e-6), "equal" if grad is logits else "a copy"


@fact("scikit-learn", "options", "no class weights, ignore_index, label smoothing, z-loss, scale or cap, mask or class axis")
def _():
    from sklearn._loss.loss import HalfMultinomialLoss
    return lacks(HalfMultinomialLoss.loss_gradient, "weight", "ignore_index", "label_smoothing", "z_loss", "logit_scale",
                 "softcap", "where", "axis")


@fact("scikit-learn", "Hessian", "gradient and diagonal Hessian in one call, p - t and p (1 - p)")
def _():
    from sklearn._loss.loss import HalfMultinomialLoss
    logits, targets = batch(8, 10, dtype=np.float64)
    grad, hessian = HalfMultinomialLoss(n_classes=10).gradient_hessian(targets.astype(np.float64), logits)
    probability = exact(logits, targets)[1]
    probability[np.arange(8), targets] += 1
    return np.allclose(grad, exact(logits, targets)[1]) and np.allclose(hessian, probability * (1 - probability)), "as computed"


@fact("scikit-learn", "targets", "integers, float16, and targets of another dtype than the logits' are refused")
def _():
    logits = np.zeros((2, 3), np.float32)
    seen = [error(sklearn_rows, logits, np.array([0, 1])),
            error(sklearn_rows, logits.astype(np.float16), np.zeros(2, np.float16)),
            error(sklearn_rows, logits, np.zeros(2))]
    return "no error" not in seen, show(*seen)


@fact("scikit-learn", "ignored rows", "nan in a row of zero sample_weight: loss and gradient nan")
def _():
    losses, grad = sklearn_rows(TWO_ROWS, np.zeros(2, np.float32), sample_weight=np.array([1, 0], np.float32))
    return np.isnan(losses[1]) and np.isnan(grad[1]).all(), show(losses[1], grad[1])


@fact("scikit-learn", "confident rows", "margin 50: loss 0 and target's gradient 0, in float64 too")
def _():
    losses, grad = sklearn_rows(CONFIDENT.astype(np.float64), np.zeros(1))
    return losses[0] == 0 and grad[0, 0] == 0, show(losses, grad)


@fact("scikit-learn", "common offset", "float32 logits around 10 000: losses off by 10 000 ulp and more")
def _():
    ulps, seen = around_10_000(lambda logits, targets: sklearn_rows(logits, targets.astype(np.float32))[0])
    return ulps > 10_000, f"{ulps:.0f} ulp, {seen}"


@fact("scikit-learn", "bad target", "the loss reads past the row; the gradient has no target; no error")
def _():
    memory = np.zeros((1, 8))
    memory[0, 5] = 1000                                                 # beyond the three classes, within this array
    from sklearn._loss.loss import HalfMultinomialLoss
    loss = HalfMultinomialLoss(n_classes=3)
    seen = loss.loss(np.array([5.0]), memory[:, :3])
    grad = loss.gradient(np.array([5.0]), memory[:, :3])
    return seen[0] < -900, show(seen, grad)


@fact("scikit-learn", "mean of nothing", "no rows: nan")
def _():
    from sklearn._loss.loss import HalfMultinomialLoss
    seen = HalfMultinomialLoss(n_classes=3)(np.zeros(0), np.zeros((0, 3)))
    return np.isnan(seen), show(seen)


@fact("scikit-learn", "log_loss", "p = 0 for the true class costs 36.04, in float32 15.94 (clipped); soft targets are refused")
def _():
    from sklearn.metrics import log_loss
    seen = [log_loss([0], np.array([[0, 1]], dtype), labels=[0, 1]) for dtype in (np.float64, np.float32)]
    soft = error(log_loss, np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]]))
    return np.allclose(seen, [36.04, 15.94], atol=0.01) and soft != "no error", show(seen, soft)


@fact("scikit-learn", "memory", "loss and gradient: no temporary array that grows with rows × classes", when=LINUX_X86)
def _():
    arrays = child("memory", "sklearn")
    return arrays < 0.1, f"{arrays:.2f}"


@fact("scikit-learn", "threads", "1 or 2 threads: the same bits", when=CORES > 1)
def _():
    return same(*child("sklearn"), "float32", "float64")


@fact("scikit-learn", "CPU levels", "the C library's exp decides: float64 has other bits without FMA", when=LINUX_X86)
def _():
    without = child("sklearn", GLIBC_TUNABLES="glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4")
    return differ(without[0], child("sklearn")[0], "float64")


# Keras

@fact("Keras on JAX", "options", "integer targets: no class weights, label smoothing, z-loss, scale, cap, mask of classes, out")
def _():
    import keras
    return lacks(keras.losses.SparseCategoricalCrossentropy, "class_weight", "label_smoothing", "z_loss", "logit_scale",
                 "softcap", "where", "out")


@fact("Keras on JAX", "class axis", "integer targets with axis=0: refused")
def _():
    seen = error(keras_rows, np.ones((3, 4), np.float32), np.zeros(4, np.int32), axis=0)
    return seen.startswith("ValueError"), seen


@fact("Keras on JAX", "ignored rows", "nan in a row of ignore_class: loss 0, gradient 0")
def _():
    losses, grad = keras_rows(TWO_ROWS, np.array([0, -1]), ignore_class=-1)
    return losses[1] == 0 and not grad[1].any(), show(losses[1], grad[1])


@fact("Keras on JAX", "mean of nothing", "every row ignored: 0")
def _():
    import keras
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    seen = loss(np.array([-1, -1]), np.zeros((2, 3), np.float32))
    return float(seen) == 0, show(seen)


@fact("Keras on JAX", "0·log 0", "target 0 on a -inf logit: loss nan, gradient right; so with integer targets (jitted: right)")
def _():
    soft, grad = keras_rows(EXCLUDED, MIXTURE, "categorical_crossentropy")
    integer, jitted = (keras_rows(EXCLUDED, np.array([0]), jit=jit)[0] for jit in (False, True))
    return np.isnan([soft[0], integer[0]]).all() and np.isfinite([*grad[0], jitted[0]]).all(), show(soft, grad, integer, jitted)


@fact("Keras on JAX", "confident rows", "margin 50: loss 0 and target's gradient 0")
def _():
    losses, grad = keras_rows(CONFIDENT, np.array([0]))
    return losses[0] == 0 and grad[0, 0] == 0, show(losses, grad)


@fact("Keras on JAX", "common offset", "float32 logits around 10 000: losses within 100 ulp")
def _():
    ulps, seen = around_10_000(lambda logits, targets: keras_rows(logits, targets)[0])
    return ulps < 100, f"{ulps:.1f} ulp, {seen}"


@fact("Keras on JAX", "16-bit logits", "float16, 131 072 equal logits: the function gives nan, the Loss class, by casting, 11.78")
def _():
    import keras
    logits, targets = np.zeros((1, 131_072), np.float16), np.array([0])
    function, _ = keras_rows(logits, targets)
    loss = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(targets, logits))
    return np.isnan(function[0]) and np.isclose(loss, np.log(131_072)), show(function, loss)


@fact("Keras on JAX", "bad target", "loss 0, no error")
def _():
    losses, _ = keras_rows(np.array([[1, 2, 3]] * 2, np.float32), np.array([3, -1]))
    return not losses.any(), show(losses)


@fact("Keras on JAX", "memory", "loss and gradient, jitted: about two arrays as large as the logits, besides the gradient")
def _():
    import keras
    arrays = jax_temporaries(lambda x, t: keras.losses.sparse_categorical_crossentropy(t, x, from_logits=True).mean())
    return arrays > 1.5, f"{arrays:.3f}"


# Numba

@fact("Numba", "bad target", "a loop of one's own reads past the row, unless compiled with boundscheck=True")
def _():
    import numba
    memory = np.zeros((1, 8))
    memory[0, 5] = 1000
    compiled = [numba.njit(boundscheck=check)(own_loss) for check in (False, True)]
    seen, checked = compiled[0](memory[:, :3], np.array([5])), error(compiled[1], memory[:, :3], np.array([5]))
    return seen < -900 and checked.startswith("IndexError"), show(seen, checked)


@fact("Numba", "16-bit logits", "float16 arrays are refused on CPU")
def _():
    import numba
    compiled = numba.njit(own_loss)
    seen = error(compiled, np.zeros((1, 3), np.float16), np.array([0]))
    return seen != "no error", seen


@fact("Numba", "CPU levels", "a loop of one's own with fastmath=True has other bits on the baseline than on AVX2", when=LINUX_X86)
def _():
    low, high = (child("numba", NUMBA_CPU_NAME=name, NUMBA_CPU_FEATURES="") for name in ("x86-64", "x86-64-v3"))
    return differ(low, high, "loss")


def own_loss(logits, targets):
    total = 0.0
    for row in range(len(targets)):
        top = logits[row].max()
        terms = top - top
        for logit in logits[row]:
            terms += np.exp(logit - top)
        total += np.log(terms) + top - logits[row, targets[row]]
    return total


# xentfast: what the same cases give here

def own_rows(logits, targets, **options):
    import xentfast
    losses = xentfast.softmax_cross_entropy(logits, targets, reduction="none", **options)
    return losses, xentfast.softmax_cross_entropy_grad(logits, targets, reduction="sum", **options)


@fact("xentfast", "ignored rows", "nan in an ignored row, or one of zero sample_weight: loss 0, gradient 0")
def _():
    ignored = own_rows(TWO_ROWS, np.array([0, -100]))
    weightless = own_rows(TWO_ROWS, np.array([0, 0]), sample_weight=np.array([1.0, 0.0]))
    return not any(values[1].any() for values in (*ignored, *weightless)), show(ignored[0], ignored[1][1], weightless[1][1])


@fact("xentfast", "0·log 0", "soft target 0 on a -inf logit: loss and gradient right")
def _():
    losses, grad = own_rows(EXCLUDED, MIXTURE)
    return np.isclose(losses[0], MIXTURE_LOSS) and np.isfinite(grad).all(), show(losses, grad)


@fact("xentfast", "confident rows", "margin 50: loss 1.93e-22, and the target's gradient its negative")
def _():
    losses, grad = own_rows(CONFIDENT, np.array([0]))
    return np.allclose([losses[0], -grad[0, 0]], CONFIDENT_LOSS, atol=0), show(losses, grad)


@fact("xentfast", "common offset", "float32 logits around 10 000: losses within 2 ulp")
def _():
    ulps, seen = around_10_000(lambda logits, targets: own_rows(logits, targets)[0])
    return ulps <= 2, f"{ulps:.2f} ulp, {seen}"


@fact("xentfast", "bad target", "IndexError with its position, its value and the number of classes")
def _():
    seen = error(own_rows, np.zeros((2, 3), np.float32), np.array([0, 7]))
    return seen.startswith("IndexError") and "[1]" in seen and "7" in seen and "3" in seen, seen


@fact("xentfast", "mean of nothing", "what `empty` says")
def _():
    import xentfast
    seen = xentfast.softmax_cross_entropy(np.zeros((2, 3), np.float32), np.array([-100, -100]), empty=0.0)
    return seen == 0, show(seen)


@fact("xentfast", "memory", "loss and gradient in place: no array", when=LINUX_X86)
def _():
    arrays = child("memory", "xentfast")
    return arrays < 0.1, f"{arrays:.2f}"


@fact("xentfast", "threads", "1 or 2 threads: the same bits", when=CORES > 1)
def _():
    return same(*child("xentfast"), "losses", "sum", "gradient", "sum, soft targets")


@fact("xentfast", "CPU levels", "baseline and the machine's highest: the same bits")
def _():
    baseline = child("xentfast", XENTFAST_CPU="baseline")
    return same(baseline[0], child("xentfast")[0], "losses", "sum", "gradient", "sum, soft targets")


# Children: a task in a process of its own, with its own environment

CHILDREN = {}


def child(task, *arguments, **environment):
    """What TASKS[task](*arguments) returns in a fresh process with these environment variables."""
    key = json.dumps([task, arguments, sorted(environment.items())])
    if key not in CHILDREN:
        command = [sys.executable, os.path.abspath(__file__), "--child", task, *map(str, arguments)]
        run = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)
        if run.returncode:
            raise RuntimeError(f"{task} {arguments}: {run.stderr.strip().splitlines()[-1:]}")
        CHILDREN[key] = json.loads(run.stdout.splitlines()[-1])
    return CHILDREN[key]


def same(one, other, *names):
    return all(one[name] == other[name] for name in names), ", ".join(
        f"{name} {one[name]}{' = ' if one[name] == other[name] else ' ≠ '}{other[name]}" for name in names)


def differ(one, other, *names, every=True):
    different = [one[name] != other[name] for name in names]
    return (all if every else any)(different), same(one, other, *names)[1]


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()[:8]


def numpy_levels():
    """The instruction sets that NumPy found and would use beyond its baseline."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    return " ".join(name for name in __cpu_dispatch__ if __cpu_features__.get(name))


def torch_bits():
    import torch
    logits, targets = batch(1024, 1000)
    soft = soft_targets(logits)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        losses, grad = torch_rows(logits, targets)
        total, soft_total = (torch_rows(logits, t, reduction="sum")[0] for t in (targets, soft))
        yield {"losses": digest(losses), "gradient": digest(grad), "sum": digest(total), "sum, soft targets": digest(soft_total)}


def jax_bits(cores):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(cores)])      # before XLA counts them
    import jax
    logits, targets = batch(3, 1_000_000)
    losses, grad = optax_rows(logits, targets)
    return {"losses": digest(losses), "gradient": digest(grad), "softmax": digest(jax.jit(jax.nn.softmax)(logits))}


def scipy_bits():
    from scipy.special import log_softmax
    return {dtype: digest(log_softmax(batch(64, 1000, dtype=dtype)[0], axis=1)) for dtype in ("float32", "float64")}


def sklearn_bits():
    for threads in (1, 2):
        seen = {}
        for dtype in ("float32", "float64"):
            logits, targets = batch(64, 1000, dtype=dtype)
            seen[dtype] = digest(np.column_stack(sklearn_rows(logits, targets.astype(dtype), n_threads=threads)))
        yield seen


def numba_bits():
    import numba
    return {"loss": digest(numba.njit(fastmath=True)(own_loss)(*batch(256, 1000)))}


def xentfast_bits():
    import xentfast
    logits, targets = batch(1024, 1000)
    soft = soft_targets(logits)
    for threads in (1, 2):
        losses, grad = own_rows(logits, targets, n_threads=threads)
        total, soft_total = (xentfast.softmax_cross_entropy(logits, t, reduction="sum", n_threads=threads)
                             for t in (targets, soft))
        yield {"losses": digest(losses), "gradient": digest(grad), "sum": digest(total), "sum, soft targets": digest(soft_total)}


def soft_targets(logits):
    terms = np.exp(logits[:, ::-1] - logits.max())
    return terms / terms.sum(axis=1, keepdims=True)


ROWS, CLASSES = 2048, 4000


def memory(peer):
    """Peak of a call beyond its inputs and its gradient (SciPy: its result), in arrays as large as the logits."""
    logits, targets = batch(ROWS, CLASSES)
    call, outputs = {"torch": (torch_call, 1), "scipy": (scipy_call, 1), "sklearn": (sklearn_call, 1),
                     "xentfast": (xentfast_call, 0)}[peer]
    call(logits[:8].copy(), targets[:8])
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")                                                 # the peak starts anew
    before = status("VmRSS")
    result = call(logits, targets)
    peak = status("VmHWM") - before
    del result
    return peak / logits.nbytes - outputs


def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def torch_call(logits, targets):
    import torch
    torch.set_num_threads(1)
    x = torch.from_numpy(logits).requires_grad_()
    torch.nn.functional.cross_entropy(x, torch.from_numpy(targets)).backward()
    return x.grad


def scipy_call(logits, targets):
    from scipy.special import log_softmax
    return log_softmax(logits, axis=1)


def sklearn_call(logits, targets):
    return sklearn_rows(logits, targets.astype(np.float32))


def xentfast_call(logits, targets):
    import xentfast
    return xentfast.softmax_cross_entropy_value_and_grad(logits, targets, out=logits, n_threads=1)


def jax_temporaries(loss):
    """What the compiled loss and gradient allocate beyond inputs and outputs, in arrays as large as the logits."""
    import jax
    shapes = jax.ShapeDtypeStruct((ROWS, CLASSES), np.float32), jax.ShapeDtypeStruct((ROWS,), np.int32)
    compiled = jax.jit(jax.value_and_grad(loss)).lower(*shapes).compile()
    return compiled.memory_analysis().temp_size_in_bytes / (4 * ROWS * CLASSES)


TASKS = {"torch": torch_bits, "jax": jax_bits, "scipy": scipy_bits, "sklearn": sklearn_bits, "numba": numba_bits,
         "xentfast": xentfast_bits, "memory": memory}


def main(wanted):
    changed = 0
    for peer in wanted or PEERS:
        try:
            for name in PEERS[peer]:
                import_module(name)
        except ImportError as problem:
            print(f"{peer}: left out ({problem})\n")
            continue
        packages = dict.fromkeys(name.partition(".")[0] for name in PEERS[peer])
        print(f"{peer} ({', '.join(f'{name} {sys.modules[name].__version__}' for name in packages)})")
        for row, claim, check in FACTS[peer]:
            holds, seen = check()
            changed += not holds
            print(f"  {'holds  ' if holds else 'CHANGED'}  {row + ':':16} {claim}\n{'':28}→ {seen}")
        print()
    return 1 if changed else 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if sys.argv[1:2] == ["--child"]:
        result = TASKS[sys.argv[2]](*sys.argv[3:])
        print(json.dumps(list(result) if isgenerator(result) else result))
    else:
        sys.exit(main(sys.argv[1:]))
