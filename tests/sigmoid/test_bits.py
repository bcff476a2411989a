"""Guarantee 1 for sigmoid cross-entropy: the same bits on every level, for any number of threads, layout and route."""

import hashlib

import ml_dtypes
import numpy as np
import pytest
from routes import layouts, little_endian

import xentfast as xf
from xentfast._base import dispatch
from xentfast._base.level import policy

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

LEVELS = dispatch.supported_levels()
AWKWARD = [1, 2, 3, 5, 7, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 1000, 1023, 1024, 1025, 5000]
DTYPES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]
OPTIONS = {"plain": {}, "smoothed": {"label_smoothing": 0.1}, "weighted": {"pos_weight": True, "sample_weight": True},
           "focal": {"focal_gamma": 1.5}, "all": {"pos_weight": True, "sample_weight": True, "focal_gamma": 2.0},
           "where": {"where": True}, "ignored": {"ignore_index": 1},
           "masked": {"where": True, "ignore_index": 1, "label_smoothing": 0.1, "sample_weight": True}}


def problem(shape, dtype, soft=False, seed=0):
    """Logits with every kind of element, and targets."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal(shape) * 5).astype(dtype)
    flat = x.reshape(-1)
    if flat.size > 20:
        flat[[3, 5, 7, 11]] = np.nan, np.inf, -np.inf, -np.nan
        flat[12:20] *= np.asarray(20, dtype)
    return x, rng.random(shape).astype(dtype) if soft else rng.integers(0, 2, shape)


def options(name, shape):
    rng = np.random.default_rng(7)
    given = {"pos_weight": rng.random(shape[-1:]) * 3, "sample_weight": rng.integers(0, 4, (*shape[:-1], 1)).astype(np.float32),
             "where": rng.random(shape) < 0.7}
    return {key: given.get(key, value) for key, value in OPTIONS[name].items()}


def by_every_route(x, t, **given):
    """Loss, gradient and Hessian as bytes; the routes agree among themselves."""
    given = {"reduction": "mean", **given}
    loss = xf.sigmoid_cross_entropy(x, t, **given)
    grad = xf.sigmoid_cross_entropy_grad(x, t, **given)
    both = xf.sigmoid_cross_entropy_value_and_grad(x, t, **given)
    curved = xf.sigmoid_cross_entropy_grad_hess(x, t, **given)
    place = x.copy(order="K")
    in_place = xf.sigmoid_cross_entropy_value_and_grad(place, t, out=place, **given)
    again, strided = x.copy(order="K"), np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)[..., ::2]
    xf.sigmoid_cross_entropy_grad_hess(again, t, out=(again, strided), **given)
    assert loss.tobytes() == both[0].tobytes() == in_place[0].tobytes()
    assert grad.tobytes() == both[1].tobytes() == place.tobytes() == curved[0].tobytes() == again.tobytes()
    assert curved[1].tobytes() == strided.tobytes()
    return little_endian(loss), little_endian(grad), little_endian(strided)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", AWKWARD)
def test_levels_threads_and_routes(use_level, n, dtype):
    x, t = problem((n,), dtype)
    soft = problem((n,), dtype, soft=True)[1]
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 3):
            seen.add((by_every_route(x, t, reduction="none", n_threads=n_threads),
                      by_every_route(x[-3:], t[-3:], n_threads=n_threads),
                      by_every_route(x, soft, reduction="sum", n_threads=n_threads)))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("soft", [False, True])
def test_options_and_layouts(use_level, soft, name, dtype):
    shape = (5, 9, 67)
    x, t = problem(shape, dtype, soft)
    x[~np.isfinite(x.astype(np.float64))] = 1
    given = options(name, shape)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for place in layouts(x):
            seen.add(by_every_route(place, t, n_threads=2, **given))
        for targets in layouts(t):
            seen.add(by_every_route(x, targets, n_threads=1, **given))
    assert len(seen) == 1


@pytest.mark.parametrize("shape", [(300_000,), (3, 70_001), (70_001, 3)])
def test_many_blocks(use_level, shape):
    x, t = problem(shape, np.float32)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 2, 3, 5):
            seen.add(by_every_route(x, t, n_threads=n_threads))
            seen.add(by_every_route(np.asfortranarray(x), t, n_threads=n_threads))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1, 15, 33, 1000, 1024, 1025, 9001])
def test_past_the_cache(monkeypatch, level, size, dtype):
    """Non-temporal stores write the same numbers, wherever the output begins, and nothing beside it."""
    x, t = problem((size,), dtype)
    want = xf.sigmoid_cross_entropy_grad(x, t)
    monkeypatch.setattr(policy, "stream_bytes", 0)
    for offset in range(18):
        for n_threads in (1, 3):
            memory = np.full(size + 40, 7, dtype)
            out = memory[offset:offset + size]
            xf.sigmoid_cross_entropy_grad(x, t, out=out, n_threads=n_threads)
            assert out.tobytes() == want.tobytes() and np.all(memory[:offset] == 7) and np.all(memory[offset + size:] == 7)


# SHA-256 of what a release gives; a change needs a line under "Numerics" in CHANGELOG.md.
GOLDEN = {
    "float16": "a1d3490d54ced2f072067e33143fe80014e9f06217fefcc470831cd34857a432",
    "bfloat16": "7fd39dbe89646a1b65894d2566bd20b284e71c4e6aa9812c014e09fb6afa3e55",
    "float32": "5c2c4daf64484a9858b8f8e96bd6673f7c2290b75c3831debb003c141898ff3a",
    "float64": "f519d06067d5b4c5e67f41bd0fbafbbd20c47ae5801b016311c95947be880048",
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_are_those_of_the_release(level, dtype):
    """For any compiler and processor."""
    digest = hashlib.sha256()
    for shape in ((1,), (37, 41), (5000,)):
        n = int(np.prod(shape))
        scramble = (np.arange(1, n + 1, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)).reshape(shape)
        x = (scramble.astype(np.float64) / 2**26 - 32).astype(dtype)
        soft = scramble % np.uint64(17) / 16
        weights = {"pos_weight": 1 + np.arange(shape[-1]) % 5 / 4, "sample_weight": scramble % np.uint64(3)}
        for t in (scramble % np.uint64(2) == 0, soft):
            for given in ({}, {"label_smoothing": 0.1}, weights, {"focal_gamma": 2.0}, {**weights, "focal_gamma": 0.5}):
                digest.update(b"".join(by_every_route(x, t, reduction="none", **given)))
                digest.update(little_endian(xf.sigmoid_cross_entropy(x, t, **given)))
    assert digest.hexdigest() == GOLDEN[dtype.name]
