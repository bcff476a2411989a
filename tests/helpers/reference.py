"""NumPy twins: each function of the package in about ten lines, by the formula and nothing else."""

import numpy as np


def softmax(x, axis=-1, dtype=np.float64, where=True):
    x = np.where(where, np.asarray(x, dtype), -np.inf)
    with np.errstate(invalid="ignore"):                     # nothing finite
        e = np.exp(x - x.max(axis, keepdims=True))
        return np.where(where, e / e.sum(axis, keepdims=True), 0)


def logsumexp(x, axis=-1, dtype=np.float64, keepdims=False, where=True, b=1):
    """b·eˣ is 0 where b is, whatever x is."""
    b = np.where(where, np.asarray(b, dtype), 0)
    x = np.where(b == 0, -np.inf, np.asarray(x, dtype))
    top = x.max(axis, keepdims=True)
    top[np.isinf(top)] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.log((b * np.exp(x - top)).sum(axis, keepdims=True)) + top
    return value if keepdims else value.squeeze(axis)


def log_softmax(x, axis=-1, dtype=np.float64, where=True):
    y = np.where(where, np.asarray(x, dtype), 0) - logsumexp(x, axis, dtype, keepdims=True, where=where)
    return np.where(where, y, -np.inf)


def soft_targets(shape, targets, axis=-1, dtype=np.float64):
    """Integer targets as one-hot rows; rows with a negative target as zeros. Soft targets as they are."""
    targets = np.asarray(targets)
    if targets.dtype.kind not in "iu":
        return targets.astype(dtype)
    hot = np.arange(shape[axis]) == np.expand_dims(targets, -1)
    return np.moveaxis(hot, -1, axis).astype(dtype)


def shaped(logits, logit_scale=1.0, softcap=None, where=None, dtype=np.float64):
    """(logits as the softmax takes them, their derivatives); −inf is excluded whatever comes of it, and not capped."""
    x = np.asarray(logits, dtype)
    open_ = np.broadcast_to(True if where is None else where, x.shape)
    excluded = np.isneginf(x) | ~open_
    y = logit_scale * np.where(excluded, 0, x)
    slope = np.where(open_, dtype(logit_scale), 0)
    if softcap is not None:
        with np.errstate(over="ignore"):
            y, slope = softcap * np.tanh(y / softcap), slope / np.cosh(y / softcap) ** 2
    return np.where(excluded, -np.inf, y), slope


def cross_entropy(logits, targets, *, axis=-1, weight=None, sample_weight=None, label_smoothing=0.0, focal_gamma=0.0, z_loss=0.0,
                  logit_scale=1.0, softcap=None, where=None, reduction="mean", ignore_index=-100, dtype=np.float64):
    """(loss, gradient); logits are finite or −inf."""
    y, slope = shaped(logits, logit_scale, softcap, where, dtype)
    t = soft_targets(y.shape, targets, axis, dtype)
    hard = np.asarray(targets).dtype.kind in "iu"
    kept = np.ones(t.sum(axis).shape, dtype) if sample_weight is None else np.array(sample_weight, dtype)
    kept = np.where(np.asarray(targets) == ignore_index, 0, kept) if hard else kept
    w = np.ones(y.shape[axis], dtype) if weight is None else np.asarray(weight, dtype)
    w = w.reshape([-1 if i == axis % y.ndim else 1 for i in range(y.ndim)])
    open_ = np.broadcast_to(True if where is None else where, y.shape)
    spread = dtype(label_smoothing) * open_ / open_.sum(axis, keepdims=True)
    mass = w * ((1 - dtype(label_smoothing)) * t + spread)
    lse, p = logsumexp(y, axis, dtype, keepdims=True), softmax(y, axis, dtype)
    with np.errstate(invalid="ignore"):
        terms = np.where(mass == 0, 0, mass * (lse - y))
    factor, slant = focal(p, t, focal_gamma, axis) if focal_gamma else (1, 1)
    losses = kept * (factor * terms.sum(axis) + z_loss * lse.squeeze(axis) ** 2)
    mass = np.expand_dims(slant, axis) * mass if focal_gamma else mass
    grad = np.expand_dims(kept, axis) * (p * (mass.sum(axis, keepdims=True) + 2 * z_loss * lse) - mass) * slope
    total = (kept * ((w * t).sum(axis) if hard or weight is not None else 1)).sum()
    if reduction == "none":
        return losses, grad
    return (losses.sum(), grad) if reduction == "sum" else (losses.sum() / total, grad / total)


