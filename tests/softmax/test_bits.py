"""Guarantee 1: the same bits on every level, for any number of threads, any memory layout, by every route."""

import hashlib

import numpy as np
import pytest
from bad_outputs import SWAPPED
from routes import LEVELS, THREADS, by_every_route, everything, layouts, little_endian, problem

import xentfast as xf
from xentfast._base.level import policy

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

AWKWARD = [1, 2, 3, 5, 7, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 1000, 1024, 1025, 2048, 2049, 5000]
DTYPES = [np.float32, np.float64]
OPTIONS = {"plain": {}, "weighted": {"weight": True, "sample_weight": True}, "smoothed": {"label_smoothing": 0.1},
           "all": {"weight": True, "sample_weight": True, "label_smoothing": 0.3}}


def options(name, n_rows, n_classes):
    rng = np.random.default_rng(7)
    given = {"weight": rng.random(n_classes), "sample_weight": rng.integers(0, 4, n_rows) / 2}
    return {key: given.get(key, value) for key, value in OPTIONS[name].items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", AWKWARD)
def test_levels_threads_and_routes(use_level, n_classes, dtype):
    logits, targets = problem(37, n_classes, dtype)
    soft = problem(37, n_classes, dtype, soft=True)[1]
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in THREADS:
            seen.add((by_every_route(logits, targets, reduction="none", n_threads=n_threads),
                      by_every_route(logits[9:], targets[9:], n_threads=n_threads),
                      by_every_route(logits, soft, reduction="sum", n_threads=n_threads),
                      everything(logits, n_threads)))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [3, 33, 97, 2049])
def test_options(use_level, n_classes, soft, name, dtype):
    logits, targets = problem(37, n_classes, dtype, soft)
    given = options(name, 37, n_classes)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 3):
            for x in layouts(logits):
                seen.add(by_every_route(x, targets, reduction="none", n_threads=n_threads, **given))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [1, 2, 10, 33, 97, 1025, 3000])
def test_layouts(level, n_classes, dtype):
    logits, targets = problem(70, n_classes, dtype)
    seen = {(by_every_route(x, targets, reduction="none"), everything(x, None)) for x in layouts(logits)}
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [*range(1, 19), 32])
def test_few_classes(level, n_classes, dtype):
    """However many rows are settled together, whatever stands in the others, and by which of the ways to leave a target out."""
    largest = float(np.finfo(dtype).max)
    logits, targets = problem(130, n_classes, dtype)
    rng = np.random.default_rng(n_classes)
    odd = rng.choice([np.nan, np.inf, -np.inf, largest, -largest, 0.0, -0.0, 1e-40, 300.0], logits.shape).astype(dtype)
    logits = np.where(rng.random(logits.shape) < 0.2, odd, logits)
    logits[7] = -np.inf
    targets[::9] = -100

    def results(x, t, **given):
        loss, grad = xf.softmax_cross_entropy_value_and_grad(x, t, ignore_index=-100, reduction="none", **given)
        assert np.array_equal(xf.softmax_cross_entropy(x, t, ignore_index=-100, reduction="none", **given), loss, equal_nan=True)
        return np.concatenate([loss[:, None], grad], 1)

    want, sums = results(logits, targets), xf.logsumexp(logits)
    for rows in (1, 5, 31, 32, 33, 63, 64, 65, 97):
        for first in (0, 2):
            part = slice(first, first + rows)
            assert results(logits[part], targets[part]).tobytes() == want[part].tobytes()
            assert xf.logsumexp(logits[part]).tobytes() == sums[part].tobytes()
    for given in ({"where": np.ones(n_classes, bool)}, {"sample_weight": np.ones(130)}, {"weight": np.ones(n_classes)}):
        assert results(logits, targets, **given).tobytes() == want.tobytes()
    assert results(np.asfortranarray(logits), targets).tobytes() == want.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["plain", "smoothed"])
