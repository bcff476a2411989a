"""Masked arrays: a mask is `where` for logits, and weight 0 for targets and weights. What has no place for one says what has."""

import re

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

RNG = np.random.default_rng(31)
ROWS, CLASSES = 23, 37
X = RNG.standard_normal((ROWS, CLASSES), dtype=np.float32)
T = RNG.integers(0, CLASSES, ROWS)
SOFT = RNG.random((ROWS, CLASSES))
CLOSED = (RNG.random((ROWS, CLASSES)) < 0.2) & (np.arange(CLASSES) != T[:, None])
SKIPPED = RNG.random(ROWS) < 0.3
WEIGHT, SAMPLE_WEIGHT = RNG.random(CLASSES), RNG.random(ROWS)
WHERE = RNG.random(CLASSES) < 0.9
LOSSES = [xf.softmax_cross_entropy, xf.softmax_cross_entropy_grad, xf.softmax_cross_entropy_value_and_grad,
          xf.softmax_cross_entropy_grad_hess, xf.perplexity]
REDUCTIONS = ["mean", "none"]


def masked(array, mask, value=None):
    """What is behind the mask is not to be looked at."""
    array = np.array(array)
    array[mask] = value if value is not None else 10**6 if array.dtype.kind in "iu" else np.nan
    return np.ma.masked_array(array, mask)


def bits(result):
    parts = result if isinstance(result, tuple) else (result,)
    assert not any(isinstance(part, np.ma.MaskedArray) for part in parts)
    return [(np.asarray(part).dtype, np.shape(part), np.asarray(part).tobytes()) for part in parts]


def of_both(function, masked_arguments, plain_arguments, masked_options=None, plain_options=None):
    for reduction in REDUCTIONS:
        if function is xf.perplexity and reduction == "none":
            continue
        options = {} if function is xf.perplexity else {"reduction": reduction}
        assert (bits(function(*masked_arguments, **options, **(masked_options or {})))
                == bits(function(*plain_arguments, **options, **(plain_options or {}))))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("function", LOSSES)
def test_logits(function, dtype):
    x = X.astype(dtype)
    of_both(function, (masked(x, CLOSED), T), (x, T), plain_options={"where": ~CLOSED})
    of_both(function, (masked(x, CLOSED), T), (x, T), {"where": WHERE}, {"where": WHERE & ~CLOSED})
    turned = np.ma.masked_array(np.asfortranarray(x), np.asfortranarray(CLOSED))
    of_both(function, (turned, T), (x, T), {"weight": WEIGHT}, {"where": ~CLOSED, "weight": WEIGHT})
    of_both(function, (turned.T, T), (x.T, T), {"axis": 0}, {"where": ~CLOSED.T, "axis": 0})


@pytest.mark.parametrize("function", LOSSES)
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint16, np.uint64])
def test_targets(function, dtype):
    ignored = np.where(SKIPPED, -100, T)
    given = masked(T.astype(dtype), SKIPPED, 60_000)
    of_both(function, (X, given), (X, ignored))
    weights = {"sample_weight": SAMPLE_WEIGHT, "weight": WEIGHT}
    of_both(function, (X, given), (X, ignored), weights, weights)
    of_both(function, (X, given), (X, np.where(SKIPPED, 5, T)), {"ignore_index": 5}, {"ignore_index": 5})
    of_both(function, (X, given), (X, ignored), {"ignore_index": 2**70})
    of_both(function, (masked(X, np.broadcast_to(SKIPPED[:, None], X.shape)), given), (X, ignored))


@pytest.mark.parametrize("function", LOSSES)
def test_soft_targets(function):
    """A row with a masked entry weighs nothing: what its targets are is not known."""
    mask = np.zeros_like(CLOSED)
    mask[SKIPPED, RNG.integers(0, CLOSED.shape[1], ROWS)[SKIPPED]] = True
    keeps = (~SKIPPED).astype(float)
    of_both(function, (X, masked(SOFT, mask)), (X, SOFT), plain_options={"sample_weight": keeps})
    options = {"weight": WEIGHT, "sample_weight": SAMPLE_WEIGHT}
    of_both(function, (X, masked(SOFT, mask)), (X, SOFT), options, options | {"sample_weight": SAMPLE_WEIGHT * keeps})


