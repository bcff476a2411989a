"""What a call to softmax cross-entropy accepts. Each function fills its part of a call (call.pyx), by the shape of its rows."""

import math

import numpy as np

from xentfast._base.arrays import class_axis, float_array, is_float, leave_out, native_array, plain_array, without_mask
from xentfast._base.memory import contiguous_float64, contiguous_int64, is_plain_classes, is_plain_float
from xentfast._base.numbers import SMALLEST, finite_number, focusing, integer, position, smoothing
from xentfast._base.reduction import check_reduction
from xentfast._base.targets import scan_targets, skip_ignored
from xentfast._base.threads import requested
from xentfast._base.values import broadcast_mask, check_finite, class_weight_array, weight_array


def fill(call, logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, focal_gamma, z_loss, logit_scale,
         softcap, where, reduction, n_threads):
    """A call whose arguments are not plain, or bad."""
    logits, masked = without_mask(logits, "logits")
    logits = call.logits = float_array(logits, "logits")
    axis = call.axis = class_axis(axis, logits, "logits")
    call.n_threads = requested(n_threads)
    call.reduction = check_reduction(reduction)
    call.smoothing = smoothing(label_smoothing)
    set_options(call, focal_gamma, z_loss, logit_scale, softcap, where, logits.shape)
    if masked is not None:
        call.where = leave_out(call.where, masked)
    n_classes = logits.shape[axis]
    set_weights(call, weight, sample_weight, n_classes)
    set_targets(call, targets, n_classes, ignore_index, logits.shape)
    check_focal(call.gamma, call.classes is not None, call.smoothing)
    call.weighs_soft = call.soft is not None and call.class_weight is not None and call.reduction == "mean"


def set_options(call, focal_gamma, z_loss, logit_scale, softcap, where, shape):
    """`shape` is that of the logits; None where there are none."""
    call.gamma = focusing(focal_gamma)
    call.z_loss = finite_number(z_loss, "z_loss")
    call.logit_scale = finite_number(logit_scale, "logit_scale")
    if softcap is not None:
        call.softcap = finite_number(softcap, "softcap")
        if call.softcap < SMALLEST:
            raise ValueError(f"softcap is {call.softcap}; expected a number above 0, or None")
    if where is not None:
        call.where = broadcast_mask(where, shape)


def check_focal(gamma, hard, smoothing):
    """`hard`: targets are class indices."""
    if gamma != 0.0 and not hard:
        raise ValueError(f"focal_gamma is {gamma} and targets are soft; expected class indices, or focal_gamma=0: the focal "
                         "loss has the probability of one class")
    if gamma != 0.0 and smoothing != 0.0:
        raise ValueError(f"focal_gamma is {gamma} and label_smoothing is {smoothing}; expected one of them to be 0: the focal "
                         "loss has the probability of one class")


def set_weights(call, weight, sample_weight, n_classes):
    if weight is not None:
        call.class_weight = class_weight_array(weight, n_classes)
    if sample_weight is not None:
        call.sample_weight = weight_array(sample_weight, call.rows, "sample_weight", call.meaning_of_rows)


def set_targets(call, targets, n_classes, ignore_index, shape):
    """`shape` is that of the logits; None where there are none."""
    targets, masked = without_mask(targets, "targets")
    array = targets if type(targets) is np.ndarray else plain_array(targets, "targets")
    rows = call.rows
    if array.size == 0 and not isinstance(targets, np.ndarray) and array.shape == rows:
        array = array.astype(np.int64)              # an empty list holds no float
    if not check_targets(array, shape, rows, call.meaning_of_rows):
        ignored_class(ignore_index)                 # says if it is none, though no soft target is
        if masked is not None:
            skip_rows(call, masked.any(axis=call.axis))
        set_soft(call, array, n_classes)
        return
    classes = array if is_plain_classes(array) else as_classes(array)
    set_classes(call, array, classes, n_classes, ignore_index, masked)


def as_classes(targets):
    """Integers of any dtype as contiguous int64."""
    if targets.dtype.newbyteorder("=") == np.uint64:
        # Numbers that int64 cannot hold become the largest that it can: no class either.
        return np.asarray(np.minimum(targets, np.uint64(2**63 - 1), dtype=np.uint64, order="C")).view(np.int64)
    return contiguous_int64(targets)


def check_targets(targets, logits_shape, rows, meaning_of_rows):
    """Their dtype and shape. Whether they are class indices; else they are soft."""
    advice = "" if targets.shape != logits_shape else (
        "; soft targets, one-hot ones too, are floats, such as targets.astype(logits.dtype); argmax over the classes gives "
        "indices")
    if targets.dtype.kind in "iu":
        if targets.shape != rows:
            raise ValueError(f"targets have shape {targets.shape}; expected {rows}, {meaning_of_rows}{advice}")
        return True
    if not is_float(targets.dtype):
        raise TypeError(f"targets have dtype {targets.dtype}; expected integers (class indices) or floats (soft targets)"
                        f"{advice if targets.dtype.kind == 'b' else ''}")
    if targets.shape != logits_shape:
        raise ValueError(f"soft targets have shape {targets.shape}; expected that of logits, {logits_shape}; "
                         f"class indices must be integers, of shape {rows}")
    return False


def set_classes(call, targets, classes, n_classes, ignore_index, masked):
    """`classes` are the targets as contiguous int64; those that are `masked` (or None) are ignored."""
    rows = call.rows
    ignored = ignored_class(ignore_index)
    if masked is not None:
        classes = contiguous_int64(np.where(masked, np.int64(ignored), classes))
    bad_class, bad_weight, call.weight_sum = scan_targets(
        math.prod(rows), classes, call.sample_weight, call.class_weight, n_classes, ignored, call.n_threads)
    check_finite(call.sample_weight, bad_weight, "sample_weight")
    if bad_class >= 0:
        where = position(bad_class, rows)
        raise IndexError(f"targets{where} is {targets[np.unravel_index(bad_class, rows)]}, but logits have "
                         f"{n_classes} classes (0 to {n_classes - 1}) and ignore_index is {ignore_index}")
    if ignored >= 0:                                            # the kernels skip negative classes
        classes = classes.copy() if np.may_share_memory(classes, targets) else classes
        skip_ignored(classes, ignored)
    call.classes = classes


def ignored_class(ignore_index):
    """Which int64 that is."""
    ignored = integer(ignore_index, "ignore_index")
    return ignored if -2**63 <= ignored < 2**63 else -2**63     # what int64 does not hold, no target is


def skip_rows(call, skipped):
    """Let these rows weigh nothing: neither they nor their soft targets are read."""
    weights = 1.0 if call.sample_weight is None else call.sample_weight
    call.sample_weight = contiguous_float64(np.where(skipped, 0.0, weights))


def set_soft(call, targets, n_classes):
    if not is_plain_float(targets):
        targets = native_array(targets)
    call.soft = targets
    set_weight_sum(call, n_classes)


def set_weight_sum(call, n_classes):
    """That of rows which have soft targets, but for class weights."""
    n_rows = math.prod(call.rows)
    call.weight_sum = float(n_rows)
    if call.sample_weight is not None:
        _, bad_weight, call.weight_sum = scan_targets(n_rows, None, call.sample_weight, None, n_classes, 0, call.n_threads)
        check_finite(call.sample_weight, bad_weight, "sample_weight")
