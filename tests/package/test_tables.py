"""Series and frames of pandas, polars and pyarrow: every dtype of numbers, missing values, labels; and no warning."""

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.extras

RNG = np.random.default_rng(8)
X, T = RNG.standard_normal((12, 4)), RNG.integers(0, 4, 12)
MASK = RNG.random((12, 4)) < 0.8
MASK[np.arange(12), T] = True
NAMES = list("abcd")


def same(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()


def check(logits, targets, where, expected_dtype, sample_weight=None):
    x = X.astype(expected_dtype)
    weights = {} if sample_weight is None else {"sample_weight": np.arange(12.0)}
    given = {} if sample_weight is None else {"sample_weight": sample_weight}
    same(xf.softmax_cross_entropy_value_and_grad(logits, targets, where=where, **given),
         xf.softmax_cross_entropy_value_and_grad(x, T, where=MASK, **weights))


@pytest.mark.parametrize("floats", ["float32", "float64", "Float32", "Float64", "float[pyarrow]", "double[pyarrow]",
                                    "halffloat[pyarrow]"])
@pytest.mark.parametrize(("ints", "bools"), [("int64", "bool"), ("Int64", "boolean"), ("UInt8", "boolean"),
                                             ("int32[pyarrow]", "bool[pyarrow]")])
def test_pandas(floats, ints, bools):
    pd = pytest.importorskip("pandas")
    if "pyarrow" in floats + ints:
        pytest.importorskip("pyarrow")
    dtype = {"halffloat[pyarrow]": np.float16, "double[pyarrow]": np.float64, "float[pyarrow]": np.float32}.get(
        floats, floats.lower())
    frame = pd.DataFrame(X.astype(dtype), columns=NAMES).astype(floats)
    targets, where = pd.Series(T).astype(ints), pd.DataFrame(MASK).astype(bools)
    check(frame, targets, where, dtype, pd.Series(np.arange(12.0)).astype("Float64"))
    check(frame, targets.array, where, dtype)
    check(frame, pd.Index(targets), where, dtype)
    assert xf.softmax(frame["a"]).tobytes() == xf.softmax(X[:, 0].astype(dtype)).tobytes()
    mixed = frame.astype({"a": "float64"})                                  # as NumPy would promote them
    assert xf.logsumexp(mixed).dtype == np.float64


def test_pandas_missing_values():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=NAMES).astype("Float64")
    frame.loc[3, "b"] = pd.NA
    holed = X.copy()
    holed[3, 1] = np.nan
    same(xf.softmax_cross_entropy_value_and_grad(frame, T, reduction="none"),
         xf.softmax_cross_entropy_value_and_grad(holed, T, reduction="none"))
    whole = frame.astype({"a": "Float32"})
    whole["a"] = pd.Series(T).astype("Int64")
    assert np.isnan(xf.logsumexp(whole)).tolist() == [i == 3 for i in range(12)]
    for dtype in ("Int64", "UInt8", "object"):
        targets = pd.Series(T).astype(dtype)
        targets[5] = pd.NA
        with pytest.raises(ValueError, match=r"^targets\[5\] is missing; expected a value"):
            xf.softmax_cross_entropy(X, targets)
    where = pd.DataFrame(MASK).astype("boolean")
    where.loc[2, 1] = pd.NA
    with pytest.raises(ValueError, match=r"^where\[2, 1\] is missing"):
        xf.softmax_cross_entropy(X, T, where=where)
    with pytest.raises(ValueError, match=r"^logits\[2, 1\] is missing"):
        xf.softmax_cross_entropy(where.astype("Int64"), T)
    with pytest.raises(ValueError, match=r"^sample_weight\[1\] is nan; expected finite weights"):
        xf.softmax_cross_entropy(X, T, sample_weight=pd.Series([1.0, None, *range(10)], dtype="Float64"))
    with pytest.raises(TypeError, match="^logits has dtype object"):
        xf.softmax_cross_entropy(pd.DataFrame({"a": [1.0], "b": ["x"]}), [0])


def test_polars():
    pl = pytest.importorskip("polars")
    for dtype, own in ((pl.Float32, np.float32), (pl.Float64, np.float64)):
        frame = pl.DataFrame(X, schema=NAMES).cast(dtype)
        for ints in (pl.Int64, pl.UInt8, pl.Int32):
            check(frame, pl.Series(T).cast(ints), pl.DataFrame(MASK, schema=NAMES), own, pl.Series(np.arange(12.0)))
        check(pl.Series(X, dtype=pl.Array(dtype, 4)), pl.Series(T), MASK, own)
    with pytest.raises(ValueError, match=r"^targets\[3\] is missing"):
        xf.softmax_cross_entropy(X[:4], pl.Series([0, 1, 2, None]))
    with pytest.raises(ValueError, match=r"^where\[1, 0\] is missing"):
        xf.softmax_cross_entropy(X[:2], T[:2], where=pl.DataFrame({"a": [True, None]}))
    with pytest.raises(ValueError, match=r"^x\[0, 1\] is missing"):
        xf.softmax(pl.DataFrame({"a": [1, 2], "b": [None, 2]}))
    assert np.isnan(xf.softmax(pl.Series([1.0, None]))).all()
    with pytest.raises(TypeError, match=r"^logits is of type LazyFrame, which has no values yet; pass its collect\(\)"):
        xf.softmax_cross_entropy(pl.LazyFrame({"a": [1.0]}), [0])


