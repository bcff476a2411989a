"""Guarantee 4: threads are counted as documented, calls from anywhere give the same bits, and nothing global changes."""

import concurrent.futures
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import xentfast as xf
from xentfast._base import level, threads

pytestmark = pytest.mark.every_build

RNG = np.random.default_rng(0)
X = RNG.standard_normal((600, 1000)).astype(np.float32)
T = RNG.integers(0, 1000, 600)


def digest(n_threads=None):
    loss, grad = xf.softmax_cross_entropy_value_and_grad(X, T, n_threads=n_threads)
    return loss.tobytes() + grad.tobytes()


def weights(n_threads=None):
    params = xf.init.fill({"a": (xf.init.he_normal, (300, 1000)), "b": (xf.init.uniform, (70, 3)), "c": (xf.init.uniform, 5000)},
                          rng=7, n_threads=n_threads)
    return b"".join(array.tobytes() for array in params.values())


def probabilities(n_threads=None):
    p = np.linspace(0, 1, 600_000).reshape(2, 300, 1000)
    return b"".join(value.tobytes() for value in (xf.kl_divergence(*p, n_threads=n_threads), xf.cross_entropy_grad(
        *p, n_threads=n_threads), xf.entropy(p, axis=(1, 2), n_threads=n_threads)))


WORK = [digest, weights, probabilities]


def fresh(code, timeout=120, **environment):
    """What a new process prints."""
    run = subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=timeout,
                         env={**os.environ, **environment}, check=True)
    return run.stdout.strip()


def test_default_count(monkeypatch):
    monkeypatch.setattr(level.policy, "openmp", 64)
    monkeypatch.setattr(level.policy, "quota", 0)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert level.count_threads(0, 10**9) == min(cpus, 64)
    monkeypatch.setattr(level.policy, "quota", 1)
    assert level.count_threads(0, 10**9) == 1


def test_small_work_stays_on_few_threads(monkeypatch):
    monkeypatch.setattr(level.policy, "grain", 1000)
    monkeypatch.setattr(level.policy, "openmp", 16)
    monkeypatch.setattr(level.policy, "affinity", 16)
    monkeypatch.setattr(level.policy, "quota", 0)
    assert [level.count_threads(0, n) for n in (0, 1999, 2000, 3500, 10**9)] == [1, 1, 2, 3, 16]
    assert [level.count_threads(5, n) for n in (0, 1999, 2000, 3500, 10**9)] == [1, 1, 2, 3, 5]


def test_threads_that_came_too_late_are_not_waited_for(monkeypatch):
    """After such a call, a few stay on those that came; then all are tried again, later each time."""
    monkeypatch.setattr(level.policy, "wary", True)

    def at_hand(calls, n_numbers=1000):
        return [level.threads_at_hand(8, n_numbers) for _ in range(calls)]

    level.note_helpers(8, 8, 1000)
    assert at_hand(3) == [8, 8, 8]
    for wait in (1, 3, 7, 15, 31, 63, 63):
        level.note_helpers(8, 3, 1000)
        assert at_hand(1, 5000) == [8]                              # much longer work is another matter
        assert level.threads_at_hand(2, 1000) == 2                  # and so are fewer threads
        assert at_hand(wait + 1) == [3] * wait + [8]
    level.note_helpers(8, 8, 1000)
    level.note_helpers(8, 0, 1000)
    assert at_hand(2) == [1, 8]
    level.note_helpers(8, 8, 1000)
    level.note_helpers(8, 1, 1000)
    monkeypatch.setattr(level.policy, "wary", False)
    assert at_hand(1) == [8]
    level.note_helpers(8, 8, 1000)


def test_pieces_of_a_thread_that_does_not_come():
    """OpenMP may start fewer threads than it is asked for: those that there are do everything."""
    code = """
        import hashlib, numpy as np, xentfast as xf
        from xentfast._base import level
        level.policy.wary = False
        x = np.sin(np.arange(3_000_000, dtype=np.float32)).reshape(-1, 1000)
        digest = hashlib.sha256()
        for logits in (x, x.reshape(-1, 5), x.reshape(3, -1)):
            targets = np.arange(len(logits)) % logits.shape[1]
            for result in (*xf.softmax_cross_entropy_value_and_grad(logits, targets, n_threads=5),
                           xf.softmax_cross_entropy(logits, targets, reduction="none", n_threads=3),
                           xf.entropy(abs(logits), n_threads=4), xf.sigmoid_cross_entropy(logits, logits > 0, n_threads=4),
                           xf.init.normal(logits.shape, rng=1, n_threads=4)):
                digest.update(result.tobytes())
        print(digest.hexdigest())
    """
    assert len({fresh(code, OMP_THREAD_LIMIT=limit) for limit in ("1", "2", "16")}) == 1


