"""Softmax cross-entropy in long double by the twins of reference.py, with the size of the terms that each result is made of."""

from types import SimpleNamespace

import numpy as np
from comparing import LONG, base_of
from exact import exact_grad, exact_loss
from reference import focal, shaped, soft_targets, softmax
from tolerances import GRADIENT, LARGEST_TERM, LOSS, SOFTCAP_FLOAT64, focal_bound, slope_bound

# Beyond the bounds of the plain loss: a weight, a scale, a mean and the sum over rows round once each.
MORE = 3.0
DEFAULTS = {"weight": None, "sample_weight": None, "ignore_index": -100, "label_smoothing": 0.0, "focal_gamma": 0.0,
            "z_loss": 0.0, "logit_scale": 1.0, "softcap": None, "where": None}


def rows_last(array, axis):
    return np.moveaxis(np.asarray(array), axis, -1)


def exact_rows(x, targets, axis, given):
    """Losses and gradients of each row, with their sizes (in which a bound counts ulp), and the row's share of a mean; all with
    the class axis last. `x` has the dtype of the call."""
    o = SimpleNamespace(**(DEFAULTS | given))
    base = base_of(x.dtype)
    where = None if o.where is None else rows_last(np.broadcast_to(o.where, x.shape), axis)
    x = rows_last(x, axis).astype(np.float64).astype(LONG)
    open_ = np.ones(x.shape, bool) if where is None else where
    hard = np.asarray(targets).dtype.kind in "iu"
    t = np.asarray(targets) if hard else rows_last(targets, axis).astype(np.float64)
    kept = np.ones(x.shape[:-1], LONG) if o.sample_weight is None else np.asarray(o.sample_weight).astype(np.float64).astype(LONG)
    if hard:
        kept = np.where(t == o.ignore_index, 0, kept)
        t = np.where(kept == 0, 0, t).astype(np.int64)
    read = kept != 0
    excluded = ~open_ | np.isneginf(x)
    bad = read & ((open_ & (np.isnan(x) | np.isposinf(x))).any(-1) | excluded.all(-1))
    usable = (read & ~bad)[..., None] & ~excluded

    # Logits relative to the largest: exact, where no cap comes between.
    x = np.where(usable, x, 0)
    top = np.where(usable, x if o.logit_scale >= 0 else -x, -np.inf).max(-1, keepdims=True, initial=-np.inf)
    top = np.where(np.isinf(top), 0, top) * (1 if o.logit_scale >= 0 else -1)
    if o.softcap is not None:
        top = np.zeros_like(top)
    y, slope = shaped(np.where(usable, x - top, -np.inf), o.logit_scale, o.softcap, None, LONG)
    slope = np.where(open_, slope, 0)
    y[(~read | bad)[..., None] & np.ones(x.shape, bool)] = 0                # rows that are not read: any values
    offset = LONG(o.logit_scale) * top
    hot = soft_targets(y.shape, t, -1, LONG) if hard else t.astype(LONG)
    w = np.ones(x.shape[-1], LONG) if o.weight is None else np.asarray(o.weight).astype(np.float64).astype(LONG)
    smoothing = LONG(o.label_smoothing)
    share = np.where(read, kept * ((w * hot).sum(-1) if hard or o.weight is not None else 1), 0)
    spread = smoothing * open_ / np.maximum(open_.sum(-1, keepdims=True), 1)
    mass = w * ((1 - smoothing) * hot + spread)
    p = softmax(y, -1, LONG)
    own_lse, gaps = gaps_of(y, t if hard else None)
    lse = own_lse + offset
    simple = hard and smoothing == 0
    terms = np.where(mass == 0, 0, mass * gaps)
    loss, size = terms.sum(-1), np.abs(terms).sum(-1)
    masses = np.abs(mass).sum(-1, keepdims=True)
    if simple and y.size:
        finite = np.take_along_axis(np.isfinite(y), t[..., None], -1)
        exact = exact_grad(np.where(finite, y, 0).reshape(-1, y.shape[-1]), t.reshape(-1)).reshape(y.shape)
        grad = np.where(finite, exact, p - hot) * mass.sum(-1, keepdims=True)
        grad_size = np.abs(grad)
    else:
        grad = p * mass.sum(-1, keepdims=True) - mass
        grad_size = p * masses + np.abs(mass)
    bound_loss, bound_grad = (LOSS if simple else LARGEST_TERM)[base.type] + MORE, GRADIENT[base.type] + MORE
    # A probability may be flushed before it is multiplied by what makes a normal number of it: in float64, and by a cap's slope.
    lost = LONG(o.softcap is not None or base == np.float64) * max(1, abs(o.logit_scale))
    if o.focal_gamma:
        factor, slant = focal(p, hot, LONG(o.focal_gamma), -1)
        loss, size = factor * loss, factor * size
        grad, grad_size = slant[..., None] * grad, slant[..., None] * grad_size
        lost = lost + np.abs(slant)
        bound_loss, bound_grad = (focal_bound(bound, o.focal_gamma) for bound in (bound_loss, bound_grad))
    if hard and not simple:                 # log y is of the size of 1 where the class that is apart is not the largest
        size = size + np.where(gaps.min(-1) < 1, masses[..., 0], 0)
    # A sum of masses times gaps is a sum in the dtype of the arithmetic; and infinities of both signs make no number.
    with np.errstate(all="ignore"):
        farthest = np.max(np.where(np.isfinite(gaps), gaps, 0), -1, initial=0) * y.shape[-1]
        loose = ~np.array(simple) & (size * 2 + np.maximum(masses[..., 0], 1) * farthest >= LONG(np.finfo(base).max))
    loose |= np.isnan(loss)
    z = LONG(o.z_loss)
    squares = z * lse[..., 0] ** 2
    steep = 2 * z * lse * p
    loss, grad = loss + np.where(z == 0, 0, squares), grad + np.where(z == 0, 0, steep)
    reach = np.maximum(np.maximum(np.abs(offset), np.abs(own_lse)), 1)
    size = size + np.where(z == 0, 0, np.abs(squares) + 2 * np.abs(z * lse * reach)[..., 0])
    grad_size = grad_size + np.where(z == 0, 0, 2 * np.abs(z) * (np.abs(lse) + reach) * p)
    largest = LONG(np.finfo(base).max)
    loose = loose | ((z != 0) & (size * 2 >= largest))
    loose_grad = loose | ((z != 0) & (reach >= np.sqrt(np.sqrt(largest)) ** 3))[..., 0]
    factors = (masses + 4 * np.abs(z) * reach)[..., 0]
    capped = 0.0
    if o.softcap is not None:
        bound_grad = bound_grad + slope_bound(np.ones(()), base)
        if base == np.float64:
            capped = SOFTCAP_FLOAT64 * float(o.softcap)
            bound_grad = bound_grad + slope_bound(slope / (LONG(o.logit_scale) or 1), base)
    grad, grad_size = grad * slope, grad_size * np.abs(slope)
    grad_size = np.where(open_, grad_size, 0)
    loss, grad = np.where(read, kept * loss, 0), np.where(read[..., None], kept[..., None] * grad, 0)
    size, grad_size = np.where(read, np.abs(kept) * size, 0), np.where(read[..., None], np.abs(kept)[..., None] * grad_size, 0)
    loss, size = np.where(bad, np.nan, loss), np.where(bad, np.nan, size)
    grad = np.where(bad[..., None] & open_, np.nan, np.where(bad[..., None], 0, grad))
    return SimpleNamespace(loss=loss, size=size, grad=grad, grad_size=grad_size, share=share, read=read, bad=bad,
                           loose=loose & read, loose_grad=loose_grad & read,
                           bound_loss=bound_loss + capped, bound_grad=bound_grad + capped, base=base,
                           floor=np.where(read, np.abs(kept) * lost * factors, 0), p=p, open=open_,
                           masses=np.where(read, kept * mass.sum(-1), 0),
                           all_masses=np.where(read, np.abs(kept) * masses[..., 0], 0))


