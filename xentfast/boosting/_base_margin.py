"""base_margin: the score that training starts from, as the built-in objectives have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.arrays import is_float, native_array, plain_array
from xentfast._base.numbers import integer
from xentfast.boosting._checks import LARGEST_LABEL, check_range, classes_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The probability of what does not occur: LightGBM's. XGBoost takes 10⁻⁶.
FLOOR = 1e-15


def base_margin(labels: ArrayLike, n_classes: int | None = None, *, sample_weight: ArrayLike | None = None,
                ) -> float | NDArray[np.float64]:
    r"""The margin to start from: of each class the logarithm of its frequency, or of a yes-or-no answer its log-odds.

    Parameters
    ----------
    labels : array_like of shape (N,) or (N, K)
        With `n_classes` a class for each row, or K soft labels of at least 0. Without it an answer from 0 to 1 for each row, or
        K answers.
    n_classes : int, optional
        K, at least 2, for `SoftmaxObjective`; None for `SigmoidObjective`.
    sample_weight : array_like of shape (N,), optional
        Weights of the rows, finite and at least 0. At a row of weight 0 nothing is looked at.

    Returns
    -------
    ndarray of shape (K,), float64, or float
        The margin of each class or answer, the same for all rows; a float for labels of one answer.

    Raises
    ------
    ValueError, TypeError
        For an argument that is not as described, and where no row has a weight above 0.
    IndexError
        For a label that is no class; the first such label is named.

    See Also
    --------
    SoftmaxObjective : The objective for classes.
    SigmoidObjective : The objective for answers.

    Notes
    -----
    LightGBM and XGBoost (from 3.1 on for answers, 3.2 for classes) start their own objectives there, and custom ones from 0
    (XGBoost: from ``base_score``, 0.5 by default), so that the first trees of a custom objective learn the frequencies:
    after few rounds on labels that are unbalanced its probabilities are others. Such a margin is no part of the model: it
    is given again, or added, when the model predicts::

        start = base_margin(labels, 3)
        data = xgb.DMatrix(x, label=labels, base_margin=np.tile(start, (len(x), 1)))
        booster = xgb.train({"num_class": 3}, data, obj=SoftmaxObjective("xgboost"))
        margins = booster.predict(xgb.DMatrix(new, base_margin=np.tile(start, (len(new), 1))), output_margin=True)

        data = lgb.Dataset(x, label=labels, init_score=np.tile(start, (len(x), 1)))
        booster = lgb.train({"num_class": 3, "objective": SoftmaxObjective("lightgbm")}, data)
        margins = booster.predict(new) + start

    XGBoost can also keep it in the model, as ``base_score``; a list for classes from 3.1 on:
    ``{"base_score": start}`` with ``obj=SigmoidObjective()``, ``{"base_score": start.tolist()}`` with
    ``obj=SoftmaxObjective("xgboost")``. Where ``objective`` names the built-in ``binary:logistic`` beside ``obj`` (as
    XGBClassifier does), ``base_score`` is a probability: 1/(1 + e^−start).

    :math:`\log(\sum_i w_i t_{ik} / \sum_{ij} w_i t_{ij})` and :math:`\log(\sum_i w_i t_i / \sum_i w_i (1 - t_i))`: with these
    margins the mean of the loss over the rows is least among all that are the same for each row. What does not occur counts
    as of probability 10⁻¹⁵, as in LightGBM. For an objective with `weight`, pass ``sample_weight=weight[labels]``, times the
    weights of the rows.

    Examples
    --------
    >>> import numpy as np
    >>> from xentfast.boosting import base_margin
    >>> np.exp(base_margin([0, 0, 1, 2], 3)).round(6)
    array([0.5 , 0.25, 0.25])
    >>> round(base_margin([0, 0, 0, 1]), 6)
    -1.098612
    """
    classes = None if n_classes is None else _number_of_classes(n_classes)
    labels = _label_array(labels, classes)
    weights = _weights_of_rows(sample_weight, len(labels))
    labels = np.where((weights != 0).reshape(-1, *[1] * (labels.ndim - 1)), labels, labels.dtype.type(0))
    if classes is None:
        check_range(labels, 0.0, 1.0, "labels", "a number from 0 to 1; of classes, pass n_classes", None)
        return _log_odds(labels.astype(np.float64), weights)
    if labels.ndim == 1:
        counts = np.bincount(classes_of(labels, None, classes, f"a class from 0 to {classes - 1}", None), weights, classes)
    else:
        check_range(labels, 0.0, math.inf, "labels", "a finite number of at least 0", None)
        soft = labels.astype(np.float64)
        if soft.max() == 0.0:
            raise ValueError("labels are all 0 where rows have a weight; expected one above 0")
        counts = weights @ (soft / soft.max())
    return np.log(np.maximum(counts / counts.sum(), FLOOR))


def _number_of_classes(n_classes):
    number = integer(n_classes, "n_classes")
    if not 2 <= number <= LARGEST_LABEL + 1:
        raise ValueError(f"n_classes is {number}; expected None or an integer from 2 to {LARGEST_LABEL + 1}")
    return number


def _label_array(labels, n_classes):
    array = plain_array(labels, "labels", "")
    if array.dtype.kind not in "iub" and not is_float(array.dtype):
        raise TypeError(f"labels have dtype {array.dtype}; expected numbers")
    if array.ndim not in (1, 2):
        raise ValueError(f"labels have shape {array.shape}; expected one or two axes, rows first")
    if array.ndim == 2 and n_classes is not None and array.shape[1] != n_classes:
        raise ValueError(f"labels have shape {array.shape}; expected ({len(array)}, {n_classes}), a soft label for each of "
                         f"n_classes={n_classes} classes, or ({len(array)},)")
    return native_array(array)


def _weights_of_rows(sample_weight, n_rows):
    """As float64, of which the largest is 1: so no sum overflows."""
    if sample_weight is None:
        weights = np.ones(n_rows)
    else:
        array = plain_array(sample_weight, "sample_weight", "")
        if array.dtype.kind not in "iub" and not is_float(array.dtype):
            raise TypeError(f"sample_weight has dtype {array.dtype}; expected real numbers")
        if array.shape != (n_rows,):
            raise ValueError(f"sample_weight has shape {array.shape}; expected {(n_rows,)}, a weight for each row")
        check_range(native_array(array), 0.0, math.inf, "sample_weight", "a finite weight of at least 0", None)
        weights = array.astype(np.float64)
    largest = weights.max(initial=0.0)
    if largest == 0.0:
        raise ValueError(f"labels have {n_rows} rows, none of a weight above 0; expected at least one")
    return weights / largest


def _log_odds(answers, weights):
    yes, no = weights @ answers, weights @ (1.0 - answers)
    share = np.clip(yes / (yes + no), FLOOR, 1.0 - FLOOR)
    margins = np.log(share) - np.log1p(-share)
    return float(margins) if margins.ndim == 0 else margins
