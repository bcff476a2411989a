"""On Dask arrays: sigmoid cross-entropy, probabilities, log_loss, softmax, and the initialisers, against one machine."""

import itertools
import warnings

import ml_dtypes
import numpy as np
import pytest
from tolerances import TWIN, twin_bound

import xentfast as xf

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
xd = pytest.importorskip("xentfast.dask")
from dask_cases import same  # noqa: E402

pytestmark = [pytest.mark.extras, pytest.mark.usefixtures("one_after_the_other")]

DTYPES = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16]


def near(found, expected):
    found = dask.compute(found)[0]
    assert np.shape(found) == np.shape(expected) and found.dtype == expected.dtype
    bound = twin_bound(np.where(np.isfinite(expected), expected, 0), expected.dtype)
    assert np.isclose(found, expected, rtol=0, atol=bound).all()


# ---- sigmoid

SIGMOID = {
    "plain": lambda rng, shape: {},
    "broadcast": lambda rng, shape: {"pos_weight": rng.random(shape[-1]), "sample_weight": rng.random((shape[0], 1, shape[2]))},
    "all": lambda rng, shape: {"pos_weight": 2.0, "sample_weight": rng.random(shape), "focal_gamma": 2.0, "label_smoothing": 0.1},
    "where": lambda rng, shape: {"where": rng.random((shape[0], 1, shape[2])) < 0.6},
    "masked": lambda rng, shape: {"where": rng.random(shape) < 0.6, "ignore_index": -1, "pos_weight": rng.random(shape[-1])},
    "masked, weighted": lambda rng, shape: {"where": rng.random(shape[1:]) < 0.6, "ignore_index": -1,
                                            "sample_weight": rng.integers(0, 4, (shape[1], 1)) / 2},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("option", SIGMOID)
def test_sigmoid(option, dtype):
    """Blocks of 32 · 96 · 5 elements begin at multiples of 1 024; the others do not."""
    rng, shape = np.random.default_rng(0), (64, 96, 5)
    logits, targets = rng.standard_normal(shape).astype(dtype), rng.random((96, 1))
    given = SIGMOID[option](rng, shape)
    if "ignore_index" in given:
        targets[rng.random(targets.shape) < 0.2] = -1
    for chunks, reduction in itertools.product(((32, 96, 5), (7, 50, 2)), ("none", "sum", "mean")):
        lazy = da.from_array(logits, chunks=chunks)
        expected = xf.sigmoid_cross_entropy_value_and_grad(logits, targets, reduction=reduction, **given)
        both = xd.sigmoid_cross_entropy_value_and_grad(lazy, da.from_array(targets, chunks=20), reduction=reduction, **given)
        alone = xd.sigmoid_cross_entropy(lazy, targets, reduction=reduction, **given)
        assert both[1].chunks == lazy.chunks
        same([both[1], xd.sigmoid_cross_entropy_grad(lazy, targets, reduction=reduction, **given)], [expected[1]] * 2)
        if reduction == "none" or chunks == (32, 96, 5):
            same([both[0], alone], [expected[0]] * 2)
        else:
            same([alone], dask.compute(both[0]))
            near(alone, expected[0])
    same(xd.sigmoid_cross_entropy_grad_hess(lazy, targets, **given), xf.sigmoid_cross_entropy_grad_hess(logits, targets, **given))


def test_lazy_weights_of_elements():
    rng, shape = np.random.default_rng(0), (40, 128)
    logits, targets, weights = rng.standard_normal(shape), rng.integers(0, 2, shape), rng.random(shape)
    for chunks, cut in itertools.product(((8, 128), (7, 50)), repeat=2):
        lazy = da.from_array(weights, chunks=cut)
        both = xd.sigmoid_cross_entropy_value_and_grad(da.from_array(logits, chunks=chunks), targets, sample_weight=lazy)
        expected = xf.sigmoid_cross_entropy_value_and_grad(logits, targets, sample_weight=weights)
        if chunks == cut == (8, 128):
            same(both, expected)
        near(both[0], expected[0])
        assert np.allclose(both[1], expected[1], rtol=TWIN[np.dtype(np.float64)], atol=0)


def test_elements_of_weight_0_are_not_looked_at():
    rng, shape = np.random.default_rng(0), (16, 128)
    logits, targets, pos_weight = rng.standard_normal(shape), rng.random(shape), rng.random(shape)
    weights = np.arange(16)[:, None] % 3 / 2
    want = xf.sigmoid_cross_entropy_value_and_grad(logits, targets, pos_weight=pos_weight, sample_weight=weights)
    lazy = [da.from_array(np.where(weights == 0, np.nan, array), chunks=(8, 128)) for array in (logits, targets, pos_weight)]
    same(xd.sigmoid_cross_entropy_value_and_grad(*lazy[:2], pos_weight=lazy[2], sample_weight=weights), want)


def test_masks_are_lazy_too():
    rng, shape = np.random.default_rng(0), (16, 128)
    logits, targets, where = rng.standard_normal(shape), rng.integers(0, 2, shape), rng.random(shape) < 0.5
    spoilt = [da.from_array(np.where(where, array, -1), chunks=(8, 128)) for array in (logits, targets)]
    same(xd.sigmoid_cross_entropy_value_and_grad(*spoilt, where=da.from_array(where, chunks=5)),
         xf.sigmoid_cross_entropy_value_and_grad(logits, targets, where=where))
    same(xd.sigmoid_cross_entropy_grad_hess(*spoilt, ignore_index=-1, reduction="mean"),
         xf.sigmoid_cross_entropy_grad_hess(logits, targets, where=where, reduction="mean"))
    same([xd.sigmoid_cross_entropy(spoilt[0], 1, ignore_index=0.5)], [xf.sigmoid_cross_entropy(spoilt[0].compute(), 1)])
    with pytest.raises(ValueError, match=r"targets\[9, 100\] is 7; expected a number from 0 to 1"):
        targets[9, 100] = 7
        xd.sigmoid_cross_entropy(spoilt[0], da.from_array(targets, chunks=(8, 64)), where=True).compute()


@pytest.mark.parametrize("chunks", [1, 3])
def test_means_of_nothing(chunks):
    logits = np.ones(3)
    for masks in ({"where": False}, {"ignore_index": 1}, {"where": da.zeros(3, dtype=bool), "sample_weight": np.ones(3)}):
        same(xd.sigmoid_cross_entropy_value_and_grad(da.from_array(logits, chunks=chunks), 1, empty=5.0, **masks),
             (np.float64(5), np.zeros(3)))
    for weights in (np.zeros(3), da.zeros(3, chunks=2), [1.0, -1.0, 0.0]):
        same(xd.sigmoid_cross_entropy_value_and_grad(da.from_array(logits, chunks=chunks), 1, sample_weight=weights, empty=5.0),
             (np.float64(5), np.zeros(3)))
    same([xd.sigmoid_cross_entropy(da.zeros((0, 3), chunks=1), 1, sample_weight=np.ones((1, 3)))], [np.float64("nan")])


# ---- probabilities


def distributions(dtype):
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(2500), (6, 4)).astype(dtype), rng.dirichlet(np.ones(2500), (4,)).astype(np.float32)
    p[0, 0, :3], q[0, 5] = 0, 0
    return p, q


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("chunks", [(2, 3, 2500), (2, 3, (1024, 1024, 452)), (3, 4, (7, 2493))])
def test_probabilities(chunks, dtype):
    p, q = distributions(dtype)
    lazy = da.from_array(p, chunks=chunks)
    for axis, keepdims in ((-1, False), (-1, True), (0, False), ((1, 2), True), (None, False)):
        exact = axis == -1 and chunks[-1] != (7, 2493)
        for name, eps, other in (("cross_entropy", None, q), ("kl_divergence", 1e-6, da.from_array(q, chunks=1000))):
            result = getattr(xd, name)(lazy, other, axis=axis, eps=eps, keepdims=keepdims)
            expected = getattr(xf, name)(p, q, axis=axis, eps=eps, keepdims=keepdims)
            same([result], [expected]) if exact else near(result, expected)
        result, expected = xd.entropy(lazy, axis=axis, keepdims=keepdims), xf.entropy(p, axis=axis, keepdims=keepdims)
        same([result], [expected]) if exact else near(result, expected)
    same([xd.cross_entropy_grad(lazy, q), xd.cross_entropy_grad(q, lazy, eps=1e-3)],
         [xf.cross_entropy_grad(p, q), xf.cross_entropy_grad(q, p, eps=1e-3)])


