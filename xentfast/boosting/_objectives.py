"""The objectives and metrics themselves: documentation, options, the form that a library wants."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from xentfast._base.numbers import choice
from xentfast._sigmoid.functions import sigmoid_cross_entropy, sigmoid_cross_entropy_grad_hess
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.functions import run, softmax_cross_entropy
from xentfast.boosting._checks import Sigmoid, Softmax, is_data_set

if TYPE_CHECKING:
    from typing import Any, Literal

    from numpy.typing import ArrayLike, NDArray

__all__ = ["SigmoidMetric", "SigmoidObjective", "SoftmaxMetric", "SoftmaxObjective"]

LIBRARIES = ("xgboost", "lightgbm")
# XGBoost's least Hessian of a class.
XGBOOST_FLOOR = 1e-16
# To an element of a list: the list's, and the argument of sys.getrefcount. A view, too, refers to its array.
OWN_REFERENCES = 2


class _Objective:
    """Gradient and Hessian go to the arrays of the last call, unless somebody still holds one of these: both libraries are done
    with what they are given before the next round."""

    def _arrays(self, margins):
        kept = self.__dict__.pop("_kept", None)         # one step: no two threads get the same arrays
        if (kept is None or kept[0].dtype != margins.dtype or kept[0].shape != margins.shape
                or kept[0].strides != margins.strides
                or max(sys.getrefcount(kept[0]), sys.getrefcount(kept[1])) > OWN_REFERENCES):
            return np.empty_like(margins), np.empty_like(margins)
        return tuple(kept)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}


class SoftmaxObjective(_Objective):
    r"""Softmax cross-entropy as a custom objective of XGBoost or LightGBM, for more than two classes.

    Parameters
    ----------
    hessian : {"xgboost", "lightgbm", "diagonal"}
        The convention for the Hessian of class k of K, which scales the leaves as a learning rate does. With p the softmax
        and w the row's weight:

        - "xgboost": max(2·w·p·(1 − p), 10⁻¹⁶), as its ``multi:softprob``;
        - "lightgbm": K/(K − 1)·w·p·(1 − p), as its ``multiclass`` (Friedman 2001);
        - "diagonal": w·p·(1 − p), the diagonal itself.
    weight : array_like of shape (K,), optional
        A finite weight for each class. See :ref:`what it does <option-weight>`.
    soft_labels : array_like of shape (M, K), optional
        Soft labels, where a data set has room for one number a row: the label of a row is then the number of its row in this
        table, from 0 to M − 1. XGBoost also takes soft labels as labels of shape (N, K), without ``num_class``.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/K. See :ref:`what it does <option-label-smoothing>`.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: the factor (1 − p_t)^γ plays down what is classified well (Lin et al. 2017). For labels that are
        classes, without `soft_labels` and `label_smoothing`. See :ref:`what it does <option-focal-gamma>`.
    n_threads : int, optional
        Threads to use at most, as for `xentfast.softmax_cross_entropy`.

    Raises
    ------
    ValueError, TypeError
        An option is not as described; when called, margins that are not finite or not of shape (N, K), labels or weights that
        do not fit them.
    IndexError
        When called, for a label that is no class or no row of `soft_labels`; the first such label is named.

    See Also
    --------
    SoftmaxMetric : The loss, to be watched.
    SigmoidObjective : A yes or no for each row.
    base_margin : Where training may start.
    xentfast.softmax_cross_entropy_grad_hess : Gradient and Hessian by themselves.

    Notes
    -----
    The object is called by the library, in whichever way that has:

    - ``xgb.train(params, dtrain, obj=objective)`` and ``lgb.train({"objective": objective, …}, train_set)`` call it with
      margins and data set;
    - ``XGBClassifier(objective=objective)`` and ``LGBMClassifier(objective=objective)`` call it with labels, margins and,
      where there are any, weights of the rows.

    The first two need ``num_class``. Where XGBoost's parameter ``objective`` names the built-in ``multi:softprob`` beside
    ``obj`` (as XGBClassifier does), its ``predict`` gives probabilities; else, and in LightGBM, margins come out, whose
    probabilities are ``xf.softmax(margins, axis=1)``.

    Margins are (N, K) in any memory order, or flattened class by class, and so are the results, in their dtype (float32 from
    XGBoost, float64 from LightGBM). They are those of `xentfast.softmax_cross_entropy_grad_hess` with ``reduction="sum"``, times
    the convention's factor. The weights of the rows count as with the built-in objectives: neither library applies them to what
    a custom objective returns.

    Margins and labels of rows of weight 0 are not looked at.

    Built-in objectives start from the frequencies of the classes, a custom one from equal scores: with `base_margin` it starts
    from the frequencies as well.

    With `focal_gamma` p·(1 − p) stands for the absolute value of the Hessian's diagonal, which is negative where a row is badly
    misclassified: as for `SigmoidObjective`.

    Gradient and Hessian are written over the arrays of the last call once nobody else refers to these. An object can be pickled,
    copied, and used by several threads.

    References
    ----------
    .. [1] Friedman, "Greedy function approximation: a gradient boosting machine", 2001, section 4.6.
    .. [2] Lin et al., "Focal loss for dense object detection", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast.boosting
    >>> objective = xentfast.boosting.SoftmaxObjective("xgboost", label_smoothing=0.1)
    >>> labels, margins = np.array([0, 2]), np.zeros((2, 4), np.float32)
    >>> grad, hess = objective(labels, margins)
    >>> grad
    array([[-0.675,  0.225,  0.225,  0.225],
           [ 0.225,  0.225, -0.675,  0.225]], dtype=float32)
    >>> hess[0]
    array([0.375, 0.375, 0.375, 0.375], dtype=float32)
    """

    def __init__(
        self,
        hessian: Literal["xgboost", "lightgbm", "diagonal"],
        *,
        weight: ArrayLike | None = None,
        soft_labels: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        n_threads: int | None = None,
    ) -> None:
        self.hessian = choice(hessian, (*LIBRARIES, "diagonal"), "hessian")
        self._loss = Softmax(weight, soft_labels, label_smoothing, focal_gamma, n_threads)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and Hessian, as the library asks for them.

        Parameters
        ----------
        y_true : array_like
            Labels; or margins, where the second argument is a data set.
        y_pred : array_like, xgboost.DMatrix or lightgbm.Dataset
            Margins; or the data set, which has labels and weights.
        sample_weight : array_like of shape (N,), optional
            Weights of the rows, beside arrays.

        Returns
        -------
        grad, hess : ndarray
            Of the shape and dtype of the margins.
        """
        margins, targets, weights, flat = self._loss.rows(y_true, y_pred, sample_weight)
        call = cross_entropy_call(margins, targets, sample_weight=weights, reduction="sum", **self._loss.options)
        call.hess_size = self._loss.options["focal_gamma"] != 0.0
        if self.hessian == "xgboost":
            call.hess_factor, call.hess_floor = 2.0, XGBOOST_FLOOR
        elif self.hessian == "lightgbm":
            call.hess_factor = margins.shape[1] / (margins.shape[1] - 1)
        grad, hess = call.outputs(self._arrays(margins))
        run(call, 0.0, grad, hess)
        self._kept = [grad, hess]
        return (grad.T.reshape(-1), hess.T.reshape(-1)) if flat else (grad, hess)


