"""Checks of what boosting libraries pass to an objective or a metric: margins, labels and weights of the rows."""

import math

import numpy as np

from xentfast._base.arrays import float_array, is_float, native_array, plain_array
from xentfast._base.threads import requested
from xentfast._base.values import name_outside, weight_array
from xentfast._sigmoid.checks import Read, SigmoidCall, total_allowed, total_within
from xentfast._softmax.call import cross_entropy_call

# Labels are float32 in both libraries, which holds every whole number up to this one.
LARGEST_LABEL = 2**24


def is_data_set(value):
    """Of XGBoost or LightGBM, which only their users import."""
    return hasattr(value, "get_label")


def arguments_of(y_true, y_pred, sample_weight):
    """(labels, margins, weights or None), of a scikit-learn call or of a library's own: (margins, data set)."""
    if is_data_set(y_pred):
        y_true, y_pred, sample_weight = y_pred.get_label(), y_true, y_pred.get_weight()
        if y_true is None:
            raise ValueError("the data set has no labels")
    labels = plain_array(y_true, "labels", "")
    if labels.dtype.kind not in "iub" and not is_float(labels.dtype):
        raise TypeError(f"labels have dtype {labels.dtype}; expected numbers")
    labels = native_array(labels)
    if not hasattr(y_pred, "shape"):
        y_pred = plain_array(y_pred, "margins", "")
    shape = np.shape(y_pred)
    if len(shape) == 2 and labels.shape == (shape[0] * shape[1],) and shape[1] > 1:
        labels = labels.reshape(shape)                              # several to a row, as XGBoost 2.1 hands them out
    if labels.ndim not in (1, 2):
        raise ValueError(f"labels have shape {labels.shape}; expected one or two axes, rows first")
    weights = None if sample_weight is None else plain_array(sample_weight, "weights", "")
    if weights is None or weights.size == 0 < len(labels):          # XGBoost's word for none
        return labels, y_pred, None
    if weights.shape != labels.shape[:1]:
        raise ValueError(f"weights have shape {weights.shape}; expected {labels.shape[:1]}, one for each row")
    return labels, y_pred, weights


class Softmax:
    """The checked options of a softmax loss; rows come with each call."""

    def __init__(self, weight, soft_labels, label_smoothing, focal_gamma, n_threads):
        self.soft_labels = None
        if weight is not None:
            weight = np.array(plain_array(weight, "weight", ""))
            if weight.ndim != 1 or len(weight) < 2:
                raise ValueError(f"weight has shape {weight.shape}; expected a weight for each of at least two classes")
        if soft_labels is not None:
            table = self.soft_labels = float_array(np.array(plain_array(soft_labels, "soft_labels", "")), "soft_labels")
            if table.ndim != 2 or table.shape[1] < 2:
                raise ValueError(f"soft_labels has shape {table.shape}; expected (M, K): K probabilities for each label")
            if len(table) > LARGEST_LABEL + 1:
                raise ValueError(f"soft_labels has {len(table)} rows; expected at most {LARGEST_LABEL + 1}: labels are float32, "
                                 "which cannot tell more apart")
            if weight is not None and len(weight) != table.shape[1]:
                raise ValueError(f"weight has shape {weight.shape}, soft_labels {table.shape}; expected a weight for each column")
            check_range(table, 0.0, math.inf, "soft_labels", "a finite number of at least 0", None)
        classes = 2 if weight is None else len(weight)
        # No rows: the loss's own checks of its options.
        cross_entropy_call(np.empty((0, classes)), np.empty(0, np.int64), weight=weight, label_smoothing=label_smoothing,
                           focal_gamma=focal_gamma, n_threads=n_threads)
        if soft_labels is not None and focal_gamma:
            raise ValueError(f"focal_gamma is {focal_gamma} with soft_labels; expected labels that are classes, or 0: "
                             "the focal loss has the probability of one class")
        self.options = {"weight": weight, "label_smoothing": label_smoothing, "focal_gamma": focal_gamma, "n_threads": n_threads}

    def rows(self, y_true, y_pred, sample_weight):
        """(margins, targets, weights), of N rows and K classes, and whether the margins came flattened, class by class."""
        labels, margins, weights = arguments_of(y_true, y_pred, sample_weight)
        margins = float_array(margins, "margins")
        shape, n_rows = margins.shape, len(labels)
        flat = margins.ndim == 1 and margins.size > n_rows > 0 and margins.size % n_rows == 0
        if flat:
            margins = margins.reshape(-1, n_rows).T
        if margins.ndim != 2 or margins.shape[1] < 2 or len(margins) != n_rows:
            raise ValueError(f"margins have shape {shape} for {n_rows} labels; expected ({n_rows}, K) with K ≥ 2 classes: "
                             "is num_class set?")
        check_margins(margins, weights, self.options["n_threads"])
        return margins, self.targets(labels, weights, margins.shape[1]), weights, flat

    def targets(self, labels, weights, n_classes):
        table, weight, n_threads = self.soft_labels, self.options["weight"], self.options["n_threads"]
        if weight is not None and len(weight) != n_classes:
            raise ValueError(f"weight has shape {weight.shape}, but margins have {n_classes} classes")
        if labels.ndim == 2:
            if labels.shape[1] != n_classes:
                raise ValueError(f"labels have shape {labels.shape}, but margins have {n_classes} classes")
            if table is not None:
                raise ValueError(f"labels have shape {labels.shape}; expected one axis of row numbers of soft_labels")
            if self.options["focal_gamma"]:
                raise ValueError(f"labels have shape {labels.shape}, as soft labels have, and focal_gamma is "
                                 f"{self.options['focal_gamma']}; expected one axis of classes, or focal_gamma=0")
            check_range(labels, 0.0, math.inf, "labels", "a finite number of at least 0", n_threads, weights)
            return labels if is_float(labels.dtype) else labels.astype(np.float32)
        if table is None:
            return classes_of(labels, weights, n_classes, f"a class from 0 to {n_classes - 1}", n_threads)
        if table.shape[1] != n_classes:
            raise ValueError(f"soft_labels has shape {table.shape}, but margins have {n_classes} classes")
        return table[classes_of(labels, weights, len(table), f"a row of soft_labels, from 0 to {len(table) - 1}", n_threads)]


