"""The engine is Philox4x32-10, and a proper NumPy bit generator whose uniforms are those of the fills."""

import copy
import hashlib
import inspect
import os
import pickle
import pickletools
import subprocess
import sys
import sysconfig
import threading

import numpy as np
import philox
import pytest

import xentfast as xf
from xentfast.random import Philox4x32

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

# Of the authors' Random123: counter, key → block.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert tuple(Philox4x32(key=key, counter=counter).random_raw(4)) == words
    assert philox.block(key, counter) == words
    assert philox.counter_of(key, words) == counter


def test_words_equal_an_independent_implementation():
    """randomgen's counts up before its first block."""
    other = pytest.importorskip("randomgen").Philox(key=0x0123456789ABCDEF, number=4, width=32)
    assert np.array_equal(Philox4x32(key=0x0123456789ABCDEF, counter=1).random_raw(4096), other.random_raw(4096))


@pytest.mark.parametrize("draw", [
    lambda g: g.random(1000), lambda g: g.random(1000, dtype=np.float32), lambda g: g.integers(0, 2**64, 1000, dtype=np.uint64),
    lambda g: g.integers(0, 7, 1000), lambda g: g.standard_normal(1000), lambda g: g.permutation(1000)])
def test_generator_equals_that_of_an_independent_implementation(draw):
    other = np.random.Generator(pytest.importorskip("randomgen").Philox(key=5, number=4, width=32))
    assert np.array_equal(draw(np.random.Generator(Philox4x32(key=5, counter=1))), draw(other))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [0, 7, [1, 2, 3], np.random.SeedSequence(5), 2**100])
def test_uniform_fill_equals_numpy_generator(level, dtype, seed):
    generator = np.random.Generator(Philox4x32(seed))
    drawn = generator.random(100_003, dtype=dtype)
    assert np.array_equal(drawn, xf.init.uniform((100_003,), rng=seed, dtype=dtype))


@pytest.mark.parametrize(("dtype", "per_block"), [(np.float32, 4), (np.float64, 2)])
@pytest.mark.parametrize("size", [64, 192, 1024, 3000])
def test_uniform_fill_counts_on_in_the_counters_next_word(level, dtype, per_block, size):
    """The block's number passes 2³², in the middle of a chunk."""
    key = np.random.SeedSequence(7).generate_state(2, np.uint32)
    first = 2**32 - 16 - size // 3
    generator = np.random.Generator(Philox4x32(key=key, counter=first))
    part = slice(first * per_block, first * per_block + size * per_block)
    filled = xf.init.uniform((2**36,), rng=7, dtype=dtype, index=(part,))
    assert np.array_equal(filled, generator.random(size * per_block, dtype=dtype))


def test_scaled_uniform_of_powers_of_two_equals_numpy_generator():
    drawn = np.random.Generator(Philox4x32(7)).random(1000, dtype=np.float32)
    assert np.array_equal(drawn * np.float32(4) - np.float32(2), xf.init.uniform((1000,), low=-2, high=2, rng=7))


def test_bit_generator_as_rng_is_drawn_from():
    """SPEC 7: a generator gives a key, and another one the next time."""
    generator = Philox4x32(7)
    first, second = (xf.init.uniform((100,), rng=generator) for _ in range(2))
    key = int(np.random.Generator(Philox4x32(7)).integers(0, 2**64, dtype=np.uint64))
    own = np.random.Generator(Philox4x32(key=key)).random(100, dtype=np.float32)
    assert np.array_equal(first, own)
    assert not np.array_equal(first, second)
    again = np.random.Generator(Philox4x32(7))
    assert np.array_equal(first, xf.init.uniform((100,), rng=again))


def test_seeding_is_that_of_seed_sequence():
    key = np.random.SeedSequence(7).generate_state(2, np.uint32)
    assert np.array_equal(Philox4x32(7).random_raw(100), Philox4x32(key=key).random_raw(100))
    assert np.array_equal(Philox4x32(7).state["state"]["key"], key)
    assert not np.array_equal(Philox4x32().random_raw(4), Philox4x32().random_raw(4))


