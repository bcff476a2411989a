"""16 Python threads at once, with the GIL or without it: the bits of one thread, from arguments that all share; and where Python
can do without the GIL, the package leaves it off."""

import copy
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter

import every_call
import numpy as np
import pytest
from extras import EXTRAS, public_names
from fresh import printed
from tolerances import TWIN

import xentfast as xf
from xentfast import capi, init
from xentfast.random import Philox4x32

pytestmark = [pytest.mark.every_build, pytest.mark.usefixtures("one_blas_thread")]

THREADS = 16
# Whose last bits are BLAS's.
BLAS = {"linear_cross_entropy", "linear_cross_entropy_value_and_grad", "init.orthogonal"}


def bounds_of(d):
    bounds = capi.Truncation()
    assert every_call.TABLE.truncation_float32(-1.0, d.n, every_call.ctypes.byref(bounds)) == 0
    return np.frombuffer(bounds, np.uint8)


# name: calls, as in every_call
CALLS = {
    **every_call.CALLS,
    **{f"init.{name}": every_call.filled(getattr(init, name)) for name in (
        "glorot_normal", "glorot_uniform", "kaiming_normal", "kaiming_uniform")},
    "get_include": [lambda d: xf.get_include()], "show_config": [lambda d: xf.show_config()],
    "capi.Api": [lambda d: np.frombuffer(capi.table(), np.uint8)],
    "capi.Options": [lambda d: np.frombuffer(capi.Options(z_loss=0.1, reduction=capi.SUM), np.uint8)],
    "capi.Truncation": [bounds_of],
}
NAMES = sorted(CALLS)


def into_own(name):
    """Calls into an output that no other thread has."""
    return [lambda d: every_call.INTO[name](d, np.empty_like(d.x))] if name in every_call.INTO else []