@pytest.mark.parametrize("function", LOSSES)
def test_weights(function):
    for targets in (T, SOFT):
        of_both(function, (X, targets), (X, targets), {"sample_weight": masked(SAMPLE_WEIGHT, SKIPPED)},
                {"sample_weight": np.where(SKIPPED, 0.0, SAMPLE_WEIGHT)})
        of_both(function, (X, targets), (X, targets), {"weight": masked(WEIGHT, ~WHERE)},
                {"weight": np.where(WHERE, WEIGHT, 0.0)})
    whole = masked(np.arange(ROWS) + 1, SKIPPED)
    of_both(function, (X, T), (X, T), {"sample_weight": whole}, {"sample_weight": whole.filled(0)})


@pytest.mark.parametrize("axis", [-1, 0, None, (1, 0)])
def test_softmax_and_its_kin(axis):
    """As `where` has it; what b is multiplied by is 0."""
    x, b = masked(X, CLOSED), masked(WEIGHT, ~WHERE)
    for function in (xf.softmax, xf.log_softmax, xf.logsumexp):
        assert bits(function(x, axis)) == bits(function(X, axis, where=~CLOSED))
        assert bits(function(x, axis, where=WHERE)) == bits(function(X, axis, where=WHERE & ~CLOSED))
        assert bits(function(list(x), axis)) == bits(function(x, axis))
    assert bits(xf.logsumexp(x, axis, b=b)) == bits(xf.logsumexp(X, axis, b=np.where(WHERE, WEIGHT, 0), where=~CLOSED))
    out = np.empty_like(X)
    assert xf.softmax(x, axis, out=out) is out and bits(out) == bits(xf.softmax(x, axis))
    assert bits(xf.softmax(x, axis, out=x.data)) == bits(out)


def test_any_layout():
    """Rows of two axes, masks that lie as columns do."""
    shape, rows = (4, 7, 5), (4, 5)
    x, soft = RNG.standard_normal(shape), RNG.random(shape)
    t, weights, skipped = RNG.integers(0, 7, rows), RNG.random(rows), RNG.random(rows) < 0.3
    one = np.zeros(shape, bool)
    one[:, 3] = skipped
    turned = np.asfortranarray
    keeps = {"sample_weight": (~skipped).astype(float)}
    for function in LOSSES:
        of_both(function, (x, masked(turned(t), turned(skipped))), (x, np.where(skipped, -100, t)), {"axis": 1}, {"axis": 1})
        of_both(function, (x, masked(turned(soft), turned(one))), (x, soft), {"axis": 1}, {"axis": 1, **keeps})
        of_both(function, (x, t), (x, t), {"axis": 1, "sample_weight": masked(turned(weights), turned(skipped))},
                {"axis": 1, "sample_weight": np.where(skipped, 0.0, weights)})


def test_everything_masked():
    nothing = np.ma.masked_all(ROWS, dtype=int)
    loss, grad = xf.softmax_cross_entropy_value_and_grad(X, nothing, empty=7.0)
    assert loss == 7.0 and not grad.any()
    for function in LOSSES:
        of_both(function, (masked(X, np.ones_like(CLOSED)), T), (X, T), plain_options={"where": np.False_})


@pytest.mark.parametrize("mask", [np.ma.nomask, False])
def test_nothing_masked(mask):
    """A plain array, wherever there may be one, and plain results."""
    def wrap(array):
        return np.ma.masked_array(array, mask)
    for function in LOSSES:
        of_both(function, (wrap(X), wrap(T)), (X, T), {"sample_weight": wrap(SAMPLE_WEIGHT), "where": wrap(WHERE)},
                {"sample_weight": SAMPLE_WEIGHT, "where": WHERE})
    p, b = xf.softmax(X), SOFT > 0.5
    for function, arguments in ((xf.softmax, (X,)), (xf.log_softmax, (X,)), (xf.logsumexp, (X,)), (xf.entropy, (p,)),
                                (xf.cross_entropy, (p, p)), (xf.kl_divergence, (p, p)), (xf.sigmoid_cross_entropy, (X, b)),
                                (xf.linear_cross_entropy, (X, X, T % ROWS)), (xf.log_loss, (T, p))):
        options = {"labels": np.arange(CLASSES)} if function is xf.log_loss else {}
        assert bits(function(*map(wrap, arguments), **options)) == bits(function(*arguments, **options))
    held = np.zeros_like(X)
    result = xf.softmax(X, out=wrap(held))
    assert type(result) is np.ndarray and np.shares_memory(result, held) and (held == p).all()
    assert (xf.init.constant((ROWS, CLASSES), wrap(X)) == X).all()


