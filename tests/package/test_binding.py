"""Guarantee 4: where OpenMP binds threads to places, the CPUs of all places count, in Python and in C; an affinity still does."""

import os
import re
import subprocess
import sys
import textwrap

import pytest

from xentfast._base import level

pytestmark = [pytest.mark.every_build,
              pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says which CPUs a thread may use")]
with_openmp = pytest.mark.skipif(level.openmp_version() == 0, reason="built without OpenMP")

CPUS = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
ALL = ",".join(map(str, CPUS))
BINDINGS = [{"OMP_PROC_BIND": "spread", "OMP_PLACES": "cores"}, {"OMP_PLACES": "cores"}, {"OMP_PLACES": "threads"},
            {"OMP_PROC_BIND": "close"}, {"OMP_PROC_BIND": "true"}, {"GOMP_CPU_AFFINITY": ALL}, {"KMP_AFFINITY": "scatter"}]
COUNT = """
    import os
    from xentfast._base import level, threads
    print(level.default_threads(), level.available_cpus())
"""


def fresh(code, **environment):
    """What a new process prints, of this machine's CPUs and these variables alone."""
    clean = {name: value for name, value in os.environ.items() if not re.match("(OMP|GOMP|KMP)_", name)}
    run = subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120,
                         env={**clean, **environment}, check=True)
    return run.stdout.strip()


@pytest.fixture(scope="module")
def unbound():
    return fresh(COUNT)


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
def test_the_cpus_of_all_places_count(binding, unbound):
    """Whichever place the importing thread is on, and in threads that Python starts later, which inherit its mask."""
    assert fresh(COUNT, **binding) == unbound
    assert fresh("""
        import threading
        from xentfast._base import level, threads
        level.default_threads()
        thread = threading.Thread(target=lambda: print(level.default_threads(), level.available_cpus()))
        thread.start()
        thread.join()
    """, **binding) == unbound


@with_openmp
def test_openmp_that_another_library_has_loaded(unbound):
    # The one that this package is linked to; in this process there may be others' own.
    found = fresh(r"""
        import re
        import xentfast
        print(re.search(r"/\S*/lib(gomp|omp|iomp5)[-.]\S*", open("/proc/self/maps").read())[0])
    """)
    assert fresh(f"import ctypes; ctypes.CDLL({found!r})\n" + textwrap.dedent(COUNT), OMP_PLACES="cores") == unbound


@with_openmp
def test_calls_start_as_many_threads_as_without_binding():
    """From Python and from C."""
    code = """
        import os
        import numpy as np
        import xentfast as xf
        from xentfast import capi
        from xentfast._base import level
        level.policy.quota = 0
        tasks = lambda: len(os.listdir("/proc/self/task"))
        logits, targets, loss = np.zeros((400, 5000), np.float32), np.zeros(400, np.int64), np.empty((), np.float32)
        before = tasks()
        {call}
        print(tasks() - before)
    """
    python = "xf.softmax_cross_entropy(logits, targets)"
    c = ("assert capi.table().softmax_cross_entropy_float32(logits.ctypes.data, 400, 5000, 5000, targets.ctypes.data, None, 0, "
         "loss.ctypes.data) == 0")
    for call in (python, c):
        assert fresh(code.format(call=call), OMP_PROC_BIND="spread", OMP_PLACES="cores") == fresh(code.format(call=call))


@with_openmp
def test_fewer_places_than_cpus():
    assert fresh(COUNT, OMP_PLACES=f"{{{CPUS[-1]}}}") == "1 1"
    assert fresh(COUNT, GOMP_CPU_AFFINITY=f"{CPUS[0]}", OMP_NUM_THREADS="8") == "1 1"


@with_openmp
def test_all_threads_on_the_place_of_the_first():
    assert fresh("""
        import os
        from xentfast._base import level, threads
        level.policy.quota = 0
        print(level.default_threads() <= level.available_cpus() == len(os.sched_getaffinity(0)))
    """, OMP_PROC_BIND="master", OMP_PLACES="threads") == "True"


@pytest.mark.parametrize("binding", BINDINGS, ids=str)
def test_an_affinity_from_outside_still_counts(binding):
    """As taskset and control groups set it, before the process begins."""
    assert fresh(f"import os; os.sched_setaffinity(0, {{{CPUS[-1]}}})\n" + textwrap.dedent(COUNT), **binding) == "1 1"


def test_an_affinity_that_is_no_place_counts():
    code = f"""
        import os
        from xentfast._base import level, threads
        level.default_threads()
        os.sched_setaffinity(0, {{{CPUS[0]}}})
        print(level.default_threads(), level.available_cpus())
    """
    assert fresh(code, OMP_PLACES=f"{{{ALL}}}") == "1 1"
    assert fresh(code, OMP_PROC_BIND="false", OMP_PLACES="cores") == "1 1"


def test_a_child_after_fork_stays_on_one_thread():
    assert fresh("""
        import os, warnings
        from xentfast._base import level, threads
        warnings.simplefilter("ignore", DeprecationWarning)         # Python 3.12 warns of any fork beside threads
        level.default_threads()
        child = os.fork()
        if child == 0:
            os._exit(level.default_threads())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """, OMP_PROC_BIND="spread", OMP_PLACES="cores") == "1"