@pytest.mark.parametrize("axis", [-1, (0, 2), None])
def test_softmax(axis):
    p, _ = distributions(np.float32)
    lazy = da.from_array(p, chunks=(4, 3, 1000))
    for name in ("softmax", "log_softmax", "logsumexp"):
        same([getattr(xd, name)(lazy, axis)], [getattr(xf, name)(p, axis)])
    same([xd.logsumexp(lazy, axis, keepdims=True)], [xf.logsumexp(p, axis, keepdims=True)])


@pytest.mark.parametrize("axis", [-1, (0, 2), None])
def test_softmax_with_a_mask_and_factors(axis):
    """NumPy arrays and lazy ones, cut otherwise than x, and broadcast."""
    p, _ = distributions(np.float32)
    rng = np.random.default_rng(1)
    lazy = da.from_array(p, chunks=(4, 3, 1000))
    for shape in (p.shape, p.shape[-1:], (p.shape[0], 1, 1), (1, *p.shape[1:]), ()):
        mask, b = rng.random(shape) < 0.7, rng.standard_normal(shape) + 1
        for where, factors in ((mask, b), (da.from_array(mask, chunks=2), da.from_array(b, chunks=3))):
            for name in ("softmax", "log_softmax", "logsumexp"):
                same([getattr(xd, name)(lazy, axis, where=where)], [getattr(xf, name)(p, axis, where=mask)])
            for given, want in (({"b": factors}, {"b": b}), ({"b": factors, "where": where}, {"b": b, "where": mask})):
                same([xd.logsumexp(lazy, axis, **given)], [xf.logsumexp(p, axis, **want)])


