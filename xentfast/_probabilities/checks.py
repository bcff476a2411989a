"""Checks of probabilities and of labels: what passes comes out as the kernels want it."""

import math

import numpy as np

from xentfast._base.arrays import name_of, plain_array
from xentfast._base.memory import contiguous_int64, is_plain_float
from xentfast._base.numbers import position, real_number
from xentfast._base.outputs import checked_output, overlap, same_elements
from xentfast._base.targets import scan_targets
from xentfast._base.threads import requested
from xentfast._base.values import check_finite, first_outside, weight_array

# The distance from 1 to the next number of each dtype; ml_dtypes' bfloat16 has no np.finfo.
EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

# Integers below it have a float64 of their own.
EXACT = 2.0**53

# A table of labels may have so many entries, or as many as there are labels.
TABLE = 65536


def probability_array(value, name):
    """An aligned array in the machine's byte order, of a dtype that the kernels read. A copy only where it must be."""
    if is_plain_float(value):
        return value                                    # the common case
    array = plain_array(value, name, advice=": filled(0) gives masked classes probability 0")
    native = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    if name_of(native) not in EPSILON and native.kind not in "iub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected float16, bfloat16, float32, float64, integers or bool")
    if array.ndim == 0:
        raise ValueError(f"{name} is zero-dimensional; expected at least one axis")
    return np.require(array, native, "A") if array.dtype != native or not array.flags.aligned else array


def probability_arrays(given):
    """The arguments, by name, as arrays of one shape."""
    arrays = [probability_array(value, name) for name, value in given.items()]
    shapes = [array.shape for array in arrays]
    if shapes.count(shapes[0]) == len(shapes):
        return arrays
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        found = " and ".join(f"{name} has shape {shape}" for name, shape in zip(given, shapes, strict=True))
        raise ValueError(f"{found}, which do not broadcast to one") from None
    return [np.broadcast_to(array, shape) for array in arrays]


def float_dtype(dtype):
    """The dtype itself where it is floating, float64 for integers."""
    return FLOAT64 if dtype.kind in "iub" else dtype


def value_dtype(arrays):
    """float32 for operands that have no more bits, else float64."""
    return FLOAT64 if FLOAT64 in [float_dtype(array.dtype) for array in arrays] else FLOAT32


def clipping(eps):
    """What q is clipped to."""
    if eps is None:
        return 0.0, 1.0
    eps = real_number(eps, "eps")
    if not 0.0 < eps < 0.5:
        raise ValueError(f"eps is {eps}; expected None or a number between 0 and 0.5")
    return eps, 1.0 - eps


def gradient_output(out, p, q):
    """`out` if it can take the gradient, or a new array; p and q have its shape. It may be one of them, element for element."""
    dtype = float_dtype(q.dtype)
    if out is None:
        return np.empty(q.shape, dtype)
    out = checked_output(out, q.shape, dtype)
    for name, array in (("p", p), ("q", q)):
        if np.may_share_memory(out, array) and not same_elements(out, array) and overlap(out, array):
            raise ValueError(f"out overlaps {name} without being the same elements; pass {name} itself, or another array")
    return out


def name_bad_probability(given):
    """Raise ValueError for the first number that is no probability, in the first argument that has one."""
    for name, value in given.items():
        array = plain_array(value, name)
        place = first_outside(array, lambda part: (part >= 0) & (part <= 1))
        if place >= 0:
            where = np.unravel_index(place, array.shape)
            raise ValueError(f"{name}{position(place, array.shape)} is {array[where]}; expected a probability from 0 to 1")


# ---- log_loss


class LogLossCall:
    """The checked arguments of one call to log_loss; `name` is what the caller calls its probabilities."""

    __slots__ = ("classes", "declared", "in_order", "indicators", "n_threads", "q", "sample_weight", "weight_sum")

    def __init__(self, y_true, y_pred, sample_weight, labels, n_threads, name):
        q = self.q = prediction(y_pred, name)
        n_rows, n_classes = len(q), max(q.shape[1], 2)
        self.n_threads = requested(n_threads)
        self.classes = self.indicators = self.sample_weight = None
        self.weight_sum = float(n_rows)
        y = label_array(y_true, "y_true", ", and sample_weight=0 for masked rows")
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        self.declared, self.in_order = declared_labels(y, labels, q.shape, name)
        if y.ndim == 2:
            self.indicators = indicator_array(y)
        else:
            self.classes = label_indices(y, self.declared, n_classes, name)
        if sample_weight is not None:
            weights = self.sample_weight = weight_array(sample_weight, (n_rows,), "sample_weight",
                                                        f"a weight for each row of {name}")
            _, first_bad, self.weight_sum = scan_targets(n_rows, None, weights, None, 0, 0, self.n_threads)
            check_finite(weights, first_bad, "sample_weight")