@pytest.mark.parametrize("n_classes", [10, 97, 1000, 5000])
def test_references_near_and_far(use_level, n_classes, name, dtype):
    """Rows whose reference is a power of two, rows whose largest logit is taken off, and rows that have chunks of both kinds."""
    logits, targets = problem(70, n_classes, dtype)
    rng = np.random.default_rng(3)
    limit = 266 if dtype == np.float32 else 2112
    logits += rng.choice([-limit / 2, 0, limit, 1e4, -1e5], (70, 1)).astype(dtype)
    logits[::2] += (rng.choice([0, limit, -limit], (35, n_classes)) * (rng.random((35, n_classes)) < 0.01)).astype(dtype)
    given = options(name, 70, n_classes)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for scale in (1.0, 0.3):
            for x in layouts(logits):
                seen.add((scale, by_every_route(x, targets, reduction="none", logit_scale=scale, n_threads=2, **given),
                          everything(x, 2)))
    assert len(seen) == 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 97, 1000, 5000])
def test_in_place_on_views(n_classes, dtype):
    logits, targets = problem(40, n_classes, dtype)
    for given in ({}, {"label_smoothing": 0.1}):
        want_loss, want_grad = xf.softmax_cross_entropy_value_and_grad(logits, targets, reduction="none", **given)
        for n_threads in THREADS:
            for view in (logits[::-1].copy()[::-1], logits[:, ::-1].copy()[:, ::-1], np.repeat(logits, 3, axis=1)[:, ::3],
                         np.repeat(logits, 2, axis=0)[::2], np.asfortranarray(logits)):
                loss, grad = xf.softmax_cross_entropy_value_and_grad(
                    view, targets, reduction="none", out=view, n_threads=n_threads, **given)
                assert grad is view and loss.tobytes() == want_loss.tobytes() and grad.tobytes() == want_grad.tobytes()
    for function in (xf.softmax, xf.log_softmax):
        view = logits[:, ::-1].copy()[:, ::-1]
        want = function(logits).tobytes()
        assert function(view, out=view).tobytes() == want


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [1, 3, 64, 97, 2100])
def test_class_axis(level, n_classes, dtype):
    """(N, C, H, W) gives what (N, H, W, C) gives, transposed; views of other strides too."""
    logits, targets = problem(2 * 5 * 9, n_classes, dtype)
    last, targets = logits.reshape(2, 5, 9, n_classes), targets.reshape(2, 5, 9)
    want_loss, want_grad = xf.softmax_cross_entropy_value_and_grad(last, targets, reduction="none")
    for axis in range(4):
        moved = np.ascontiguousarray(np.moveaxis(last, -1, axis))
        for x in (moved, np.asfortranarray(moved), moved[::-1].copy()[::-1]):
            loss, grad = xf.softmax_cross_entropy_value_and_grad(x, targets, axis=axis, reduction="none")
            assert loss.tobytes() == want_loss.tobytes()
            assert np.ascontiguousarray(np.moveaxis(grad, axis, -1)).tobytes() == want_grad.tobytes()
            normal = xf.log_softmax(x, axis)
            assert np.ascontiguousarray(np.moveaxis(normal, axis, -1)).tobytes() == xf.log_softmax(last).tobytes()


@pytest.mark.parametrize("shape", [(1, 70_001), (2, 12_000), (3, 9_000), (70_000, 3)])
def test_wide_and_long(use_level, shape):
    """Rows cut over threads, and more rows than one span holds."""
    logits, targets = problem(*shape, np.float32)
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in THREADS:
            seen.add((by_every_route(logits, targets, n_threads=n_threads), everything(logits, n_threads)))
    assert len(seen) == 1


def test_past_the_cache(monkeypatch, level):
    """Non-temporal stores write the same numbers, wherever rows begin."""
    logits, targets = problem(9, 3001, np.float32)
    smooth = {"label_smoothing": 0.1}
    want = [xf.softmax_cross_entropy_grad(logits, targets, n_threads=2, **given) for given in ({}, smooth)]
    want.append(xf.softmax(logits))
    monkeypatch.setattr(policy, "stream_bytes", 0)
    for offset in range(3):
        out = np.empty(logits.size + 16, np.float32)[offset:][:logits.size].reshape(logits.shape)
        for given, wanted in zip(({}, smooth), want, strict=False):
            xf.softmax_cross_entropy_grad(logits, targets, out=out, n_threads=2, **given)
            assert out.tobytes() == wanted.tobytes()
        assert xf.softmax(logits, out=out).tobytes() == want[2].tobytes()


