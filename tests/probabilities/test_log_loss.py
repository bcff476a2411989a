"""log_loss: scikit-learn's results for every kind of labels, its warnings, and errors that name what is wrong."""

import inspect
import re
import tracemalloc
import warnings
from itertools import product

import numpy as np
import pytest
import reference
from tolerances import LOG_LOSS

import xentfast as xf
from xentfast._base import dispatch
from xentfast._probabilities import checks

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized]

LEVELS = dispatch.supported_levels()
CLASSES = [2, 3, 10, 31, 32, 33, 97, 1025]


def data(n_rows, n_classes, dtype=np.float64, seed=0):
    """Probabilities with zeros and ones among them, labels of which each occurs, weights."""
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.full(n_classes, 0.7), n_rows)
    q[0] = np.eye(n_classes)[0]
    q[1] = np.eye(n_classes)[-1]
    y = rng.permutation(np.arange(n_rows) % n_classes)
    return y, q.astype(dtype), rng.random(n_rows)


def oracle(y, q, *, labels=None, **given):
    metrics = pytest.importorskip("sklearn.metrics")
    if np.asarray(y).dtype == np.uint64:                    # isin() of NumPy 2.0, which scikit-learn calls, fails for those
        known = np.unique(y if labels is None else labels)
        y, labels = np.searchsorted(known, y), np.arange(len(known))
    return metrics.log_loss(y, q, labels=labels, **given)


def close(got, want, dtype=np.float64):
    assert type(got) is float
    np.testing.assert_allclose(got, want, rtol=LOG_LOSS[np.dtype(dtype)])


# ---- values


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_classes", CLASSES)
def test_scikit_learn(level, n_classes, dtype):
    y, q, weights = data(2 * n_classes + 7, n_classes, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)                # float16 rows that do not sum to one
        for normalize, sample_weight in product((True, False), (None, weights)):
            given = {"normalize": normalize, "sample_weight": sample_weight}
            close(xf.log_loss(y, q, **given), oracle(y, q, **given), dtype)
            close(xf.log_loss(y, q, **given), reference.log_loss(y, q, **given), dtype)
            if n_classes == 2:
                close(xf.log_loss(y, q[:, 1], **given), oracle(y, q[:, 1], **given), dtype)
                close(xf.log_loss(y, q[:, 1:], **given), oracle(y, q[:, 1:], **given), dtype)


LABELS = {
    "int8": lambda y: y.astype(np.int8) - 1, "uint64": lambda y: y.astype(np.uint64) + np.uint64(2**64 - 10),
    "int64": lambda y: y * 10**15 - 7, "bool": lambda y: y > 0, "float32": lambda y: y.astype(np.float32),
    "float64": lambda y: y - 2.0, "gaps": lambda y: y * 5 + 3, "str": lambda y: np.array(list("spam"))[y],
    "bytes": lambda y: np.array([b"b", b"a", b"d", b"c"])[y], "object": lambda y: np.array(["x", "yy", "", "z"], object)[y],
    "object ints": lambda y: y.astype(object), "list": lambda y: y.tolist(), "list of str": lambda y: [f"class {i}" for i in y],
    "big endian": lambda y: y.astype(">i4"), "strided": lambda y: np.repeat(y, 2)[::2],
}
# What scikit-learn does not take.
THEIRS = {"bytes": str, "object ints": int}


@pytest.mark.parametrize("kind", LABELS)
def test_kinds_of_labels(kind):
    y, q, weights = data(40, 2 if kind == "bool" else 4)
    y = np.asarray(LABELS[kind](y))
    known = y.astype(THEIRS.get(kind, y.dtype))
    want = oracle(known, q, sample_weight=weights)
    close(xf.log_loss(y, q, sample_weight=weights), want)
    close(xf.log_loss(LABELS[kind](data(40, len(q[0]))[0]), q, sample_weight=weights), want)
    close(xf.log_loss(y, q, sample_weight=weights, labels=np.unique(y)), want)
    want = oracle(known[:5], q[:5], labels=np.unique(known))
    close(xf.log_loss(y[:5], q[:5], labels=np.unique(y)), want)
    close(xf.log_loss(y[:5].tolist(), q[:5], labels=np.unique(y).tolist()), want)


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    y, q, _ = data(40, 2)
    y[:2] = 0, 1                                                    # rows of certainty
    q = np.round(q * 128) / 128
    got = xf.log_loss(y, q.astype(ml_dtypes.bfloat16))
    clipped = np.clip(q, 2.0**-7, 1 - 2.0**-7)
    close(got, -np.log(clipped[np.arange(40), y]).mean())


