"""Guarantee 1 with options of the logits, and for 16 bits: the same bits on every level, for any number of threads, any memory
layout, class axis and route."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from routes import LEVELS, OPTIONS, THREADS, by_every_route, everything, layouts, options, problem

import xentfast as xf
from xentfast._base.level import policy

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

AWKWARD = [1, 2, 33, 97, 385, 2049, 5000]
SIXTEEN_BIT = [np.float16, ml_dtypes.bfloat16]
DTYPES = [np.float32, np.float64, *SIXTEEN_BIT]
WEIGHTED = {"weight": True, "sample_weight": True, "label_smoothing": 0.2}


def moved(array, axis):
    return np.ascontiguousarray(np.moveaxis(array, -1, axis))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["z_loss", "negative scale", "softcap", "where", "all"])
def test_levels_threads_and_routes(use_level, name, dtype):
    for n_classes in AWKWARD:
        logits, targets = problem(37, n_classes, dtype)
        plain = options(name, 37, n_classes)
        seen = set()
        for level in LEVELS:
            use_level(level)
            for n_threads in THREADS if n_classes in (97, 5000) else (1, 3):
                seen.add(by_every_route(logits, targets, reduction="none", n_threads=n_threads, **plain))
        assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OPTIONS)
def test_soft_targets_weights_and_smoothing(use_level, name, dtype):
    for n_classes, soft in itertools.product((3, 33, 385, 2049), (False, True)):
        logits, targets = problem(37, n_classes, dtype, soft)
        given = options(name, 37, n_classes, WEIGHTED)
        seen = set()
        for level, n_threads in itertools.product(LEVELS, (1, 3)):
            use_level(level)
            seen.add(by_every_route(logits, targets, reduction="none", n_threads=n_threads, **given))
        assert len(seen) == 1, (n_classes, soft)
        both = xf.softmax_cross_entropy_value_and_grad(logits[9:18], targets[9:18], **options(name, 9, n_classes))
        for level, n_threads in itertools.product(LEVELS, (1, 5)):
            use_level(level)
            again = by_every_route(logits[9:18], targets[9:18], n_threads=n_threads, **options(name, 9, n_classes))
            assert again == tuple(part.tobytes() for part in both), (n_classes, soft)


@pytest.mark.parametrize("dtype", SIXTEEN_BIT)
@pytest.mark.parametrize("more", [{}, WEIGHTED])
@pytest.mark.parametrize("soft", [False, True])
def test_sixteen_bit(use_level, soft, more, dtype):
    """Without options, and the softmax family."""
    for n_classes in (*AWKWARD, 7, 16, 64, 1025, 2048):
        logits, targets = problem(37, n_classes, dtype, soft)
        given = {key: value for key, value in options("where", 37, n_classes, more).items() if key != "where"}
        seen = set()
        for level, n_threads in itertools.product(LEVELS, (1, 3)):
            use_level(level)
            seen.add((by_every_route(logits, targets, reduction="none", n_threads=n_threads, **given),
                      everything(logits, n_threads)))
        assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["where", "scale and softcap", "all"])
@pytest.mark.parametrize("soft", [False, True])
def test_layouts(use_level, soft, name, dtype):
    """Of the logits, the targets and the mask, each in turn."""
    for n_classes, more in itertools.product((3, 97, 2100), ({}, {"label_smoothing": 0.1})):
        logits, targets = problem(37, n_classes, dtype, soft)
        given = options(name, 37, n_classes, more)
        seen = set()
        for level in (LEVELS[0], LEVELS[-1]):
            use_level(level)
            seen |= {by_every_route(x, targets, reduction="none", **given) for x in layouts(logits)}
            if soft:
                seen |= {by_every_route(logits, t, reduction="none", **given) for t in layouts(targets)}
            if "where" in given:
                seen |= {by_every_route(logits, targets, reduction="none", **{**given, "where": mask})
                         for mask in layouts(given["where"])}
        assert len(seen) == 1, (n_classes, more)


@pytest.mark.parametrize("dtype", SIXTEEN_BIT)
def test_layouts_of_sixteen_bit(use_level, dtype):
    for n_classes in (1, 2, 10, 33, 97, 1025, 3000):
        logits, targets = problem(70, n_classes, dtype)
        seen = set()
        for level in (LEVELS[0], LEVELS[-1]):
            use_level(level)
            seen |= {(by_every_route(x, targets, reduction="none"), everything(x, None)) for x in layouts(logits)}
        assert len(seen) == 1, n_classes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["z_loss", "negative scale", "softcap", "where", "all"])
def test_class_axis(use_level, name, dtype):
    """(N, C, H, W) gives what (N, H, W, C) gives, transposed."""
    for n_classes, soft in itertools.product((1, 3, 97, 2100), (False, True)):
        logits, targets = problem(90, n_classes, dtype, soft)
        given = options(name, 90, n_classes, {"label_smoothing": 0.1} if n_classes == 97 else {})
        shape = (2, 5, 9, n_classes)
        last, targets = logits.reshape(shape), targets.reshape(shape if soft else shape[:-1])
        mask = given.pop("where", np.bool_(True)).reshape(shape if "where" in OPTIONS[name] else ())
        want_loss, want_grad = xf.softmax_cross_entropy_value_and_grad(last, targets, where=mask, reduction="none", **given)
        use_level(LEVELS[n_classes % len(LEVELS)])
        for axis in range(3):
            x, t = moved(last, axis), moved(targets, axis) if soft else targets
            for place in (None, x.copy()):
                loss, grad = xf.softmax_cross_entropy_value_and_grad(
                    x if place is None else place, t, axis=axis, reduction="none", out=place, n_threads=2,
                    where=moved(mask, axis) if mask.shape else mask, **given)
                assert loss.tobytes() == want_loss.tobytes(), (n_classes, axis)
                assert np.ascontiguousarray(np.moveaxis(grad, axis, -1)).tobytes() == want_grad.tobytes(), (n_classes, axis)


@pytest.mark.parametrize("shape", [(1, 200_000), (3, 196_609), (9, 70_001)])
@pytest.mark.parametrize("dtype", SIXTEEN_BIT)
def test_wide_rows_of_sixteen_bit(use_level, dtype, shape):
    """Cut over threads; and too long for a thread's row of exponentials."""
    logits, targets = problem(*shape, dtype)
    for given in ({}, {"softcap": 5.0, "label_smoothing": 0.1}):
        seen = set()
        for level, n_threads in itertools.product((LEVELS[0], LEVELS[-1]), (1, 2, 5)):
            use_level(level)
            both = xf.softmax_cross_entropy_value_and_grad(logits, targets, n_threads=n_threads, **given)
            place = logits.copy()
            xf.softmax_cross_entropy_grad(place, targets, out=place, n_threads=n_threads, **given)
            assert place.tobytes() == both[1].tobytes()
            seen.add((both[0].tobytes(), both[1].tobytes(), everything(logits, n_threads) if not given else None))
        assert len(seen) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["where", "all"])
