"""Import an installed xentfast beside PyTorch, scikit-learn and Numba, in every order, each in a process of its own: all compute
with threads in turns, the bits are those of xentfast alone, and nothing waits for anything.

    pip install xentfast-….whl torch scikit-learn numba threadpoolctl && python -P tools/beside.py

A repaired wheel brings an OpenMP runtime of its own: so there are up to four in such a process. Times are milliseconds of a loss
over 1 024 × 10 000 logits, the least and the median of 41 between calls of the others, after them and alone.
"""

import itertools
import json
import os
import subprocess
import sys

PEERS = ("xentfast", "torch", "sklearn", "numba")
PROGRAM = """
import importlib, json, statistics, sys, time
import numpy as np
order = sys.argv[1].split(",")
for name in order:
    importlib.import_module({"sklearn": "sklearn.ensemble"}.get(name, name))
import xentfast as xf
rng = np.random.default_rng(0)
x, labels = rng.standard_normal((1024, 10_000)).astype(np.float32), rng.integers(0, 10_000, 1024)
few = rng.standard_normal((2_000, 10))
work = []
if "torch" in order:
    import torch
    work.append(lambda: torch.nn.functional.cross_entropy(torch.from_numpy(x[:64]), torch.from_numpy(labels[:64])))
if "sklearn" in order:
    from sklearn.ensemble import HistGradientBoostingClassifier
    work.append(lambda: HistGradientBoostingClassifier(max_iter=2).fit(few, few[:, 0] > 0))
if "numba" in order:
    import numba
    @numba.njit(parallel=True)
    def total(a):
        s = 0.0
        for i in numba.prange(len(a)):
            s += a[i].sum()
        return s
    work.append(lambda: total(few))
loss, times = xf.softmax_cross_entropy(x, labels), []
for other in work:
    other()
for k in range(41):
    if work:
        work[k % len(work)]()
    start = time.perf_counter()
    assert xf.softmax_cross_entropy(x, labels) == loss
    times.append(1e3 * (time.perf_counter() - start))
runtimes = []
try:
    from threadpoolctl import threadpool_info
    runtimes = sorted({one["filepath"].rpartition("/")[2] for one in threadpool_info() if one["user_api"] == "openmp"})
except ImportError:
    pass
print(json.dumps({"loss": float(loss).hex(), "least": min(times), "median": statistics.median(times), "runtimes": runtimes}))
"""


def process(order):
    done = subprocess.run([sys.executable, "-P", "-c", PROGRAM, ",".join(order)], capture_output=True, text=True, timeout=600,
                          env=os.environ | {"PYTHONWARNINGS": "ignore"})
    if done.returncode:
        sys.exit(f"{', '.join(order)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def main():
    alone = process(["xentfast"])
    print(f"{'xentfast alone':40} {alone['least']:6.2f} {alone['median']:6.2f}  {', '.join(alone['runtimes'])}")
    for order in itertools.permutations(PEERS):
        found = process(order)
        assert found["loss"] == alone["loss"], (order, found, alone)
        print(f"{', '.join(order):40} {found['least']:6.2f} {found['median']:6.2f}  {', '.join(found['runtimes'])}", flush=True)


if __name__ == "__main__":
    main()
