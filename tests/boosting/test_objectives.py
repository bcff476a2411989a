"""xentfast.boosting without the libraries: values by the formulas, whatever the layout, and what becomes of the arrays."""

import copy
import inspect
import pickle
import threading

import numpy as np
import pytest
import reference
from boosting_data import Data
from tolerances import TWIN

import xentfast.boosting
from xentfast.boosting import SigmoidMetric, SigmoidObjective, SoftmaxMetric, SoftmaxObjective

pytestmark = pytest.mark.extras

SCALES = {"xgboost": lambda k: 2, "lightgbm": lambda k: k / (k - 1), "diagonal": lambda k: 1}
DTYPES = [np.float32, np.float64]
RNG = np.random.default_rng(0)


def softmax_data(n_rows=50, n_classes=4, dtype=np.float32):
    return RNG.integers(0, n_classes, n_rows).astype(np.float32), (RNG.standard_normal((n_rows, n_classes)) * 3).astype(dtype)


def softmax_hessian(margins, targets, weights, class_weight, smoothing):
    """w·p·(1 − p) in float64."""
    p = reference.softmax(margins)
    t = reference.soft_targets(margins.shape, targets) * (1 - smoothing) + smoothing / margins.shape[1]
    return ((t * class_weight).sum(1) * weights)[:, None] * p * (1 - p)


