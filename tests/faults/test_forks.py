"""Children of fork: on one thread, with the same bits, however many threads call in the parent meanwhile."""

import os

import pytest
from fresh import printed

pytestmark = [pytest.mark.every_build, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")]


@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("children", [24, pytest.param(300, marks=pytest.mark.slow)])
def test_children_beside_calling_threads(used_before, children):
    """They end by os._exit: what else they would do is Python's, and not safe beside threads."""
    assert printed(f"""
    import hashlib, os, sys, threading, warnings
    import numpy as np
    import xentfast as xf
    warnings.simplefilter("ignore", DeprecationWarning)         # Python 3.12 warns of any fork beside threads
    x = np.sin(np.arange(200_000, dtype=np.float32)).reshape(-1, 100)
    t = np.arange(len(x)) % 100

    def digest(n_threads):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, n_threads=n_threads)
        return hashlib.sha256(loss.tobytes() + grad.tobytes() + xf.init.normal(x.shape, rng=1, n_threads=n_threads).tobytes()
                              + xf.sigmoid_cross_entropy(x, x > 0, n_threads=n_threads).tobytes()).digest()

    want = digest(1)
    running = threading.Event()
    running.set()
    wrong = []

    def calls():
        while running.is_set():
            if digest(3) != want:
                wrong.append(1)

    callers = [threading.Thread(target=calls) for _ in range(3)] if {used_before} else []
    for thread in callers:
        thread.start()
    statuses = []
    for _ in range({children}):
        child = os.fork()
        if child == 0:
            os._exit(0 if digest(4) == want else 1)
        statuses.append(os.waitpid(child, 0)[1])
    running.clear()
    for thread in callers:
        thread.join()
    print(set(statuses), wrong, digest(4) == want)
    """, timeout=600) == "{0} [] True"
