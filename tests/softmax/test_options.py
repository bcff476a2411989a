"""z_loss, logit_scale, softcap and where: what each does, alone and together, by the twin and at the edges."""

import itertools

import ml_dtypes
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerances import DIFFERENCES, STEP, TWIN, gradient_bound, loss_bound, twin_bound, ulp

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

INF, NAN = np.inf, np.nan
WIDE = [np.float32, np.float64]
DTYPES = [*WIDE, np.float16, ml_dtypes.bfloat16]
OPTIONS = {
    "z_loss": {"z_loss": 0.01}, "scale": {"logit_scale": 1.7}, "negative scale": {"logit_scale": -0.6},
    "scale of 0": {"logit_scale": 0.0}, "softcap": {"softcap": 5.0}, "where": {"where": True},
    "z_loss and scale": {"z_loss": 0.3, "logit_scale": 0.5}, "z_loss and softcap": {"z_loss": -0.1, "softcap": 2.0},
    "z_loss and where": {"z_loss": 0.1, "where": True}, "scale and softcap": {"logit_scale": -2.5, "softcap": 8.0},
    "where and softcap": {"softcap": 3.0, "where": True},
    "all": {"z_loss": 0.05, "logit_scale": 1.3, "softcap": 4.0, "where": True},
}
SMOOTHED = {"label_smoothing": 0.2}


def both(x, t, **options):
    return xf.softmax_cross_entropy_value_and_grad(x, t, **options)


def result(dtype):
    return np.float64 if dtype == np.float64 else np.float32


def drawn(name, shape, rng, targets=None):
    """Options by name; a mask leaves in seven classes of ten, and the targets."""
    options = dict(OPTIONS[name])
    if "where" in options:
        options["where"] = rng.random(shape) < 0.7
        options["where"][..., 0] = True
        if targets is not None:
            np.put_along_axis(options["where"], np.maximum(targets, 0)[..., None], True, -1)
    return options


def problem(name, shape, dtype, soft, rng):
    """(logits, targets, options); what is masked is nan, and has no mass of soft targets."""
    x = (rng.standard_normal(shape) * 3).astype(dtype)
    t = rng.random(shape).astype(result(dtype)) if soft else rng.integers(0, shape[-1], shape[:-1])
    options = drawn(name, shape, rng, None if soft else t)
    if "where" in options:
        x[~options["where"]] = NAN
        if soft:
            t[~options["where"]] = 0
    return x, t, options


def close(got, want, dtype):
    got = np.asarray(got, np.float64)
    return np.all((got == want) | (np.abs(got - np.where(np.isfinite(want), want, 0)) <= twin_bound(want, dtype)))


def is_close(got, want, dtype, n_rows=1):
    """Loss and gradient, both as good as the twin's; sums of n_rows are so much larger."""
    loss = close(np.asarray(got[0], np.float64) / n_rows, np.asarray(want[0]) / n_rows, result(dtype))
    return loss and close(got[1], want[1], dtype)


# ---- the twin


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [1, 4, 70, 2100])
@pytest.mark.parametrize("name", OPTIONS)
def test_each_option(name, n_classes, soft, dtype):
    rng = np.random.default_rng(n_classes)
    x, t, options = problem(name, (35, n_classes), dtype, soft, rng)
    for more in ({}, SMOOTHED):
        got = both(x, t, reduction="none", **options, **more)
        assert is_close(got, reference.cross_entropy(x, t, reduction="none", **options, **more), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [4, 300])