def test_pyarrow():
    pa = pytest.importorskip("pyarrow")
    for dtype, own in ((pa.float16(), np.float16), (pa.float32(), np.float32), (pa.float64(), np.float64)):
        table = pa.table({name: pa.array(X[:, i].astype(own), dtype) for i, name in enumerate(NAMES)})
        where = pa.table({name: pa.array(MASK[:, i]) for i, name in enumerate(NAMES)})
        for targets in (pa.array(T), pa.array(T, pa.uint8()), pa.chunked_array([T[:5], T[5:]])):
            check(table, targets, where, own, pa.array(np.arange(12.0)))
            check(table.to_batches()[0], targets, where.to_batches()[0], own)
        check(pa.Tensor.from_numpy(X.astype(own)), pa.array(T), MASK, own)
        check(pa.FixedShapeTensorArray.from_numpy_ndarray(X.astype(own)), pa.array(T), MASK, own)
    bools = MASK[:, 0]
    assert (xf.sigmoid_cross_entropy(pa.array(X[:, 0]), pa.array(bools)) == xf.sigmoid_cross_entropy(X[:, 0], bools))
    for missing in (pa.array([0, 1, 2, None]), pa.chunked_array([[0, 1, 2], [None]])):
        with pytest.raises(ValueError, match=r"^targets\[3\] is missing"):
            xf.softmax_cross_entropy(X[:4], missing)
    with pytest.raises(ValueError, match=r"^targets\[1\] is missing"):
        xf.sigmoid_cross_entropy(X[0, :2], pa.array([True, None]))
    with pytest.raises(ValueError, match=r"^x\[1, 0\] is missing"):
        xf.softmax(pa.table({"a": [1, None]}))
    assert np.isnan(xf.softmax(pa.array([1.0, None]))).all()
    for text in (pa.array(["a", "b"]), pa.array(["a", "b"]).dictionary_encode(), pa.array([[1.0], [2.0]])):
        with pytest.raises(TypeError, match="^x has dtype object"):
            xf.softmax(text)
    for out in (pa.array(X[0]), pa.array([True] * 4), pa.array(NAMES)):
        with pytest.raises(ValueError, match="^out is read-only"):
            xf.softmax(X[0], out=out)


LABELS = [NAMES[i] for i in T]


# (the library, the labels in its words)
WORDS = [
    ("pandas", lambda pd: [pd.Series(LABELS), pd.Series(LABELS, dtype="category"), pd.Series(LABELS, dtype="string"),
                           pd.Categorical(LABELS), pd.Series(LABELS, dtype=object)]),
    ("polars", lambda pl: [pl.Series(LABELS), pl.Series(LABELS, dtype=pl.Categorical), pl.Series(LABELS, dtype=pl.Enum(NAMES))]),
    ("pyarrow", lambda pa: [pa.array(LABELS), pa.array(LABELS).dictionary_encode(), pa.chunked_array([LABELS]),
                            pa.array(LABELS, pa.large_string())]),
]


@pytest.mark.parametrize(("library", "labels"), WORDS, ids=[library for library, _ in WORDS])
def test_labels(library, labels):
    module = pytest.importorskip(library)
    p = xf.softmax(X)
    expected = xf.log_loss(np.array(LABELS), p)
    for given in labels(module):
        assert xf.log_loss(given, p) == expected == xf.log_loss(given, p, labels=NAMES)
    for values in ([*LABELS[:-1], None], [*T.tolist()[:-1], None], [True, *[False] * 10, None]):
        column = module.Series if library != "pyarrow" else module.array
        given = column(values) if library != "pandas" else column(values, dtype={str: "string", bool: "boolean", int: "Int64"}[
            type(values[0])])
        with pytest.raises(ValueError, match=r"^y_true\[11\] is missing"):
            xf.log_loss(given, p)


class Column:
    """As much of a library's column as there is to ask."""

    def __init__(self, values, dtype, missing=()):
        self.values, self.dtype, self.missing = np.asarray(values), dtype, np.isin(np.arange(len(values)), missing)

    @property
    def null_count(self):
        return self.missing.sum()

    def is_null(self):
        return self.missing

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __dlpack__(self, **keywords):
        raise AssertionError("is not asked")


def test_what_is_asked():
    """Without any of the libraries: integers with missing values are floats already when NumPy gets them."""
    assert xf.softmax_cross_entropy(X, Column(T, "Int64")) == xf.softmax_cross_entropy(X, T)
    assert np.isnan(xf.softmax(Column([1.0, np.nan], "Float64", [1]))).all()
    with pytest.raises(ValueError, match=r"^targets\[7\] is missing; expected a value \(of floats missing ones are nan\)"):
        xf.softmax_cross_entropy(X, Column([*T[:7] * 1.0, np.nan, *T[8:]], "Int64", [7]))