def near(value, want, dtype):
    return value.dtype == dtype and np.allclose(value, want, rtol=TWIN[np.dtype(dtype)], atol=TWIN[np.dtype(dtype)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hessian", SCALES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_softmax_is_the_formula(weighted, smoothing, hessian, dtype):
    labels, margins = softmax_data(dtype=dtype)
    weights = RNG.random(len(labels)) if weighted else None
    class_weight = RNG.random(4) + 0.5 if weighted else np.ones(4)
    objective = SoftmaxObjective(hessian, weight=class_weight if weighted else None, label_smoothing=smoothing)
    grad, hess = objective(labels, margins, weights)
    ones = np.ones(len(labels)) if weights is None else weights
    _, want = reference.cross_entropy(margins, labels.astype(int), weight=class_weight, sample_weight=ones,
                                      label_smoothing=smoothing, reduction="sum")
    assert near(grad, want, dtype)
    want = softmax_hessian(margins, labels.astype(int), ones, class_weight, smoothing)
    assert near(hess, SCALES[hessian](4) * want, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hessian", SCALES)
def test_focal_softmax_is_the_formula(hessian, dtype):
    """The Hessian is negative where a row is badly misclassified: its absolute value comes out."""
    labels, margins = softmax_data(dtype=dtype)
    margins[0], labels[0] = [8, 0, 0, 0], 1
    weights, class_weight = RNG.random(50), RNG.random(4) + 0.5
    grad, hess = SoftmaxObjective(hessian, weight=class_weight, focal_gamma=1.5)(labels, margins, weights)
    _, want = reference.cross_entropy(margins, labels.astype(int), weight=class_weight, sample_weight=weights, focal_gamma=1.5,
                                      reduction="sum")
    assert near(grad, want, dtype)
    raw = reference.softmax_hessian(margins, labels.astype(int), 1.5)[0] * (weights * class_weight[labels.astype(int)])[:, None]
    assert (raw[0, :2] < 0).all() and near(hess, np.abs(SCALES[hessian](4) * raw), dtype)


def test_xgboost_has_a_floor_and_the_others_have_none():
    margins = np.array([[200.0, 0.0, -200.0]], np.float64)
    assert (SoftmaxObjective("xgboost")([0], margins)[1] == 1e-16).all()
    for hessian in ("lightgbm", "diagonal"):
        assert (SoftmaxObjective(hessian)([0], margins)[1] < 1e-80).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(60,), (60, 3)])
@pytest.mark.parametrize("options", [{}, {"pos_weight": 3.0}, {"label_smoothing": 0.1}, {"pos_weight": 0.5, "focal_gamma": 1.5}])
def test_sigmoid_is_the_formula(options, shape, dtype):
    margins = (RNG.standard_normal(shape) * 2).astype(dtype)
    weights = RNG.random(60)
    for labels in (RNG.integers(0, 2, shape).astype(np.float32), RNG.random(shape).astype(np.float32)):
        grad, hess = SigmoidObjective(**options)(labels, margins, weights)
        _, want, curve = reference.sigmoid_cross_entropy(margins, labels, reduction="sum", **options,
                                                         sample_weight=weights.reshape([-1] + [1] * (len(shape) - 1)))
        assert near(grad, want, dtype) and near(hess, np.abs(curve) if "focal_gamma" in options else curve, dtype)
        assert (hess >= 0).all()


def test_focal_hessian_is_negative_before_its_absolute_value():
    labels, margins = np.ones(3), np.array([-3.0, -5.0, 1.0])
    raw = xentfast.sigmoid_cross_entropy_grad_hess(margins, labels, focal_gamma=2.0)[1]
    assert (raw[:2] < 0).all() and (SigmoidObjective(focal_gamma=2.0)(labels, margins)[1] == np.abs(raw)).all()


def test_pos_weight_of_each_column():
    labels, margins, pos_weight = RNG.integers(0, 2, (20, 3)), RNG.standard_normal((20, 3)), [1.0, 2.0, 5.0]
    grad, hess = SigmoidObjective(pos_weight=pos_weight)(labels, margins)
    for column in range(3):
        one = SigmoidObjective(pos_weight=pos_weight[column])(labels[:, column], margins[:, column])
        assert (grad[:, column] == one[0]).all() and (hess[:, column] == one[1]).all()


# ---- rows of weight 0


@pytest.mark.parametrize("layout", [np.ascontiguousarray, np.asfortranarray])
@pytest.mark.parametrize("value", [np.nan, np.inf, -3.0, 99.5])
def test_rows_of_weight_0_are_not_looked_at(value, layout):
    """Neither are their margins, nor their labels, in whichever form these come."""
    labels, margins = softmax_data(n_rows=70)
    weights, answers = np.arange(70) % 3 / 2, RNG.integers(0, 2, (70, 4)).astype(np.float32)
    column, unread = answers[:, 0].copy(), weights == 0
    table = np.concatenate([np.eye(4), np.full((3, 4), 0.25)])
    for loss, metric, own, x in ((SoftmaxObjective("xgboost"), SoftmaxMetric("xgboost"), labels, margins),
                                 (SoftmaxObjective("lightgbm", soft_labels=table), SoftmaxMetric("xgboost"), labels, margins),
                                 (SoftmaxObjective("diagonal"), SoftmaxMetric("xgboost"), answers, margins),
                                 (SigmoidObjective(pos_weight=[1.0, 2, 3, 4]), SigmoidMetric("xgboost"), answers, margins),
                                 (SigmoidObjective(focal_gamma=2.0), SigmoidMetric("xgboost"), column, margins[:, 0])):
        want = [*loss(own, layout(x), weights), metric(own, layout(x), weights)]
        x, own, read = x.copy(), own.copy(), own.copy()
        x[unread] = own[unread] = value
        got = [*loss(own, layout(x), weights), metric(own, layout(x), weights)]
        assert all(map(np.array_equal, got, want))
        for function in (loss, metric):
            with pytest.raises(ValueError, match=r"margins\[4.*\] is inf; expected a finite number"):
                broken = x.copy()
                broken[4:6] = np.inf
                function(own, layout(broken), weights)
            with pytest.raises((ValueError, IndexError), match=r"labels\[5.*\] is nan"):
                read[unread], read[5] = value, np.nan
                function(read, layout(x), weights)


# ---- layouts


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_gives_the_same_bits(dtype):
    labels, margins = softmax_data(dtype=dtype)
    weights = RNG.random(len(labels)).astype(np.float32)
    objective = SoftmaxObjective("lightgbm")
    want = objective(labels, margins, weights)
    for given in (margins, np.asfortranarray(margins), np.repeat(margins, 2, axis=0)[::2]):
        for call in ((labels, given, weights), (given, Data(labels, weights))):
            for value, expected in zip(objective(*call), want, strict=True):
                assert value.shape == margins.shape and (value == expected).all()
    flat = objective(np.asfortranarray(margins).ravel(order="K"), Data(labels, weights))
    for value, expected in zip(flat, want, strict=True):
        assert value.shape == (margins.size,) and (value.reshape(margins.shape, order="F") == expected).all()


def test_results_lie_in_memory_as_the_margins_do():
    labels, margins = softmax_data()
    for order in "CF":
        for result in SoftmaxObjective("lightgbm")(labels, np.asarray(margins, order=order)):
            assert result.flags.forc and result.flags[f"{order}_CONTIGUOUS"]


@pytest.mark.parametrize("weights", [None, np.empty(0, np.float32)])
def test_no_weights_are_ones(weights):
    labels, margins = softmax_data()
    objective = SoftmaxObjective("xgboost")
    want = objective(labels, margins, np.ones(len(labels)))
    for value, expected in zip(objective(margins, Data(labels, weights)), want, strict=True):
        assert (value == expected).all()


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, np.float64, bool])
def test_labels_of_any_dtype(dtype):
    labels, margins = softmax_data(n_classes=2)
    got, want = (SoftmaxObjective("xgboost")(one, margins) for one in (labels.astype(dtype), labels))
    assert (got[0] == want[0]).all() and (got[1] == want[1]).all()