def test_lists_of_masked_arrays():
    """NumPy would drop the masks of these, and make nan of `numpy.ma.masked`, in integers an error."""
    x, t = masked(X, CLOSED), masked(T, SKIPPED)
    assert bits(xf.softmax_cross_entropy(list(x), list(t))) == bits(xf.softmax_cross_entropy(x, t))
    plain = X[:3], [T[0], -100, T[2]]
    assert bits(xf.softmax_cross_entropy(X[:3], (T[0], np.ma.masked, T[2]))) == bits(xf.softmax_cross_entropy(*plain))
    mixed = [X[0], x[1], X[2].tolist()]                         # of which the last is float64
    where = ~CLOSED[:3] | [[True], [False], [True]]
    assert (bits(xf.softmax_cross_entropy(mixed, T[:3]))
            == bits(xf.softmax_cross_entropy(X[:3].astype(float), T[:3], where=where)))
    with pytest.raises(ValueError, match="logits is not an array"):
        xf.softmax_cross_entropy([x[0], x[1, 1:]], [0, 0])


def test_slices():
    """The same mask as `where` and `where_count`; masked classes as ignored ones."""
    x, t = masked(X, CLOSED), masked(T, SKIPPED)
    slices = [(0, 20), (20, CLASSES)]
    counts = (~CLOSED).sum(axis=1)
    for options in ({}, {"label_smoothing": 0.1, "where_count": counts}):
        parts = np.concatenate([xf.softmax_cross_entropy_partial(x[:, a:b], t, first_class=a, n_classes=CLASSES, **options)
                                for a, b in slices], axis=-2)
        plain = np.concatenate([xf.softmax_cross_entropy_partial(
            X[:, a:b], np.where(SKIPPED, -100, T), first_class=a, n_classes=CLASSES, where=~CLOSED[:, a:b], **options)
            for a, b in slices], axis=-2)
        assert bits(parts) == bits(plain)
        loss = xf.softmax_cross_entropy_combine(parts, t, n_classes=CLASSES, **options)
        smoothing = {key: value for key, value in options.items() if key != "where_count"}
        np.testing.assert_array_max_ulp(loss, xf.softmax_cross_entropy(x, t, **smoothing), 1)
        grads = [xf.softmax_cross_entropy_combine_grad(parts, x[:, a:b], t, first_class=a, n_classes=CLASSES, **options)
                 for a, b in slices]
        theirs = [xf.softmax_cross_entropy_combine_grad(plain, X[:, a:b], np.where(SKIPPED, -100, T), first_class=a,
                                                        n_classes=CLASSES, where=~CLOSED[:, a:b], **options) for a, b in slices]
        assert bits(tuple(grads)) == bits(tuple(theirs))
    with pytest.raises(ValueError, match="logits is a masked array, given with label_smoothing, but without where_count"):
        xf.softmax_cross_entropy_partial(x, t, first_class=0, n_classes=CLASSES, label_smoothing=0.1)
    with pytest.raises(TypeError, match="targets is a masked array of floats, whose mask the other slices do not have"):
        xf.softmax_cross_entropy_partial(x, masked(SOFT, CLOSED), first_class=0, n_classes=CLASSES)


def test_linear():
    layer = X[:, :5], X[:CLASSES, 5:10][:ROWS]
    targets, weights = T % ROWS, SAMPLE_WEIGHT
    kept = np.where(SKIPPED, -100, targets)
    assert (bits(xf.linear_cross_entropy(*layer, masked(targets, SKIPPED), sample_weight=masked(weights, ~SKIPPED)))
            == bits(xf.linear_cross_entropy(*layer, kept, sample_weight=np.where(SKIPPED, weights, 0.0))))
    keep = masked(weights, SKIPPED)
    loss, grads = xf.linear_cross_entropy_value_and_grad(*layer, targets, sample_weight=keep)
    own, own_grads = xf.linear_cross_entropy_value_and_grad(*layer, targets, sample_weight=keep.filled(0))
    assert bits((loss, *grads[:2])) == bits((own, *own_grads[:2]))


SIGMOID = [xf.sigmoid_cross_entropy, xf.sigmoid_cross_entropy_grad, xf.sigmoid_cross_entropy_value_and_grad,
           xf.sigmoid_cross_entropy_grad_hess]