def test_integer_targets_of_every_dtype(level):
    logits, targets = problem(40, 50, np.float32)
    targets = np.abs(targets) % 50
    want = xf.softmax_cross_entropy(logits, targets, reduction="none").tobytes()
    for code in "bhilqBHILQ":
        assert xf.softmax_cross_entropy(logits, targets.astype(code), reduction="none").tobytes() == want
    assert xf.softmax_cross_entropy(logits, targets.astype(np.dtype(np.int32).newbyteorder()), reduction="none").tobytes() == want
    assert xf.softmax_cross_entropy(logits.astype(SWAPPED), targets, reduction="none").tobytes() == want
    shifted = np.frombuffer(b"-" + logits.tobytes(), np.uint8)[1:].view(np.float32).reshape(logits.shape)
    assert not shifted.flags.aligned and xf.softmax_cross_entropy(shifted, targets, reduction="none").tobytes() == want
    soft = np.eye(50, dtype=np.float32)[targets]
    assert xf.softmax_cross_entropy(logits, soft).tobytes() == xf.softmax_cross_entropy(logits, soft.astype(SWAPPED)).tobytes()


# SHA-256 of what a release gives; a change needs a line under "Numerics" in CHANGELOG.md.
GOLDEN = {
    np.float32: "0225187bdc4b2cb35dd48875665da3b74336deaa1397dd0fd0535f73013a8c57",
    np.float64: "8dbc6eb39b0a82cff75d915dd6a545bf82420bb4694cabdc77d0202d0f779d77",
}


@pytest.mark.parametrize("dtype", DTYPES)
def test_outputs_are_those_of_the_release(level, dtype):
    """For any compiler and processor."""
    digest = hashlib.sha256()
    for n_rows, n_classes in ((40, 1), (70, 10), (33, 97), (9, 1000), (3, 5000)):
        scramble = np.arange(1, n_rows * n_classes + 1, dtype=np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
        x = (scramble.astype(dtype) / dtype(2**28) - 8).reshape(n_rows, n_classes)
        targets = np.arange(n_rows) * 7 % n_classes
        soft = (scramble % np.uint64(17)).astype(dtype).reshape(x.shape) / dtype(16)
        weights = {"weight": np.arange(n_classes) % 5 / 4 + 0.25, "sample_weight": np.arange(n_rows) % 3 / 2}
        for t in (targets, soft):
            for given in ({}, {**weights, "label_smoothing": 0.1}):
                for part in xf.softmax_cross_entropy_value_and_grad(x, t, reduction="none", **given):
                    digest.update(little_endian(part))
                digest.update(little_endian(xf.softmax_cross_entropy(x, t, **given)))
        for part in everything(x, None):
            digest.update(part)
    assert digest.hexdigest() == GOLDEN[dtype]


@pytest.mark.parametrize("n_classes", [3, 97, 2049])
def test_flush_to_zero_mode_of_the_caller(level, flush_to_zero, n_classes):
    rng = np.random.default_rng(3)
    logits = (rng.standard_normal((64, n_classes)) * 45).astype(np.float32)
    logits[0] = 1e-40 * np.arange(n_classes)                        # subnormal logits
    targets, hard = logits.argmax(1), logits > 0
    weights = np.full(64, 1e-310)                                   # subnormal weights that must not become 0
    weights[32:] = 1e-300

    def run():
        return [by_every_route(logits, targets, reduction="none"),
                by_every_route(logits, targets, sample_weight=weights, n_threads=2),
                everything(logits, 2),
                *(part.tobytes() for given in ({}, {"sample_weight": weights[:, None]}, {"focal_gamma": 1.5})
                  for part in xf.sigmoid_cross_entropy_value_and_grad(logits, hard, **given))]

    want = run()
    flush_to_zero(True)
    assert np.float32(1e-38) * np.float32(0.01) == 0                # the mode is on
    got = run()
    flush_to_zero(False)
    assert got == want
