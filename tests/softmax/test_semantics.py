"""The rows of the semantics table: what happens at the edges."""

import numpy as np
import pytest

import xentfast as xf

pytestmark = [pytest.mark.every_build, pytest.mark.emulated]

DTYPES = [np.float32, np.float64]
INF, NAN = np.inf, np.nan


def both(x, t, **given):
    return xf.softmax_cross_entropy_value_and_grad(x, t, **given)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_and_shapes(dtype):
    x = np.zeros((2, 3, 4), dtype)
    loss, grad = both(x, np.zeros((2, 3), int))
    assert type(loss) is dtype and grad.dtype == dtype and grad.shape == x.shape
    losses = xf.softmax_cross_entropy(x, np.zeros((2, 3), int), reduction="none")
    assert losses.shape == (2, 3) and losses.dtype == dtype
    assert type(xf.softmax_cross_entropy(np.zeros(4, dtype), 1)) is dtype
    assert type(xf.softmax_cross_entropy(np.zeros(4, dtype), 1, reduction="none")) is dtype
    assert type(xf.logsumexp(np.zeros(4, dtype))) is dtype


def test_lists_and_integers():
    loss, grad = both([[1, 2, 3]], [2])
    assert loss.dtype == np.float64 and grad.dtype == np.float64
    assert np.allclose(loss, np.log(np.exp([1, 2, 3]).sum()) - 3)
    assert xf.softmax([1, 1]).dtype == np.float64
    assert np.isnan(xf.softmax_cross_entropy(np.zeros((0, 3)), []))


@pytest.mark.parametrize("n_classes", [3, 100, 2500])
def test_ignored_rows_are_not_read(level, n_classes):
    x = np.zeros((4, n_classes), np.float32)
    x[1] = NAN
    x[3, 0] = INF
    loss, grad = both(x, [0, -100, 1, -100])
    assert np.isclose(loss, np.log(n_classes)) and np.all(grad[[1, 3]] == 0) and not np.isnan(grad).any()
    assert np.array_equal(both(x, [0, 7, 1, 7], ignore_index=7)[1], grad) or n_classes == 3
    loss, grad = both(x, [0, 2, 1, 2], sample_weight=[1, 0, 1, 0])
    assert np.isclose(loss, np.log(n_classes)) and np.all(grad[[1, 3]] == 0) and not np.isnan(grad).any()
    soft = np.full(x.shape, 1 / n_classes, np.float32)
    soft[1] = NAN
    loss, grad = both(x, soft, sample_weight=[1, 0, 1, 0])
    assert np.isclose(loss, np.log(n_classes)) and np.all(grad[[1, 3]] == 0)


def test_ignore_index_that_is_a_class():
    x = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    loss, grad = both(x, [0, 1], ignore_index=0)
    assert loss == xf.softmax_cross_entropy(x[1:], [1]) and np.all(grad[0] == 0)


@pytest.mark.parametrize("n_rows", [0, 2])
@pytest.mark.parametrize("how", ["ignored", "no weight", "weights cancel"])
def test_nothing_to_average(n_rows, how):
    x = np.ones((n_rows, 3), np.float32)
    targets = np.full(n_rows, -100) if how == "ignored" else np.zeros(n_rows, int)
    weights = {"ignored": None, "no weight": np.zeros(n_rows), "weights cancel": np.array([1.0, -1.0])[:n_rows]}[how]
    for empty in (NAN, 0.0, -1.0):
        loss, grad = both(x, targets, sample_weight=weights, empty=empty)
        assert np.array_equal(loss, np.float32(empty), equal_nan=True) and np.all(grad == 0) and grad.shape == x.shape
    if how != "weights cancel":
        assert xf.softmax_cross_entropy(x, targets, sample_weight=weights, reduction="sum") == 0
        assert np.array_equal(xf.softmax_cross_entropy(x, targets, sample_weight=weights, reduction="none"), np.zeros(n_rows))


def test_class_weights_divide_the_mean():
    x = np.array([[1.0, 2.0], [0.5, 0.1]])
    losses = xf.softmax_cross_entropy(x, [0, 1], reduction="none")
    assert np.isclose(xf.softmax_cross_entropy(x, [0, 1], weight=[2, 3]), (2 * losses[0] + 3 * losses[1]) / 5)
    assert np.isclose(xf.softmax_cross_entropy(x, [0, 1], sample_weight=[1, -4]), (losses[0] - 4 * losses[1]) / -3)


