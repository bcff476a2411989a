"""How many threads, and why.

By default what OpenMP would start (OMP_NUM_THREADS and threadpoolctl included), not above the CPUs that this process may
use. An explicit count may be above them. Either way small work stays on fewer threads, which costs no bit. In a child after
fork there is one thread: libgomp's threads do not survive a fork, and waiting for them would hang.
"""

import operator
import os

from xentfast import _core

# Numbers for each thread below which a second one costs more than it brings (asv: SoftmaxCrossEntropyValueAndGrad.time_grain).
GRAIN = 16384

# Threads for each CPU that an explicit count may ask for.
CROWD = 16

_forked = False


def _note_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def _text(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


def _quota_of(folder):
    """CPUs that the control group at `folder` grants, or None where it sets no limit (cgroup v2, then v1)."""
    try:
        if os.path.exists(os.path.join(folder, "cpu.max")):
            quota, period = _text(folder, "cpu.max").split()[:2]
        else:
            quota, period = _text(folder, "cpu.cfs_quota_us"), _text(folder, "cpu.cfs_period_us")
        return None if quota == "max" or int(quota) <= 0 else max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):
        return None


def cpu_quota(root="/sys/fs/cgroup", membership="/proc/self/cgroup"):
    """The smallest quota, in CPUs, of this process's control group and those above it; None without a limit."""
    folders = {root, os.path.join(root, "cpu")}
    try:
        lines = _text(membership).splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct"):
            folder = os.path.join(root, controllers)
            folders.add(folder)
            for group in path.strip("/").split("/"):
                folder = os.path.join(folder, group)
                folders.add(folder)
    quotas = [quota for quota in map(_quota_of, folders) if quota is not None]
    return min(quotas, default=None)


_QUOTA = cpu_quota()


def available_cpus():
    """CPUs that this process may use: its affinity now, its quota at import."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return cpus if _QUOTA is None else min(cpus, _QUOTA)


def default_threads():
    """What n_threads=None means for large work."""
    return 1 if _forked else max(1, min(_core.max_threads(), available_cpus()))


def thread_count(n_threads, n_numbers):
    """Threads for a call over so many logits or weights; ValueError and TypeError for what is no count."""
    if n_threads is not None:
        if type(n_threads) is not int:
            n_threads = _integer(n_threads)
        if n_threads < 1:
            raise ValueError(f"n_threads is {n_threads}; expected None or an integer of at least 1")
        if n_threads > CROWD:                       # thousands take seconds to start, and bring nothing
            n_threads = min(n_threads, CROWD * available_cpus())
    if n_numbers < 2 * GRAIN or _forked:
        return 1
    return min(default_threads() if n_threads is None else n_threads, n_numbers // GRAIN)


def _integer(n_threads):
    if isinstance(n_threads, bool):
        raise TypeError("n_threads is a bool; expected None or an integer of at least 1")
    try:
        return operator.index(n_threads)
    except TypeError:
        raise TypeError(f"n_threads is {n_threads!r}; expected None or an integer of at least 1") from None