@pytest.mark.parametrize("name", ["z_loss and where", "all"])
def test_with_weights_and_reductions(name, n_classes, soft, dtype):
    rng = np.random.default_rng(5)
    shape = (3, 11, n_classes)
    x, t, options = problem(name, shape, dtype, soft, rng)
    if not soft:
        t[1, 4] = t[2, 0] = -100
    weights = (None, rng.random(n_classes) + 0.1)
    sample_weights = (None, rng.integers(-1, 4, shape[:2]).astype(float))
    for weight, sample_weight, smoothing, reduction in itertools.product(
            weights, sample_weights, (0.2, 1.0), ("mean", "sum", "none")):
        options |= {"weight": weight, "sample_weight": sample_weight, "label_smoothing": smoothing, "reduction": reduction}
        want = reference.cross_entropy(x, t, **options)
        assert is_close(both(x, t, **options), want, dtype, n_rows=33 if reduction == "sum" else 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", OPTIONS)
def test_class_axis_first(name, soft, dtype):
    rng = np.random.default_rng(3)
    x, t, options = problem(name, (40, 50), dtype, soft, rng)
    t = np.ascontiguousarray(np.moveaxis(t, -1, 0))
    if "where" in options:
        options["where"] = options["where"].T
    x = np.ascontiguousarray(x.T)
    for more in ({"weight": rng.random(50)}, SMOOTHED):
        want = reference.cross_entropy(x, t, axis=0, **options, **more)
        assert is_close(both(x, t, axis=0, **options, **more), want, dtype)


@pytest.mark.parametrize("name", OPTIONS)
def test_rows_that_are_not_read(name):
    rng = np.random.default_rng(9)
    x, t, options = problem(name, (6, 40), np.float32, False, rng)
    x[[1, 4]] = NAN
    loss, grad = both(x, np.where(np.isin(range(6), [1, 4]), -100, t), reduction="none", **options)
    assert np.all(loss[[1, 4]] == 0) and np.all(grad[[1, 4]] == 0) and np.isfinite(grad).all()
    again = both(x, t, reduction="none", sample_weight=[1, 0, 1, 1, 0, 1], **options)
    assert loss.tobytes() == again[0].tobytes() and grad.tobytes() == again[1].tobytes()


# ---- defaults


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("n_classes", [3, 70, 2100])
def test_defaults_change_no_bit(n_classes, soft, dtype):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((40, n_classes)) * 3).astype(dtype)
    x[3, 1], x[5, 0], x[7] = -INF, NAN, -INF
    t = rng.random(x.shape) if soft else rng.integers(0, n_classes, 40)
    for more in ({}, SMOOTHED):
        want = [part.tobytes() for part in both(x, t, reduction="none", **more)]
        for options in ({"z_loss": 0.0, "logit_scale": 1.0, "softcap": None, "where": None}, {"z_loss": 0, "logit_scale": 1},
                        {"z_loss": np.float32(0), "logit_scale": np.float16(1)}, {"where": True},
                        {"where": np.ones(n_classes, bool)}):
            assert [part.tobytes() for part in both(x, t, reduction="none", **options, **more)] == want


