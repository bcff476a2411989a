"""Every kind of thing that somebody may pass as an array: the values that NumPy sees in it, or an error that says what it is."""

import array
import ctypes
import decimal
import re
import sys

import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.every_build

X = np.random.default_rng(4).standard_normal((3, 4))
T = np.array([0, 3, 2])


class Has:
    """One of NumPy's protocols and nothing else."""

    def __init__(self, held, protocol):
        self.held = held
        if protocol != "__array__":
            setattr(self, protocol, getattr(held, protocol))


class HasArray(Has):
    def __array__(self, dtype=None, copy=None):
        return self.held


class HasOldArray(Has):
    def __array__(self):
        return self.held


class HasNone:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("it is on a GPU")


class Subclass(np.ndarray):
    pass


def unaligned(held):
    place = np.zeros(held.nbytes + 1, np.uint8)[1:].view(held.dtype).reshape(held.shape)
    place[...] = held
    return place


def field(held):
    records = np.zeros(held.shape, [("other", "i1"), ("held", held.dtype)])
    records["held"] = held
    return records["held"]


def numbers_of_c(held):
    kind = {np.float64: ctypes.c_double, np.int64: ctypes.c_int64}[held.dtype.type]
    for length in reversed(held.shape):
        kind = kind * length
    return kind.from_buffer_copy(np.ascontiguousarray(held))


AS_THEY_ARE = {
    "a list": lambda held: held.tolist(),
    "a tuple": lambda held: tuple(map(tuple, held.tolist())) if held.ndim > 1 else tuple(held.tolist()),
    "a list of arrays": list,
    "a subclass": lambda held: held.view(Subclass),
    "numpy.memmap": lambda held: held.view(np.memmap),
    "__array__": lambda held: HasArray(held, "__array__"),
    "__array__ of NumPy 1": lambda held: HasOldArray(held, "__array__"),
    "__array_interface__": lambda held: Has(held, "__array_interface__"),
    "__array_struct__": lambda held: Has(held, "__array_struct__"),
    "memoryview": memoryview,
    "ctypes": numbers_of_c,
    "the other byte order": lambda held: held.astype(held.dtype.newbyteorder("S")),
    "unaligned": unaligned,
    "a field of records": field,
    "Fortran's order": np.asfortranarray,
    "read-only": lambda held: np.frombuffer(held.tobytes(), held.dtype).reshape(held.shape),
}


@pytest.mark.parametrize("kind", AS_THEY_ARE.values(), ids=AS_THEY_ARE)
def test_values(kind):
    expected = xf.softmax_cross_entropy_value_and_grad(X, T, sample_weight=X[:, 0])
    found = xf.softmax_cross_entropy_value_and_grad(kind(X), kind(T), sample_weight=kind(X[:, 0].copy()))
    soft = xf.softmax_cross_entropy_grad(kind(X), kind(X))
    assert found[0] == expected[0] and type(found[1]) is type(soft) is np.ndarray
    assert found[1].tobytes() == expected[1].tobytes() and soft.tobytes() == xf.softmax_cross_entropy_grad(X, X).tobytes()
    assert xf.softmax(kind(X)).tobytes() == xf.softmax(X).tobytes()
    p = xf.softmax(X)
    assert xf.sigmoid_cross_entropy(kind(X), kind(p)) == xf.sigmoid_cross_entropy(X, p)
    assert xf.log_loss(kind(T), kind(p), labels=range(4)) == xf.log_loss(T, p, labels=range(4))
    assert xf.linear_cross_entropy(kind(X), kind(X), kind(T % 3)) == xf.linear_cross_entropy(X, X, T % 3)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_other_numbers():
    for x in (array.array("f", [1, 2]), bytearray(b"\1\2"), range(1, 3), np.matrix([[1.0, 2.0]]), [True, False],
              np.array([1, 2], np.int8), np.broadcast_to(np.float32(1), 2)):
        result = xf.softmax(x)
        assert type(result) is np.ndarray and result.tobytes() == xf.softmax(np.asarray(x)).tobytes()