def test_key_and_counter_as_integers():
    words = Philox4x32(key=[1, 2], counter=[3, 4, 5, 6]).random_raw(8)
    counter = 3 | 4 << 32 | 5 << 64 | 6 << 96
    assert np.array_equal(words, Philox4x32(key=1 | 2 << 32, counter=counter).random_raw(8))


def test_counter_wraps():
    generator = Philox4x32(key=0, counter=2**128 - 1)
    generator.random_raw(4)
    assert tuple(generator.random_raw(4)) == KNOWN[0][2]


@pytest.mark.parametrize("used", range(9))
def test_advance_skips_blocks_and_the_rest_of_one(used):
    """As NumPy's Philox, whose blocks are of four words as well."""
    ours, theirs = Philox4x32(key=1), np.random.Philox(key=1)
    ours.random_raw(used)
    theirs.random_raw(used)
    before = int(theirs.state["state"]["counter"][0])
    assert ours.advance(3) is ours
    theirs.advance(3)
    skipped = int(theirs.state["state"]["counter"][0]) - before
    start = -(-used // 4) + skipped
    assert np.array_equal(ours.random_raw(6), Philox4x32(key=1, counter=start).random_raw(6))
    assert np.array_equal(ours.advance(-5).random_raw(1), Philox4x32(key=1, counter=start - 3).random_raw(1))


def test_jumped_is_the_next_stream():
    generator = Philox4x32(7)
    generator.random_raw(5)
    state = generator.state
    jumped = generator.jumped(2)
    assert jumped is not generator and type(jumped) is Philox4x32
    assert np.array_equal(jumped.state["state"]["counter"], state["state"]["counter"] + np.array([0, 0, 2, 0], np.uint32))
    assert str(generator.state) == str(state)
    assert np.array_equal(jumped.random_raw(4), Philox4x32(7, counter=2 | 2 << 64).random_raw(4))
    assert np.array_equal(Philox4x32(7).jumped().random_raw(4), Philox4x32(7, counter=2**64).random_raw(4))


def test_names_are_streams_of_the_generator():
    stream = int.from_bytes(hashlib.sha256(b"layer1/weight").digest()[:8], "little")
    drawn = np.random.Generator(Philox4x32(7, counter=stream << 64)).random(1000)
    assert np.array_equal(drawn, xf.init.uniform((1000,), rng=7, name="layer1/weight", dtype=np.float64))


def test_spawn():
    children = Philox4x32(7).spawn(2)
    expected = [Philox4x32(seed) for seed in np.random.SeedSequence(7).spawn(2)]
    for child, other in zip(children, expected, strict=True):
        assert np.array_equal(child.random_raw(10), other.random_raw(10))
    with pytest.raises(TypeError, match="spawn"):
        Philox4x32(key=7).spawn(1)


@pytest.mark.parametrize("make", [lambda: Philox4x32(7), lambda: Philox4x32(key=[1, 2], counter=2**70)])
@pytest.mark.parametrize("used", [0, 1, 4, 6])
def test_state_and_pickle(make, used):
    generator = make()
    generator.random_raw(used)
    other = Philox4x32(9)
    other.state = generator.state
    others = [other, copy.copy(generator), copy.deepcopy(generator),
              *(pickle.loads(pickle.dumps(generator, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1))]
    expected = generator.random_raw(9)
    for one in others:
        assert type(one) is Philox4x32 and np.array_equal(one.random_raw(9), expected)
    whole = pickle.loads(pickle.dumps(np.random.Generator(generator)))
    assert np.array_equal(whole.bit_generator.random_raw(9), generator.random_raw(9))


def test_copies_spawn_as_the_original():
    for other in (pickle.loads(pickle.dumps(Philox4x32(7))), copy.copy(Philox4x32(7)), copy.deepcopy(Philox4x32(7))):
        assert np.array_equal(other.spawn(1)[0].random_raw(4), Philox4x32(7).spawn(1)[0].random_raw(4))
        (child,), (expected,) = (pickle.loads(pickle.dumps(one.spawn(1))) for one in (other, Philox4x32(7).spawn(1)[0]))
        assert type(child) is type(expected) is Philox4x32


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_name_the_public_place(protocol):
    read = pickletools.genops(pickle.dumps(Philox4x32(7), protocol))
    named = {argument for _, argument, _ in read if isinstance(argument, str)}
    assert not [name for name in named if "xentfast.random._" in name]
    assert [name for name in named if name.split()[0] == "xentfast.random"]
    assert repr(Philox4x32) == "<class 'xentfast.random.Philox4x32'>" and Philox4x32.__module__ == "xentfast.random"


def test_pickles_from_before_are_read():
    """They name the module that the class is compiled in."""
    before = pickle.dumps(Philox4x32(7), 0).replace(b"cxentfast.random\n", b"cxentfast.random._philox\n")
    assert b"_philox" in before and np.array_equal(pickle.loads(before).random_raw(4), Philox4x32(7).random_raw(4))


def test_signature():
    """Whatever Cython compiled it."""
    assert str(inspect.signature(Philox4x32)) == "(seed=None, *, key=None, counter=0)"
    assert Philox4x32.__doc__.split()[0] == "Philox4x32-10,"


GOOD = Philox4x32(7).state


@pytest.mark.parametrize(("bad", "error", "message"), [
    (3, TypeError, "state is of type int; expected a dict"),
    ({}, ValueError, "state is of a None; expected that of a Philox4x32"),
    (GOOD | {"bit_generator": "Philox"}, ValueError, "state is of a Philox; expected that of a Philox4x32"),
    (GOOD | {"bit_generator": np.zeros(2)}, ValueError, "expected that of a Philox4x32"),
    *[({name: part for name, part in GOOD.items() if name != missing}, ValueError,
       f"state has no '{missing}'; expected 'bit_generator', 'state', 'buffer' and 'buffer_pos'")
      for missing in ("state", "buffer", "buffer_pos")],
    (GOOD | {"state": [0] * 6}, TypeError, r"state\['state'\] is of type list; expected a dict"),
    (GOOD | {"state": {"key": [1, 2]}}, ValueError, r"state\['state'\] has no 'counter'; expected 'key' and 'counter'"),
    (GOOD | {"state": {"counter": [0] * 4}}, ValueError, r"state\['state'\] has no 'key'"),
    (GOOD | {"state": {"key": [1], "counter": [0] * 4}}, ValueError, r"state\['state'\]\['key'\] is \[1\]; expected 2 words"),
    (GOOD | {"state": {"key": [1, 2], "counter": [0, 0, 0, -1]}}, ValueError, "counter.* is .*; expected 4 words, each from 0"),
    (GOOD | {"state": {"key": [1, 2], "counter": None}}, TypeError, r"\['counter'\] is None; expected an integer or 4 words"),
    (GOOD | {"state": {"key": [1, [2]], "counter": 0}}, TypeError, r"\['key'\] is \[1, \[2\]\]; expected an integer or 2 words"),
    (GOOD | {"state": {"key": np.ones((2, 1), np.uint32), "counter": 0}}, TypeError, r"\['key'\] is array"),
    (GOOD | {"buffer": [0, 0, 0, 2**32]}, ValueError, r"state\['buffer'\] is"),
    (GOOD | {"buffer": np.zeros(4)}, TypeError, r"state\['buffer'\] is array.*; expected an integer or 4 words"),
    (GOOD | {"buffer_pos": 5}, ValueError, r"state\['buffer_pos'\] is 5; expected 0 to 4"),
    (GOOD | {"buffer_pos": -1}, ValueError, r"state\['buffer_pos'\] is -1; expected 0 to 4"),
    (GOOD | {"buffer_pos": 2**70}, ValueError, r"state\['buffer_pos'\] is 1180591620717411303424; expected 0 to 4"),
    (GOOD | {"buffer_pos": 1.0}, TypeError, r"state\['buffer_pos'\] is 1.0; expected an integer"),
])
def test_bad_state_leaves_the_generator_as_it_was(bad, error, message):
    generator = Philox4x32(7)
    with pytest.raises(error, match=message):
        generator.state = bad
    assert np.array_equal(generator.random_raw(1), Philox4x32(7).random_raw(1))


@pytest.mark.parametrize("n", [2**70, -2**70, 2**128 + 3])
def test_blocks_are_counted_modulo_2_to_the_128th(n):
    assert np.array_equal(Philox4x32(7).advance(n).random_raw(4), Philox4x32(7, counter=n % 2**128).random_raw(4))
    assert np.array_equal(Philox4x32(7).jumped(n).random_raw(4), Philox4x32(7, counter=(n << 64) % 2**128).random_raw(4))


def test_carries_go_from_word_to_word():
    generator = Philox4x32(7, counter=2**96 - 1)
    assert np.array_equal(generator.advance(1).random_raw(4), Philox4x32(7, counter=2**96).random_raw(4))
    assert np.array_equal(generator.advance(-2).random_raw(4), Philox4x32(7, counter=2**96 - 1).random_raw(4))


OUT_OF_MEMORY = """
import _testcapi
from xentfast.random import Philox4x32

# Words that are objects of their own; Python keeps those of small numbers.
generator, expected = (Philox4x32(key=[2**31, 2**30], counter=[2**29, 2**28, 2**27, 2**26]) for _ in range(2))
expected = expected.random_raw(1)
state = generator.state

def each(call):
    for n in range(1000):                   # the n-th allocation fails
        _testcapi.set_nomemory(n, n + 1)
        try:
            call()
            return n
        except (MemoryError, RuntimeError): # the latter of a lock
            pass
        finally:
            _testcapi.remove_mem_hooks()

for call in (lambda: generator.state, lambda: setattr(generator, "state", state), lambda: generator.advance(0)):
    assert each(call) > 3, "no allocation failed"
assert generator.jumped().random_raw(1) and generator.random_raw(1) == expected
assert each(generator.jumped) > 10
"""


def test_no_memory():
    """Is an error, not a crash. Python's own allocator keeps its lists in freed memory: what is written there shows."""
    pytest.importorskip("_testcapi")
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    if free_threaded and sys.version_info < (3, 14):
        pytest.skip("this Python crashes by itself, in a list comprehension")
    allocator = "mimalloc" if free_threaded else "pymalloc"
    done = subprocess.run([sys.executable, "-P", "-X", "faulthandler", "-c", OUT_OF_MEMORY], timeout=120, capture_output=True,
                          text=True, env=os.environ | {"PYTHONMALLOC": allocator})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("given", "error", "message"), [
    ({"seed": 1, "key": 2}, ValueError, "both"), ({"key": -1}, ValueError, "key"), ({"key": 2**64}, ValueError, "key"),
    ({"key": [1, 2, 3]}, ValueError, "key"), ({"key": 1.5}, TypeError, "key"), ({"key": True}, TypeError, "key"),
    ({"counter": 2**128}, ValueError, "counter"), ({"counter": "0"}, TypeError, "counter"),
    ({"seed": -1}, ValueError, "seed is -1; expected None, a non-negative integer"), ({"seed": 1.5}, TypeError, "seed is 1.5"),
    ({"key": [[1], 2]}, TypeError, "key"), ({"counter": [0, 0, 0, -1]}, ValueError, "counter")])
def test_bad_arguments(given, error, message):
    with pytest.raises(error, match=message):
        Philox4x32(**given)


def test_threads_share_a_generator():
    """NumPy's Generator holds the lock: no word is drawn twice."""
    generator = np.random.Generator(Philox4x32(7))
    drawn = [None] * 4

    def draw(i):
        drawn[i] = np.concatenate([generator.random(1000) for _ in range(20)])
    threads = [threading.Thread(target=draw, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(np.sort(np.concatenate(drawn)), np.sort(np.random.Generator(Philox4x32(7)).random(80_000)))
