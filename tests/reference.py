"""NumPy twins: each function of the package in about ten lines, by the formula and nothing else."""

import numpy as np


def softmax(x, axis=-1, dtype=np.float64):
    x = np.asarray(x, dtype)
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def logsumexp(x, axis=-1, dtype=np.float64, keepdims=False):
    x = np.asarray(x, dtype)
    top = x.max(axis, keepdims=True)
    value = np.log(np.exp(x - top).sum(axis, keepdims=True)) + top
    return value if keepdims else value.squeeze(axis)


def log_softmax(x, axis=-1, dtype=np.float64):
    return np.asarray(x, dtype) - logsumexp(x, axis, dtype, keepdims=True)


def soft_targets(shape, targets, axis=-1, dtype=np.float64):
    """Integer targets as one-hot rows; rows with a negative target as zeros. Soft targets as they are."""
    targets = np.asarray(targets)
    if targets.dtype.kind == "f":
        return targets.astype(dtype)
    hot = np.arange(shape[axis]) == np.expand_dims(targets, -1)
    return np.moveaxis(hot, -1, axis).astype(dtype)


def cross_entropy(logits, targets, *, axis=-1, weight=None, sample_weight=None, label_smoothing=0.0,
                  reduction="mean", ignore_index=-100, dtype=np.float64):
    """(loss, gradient) for finite logits."""
    logits = np.asarray(logits, dtype)
    n_classes = logits.shape[axis]
    t = soft_targets(logits.shape, targets, axis, dtype)
    kept = np.ones(t.sum(axis).shape, dtype) if sample_weight is None else np.array(sample_weight, dtype)
    if np.asarray(targets).dtype.kind != "f":
        kept = np.where(np.asarray(targets) == ignore_index, 0, kept)
    w = np.ones(n_classes, dtype) if weight is None else np.asarray(weight, dtype)
    w = w.reshape([-1 if i == axis % logits.ndim else 1 for i in range(logits.ndim)])
    mass = w * ((1 - dtype(label_smoothing)) * t + dtype(label_smoothing) / n_classes)
    losses = kept * -(mass * log_softmax(logits, axis, dtype)).sum(axis)
    grad = np.expand_dims(kept, axis) * (softmax(logits, axis, dtype) * mass.sum(axis, keepdims=True) - mass)
    hard = np.asarray(targets).dtype.kind != "f"
    total = (kept * ((w * t).sum(axis) if hard or weight is not None else 1)).sum()
    if reduction == "none":
        return losses, grad
    return (losses.sum(), grad) if reduction == "sum" else (losses.sum() / total, grad / total)


def terms(p, q, log, eps=None, dtype=np.float64):
    """p·log(…) with 0·log 0 = 0; `log` gets p and the clipped q."""
    p, q = np.broadcast_arrays(np.asarray(p, dtype), np.asarray(q, dtype))
    q = q if eps is None else np.clip(q, eps, 1 - eps)
    with np.errstate(all="ignore"):
        return np.where(p == 0, 0, p * log(p, q))


def probability_cross_entropy(p, q, axis=-1, eps=None, dtype=np.float64, keepdims=False):
    return terms(p, q, lambda p, q: -np.log(q), eps, dtype).sum(axis, keepdims=keepdims)


def entropy(p, axis=-1, dtype=np.float64, keepdims=False):
    return probability_cross_entropy(p, p, axis, None, dtype, keepdims)


def kl_divergence(p, q, axis=-1, eps=None, dtype=np.float64, keepdims=False):
    return terms(p, q, lambda p, q: np.log(p / q), eps, dtype).sum(axis, keepdims=keepdims)


def cross_entropy_grad(p, q, eps=None, dtype=np.float64):
    p, q = np.broadcast_arrays(np.asarray(p, dtype), np.asarray(q, dtype))
    with np.errstate(all="ignore"):
        grad = np.where(p == 0, 0, -p / q)
    return grad if eps is None else np.where((q < eps) | (q > 1 - eps), 0, grad)


def log_loss(y_true, y_pred, sample_weight=None, normalize=True):
    """Labels of any kind, all of which occur."""
    q = np.asarray(y_pred)
    eps = np.finfo(q.dtype).eps
    q = np.clip(q.astype(np.float64), eps, 1 - eps)
    losses = -np.log(q[np.arange(len(q)), np.unique(y_true, return_inverse=True)[1]])
    weights = np.ones(len(q)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    return (losses * weights).sum() / (weights.sum() if normalize else 1)
