"""What an objective costs in a round of boosting, beside the same in NumPy, written by hand:

    python asv_benchmarks/comparisons/compare_boosting.py [--threads N] [--quick]

Milliseconds of calls that take turns, least and median, over margins as each library passes them: rows of float32 (XGBoost),
columns of float64 (LightGBM). Compare ratios, not runs. Neither library is needed. --quick: tiny shapes, no times to speak of;
either way it fails where NumPy's result is not ours.
"""

import argparse
import sys
import time

import numpy as np

from xentfast.boosting import SigmoidObjective, SoftmaxObjective

SHAPES = [(100_000, 10), (1_000_000, 2), (20_000, 100)]
ROWS = 1_000_000
# Of float32 results, by formulas that are not as careful as ours where p is near 1.
AGREEMENT = {"rtol": 1e-3, "atol": 1e-6}


def softmax_by_numpy(labels, margins, factor, floor):
    classes, rows = labels.astype(np.int64), np.arange(len(labels))
    grad = margins - margins.max(axis=1, keepdims=True)
    np.exp(grad, out=grad)
    grad /= grad.sum(axis=1, keepdims=True)
    hess = np.maximum(factor * grad * (1 - grad), floor)
    grad[rows, classes] -= 1
    return grad, hess


def sigmoid_by_numpy(labels, margins):
    p = 1 / (1 + np.exp(-margins))
    return p - labels, p * (1 - p)


def cases(quick, n_threads):
    """(name, our objective, NumPy's function, labels and margins, NumPy's further arguments)."""
    rng = np.random.default_rng(0)
    for library, dtype, order in (("xgboost", np.float32, "C"), ("lightgbm", np.float64, "F")):
        for n_rows, n_classes in [(60, 10)] if quick else SHAPES:
            margins = np.asarray(rng.standard_normal((n_rows, n_classes)) * 2, dtype, order=order)
            labels = rng.integers(0, n_classes, n_rows).astype(np.float32)
            factor, floor = (2, 1e-16) if library == "xgboost" else (n_classes / (n_classes - 1), 0)
            ours = SoftmaxObjective(library, n_threads=n_threads)
            yield f"softmax, {library}, {n_rows} × {n_classes}", ours, softmax_by_numpy, (labels, margins), (factor, floor)
        n_rows = 60 if quick else ROWS
        margins, labels = (rng.standard_normal(n_rows) * 2).astype(dtype), rng.integers(0, 2, n_rows).astype(np.float32)
        ours = SigmoidObjective(n_threads=n_threads)
        yield f"sigmoid, {library}, {n_rows}", ours, sigmoid_by_numpy, (labels, margins), ()


def milliseconds(calls, repeats):
    """{name: of each call}; they take turns, so that all of them meet the same machine. The first two rounds warm up."""
    found = {name: [] for name in calls}
    for _ in range(repeats + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            found[name].append(1e3 * (time.perf_counter() - start))
    return {name: values[2:] for name, values in found.items()}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="of xentfast; all by default. NumPy's formulas have one")
    parser.add_argument("--quick", action="store_true")
    parsed = parser.parse_args(arguments)
    wrong = 0
    print(f"{'':36s}{'xentfast':>20s}{'NumPy':>20s}{'ratio':>14s}")
    for name, ours, by_numpy, data, more in cases(parsed.quick, parsed.threads):
        if not all(np.allclose(one, other, **AGREEMENT) for one, other in zip(ours(*data), by_numpy(*data, *more), strict=True)):
            wrong += 1
            print(f"{name}: NumPy gives another result")
        both = milliseconds({"xentfast": lambda o=ours, d=data: o(*d),
                             "NumPy": lambda f=by_numpy, a=(*data, *more): f(*a)}, 1 if parsed.quick else 11)
        pairs = {key: (min(values), float(np.median(values))) for key, values in both.items()}
        times = "".join(f"{least:10.2f}{median:10.2f}" for least, median in pairs.values())
        ratios = [theirs / own for own, theirs in zip(*pairs.values(), strict=True)]
        print(f"{name:36s}{times}{ratios[0]:7.1f}{ratios[1]:7.1f}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
