"""Softmax cross-entropy: what a task does with the blocks of one place. Rows stand for all axes but that of the classes.

Where a row's classes are in one block, its loss and gradient come from the kernels of the whole (`whole_rows`). Where they are in
several, each block gives partial results (`partial_results`), which are joined along the classes, and `sliced_losses` and
`sliced_gradient` make the rest of them. Losses to add up are float64, of which there is one to a row.
"""

from __future__ import annotations

import numpy as np

from xentfast._base.reduction import nothing_to_divide_by
from xentfast._partials.checks import SliceCall
from xentfast._partials.functions import compute as combine
from xentfast._partials.functions import compute_slice, soft_weights, softmax_cross_entropy_partial
from xentfast._softmax.call import cross_entropy_call
from xentfast._softmax.functions import compute
from xentfast.dask._graphs import located, spread, stand_in, starts


def whole_rows(logits, targets, sample_weight, where, weight, divisor, place, *, wanted, values_dtype, axis, missing, **options):
    """`wanted`: the rows' "losses", in `values_dtype`, their "gradient" over the divisor, "both", or gradient and "hessian"."""
    with located_rows(place, logits, axis):
        call = cross_entropy_call(logits, targets, axis=axis, weight=weight, sample_weight=sample_weight,
                                  where=spread(where, missing), **options)
    values = np.empty(call.rows, values_dtype) if wanted in ("losses", "both") else None
    out = hess = None
    if wanted == "hessian":
        out, hess = call.outputs(None)
    elif wanted != "losses":
        out = call.output(None)
    if not nothing_to_divide_by(divisor, values, out, hess):
        compute(call, divisor, values, out, hess)
    values = values if values is None else values[()]
    return {"losses": values, "gradient": out, "both": (values, out), "hessian": (out, hess)}[wanted]


def partial_results(logits, targets, sample_weight, where, where_count, weight, place, *, axis, missing, **options):
    """Those of a block, of shape (rows, chunks, 8), with the chunks where the classes were."""
    with located_rows(place, logits, axis):
        records = softmax_cross_entropy_partial(
            logits, targets, first_class=place[axis].start, axis=axis, weight=weight, sample_weight=sample_weight,
            where=spread(where, missing), where_count=where_count, **options)
    return np.moveaxis(records, -2, axis)


def sliced_losses(records, targets, sample_weight, where_count, weight, place, *, values_dtype, axis, **options):
    """The rows' losses, in `values_dtype`, of the partial results of all their classes."""
    with located(targets=starts(place), sample_weight=starts(place)):
        call = SliceCall(None, np.moveaxis(records, axis, -2), targets, weight=weight, sample_weight=sample_weight,
                         where_count=where_count, **options)
    return combine(call, 1.0, np.empty(call.rows, values_dtype))[()]


def sliced_gradient(records, logits, targets, sample_weight, where, where_count, weight, divisor, place, *, axis, missing,
                    **options):
    """That of a block, over the divisor."""
    with located_rows(place, logits, axis):
        call = SliceCall(logits, np.moveaxis(records, axis, -2), targets, first_class=place[axis].start, axis=axis, weight=weight,
                         sample_weight=sample_weight, where=spread(where, missing), where_count=where_count, **options)
    out = call.output(None)
    if not nothing_to_divide_by(divisor, out):
        compute_slice(call, divisor, out)
    return out


# ---- what the mean is divided by, from targets and weights alone


def row_weights(targets, sample_weight, weight, place, *, n_classes, ignore_index):
    """w of each row, float64, of integer targets: 0 where the row is not read, whatever its target or its weight."""
    logits = stand_in((*targets.shape, n_classes), np.float32)
    with located(targets=starts(place), sample_weight=starts(place)):
        call = cross_entropy_call(logits, targets, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
                                  n_threads=1)
    weights = np.ones(call.rows) if call.sample_weight is None else call.sample_weight
    read = (call.classes >= 0) & (weights != 0.0)
    weights = np.where(read, weights, 0.0)
    if call.class_weight is not None:
        weights = weights * call.class_weight[np.where(read, call.classes, 0)]
    return weights


def finite_weights(sample_weight, place):
    """w of each row, float64, of soft targets without class weights."""
    with located(sample_weight=starts(place)):
        rows_of_one_class = stand_in((*sample_weight.shape, 1), np.float32)
        call = cross_entropy_call(rows_of_one_class, rows_of_one_class, sample_weight=sample_weight, n_threads=1)
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
    return soft_weights(records, weights).reshape(records.shape[:-2])


# ---- helpers


def located_rows(place, logits, axis):
    """`place` has the slices of all axes, or of the rows alone."""
    rows = place if len(place) < logits.ndim else place[:axis] + place[axis + 1:]
    return located(targets=starts(rows), sample_weight=starts(rows))
