"""Dask against one machine, and a loss over more logits than memory holds:

    python asv_benchmarks/comparisons/compare_dask.py [--gib 4] [--limit-gib 1] [--classes 32768] [--workers 2]
        [--cluster] [--quick]

Three things over float32 logits, N(0, 1), in blocks of about 32 MiB, whole along the classes and cut along them:
 - in memory (an eighth of --gib): loss and loss with gradient, into new arrays, by one call on all threads and by Dask's threads;
 - --gib of logits, made block by block where they are used, in a process that may hold --limit-gib of data (Linux), by Dask and
   by a loop over the blocks, written by hand; the peak of memory;
 - with --cluster also on two worker processes.
Seconds. It fails where a loss is not, to the bit, that of one machine. --quick: small arrays, no times to speak of.
"""

import argparse
import sys
import time

import dask
import dask.array as da
import numpy as np

import xentfast as xf
import xentfast.dask as xd

try:
    import resource
except ImportError:                     # not on Windows: no limit, no peak
    resource = None

BLOCK_BYTES = 32 * 2**20


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def block_shapes(n_classes, n_bytes):
    """(name, rows, classes) of blocks of so many bytes."""
    sliced = max(2048, n_classes // 4 // 2048 * 2048)
    return [("whole rows", max(1, n_bytes // 4 // n_classes), n_classes), ("classes cut", max(1, n_bytes // 4 // sliced), sliced)]


def in_memory(n_rows, n_classes, n_bytes):
    """Whether Dask's losses are those of one call."""
    logits = xf.init.normal((n_rows, n_classes), rng=7, name="logits")
    targets = np.arange(n_rows) % n_classes
    functions = {
        "loss": (lambda x: xf.softmax_cross_entropy(x, targets), lambda x: xd.softmax_cross_entropy(x, targets).compute()),
        "loss and gradient": (lambda x: xf.softmax_cross_entropy_value_and_grad(x, targets)[0],
                              lambda x: dask.persist(*xd.softmax_cross_entropy_value_and_grad(x, targets))[0].compute()),
    }
    same = True
    for name, (by_call, by_dask) in functions.items():
        expected, seconds = best(lambda call=by_call: call(logits))
        print(f"{name}, {logits.nbytes / 2**30:.2f} GiB in memory: one call {seconds:.3f}", end="")
        for cut, rows, classes in block_shapes(n_classes, n_bytes):
            lazy = da.from_array(logits, chunks=(rows, classes), name=False)
            found, seconds = best(lambda call=by_dask, x=lazy: call(x))
            same &= bool(found == expected)
            print(f"; Dask, {cut} {seconds:.3f}", end="")
        print(flush=True)
    return same


def best(call, repeats=3):
    results = [timed(call) for _ in range(repeats)]
    return results[0][0], min(seconds for _, seconds in results)


def beyond_memory(n_rows, n_classes, n_bytes, client):
    """Whether a loss over logits that are made where they are used is that of a loop over blocks."""
    targets = np.arange(n_rows) % n_classes
    gib, same = n_rows * n_classes * 4 / 2**30, True
    _, rows, _ = block_shapes(n_classes, n_bytes)[0]

    def by_hand():
        losses, buffer = np.empty(n_rows), np.empty((rows, n_classes), np.float32)
        for start in range(0, n_rows, rows):
            part = slice(start, min(start + rows, n_rows))
            block = buffer[:part.stop - part.start]
            xf.init.normal((n_rows, n_classes), rng=7, name="logits", index=(part, ...), out=block)
            losses[part] = xf.softmax_cross_entropy(block, targets[part], reduction="none")
        return losses

    expected, seconds = timed(by_hand)
    print(f"loss, {gib:.2f} GiB made as they are used: by hand {seconds:.2f}", end="")
    for cut, rows, classes in block_shapes(n_classes, n_bytes):
        logits = xd.init.normal((n_rows, n_classes), rng=7, name="logits", chunks=(rows, classes))
        losses = xd.softmax_cross_entropy(logits, targets, reduction="none")
        found, seconds = timed(losses.compute)
        same &= bool((found == expected).all())
        print(f"; Dask{', two processes' if client else ''}, {cut} {seconds:.2f}", end="")
    if resource and client is None:
        unit = 2**30 if sys.platform == "darwin" else 2**20
        print(f"; at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:.2f} GiB of memory", end="")
    print(flush=True)
    return same


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=4.0)
    parser.add_argument("--limit-gib", type=float, default=1.0, help="of data that this process may hold; 0 for no limit")
    parser.add_argument("--classes", type=int, default=32_768)
    parser.add_argument("--workers", type=int, help="threads of Dask; as many as CPUs by default")
    parser.add_argument("--cluster", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parsed = parser.parse_args(arguments)
    if parsed.quick:
        parsed.gib, parsed.classes = 1 / 64, 8192
    n_bytes = BLOCK_BYTES // 64 if parsed.quick else BLOCK_BYTES
    n_rows = int(parsed.gib * 2**30 / 4 / parsed.classes)
    if parsed.limit_gib and resource and not parsed.quick and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (int(parsed.limit_gib * 2**30), resource.RLIM_INFINITY))
    with dask.config.set(scheduler="threads", num_workers=parsed.workers):
        same = beyond_memory(n_rows, parsed.classes, n_bytes, None)         # first, for the peak of memory
    if resource and sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with dask.config.set(scheduler="threads", num_workers=parsed.workers):
        same &= in_memory(n_rows // 8, parsed.classes, n_bytes)
    if parsed.cluster:
        from distributed import Client, LocalCluster
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
            same &= beyond_memory(n_rows, parsed.classes, n_bytes, client)
    if not same:
        print("a loss by Dask is not that of one machine")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