NO_ARRAYS = [                               # what it is, how an error describes it
    (None, "dtype object"), (len, "dtype object"), (iter([1.0]), "dtype object"), ({1.0}, "dtype object"),
    ({0: 1.0}, "dtype object"), (X.astype(object), "dtype object"), ([[1.0, None]], "dtype object"), ([[2**70]], "dtype object"),
    ([[decimal.Decimal(1)]], "dtype object"), ("text", "dtype <U4"), (b"text", "dtype |S4"), (np.array([["1"]]), "dtype <U1"),
    (np.array([["1"]], np.dtypes.StringDType()), "dtype StringDType()"), (X + 0j, "dtype complex128"),
    (X.astype("M8[s]"), "dtype datetime64[s]"), (X.astype("m8[s]"), "dtype timedelta64[s]"),
    (np.zeros((3, 4), [("a", "f8")]), "dtype [('a', '<f8')]"),
    (array.array("w" if sys.version_info >= (3, 13) else "u", "ab"), "dtype <U1"),
]
NO_VALUES = [(HasNone(), TypeError, "not an array: it is on a GPU"), ([[1.0], [1.0, 2.0]], ValueError, "not an array: setting")]
ARGUMENTS = {
    "logits": lambda given: xf.softmax_cross_entropy(given, T), "targets": lambda given: xf.softmax_cross_entropy(X, given),
    "sample_weight": lambda given: xf.softmax_cross_entropy(X, T, sample_weight=[given] if given is None else given),
    "where": lambda given: xf.softmax_cross_entropy(X, T, where=[given] if given is None else given), "x": xf.softmax,
    "p": xf.entropy, "hidden": lambda given: xf.linear_cross_entropy(given, X, T),
    "y_pred": lambda given: xf.log_loss(T, [given] if given is None else given),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_errors(name):
    verb = "have" if name == "targets" else "has"
    for given, what in NO_ARRAYS:
        with pytest.raises(TypeError, match=re.escape(f"{name} {verb} {what}; expected")):
            ARGUMENTS[name](given)
    for given, error, what in NO_VALUES:
        with pytest.raises(error, match=f"^{name} is {what}"):
            ARGUMENTS[name](given)


@pytest.mark.parametrize("number", [1.0, 1, np.float32(1), np.array(1.0), np.array(1)])
def test_of_no_axes(number):
    for name in ("logits", "x", "p", "hidden"):
        with pytest.raises(ValueError, match=f"{name} is zero-dimensional; expected at least one axis"):
            ARGUMENTS[name](number)
    with pytest.raises(ValueError, match=r"targets have shape \(\); expected"):
        xf.softmax_cross_entropy(X, number)
    with pytest.raises(ValueError, match=r"sample_weight has shape \(\); expected"):
        xf.softmax_cross_entropy(X, T, sample_weight=number)
    assert xf.sigmoid_cross_entropy(number, number) == xf.sigmoid_cross_entropy(np.asarray(number), 1)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_outputs():
    """Subclasses are written to and come back as they are."""
    for out in (X.copy().view(Subclass), np.matrix(X), X.copy().view(np.memmap)):
        assert xf.softmax(X, out=out) is out and (np.asarray(out) == xf.softmax(X)).all()
    for out, error, message in (
            (X.tolist(), TypeError, "out is of type list; expected a NumPy array"), ("text", TypeError, "type str"),
            (X.astype(">f8"), TypeError, "out has dtype >f8"), (unaligned(X), ValueError, "out is not aligned"),
            (Has(X, "__array_interface__"), TypeError, "out is of type Has"),
            (HasArray(X, "__array__"), TypeError, "out is of type HasArray"),
            (X.astype(object), TypeError, "out has dtype object"), (np.float64(1), ValueError, "out has shape ()")):
        with pytest.raises(error, match=re.escape(message)):
            xf.softmax(X, out=out)