@pytest.mark.parametrize("n_classes", [2, 5, 40, 1100])
def test_indicators(level, n_classes):
    rng = np.random.default_rng(1)
    _, q, weights = data(30, n_classes)
    y = (rng.random((30, n_classes)) < 0.3).astype(int)
    y[0] = 0
    for dtype, given in product([int, bool, np.float32], [{}, {"sample_weight": weights}, {"normalize": False}]):
        close(xf.log_loss(y.astype(dtype), q, **given), oracle(y, q, **given))
    hot = np.eye(n_classes, dtype=int)[np.arange(30) % n_classes]
    if n_classes <= 30:
        assert np.isclose(xf.log_loss(hot, q), xf.log_loss(np.arange(30) % n_classes, q), rtol=LOG_LOSS[q.dtype])


SHAPES_OF_LABELS = {
    f"{kind}{n_classes}": make(np.arange(6) * n_classes // 6) for n_classes in (2, 3) for kind, make in {
        "integers": lambda y: y, "column": lambda y: y[:, None], "floats": lambda y: y * 2.0, "list": lambda y: y.tolist(),
        "strings": lambda y: np.array(list("abc"))[y], "column of strings": lambda y: np.array(list("abc"))[y][:, None],
        "bool": lambda y: y > 0, "uint64": lambda y: y.astype(np.uint64) * np.uint64(3) + np.uint64(2**63),
        "indicators": lambda y: np.eye(y.max() + 1, dtype=int)[y],
        "bool indicators": lambda y: np.eye(y.max() + 1, dtype=bool)[y],
        "float indicators": lambda y: np.eye(y.max() + 1)[y], "list of indicators": lambda y: np.eye(y.max() + 1)[y].tolist(),
        "several": lambda y: np.eye(y.max() + 1, dtype=int)[y] | np.eye(y.max() + 1, dtype=int)[::-1][y],
        "none": lambda y: np.zeros((len(y), y.max() + 1), int), "one label": lambda y: np.zeros(len(y), int),
    }.items()
}
SHAPES_OF_PROBABILITIES = {
    "one axis": data(6, 2)[1][:, 1], "column": data(6, 2)[1][:, 1:], "column of float32": data(6, 2, np.float32)[1][:, 1:],
    "two": data(6, 2)[1], "three": data(6, 3)[1], "list": data(6, 2)[1][:, 1].tolist(),
    "integers": [[0], [1], [1], [0], [1], [1]],
    "bool": [False, True, True, False, True, False],
}


@pytest.mark.parametrize("labels", SHAPES_OF_LABELS)
@pytest.mark.parametrize("probabilities", SHAPES_OF_PROBABILITIES)
def test_shapes(labels, probabilities):
    """What scikit-learn takes is taken, with its value, and what it refuses is refused."""
    y, q = SHAPES_OF_LABELS[labels], SHAPES_OF_PROBABILITIES[probabilities]
    for weights in (None, [1, 2, 3, 4, 5, 6]):
        try:
            want = oracle(y, np.asarray(q, float) if isinstance(q, list) else q, sample_weight=weights)
        except ValueError:
            with pytest.raises(ValueError, match="y_true"):
                xf.log_loss(y, q, sample_weight=weights)
        else:
            close(xf.log_loss(y, q, sample_weight=weights), want, getattr(q, "dtype", np.float64))


def test_indicators_of_two_with_one_column(level):
    assert np.isclose(xf.log_loss([[0, 1], [1, 0]], [1.0, 0.2]), 0.11157177565710488, rtol=LOG_LOSS[np.dtype(np.float64)])
    y, q, weights = data(203, 2)
    for dtype, x in product((int, bool, np.float32), (q[:, 1], q[:, 1:], q[:, 1].astype(np.float32), q[::-1, 1][::-1])):
        hot = np.asfortranarray(np.eye(2, dtype=dtype)[y])
        assert xf.log_loss(hot, x, sample_weight=weights) == xf.log_loss(y, x, sample_weight=weights)


