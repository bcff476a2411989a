"""Guarantee 3: beyond the outputs at most 1 MiB a thread and 16 bytes a row, whatever rows and classes; where a row has more than
20 million classes, 64 bytes for each 1 024 of them. Measured as the peak of the resident set, or by a limit of the address space.

Classes that share one number in memory make rows of any length.
"""

import subprocess
import sys
import textwrap

import pytest

from xentfast import _build

pytestmark = [pytest.mark.every_build, pytest.mark.skipif(bool(_build.SANITIZE), reason="sanitizers take memory of their own"),
              pytest.mark.skipif(sys.platform == "win32", reason="no resource limits and peaks on this system")]


# The peak of a call, or of all calls so far where the system cannot begin anew: macOS, and kernels without clear_refs.
PEAK = """
import resource, sys

def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def beyond(call):
    try:
        with open("/proc/self/clear_refs", "w") as peaks:
            peaks.write("5")
    except OSError:
        pass
    start = peak()
    call()
    return peak() - start
"""


def fresh(code):
    """What a new process prints. No time limit: a busy machine takes as long as it likes."""
    run = subprocess.run([sys.executable, "-P", "-c", PEAK + textwrap.dedent(code)], capture_output=True, text=True, timeout=None)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_many_rows():
    """A gigabyte of arrays."""
    assert fresh("""
        import numpy as np
        import xentfast as xf
        x = np.ones((200_000, 256), np.float32)
        wide = np.ones((40, 1_000_000), np.float32)
        moved = np.moveaxis(x.reshape(200, 1000, 256), -1, 1)
        soft = np.ones_like(x)
        t = np.zeros(len(x), np.int32)
        weights = np.ones(len(x), np.float32)
        half, wide_half = np.ones(x.shape, np.float16), np.ones((40, 1_000_000), np.float16)
        mask = np.broadcast_to(np.arange(256) % 5 < 4, half.shape)
        for warm in (x[:2000], wide[:1, :10_000]):
            xf.softmax_cross_entropy_value_and_grad(warm, np.zeros(len(warm), int), n_threads=2)
            xf.init.sparse(warm.shape, sparsity=0.5, rng=1, out=warm, n_threads=2)
        for call in (lambda: xf.softmax_cross_entropy(x, t, sample_weight=weights, n_threads=2),
                     lambda: xf.softmax_cross_entropy_value_and_grad(x, t, out=x, n_threads=2),
                     lambda: xf.softmax_cross_entropy_value_and_grad(x, soft, out=x, label_smoothing=0.1, n_threads=2),
                     lambda: xf.softmax_cross_entropy(moved, t.reshape(200, 1000), axis=1, n_threads=2),
                     lambda: xf.softmax_cross_entropy_value_and_grad(wide, t[:40], out=wide, n_threads=2),
                     lambda: xf.softmax_cross_entropy(wide[:, ::2], t[:40], n_threads=2),
                     lambda: xf.softmax_cross_entropy(half, t, where=mask, logit_scale=2, z_loss=0.1, n_threads=2),
                     lambda: xf.softmax_cross_entropy_value_and_grad(half, t, out=half, softcap=3.0, label_smoothing=0.1,
                                                                     where=mask, n_threads=2),
                     lambda: xf.softmax_cross_entropy_value_and_grad(wide_half, t[:40], out=wide_half, softcap=3.0, n_threads=2),
                     lambda: xf.log_softmax(wide_half, out=wide_half, n_threads=2),
                     lambda: xf.init.normal(x.shape, rng=1, out=x, n_threads=2),
                     lambda: xf.init.uniform(moved.shape, rng=1, out=moved, n_threads=2),
                     lambda: xf.init.sparse(x.shape, sparsity=0.5, rng=1, out=x, n_threads=2),
                     lambda: xf.init.constant(x.shape, 0.5, out=x)):
            found = beyond(call)
            assert found < 2 * 2**20 + 16 * len(x) + 2**20, found                       # 1 MiB for the allocator
        print("small")
    """) == "small"


def test_many_labels():
    """16 bytes a row of integers, in any order of bytes or steps of memory, and their weights; 40 of labels that are sorted."""
    assert fresh("""
        import numpy as np
        import xentfast as xf
        n = 2**21
        q, x, weights = np.full((n, 2), 0.5), np.ones((n, 2), np.float32), np.ones(n, np.float32)
        labels = np.arange(n, dtype=np.int32) % 2
        wide, odd, letters = labels.astype(np.uint64), (1 - labels).astype(">i8"), np.array(["a", "b"])[labels]
        options = dict(sample_weight=weights, n_threads=2)

        def calls(n):
            yield 16, lambda: xf.log_loss(labels[:n], q[:n], **options)
            yield 16, lambda: xf.log_loss(odd[:n], q[:n], labels=[0, 1], **options)
            yield 16, lambda: xf.softmax_cross_entropy(x[:n], wide[:n], ignore_index=1, **options)
            yield 16, lambda: xf.softmax_cross_entropy(x[:n], odd[:n], ignore_index=0, reduction="sum", **options)
            yield 16, lambda: xf.softmax_cross_entropy_grad(x[:n], labels[:n], out=x[:n], ignore_index=1, **options)
            yield 40, lambda: xf.log_loss(letters[:n], q[:n], **options)

        options = dict(sample_weight=weights[:1000], n_threads=2)
        for _, call in calls(1000):
            call()
        options = dict(sample_weight=weights, n_threads=2)
        for row_bytes, call in calls(n):
            found = beyond(call)
            assert found < 2 * 2**20 + row_bytes * n + 2**21, (row_bytes, found / n)    # 2 MiB for the allocator
        print("small")
    """) == "small"


