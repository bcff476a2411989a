"""How many threads, and why.

By default what OpenMP would start (OMP_NUM_THREADS and threadpoolctl included), not above the CPUs that this process may
use: those of its affinity or, where OpenMP binds threads, of OpenMP's places (cpus.h). An explicit count may be above them.
Either way small work stays on fewer threads, which costs no bit. In a child after fork there is one thread: libgomp's threads do
not survive a fork, and waiting for them would hang.
"""

import operator
import os

from xentfast._base.level import policy
from xentfast._base.numbers import LARGEST_INTEGER, shown

# asv: SoftmaxCrossEntropyValueAndGrad.time_grain.
policy.grain = 16384
# So much that taking it, some 0.3 µs where another socket had its counter last, is 1 % of the work.
policy.piece = 131072
policy.crowd = 16
policy.wary = True
policy.cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _note_fork():
    policy.forked = True


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


policy.quota = cpu_quota() or 0


def requested(n_threads):
    """The number of threads that a caller asks for, as the loops take it: 0 for None. What is no count is refused."""
    if n_threads is None:
        return 0
    count = n_threads if type(n_threads) is int else _integer(n_threads)
    if not 1 <= count < LARGEST_INTEGER:
        raise ValueError(f"n_threads is {shown(count)}; expected None or an integer of at least 1")
    return min(count, 2**31 - 1)


def _integer(n_threads):
    if isinstance(n_threads, bool):
        raise TypeError("n_threads is a bool; expected None or an integer of at least 1")
    try:
        return operator.index(n_threads)
    except MemoryError:
        raise
    except Exception:
        raise TypeError(f"n_threads is {shown(n_threads)}; expected None or an integer of at least 1") from None
