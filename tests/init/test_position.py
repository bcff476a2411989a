"""Guarantee 5: values depend on seed, name and position in the global array, and on nothing else."""

from functools import partial

import numpy as np
import pytest
from golden_weights import DIGESTS, DTYPES, FILLS, INITIALISERS, digest
from hypothesis import given, settings
from hypothesis import strategies as st

import xentfast as xf
from xentfast._base import dispatch
from xentfast._base.level import policy

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

LEVELS = dispatch.supported_levels()
SHAPES = [(), (0,), (1,), (63,), (64,), (65,), (1023,), (1025,), (40_000,),
          (3, 5), (257, 129), (37, 600), (3, 20, 300), (5, 0, 3), (3, 3, 16, 40), (70, 1, 3, 7)]


def same(a, b):
    """The same bits."""
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", INITIALISERS)
def test_golden_digests(level, name, dtype):
    """2²⁰ values of each random initialiser. They change only with an entry under Numerics in CHANGELOG.md."""
    assert digest(name, dtype) == DIGESTS[name, dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_levels_and_threads(use_level, name, dtype, shape):
    fill = partial(FILLS[name], shape, rng=3, name="layer", dtype=DTYPES[dtype])
    use_level("baseline")
    expected = fill(n_threads=1)
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 2, 3, 7):
            assert same(fill(n_threads=n_threads), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shape_does_not_matter(name, dtype, shape):
    fill = partial(FILLS[name], rng=3, name="layer", dtype=DTYPES[dtype])
    assert same(fill(shape).ravel(), fill((int(np.prod(shape)),)))
    assert same(fill((50_000,))[:int(np.prod(shape))], fill(shape).ravel())


def layouts(shape, dtype):
    """Outputs of the shape in other memory, with what lies around them."""
    array = np.zeros(shape, dtype)
    yield array, array
    array = np.zeros(shape, dtype, order="F")
    yield array, array
    around = np.full([2 * length + 3 for length in shape], 9, dtype)
    yield around[tuple(slice(1, 1 + 2 * length, 2) for length in shape) + (...,)], around
    around = np.full([length + 2 for length in shape], 9, dtype)
    inner = around[tuple(slice(1, 1 + length) for length in shape) + (...,)]
    yield inner[(slice(None, None, -1),) * len(shape) + (...,)], around
    around = np.full([length + 1 for length in shape[::-1]], 9, dtype)
    yield around[tuple(slice(0, length) for length in shape[::-1]) + (...,)].T, around
    unaligned = np.zeros(int(np.prod(shape)) + 1, dtype)[1:].reshape(shape)
    yield unaligned, unaligned


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_memory_layout_does_not_matter(name, dtype, shape):
    fill = partial(FILLS[name], shape, rng=3, name="layer", dtype=DTYPES[dtype])
    expected = fill()
    for out, around in layouts(shape, DTYPES[dtype]):
        assert fill(out=out, n_threads=3) is out
        assert same(np.ascontiguousarray(out).reshape(shape), expected)
        out[...] = 9
        assert np.all(around == 9)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1025,), (40_000,), (37, 600), (3, 3, 16, 40)])
def test_past_the_cache(monkeypatch, dtype, shape):
    """Large outputs are written by other stores, from their first whole cache line on."""
    fill = partial(xf.init.normal, shape, rng=3, name="layer", dtype=DTYPES[dtype])
    expected = fill()
    monkeypatch.setattr(policy, "stream_bytes", -1)
    for skipped in range(5):
        buffer = np.full(expected.size + 10, 9, DTYPES[dtype])
        out = buffer[skipped:skipped + expected.size].reshape(shape)
        assert same(fill(out=out, n_threads=3), expected)
        assert np.all(buffer[:skipped] == 9) and np.all(buffer[skipped + expected.size:] == 9)
    for out, _ in layouts(shape, DTYPES[dtype]):
        fill(out=out, n_threads=3)
        assert same(np.ascontiguousarray(out).reshape(shape), expected)


@st.composite
def parts(draw):
    """A shape, and an index into it."""
    shape = tuple(draw(st.lists(st.integers(0, 40), min_size=0, max_size=4)))
    index = []
    for length in shape:
        bounds = st.none() | st.integers(-length - 2, length + 2)
        choices = [st.builds(slice, bounds, bounds, st.sampled_from([None, 1]))]
        if length:
            choices.append(st.integers(-length, length - 1))
        index.append(draw(st.one_of(choices)))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(index)))
        stop = draw(st.integers(start, len(index)))
        index[start:stop] = [...]
    return shape, tuple(index[:draw(st.integers(0, len(index)))]) if ... not in index else tuple(index)