MANY_CLASSES = """
    import ctypes
    import numpy as np
    import xentfast as xf
    from xentfast import capi

    def calls(n):
        "Of n classes. Zeros would be no memory yet."
        x, other, half = np.ones((2, n), np.float32), np.ones((2, n), np.float32), np.ones((2, n), np.float16)
        t, p, strided = np.zeros(2, np.int64), np.full((2, n), 0.25, np.float32), np.ones((2, n // 2), np.float32)
        loss, double = np.empty((), np.float32), np.ones(n)
        single, every = double.astype(np.float32), np.broadcast_to(True, (n,))
        both = dict(weight=single, label_smoothing=0.1, n_threads=2)
        options = capi.Options(weight=double.ctypes.data, label_smoothing=0.1)
        records = xf.softmax_cross_entropy_partial(x, t, n_classes=n, first_class=0, **both)
        yield "smoothing", lambda: xf.softmax_cross_entropy(x, t, label_smoothing=0.1, n_threads=2)
        yield "weights", lambda: xf.softmax_cross_entropy(x, t, weight=single, n_threads=2)
        yield "both", lambda: xf.softmax_cross_entropy(x, t, **both)
        yield "double weights", lambda: xf.softmax_cross_entropy(x, t, **{**both, "weight": double})
        yield "strides", lambda: xf.softmax_cross_entropy(x[:, ::2], t, **{**both, "weight": double[::-2]})
        yield "gradient", lambda: xf.softmax_cross_entropy_grad(x, t, out=other, **both)
        yield "one thread", lambda: xf.softmax_cross_entropy_value_and_grad(x, t, out=x, **{**both, "n_threads": 1})
        yield "halves", lambda: xf.softmax_cross_entropy_grad(half, t, out=half, softcap=9.0, **both)
        yield "options", lambda: xf.softmax_cross_entropy(x, t, where=every, z_loss=0.1, logit_scale=2.0, **both)
        yield "soft targets", lambda: xf.softmax_cross_entropy_grad(x, p, out=x, **both)
        yield "another axis", lambda: xf.softmax_cross_entropy(x.T, t, axis=0, **both)
        yield "Hessian", lambda: xf.softmax_cross_entropy_grad_hess(x, t, out=(x, other), **both)
        yield "perplexity", lambda: xf.perplexity(x, t, weight=single, n_threads=2)
        yield "partial results", lambda: xf.softmax_cross_entropy_partial(x, t, n_classes=n, first_class=0, **both)
        yield "combined", lambda: xf.softmax_cross_entropy_combine_grad(records, x, t, n_classes=n, first_class=0, out=x, **both)
        yield "from C", lambda: capi.table().softmax_cross_entropy_grad_float32(
            x.ctypes.data, 2, n, n, t.ctypes.data, ctypes.byref(options), 2, other.ctypes.data, n)
        yield "softmax", lambda: xf.softmax(x, out=other, n_threads=2)
        yield "logsumexp", lambda: xf.logsumexp(x[:, ::2], n_threads=2)
        yield "log_softmax", lambda: xf.log_softmax(half, out=half, n_threads=2)
        yield "sigmoid", lambda: xf.sigmoid_cross_entropy_grad(x, single, pos_weight=double, sample_weight=single, out=other,
                                                               label_smoothing=0.1, focal_gamma=1.0, n_threads=2)
        yield "strided sigmoid", lambda: xf.sigmoid_cross_entropy(x[:, ::2], strided, n_threads=2)
        yield "probabilities", lambda: xf.cross_entropy(p, p[:, ::-1], n_threads=2)
        yield "their gradient", lambda: xf.cross_entropy_grad(p, p, out=other, n_threads=2)
        yield "divergence", lambda: xf.kl_divergence(p, p, axis=None, n_threads=2)

    for _, call in calls(1000):
        call()
    large = list(calls(4_000_000))
    for name, call in large:
        found = beyond(call)
        assert found < 2 * 2**20 + 2**20, (name, found)                                 # 1 MiB for the allocator
    print("small")
"""


def test_many_classes():
    assert fresh(MANY_CLASSES) == "small"


LONG_ROW = """
    import resource
    import numpy as np
    import xentfast as xf
    logits = np.broadcast_to(np.{dtype}(0), ({rows}, {classes}))
    small, targets = np.zeros((4, 100_000), np.{dtype}), np.arange(4)
    for n_threads in (1, 2):
        xf.softmax_cross_entropy(small, targets, label_smoothing=0.1, n_threads=n_threads)             # starts threads
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + n_threads * 2**20 + {classes} // 1024 * 64 + 2**20, resource.RLIM_INFINITY))
        for options in (dict(), dict(label_smoothing=0.1), dict(logit_scale=2.0)):
            loss = xf.softmax_cross_entropy(logits, targets[:{rows}], n_threads=n_threads, **options)
            assert np.isclose(loss, np.log({classes})), loss
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("small")
"""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux limits the address space")


@linux
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_a_thread_has_memory_for_the_way_that_it_goes(dtype):
    """Neither for rows side by side where they come one after the other, nor for a row's sums where others have them."""
    assert fresh(LONG_ROW.format(dtype=dtype, rows=1, classes=50_000_000)) == "small"


@linux
@pytest.mark.slow
def test_a_thousand_million_classes():
    assert fresh(LONG_ROW.format(dtype="float16", rows=1, classes=10**9)) == "small"