def named_probabilities(y_pred, y_proba):
    """What was given under one of the two names of log_loss's second argument, and that name."""
    if y_proba is None:
        if y_pred is None:
            raise TypeError("log_loss() is missing an argument: 'y_pred', which may be called 'y_proba'")
        return y_pred, "y_pred"
    if y_pred is not None:
        raise TypeError("log_loss() got y_pred and y_proba, two names of one argument; pass one of them")
    return y_proba, "y_proba"


def prediction(y_pred, name):
    """The probabilities as a matrix; one column is the probability of the second label of two."""
    q = probability_array(y_pred, name)
    if q.ndim > 2:
        raise ValueError(f"{name} has shape {q.shape}; expected one axis, or two: rows and classes")
    if q.size == 0:
        raise ValueError(f"{name} has shape {q.shape}: there is nothing to average")
    return q[:, None] if q.ndim == 1 else q


def label_array(value, name, advice=""):
    """Labels as an array. Integers that have no dtype in common but a float one, such as 2**63 and −1, stay as they are."""
    array = plain_array(value, name, advice=advice)
    if array.dtype == np.float64 and isinstance(value, (list, tuple)) and (np.abs(array) >= EXACT).any():
        given = np.asarray(value, object)
        if all(isinstance(label, (int, np.integer)) for label in given.flat):
            return np.array([int(label) for label in given.flat], object).reshape(array.shape)
    return array


def declared_labels(y, labels, shape, name):
    """(the labels that may occur, sorted, or None; whether they were given in that order)

    y, labels or indicators, has a shape that fits that of the probabilities, which go by `name`.
    """
    n_rows, n_classes = shape[0], max(shape[1], 2)
    if y.ndim not in (1, 2) or len(y) != n_rows:
        raise ValueError(f"y_true has shape {y.shape}; expected ({n_rows},), a label for each row of {name}, "
                         f"or {(n_rows, n_classes)}, an indicator for each label")
    if y.ndim == 1:
        return (None, True) if labels is None else _declared(labels, n_classes, name)
    if labels is not None:
        raise ValueError("labels were given with a matrix of indicators, whose columns are the labels")
    if y.shape[1] != n_classes:
        raise ValueError(f"y_true and {name} have a different number of classes: {y.shape[1]} and {n_classes}")
    return None, True


def indicator_array(y):
    indicators = probability_array(y, "y_true")
    place = first_outside(indicators, lambda part: (part == 0) | (part == 1))
    if place >= 0:
        where = np.unravel_index(place, y.shape)
        raise ValueError(f"y_true{position(place, y.shape)} is {y[where]}; expected indicators 0 and 1")
    return indicators


def label_indices(y, declared, n_classes, name):
    """For each label its place among the sorted ones: int64, contiguous. There are as many labels as classes.

    `declared` are the sorted labels that may occur; None: those that do.
    """
    _check_whole(y, "y_true")
    n_labels, index = _by_table(y, declared) if y.dtype.kind in "iub" else _by_search(y, declared)
    if n_labels == 1:
        raise ValueError(f"y_true has one label only, {y[:1].tolist()[0]!r}; pass all of them as labels")
    if n_labels != n_classes:
        raise ValueError(f"y_true has {n_labels} labels and {name} has {n_classes} classes; pass all labels as labels")
    return index


def _check_whole(labels, name):
    """Numbers that are not whole, inf and nan among them, are no labels."""
    place = -1
    if labels.dtype.kind == "f" or name_of(labels.dtype) == "bfloat16":
        place = first_outside(labels, lambda part: (part == np.trunc(part)) & np.isfinite(part))
    elif labels.dtype.kind == "O":
        fractions = (place for place, label in enumerate(labels)
                     if isinstance(label, (float, np.floating)) and not label.is_integer())
        place = next(fractions, -1)
    if place >= 0:
        raise ValueError(f"{name}[{place}] is {labels[place]}; expected labels, of which floating ones are whole numbers")


