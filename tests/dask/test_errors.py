"""On Dask arrays, bad input: what shapes, dtypes and options show is an error at once, what only values show when they are
computed, with the place in the whole array."""

import re
import subprocess
import sys

import numpy as np
import pytest

import xentfast as xf

da = pytest.importorskip("dask.array")
xd = pytest.importorskip("xentfast.dask")

pytestmark = [pytest.mark.extras, pytest.mark.usefixtures("one_after_the_other")]

X = da.zeros((6, 5), chunks=(4, 3), dtype=np.float32)
T = np.zeros(6, np.int64)
P = da.full((6, 5), 0.2, chunks=(4, 3))
WEIGHTS = np.ones(6)
LOSSES = [xd.softmax_cross_entropy, xd.softmax_cross_entropy_grad, xd.softmax_cross_entropy_value_and_grad,
          xd.softmax_cross_entropy_grad_hess]
SIGMOID = [xd.sigmoid_cross_entropy, xd.sigmoid_cross_entropy_grad, xd.sigmoid_cross_entropy_value_and_grad,
           xd.sigmoid_cross_entropy_grad_hess]
COMPARED = [xd.cross_entropy, xd.kl_divergence, xd.cross_entropy_grad]
NAN = float("nan")


def unknown(array):
    return array[array[:, 0] == 0] if array.ndim == 2 else array[array == 0]


class OnGpu:
    """What Dask knows of blocks in a GPU's memory: their type."""


OnGpu.__module__, OnGpu.__qualname__, OnGpu.__name__ = "cupy", "ndarray", "ndarray"


def on_gpu():
    array = da.zeros((6, 5), chunks=3)
    array._meta = OnGpu()
    return array


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


