"""Dask arrays of masked arrays: what one machine makes of the masks, lazily."""

import numpy as np
import pytest

import xentfast as xf

da = pytest.importorskip("dask.array")
xd = pytest.importorskip("xentfast.dask")
same = pytest.importorskip("dask_cases").same

pytestmark = [pytest.mark.extras, pytest.mark.usefixtures("one_after_the_other")]

RNG = np.random.default_rng(2)
ROWS, CLASSES = 11, 3000
X = RNG.standard_normal((ROWS, CLASSES), dtype=np.float32)
T = RNG.integers(0, CLASSES, ROWS)
SKIPPED = np.arange(ROWS) % 3 == 1
CLOSED = (RNG.random((ROWS, CLASSES)) < 0.2) & (np.arange(CLASSES) != T[:, None])
LOGITS = np.ma.masked_array(np.where(CLOSED, np.float32(np.nan), X), CLOSED)
SOFT = np.ma.masked_array(RNG.random((ROWS, CLASSES)), SKIPPED[:, None] & (np.arange(CLASSES) == 7))
WEIGHTS = {"sample_weight": np.ma.masked_array(RNG.random(ROWS), np.arange(ROWS) == 4),
           "weight": np.ma.masked_array(RNG.random(CLASSES), np.arange(CLASSES) % 7 == 0)}


def classes(dtype):
    return np.ma.masked_array(np.where(SKIPPED, 60_000, T).astype(dtype), SKIPPED)


@pytest.mark.parametrize("chunks", [(4, CLASSES), (4, 2048)])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("targets", [classes(np.int64), classes(np.uint16), classes(np.uint64), SOFT])
def test_masks(targets, lazy, chunks):
    logits = da.from_array(LOGITS, chunks=chunks)
    given = da.from_array(targets, chunks=5) if lazy else targets
    where = np.arange(CLASSES) != 11
    for options in ({}, WEIGHTS, WEIGHTS | {"where": where, "label_smoothing": 0.1}, {"ignore_index": 5}):
        mine = {name: da.from_array(value) if lazy and isinstance(value, np.ndarray) else value
                for name, value in options.items()}
        same(xd.softmax_cross_entropy_value_and_grad(logits, given, **mine),
             xf.softmax_cross_entropy_value_and_grad(LOGITS, targets, **options))


@pytest.mark.parametrize("lazy", [False, True])
def test_sigmoid(lazy):
    targets = np.ma.masked_array(RNG.random(CLASSES) < 0.5, np.arange(CLASSES) % 5 == 0)
    weights = np.ma.masked_array(RNG.random((ROWS, 1)), SKIPPED[:, None])
    given = [da.from_array(one) if lazy else one for one in (targets, weights)]
    for mine, theirs in (({}, {}), ({"sample_weight": given[1]}, {"sample_weight": weights})):
        same(xd.sigmoid_cross_entropy_value_and_grad(da.from_array(LOGITS, chunks=(4, 1024)), given[0], **mine),
             xf.sigmoid_cross_entropy_value_and_grad(LOGITS, targets, **theirs))


def test_nothing_masked():
    plain = np.ma.masked_array(X)
    same((xd.softmax_cross_entropy(da.from_array(plain, chunks=4), np.ma.masked_array(T)),), (xf.softmax_cross_entropy(X, T),))


def test_advice_that_runs():
    p = np.ma.masked_array(RNG.random((ROWS, CLASSES)), CLOSED)
    lazy = da.from_array(p, chunks=(4, CLASSES))
    with pytest.raises(TypeError, match=r"p is a Dask array of masked arrays.*; pass dask.array.ma.filled\(p, value\)"):
        xd.entropy(lazy)
    same((xd.entropy(da.ma.filled(lazy, 0)),), (xf.entropy(p.filled(0)),))


@pytest.mark.parametrize("axis", [1, 0, None])
def test_softmax(axis):
    logits, where = da.from_array(LOGITS, chunks=(4, 1024)), np.arange(CLASSES) != 11
    b = np.ma.masked_array(RNG.standard_normal(CLASSES), np.arange(CLASSES) % 7 == 0)
    for given in ({}, {"where": where}):
        for name in ("softmax", "log_softmax", "logsumexp"):
            same([getattr(xd, name)(logits, axis, **given)], [getattr(xf, name)(LOGITS, axis, **given)])
        for factors in (b, da.from_array(b, chunks=1000)):
            same([xd.logsumexp(logits, axis, b=factors, **given)], [xf.logsumexp(LOGITS, axis, b=b, **given)])