def test_wide_rows(use_level, name, dtype):
    for shape in ((1, 70_001), (2, 12_000), (7_000, 3)):
        logits, targets = problem(*shape, dtype)
        given = options(name, shape[0] + 2, shape[1])
        given["where"] = given["where"][-shape[0]:]
        given["where"][np.arange(shape[0]), np.maximum(targets, 0)] = True
        seen = set()
        for level, n_threads in itertools.product((LEVELS[0], LEVELS[-1]), (1, 2, 5)):
            use_level(level)
            seen.add(by_every_route(logits, targets, n_threads=n_threads, **given))
        assert len(seen) == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_past_the_cache(monkeypatch, dtype):
    """Stores that go past the cache write the same numbers, wherever rows begin."""
    logits, targets = problem(9, 3001, dtype)
    given = [options("all", 9, 3001), options("softcap", 9, 3001, {"label_smoothing": 0.1}), options("scale", 9, 3001), {}]
    want = [xf.softmax_cross_entropy_grad(logits, targets, n_threads=2, **one).tobytes() for one in given]
    monkeypatch.setattr(policy, "stream_bytes", 0)
    for offset, level in itertools.product(range(3), LEVELS):
        out = np.empty(logits.size + 16, dtype)[offset:][:logits.size].reshape(logits.shape)
        for one, wanted in zip(given, want, strict=True):
            assert xf.softmax_cross_entropy_grad(logits, targets, out=out, n_threads=2, **one).tobytes() == wanted, level


