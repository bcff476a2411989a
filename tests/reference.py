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


def sigmoid_cross_entropy(logits, targets, *, pos_weight=1.0, sample_weight=1.0, label_smoothing=0.0, focal_gamma=0.0,
                          reduction="mean", dtype=np.float64):
    """(loss, gradient, Hessian's diagonal) for finite logits."""
    x, w = np.asarray(logits, dtype), np.broadcast_to(np.asarray(sample_weight, dtype), np.shape(logits))
    t = np.asarray(targets, dtype) * (1 - dtype(label_smoothing)) + dtype(label_smoothing) / 2
    a, b, d = np.asarray(pos_weight, dtype) * t, 1 - t, 1 - 2 * t
    p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    loss, slope, m = a * np.logaddexp(0, -x) + b * np.logaddexp(0, x), b * p - a * q, t * q + b * p
    factor, r = w * m ** dtype(focal_gamma), focal_gamma * d * p * q / m
    curve = (a + b) * p * q + 2 * slope * r + loss * r * (r - d * p * q / m + q - p)
    losses, grad, hess = factor * loss, factor * (slope + loss * r), factor * curve
    if reduction == "none":
        return losses, grad, hess
    total = w.sum() if reduction == "mean" else 1
    return losses.sum() / total, grad / total, hess / total
