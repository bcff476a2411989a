"""base_margin: where the built-in objectives of XGBoost and LightGBM start, so that custom ones train their models from there."""

import json
import math
import re

import numpy as np
import pytest
from sklearn.datasets import load_iris
from tolerances import BOOSTED, STARTED, UNSTARTED, ZERO_SUM

import xentfast as xf
from xentfast.boosting import SigmoidObjective, SoftmaxObjective, base_margin

pytestmark = pytest.mark.extras

# Iris, cut to 50, 20 and 5 of its classes. Weights are quarters, which float32 holds.
KEPT = np.r_[0:50, 50:70, 100:105]
X, LABELS = (array[KEPT] for array in load_iris(return_X_y=True))
RARE = (LABELS == 2).astype(int)
WEIGHTS = np.random.default_rng(0).integers(1, 9, len(KEPT)) / 4
ROUNDS = 5


def tiled(start):
    return np.tile(start, (len(X), 1)) if np.ndim(start) else np.full(len(X), start)


# ---- the libraries' own


def of_xgboost(options, labels, weights, start=None, obj=None, **more):
    """(margins, its base_score)."""
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(X, label=labels, weight=weights)
    if start is not None:
        data.set_base_margin(tiled(start))
    booster = xgboost.train({"nthread": 1, "max_depth": 3} | options | more, data, ROUNDS, obj=obj)
    score = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    return booster.predict(data, output_margin=True), np.array(json.loads(score))


def of_lightgbm(options, labels, weights, start=None):
    lightgbm = pytest.importorskip("lightgbm")
    data = lightgbm.Dataset(X, label=labels, weight=weights, init_score=None if start is None else tiled(start))
    options = {"num_threads": 1, "verbose": -1, "min_data_in_leaf": 1, "max_depth": 3} | options
    return lightgbm.train(options, data, ROUNDS).predict(X, raw_score=True) + (0.0 if start is None else start)


def needs_xgboost(least):
    """Before that it starts elsewhere."""
    version = pytest.importorskip("xgboost").__version__
    if tuple(map(int, version.split(".")[:2])) < least:
        pytest.skip(f"XGBoost {version} starts elsewhere")


def softmaxes(*margins):
    return [xf.softmax(np.asarray(one, np.float64), axis=1) for one in margins]


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
def test_classes_in_xgboost(weights):
    """Its own objective starts there, but for a number that all classes share."""
    needs_xgboost((3, 2))
    start = base_margin(LABELS, 3, sample_weight=weights)
    theirs, score = of_xgboost({"objective": "multi:softprob", "num_class": 3}, LABELS, weights)
    assert np.abs((start - start.mean()) - score).max() < STARTED
    ours, _ = of_xgboost({"num_class": 3}, LABELS, weights, start, SoftmaxObjective("xgboost"))
    in_model, _ = of_xgboost({"num_class": 3}, LABELS, weights, None, SoftmaxObjective("xgboost"), base_score=start.tolist())
    cold, _ = of_xgboost({"num_class": 3}, LABELS, weights, None, SoftmaxObjective("xgboost"))
    ours, in_model, cold, theirs = softmaxes(ours, in_model, cold, theirs)
    assert np.abs(ours - theirs).max() < STARTED and np.abs(in_model - theirs).max() < STARTED
    assert np.abs(cold - theirs).max() > UNSTARTED


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
def test_answers_in_xgboost(weights):
    needs_xgboost((3, 1))
    start = base_margin(RARE, sample_weight=weights)
    theirs, score = of_xgboost({"objective": "binary:logistic"}, RARE, weights)
    assert score == pytest.approx(1 / (1 + math.exp(-start)), rel=STARTED)
    ours, _ = of_xgboost({}, RARE, weights, start, SigmoidObjective())
    in_model, _ = of_xgboost({"base_score": start}, RARE, weights, None, SigmoidObjective())
    assert np.abs(ours - theirs).max() < STARTED and np.abs(in_model - theirs).max() < STARTED


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weighted"])
def test_classes_and_answers_in_lightgbm(weights):
    """To the last bits: it keeps margins in float64."""
    start = base_margin(LABELS, 3, sample_weight=weights)
    theirs = of_lightgbm({"objective": "multiclass", "num_class": 3}, LABELS, weights)
    ours = of_lightgbm({"objective": SoftmaxObjective("lightgbm"), "num_class": 3}, LABELS, weights, start)
    cold = of_lightgbm({"objective": SoftmaxObjective("lightgbm"), "num_class": 3}, LABELS, weights)
    assert np.abs(ours - theirs).max() <= BOOSTED["lightgbm"] * np.abs(theirs).max()
    assert np.abs(np.subtract(*softmaxes(cold, theirs))).max() > UNSTARTED
    start = base_margin(RARE, sample_weight=weights)
    theirs = of_lightgbm({"objective": "binary"}, RARE, weights)
    ours = of_lightgbm({"objective": SigmoidObjective()}, RARE, weights, start)
    assert np.abs(ours - theirs).max() <= BOOSTED["lightgbm"] * np.abs(theirs).max()


# ---- the numbers themselves