@pytest.mark.parametrize("dtype", DTYPES)
def test_soft_targets_of_every_dtype(dtype):
    """What the four dtypes can all hold gives the same bits."""
    logits, _ = problem(20, 300, dtype)
    soft = np.random.default_rng(1).integers(0, 8, logits.shape) / 8
    given = options("all", 20, 300, {"label_smoothing": 0.25})
    assert len({by_every_route(logits, soft.astype(other), reduction="none", **given) for other in DTYPES}) == 1
    assert len({by_every_route(logits, soft.astype(other), weight=np.arange(300)) for other in DTYPES}) == 1


def test_weights_of_every_dtype():
    logits, targets = problem(20, 300, np.float32)
    weights = np.arange(300) / 512, np.arange(20) / 32
    seen = set()
    for dtype in DTYPES:
        weight, sample_weight = (w.astype(dtype) for w in (weights[0] // (1 / 16) / 16, weights[1]))
        seen.add(by_every_route(logits, targets, weight=weight, sample_weight=sample_weight))
    assert len(seen) == 1


def test_other_byte_orders_and_alignments():
    """Of the operands that 16 bits and options bring."""
    logits, targets = problem(20, 300, np.float16)
    soft = np.eye(300, dtype=np.float16)[np.abs(targets)]
    want = by_every_route(logits, soft, reduction="none")
    swapped = by_every_route(logits, soft.astype(">f2"), reduction="none")
    loss, grad = xf.softmax_cross_entropy_value_and_grad(logits.astype(">f2"), soft, reduction="none")
    shifted = np.frombuffer(b"-" + logits.tobytes(), np.uint8)[1:].view(np.float16).reshape(logits.shape)
    assert not shifted.flags.aligned and want == swapped == (loss.tobytes(), grad.tobytes())
    loss, grad = xf.softmax_cross_entropy_value_and_grad(shifted, soft, reduction="none")
    assert want == (loss.tobytes(), grad.tobytes())


@pytest.mark.parametrize("dtype", DTYPES)
def test_flush_to_zero_mode_of_the_caller(flush_to_zero, dtype):
    """Subnormal logits of 16 bits, soft targets and weights are read as they are; those that come of it are written so."""
    rng = np.random.default_rng(3)
    logits = (rng.standard_normal((64, 300)) * 20).astype(dtype)
    logits[0] = np.ldexp(np.arange(300.0), -24 if dtype == np.float16 else -133)
    soft = (rng.random(logits.shape) * 1e-5).astype(np.float16)
    given = options("scale and softcap", 64, 300, {"label_smoothing": 0.1})
    weights = np.repeat([1e-310, 1e-300], 32)

    def run():
        return [by_every_route(logits, soft, reduction="none", **given), by_every_route(logits, logits.argmax(1), n_threads=2),
                by_every_route(logits, logits.argmax(1), sample_weight=weights, logit_scale=0.5),
                everything(logits, 2)]

    want = run()
    flush_to_zero(True)
    got = run()
    flush_to_zero(False)
    assert got == want


@pytest.mark.parametrize("given", [{}, {"logit_scale": 2.0}, {"softcap": 3.0}])
def test_a_mean_over_huge_weights_in_that_mode(flush_to_zero, given):
    """The gradient's scale, 1/Σw, is subnormal."""
    logits, weights = np.zeros((1, 2)), [1e308]
    part = xf.softmax_cross_entropy_partial(logits, [0], first_class=0, n_classes=2, sample_weight=weights, **given)

    def gradients():
        return (xf.softmax_cross_entropy_grad(logits, [0], sample_weight=weights, **given),
                xf.softmax_cross_entropy_value_and_grad(logits, [0], sample_weight=weights, **given)[1],
                xf.softmax_cross_entropy_combine_grad(part, logits, [0], first_class=0, n_classes=2, sample_weight=weights,
                                                      **given))

    want = [grad.tobytes() for grad in gradients()]
    flush_to_zero(True)
    got = [grad.tobytes() for grad in gradients()]
    flush_to_zero(False)
    assert got == want and all(grad.any() for grad in gradients())



@pytest.mark.parametrize("given", [{"sample_weight": [1e-310]}, {"logit_scale": 1e-310}, {"z_loss": 1e-310}])
def test_subnormal_options_in_that_mode(flush_to_zero, given):
    """Are the same numbers there, or as good as 0 in either mode."""
    x = np.array([[0.0, 1.0, 2.0]])
    want = by_every_route(x, [0], **given)
    flush_to_zero(True)
    try:
        got = by_every_route(x, [0], **given)
    finally:
        flush_to_zero(False)
    assert got == want