def focal(p, t, gamma, axis):
    """(the factor of a row's loss, that of its gradient) for probabilities and one-hot targets."""
    own, others = (p * t).sum(axis), np.where(t.sum(axis) > 0, (p * (1 - t)).sum(axis), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = -np.where(others < 0.5, np.log1p(-others), np.log(own))
        slope = gamma * others ** (gamma - 1) * np.where(own > 0, own * loss, 0)
    return others**gamma, others**gamma + np.where(others > 0, slope, 0)


def softmax_hessian(logits, targets, focal_gamma=0.0, dtype=np.float64):
    """(the diagonal, the sum of its terms' sizes) for rows of finite logits and integer targets."""
    p, t, gamma = softmax(logits, -1, dtype), soft_targets(np.shape(logits), targets, -1, dtype), dtype(focal_gamma)
    own, q = (p * t).sum(-1, keepdims=True), (p * (1 - t)).sum(-1, keepdims=True)
    others = np.stack([np.delete(p, cls, -1).sum(-1) for cls in range(p.shape[-1])], -1)
    loss = -np.where(q < 0.5, np.log1p(-q), np.log(own))
    main = (q**gamma + gamma * q ** (gamma - 1) * own * loss) * p * others
    bend = gamma * q ** (gamma - 1) * own * np.where(t == 1, q, p) ** 2
    middle = own / q * loss
    return main + bend * (2 - loss + (gamma - 1) * middle), main + bend * (2 + loss + abs(gamma - 1) * middle)


def linear_cross_entropy(hidden, linear_weight, targets, *, bias=None, dtype=np.float64, **options):
    """(loss, (d_hidden, d_linear_weight, d_bias)) by explicit logits."""
    h, w = np.asarray(hidden, dtype), np.asarray(linear_weight, dtype)
    loss, grad = cross_entropy(h @ w.T + (0 if bias is None else np.asarray(bias, dtype)), targets, dtype=dtype, **options)
    rows, grads = h.reshape(-1, h.shape[-1]) if h.size else np.zeros((grad.size // len(w), h.shape[-1])), grad.reshape(-1, len(w))
    return loss, (grad @ w, grads.T @ rows, None if bias is None else grads.sum(0))


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


def sigmoid_cross_entropy(logits, targets, *, pos_weight=1.0, sample_weight=1.0, ignore_index=None, label_smoothing=0.0,
                          focal_gamma=0.0, where=True, reduction="mean", dtype=np.float64):
    """(loss, gradient, Hessian's diagonal) for finite logits of what is read."""
    read = np.broadcast_to(where, np.shape(logits)) & (np.asarray(targets) != ignore_index)
    x, w, t = (np.where(read, np.asarray(array, dtype), 0) for array in (logits, sample_weight, targets))
    t, rest = (part * (1 - dtype(label_smoothing)) + dtype(label_smoothing) / 2 for part in (t, 1 - t))
    a, b, d = np.asarray(pos_weight, dtype) * t, rest, rest - t
    p, q = 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(x))
    loss, slope, m = a * np.logaddexp(0, -x) + b * np.logaddexp(0, x), b * p - a * q, t * q + b * p
    factor, r = w * m ** dtype(focal_gamma), focal_gamma * d * p * q / m
    curve = (a + b) * p * q + 2 * slope * r + loss * r * (r - d * p * q / m + q - p)
    losses, grad, hess = factor * loss, factor * (slope + loss * r), factor * curve
    if reduction == "none":
        return losses, grad, hess
    total = w.sum() if reduction == "mean" else 1
    return losses.sum() / total, grad / total, hess / total
