"""Bad input of xentfast.boosting: options when the object is made, the rest before any work of a call."""

import re

import numpy as np
import pytest
from boosting_data import Data

from xentfast.boosting import SigmoidMetric, SigmoidObjective, SoftmaxMetric, SoftmaxObjective, _checks

pytestmark = pytest.mark.extras

X, T = np.zeros((3, 4), np.float32), np.zeros(3, np.float32)
NAN, INF = np.nan, np.inf


def changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


SOFTMAX_OPTIONS = [
    ({"weight": [1.0]}, ValueError, "weight has shape (1,); expected a weight for each of at least two classes"),
    ({"weight": np.ones((2, 2))}, ValueError, "weight has shape (2, 2)"),
    ({"weight": [1.0, NAN]}, ValueError, "weight[1] is nan; expected finite weights"),
    ({"weight": ["a", "b"]}, TypeError, "weight has dtype <U1; expected real numbers"),
    ({"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5; expected a number from 0 to 1"),
    ({"label_smoothing": "a"}, TypeError, "label_smoothing is 'a'; expected a number"),
    ({"focal_gamma": -1}, ValueError, "focal_gamma is -1.0; expected a finite number of at least 0"),
    ({"focal_gamma": 2.0, "label_smoothing": 0.1}, ValueError, "focal_gamma is 2.0 and label_smoothing is 0.1; expected one"),
    ({"focal_gamma": 2.0, "soft_labels": np.ones((3, 2))}, ValueError, "focal_gamma is 2.0 with soft_labels; expected labels"),
    ({"n_threads": 0}, ValueError, "n_threads is 0; expected None or an integer of at least 1"),
    ({"soft_labels": np.ones(3)}, ValueError, "soft_labels has shape (3,); expected (M, K)"),
    ({"soft_labels": np.ones((3, 1))}, ValueError, "soft_labels has shape (3, 1); expected (M, K)"),
    ({"soft_labels": [[0.5, 0.5], [NAN, 0.5]]}, ValueError, "soft_labels[1, 0] is nan; expected a finite number of at least 0"),
    ({"soft_labels": [[0.5, -0.5]]}, ValueError, "soft_labels[0, 1] is -0.5"),
    ({"soft_labels": [["a", "b"]]}, TypeError, "soft_labels has dtype <U1"),
    ({"soft_labels": np.ones((3, 2)), "weight": [1, 2, 3]}, ValueError, "weight has shape (3,), soft_labels (3, 2)"),
]
SIGMOID_OPTIONS = [
    ({"pos_weight": NAN}, ValueError, "pos_weight is nan; expected finite weights"),
    ({"pos_weight": [1.0, INF]}, ValueError, "pos_weight[1] is inf; expected finite weights"),
    ({"pos_weight": np.ones((2, 2))}, ValueError, "pos_weight has shape (2, 2); expected a number, or one for each column"),
    ({"pos_weight": "a"}, TypeError, "pos_weight has dtype <U1"),
    ({"focal_gamma": -1}, ValueError, "focal_gamma is -1.0; expected a finite number of at least 0"),
    ({"focal_gamma": INF}, ValueError, "focal_gamma is inf"),
    ({"label_smoothing": -0.1}, ValueError, "label_smoothing is -0.1"),
    ({"n_threads": 1.5}, TypeError, "n_threads is 1.5"),
]
SOFTMAX_CALLS = [
    ({}, (T, X[:, 0]), ValueError, "margins have shape (3,) for 3 labels; expected (3, K) with K ≥ 2 classes: is num_class set?"),
    ({}, (T, X[:, :1]), ValueError, "margins have shape (3, 1) for 3 labels"),
    ({}, (T, X[:2]), ValueError, "margins have shape (2, 4) for 3 labels"),
    ({}, (T, np.zeros(10)), ValueError, "margins have shape (10,) for 3 labels"),
    ({}, (T, np.zeros((3, 2, 2))), ValueError, "margins have shape (3, 2, 2) for 3 labels"),
    ({}, (T, X.astype(complex)), TypeError, "margins has dtype complex128"),
    ({}, (T, changed(X, (1, 2), NAN)), ValueError, "margins[1, 2] is nan; expected a finite number"),
    ({}, (T, np.asfortranarray(changed(X, (2, 1), INF))), ValueError, "margins[2, 1] is inf; expected a finite number"),
    ({}, (T, changed(X, (0, 0), -INF)), ValueError, "margins[0, 0] is -inf; expected a finite number"),
    ({}, (changed(T, 1, 4), X), IndexError, "labels[1] is 4; expected a class from 0 to 3"),
    ({"focal_gamma": 2.0}, (np.ones((3, 4)), X), ValueError,
     "labels have shape (3, 4), as soft labels have, and focal_gamma is 2.0; expected one axis of classes, or focal_gamma=0"),
    ({}, (changed(T, 2, -1), X), IndexError, "labels[2] is -1; expected a class from 0 to 3"),
    ({}, (changed(T, 2, -100), X), IndexError, "labels[2] is -100; expected a class from 0 to 3"),
    ({}, (np.array([0, 1, 2**64 - 100], np.uint64), X), IndexError, "labels[2] is -100"),
    ({}, (changed(T, 1, 0.5), X), ValueError, "labels[1] is 0.5; expected a class from 0 to 3"),
    ({}, (changed(T, 1, NAN), X), ValueError, "labels[1] is nan; expected a class from 0 to 3"),
    ({}, (changed(T, 1, INF), X), ValueError, "labels[1] is inf; expected a class from 0 to 3"),
    ({}, (np.array(["a"] * 3), X), TypeError, "labels have dtype <U1; expected numbers"),
    ({}, (0.0, X), ValueError, "labels have shape (); expected one or two axes, rows first"),
    ({}, (X[:, :3], X), ValueError, "labels have shape (3, 3), but margins have 4 classes"),
    ({}, (changed(X, (0, 1), NAN), X), ValueError, "labels[0, 1] is nan; expected a finite number of at least 0"),
    ({}, (changed(X, (0, 1), -1), X), ValueError, "labels[0, 1] is -1.0"),
    ({}, (T, X, np.ones(2)), ValueError, "weights have shape (2,); expected (3,), one for each row"),
    ({}, (T, X, np.ones((3, 4))), ValueError, "weights have shape (3, 4); expected (3,)"),
    ({}, (T, X, [1.0, NAN, 1.0]), ValueError, "sample_weight[1] is nan; expected finite weights"),
    ({}, (X, Data(None)), ValueError, "the data set has no labels"),
    ({"weight": [1, 2]}, (T, X), ValueError, "weight has shape (2,), but margins have 4 classes"),
    ({"soft_labels": np.ones((5, 2))}, (T, X), ValueError, "soft_labels has shape (5, 2), but margins have 4 classes"),
    ({"soft_labels": np.ones((5, 4))}, (T + 5, X), IndexError, "labels[0] is 5; expected a row of soft_labels, from 0 to 4"),
    ({"soft_labels": np.ones((5, 4))}, (T + 0.5, X), ValueError, "labels[0] is 0.5; expected a row of soft_labels"),
    ({"soft_labels": np.ones((5, 4))}, (X, X), ValueError, "labels have shape (3, 4); expected one axis of row numbers"),
]
SIGMOID_CALLS = [
    ({}, (T, X), ValueError, "margins have shape (3, 4), labels (3,); expected the same"),
    ({}, (T, T[:2]), ValueError, "margins have shape (2,), labels (3,)"),
    ({}, (changed(T, 1, 2), T), ValueError, "labels[1] is 2.0; expected a number from 0 to 1"),
    ({}, (changed(T, 1, NAN), T), ValueError, "labels[1] is nan; expected a number from 0 to 1"),
    ({}, (T, changed(T, 1, NAN)), ValueError, "margins[1] is nan; expected a finite number"),
    ({}, (T, changed(T, 0, -INF)), ValueError, "margins[0] is -inf"),
    ({}, (T, T, [1.0, INF, 1.0]), ValueError, "sample_weight[1] is inf"),
    ({}, (T, T, [1.0]), ValueError, "weights have shape (1,); expected (3,)"),
    ({"pos_weight": [1.0, 2.0]}, (T, T), ValueError, "pos_weight has shape (2,); expected a number, or one for each column"),
    ({"pos_weight": [1.0, 2.0]}, (X, X), ValueError, "pos_weight has shape (2,)"),
]


@pytest.mark.parametrize(("options", "kind", "message"), SOFTMAX_OPTIONS)
def test_softmax_options(options, kind, message):
    for make in (SoftmaxObjective, SoftmaxMetric):
        with pytest.raises(kind, match=re.escape(message)):
            make("xgboost", **options)


@pytest.mark.parametrize(("options", "kind", "message"), SIGMOID_OPTIONS)
def test_sigmoid_options(options, kind, message):
    for make in (SigmoidObjective, lambda **options: SigmoidMetric("lightgbm", **options)):
        with pytest.raises(kind, match=re.escape(message)):
            make(**options)


@pytest.mark.parametrize("make", [SoftmaxObjective, SoftmaxMetric, SigmoidMetric])
@pytest.mark.parametrize("name", ["catboost", None, ["xgboost"]])
def test_unknown_convention_or_library(make, name):
    argument = "hessian" if make is SoftmaxObjective else "library"
    with pytest.raises(ValueError, match=re.escape(f"{argument} is {name!r}; expected 'xgboost'")):
        make(name)


@pytest.mark.parametrize(("options", "call", "kind", "message"), SOFTMAX_CALLS)
def test_softmax_calls(options, call, kind, message):
    for one in (SoftmaxObjective("xgboost", **options), SoftmaxMetric("xgboost", **options)):
        with pytest.raises(kind, match=re.escape(message)):
            one(*call)


@pytest.mark.parametrize(("options", "call", "kind", "message"), SIGMOID_CALLS)
def test_sigmoid_calls(options, call, kind, message):
    for one in (SigmoidObjective(**options), SigmoidMetric("xgboost", **options)):
        with pytest.raises(kind, match=re.escape(message)):
            one(*call)


def test_more_soft_labels_than_float32_can_number(monkeypatch):
    monkeypatch.setattr(_checks, "LARGEST_LABEL", 4)
    SoftmaxObjective("xgboost", soft_labels=np.ones((5, 2)))
    with pytest.raises(ValueError, match="soft_labels has 6 rows; expected at most 5: labels are float32"):
        SoftmaxObjective("xgboost", soft_labels=np.ones((6, 2)))


def test_the_largest_label_is_the_largest_that_float32_holds_with_all_before_it():
    largest = _checks.LARGEST_LABEL
    assert int(np.float32(largest)) == largest and int(np.float32(largest + 1)) != largest + 1