def test_both_names_of_the_probabilities():
    y, q, weights = data(30, 3)
    want = xf.log_loss(y, q, sample_weight=weights)
    assert want == xf.log_loss(y, y_pred=q, sample_weight=weights) == xf.log_loss(y_true=y, y_proba=q, sample_weight=weights)
    assert {"y_pred", "y_proba"} <= set(inspect.signature(xf.log_loss).parameters)
    for given in ({"y_pred": q, "y_proba": q}, {}):
        with pytest.raises(TypeError, match="y_pred.*y_proba"):
            xf.log_loss(y, **given)
    for arguments, message in (((y, q * 4), "y_proba[0, 0] is"), ((y, q[:4]), "a label for each row of y_proba"),
                               ((y[:, None] == [0, 1], q), "y_true and y_proba have a different number of classes: 2 and 3"),
                               ((y % 2, q), "y_true has 2 labels and y_proba has 3 classes")):
        with pytest.raises(ValueError, match=re.escape(message)):
            xf.log_loss(arguments[0], y_proba=arguments[1])
    with pytest.warns(UserWarning, match="rows of y_proba do not sum to one"):
        xf.log_loss(y, y_proba=q / 2)


BEYOND = {
    "uint64": np.array([2**63, 2**63 + 3, 2**64 - 1], np.uint64),
    "uint64, close": np.array([2**63, 2**63 + 1, 2**63 + 5], np.uint64),
    "list of uint64": [2**63, 2**63 + 1, 2**63 + 5], "with negative ones": [-1, 2**63, 2**63 + 1],
    "NumPy's with negative ones": [np.int64(-1), np.uint64(2**63), np.uint64(2**63 + 1)], "bigger": [-(2**70), 1, 2**70],
    "int64": np.array([-(2**63), 0, 2**63 - 1]),
}


@pytest.mark.parametrize("kind", BEYOND)
@pytest.mark.filterwarnings("error")
def test_labels_beyond_int64(kind, monkeypatch):
    """Compared as integers, however they come."""
    y, q, _ = data(60, 3)
    names = BEYOND[kind]
    given = names[y] if isinstance(names, np.ndarray) else [names[i] for i in y]
    want = xf.log_loss(y, q)
    for table in (checks.TABLE, 0):
        monkeypatch.setattr(checks, "TABLE", table)
        assert want == xf.log_loss(given, q) == xf.log_loss(given, q, labels=names)
        assert xf.log_loss(given[:4], q[:4], labels=names) == xf.log_loss(y[:4], q[:4], labels=[0, 1, 2])


def test_labels_of_two_dtypes():
    """Those that have no integer in common are not among each other."""
    q = [0.25, 0.5]
    big, small = np.array([2**63, 2**63 + 1], np.uint64), np.array([-1, 1])
    with pytest.raises(ValueError, match=re.escape("y_true[0] is 9223372036854775808, which is not among labels [-1, 1]")):
        xf.log_loss(big, q, labels=small)
    with pytest.raises(ValueError, match=re.escape("y_true[0] is -1, which is not among labels [9223372036854775808, 922337203")):
        xf.log_loss(small, q, labels=big)
    with pytest.raises(ValueError, match=re.escape("y_true[1] is 9007199254740993, which is not among labels")):
        xf.log_loss([1, 2**53 + 1], q, labels=[1.0, 2.0**53])
    with pytest.raises(ValueError, match=re.escape("y_true[1] is 9007199254740992.0, which is not among labels")):
        xf.log_loss([1.0, 2.0**53], q, labels=[1, 2**53 + 1])
    want = xf.log_loss([0, 1], q)
    assert want == xf.log_loss([1, 2**53], q, labels=[1.0, 2.0**53]) == xf.log_loss([1.0, 2.0**53], q, labels=[1, 2**53])
    assert want == xf.log_loss(np.array([1, 2], np.uint64), q, labels=[1, 2]) == xf.log_loss([-1, 1], q, labels=[-1, 1])
    assert xf.log_loss([-1, 1], [[0.5, 0.25, 0.25]] * 2, labels=[-1, 1, 2**63]) == -np.log([0.5, 0.25]).mean()