class SigmoidObjective(_Objective):
    r"""Sigmoid cross-entropy as a custom objective of XGBoost or LightGBM: yes or no, focal if wanted.

    Parameters
    ----------
    pos_weight : float or array_like of shape (K,), optional
        A finite weight of the positive class (of each of K, where a row has K labels): what both libraries call
        ``scale_pos_weight``. See :ref:`what it does <option-pos-weight>`.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2. See :ref:`what it does <option-label-smoothing>`.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: the factor (1 − p_t)^γ plays down what is classified well (Lin et al. 2017). See
        :ref:`what it does <option-focal-gamma>`.
    n_threads : int, optional
        Threads to use at most, as for `xentfast.sigmoid_cross_entropy`.

    Raises
    ------
    ValueError, TypeError
        An option is not as described; when called, margins that are not finite, labels that are not from 0 to 1, shapes that do
        not fit. The first such number is named.

    See Also
    --------
    SigmoidMetric : The loss, to be watched.
    SoftmaxObjective : For more than two classes.
    base_margin : Where training may start.
    xentfast.sigmoid_cross_entropy_grad_hess : Gradient and Hessian by themselves.

    Notes
    -----
    Labels from 0 to 1 are soft. The object is called as `SoftmaxObjective` is, with margins and labels of shape (N,), or (N, K)
    for several answers to a row; those of rows of weight 0 are not looked at. Gradient and Hessian are those of
    `xentfast.sigmoid_cross_entropy_grad_hess` with ``reduction="sum"``; w·p·(1 − p) is the convention of both libraries.

    The Hessian of a focal loss is negative where a row is badly misclassified, as the rare class is at a starting score of its
    log-odds. Its absolute value is returned instead, which keeps Newton's step downhill and as long as it was (Dauphin et al.
    2014); with a small positive bound there, such rows would take steps without measure.

    Training starts from a margin of 0 in LightGBM, or from ``init_score``; in XGBoost from ``base_score``, 0.5 by default, which
    is a probability where the parameter ``objective`` names the built-in ``binary:logistic`` beside ``obj`` (as XGBClassifier
    does), and else a margin. The built-in objectives start from the log-odds of the labels, which `base_margin` gives.

    References
    ----------
    .. [1] Lin et al., "Focal loss for dense object detection", ICCV 2017.
    .. [2] Dauphin et al., "Identifying and attacking the saddle point problem in high-dimensional non-convex optimization",
       NeurIPS 2014.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast.boosting
    >>> objective = xentfast.boosting.SigmoidObjective(focal_gamma=2.0)
    >>> grad, hess = objective(np.array([1, 0]), np.array([0.0, -3.0]))
    >>> grad
    array([-0.2982868 ,  0.00031487])
    """

    def __init__(
        self,
        *,
        pos_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        n_threads: int | None = None,
    ) -> None:
        self._loss = Sigmoid(pos_weight, label_smoothing, focal_gamma, n_threads)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and Hessian, as the library asks for them.

        Parameters
        ----------
        y_true : array_like
            Labels; or margins, where the second argument is a data set.
        y_pred : array_like, xgboost.DMatrix or lightgbm.Dataset
            Margins; or the data set, which has labels and weights.
        sample_weight : array_like of shape (N,), optional
            Weights of the rows, beside arrays.

        Returns
        -------
        grad, hess : ndarray
            Of the shape and dtype of the margins.
        """
        margins, targets, weights = self._loss.rows(y_true, y_pred, sample_weight)
        grad, hess = sigmoid_cross_entropy_grad_hess(margins, targets, sample_weight=weights, reduction="sum",
                                                     out=self._arrays(margins), **self._loss.options)
        if self._loss.options["focal_gamma"]:
            np.absolute(hess, out=hess)
        self._kept = [grad, hess]
        return grad, hess


class _Metric:
    """The mean loss, in the form that the library expects."""

    def __init__(self, library, name):
        self.library = choice(library, LIBRARIES, "library")
        self.__name__ = name                            # by which XGBoost's scikit-learn classes call it

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None,
    ) -> float | tuple[str, float] | tuple[str, float, bool]:
        """The mean loss, in the form that the library expects.

        Parameters
        ----------
        y_true : array_like
            Labels; or margins, where the second argument is a data set.
        y_pred : array_like, xgboost.DMatrix or lightgbm.Dataset
            Margins; or the data set, which has labels and weights.
        sample_weight : array_like of shape (N,), optional
            Weights of the rows, beside arrays.

        Returns
        -------
        float or tuple
            LightGBM: (name, value, False). XGBoost: (name, value) of a data set, the value of arrays.
        """
        value = float(self._mean(y_true, y_pred, sample_weight))
        if self.library == "lightgbm":
            return self.__name__, value, False          # smaller is better
        return (self.__name__, value) if is_data_set(y_pred) else value


class SoftmaxMetric(_Metric):
    r"""Mean softmax cross-entropy as an evaluation metric of XGBoost or LightGBM, to go with `SoftmaxObjective`.

    With the options of the objective it is the loss that is trained, without them the log-loss (``mlogloss``, ``multi_logloss``).

    Parameters
    ----------
    library : {"xgboost", "lightgbm"}
        Whose form the result has.
    weight : array_like of shape (K,), optional
        A finite weight for each class.
    soft_labels : array_like of shape (M, K), optional
        The soft labels, of which labels are row numbers.
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become (1 − ε)·t + ε/K.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: the factor (1 − p_t)^γ.
    name : str, default "softmax_cross_entropy"
        Under which it is reported.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Raises
    ------
    ValueError, TypeError, IndexError
        As `SoftmaxObjective`.

    See Also
    --------
    SoftmaxObjective : The objective.
    SigmoidMetric : A yes or no for each row.

    Notes
    -----
    ``xgb.train(…, custom_metric=metric)``, ``lgb.train(…, feval=metric)``, ``XGBClassifier(…, eval_metric=metric)`` and
    ``LGBMClassifier(…).fit(…, eval_metric=metric)`` call it, with margins as long as the objective is a custom one (with a
    built-in objective they pass probabilities: use its own log-loss then). The mean is over the weights of the rows, as
    `xentfast.softmax_cross_entropy` has it. XGBoost wants (name, value) or the value alone, LightGBM (name, value, False):
    smaller is better.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast.boosting
    >>> metric = xentfast.boosting.SoftmaxMetric("lightgbm")
    >>> metric(np.array([0, 2]), np.zeros((2, 4)))
    ('softmax_cross_entropy', 1.3862943611198906, False)
    """

    def __init__(
        self,
        library: Literal["xgboost", "lightgbm"],
        *,
        weight: ArrayLike | None = None,
        soft_labels: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        name: str = "softmax_cross_entropy",
        n_threads: int | None = None,
    ) -> None:
        super().__init__(library, name)
        self._loss = Softmax(weight, soft_labels, label_smoothing, focal_gamma, n_threads)

    def _mean(self, y_true, y_pred, sample_weight):
        margins, targets, weights, _ = self._loss.rows(y_true, y_pred, sample_weight)
        return softmax_cross_entropy(margins, targets, sample_weight=weights, **self._loss.options)


class SigmoidMetric(_Metric):
    r"""Mean sigmoid cross-entropy as an evaluation metric of XGBoost or LightGBM, to go with `SigmoidObjective`.

    With the options of the objective it is the loss that is trained, without them the log-loss (``logloss``, ``binary_logloss``).

    Parameters
    ----------
    library : {"xgboost", "lightgbm"}
        Whose form the result has.
    pos_weight : float or array_like of shape (K,), optional
        A finite weight of the positive class (of each of K, where a row has K labels).
    label_smoothing : float, default 0.0
        ε from 0 to 1: the targets t become t·(1 − ε) + ε/2.
    focal_gamma : float, default 0.0
        γ, finite and at least 0: the factor (1 − p_t)^γ.
    name : str, default "sigmoid_cross_entropy"
        Under which it is reported.
    n_threads : int, optional
        Threads to use at most; the result has the same bits for any number.

    Raises
    ------
    ValueError, TypeError
        As `SigmoidObjective`.

    See Also
    --------
    SigmoidObjective : The objective.
    SoftmaxMetric : For more than two classes.

    Notes
    -----
    It is called as `SoftmaxMetric` is. The mean is over the weights of the rows, as `xentfast.sigmoid_cross_entropy` has it.

    Examples
    --------
    >>> import numpy as np
    >>> import xentfast.boosting
    >>> metric = xentfast.boosting.SigmoidMetric("xgboost", focal_gamma=2.0)
    >>> metric(np.array([1, 0]), np.array([0.0, -3.0]))
    0.08669803923224166
    """

    def __init__(
        self,
        library: Literal["xgboost", "lightgbm"],
        *,
        pos_weight: ArrayLike | None = None,
        label_smoothing: float = 0.0,
        focal_gamma: float = 0.0,
        name: str = "sigmoid_cross_entropy",
        n_threads: int | None = None,
    ) -> None:
        super().__init__(library, name)
        self._loss = Sigmoid(pos_weight, label_smoothing, focal_gamma, n_threads)

    def _mean(self, y_true, y_pred, sample_weight):
        margins, targets, weights = self._loss.rows(y_true, y_pred, sample_weight)
        return sigmoid_cross_entropy(margins, targets, sample_weight=weights, **self._loss.options)