@pytest.mark.parametrize("n_classes", [2, 50, 3000])
@pytest.mark.parametrize("dtype", DTYPES)
def test_minus_infinity_excludes(level, n_classes, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, n_classes)).astype(dtype)
    wide = np.concatenate([np.full((1, 5), -INF, dtype), x, np.full((1, 3), -INF, dtype)], axis=1)
    loss, grad = both(x, [1])
    wide_loss, wide_grad = both(wide, [6])
    assert np.isclose(loss, wide_loss, rtol=1e-6) and np.allclose(wide_grad[:, 5:-3], grad, rtol=1e-5)
    assert np.all(wide_grad[:, :5] == 0) and np.all(wide_grad[:, -3:] == 0)
    loss, grad = both(wide, [0], sample_weight=[0.5], reduction="sum")
    assert loss == INF and grad[0, 0] == -0.5 and np.isclose(grad[0, 5:-3].sum(), 0.5)
    assert np.all(xf.softmax(wide)[:, :5] == 0) and np.all(xf.log_softmax(wide)[:, :5] == -INF)


def test_no_mass_on_an_excluded_class_counts_nothing(level):
    x = np.array([[0.0, -INF, 0.0]])
    loss, grad = both(x, np.array([[0.25, 0.0, 0.75]]))
    assert np.isclose(loss, np.log(2)) and np.allclose(grad, [[0.25, 0, -0.25]])
    loss, grad = both(x, np.array([[0.5, 0.25, 0.25]]))
    assert loss == INF and np.isclose(grad[0, 1], -0.25)
    loss, grad = both(x, [0], label_smoothing=0.3)
    assert loss == INF and np.isclose(grad[0, 1], -0.1)
    loss, grad = both(x, [0], label_smoothing=0.3, weight=[1, 0, 1])
    assert np.isfinite(loss) and grad[0, 1] == 0


@pytest.mark.parametrize("n_classes", [1, 2, 40, 2600])
@pytest.mark.parametrize("bad", ["nan", "inf", "nothing finite"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bad_rows_are_nan_and_alone(level, bad, n_classes, dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, n_classes)).astype(dtype)
    want_loss, want_grad = both(x, np.zeros(40, int), reduction="none")
    for place in (0, n_classes - 1):
        broken = x.copy()
        if bad == "nothing finite":
            broken[17] = -INF
        else:
            broken[17, place] = NAN if bad == "nan" else INF
        for target in (0, n_classes - 1):
            loss, grad = both(broken, np.full(40, target), reduction="none")
            assert loss[17:18].view(f"u{dtype().itemsize}") == np.array([NAN], dtype).view(f"u{dtype().itemsize}")
            assert np.isnan(grad[17]).all() and np.isnan(loss).sum() == 1 and np.isnan(grad).sum() == n_classes
        loss, grad = both(broken, np.zeros(40, int), reduction="none")
        others = np.arange(40) != 17
        assert loss[others].tobytes() == want_loss[others].tobytes()
        assert grad[others].tobytes() == want_grad[others].tobytes()
        assert np.isnan(xf.softmax(broken)[17]).all() and np.isnan(xf.log_softmax(broken)[17]).all()


def test_soft_targets_need_not_sum_to_one(level):
    x = np.array([[1.0, 2.0, 0.5]])
    t = np.array([[0.5, 2.0, 1.0]])
    loss, grad = both(x, t)
    p = xf.softmax(x)
    assert np.isclose(loss, -(t * xf.log_softmax(x)).sum()) and np.allclose(grad, p * 3.5 - t)


def test_soft_targets_of_the_other_float():
    x, t = np.random.default_rng(3).standard_normal((2, 5, 7))
    t = np.abs(t)
    a = xf.softmax_cross_entropy(x.astype(np.float32), t.astype(np.float32))
    assert np.isclose(xf.softmax_cross_entropy(x.astype(np.float32), t), a, rtol=1e-6)
    assert np.isclose(xf.softmax_cross_entropy(x, t.astype(np.float32)), a, rtol=1e-6)


def test_smoothing_as_documented(level):
    x = np.random.default_rng(4).standard_normal((6, 5))
    t = np.arange(6) % 5
    smoothed = 0.9 * np.eye(5)[t] + 0.1 / 5
    assert np.isclose(xf.softmax_cross_entropy(x, t, label_smoothing=0.1), xf.softmax_cross_entropy(x, smoothed))


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_overflows(level, dtype):
    big = np.finfo(dtype).max
    loss, grad = both(np.array([[big, -big, 0]], dtype), [0])
    assert loss == 0 and np.all(grad == 0)
    loss, grad = both(np.array([[big / 4, big / 4]], dtype), [0])
    assert np.isclose(loss, np.log(2)) and np.allclose(grad, [[-0.5, 0.5]])
    assert np.isfinite(xf.logsumexp(np.array([big, big / 2], dtype)))


def test_small_results_are_exactly_zero(level):
    x = np.array([[0.0, -88.0, -95.0, -103.0, -200.0]], np.float32)
    p = xf.softmax(x)[0]
    assert np.all((p == 0) | (p >= np.finfo(np.float32).tiny)) and p[2] == p[3] == p[4] == 0
    assert xf.softmax_cross_entropy(x[:, :2], [0]) == 0
    assert xf.softmax_cross_entropy(np.array([[0.0, -710.0]]), [0]) == 0
    assert xf.softmax_cross_entropy(np.array([[0.0, -700.0]]), [0]) > 0


def test_one_class(level):
    loss, grad = both(np.array([[3.0], [-5.0]]), [0, 0], reduction="none")
    assert np.array_equal(loss, [0, 0]) and np.array_equal(grad, [[0], [0]])
    assert np.array_equal(xf.softmax(np.array([[7.0]])), [[1.0]]) and xf.logsumexp(np.array([-3.5])) == -3.5


@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (0, 0, 1)])
def test_no_rows(level, shape):
    x = np.zeros(shape, np.float32)
    loss, grad = both(x, np.zeros(shape[:-1], int))
    assert np.isnan(loss) and grad.shape == shape
    assert xf.softmax_cross_entropy(x, np.zeros(shape[:-1], int), reduction="sum") == 0
    assert xf.softmax_cross_entropy(x, x) is not None and xf.softmax(x).shape == shape
    assert xf.logsumexp(x).shape == shape[:-1] and xf.logsumexp(x, keepdims=True).shape == (*shape[:-1], 1)