class Sigmoid:
    """The checked options of a sigmoid loss; rows come with each call."""

    def __init__(self, pos_weight, label_smoothing, focal_gamma, n_threads):
        if pos_weight is not None:
            pos_weight = np.array(plain_array(pos_weight, "pos_weight", ""))
            if pos_weight.ndim > 1:
                raise ValueError(f"pos_weight has shape {pos_weight.shape}; expected a number, or one for each column of labels")
        # One element for each weight: the loss's own checks of its options.
        SigmoidCall(np.zeros(np.shape(pos_weight)), False, pos_weight, None, None, label_smoothing, focal_gamma, None, "sum",
                    n_threads)
        self.options = {"pos_weight": pos_weight, "label_smoothing": label_smoothing, "focal_gamma": focal_gamma,
                        "n_threads": n_threads}

    def rows(self, y_true, y_pred, sample_weight):
        """(margins, targets, weights), the latter two broadcast to the margins."""
        labels, margins, weights = arguments_of(y_true, y_pred, sample_weight)
        margins, pos_weight = float_array(margins, "margins"), self.options["pos_weight"]
        if labels.ndim == 2 and labels.shape[1] == 1 and margins.ndim == 1:
            labels = labels[:, 0]
        if margins.shape != labels.shape:
            raise ValueError(f"margins have shape {margins.shape}, labels {labels.shape}; expected the same: (N,) for one answer "
                             "to a row, (N, K) for K")
        if pos_weight is not None and pos_weight.size != 1 and pos_weight.shape != margins.shape[1:]:
            raise ValueError(f"pos_weight has shape {pos_weight.shape}; expected a number, or one for each column of margins "
                             f"of shape {margins.shape}")
        check_margins(margins, weights, self.options["n_threads"])
        check_range(labels, 0.0, 1.0, "labels", "a number from 0 to 1", self.options["n_threads"], weights)
        return margins, labels, weights if weights is None or margins.ndim == 1 else weights[:, None]


def classes_of(labels, weights, n_classes, expected, n_threads):
    """Labels, which the libraries keep as float32, as int64; `expected` says of what. Rows of weight 0 may have any, and then
    get 0."""
    with np.errstate(invalid="ignore"):                             # nan
        classes = labels.astype(np.int64, copy=False)
    outside = math.isnan(sum_within(classes, 0, n_classes - 1, n_threads))
    if not outside and (not is_float(labels.dtype) or np.array_equal(np.trunc(labels), labels)):
        return classes
    whole = classes == labels if is_float(labels.dtype) else np.True_
    if weights is not None and (outside or not whole.all()):
        whole = whole | (weights == 0)
        classes = np.where(weights == 0, 0, classes)
        outside = math.isnan(sum_within(classes, 0, n_classes - 1, n_threads))
    if not whole.all():
        first = int(np.argmin(whole))
        raise ValueError(f"labels[{first}] is {labels[first]}; expected {expected}")
    if outside:
        where, value = name_outside(classes, 0, n_classes - 1)
        raise IndexError(f"labels{where} is {value}; expected {expected}")
    return classes


def check_margins(margins, weights, n_threads):
    check_range(margins, -math.inf, math.inf, "margins", "a finite number", n_threads, weights)


def check_range(array, lowest, highest, name, expected, n_threads, weights=None):
    """Of the rows whose weight is not 0."""
    if math.isnan(sum_within(array, lowest, highest, n_threads)):
        read = None
        if weights is not None:
            weights = weight_array(weights, array.shape[:1], "sample_weight", "a weight for each row")
            read = Read(array, weights.reshape(-1, *[1] * (array.ndim - 1)))
        total_allowed(array, lowest, highest, name, expected, requested(n_threads), read)


def sum_within(array, lowest, highest, n_threads):
    """The sum, or nan where a value is not finite and from `lowest` to `highest`; in the order of memory."""
    return total_within(array.T if array.flags.f_contiguous else array, lowest, highest, requested(n_threads))
