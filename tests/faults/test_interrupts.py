"""Signals: Python's handlers run when a call is over, whole."""

import os
import sys

import pytest
from fresh import printed

pytestmark = pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="signals as POSIX has them")

START = """
    import os, signal, threading
    import numpy as np
    import xentfast as xf
    signal.signal(signal.SIGINT, signal.default_int_handler)    # a shell's background has it ignored
    out = np.zeros((4000, 5000), np.float32)
    want = xf.init.normal(out.shape, rng=1, n_threads=1)
"""


def test_keyboard_interrupt_comes_when_the_call_is_over():
    """The signal is sent while the call runs, by another thread; the output is whole."""
    assert printed(START + """
    def interrupt():
        while not out[0, 0]:                        # the call has begun
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        while True:                                 # should the signal come between two calls
            xf.init.normal(out.shape, rng=1, out=out, n_threads=1)
    except KeyboardInterrupt:
        thread.join()
        print("interrupted", np.array_equal(out, want))
    """) == "interrupted True"


def test_signals_reach_no_call_in_a_thread():
    """Timers that fire all the time, while threads compute."""
    assert printed(START + """
    fired = []
    signal.signal(signal.SIGALRM, lambda *_: fired.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    results = []
    def call():
        results.append(np.array_equal(xf.init.normal(out.shape, rng=1, n_threads=3), want))
    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while not fired:
        signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(results)
    """) == "[True, True, True, True]"