@settings(max_examples=300, deadline=None)
@given(parts(), st.sampled_from(sorted(FILLS)), st.sampled_from(sorted(DTYPES)))
def test_a_part_equals_the_same_part_of_the_whole(part, name, dtype):
    shape, index = part
    fill = partial(FILLS[name], shape, rng=3, name="layer", dtype=DTYPES[dtype])
    expected = np.asarray(fill()[index])
    assert same(fill(index=index), expected)
    out = np.zeros(expected.shape, expected.dtype, order="F")
    fill(index=index, out=out)
    assert same(np.ascontiguousarray(out).reshape(expected.shape), expected)


@pytest.mark.parametrize("index", [3, -1, slice(2, 5), (..., 3), (slice(4, 9), slice(100, 200)), np.int64(4), (slice(None), -1)])
@pytest.mark.parametrize("name", INITIALISERS)
def test_index_of_every_initialiser(name, index):
    make = partial(INITIALISERS[name], (40, 300), rng=3, name="layer")
    assert same(make(index=index), make()[index])


def test_shards_of_a_large_array_equal_the_whole():
    """Rows, columns and blocks; a part far behind in an array of terabytes."""
    shape = (2000, 3000)
    whole = xf.init.he_normal(shape, rng=1, name="w")
    for rows, columns in ((7, 1), (1, 7), (3, 5)):
        filled = np.zeros(shape, np.float32)
        for i in range(rows):
            for j in range(columns):
                index = (slice(i * 2000 // rows, (i + 1) * 2000 // rows), slice(j * 3000 // columns, (j + 1) * 3000 // columns))
                xf.init.he_normal(shape, rng=1, name="w", index=index, out=filled[index])
        assert same(filled, whole)


def test_far_positions_are_those_of_the_stream():
    """Element 2⁴⁰ + 5 of a global array of four terabytes takes word 1 of block 2³⁸ + 1; block numbers need their high word."""
    start = 2**40 + 4
    values = xf.init.uniform((2**41,), rng=7, index=slice(start, start + 100))
    generator = np.random.Generator(xf.random.Philox4x32(7, counter=start // 4))
    assert np.array_equal(values, generator.random(100, dtype=np.float32))
    values = xf.init.uniform((2**20, 2**21), rng=7, index=(-1, slice(-50, None)), dtype=np.float64)
    generator = np.random.Generator(xf.random.Philox4x32(7, counter=(2**41 - 50) // 2))
    assert np.array_equal(values, generator.random(50))


@pytest.mark.parametrize("name", INITIALISERS)
def test_names_and_seeds_make_other_values(name):
    make = partial(INITIALISERS[name], (64, 64))
    base = make(rng=3, name="layer")
    assert same(base, make(rng=3, name="layer"))
    for other in (make(rng=3), make(rng=3, name="layer2"), make(rng=4, name="layer")):
        # of sparse values 0.09 are zeros at the same place by chance; two bytes are the same now and then
        assert np.mean(other == base) < (0.13 if name == "sparse" else 0.001)


def test_rng_kinds():
    """Of the same seed an int, a list and a SeedSequence give the same key; generators advance; None differs each time."""
    uniform = partial(xf.init.uniform, (100,), name="w")
    assert same(uniform(rng=7), uniform(rng=[7]))
    assert same(uniform(rng=7), uniform(rng=np.random.SeedSequence(7)))
    assert same(uniform(rng=7), uniform(rng=np.int64(7)))
    generator = np.random.default_rng(7)
    first, second = uniform(rng=generator), uniform(rng=generator)
    assert not same(first, second)
    assert same(first, uniform(rng=np.random.default_rng(7)))
    assert same(first, uniform(rng=np.random.PCG64(7)))
    assert not same(uniform(rng=None), uniform(rng=None))
    sequence = np.random.SeedSequence(7)
    assert same(uniform(rng=sequence), uniform(rng=sequence))


def test_failed_call_does_not_advance_a_generator():
    generator = np.random.default_rng(7)
    with pytest.raises(ValueError, match="lower"):
        xf.init.truncated_normal((3,), lower=1, upper=0, rng=generator)
    assert same(xf.init.uniform((9,), rng=generator), xf.init.uniform((9,), rng=np.random.default_rng(7)))


def test_empty_outputs():
    for make in INITIALISERS.values():
        assert make((0, 5), rng=1).shape == (0, 5)
        assert make((5, 0), rng=1).shape == (5, 0)
        assert make((5, 4), rng=1, index=(slice(3, 3), slice(None))).shape == (0, 4)
