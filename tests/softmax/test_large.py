"""Arrays larger than memory, and of more elements than 32 bits count."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="anonymous memory is told by Linux's /proc")
def test_memory_mapped_logits(tmp_path):
    """Half a gigabyte passes through; what is not the file's own pages grows by less than 16 MiB."""
    code = """
        import sys
        import numpy as np
        import xentfast as xf
        anonymous = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024
        shape = 2**18, 1024
        sparse = np.memmap(sys.argv[1], np.float16, "w+", shape=shape)
        sparse[[0, -1], 5] = 3
        del sparse
        logits = np.memmap(sys.argv[1], np.float16, "r", shape=shape)
        targets = np.full(len(logits), 5, np.int32)
        xf.softmax_cross_entropy(logits[:4096], targets[:4096], n_threads=2)                # starts threads
        start, most = anonymous(), 0
        loss = xf.softmax_cross_entropy(logits, targets, n_threads=2)
        most = max(most, anonymous() - start)
        across = xf.softmax_cross_entropy(logits.reshape(2**8, 2**10, 1024), targets.reshape(2**8, 2**10), n_threads=2)
        most = max(most, anonymous() - start)
        place = np.memmap(sys.argv[1], np.float16, "r+", shape=(2**15, 1024))
        xf.softmax_cross_entropy_grad(place, targets[:len(place)], reduction="sum", out=place, n_threads=2)
        most = max(most, anonymous() - start)
        print(repr(float(loss)), loss == across, most < 16, float(place[1, 0]) * 1024, most)
    """
    path = tmp_path / "logits"
    run = subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(code), path], capture_output=True, text=True, timeout=120,
                         check=True)
    path.unlink()
    others = np.log(1024), np.log(1023 + np.exp(3)) - 3
    loss = np.float32(others[0] + (others[1] - others[0]) * 2.0**-17)
    assert run.stdout.split()[:4] == [repr(float(loss)), "True", "True", "1.0"], run.stdout


@pytest.mark.slow
def test_more_elements_than_32_bits_count():
    """4.3 GB of float16 logits: as rows in place, and as one row."""
    n_rows, n_classes = 2**21 + 5, 1024
    x = np.zeros((n_rows, n_classes), np.float16)
    rng = np.random.default_rng(0)
    rows = np.array([0, 1, 2**20, 2**21 - 1, 2**21, n_rows - 1])
    sample = (rng.standard_normal((len(rows), n_classes)) * 4).astype(np.float16)
    x[rows] = sample
    exact = np.log(np.exp(sample.astype(np.float64)).sum() + (n_rows - len(rows)) * n_classes) - float(sample[-1, -1])
    assert np.float32(exact) == xf.softmax_cross_entropy(x.reshape(-1), x.size - 1)
    targets = np.zeros(n_rows, np.int32)
    targets[rows] = rng.integers(0, n_classes, len(rows))
    want = xf.softmax_cross_entropy_value_and_grad(sample, targets[rows], reduction="none")
    loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, reduction="none", out=x)
    assert grad is x and loss[rows].tobytes() == want[0].tobytes() and x[rows].tobytes() == want[1].tobytes()
    assert np.all(np.delete(loss, rows) == np.float32(np.log(1024)))
    for row in (2, 2**20 + 1, 2**21 - 2, 2**21 + 1, n_rows - 2):
        assert np.all(x[row, 1:] == 2.0**-10) and x[row, 0] == np.float16(2.0**-10 - 1)