def test_read_only_and_broadcast_inputs(level):
    x = np.random.default_rng(5).standard_normal((6, 9))
    x.flags.writeable = False
    t = np.broadcast_to(np.int64(3), 6)
    loss, grad = both(x, t, sample_weight=np.broadcast_to(2.0, 6))
    assert np.isclose(loss, xf.softmax_cross_entropy(x.copy(), [3] * 6))
    row = np.broadcast_to(x[0], (4, 9))
    assert len(set(xf.softmax_cross_entropy(row, [3] * 4, reduction="none"))) == 1


def test_out_is_returned_and_nothing_else_is_written(level):
    x = np.random.default_rng(6).standard_normal((5, 8)).astype(np.float32)
    frame = np.full((7, 12), 99, np.float32)
    out = frame[1:-1, 2:-2]
    assert xf.softmax_cross_entropy_grad(x, [0, 1, 2, 3, 4], out=out) is out
    assert np.all(frame[0] == 99) and np.all(frame[-1] == 99) and np.all(frame[:, :2] == 99) and np.all(frame[:, -2:] == 99)
    for function in (xf.softmax, xf.log_softmax):
        assert function(x, out=out) is out and np.array_equal(out, function(x))
        y = x.copy()
        assert function(y, out=y) is y and np.array_equal(y, function(x))
        assert function(x, axis=(0, 1), out=out) is out and np.array_equal(out, function(x, axis=None))
    sums = np.empty(10, np.float32)[::2]
    assert xf.logsumexp(x, out=sums) is sums and np.array_equal(sums, xf.logsumexp(x))


def test_a_row_view_between_two_rows_is_no_overlap():
    pairs = np.random.default_rng(8).standard_normal((6, 2, 5))
    want = xf.softmax(pairs[:, 0].copy())
    assert np.array_equal(xf.softmax(pairs[:, 0], out=pairs[:, 1]), want)


def test_inputs_are_unchanged():
    x, t = np.random.default_rng(9).standard_normal((5, 70)), np.arange(5)
    before = x.copy()
    both(x, t)
    xf.softmax(x), xf.log_softmax(x), xf.logsumexp(x)
    assert np.array_equal(x, before)


def test_no_warnings_from_any_edge():
    with np.errstate(all="raise"):
        x = np.array([[NAN, INF], [-INF, -INF], [1e30, -1e30], [0, -INF]], np.float32)
        both(x, [0, 1, 1, 1], reduction="none")
        both(x, [0, 1, 1, 1])
        xf.softmax(x), xf.log_softmax(x), xf.logsumexp(x)
        both(np.zeros((0, 2), np.float32), [])
