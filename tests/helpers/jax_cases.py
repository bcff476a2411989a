"""What the tests of xentfast.jax compare with: the functions on NumPy's arrays, bit for bit."""

import ml_dtypes
import numpy as np

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
REDUCTIONS = ["mean", "sum", "none"]
ALL_OPTIONS = {"label_smoothing": 0.1, "z_loss": 0.01, "logit_scale": 0.7, "softcap": 6.0, "ignore_index": 1}


def name_of(dtype):
    return np.dtype(dtype).name


def example(shape, dtype=np.float32, axis=-1, seed=0, batch=(), **wanted):
    """Logits, targets, and what else is asked for by True; `batch` stands before every shape."""
    rng = np.random.default_rng(seed)
    axis = axis % len(shape)
    rows, n_classes = shape[:axis] + shape[axis + 1:], shape[axis]
    logits = (rng.standard_normal(batch + shape) * 3).astype(dtype)
    targets = rng.integers(0, n_classes, batch + rows).astype(np.int32)
    weights = {"weight": batch + (n_classes,), "sample_weight": batch + rows}
    options = {name: (rng.random(weights[name]) + 0.5).astype(np.float32) for name in weights if wanted.get(name)}
    return logits, targets, options


def check_bits(got, want):
    """One array or several; each of the same dtype, shape and bytes."""
    if not isinstance(want, tuple):
        got, want = (got,), (want,)
    assert len(got) == len(want)
    for one, other in zip(got, want, strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)           # says which
        assert one.tobytes() == other.tobytes()
