"""What options, 16 bits and the other losses cost, beside plain float32, the memory's own speed, and the peers:

    python asv_benchmarks/comparisons/compare_losses.py [options] [sixteen] [sigmoid] [log_loss]

Medians of interleaved calls of one run, in ns per logit, with all threads that OpenMP gives: compare ratios, not runs. PyTorch
and scikit-learn are timed where they are installed.
"""

import sys
import time

import numpy as np

import xentfast as xf

ROWS, CLASSES = 1024, 32_000
ELEMENTS = 2**24
SAMPLES, LABELS = 10**6, 100


def medians(calls, repeats=15, before=None):
    """Seconds of each call; they take turns, so that all of them meet the same machine. The first two rounds warm up."""
    seconds = {name: [] for name in calls}
    for _ in range(repeats + 2):
        for name, call in calls.items():
            if before is not None:
                before(name)
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times[2:])) for name, times in seconds.items()}


def report(title, seconds, count, base):
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"    {name:44s} {value / count * 1e9:9.3f} ns {value / seconds[base]:9.2f} x {base}")


def torch_module():
    try:
        import torch
    except ImportError:
        return None
    return torch


def dtypes():
    """The float dtypes by name; bfloat16 where ml_dtypes is installed."""
    found = {"float32": np.dtype(np.float32), "float16": np.dtype(np.float16)}
    try:
        import ml_dtypes
    except ImportError:
        return found
    return found | {"bfloat16": np.dtype(ml_dtypes.bfloat16)}


def wide_problem():
    rng = np.random.default_rng(0)
    return rng.standard_normal((ROWS, CLASSES), dtype=np.float32) * 3, rng.integers(0, CLASSES // 2, ROWS), rng


def options():
    x, t, rng = wide_problem()
    work = x.copy()
    mask = rng.random(x.shape, dtype=np.float32) < 0.9
    mask[np.arange(ROWS), t] = True
    given = {"plain": {}, "z_loss": {"z_loss": 1e-4}, "logit_scale": {"logit_scale": 0.7}, "softcap": {"softcap": 30.0},
             "where (classes)": {"where": np.arange(CLASSES) < CLASSES - 100}, "where (rows × classes)": {"where": mask},
             "weight": {"weight": rng.random(CLASSES)}, "sample_weight": {"sample_weight": rng.random(ROWS)},
             "label_smoothing": {"label_smoothing": 0.1}}
    calls = {name: lambda o=o: xf.softmax_cross_entropy_value_and_grad(work, t, out=work, **o) for name, o in given.items()}
    seconds = medians(calls, before=lambda name: np.copyto(work, x))
    report(f"{ROWS} × {CLASSES} float32, loss + gradient in place", seconds, x.size, "plain")


def sixteen():
    x, t, _ = wide_problem()
    source = {name: x.astype(dtype) for name, dtype in dtypes().items()}
    work = {name: array.copy() for name, array in source.items()}
    calls = {name: lambda a=array: xf.softmax_cross_entropy_value_and_grad(a, t, out=a) for name, array in work.items()}
    torch = torch_module()
    if torch is not None:
        logits = torch.from_numpy(x).to(torch.bfloat16).requires_grad_()
        classes = torch.from_numpy(t)

        def both():
            logits.grad = None
            torch.nn.functional.cross_entropy(logits, classes).backward()

        calls["PyTorch bfloat16"] = both
    seconds = medians(calls, before=lambda name: np.copyto(work[name], source[name]) if name in work else None)
    report(f"{ROWS} × {CLASSES}, loss + gradient in place", seconds, x.size, "float32")


def sigmoid():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(ELEMENTS, dtype=np.float32) * 3
    hits = rng.random(ELEMENTS) < 0.5
    t = hits.astype(np.float32)
    out = np.zeros_like(x)
    calls = {"copy of the logits": lambda: np.copyto(out, x),
             "float32 targets": lambda: xf.sigmoid_cross_entropy_value_and_grad(x, t, out=out),
             "bool targets": lambda: xf.sigmoid_cross_entropy_value_and_grad(x, hits, out=out)}
    torch = torch_module()
    if torch is not None:
        logits, targets = torch.from_numpy(x).requires_grad_(), torch.from_numpy(t)

        def both():
            logits.grad = None
            torch.nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()

        calls["PyTorch"] = both
    report(f"{ELEMENTS} float32 logits, sigmoid loss + gradient (NumPy copies on one thread)", medians(calls), ELEMENTS,
           "float32 targets")


def log_loss():
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        p = rng.random((SAMPLES, LABELS)).astype(dtype)
        p /= p.sum(1, keepdims=True)
        y = rng.integers(0, LABELS, SAMPLES)
        calls = {"xentfast": lambda y=y, p=p: xf.log_loss(y, p)}
        try:
            from sklearn.metrics import log_loss as theirs
        except ImportError:
            pass
        else:
            calls["scikit-learn"] = lambda y=y, p=p: theirs(y, p)
        report(f"log_loss, {SAMPLES} × {LABELS} {np.dtype(dtype).name}, per probability", medians(calls, 3), p.size, "xentfast")


if __name__ == "__main__":
    every = {f.__name__: f for f in (options, sixteen, sigmoid, log_loss)}
    unknown = set(sys.argv[1:]) - every.keys()
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: expected some of {', '.join(every)}")
    for name in sys.argv[1:] or every:
        every[name]()