def test_a_count_may_be_above_the_cpus_but_not_far_above(monkeypatch):
    monkeypatch.setattr(level.policy, "affinity", 2)
    monkeypatch.setattr(level.policy, "quota", 0)
    assert [level.count_threads(n, 10**12) for n in (3, 16, 17, 32, 33, 2**31 - 1)] == [3, 16, 17, 32, 32, 32]


def test_requested():
    assert [threads.requested(n) for n in (None, 1, np.int64(5), 2**70)] == [0, 1, 5, 2**31 - 1]


@pytest.mark.skipif(level.openmp_version() == 0, reason="built without OpenMP")
def test_omp_num_threads_is_respected():
    code = """
        from xentfast._base import level, threads
        level.policy.affinity, level.policy.quota = 99, 0
        print(level.default_threads())
    """
    assert fresh(code, OMP_NUM_THREADS="3") == "3"
    assert fresh(code, OMP_NUM_THREADS="1") == "1"


@pytest.mark.skipif(level.openmp_version() == 0, reason="built without OpenMP")
def test_threadpoolctl_is_respected(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(level.policy, "affinity", 99)
    monkeypatch.setattr(level.policy, "quota", 0)
    for limit in (1, 3):
        with threadpoolctl.threadpool_limits(limits=limit, user_api="openmp"):
            assert level.count_threads(0, 10**9) == limit


def test_affinity_is_respected():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this system")
    code = """
        import os
        from xentfast._base import level, threads
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(level.available_cpus(), level.default_threads())
    """
    assert fresh(code) == "1 1"


@pytest.mark.parametrize(("files", "want"), [
    ({"cpu.max": "150000 100000"}, 2),
    ({"cpu.max": "max 100000"}, None),
    ({"a/cpu.max": "max 100000", "a/b/cpu.max": "400000 100000", "a/b/c/cpu.max": "900000 100000"}, 4),
    ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
    ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ({}, None),
    ({"cpu.max": "nonsense"}, None),
])
def test_control_group_quota(tmp_path, files, want):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "membership").write_text("0::/a/b/c\n4:cpu,cpuacct:/x\n")
    assert threads.cpu_quota(str(tmp_path), str(tmp_path / "membership")) == want
    assert threads.cpu_quota(str(tmp_path / "nowhere"), str(tmp_path / "nothing")) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("used_before", [False, True])
@pytest.mark.parametrize("n_threads", [None, 4])
def test_child_after_fork(used_before, n_threads):
    """The same bits, on one thread, without hanging, whether the parent's threads have run or not."""
    assert fresh(f"""
        import multiprocessing, warnings
        import numpy as np
        import xentfast as xf
        from xentfast._base import level
        warnings.simplefilter("ignore", DeprecationWarning)         # Python 3.12 warns of any fork beside threads
        x = np.random.default_rng(0).standard_normal((600, 1000)).astype(np.float32)
        t = np.arange(600)

        def digest(n_threads):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, n_threads=n_threads)
            weights = xf.init.he_normal((600, 1000), rng=7, n_threads=n_threads)
            return loss.tobytes() + grad.tobytes() + weights.tobytes()

        def child(queue):
            queue.put((digest({n_threads}), level.default_threads()))

        if {used_before}:
            digest(4)
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        process = context.Process(target=child, args=(queue,))
        process.start()
        got, count = queue.get(timeout=60)
        process.join(60)
        print(got == digest(1) == digest(4), count, process.exitcode, level.policy.forked)
    """) == "True 1 0 False"


@pytest.mark.parametrize("work", WORK)
def test_many_python_threads_at_once(work):
    want = work(1)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, [None, 1, 2, 3, 5] * 8)) == {want}


@pytest.mark.parametrize("work", WORK)
def test_oversubscription(work):
    assert work(64) == work(1)
    assert work(100_000) == work(1)


BIG, TARGETS = np.zeros((4000, 5000), np.float32), np.zeros(4000, int)


@pytest.mark.parametrize("work", [lambda: xf.softmax_cross_entropy(BIG, TARGETS, n_threads=1),
                                  lambda: xf.init.normal(BIG.shape, rng=1, out=BIG, n_threads=1)], ids=["loss", "weights"])
def test_the_gil_is_released(work):
    """Another Python thread runs on while a kernel does."""
    ticks, begun, over = [], threading.Event(), threading.Event()

    def call():
        begun.set()
        for _ in range(500):
            work()
            if len(ticks) > 1000:                   # before that the other thread may not have come
                break
        over.set()

    worker = threading.Thread(target=call)
    worker.start()
    begun.wait()
    while not over.is_set():
        ticks.append(1)
    worker.join()
    assert len(ticks) > 1000


def test_import_changes_nothing():
    """No thread, no environment variable, no OpenMP state."""
    assert fresh("""
        import os, threading
        import numpy
        tasks = lambda: len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
        before = tasks(), dict(os.environ)
        import xentfast
        print((tasks(), dict(os.environ)) == before)
    """) == "True"