def test_signatures_are_those_that_the_libraries_look_for():
    """XGBoost looks for a parameter of this name, LightGBM counts to three."""
    for one in (SoftmaxObjective("xgboost"), SigmoidObjective(), SoftmaxMetric("xgboost"), SigmoidMetric("lightgbm")):
        assert list(inspect.signature(one).parameters) == ["y_true", "y_pred", "sample_weight"]


# ---- soft labels


@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0, 0.5], "label_smoothing": 0.1}])
def test_soft_labels_as_labels_and_as_rows_of_a_table(options):
    table, margins = RNG.dirichlet(np.ones(3), 40).astype(np.float32), RNG.standard_normal((60, 3), np.float32)
    rows, weights = RNG.integers(0, 40, 60), RNG.random(60)
    direct = SoftmaxObjective("xgboost", **options)(table[rows], margins, weights)
    by_table = SoftmaxObjective("xgboost", soft_labels=table, **options)(rows.astype(np.float32), margins, weights)
    _, want = reference.cross_entropy(margins, table[rows], sample_weight=weights, reduction="sum", **options)
    assert near(direct[0], want, np.float32)
    assert (direct[0] == by_table[0]).all() and (direct[1] == by_table[1]).all()
    metrics = [SoftmaxMetric("xgboost", **options)(table[rows], margins, weights),
               SoftmaxMetric("xgboost", soft_labels=table, **options)(rows, margins, weights)]
    assert metrics[0] == metrics[1]


def test_labels_that_came_flattened():
    """Row by row, as XGBoost 2.1 hands out those of several to a row."""
    labels, margins, weights = RNG.random((20, 3), np.float32), RNG.standard_normal((20, 3), np.float32), RNG.random(20)
    for objective in (SoftmaxObjective("xgboost"), SigmoidObjective()):
        want = objective(labels, margins, weights)
        for call in ((margins, Data(labels.ravel(), weights)), (labels.ravel(), margins, weights)):
            assert all((one == other).all() for one, other in zip(objective(*call), want, strict=True))


def test_soft_labels_are_a_copy():
    table = np.eye(3)
    objective = SoftmaxObjective("xgboost", soft_labels=table)
    want = objective([0, 1], np.zeros((2, 3)))[0].copy()
    table[:] = 0.0
    assert (objective([0, 1], np.zeros((2, 3)))[0] == want).all()


# ---- metrics


@pytest.mark.parametrize("options", [{}, {"weight": [1.0, 2.0, 0.5, 1.0]}, {"label_smoothing": 0.2}, {"focal_gamma": 2.0}])
def test_softmax_metric_is_the_mean_loss(options):
    labels, margins = softmax_data(dtype=np.float64)
    weights = RNG.random(len(labels))
    want, _ = reference.cross_entropy(margins, labels.astype(int), sample_weight=weights, **options)
    xgboost, lightgbm = (SoftmaxMetric(library, **options) for library in ("xgboost", "lightgbm"))
    assert xgboost(labels, margins, weights) == pytest.approx(want, rel=TWIN[np.dtype(np.float64)])
    value = xgboost(labels, margins, weights)
    assert xgboost(margins, Data(labels, weights)) == ("softmax_cross_entropy", value)
    for call in ((labels, margins, weights), (margins, Data(labels, weights)), (margins.ravel(order="F"), Data(labels, weights))):
        assert lightgbm(*call) == ("softmax_cross_entropy", value, False)