def test_lists_integers_and_columns():
    close(xf.log_loss([0, 1], [[1, 0], [0, 1]]), oracle([0, 1], [[1, 0], [0, 1]]))
    close(xf.log_loss([0, 1, 1], [0.25, 0.5, 1]), oracle([0, 1, 1], [0.25, 0.5, 1]))
    close(xf.log_loss([[0], [1]], [0.25, 0.5]), oracle([0, 1], [0.25, 0.5]))
    close(xf.log_loss([True, False], np.array([True, False])), oracle([1, 0], [1.0, 0.0]))
    close(xf.log_loss([True, True], [0.25, 0.5], labels=[False, True]), oracle([1, 1], [0.25, 0.5], labels=[0, 1]))
    close(xf.log_loss([1, 1], [0.25, 0.5], labels=[0.0, 1.0]), oracle([1, 1], [0.25, 0.5], labels=[0, 1]))
    close(xf.log_loss([0, 1], [0.25, 0.5], sample_weight=[2, 1]), oracle([0, 1], [0.25, 0.5], sample_weight=[2, 1]))
    close(xf.log_loss([0, 1], [0.25, 0.5], sample_weight=[2, -1]), oracle([0, 1], [0.25, 0.5], sample_weight=[2, -1]))


def test_labels_beyond_a_table(monkeypatch):
    """Far apart they are searched for; either way gives the same."""
    y, q, _ = data(200, 10)
    for spread in (1, 7, 10**15):
        want = xf.log_loss(y * spread - 3, q)
        assert want == xf.log_loss((y * spread - 3)[:], q, labels=np.arange(10) * spread - 3)
        with monkeypatch.context() as patch:
            patch.setattr(checks, "TABLE", 0)
            assert want == xf.log_loss(y * spread - 3, q) == xf.log_loss(y, q)


# ---- bits


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 33, 97, 1025])
@pytest.mark.filterwarnings("ignore:rows of y_pred")
def test_levels_threads_and_layouts(use_level, n_classes, dtype):
    y, q, weights = data(2 * n_classes + 70, n_classes, dtype)
    hot = np.eye(n_classes, dtype=np.int8)[y]
    seen = set()
    for level in LEVELS:
        use_level(level)
        for n_threads in (1, 2, 5):
            for x in (q, np.asfortranarray(q), q[::-1, ::-1].copy()[::-1, ::-1], np.repeat(q, 2, axis=1)[:, ::2]):
                seen.add((xf.log_loss(y, x, n_threads=n_threads), xf.log_loss(hot, x, n_threads=n_threads),
                          xf.log_loss(y, x, sample_weight=weights, normalize=False, n_threads=n_threads)))
    assert len(seen) == 1


# ---- warnings


def warned(function, *arguments, **given):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        function(*arguments, **given)
    return [warning.category for warning in seen]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_classes", [2, 10, 97])
def test_rows_that_do_not_sum_to_one(level, n_classes, dtype):
    pytest.importorskip("sklearn")
    y, q, _ = data(200, n_classes, dtype)
    slack = np.sqrt(np.finfo(dtype).eps)
    for change in (0, slack / 2, -slack / 2, 3 * slack, -3 * slack, -0.5 / n_classes):
        row = q.copy()
        row[150] = 1 / n_classes
        row[150, 0] += dtype(change)
        hot = np.eye(n_classes, dtype=int)[y]
        expected = [UserWarning] * int(abs(change) > slack)
        for labels in (y, hot):
            assert warned(xf.log_loss, labels, row) == warned(oracle, labels, row) == expected
    with pytest.warns(UserWarning, match="rows of y_pred do not sum to one; pass probabilities"):
        xf.log_loss(y, q * dtype(0.5))


def test_labels_that_are_not_sorted():
    y, q, _ = data(20, 3)
    for labels in ([2, 0, 1], np.array([1, 0, 2])):
        assert warned(xf.log_loss, y, q, labels=labels) == [UserWarning]
        assert warned(oracle, y, q, labels=labels) in ([UserWarning], [])           # the latter before scikit-learn 1.7
    with pytest.warns(UserWarning, match=re.escape("in the order of [0, 1, 2]")):
        assert xf.log_loss(y, q, labels=[2, 0, 1]) == xf.log_loss(y, q)