AT_ONCE = [
    (LOSSES, (np.zeros((6, 5)), T), {}, TypeError, "logits is of type ndarray; expected a Dask array"),
    (LOSSES, (unknown(X), T), {}, ValueError, "logits has chunks of unknown size, its shape is (nan, 5); call its "),
    (LOSSES, (X, unknown(da.from_array(T))), {}, ValueError, "targets has chunks of unknown size"),
    (LOSSES, (X, T), {"sample_weight": unknown(da.ones(6) - 1)}, ValueError, "sample_weight has chunks of unknown size"),
    (LOSSES, (on_gpu(), T), {}, TypeError, "logits is a Dask array of cupy.ndarray blocks; expected numpy.ndarray, in the CPU's"),
    (COMPARED, (da.ma.masked_array(P), P), {}, TypeError, "p is a Dask array of masked arrays, whose masks would be lost; pass "
     "dask.array.ma.filled(p, value), with a value of your choice"),
    (LOSSES, (X.astype(complex), T), {}, TypeError, "logits has dtype complex128"),
    (LOSSES, (X, T), {"axis": 2}, ValueError, "axis 2 is out of bounds"),
    (LOSSES, (X, T[:5]), {}, ValueError, "targets have shape (5,); expected (6,), the shape of logits (6, 5) without axis 1"),
    (LOSSES, (X, np.zeros((6, 4))), {}, ValueError, "soft targets have shape (6, 4); expected that of logits, (6, 5)"),
    (LOSSES, (X, T > 0), {}, TypeError, "targets have dtype bool"),
    (LOSSES, (X, np.eye(6, 5, dtype=int)), {}, ValueError, "one-hot ones too, are floats, such as targets.astype(logits.dtype)"),
    (LOSSES, (X, np.eye(6, 5, dtype=bool)), {}, TypeError, "one-hot ones too, are floats, such as targets.astype(logits.dtype)"),
    (LOSSES, (X, T), {"weight": np.ones(4)}, ValueError, "weight has shape (4,); expected (5,)"),
    (LOSSES, (X, T), {"weight": [1, 2, NAN, 4, 5]}, ValueError, "weight[2] is nan"),
    (LOSSES, (X, T), {"sample_weight": np.ones(5)}, ValueError, "sample_weight has shape (5,); expected (6,)"),
    (LOSSES, (X, T), {"where": np.ones(4, bool)}, ValueError, "where has shape (4,), which does not broadcast to that of logits"),
    (LOSSES, (X, T), {"where": np.ones(5)}, TypeError, "where has dtype float64; expected booleans"),
    (LOSSES, (X, T), {"label_smoothing": 1.5}, ValueError, "label_smoothing is 1.5"),
    (LOSSES, (X, T), {"reduction": "avg"}, ValueError, "reduction is 'avg'"),
    (LOSSES, (X, T), {"ignore_index": 0.5}, TypeError, "ignore_index is 0.5"),
    (LOSSES, (X, T), {"n_threads": 0}, ValueError, "n_threads is 0"),
    (LOSSES[:3], (X, T), {"softcap": -1}, ValueError, "softcap is -1.0"),
    (LOSSES[:3], (X, T), {"z_loss": NAN}, ValueError, "z_loss is nan"),
    (LOSSES, (X, T), {"focal_gamma": -1}, ValueError, "focal_gamma is -1.0; expected a finite number of at least 0"),
    (LOSSES, (X, np.ones((6, 5))), {"focal_gamma": 2.0}, ValueError, "focal_gamma is 2.0 and targets are soft"),
    (LOSSES, (X, T), {"focal_gamma": 2.0, "label_smoothing": 0.1}, ValueError, "focal_gamma is 2.0 and label_smoothing is 0.1"),
    (LOSSES[:1], (X, T), {"empty": "0"}, TypeError, "empty is '0'"),
    (LOSSES, (da.zeros((6, 0)), T), {}, ValueError, "logits has no classes"),
    (SIGMOID, (np.zeros(5), 1), {}, TypeError, "logits is of type ndarray; expected a Dask array"),
    (SIGMOID, (unknown(X), 1), {}, ValueError, "logits has chunks of unknown size"),
    (SIGMOID, (on_gpu(), 1), {}, TypeError, "cupy.ndarray"),
    (SIGMOID, (X, np.ones(4)), {}, ValueError, "targets have shape (4,); expected one that broadcasts to that of logits, (6, 5)"),
    (SIGMOID, (X, 1), {"pos_weight": np.ones(4)}, ValueError, "pos_weight has shape (4,)"),
    (SIGMOID, (X, 1), {"sample_weight": np.ones(6, complex)}, TypeError, "sample_weight has dtype complex128"),
    (SIGMOID, (X, 1), {"focal_gamma": -1}, ValueError, "focal_gamma is -1.0"),
    (SIGMOID, (X, 1), {"n_threads": 0}, ValueError, "n_threads is 0"),
    (COMPARED, (np.ones(2), np.ones(2)), {}, TypeError,
     "p is of type ndarray and q is of type ndarray; expected a Dask array"),
    (COMPARED, (P, np.ones(4)), {}, ValueError, "do not broadcast to one"),
    (COMPARED, (P, P), {"eps": 2}, ValueError, "eps is 2.0"),
    ([xd.entropy], (unknown(P),), {}, ValueError, "p has chunks of unknown size"),
    ([xd.entropy], (P,), {"axis": (0, 0)}, ValueError, "which names an axis twice"),
    ([xd.entropy, xd.softmax], (P,), {"n_threads": 0}, ValueError, "n_threads is 0"),
    ([xd.softmax, xd.log_softmax, xd.logsumexp], (P, 2), {}, ValueError, "axis 2 is out of bounds"),
    ([xd.softmax, xd.log_softmax, xd.logsumexp], (np.ones(3),), {}, TypeError, "x is of type ndarray; expected a Dask array"),
    ([xd.softmax, xd.log_softmax, xd.logsumexp], (P,), {"where": np.ones(5)}, TypeError, "where has dtype float64; expected boo"),
    ([xd.softmax, xd.log_softmax, xd.logsumexp], (P,), {"where": da.ones(4, dtype=bool)}, ValueError,
     "where has shape (4,), which does not broadcast to that of x, (6, 5)"),
    ([xd.logsumexp], (P,), {"b": np.ones(4)}, ValueError, "b has shape (4,), which does not broadcast to that of x, (6, 5)"),
    ([xd.logsumexp], (P,), {"b": 1j}, TypeError, "b has dtype complex128; expected real numbers"),
    ([xd.log_loss], (T[:5], P), {}, ValueError, "y_true has shape (5,); expected (6,), a label for each row of y_pred"),
    ([xd.log_loss], (T, P), {"labels": [0, 1]}, ValueError, "labels has 2 labels, and y_pred has 5 classes"),
    ([xd.log_loss], (np.ones((6, 4)), P), {}, ValueError, "a different number of classes: 4 and 5"),
    ([xd.log_loss], (T, P), {"sample_weight": np.ones(5)}, ValueError, "sample_weight has shape (5,)"),
    ([xd.log_loss], (T, P), {"labels": [0, 1, 2, 3, NAN]}, ValueError, "labels[4] is nan; expected labels"),
    ([xd.log_loss], (T,), {}, TypeError, "missing an argument: 'y_pred', which may be called 'y_proba'"),
    ([xd.log_loss], (T, P), {"y_proba": P}, TypeError, "got y_pred and y_proba, two names of one argument"),
    ([xd.init.normal, xd.init.he_uniform], ((3, -1),), {}, ValueError, "expected lengths of at least 0"),
    ([xd.init.normal, xd.init.he_uniform], ((3, 3),), {"dtype": int}, TypeError, "dtype is int64"),
    ([xd.init.normal, xd.init.he_uniform], ((3, 3),), {"rng": "seed"}, TypeError, "rng is 'seed'"),
    ([xd.init.normal, xd.init.he_uniform], ((3, 3),), {"n_threads": 0}, ValueError, "n_threads is 0"),
    ([xd.init.normal], ((3, 3),), {"std": -1}, ValueError, "std is -1.0"),
    ([xd.init.he_uniform], ((3,),), {}, ValueError, "pass fan_in="),
    ([xd.init.sparse], ((3, 3),), {"sparsity": 2}, ValueError, "sparsity is 2.0"),
    ([xd.init.constant], ((3, 3), np.ones(2)), {}, ValueError, "value has shape (2,), which does not broadcast to (3, 3)"),
    ([xd.init.identity], ((3,),), {}, ValueError, "shape is (3,); expected two axes"),
]
WHEN_COMPUTED = [
    (LOSSES, (X, changed(T, 5, 5)), {}, IndexError, "targets[5] is 5, but logits have 5 classes (0 to 4)"),
    (LOSSES, (X, changed(T, 4, -7)), {"reduction": "mean", "sample_weight": WEIGHTS}, IndexError, "targets[4] is -7"),
    (LOSSES, (X, T), {"sample_weight": changed(WEIGHTS, 5, NAN)}, ValueError, "sample_weight[5] is nan; expected finite weights"),
    (LOSSES, (X, X), {"sample_weight": changed(WEIGHTS, 5, NAN), "reduction": "mean"}, ValueError, "sample_weight[5] is nan"),
    (LOSSES, (X, T), {"weight": da.from_array([1, 2, NAN, 4, 5])}, ValueError, "weight[2] is nan"),
    (SIGMOID, (X, changed(X, (5, 4), 2)), {}, ValueError, "targets[5, 4] is 2.0; expected a number from 0 to 1"),
    (SIGMOID, (X, [0, 0, 0, 0, 2]), {}, ValueError, "targets[4] is 2; expected a number from 0 to 1"),
    (SIGMOID, (X, 1), {"pos_weight": changed(np.ones((6, 1)), (5, 0), NAN)}, ValueError, "pos_weight[5, 0] is nan"),
    (SIGMOID, (X, 1), {"sample_weight": da.from_array(changed(X, (5, 4), NAN), chunks=2)}, ValueError,
     "sample_weight[5, 4] is nan"),
    (SIGMOID, (X, 1), {"sample_weight": changed(np.ones((6, 1)), (5, 0), NAN), "reduction": "mean"}, ValueError,
     "sample_weight[5, 0] is nan"),
    (COMPARED, (P, da.from_array(changed(P, (5, 4), 2), chunks=3)), {}, ValueError,
     "q[5, 4] is 2.0; expected a probability from 0 to 1"),
    (COMPARED, ([0, 0, 0, 0, 2], P), {}, ValueError, "p[4] is 2"),
    ([xd.entropy], (da.from_array(changed(P, (5, 4), -1), chunks=3),), {"axis": None}, ValueError, "p[5, 4] is -1.0"),
    ([xd.log_loss], (np.arange(6) % 5, da.from_array(changed(P, (5, 4), -1), chunks=3)), {}, ValueError, "y_pred[5, 4] is -1.0"),
    ([xd.log_loss], (np.arange(6) % 2, da.from_array(changed(WEIGHTS, 5, -1), chunks=3)), {}, ValueError, "y_pred[5] is -1.0"),
    ([xd.log_loss], (np.arange(6) % 5,), {"y_proba": da.from_array(changed(P, (5, 4), -1), chunks=3)}, ValueError,
     "y_proba[5, 4] is -1.0"),
    ([xd.log_loss], (changed(T * 1.0, 5, np.inf), P), {"labels": range(5)}, ValueError, "y_true[5] is inf; expected labels"),
    ([xd.log_loss], (changed(np.eye(6, 5), (5, 4), 2), P), {}, ValueError, "y_true[5, 4] is 2.0; expected indicators 0 and 1"),
    ([xd.log_loss], (T, P), {}, ValueError, "y_true has one label only, 0"),
    ([xd.log_loss], (changed(T, 5, 9), P), {"labels": range(5)}, ValueError, "y_true[5] is 9, which is not among labels"),
    ([xd.log_loss], (np.arange(6) % 5, P), {"sample_weight": np.zeros(6)}, ValueError, "sample_weight sums to zero"),
    ([xd.log_loss], (np.arange(6) % 5, P), {"sample_weight": changed(WEIGHTS, 5, NAN)}, ValueError, "sample_weight[5] is nan"),
]