@pytest.mark.parametrize("function", SIGMOID)
def test_sigmoid(function):
    """Element by element: one that is masked anywhere is left out, as by `where`."""
    targets, weights = RNG.random(X.shape), RNG.random(X.shape)
    of_class = RNG.random(CLASSES) < 0.2
    keeps = {"where": ~CLOSED}
    of_both(function, (masked(X, CLOSED), targets), (X, targets), plain_options=keeps)
    for given in (targets, targets.astype(np.float16), targets > 0.5, (targets > 0.5).astype(np.uint8)):
        value = np.nan if given.dtype.kind == "f" else 1
        of_both(function, (X, masked(given, CLOSED, value)), (X, given), plain_options=keeps)
    of_both(function, (masked(X, CLOSED), masked(targets[0], of_class)), (X, targets[0]),
            plain_options={"where": ~(CLOSED | of_class)})
    of_both(function, (X, masked(targets[0], of_class)), (X, targets[0]), plain_options={"where": ~of_class})
    of_both(function, (masked(X, CLOSED), targets), (X, targets), {"sample_weight": masked(weights, weights < 0.2)},
            {"sample_weight": weights, "where": ~(CLOSED | (weights < 0.2))})
    of_both(function, (X, targets), (X, targets), {"sample_weight": masked(weights[0], of_class), "pos_weight": 3.0},
            {"sample_weight": weights[0], "where": ~of_class, "pos_weight": 3.0})
    of_both(function, (np.ma.masked, 1), (0.0, 1), plain_options={"where": False})
    with pytest.raises(ValueError, match=r"targets have shape \(3,\); expected one that broadcasts"):
        function(masked(X, CLOSED), masked([0.0, 1.0, 1.0], [True, False, False]))


P = xf.softmax(X.astype(np.float64))
LABELS = np.arange(ROWS) % CLASSES
ALL = {"labels": np.arange(CLASSES)}
# (function of the argument, the argument, what to fill in)
REFUSED = [
    ("where", lambda where: xf.softmax_cross_entropy(X, T, where=where), masked(WHERE, ~WHERE, True), False),
    ("where", lambda where: xf.softmax(X, where=where), masked(WHERE, ~WHERE, True), False),
    ("hidden", lambda hidden: xf.linear_cross_entropy(hidden, X, T % ROWS), masked(X, CLOSED), 0),
    ("linear_weight", lambda weight: xf.linear_cross_entropy(X, weight, T % ROWS), masked(X, CLOSED), 0),
    ("bias", lambda bias: xf.linear_cross_entropy(X, X, T % ROWS, bias=bias), masked(np.ones(ROWS), SKIPPED), 0),
    ("pos_weight", lambda weight: xf.sigmoid_cross_entropy(X, SOFT, pos_weight=weight), masked(WEIGHT, ~WHERE), 1),
    ("p", xf.entropy, masked(P, CLOSED), 0),
    ("q", lambda q: xf.cross_entropy(P, q), masked(P, CLOSED), 0.5),
    ("y_true", lambda labels: xf.log_loss(labels, P, sample_weight=~SKIPPED, **ALL), masked(LABELS, SKIPPED), 0),
    ("partials", lambda partials: xf.softmax_cross_entropy_combine(partials, T, n_classes=CLASSES), np.ma.masked_greater(
        xf.softmax_cross_entropy_partial(X, T, first_class=0, n_classes=CLASSES), 1e30), 0),
    ("value", lambda value: xf.init.constant((ROWS, CLASSES), value), masked(X, CLOSED), 0),
]


@pytest.mark.parametrize(("name", "function", "array", "filling"), REFUSED, ids=[case[0] for case in REFUSED])
def test_advice_that_runs(name, function, array, filling):
    if np.ma.is_masked(array):
        with pytest.raises(TypeError, match=rf"{name} is a masked array, whose mask would be lost; pass its filled\(value\)"):
            function(array)
    function(array.filled(filling))


def test_outputs():
    out = masked(X, CLOSED)
    held = out.data.copy()
    for call in (lambda: xf.softmax(X, out=out), lambda: xf.softmax_cross_entropy_grad(X, T, out=out),
                 lambda: xf.sigmoid_cross_entropy_grad(X, SOFT, out=out), lambda: xf.init.normal(X.shape, rng=1, out=out)):
        with pytest.raises(TypeError, match=re.escape("out is a masked array, whose mask would not be written; pass its data")):
            call()
        assert out.data.tobytes() == held.tobytes()
    assert (xf.softmax(X, out=out.data) == xf.softmax(X)).all()


def test_log_loss_weights():
    weights = masked(SAMPLE_WEIGHT, SKIPPED)
    assert xf.log_loss(LABELS, P, sample_weight=weights, **ALL) == xf.log_loss(LABELS, P, sample_weight=weights.filled(0), **ALL)