@pytest.fixture(autouse=True)
def hasty():
    """With the GIL, threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def at_once(work):
    """What that many threads bring back from work(number of the thread), of which none begins before all are there."""
    barrier = threading.Barrier(THREADS)

    def run(number):
        barrier.wait(60)
        return work(number)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def equal(name, got, want):
    if isinstance(want, (tuple, list)):
        return all(equal(name, *both) for both in zip(got, want, strict=True))
    if name in BLAS and want is not None:
        tolerance = TWIN[np.asarray(want).dtype]
        return np.allclose(got, want, rtol=tolerance, atol=tolerance)
    return every_call.bytes_of(got) == every_call.bytes_of(want)


def shared(dtype):
    """Arguments of calls, which none of them may write to: three of one shape, so that calls at once have other results."""
    several = [every_call.arguments(seed, n_rows=19, n_classes=33, dtype=dtype, n_threads=1 + seed % 2) for seed in range(3)]
    for array in (value for arguments in several for value in vars(arguments).values()):
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    return several


def differing(calls, several):
    """Names of the calls, (name, call), of which some thread has another result than one thread by itself. Each thread begins at
    another place."""
    work = [(name, call, arguments) for name, call in calls for arguments in several]
    want = [copy.deepcopy(call(arguments)) for _, call, arguments in work]

    def run(number):
        first = number * len(work) // THREADS if len(work) > THREADS else number % len(work)
        order = [*range(first, len(work)), *range(first)]
        return {work[index][0] for index in order if not equal(work[index][0], work[index][1](work[index][2]), want[index])}
    return set.union(*at_once(run))


def test_every_public_function_is_called():
    ours = {name for name in public_names() if name.partition(".")[0] not in EXTRAS}
    assert set(NAMES) == {name for name in ours if callable(attrgetter(name)(xf))}


@pytest.mark.parametrize("name", NAMES)
def test_one_function_at_once(name):
    for dtype in ("float32", "float64"):
        for call in (*CALLS[name], *into_own(name)):
            assert not differing([(name, call)], shared(dtype))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_all_functions_at_once(dtype):
    assert not differing([(name, call) for name in NAMES for call in (*CALLS[name], *into_own(name))], shared(dtype))


def test_memory_that_calls_share_is_found():
    """Else the tests above would show nothing."""
    scratch, meeting = np.empty(33), threading.Barrier(THREADS)

    def shares(d):
        scratch[...] = d.x[0]
        if threading.current_thread() is not threading.main_thread():
            meeting.wait(60)
        return scratch * 2
    assert differing([("shares", shares)], shared("float32")) == {"shares"}


# ---- what is loaded late


def last_line(code):
    """Of what a new process prints, in which warnings are errors and the GIL is as Python has it."""
    return printed(code, timeout=300, PYTHONWARNINGS="error", PYTHON_GIL="").splitlines()[-1]


def test_first_uses_at_once():
    """Names of the package and what computes are loaded when first used."""
    assert last_line(f"""
        import threading
        from concurrent.futures import ThreadPoolExecutor
        import numpy as np
        import xentfast as xf

        x, t, p = np.sin(np.arange(60.0)).reshape(6, 10), np.arange(6), np.full((6, 10), 0.1)
        work = [lambda: xf.softmax(x), lambda: xf.log_loss(t % 10, p, labels=range(10)), lambda: xf.kl_divergence(p, p[::-1]),
                lambda: xf.sigmoid_cross_entropy_grad(x, p), lambda: xf.init.he_normal((6, 10), rng=1),
                lambda: xf.random.Philox4x32(5).random_raw(9), lambda: xf.linear_cross_entropy(x, x, t) > 0,
                lambda: xf.softmax_cross_entropy_partial(x, t, n_classes=10, first_class=0),
                lambda: xf.softmax_cross_entropy(x, t), lambda: len([getattr(xf, name) for name in xf.__all__]),
                lambda: bytes(xf.capi.table())]
        barrier = threading.Barrier({THREADS})

        def first_uses(number):
            barrier.wait(60)
            first = number % len(work)
            got = [np.asarray(one()).tobytes() for one in work[first:] + work[:first]]
            return got[len(work) - first:] + got[:len(work) - first]

        with ThreadPoolExecutor({THREADS}) as pool:
            results = list(pool.map(first_uses, range({THREADS})))
        want = [np.asarray(one()).tobytes() for one in work]
        print(all(result == want for result in results))
    """) == "True"


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python always has its GIL")
def test_the_gil_stays_off():
    """Python turns it on, and warns, for an extension module that does not say that it can do without."""
    assert last_line("""
        import sys
        import numpy
        seen = [sys._is_gil_enabled()]
        import xentfast as xf, xentfast.boosting, xentfast.capi, xentfast.init, xentfast.random
        seen.append(sys._is_gil_enabled())
        import every_call
        arguments = every_call.arguments(1, n_rows=7, n_classes=5, dtype="float32", n_threads=2)
        for calls in every_call.CALLS.values():
            for call in calls:
                call(arguments)
        print(*seen, sys._is_gil_enabled())
    """) == "False False False"


# ---- one generator for all threads

DRAWS, WORDS = 100, 37


@pytest.mark.parametrize("draw", [
    lambda generator: generator.bit_generator.random_raw(WORDS), lambda generator: generator.random(WORDS, np.float32),
    lambda generator: generator.integers(0, 2**32, WORDS, np.uint32)], ids=["raw", "floats", "integers"])
def test_each_word_is_drawn_once(draw):
    """Each draw is a run of words, whose place is the thread's luck."""
    generator, alone = (np.random.Generator(Philox4x32(7)) for _ in range(2))
    got = at_once(lambda number: [draw(generator).tobytes() for _ in range(DRAWS)])
    assert sorted(one for some in got for one in some) == sorted(draw(alone).tobytes() for _ in range(THREADS * DRAWS))


def test_each_key_is_drawn_once():
    """By initialisers that share a generator."""
    generator, alone = (np.random.Generator(Philox4x32(7)) for _ in range(2))
    got = at_once(lambda number: [init.normal(5, rng=generator).tobytes() for _ in range(DRAWS)])
    assert sorted(one for some in got for one in some) == sorted(init.normal(5, rng=alone).tobytes()
                                                                 for _ in range(THREADS * DRAWS))


def test_each_block_is_skipped_once():
    generator = Philox4x32(7)
    at_once(lambda number: [generator.advance(2**32 - 1) and None for _ in range(DRAWS)])
    assert np.array_equal(generator.random_raw(9), Philox4x32(7, counter=THREADS * DRAWS * (2**32 - 1)).random_raw(9))


def test_a_state_is_one_that_was():
    """Not of the middle of a draw, which is long here and goes on without the GIL."""
    long, draws = 50_021, 20
    bits, words = Philox4x32(7), Philox4x32(7).random_raw(THREADS // 2 * draws * long).astype(np.uint32)
    generator = np.random.Generator(bits)

    def work(number):
        if number % 2:
            for _ in range(draws):
                generator.random(long, np.float32)
            return []
        return [bits.state if some % 2 else copy.copy(bits).state for some in range(DRAWS)]
    for state in (state for states in at_once(work) for state in states):
        block, position = int(state["state"]["counter"][0]), state["buffer_pos"]
        assert (4 * (block - 1) + position) % long == 0
        assert block == 0 or np.array_equal(state["buffer"], words[4 * (block - 1):4 * block])
