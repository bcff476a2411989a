"""A ready key is what its seed would give; plain initialisers, which go past Python, give what the function gives."""

import copy
import functools
import inspect
import pickle

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

SCALED = [xf.init.xavier_uniform, xf.init.xavier_normal, xf.init.he_uniform, xf.init.he_normal, xf.init.lecun_uniform,
          xf.init.lecun_normal]
PLAIN = [*SCALED, xf.init.uniform, xf.init.normal]
NAMES = [function.__name__ for function in PLAIN]
SEEDS = [0, 7, 2**32 - 1, 2**32, 2**100, [1, 2, 3], np.random.SeedSequence(5), np.int64(9)]


@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_a_key_is_taken_as_it_is(seed):
    key = xf.random.key(seed)
    assert isinstance(key, int)
    assert isinstance(key, xf.random.Key)
    assert xf.random.key(key) is key
    again = pickle.loads(pickle.dumps(key))
    assert (type(again), again) == (type(key), key)
    assert copy.deepcopy(key) == key
    assert repr(key) == f"Key({hex(key)})"
    for initialiser in (xf.init.normal, xf.init.truncated_normal, xf.init.orthogonal):
        assert np.array_equal(initialiser((4, 3), rng=key, name="w"), initialiser((4, 3), rng=seed, name="w"))
    words = np.random.SeedSequence(seed).generate_state(2, np.uint32) if not isinstance(seed, np.random.SeedSequence) else (
        seed.generate_state(2, np.uint32))
    assert key == int(words[0]) | int(words[1]) << 32
    assert not np.array_equal(xf.init.normal((4, 3), rng=int(key)), xf.init.normal((4, 3), rng=key))   # an int is a seed


def test_a_key_serves_a_model_and_an_engine():
    key = xf.random.Key(2**63 + 5)
    model = xf.init.fill({"a": (xf.init.he_normal, (3, 4)), "b": (xf.init.uniform, (5,))}, rng=key)
    assert np.array_equal(model["b"], xf.init.uniform((5,), rng=key, name="b"))
    engine = np.random.Generator(xf.random.Philox4x32(key=key))
    assert np.array_equal(engine.random(6, np.float32), xf.init.uniform((6,), rng=key))


@pytest.mark.parametrize("bad", [-1, 2**64, 1.0, "7", None, True, np.float64(3)], ids=repr)
def test_what_is_no_key(bad):
    with pytest.raises((ValueError, TypeError), match="bits is"):
        xf.random.Key(bad)


def outcome(function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return type(error), str(error)
    return result.dtype, result.shape, result.tobytes()


@pytest.mark.parametrize("function", PLAIN, ids=NAMES)
@pytest.mark.parametrize("shape", [(3,), (4, 5), (300, 70), (2, 3, 4), (2, 3, 4, 5), (1, 1), (0, 3), (), 7, [2, 3], (2, -1),
                                   (2, 2.0), (True, 2), (2, 2, 2, 2, 2, 2, 2, 2, 2)], ids=str)
def test_plain_calls_give_what_the_function_gives(function, shape):
    general = function.__wrapped__
    options = [{}, {"name": "layer/weight"}, {"dtype": np.float64}, {"dtype": np.dtype(np.float64)}, {"dtype": "f4"},
               {"dtype": np.float16}, {"name": 3}, {"name": "\ud800"}, {"n_threads": 1}, {"n_threads": 0}, {"nothing": 1}]
    if function in SCALED:
        options += [{"gain": 2.5}, {"gain": 2}, {"gain": -1.0}, {"gain": float("nan")}, {"gain": 1e38}, {"fan_in": 3.0}]
    elif function is xf.init.uniform:
        options += [{"low": -1.0}, {"low": 2.0}, {"low": -3e38, "high": 3e38}, {"low": 1.0, "high": 1.0}, {"high": float("inf")}]
    else:
        options += [{"mean": 3.0, "std": 0.5}, {"std": -1.0}, {"std": 1e39}, {"mean": float("nan")}, {"std": 1}]
    for given in options:
        assert outcome(function, shape, rng=7, **given) == outcome(general, shape, rng=7, **given), given
    for rng in (*SEEDS, -1, "seed", True, 1.5):
        assert outcome(function, shape, rng=rng) == outcome(general, shape, rng=rng), rng
    # A generator is drawn from once, and not where something else is bad.
    draws = []
    for each in (function, general):
        generator = np.random.default_rng(3)
        outcome(each, shape, rng=generator)
        outcome(each, shape, rng=generator, dtype=np.int32)
        draws.append(generator.bit_generator.state)
    assert draws[0] == draws[1]


@pytest.mark.parametrize("function", PLAIN, ids=NAMES)
def test_outputs(function):
    general = function.__wrapped__
    whole = np.zeros((4, 10), np.float32)
    for out in (np.empty((4, 5), np.float32), np.empty((4, 5)), np.empty((5, 4), np.float32), whole[:, ::2],
                np.empty(20, np.float32), [[0.0]], None):
        assert outcome(function, (4, 5), rng=1, out=out) == outcome(general, (4, 5), rng=1, out=out)
    mine = np.empty((4, 5), np.float32)
    assert function((4, 5), rng=1, out=mine) is mine
    read_only = np.zeros((4, 5), np.float32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        function((4, 5), rng=1, out=read_only)
    assert not read_only.any()


@pytest.mark.parametrize("function", PLAIN, ids=NAMES)
def test_a_model_has_the_same(function):
    """In `fill` plain entries go past Python as well: shapes, arrays, and options by functools.partial."""
    name = "gain" if function in SCALED else "high" if function is xf.init.uniform else "std"
    own = np.empty((4, 5))
    model = xf.init.fill({"a": (function, (3, 4)), "b": (functools.partial(function, **{name: 0.5}), (3, 4)),
                          "c": (function, own), "d": (functools.partial(function, dtype=np.float16), (3, 4)),
                          "e": (function, [3, 4])}, rng=2)
    assert model["c"] is own
    assert np.array_equal(model["a"], function((3, 4), rng=2, name="a"))
    assert np.array_equal(model["b"], function((3, 4), rng=2, name="b", **{name: 0.5}))
    assert np.array_equal(own, function((4, 5), rng=2, name="c", dtype=np.float64))
    assert np.array_equal(model["d"], function((3, 4), rng=2, name="d", dtype=np.float16))
    assert np.array_equal(model["e"], function((3, 4), rng=2, name="e"))
    into = np.empty((3, 4), np.float32)
    with pytest.raises(ValueError, match="share memory"):
        xf.init.fill({"a": (function, into), "b": (functools.partial(function, out=into), (3, 4))}, rng=2)


@pytest.mark.parametrize("function", PLAIN, ids=NAMES)
def test_it_looks_like_a_function(function):
    assert inspect.isroutine(function)
    assert str(inspect.signature(function)) == str(inspect.signature(function.plan_of))
    assert pickle.loads(pickle.dumps(function)) is function


class Resizing(np.random.SeedSequence):
    """A seed that takes the array's memory away while its key is made."""

    def __init__(self, array):
        super().__init__(1)
        self.array = array

    def generate_state(self, *arguments):
        self.array.resize((1, 1), refcheck=False)
        return super().generate_state(*arguments)


def test_an_array_that_changes_meanwhile():
    for call in (lambda out: xf.init.normal((64, 64), rng=Resizing(out), out=out),
                 lambda out: xf.init.fill({"w": (xf.init.normal, out)}, rng=Resizing(out))):
        with pytest.raises(ValueError, match="another shape or dtype than when the call began"):
            call(np.zeros((64, 64), np.float32))
