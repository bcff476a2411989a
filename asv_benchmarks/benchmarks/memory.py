"""Memory: the peak of a process that makes its inputs and its calls, and what a call allocates beyond its outputs.

The second is exact, and sees what Python and NumPy allocate: a temporary array shows at once. It does not see the
kernels' scratch, at most 1 MiB a thread. The first sees everything, interpreter and inputs included.
"""

import tracemalloc

import numpy as np

from .suite import benchmark_classes


def peakmem(prepare):
    def benchmark(self, *values):
        prepare(*values)()
    return benchmark


def beyond_outputs(prepare):
    def benchmark(self, *values):
        call = prepare(*values)             # has called once: what a process needs once is not the call's
        tracemalloc.start()
        result = call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        given = [id(part) for part in parts(call.keywords.get("out"))]
        return peak - sum(part.nbytes for part in parts(result) if isinstance(part, np.ndarray) and id(part) not in given)
    benchmark.unit = "bytes"
    return benchmark


def parts(result):
    if isinstance(result, dict):
        return result.values()
    if isinstance(result, tuple):
        return [inner for part in result for inner in parts(part)]
    return (result,)


MEASURES = {"peakmem": peakmem, "track_beyond_outputs": beyond_outputs}
globals().update(benchmark_classes(MEASURES, "memory"))
