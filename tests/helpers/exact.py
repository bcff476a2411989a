"""Exact results in long double, without cancellation, on data that hurts others; and what a result may differ from them."""

import ml_dtypes
import numpy as np
from reference import softmax
from tolerances import NEIGHBOURS, ulp

CASES = ["random target", "largest target", "confident", "hopeless", "offset 1e4", "offset 1e8", "two classes",
         "few classes", "wide", "wide and confident", "one ahead", "equal"]


def logits_of(case, dtype, n_rows=64):
    """The hurtful cases: (logits, targets)."""
    rng = np.random.default_rng(11)
    spread, n_classes, offset, target = {
        "random target": (3, 1000, 0, "random"), "largest target": (3, 1000, 0, "largest"),
        "confident": (50, 1000, 0, "largest"), "hopeless": (50, 1000, 0, "smallest"),
        "offset 1e4": (3, 1000, 1e4, "largest"), "offset 1e8": (3, 1000, 1e8, "largest"),
        "two classes": (20, 2, 0, "largest"), "few classes": (5, 10, 0, "random"), "wide": (3, 50_257, 0, "random"),
        "wide and confident": (12, 50_257, 0, "largest"), "one ahead": (0.01, 1000, 0, "ahead"), "equal": (0, 4096, 0, "random"),
    }[case]
    x = (rng.standard_normal((n_rows if n_classes < 10_000 else 8, n_classes)) * spread + offset).astype(dtype)
    t = rng.integers(0, n_classes, len(x))
    if target == "ahead":
        x[np.arange(len(x)), t] += np.linspace(5, 95, len(x)).astype(dtype)
    return x, {"largest": x.argmax(1), "smallest": x.argmin(1)}.get(target, t)


def exact_loss(x, targets):
    """lse − x_t without cancellation, in long double: by log1p where the target is the largest."""
    x = x.astype(np.longdouble)
    rows = np.arange(len(x))
    others = x - x[rows, targets][:, None]
    others[rows, targets] = -np.inf
    top = np.maximum(others.max(1), 0)
    total = np.exp(others - top[:, None]).sum(1)
    return np.where(top > 0, top + np.log(total + np.exp(-top)), np.log1p(total))


def exact_shifted(x):
    """(x − max, log Σ e^{x − max}), the maximum left out of the sum and added by log1p."""
    shifted = x.astype(np.longdouble) - x.max(1, keepdims=True).astype(np.longdouble)
    others = np.exp(shifted)
    others[np.arange(len(x)), x.argmax(1)] = 0
    return shifted, np.log1p(others.sum(1, keepdims=True))


def exact_grad(x, targets):
    x = x.astype(np.longdouble)
    rows = np.arange(len(x))
    p = softmax(x, dtype=np.longdouble)
    rest = p.copy()
    rest[rows, targets] = 0
    p[rows, targets] = -rest.sum(1)
    return p


def flushed(exact, dtype):
    """A result below the smallest normal number is exactly 0."""
    return np.where(np.abs(exact) < np.finfo(dtype).tiny, 0, exact)


def check_flushed(got, exact, bound, dtype):
    """`got` is within `bound` ulp; near the smallest normal number it is that or 0."""
    at_the_edge = np.abs(np.abs(exact) / np.finfo(dtype).tiny - 1) < 1e-3
    exact = flushed(exact, dtype)
    assert np.all(at_the_edge | (np.abs(got - exact) <= bound * ulp(exact, dtype)))
    assert not np.any((got != 0) & (np.abs(got) < np.finfo(dtype).tiny))


def rounded(exact, dtype):
    """To nearest, ties to even, in one step from long double; below float32's normal numbers, 0."""
    exact = np.where(np.abs(exact) < np.finfo(np.float32).tiny, 0, exact)
    info = ml_dtypes.finfo(dtype)
    spacing = np.ldexp(np.longdouble(1), np.maximum(np.frexp(exact)[1] - 1, info.minexp) - info.nmant)
    with np.errstate(over="ignore"):
        return (np.rint(exact / spacing) * spacing).astype(np.float64).astype(dtype)


def ordered(values):
    """Integers that count the numbers of a 16-bit dtype in order; −0 and 0 are one."""
    bits = np.ascontiguousarray(values).view(np.int16).astype(int)
    return np.where(bits < 0, -(bits & 0x7fff), bits)


def check_rounded(got, exact, seldom=True):
    """The exact value rounded, or its neighbour, seldom."""
    steps = np.abs(ordered(got) - ordered(rounded(exact, got.dtype)))
    assert steps.max() <= 1 and (not seldom or np.count_nonzero(steps) <= max(1, NEIGHBOURS * steps.size))