def test_no_other_warnings(level):
    with np.errstate(all="raise"):
        assert np.isfinite(xf.log_loss([0, 1, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))


# ---- errors

Y, Q = [0, 1, 2], np.full((3, 3), 1 / 3)
CALLS = [
    ((Y, Q[:2]), {}, ValueError, "y_true has shape (3,); expected (2,), a label for each row of y_pred, or (2, 3)"),
    ((0, Q), {}, ValueError, "y_true has shape (); expected (3,)"),
    ((Y, Q[None]), {}, ValueError, "y_pred has shape (1, 3, 3); expected one axis, or two: rows and classes"),
    ((Y, 0.5), {}, ValueError, "y_pred is zero-dimensional"),
    (([], []), {}, ValueError, "y_pred has shape (0,): there is nothing to average"),
    (([0, 0, 0], Q), {}, ValueError, "y_true has one label only, 0; pass all of them as labels"),
    (([0, 1, 1], Q), {}, ValueError, "y_true has 2 labels and y_pred has 3 classes; pass all labels as labels"),
    (([0, 1, 2], Q[:, 0]), {}, ValueError, "y_true has 3 labels and y_pred has 2 classes"),
    ((["a", "b", "b"], Q), {}, ValueError, "y_true has 2 labels and y_pred has 3 classes"),
    ((Y, Q), {"labels": [0, 1]}, ValueError, "labels has 2 labels, and y_pred has 3 classes"),
    ((Y, Q), {"labels": [0]}, ValueError, "labels has 1 labels; expected at least two"),
    ((Y, Q), {"labels": [Y]}, ValueError, "labels has shape (1, 3); expected one axis"),
    ((Y, Q), {"labels": [0, 1, 3]}, ValueError, "y_true[2] is 2, which is not among labels [0, 1, 3]"),
    ((["a", "b", "q"], Q), {"labels": list("abc")}, ValueError, "y_true[2] is 'q', which is not among labels ['a', 'b', 'c']"),
    ((Y, Q), {"labels": list("abc")}, (TypeError, ValueError), "y_true"),
    (([0.5, 1, 2], Q), {}, ValueError, "y_true[0] is 0.5; expected labels, of which floating ones are whole numbers"),
    (([0, 1, np.nan], Q), {}, ValueError, "y_true[2] is nan"),
    (([0, 1, np.inf], Q), {}, ValueError, "y_true[2] is inf; expected labels, of which floating ones are whole numbers"),
    ((np.array([0, 1, -np.inf], object), Q), {}, ValueError, "y_true[2] is -inf; expected labels"),
    ((Y, Q), {"labels": [0, 1, np.inf]}, ValueError, "labels[2] is inf; expected labels, of which floating ones are whole"),
    ((Y, Q), {"labels": [0.5, 1, 2]}, ValueError, "labels[0] is 0.5; expected labels"),
    ((Y, Q), {"labels": np.array([0, np.nan, 2], object)}, ValueError, "labels[1] is nan; expected labels"),
    (([0, 1, 2**63], Q), {"labels": [0, 1, 2**64]}, ValueError, "y_true[2] is 9223372036854775808, which is not among"),
    ((np.eye(3)[:, :2], Q[:, 0]), {"labels": [0, 1]}, ValueError, "labels were given with a matrix of indicators"),
    ((np.eye(3), Q[:, 0]), {}, ValueError, "y_true and y_pred have a different number of classes: 3 and 2"),
    ((np.eye(3), Q[:, :1]), {}, ValueError, "y_true and y_pred have a different number of classes: 3 and 2"),
    (([[[0, 1]]] * 3, Q[:, 0]), {}, ValueError,
     "y_true has shape (3, 1, 2); expected (3,), a label for each row of y_pred, or (3, 2)"),
    (([[0, 1], [1, 0], [2, 0]], Q[:, 0]), {}, ValueError, "y_true[2, 0] is 2; expected indicators 0 and 1"),
    (([[0, 1], [1, 0], [1, 0]], [0.5, 1.5, 0.5]), {}, ValueError, "y_pred[1] is 1.5; expected"),
    ((np.array([0, "a", None], object), Q), {}, TypeError, "y_true has labels that cannot be sorted, of dtype object"),
    ((np.ma.masked_array(Y, [0, 1, 0]), Q), {}, TypeError, "y_true is a masked array"),
    ((Y, np.ma.masked_array(Q, Q < 1)), {}, TypeError, "y_pred is a masked array"),
    ((Y, Q.astype(complex)), {}, TypeError, "y_pred has dtype complex128"),
    ((Y, Q), {"sample_weight": [1, 1]}, ValueError,
     "sample_weight has shape (2,); expected (3,), a weight for each row of y_pred"),
    ((Y, Q), {"sample_weight": [1, np.nan, 1]}, ValueError, "sample_weight[1] is nan; expected finite weights"),
    ((Y, Q), {"sample_weight": [1, -1, 0]}, ValueError, "sample_weight sums to zero"),
    ((np.eye(3)[:, :2], Q), {}, ValueError, "y_true and y_pred have a different number of classes: 2 and 3"),
    ((np.eye(3) * 2, Q), {}, ValueError, "y_true[0, 0] is 2.0; expected indicators 0 and 1"),
    ((np.eye(3), Q), {"labels": Y}, ValueError, "labels were given with a matrix of indicators"),
    ((Y, Q), {"n_threads": 0}, ValueError, "n_threads is 0"),
    ((Y, Q * 4), {}, ValueError, "y_pred[0, 0] is 1.3333333333333333; expected a probability from 0 to 1"),
    ((Y, [[1, 0, 0], [0.5, 0.5, 0], [0, -0.25, 1.25]]), {}, ValueError, "y_pred[2, 1] is -0.25; expected"),
    ((np.eye(3), [[1, 0, 0], [0.5, 0.5, 0], [0, np.nan, 1]]), {}, ValueError, "y_pred[2, 1] is nan; expected"),
    (([0, 1, 1], [0.5, 1.5, 0.5]), {}, ValueError, "y_pred[1] is 1.5; expected"),
    (([0, 1, 1], [0.5, 0.5, np.nan]), {}, ValueError, "y_pred[2] is nan; expected"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "message"), CALLS)
def test_errors(arguments, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        xf.log_loss(*arguments, **options)


@pytest.mark.parametrize("n_classes", [1, 2, 100, 3000])
def test_the_first_bad_probability_is_named(level, n_classes):
    n_rows = 200
    y, q = np.arange(n_rows) % max(n_classes, 2), np.full((n_rows, n_classes), 1 / max(n_classes, 2))
    given = {"labels": np.arange(max(n_classes, 2))}
    for n_threads, bad in product((1, 3), (-1e-9, np.nan, np.inf)):
        wrong = q.copy()
        wrong[[70, 150], n_classes // 2] = bad
        with pytest.raises(ValueError, match=re.escape(f"y_pred[70, {n_classes // 2}] is {bad}; expected")):
            xf.log_loss(y, wrong, n_threads=n_threads, **given)


def test_keyword_only():
    with pytest.raises(TypeError, match="positional argument"):
        xf.log_loss(Y, Q, [1, 1, 1])


def test_memory():
    """16 bytes a row, and a table."""
    y, q = np.arange(4000) % 250, np.full((4000, 250), 1 / 250, np.float32)
    for labels in (y, y.astype(np.uint8), y + 5):
        xf.log_loss(labels, q)
        tracemalloc.start()
        xf.log_loss(labels, q)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 4000 * 16 + 2**14


@pytest.mark.parametrize("row", [[np.nan, 0.5], [1.5, 0.5]])
def test_rows_of_weight_0_are_looked_at(row):
    """As in scikit-learn: their probabilities must be some, and their labels occur."""
    with pytest.raises(ValueError, match=r"y_pred\[1, 0\] is .*; expected a probability from 0 to 1"):
        xf.log_loss([0, 1], [[0.2, 0.8], row], sample_weight=[1, 0])
    with pytest.raises(ValueError, match="y_true has 3 labels and y_pred has 2 classes"):
        xf.log_loss([0, 2, 1], np.full((3, 2), 0.5), sample_weight=[1, 0, 1])