@pytest.mark.parametrize(("shape", "axis"), [((3, 0), -1), ((0, 3), 0), ((2, 0, 4), (1, 2)), ((2, 3, 0), None), ((0, 3), 1)])
def test_softmax_over_nothing(shape, axis):
    x = np.zeros(shape, np.float32)
    lazy = da.from_array(x, chunks=2)
    for more in ({}, {"where": np.ones(shape, bool)}):
        for name in ("softmax", "log_softmax", "logsumexp"):
            same([getattr(xd, name)(lazy, axis, **more)], [getattr(xf, name)(x, axis)])
    same([xd.logsumexp(lazy, axis, keepdims=True)], [xf.logsumexp(x, axis, keepdims=True)])


@pytest.mark.parametrize("chunks", [(700, 7), (999, 3)])
def test_log_loss(chunks):
    rng = np.random.default_rng(0)
    q, labels, weights = rng.dirichlet(np.ones(7), 5000).astype(np.float32), rng.integers(0, 7, 5000), rng.random(5000)
    lazy, hot = da.from_array(q, chunks=chunks), np.eye(7)[labels]
    for given, other in ((labels, labels), (labels, da.from_array(labels, chunks=501)), (np.array(list("abcdefg"))[labels],) * 2,
                         (hot, da.from_array(hot, chunks=(900, 2))), (labels[:, None],) * 2):
        for more in ({}, {"sample_weight": weights}, {"normalize": False}):
            same([xd.log_loss(other, lazy, **more)], [np.float64(xf.log_loss(given, q, **more))])
    same([xd.log_loss(labels, lazy, labels=range(7))], [np.float64(xf.log_loss(labels, q, labels=range(7)))])
    same([xd.log_loss(labels % 2, da.from_array(q[:, 0], chunks=600))], [np.float64(xf.log_loss(labels % 2, q[:, 0]))])
    pairs = np.eye(2, dtype=int)[labels % 2]
    for given in (pairs, da.from_array(pairs, chunks=(900, 1)), pairs.tolist()):
        for column in (q[:, 0], q[:, :1]):
            lazy = da.from_array(column, chunks=600)
            same([xd.log_loss(given, y_proba=lazy, sample_weight=weights)],
                 [np.float64(xf.log_loss(pairs, column, sample_weight=weights))])
    names = [-1, *range(2**63, 2**63 + 6)]
    same([xd.log_loss([names[i] for i in labels], da.from_array(q, chunks=chunks), labels=names)],
         [np.float64(xf.log_loss(labels, q))])