def ids(case):
    return [f"{index}-{message[:30]}" for index, (*_, message) in enumerate(case)]


@pytest.mark.parametrize(("functions", "args", "options", "kind", "message"), AT_ONCE, ids=ids(AT_ONCE))
def test_at_once(functions, args, options, kind, message):
    for function in functions:
        with pytest.raises(kind, match=re.escape(message)):
            function(*args, **options)


@pytest.mark.parametrize(("functions", "args", "options", "kind", "message"), WHEN_COMPUTED, ids=ids(WHEN_COMPUTED))
def test_when_computed(functions, args, options, kind, message):
    for function in functions:
        result = function(*args, **options)
        with pytest.raises(kind, match="^" + re.escape(message)):
            da.compute(result)


def test_whole_rows_name_the_place_too():
    logits = X.rechunk((4, 5))
    for function in LOSSES:
        with pytest.raises(IndexError, match=re.escape("targets[5] is 5")):
            da.compute(function(logits, changed(T, 5, 5)))
    stack = da.zeros((2, 4, 3), chunks=(1, 4, 2))
    with pytest.raises(IndexError, match=re.escape("targets[1, 2] is 4")):
        xd.softmax_cross_entropy(stack, changed(np.zeros((2, 3), int), (1, 2), 4), axis=1).compute()


def test_a_bad_call_draws_no_key():
    rng, untouched = np.random.default_rng(3), np.random.default_rng(3)
    with pytest.raises(ValueError):
        xd.init.normal((3, 3), std=-1, rng=rng)
    assert rng.random() == untouched.random()


def test_a_missing_extra_is_named():
    done = subprocess.run([sys.executable, "-P", "-c", "import sys; sys.modules['dask'] = None\nimport xentfast.dask"],
                          capture_output=True, text=True, timeout=60)
    assert 'ImportError: xentfast.dask needs Dask: pip install "xentfast[dask]"' in done.stderr


def test_xentfast_alone_brings_no_dask():
    code = "import sys, xentfast, xentfast.init; assert 'dask' not in sys.modules and not hasattr(xentfast, 'dask')"
    assert subprocess.run([sys.executable, "-P", "-c", code], timeout=60).returncode == 0
    assert "dask" not in xf.__all__