@pytest.mark.parametrize("options", [{}, {"pos_weight": 3.0}, {"label_smoothing": 0.2}, {"focal_gamma": 2.0}])
@pytest.mark.parametrize("shape", [(50,), (50, 3)])
def test_sigmoid_metric_is_the_mean_loss(shape, options):
    labels, margins, weights = RNG.integers(0, 2, shape), RNG.standard_normal(shape), RNG.random(50)
    want = reference.sigmoid_cross_entropy(margins, labels, sample_weight=weights.reshape([-1] + [1] * (len(shape) - 1)),
                                           **options)[0]
    value = SigmoidMetric("xgboost", **options)(labels, margins, weights)
    assert value == pytest.approx(want, rel=TWIN[np.dtype(np.float64)])
    assert SigmoidMetric("xgboost", **options)(margins, Data(labels, weights)) == ("sigmoid_cross_entropy", value)
    assert SigmoidMetric("lightgbm", name="focal", **options)(labels, margins, weights) == ("focal", value, False)


# ---- the arrays


def make(kind):
    """An objective, and a call's arguments."""
    if kind == "softmax":
        return SoftmaxObjective("xgboost", label_smoothing=0.1), softmax_data()
    return SigmoidObjective(focal_gamma=2.0), (np.ones(50), RNG.standard_normal(50, np.float32))


def addresses(results):
    return [result.__array_interface__["data"][0] for result in results]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_arrays_that_nobody_holds_are_written_again(kind):
    objective, arguments = make(kind)
    first = addresses(objective(*arguments))            # not inside an assert, where pytest holds what it compares
    second = addresses(objective(*arguments))
    assert first == second
    labels, margins = arguments
    assert [one.dtype for one in objective(labels, margins.astype(np.float64))] == [np.float64] * 2
    assert [len(one) for one in objective(labels[:20], margins[:20])] == [20, 20]


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize("hold", [lambda both: both, lambda both: both[0], lambda both: both[1], lambda both: both[1][3:5],
                                  lambda both: both[0].T.reshape(-1), lambda both: memoryview(both[1])])
def test_arrays_that_somebody_holds_are_left_alone(hold, kind):
    objective, (labels, margins) = make(kind)
    held = hold(objective(labels, margins))
    before = copy.deepcopy(held) if not isinstance(held, memoryview) else held.tobytes()
    objective(labels, margins + 1)
    if isinstance(held, memoryview):
        assert held.tobytes() == before
    else:
        assert all(np.array_equal(one, other) for one, other in zip(held, before, strict=True))


def test_flat_results_are_held_too():
    objective, (labels, margins) = make("softmax")
    held = objective(margins.ravel(order="F"), Data(labels))
    before = [one.copy() for one in held]
    objective(margins.ravel(order="F") + 1, Data(1 - labels % 2))
    assert all((one == other).all() for one, other in zip(held, before, strict=True))


def test_a_failed_call_leaves_results_alone():
    objective, (labels, margins) = make("softmax")
    held = objective(labels, margins)
    before = [one.copy() for one in held]
    with pytest.raises(IndexError):
        objective(labels + 10, margins)
    assert all((one == other).all() for one, other in zip(held, before, strict=True))


def test_threads_do_not_share_arrays():
    objective = SoftmaxObjective("xgboost")
    problems = [softmax_data(n_rows=400) for _ in range(4)]
    wanted = [[one.copy() for one in SoftmaxObjective("xgboost")(*problem)] for problem in problems]
    wrong = []

    def work(problem, want):
        for _ in range(200):
            wrong.extend(1 for one, other in zip(objective(*problem), want, strict=True) if not (one == other).all())

    threads = [threading.Thread(target=work, args=pair) for pair in zip(problems, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("n_threads", [1, 3])
def test_threads_change_no_bit(n_threads):
    labels, margins = softmax_data(n_rows=3000)
    want = SoftmaxObjective("xgboost", n_threads=2)(labels, margins)
    got = SoftmaxObjective("xgboost", n_threads=n_threads)(labels, margins)
    assert all((one == other).all() for one, other in zip(got, want, strict=True))


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_copies_and_pickles_work_alone(again):
    """Without the arrays of the last call."""
    labels, margins = softmax_data(n_rows=5000)
    objective = SoftmaxObjective("xgboost", weight=[1, 2, 3, 4], label_smoothing=0.1)
    want = objective(labels, margins)
    other = again(objective)
    assert len(pickle.dumps(objective)) < 1000 and other.hessian == "xgboost"
    assert type(objective).__module__ == "xentfast.boosting"        # what a pickle names outlives the files
    assert all((one == expected).all() for one, expected in zip(other(labels, margins), want, strict=True))
    metric = again(SigmoidMetric("lightgbm", name="clicks"))
    assert metric([0, 1], [0.0, 0.0])[0] == metric.__name__ == "clicks"