def gaps_of(y, targets):
    """(lse, lse − y), where no difference cancels at the largest class and at the target; y is finite or −inf."""
    if not y.size:
        return np.zeros((*y.shape[:-1], 1), LONG), np.zeros(y.shape, LONG)
    rows = y.reshape(-1, y.shape[-1])
    place, first = np.arange(len(rows)), rows.argmax(-1)
    rows = np.where(np.isneginf(rows[place, first])[:, None], 0, rows)
    smallest = exact_loss(rows, first)
    lse = rows[place, first] + smallest
    gaps = np.where(np.isneginf(rows), np.inf, lse[:, None] - rows)
    gaps[place, first] = smallest
    if targets is not None:
        targets = targets.reshape(-1)
        finite = np.isfinite(rows[place, targets])
        gaps[place, targets] = np.where(finite, exact_loss(np.where(finite[:, None], rows, 0), targets), np.inf)
    return lse.reshape(*y.shape[:-1], 1), gaps.reshape(y.shape)


def without(values):
    """Σ of all values along the last axis but each."""
    before, after = np.cumsum(values, -1), np.cumsum(values[..., ::-1], -1)[..., ::-1]
    nothing = np.zeros((*values.shape[:-1], 1), values.dtype)
    return np.concatenate([nothing, before[..., :-1]], -1) + np.concatenate([after[..., 1:], nothing], -1)


def reduced(rows, reduction, empty=float("nan")):
    """(loss, its size, gradient, its size) after the reduction."""
    if reduction == "none":
        return rows.loss, rows.size, rows.grad, rows.grad_size
    with np.errstate(all="ignore"):
        loss, size = rows.loss.sum(), rows.size.sum()
        if reduction == "sum":
            return loss, size, rows.grad, rows.grad_size
        total = rows.share.sum()
        if total == 0:
            nothing = np.zeros_like(rows.grad)
            return LONG(empty), LONG(0), nothing, nothing
        # The denominator is a sum in double.
        shaky = 1 + np.abs(rows.share).sum() / abs(total)
        return loss / total, size / abs(total) * shaky, rows.grad / total, rows.grad_size / abs(total) * shaky


def floor_of(rows, reduction):
    """How many smallest normal numbers a gradient element may lose."""
    total = rows.share.sum() if reduction == "mean" else 1
    return rows.floor[..., None] / abs(total if total else 1)
