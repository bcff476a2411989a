"""Rows that are ignored or of weight 0 are not looked at: whatever target, weight and logits they have, results stay the same."""

import numpy as np
import pytest
from routes import by_every_route
from unread import spoilt, unread_rows

import xentfast as xf

pytestmark = pytest.mark.every_build

OPTIONS = [{}, {"label_smoothing": 0.1}, {"z_loss": 0.1, "softcap": 5.0}]


@pytest.mark.parametrize("shape", [(7, 3), (100, 33), (9, 2500), (4, 40_000)], ids=str)
@pytest.mark.parametrize("with_class_weight", [False, True])
def test_every_route(level, shape, with_class_weight):
    weight = np.arange(shape[1]) % 3 if with_class_weight else None
    for options in OPTIONS:
        given = options | {"weight": weight}
        for reduction in ("mean", "none"):
            logits, targets, weights = unread_rows(*shape)
            want = by_every_route(logits, targets, sample_weight=weights, reduction=reduction, **given)
            logits, targets, weights = spoilt(logits, targets, weights)
            assert by_every_route(logits, targets, sample_weight=weights, reduction=reduction, **given) == want


@pytest.mark.parametrize("shape", [(100, 33), (9, 2500)], ids=str)
def test_other_functions(level, shape):
    given, weight = unread_rows(*shape), np.arange(shape[1]) % 3
    broken = spoilt(*given)
    for function in (xf.softmax_cross_entropy_grad_hess, xf.perplexity):
        want, got = (function(x, t, sample_weight=w, weight=weight) for x, t, w in (given, broken))
        assert np.array(got).tobytes() == np.array(want).tobytes()
    x, t, w = given
    soft = np.abs(x)
    want = xf.softmax_cross_entropy_value_and_grad(x, soft, sample_weight=w, weight=weight)
    soft = np.where(np.equal(w, 0)[:, None], np.nan, soft)
    got = xf.softmax_cross_entropy_value_and_grad(x, soft.astype(np.float32), sample_weight=w, weight=weight)
    assert got[0] == want[0] and got[1].tobytes() == want[1].tobytes()


@pytest.mark.parametrize("n_rows", [10, 200_000])
def test_what_is_read_is_looked_at(n_rows):
    """The first bad one is named, wherever those are that are not looked at."""
    logits, targets, weights = unread_rows(n_rows, 3)
    _, spoilt_targets, spoilt_weights = spoilt(logits, targets, weights)
    place = n_rows // 3 * 3 - 1
    spoilt_targets[place] = 3
    with pytest.raises(IndexError, match=rf"targets\[{place}\] is 3, but logits have 3 classes"):
        xf.softmax_cross_entropy(logits, spoilt_targets, sample_weight=spoilt_weights, n_threads=2)
    spoilt_weights[place] = np.nan
    with pytest.raises(ValueError, match=rf"sample_weight\[{place}\] is nan; expected finite weights"):
        xf.softmax_cross_entropy(logits, spoilt_targets, sample_weight=spoilt_weights, n_threads=2)


def test_a_class_weight_of_0_leaves_rows_read():
    """Their smoothing counts, and so do their targets and logits."""
    x = np.array([[0.0, np.nan], [0.0, 0.0]])
    assert np.isnan(xf.softmax_cross_entropy(x, [1, 0], weight=[1, 0], reduction="sum"))
    with pytest.raises(ValueError, match=r"sample_weight\[0\] is nan"):
        xf.softmax_cross_entropy(x, [1, 0], weight=[1, 0], sample_weight=[np.nan, 1])
