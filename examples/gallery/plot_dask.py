"""
A loss over more logits than memory
===================================

A gigabyte and a half of logits, made block by block where they are used: Dask runs the blocks, and nothing larger than one is
ever in memory. The loss has the bits of one call over all of them.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("dask", "matplotlib") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo,dask]"')
# sphinx_gallery_end_ignore
import threading
import time
from pathlib import Path

import dask
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np

import xentfast as xf
import xentfast.dask as xd

# %%
# Logits of 12 288 rows and 32 768 classes, in blocks of 512 × 8 192: 16 MiB each. Nothing is computed yet.
shape, chunks = (12_288, 32_768), (512, 8192)
logits = xd.init.normal(shape, rng=7, name="logits", chunks=chunks)
targets = np.random.default_rng(0).integers(0, shape[1], shape[0])
loss, grad = xd.softmax_cross_entropy_value_and_grad(logits, targets, label_smoothing=0.1)
print(f"{logits.nbytes / 2**30:.2f} GiB of logits in {logits.npartitions} blocks of {np.prod(chunks) * 4 / 2**20:.0f} MiB")


# %%
# While it runs, another thread looks every few milliseconds how much memory the process has (Linux says so in a file;
# elsewhere the line in the picture is missing).
def memory():
    """MiB that are in use."""
    file = Path("/proc/self/statm")
    return int(file.read_text().split()[1]) * 4096 / 2**20 if file.exists() else np.nan


seen, done, start = [], threading.Event(), memory()


def watch():
    began = time.perf_counter()
    while not done.wait(0.01):
        seen.append((time.perf_counter() - began, memory() - start))


watcher = threading.Thread(target=watch)
watcher.start()
with dask.config.set(scheduler="threads", num_workers=2):
    value, norm = dask.compute(loss, da.linalg.norm(grad))
done.set()
watcher.join()
print(f"loss {value:.4f}, norm of the gradient {norm:.3g}")

# %%
seconds, used = np.array(seen).T
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(seconds, used, label="memory beyond what there was")
axes.axhline(logits.nbytes / 2**20, color="tab:orange", linestyle="--", label="all logits")
axes.set(xlabel="seconds", ylabel="MiB", ylim=(0, None))
axes.legend()
plt.show()

# %%
# The bits, on as many rows as one call likes: cut by rows and classes, against an array.
rows = 512
whole = xf.init.normal(shape, rng=7, name="logits", index=(slice(0, rows), ...))
one_call = xf.softmax_cross_entropy(whole, targets[:rows], label_smoothing=0.1)
by_blocks = xd.softmax_cross_entropy(logits[:rows], targets[:rows], label_smoothing=0.1).compute()
assert by_blocks == one_call
print(f"{one_call!r} both ways")