def _declared(labels, n_classes, name):
    """The labels that may occur, sorted, and whether they were given like that."""
    given = label_array(labels, "labels")
    if given.ndim != 1:
        raise ValueError(f"labels has shape {given.shape}; expected one axis")
    _check_whole(given, "labels")
    try:
        declared = np.unique(given)
    except TypeError:
        raise TypeError(f"labels cannot be sorted, of dtype {given.dtype}") from None
    if len(declared) < 2:
        raise ValueError(f"labels has {len(declared)} labels; expected at least two")
    if len(declared) != n_classes:
        raise ValueError(f"labels has {len(declared)} labels, and {name} has {n_classes} classes")
    return declared, np.array_equal(declared, given)


# (how many labels there are, the place of each among the sorted ones)


def _by_table(y, declared):
    """Integers, by a table over their range where it is not too long."""
    low, high = int(y.min()), int(y.max())
    length = high - low + 1
    if length > max(TABLE, y.size) or (declared is not None and declared.dtype.kind not in "iub"):
        return _by_search(y, declared)
    shifted = _from_zero(y, low)
    if declared is None:
        present = np.zeros(length, bool)
        present[shifted] = True
        return int(present.sum()), shifted if present.all() else (np.cumsum(present) - 1)[shifted]
    table = np.full(length, -1)
    inside = (declared >= low) & (declared <= high)
    table[_from_zero(declared[inside].astype(y.dtype), low)] = np.flatnonzero(inside)
    index = table[shifted]
    _check_declared(index >= 0, y, declared)
    return len(declared), index


def _from_zero(y, low):
    """y − low as contiguous int64; y itself where it is that already."""
    if low == 0:
        return contiguous_int64(y)
    if y.dtype.kind == "u" and y.dtype.itemsize == 8 and low > 0:   # beyond int64 the differences are not
        return (y - np.uint64(low)).astype(np.int64)
    return np.subtract(y, low, dtype=np.int64, order="C", casting="unsafe")


def _by_search(y, declared):
    """Labels of any kind that can be sorted."""
    if declared is None:
        try:
            found, index = np.unique(y, return_inverse=True)
        except TypeError:
            raise TypeError(f"y_true has labels that cannot be sorted, of dtype {y.dtype}") from None
        return len(found), contiguous_int64(index).reshape(-1)
    if _rounds(y.dtype, declared.dtype):
        found, index = np.unique(y, return_inverse=True)
        places = {label: place for place, label in enumerate(declared.tolist())}
        index = np.array([places.get(label, -1) for label in found.tolist()])[index.reshape(-1)]
        _check_declared(index >= 0, y, declared)
        return len(declared), index
    try:
        index = np.minimum(np.searchsorted(declared, y), len(declared) - 1)
        fine = declared[index] == y
    except TypeError:
        raise TypeError(f"y_true has dtype {y.dtype}, which cannot be compared with labels of {declared.dtype}") from None
    _check_declared(np.broadcast_to(np.asarray(fine, bool), y.shape), y, declared)
    return len(declared), contiguous_int64(index)


def _rounds(*dtypes):
    """Whether numbers of two dtypes would be compared as floats, which cannot hold all integers of one of them."""
    numbers = all(dtype.kind in "iuf" for dtype in dtypes)
    return numbers and np.result_type(*dtypes).kind == "f" and any(
        dtype.kind in "iu" and dtype.itemsize == 8 for dtype in dtypes)


def _check_declared(fine, y, declared):
    if not fine.all():
        place = int(np.argmin(fine))
        raise ValueError(f"y_true[{place}] is {y[place:place + 1].tolist()[0]!r}, which is not among labels {declared.tolist()}")


def rows_slack(dtype):
    """How far from 1 the probabilities of a row may sum: scikit-learn's choice, √ε of the dtype and 10⁻⁸."""
    return math.sqrt(EPSILON[name_of(float_dtype(dtype))]) + 1e-8
