"""Softmax cross-entropy: what a task does with the blocks of one place. Rows stand for all axes but that of the classes.

Where a row's classes are in one block, its loss and gradient come from the kernels of the whole (`whole_rows`). Where they are in
several, each block gives partial results (`partial_results`), which are joined along the classes, and `sliced_losses` and
`sliced_gradient` make the rest of them. Losses to add up are float64, of which there is one to a row.
"""

from __future__ import annotations

import numpy as np

from xentfast import _core, _dispatch, _partials
from xentfast._arguments import SMALLEST, CrossEntropyCall, passes_cache
from xentfast._slices import SliceCall
from xentfast.dask._graphs import located, starts
from xentfast.partials import combine_rows, combine_slice, softmax_cross_entropy_partial


def whole_rows(logits, targets, sample_weight, where, weight, divisor, place, *, wanted, values_dtype, axis, missing, **options):
    """`wanted`: the rows' "losses", in `values_dtype`, their "gradient" over the divisor, "both", or gradient and "hessian"."""
    with located_rows(place, logits, axis):
        call = CrossEntropyCall(logits, targets, axis, weight, sample_weight, where=spread(where, missing), reduction="sum",
                                **options)
    values = np.empty(call.rows, values_dtype) if wanted in ("losses", "both") else None
    out = hess = None
    if wanted == "hessian":
        out, hess = call.outputs(None)
    elif wanted != "losses":
        out = call.output(None)
    if abs(divisor) < SMALLEST:                         # the mean of nothing: it is no loss of a row, and slopes nowhere
        for result in (values, out, hess):
            if result is not None:
                result[...] = 0
    else:
        _core.cross_entropy(_dispatch.kernels, call, divisor, out, hess, values, False, passes_cache(out, call.logits, axis))
    values = values if values is None else values[()]
    return {"losses": values, "gradient": out, "both": (values, out), "hessian": (out, hess)}[wanted]


def partial_results(logits, targets, sample_weight, where, where_count, weight, place, *, axis, missing, **options):
    """Those of a block, of shape (rows, chunks, 9), with the chunks where the classes were."""
    with located_rows(place, logits, axis):
        records = softmax_cross_entropy_partial(
            logits, targets, first_class=place[axis].start, axis=axis, weight=weight, sample_weight=sample_weight,
            where=spread(where, missing), where_count=where_count, **options)
    return np.moveaxis(records, -2, axis)


def sliced_losses(records, targets, sample_weight, where_count, weight, place, *, values_dtype, axis, n_classes, z_loss,
                  logit_scale, softcap, ignore_index, label_smoothing, n_threads):
    """The rows' losses, in `values_dtype`, of the partial results of all their classes."""
    with located(targets=starts(place), sample_weight=starts(place)):
        call = SliceCall(None, np.moveaxis(records, axis, -2), targets, n_classes, 0, -1, weight, sample_weight, ignore_index,
                         label_smoothing, z_loss, logit_scale, softcap, None, where_count, "sum", n_threads)
    return combine_rows(call, 1.0, np.empty(call.rows, values_dtype))[()]


def sliced_gradient(records, logits, targets, sample_weight, where, where_count, weight, divisor, place, *, axis, missing,
                    n_classes, z_loss, logit_scale, softcap, ignore_index, label_smoothing, n_threads):
    """That of a block, over the divisor."""
    with located_rows(place, logits, axis):
        call = SliceCall(logits, np.moveaxis(records, axis, -2), targets, n_classes, place[axis].start, axis, weight,
                         sample_weight, ignore_index, label_smoothing, z_loss, logit_scale, softcap, spread(where, missing),
                         where_count, "sum", n_threads)
    out = call.output(None)
    if abs(divisor) < SMALLEST:
        out[...] = 0
    else:
        combine_slice(call, divisor, out)
    return out


# ---- what the mean is divided by, from targets and weights alone


def row_weights(targets, sample_weight, weight, place, *, n_classes, ignore_index):
    """w of each row, float64, of integer targets: 0 where the target is ignored."""
    logits = stand_in((*targets.shape, n_classes), np.float32)
    with located(targets=starts(place), sample_weight=starts(place)):
        call = CrossEntropyCall(logits, targets, -1, weight, sample_weight, ignore_index, 0.0, 0.0, 1.0, None, None, "sum", 1)
    weights = np.ones(call.rows) if call.sample_weight is None else call.sample_weight
    if call.class_weight is not None:
        weights = weights * call.class_weight[np.maximum(call.classes, 0)]
    return np.where(call.classes < 0, 0.0, weights)


def finite_weights(sample_weight, place):
    """w of each row, float64, of soft targets without class weights."""
    with located(sample_weight=starts(place)):
        call = CrossEntropyCall(stand_in((*sample_weight.shape, 1), np.float32), stand_in((*sample_weight.shape, 1), np.float32),
                                -1, None, sample_weight, -100, 0.0, 0.0, 1.0, None, None, "sum", 1)
    return call.sample_weight


def soft_partial_results(targets, weight, place, *, logits_dtype, axis, n_classes):
    """Partial results of soft targets over logits of zeros, for the weight that the targets of each chunk have."""
    records = softmax_cross_entropy_partial(stand_in(targets.shape, logits_dtype), targets, first_class=place[axis].start,
                                            n_classes=n_classes, axis=axis, weight=weight, n_threads=1)
    return np.moveaxis(records, -2, axis)


def soft_row_weights(records, sample_weight, place, *, axis):
    """w of each row, float64, of soft targets with class weights."""
    weights = None if sample_weight is None else finite_weights(sample_weight, place)
    records = np.ascontiguousarray(np.moveaxis(records, axis, -2))
    return _partials.soft_weights(records, records.shape[-2], weights).reshape(records.shape[:-2])


def weight_sum(weights):
    """Their sum, with the bits that `scan_targets` gives it where it looks at all rows at once."""
    weights = np.ascontiguousarray(weights)
    return _core.scan_targets(_dispatch.kernels, weights.size, None, weights, None, 0, 0, 1)[2]


def total(values):
    """The sum of rows' values, in the order of the rows."""
    return _partials.total(np.ascontiguousarray(values))


def loss(values, divisor, *, as_double, empty, exponential):
    """The sum of the rows' losses over the divisor; `empty` where that is 0."""
    if abs(divisor) < SMALLEST:
        return (np.float64 if as_double else np.float32)(empty)
    return _partials.loss_of(total(values), divisor, as_double, _dispatch.kernels if exponential else None)


# ---- helpers


def stand_in(shape, dtype):
    """An array of that shape which takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def spread(block, missing):
    """A broadcast array's block with the axes of length 1 that it lacks."""
    return None if block is None else np.expand_dims(block, missing)


def located_rows(place, logits, axis):
    """`place` has the slices of all axes, or of the rows alone."""
    rows = place if len(place) < logits.ndim else place[:axis] + place[axis + 1:]
    return located(targets=starts(rows), sample_weight=starts(rows))