def test_log_loss_warns_as_it_does_on_one_machine():
    q = da.from_array([[0.5, 0.5], [0.4, 0.4]], chunks=1)
    with warnings.catch_warnings():                         # nothing that is computed later
        loss = xd.log_loss([0, 1], q)
    with pytest.warns(UserWarning, match="rows of y_pred do not sum to one"):
        loss.compute()
    with pytest.warns(UserWarning, match="labels are not sorted"):
        xd.log_loss([0, 1], q, labels=[1, 0])


# ---- weights


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted({getattr(xd.init, name).__name__: name for name in xd.init.__all__}))
def test_initialisers(name, dtype):
    given = {"sparse": {"sparsity": 0.5}, "constant": {"value": np.arange(40.0)}}.get(name, {})
    if name not in ("constant", "zeros", "ones", "identity"):
        given |= {"rng": 7, "name": "layer/weight"}
    expected = getattr(xf.init, name)((30, 40), dtype=dtype, **given)
    for chunks in ((7, 9), "auto", ((0, 30), 40)):
        same([getattr(xd.init, name)((30, 40), chunks=chunks, dtype=dtype, **given)], [expected])


def test_every_initialiser_that_can_be_cut_is_there():
    assert set(xf.init.__all__) - set(xd.init.__all__) == {"orthogonal", "dirac", "fill", "fans", "gain"}
    for alias, name in (("glorot_normal", "xavier_normal"), ("kaiming_uniform", "he_uniform")):
        assert getattr(xd.init, alias) is getattr(xd.init, name)


def test_options_of_initialisers():
    same([xd.init.he_normal((8, 6, 3), in_axis=1, out_axis=0, gain=0.5, rng=1, chunks=2)],
         [xf.init.he_normal((8, 6, 3), in_axis=1, out_axis=0, gain=0.5, rng=1)])
    same([xd.init.constant((2, 3), [[1], [2]], chunks=1), xd.init.identity((3, 5), gain=2, chunks=2)],
         [xf.init.constant((2, 3), [[1], [2]]), xf.init.identity((3, 5), gain=2)])
    same([xd.init.normal(5, rng=7, chunks=2), xd.init.normal((), rng=7), xd.init.normal((0, 3), rng=7)],
         [xf.init.normal(5, rng=7), xf.init.normal((), rng=7)[()], xf.init.normal((0, 3), rng=7)])


def test_keys_are_drawn_when_the_array_is_made():
    lazy, eager = np.random.default_rng(3), np.random.default_rng(3)
    same([xd.init.normal((4, 4), rng=lazy, chunks=2) for _ in range(2)], [xf.init.normal((4, 4), rng=eager) for _ in range(2)])
    by_entropy = [xd.init.normal((4, 4), chunks=2) for _ in range(2)]
    assert (by_entropy[0].compute() == by_entropy[0].compute()).all() and (by_entropy[0] != by_entropy[1]).any().compute()