# ---- where


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
@pytest.mark.parametrize("name", ["where", "z_loss", "scale", "negative scale", "softcap", "scale and softcap", "all"])
def test_where_is_minus_infinity(name, n_classes, dtype):
    """For classes other than the target, to the bit."""
    rng = np.random.default_rng(2)
    x, t, options = problem(name, (40, n_classes), dtype, False, rng)
    options["where"] = mask = rng.random(x.shape) < 0.5
    mask[np.arange(40), t] = True
    x = np.where(np.isnan(x), dtype(1), x)
    want = both(np.where(mask, x, dtype(-INF)), t, reduction="none", **{**options, "where": None})
    for garbage in (NAN, INF, -INF, 3.0, -3.0):
        got = both(np.where(mask, x, dtype(garbage)), t, reduction="none", **options)
        assert got[0].tobytes() == want[0].tobytes() and got[1].tobytes() == want[1].tobytes()
    assert np.all(got[1][~mask] == 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
@pytest.mark.parametrize("more", [{}, SMOOTHED, {"z_loss": 0.1}, {"softcap": 3.0}, {"z_loss": 0.1, **SMOOTHED}])
def test_a_target_outside_where(more, n_classes, dtype):
    """The loss is +inf; the target's gradient is exactly 0, that of the others as if its logit were −inf."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((34, n_classes)).astype(dtype)
    mask = np.ones(x.shape, bool)
    mask[:, 1] = False
    x[:, 1] = NAN
    loss, grad = both(x, np.ones(34, int), where=mask, reduction="none", **more)
    want_loss, want_grad = reference.cross_entropy(x, np.ones(34, int), where=mask, reduction="none", **more)
    assert np.all(loss == INF) and np.all(grad[:, 1] == 0)
    assert np.all(want_loss == INF) and np.all(want_grad[:, 1] == 0) and close(grad, want_grad, dtype)


def test_a_target_outside_where_that_has_no_mass():
    """Smoothing of 1, and a class weight of 0, leave nothing on it."""
    x = np.array([[NAN, 3.0, 4.0]])
    given = {"where": [False, True, True], "reduction": "sum"}
    for more in ({"label_smoothing": 1.0}, {"weight": [0, 1, 1]}, {"weight": [0, 1, 2], "label_smoothing": 0.5}):
        assert is_close(both(x, [0], **given, **more), reference.cross_entropy(x, [0], **given, **more), np.float64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
def test_soft_targets_outside_where(n_classes, dtype):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((34, n_classes)).astype(dtype)
    t = rng.random(x.shape).astype(dtype)
    mask = np.ones(n_classes, bool)
    mask[1] = False
    x[:, 1] = NAN
    for more in ({}, SMOOTHED, {"weight": rng.random(n_classes)}, {"softcap": 3.0}, {"z_loss": 0.1}):
        loss, grad = both(x, t, where=mask, reduction="none", **more)
        want = reference.cross_entropy(x, t, where=mask, reduction="none", **more)
        assert np.all(loss == INF) and np.all(grad[:, 1] == 0) and close(grad, want[1], dtype)
        none = np.where(mask, t, dtype(0))
        got = both(x, none, where=mask, reduction="none", **more)
        assert np.isfinite(got[0]).all() and is_close(
            got, reference.cross_entropy(x, none, where=mask, reduction="none", **more), dtype)


@pytest.mark.parametrize("n_classes", [2, 2600])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_with_nothing_left_in(n_classes, dtype):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((40, n_classes)).astype(dtype)
    mask = np.ones(x.shape, bool)
    mask[[3, 17]] = False
    t = np.zeros(40, int)
    t[3] = -100
    want = both(x, t, reduction="none")
    for targets in (t, np.where(np.arange(n_classes) == 0, 1, np.zeros((40, 1))).astype(dtype)):
        for more in ({}, SMOOTHED):
            kept = None if targets is t else (np.arange(40) != 3).astype(float)
            loss, grad = both(x, targets, where=mask, sample_weight=kept, reduction="none", **more)
            assert loss[3] == 0 and np.isnan(loss[17]) and np.isnan(loss).sum() == 1
            assert np.all(grad[[3, 17]] == 0) and np.isfinite(grad.astype(np.float32)).all()
    loss, grad = both(x, t, where=mask, reduction="none")
    others = np.arange(40) != 17
    assert loss[others].tobytes() == want[0][others].tobytes() and grad[others].tobytes() == want[1][others].tobytes()


def test_smoothing_spreads_over_what_is_left_in():
    x = np.array([[1.0, NAN, 2.0, NAN, 0.5]])
    mask = [True, False, True, False, True]
    got = both(x, [2], where=mask, label_smoothing=0.3)
    want = both(x[:, mask], [1], label_smoothing=0.3)
    assert got[0] == want[0] and np.array_equal(got[1][:, mask], want[1]) and np.all(got[1][:, [1, 3]] == 0)


@pytest.mark.parametrize("shape", [(), (1,), (6,), (5, 1), (4, 1, 1), (1, 5, 6), (4, 5, 6)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_where_broadcasts(axis, shape):
    rng = np.random.default_rng(6)
    x, mask = rng.standard_normal((4, 5, 6)), rng.random(shape) < 0.8
    t = rng.integers(0, x.shape[axis], np.delete(x.shape, axis))
    full = np.broadcast_to(mask, x.shape).copy()
    want = both(x, t, axis=axis, where=full, reduction="none")
    for where in (mask, mask.tolist()):
        got = both(x, t, axis=axis, where=where, reduction="none")
        assert got[0].tobytes() == want[0].tobytes() and got[1].tobytes() == want[1].tobytes()


# ---- excluded, bad and extreme logits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
@pytest.mark.parametrize("cap", [None, 3.0])
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.0, -2.0])
def test_minus_infinity_as_the_target(scale, cap, n_classes, dtype):
    """The loss is +inf and the gradient −w·s: a cap has no say on what is excluded."""
    x = np.random.default_rng(7).standard_normal((34, n_classes)).astype(dtype)
    x[:, 1] = -INF
    options = {"logit_scale": scale, "softcap": cap, "sample_weight": np.full(34, 0.5), "reduction": "none"}
    loss, grad = both(x, np.ones(34, int), **options)
    want = reference.cross_entropy(x, np.ones(34, int), **options)
    assert np.all(loss == INF) and np.all(grad[:, 1] == -0.5 * scale) and close(grad, want[1], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_classes", [3, 2600])
@pytest.mark.parametrize("name", OPTIONS)
def test_minus_infinity_excludes(name, n_classes, dtype):
    rng = np.random.default_rng(8)
    x, t, options = problem(name, (34, n_classes), dtype, False, rng)
    x[:, 1], t[t == 1] = -INF, 0
    loss, grad = both(x, t, reduction="none", **options)
    want = reference.cross_entropy(x, t, reduction="none", **options)
    assert np.all(grad[:, 1] == 0) and np.isfinite(loss).all() and is_close((loss, grad), want, dtype)


@pytest.mark.parametrize("n_classes", [2, 2600])
@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("name", OPTIONS)
def test_bad_rows_are_nan_and_alone(name, bad, n_classes):
    rng = np.random.default_rng(10)
    x, t, options = problem(name, (40, n_classes), np.float32, False, rng)
    want = both(x, t, reduction="none", **options)
    others = np.arange(40) != 17
    for place in (0, t[17]):                                        # those that no mask leaves out
        broken = x.copy()
        broken[17, place] = bad
        loss, grad = both(broken, t, reduction="none", **options)
        assert np.isnan(loss[17]) and np.array_equal(np.isnan(grad[17]), options.get("where", np.full(x.shape, True))[17])
        assert loss[others].tobytes() == want[0][others].tobytes() and grad[others].tobytes() == want[1][others].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", [1.0, 3.0, -1.0])
def test_a_cap_saturates(scale, dtype):
    big = float(ml_dtypes.finfo(dtype).max)
    x = np.array([[big, -big, 0.0], [big, big, -big], [-big, -big, 0.0]], dtype)
    for t in ([0, 0, 0], [1, 2, 2]):
        options = {"softcap": 5.0, "logit_scale": scale, "reduction": "none"}
        loss, grad = both(x, t, **options)
        capped = np.sign(x.astype(np.float64)) * 5 * np.sign(scale)
        want = reference.cross_entropy(capped, t, reduction="none")
        assert close(loss, want[0], result(dtype)) and close(grad, np.where(capped == 0, scale * want[1], 0), dtype)


@pytest.mark.parametrize("dtype", WIDE)
def test_extreme_options(dtype):
    """Caps from the smallest normal number to the largest, scales as large as they may be: nothing overflows but itself."""
    x = np.array([[0.0, 2.0, 1.0]], dtype)
    tiny, huge = np.finfo(np.float64).tiny, np.finfo(np.float64).max
    plain = both(x, [0])
    for cap in (tiny, 1e-300):                                      # every logit is 0 then
        loss, grad = both(x, [0], softcap=cap)
        assert close(loss, np.log(3), dtype) and close(grad, [[-2 / 3, 0, 0]], dtype)
    assert is_close(both(x, [0], softcap=huge), plain, dtype) and is_close(both(x, [0], softcap=1e300), plain, dtype)
    for scale in (1e30, 1e300):
        loss, grad = both(x, [1], logit_scale=scale)
        assert loss == 0 and np.all(grad == 0)
    loss, grad = both(x, [1], logit_scale=1e-300)
    assert close(loss, np.log(3), dtype) and np.all(np.abs(grad) <= 1e-300)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("soft", [False, True])
def test_a_scale_of_zero_makes_all_logits_equal(soft, dtype):
    x = (np.random.default_rng(11).standard_normal((5, 40)) * 100).astype(dtype)
    t = np.full(x.shape, 1 / 40) if soft else np.arange(5)
    loss, grad = both(x, t, logit_scale=0.0, z_loss=0.5, reduction="none")
    assert close(loss, np.full(5, np.log(40) + 0.5 * np.log(40) ** 2), result(dtype)) and np.all(grad == 0)


@pytest.mark.parametrize("soft", [False, True])
def test_z_loss_takes_sample_weights_alone(soft):
    """Not the weights of classes, nor how much mass the targets have."""
    x = np.random.default_rng(12).standard_normal((5, 40))
    t = np.random.default_rng(13).random(x.shape) if soft else np.arange(5)
    given = {"weight": np.linspace(0.5, 2, 40), "sample_weight": np.array([1.0, 2.0, 0.0, -1.0, 0.5]), "reduction": "none"}
    added = both(x, t, z_loss=0.1, **given)[0] - both(x, t, **given)[0]
    assert close(added, given["sample_weight"] * 0.1 * xf.logsumexp(x) ** 2, np.float64)


def test_no_warnings_from_any_edge():
    with np.errstate(all="raise"):
        x = np.array([[NAN, INF], [-INF, -INF], [1e30, -1e30], [0, -INF]], np.float32)
        for options in ({"z_loss": 0.1}, {"logit_scale": -2.0}, {"softcap": 3.0}, {"where": [[True, False]] * 4}):
            for reduction in ("none", "mean", "sum"):
                for dtype in DTYPES:
                    both(np.where(np.abs(x) > 1e4, 1e4, x).astype(dtype), [0, 1, 1, 1], reduction=reduction, **options)
                both(x, [0, 1, 1, 1], reduction=reduction, **options)


# ---- properties

settings.register_profile("suite", max_examples=60, deadline=None, derandomize=True)
settings.load_profile("suite")
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 140))
SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.sampled_from([-2.0, -0.3, 0.0, 0.5, 1.0, 3.0])


@given(SHAPES, st.sampled_from(WIDE), SEEDS, st.sampled_from([0.01, 0.3, -0.1]), SCALES, st.booleans())
def test_gradient_rows_sum_to_the_share_of_z_loss(shape, dtype, seed, z_loss, scale, masked):
    rng = np.random.default_rng(seed)
    x, t, options = problem("where" if masked else "z_loss", shape, dtype, False, rng)
    options |= {"z_loss": z_loss, "logit_scale": scale, "sample_weight": rng.random(shape[0])}
    grad = xf.softmax_cross_entropy_grad(x, t, reduction="sum", label_smoothing=0.1, **options)
    y, _ = reference.shaped(x, scale, None, options.get("where"))
    share = 2 * z_loss * scale * reference.logsumexp(y) * options["sample_weight"]
    assert np.abs(grad.sum(1, dtype=np.float64) - share).max() <= TWIN[np.dtype(dtype)] * 20


@given(SHAPES, st.sampled_from(WIDE), SEEDS, st.integers(-20, 20), SCALES, st.booleans())
def test_a_shift_changes_nothing(shape, dtype, seed, shift, scale, masked):
    """But roundings, where the shift itself is exact."""
    x, t, options = problem("where" if masked else "scale", shape, dtype, False, np.random.default_rng(seed))
    options["logit_scale"] = scale
    x = np.round(x * 64) / dtype(64)
    a = both(x, t, reduction="none", **options)
    b = both(x + dtype(shift), t, reduction="none", **options)
    finite = np.isfinite(a[0])
    assert np.array_equal(a[0][~finite], b[0][~finite], equal_nan=True)
    assert np.all(np.abs(a[0] - b[0])[finite] <= (2 * loss_bound(a[0], dtype) * ulp(a[0], dtype))[finite])
    assert np.all(np.abs(a[1] - b[1]) <= 2 * gradient_bound(a[1], dtype) * ulp(a[1], dtype))


@given(st.tuples(st.integers(1, 5), st.integers(1, 12)), SEEDS, st.sampled_from(sorted(OPTIONS)), st.booleans(), st.booleans())
def test_gradient_by_differences(shape, seed, name, soft, smooth):
    """The gradient is that of the loss, along any direction."""
    rng = np.random.default_rng(seed)
    x, t, options = problem(name, shape, np.float64, soft, rng)
    options |= {"weight": rng.random(shape[1]), "sample_weight": rng.random(shape[0]), "label_smoothing": 0.2 * smooth,
                "reduction": "sum"}
    direction = rng.uniform(-1, 1, shape)
    up, down = (xf.softmax_cross_entropy(x + sign * STEP * direction, t, **options) for sign in (1, -1))
    grad = xf.softmax_cross_entropy_grad(x, t, **options)
    assert abs((grad * direction).sum() - (up - down) / (2 * STEP)) <= DIFFERENCES * shape[0]


@given(SHAPES, st.sampled_from(WIDE), SEEDS, st.sampled_from(sorted(OPTIONS)))
def test_integer_and_one_hot_targets_agree(shape, dtype, seed, name):
    rng = np.random.default_rng(seed)
    x, t, options = problem(name, shape, dtype, False, rng)
    options |= {"weight": rng.random(shape[1]) + 0.1, "sample_weight": rng.random(shape[0]) + 0.1, "label_smoothing": 0.2}
    assert is_close(both(x, np.eye(shape[1], dtype=dtype)[t], **options), both(x, t, **options), dtype)