def test_the_mean_loss_is_least_there():
    """Its gradient is 0, of classes, soft labels, answers and soft answers; the weights of the rows count."""
    rng = np.random.default_rng(1)
    soft, answers = rng.random((40, 3)), rng.random((40, 2))
    weights = rng.random(40)
    classes = rng.integers(0, 3, 40)
    for labels in (classes, soft):
        start = base_margin(labels, 3, sample_weight=weights)
        grad = xf.softmax_cross_entropy_grad(np.tile(start, (40, 1)), labels, sample_weight=weights)
        assert start.dtype == np.float64 and np.abs(grad.sum(axis=0)).max() < ZERO_SUM
    for labels in (answers, answers[:, 0], answers > 0.7):
        start = base_margin(labels, sample_weight=weights)
        margins = np.broadcast_to(start, labels.shape)
        grad = xf.sigmoid_cross_entropy_grad(margins, labels, sample_weight=weights.reshape(-1, *[1] * (labels.ndim - 1)))
        assert type(start) is (float if labels.ndim == 1 else np.ndarray) and np.abs(grad.sum(axis=0)).max() < ZERO_SUM


def test_weights_of_classes_are_weights_of_rows():
    weight = np.array([1.0, 3.0, 0.5])
    start = base_margin(LABELS, 3, sample_weight=weight[LABELS])
    grad = xf.softmax_cross_entropy_grad(tiled(start), LABELS, weight=weight)
    assert np.abs(grad.sum(axis=0)).max() < ZERO_SUM


def test_what_does_not_occur_has_a_finite_margin():
    assert (base_margin([0, 2], 3) == np.log([0.5, 1e-15, 0.5])).all()
    assert base_margin([0, 0]) == pytest.approx(math.log(1e-15)) and base_margin([1]) == pytest.approx(-math.log(1e-15), rel=1e-3)


def test_rows_of_weight_0_are_not_looked_at():
    weights = [1.0, 0.0, 2.0]
    assert (base_margin([0, 7, 1], 2, sample_weight=weights) == base_margin([0, 1], 2, sample_weight=[1, 2])).all()
    assert (base_margin([0, math.nan, 1], 2, sample_weight=weights) == base_margin([0, 1], 2, sample_weight=[1, 2])).all()
    assert base_margin([0, math.nan, 0.5], sample_weight=weights) == base_margin([0, 0.5], sample_weight=[1, 2])
    assert (base_margin([[1, 0], [-1, math.inf], [0, 3]], 2, sample_weight=weights)
            == base_margin([[1, 0], [0, 3]], 2, sample_weight=[1, 2])).all()


def test_large_and_small_numbers():
    for size in (1e308, 1e-308):
        assert (base_margin([0, 0, 1], 2, sample_weight=[size] * 3) == base_margin([0, 0, 1], 2)).all()
        assert (base_margin([[size, 0], [size, size]], 2) == base_margin([[1, 0], [1, 1]], 2)).all()


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_dtypes_of_labels(dtype):
    for order in "<>":
        labels = np.array([0, 1, 1], f"{order}{dtype}")
        assert (base_margin(labels, 2) == base_margin([0, 1, 1], 2)).all() and base_margin(labels) == base_margin([0, 1, 1])
        assert (base_margin([0, 1, 1], 2, sample_weight=labels) == base_margin([1], 2)).all()


@pytest.mark.parametrize(("arguments", "options", "kind", "message"), [
    ((LABELS,), {}, ValueError, "labels[70] is 2; expected a number from 0 to 1; of classes, pass n_classes"),
    ((LABELS, 2), {}, IndexError, "labels[70] is 2; expected a class from 0 to 1"),
    (([0, 0.5], 2), {}, ValueError, "labels[1] is 0.5; expected a class from 0 to 1"),
    (([0, math.nan],), {}, ValueError, "labels[1] is nan; expected a number from 0 to 1"),
    (([[0, -1]], 2), {}, ValueError, "labels[0, 1] is -1; expected a finite number of at least 0"),
    (([[0, 0]], 2), {}, ValueError, "labels are all 0 where rows have a weight; expected one above 0"),
    (([[0, 1]], 3), {}, ValueError, "labels have shape (1, 2); expected (1, 3), a soft label for each of n_classes=3 classes"),
    ((0,), {}, ValueError, "labels have shape (); expected one or two axes, rows first"),
    ((["a"],), {}, TypeError, "labels have dtype <U1; expected numbers"),
    ((None,), {}, TypeError, "labels have dtype object; expected numbers"),
    (([],), {}, ValueError, "labels have 0 rows, none of a weight above 0; expected at least one"),
    (([1],), {"sample_weight": [0]}, ValueError, "labels have 1 rows, none of a weight above 0"),
    (([1],), {"sample_weight": [-1]}, ValueError, "sample_weight[0] is -1; expected a finite weight of at least 0"),
    (([1, 0],), {"sample_weight": [1, math.inf]}, ValueError, "sample_weight[1] is inf; expected a finite weight"),
    (([1],), {"sample_weight": [1, 2]}, ValueError, "sample_weight has shape (2,); expected (1,), a weight for each row"),
    (([1],), {"sample_weight": ["a"]}, TypeError, "sample_weight has dtype <U1; expected real numbers"),
    (([1], 1), {}, ValueError, "n_classes is 1; expected None or an integer from 2 to 16777217"),
    (([1], 2**70), {}, ValueError, f"n_classes is {2**70}; expected None or an integer from 2"),
    (([1], 2.0), {}, TypeError, "n_classes is 2.0; expected an integer"),
])
def test_bad_input(arguments, options, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        base_margin(*arguments, **options)
