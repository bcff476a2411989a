"""Little address space, little stack, no threads to start: MemoryError, or the same bits on what there is."""

import sys
import sysconfig

import pytest
from fresh import printed

from xentfast import _build
from xentfast._base import level

needs_small_frames = pytest.mark.skipif(bool(_build.SANITIZE), reason="sanitizers take more stack")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits as Linux has them")

START = """
    import os, resource, threading
    import numpy as np
    import every_call, xentfast as xf
    from xentfast._base import level, threads

    def limit(what, number):
        resource.setrlimit(what, (number, resource.getrlimit(what)[1]))

    def mapped():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")

    x = np.sin(np.arange(3_000_000, dtype=np.float32)).reshape(-1, 1000)
    t = np.arange(len(x)) % 1000

    def result(n_threads):
        return every_call.bytes_of(xf.softmax_cross_entropy_value_and_grad(x, t, n_threads=n_threads))
"""


@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="a free-threaded Python keeps room for itself")
def test_address_space():
    """From where a call needs no more than there is to where nothing is left: MemoryError until it works, and then the right
    bits; threads, whose stacks have no room, are not started."""
    assert printed(START + """
    want = result(1)
    room, failed = 0, 0
    while True:
        limit(resource.RLIMIT_AS, mapped() + room)
        try:
            got = result(8)
            break
        except MemoryError:
            failed += 1
        room += 2**20
    print(got == want, failed > 0, room < 64 * 2**20)
    """, OPENBLAS_NUM_THREADS="1") == "True True True"


def test_threads_that_cannot_be_started():
    """The user may have no more of them: calls stay on one thread. OpenMP itself would end the process. When the limit is gone,
    threads are tried again."""
    assert printed(START + """
    want = result(1)
    if os.getuid() == 0:                            # whom limits of processes do not concern
        os.setgid(65534)
        os.setuid(65534)
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    limit(resource.RLIMIT_NPROC, 1)
    print(result(8) == result(8) == want, threading.active_count(), len(os.listdir("/proc/self/task")), end=" ")
    limit(resource.RLIMIT_NPROC, before[1])
    print(level.count_threads(8, 10**9), {level.count_threads(8, 10**9) for _ in range(99)})
    """, OPENBLAS_NUM_THREADS="1") == ("True 1 1 1 {8, 1}" if level.openmp_version() else "True 1 1 1 {1}")


SMALL_STACKS = """
    arguments = [every_call.arguments(1, n_rows=70, n_classes=classes, dtype=dtype, n_threads=n_threads)
                 for classes, dtype in ((10, "float32"), (3000, "float32"), (33, "float64"), (2500, "float16"))
                 for n_threads in (1, 3)]
    level.policy.grain, level.policy.piece, level.policy.wary = 1, 100, False

    def all_of_them(found):
        for calls in every_call.CALLS.values():
            for call in calls:
                found += [every_call.bytes_of(call(one)) for one in arguments]

    want, got = [], []
    all_of_them(want)
"""

@needs_small_frames
def test_threads_of_python_with_64_kib_of_stack():
    assert printed(START + SMALL_STACKS + """
    threading.stack_size(64 * 1024)
    thread = threading.Thread(target=all_of_them, args=(got,))
    thread.start()
    thread.join()
    print(got == want)
    """) == "True"


@needs_small_frames
def test_threads_of_openmp_with_64_kib_of_stack():
    assert printed(START + SMALL_STACKS + """
    all_of_them(got)
    print(got == want)
    """, OMP_STACKSIZE="64k", GOMP_STACKSIZE="64", OMP_NUM_THREADS="3") == "True"
