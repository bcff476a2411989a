"""linear_cross_entropy stays within its memory limit, whatever its arrays are."""

import tracemalloc

import ml_dtypes
import numpy as np
import pytest

import xentfast as xf

pytestmark = pytest.mark.usefixtures("one_blas_thread")

N, D, C = 600, 40, 3000
LIMIT = 2**19                       # logits of the whole take 14 times as much
ROW_BYTES = 48                      # of the documentation
OBJECTS = 2**18                     # Python's own, and NumPy's buffers of 8 192 numbers, three at a time
RNG = np.random.default_rng(0)
H, W = RNG.standard_normal((N, D)).astype(np.float32), RNG.standard_normal((C, D)).astype(np.float32)
T = RNG.integers(0, C, N)
IGNORING = np.where(RNG.random(N) < 0.3, -100, T)
SOFT = RNG.random((N, C), dtype=np.float32)
SOME = RNG.integers(0, 2, N)
MASK = np.ones((N, C), bool)
B = np.zeros(C, np.float32)
CASES = {
    "plain": (H, W, T, {}),
    "bias": (H, W, T, {"bias": B}),
    "mixed": (H.astype(np.float64), W, T, {"bias": B}),
    "float16": (H.astype(np.float16), W.astype(np.float16), T, {"bias": B.astype(np.float16)}),
    "bfloat16 weights": (H, W.astype(ml_dtypes.bfloat16), T, {}),
    "byte order": (H.astype(">f4"), W.astype(">f4"), T.astype(">i4"), {}),
    "integers": (H.astype(np.int8), W, T, {}),
    "strides": (H.repeat(2, 1)[:, ::2], W.repeat(2, 1)[:, ::2], T, {}),
    "some positions": (np.pad(H.reshape(4, 150, D), ((0, 0), (0, 1), (0, 0)))[:, :-1], W, T.reshape(4, 150), {}),
    "ignored": (H.astype(np.float16), W, IGNORING, {"ignore_index": -100}),
    "ignored class": (H, W, T, {"ignore_index": 3, "label_smoothing": 0.1, "z_loss": 0.1, "softcap": 9.0}),
    "soft": (H, W, SOFT, {}),
    "some of soft": (H, W, SOFT, {"sample_weight": SOME, "where": MASK}),
    "a mask of classes": (H, W, T, {"sample_weight": SOME, "where": MASK[0]}),
    "a mask of rows and classes": (H, W, IGNORING, {"where": MASK, "reduction": "none", "weight": np.ones(C)}),
}


def peak_beyond_outputs(function, *arguments, **options):
    function(*arguments, **options)
    tracemalloc.start()
    try:
        result = function(*arguments, **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    gradients = result[1] if isinstance(result, tuple) else ()
    return peak - sum(gradient.nbytes for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("limit", [LIMIT, 2 * LIMIT])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("function", [xf.linear_cross_entropy, xf.linear_cross_entropy_value_and_grad])
def test_limit(function, name, limit):
    hidden, linear_weight, targets, options = CASES[name]
    peak = peak_beyond_outputs(function, hidden, linear_weight, targets, memory_limit=limit, **options)
    assert peak <= limit + ROW_BYTES * N + OBJECTS
    if name != "soft":                                      # the limit is used, and counted as it is used
        assert peak >= limit * 0.7


def test_no_more_than_is_needed():
    """Few rows take few bytes, whatever the limit."""
    peak = peak_beyond_outputs(xf.linear_cross_entropy_value_and_grad, H[:5], W, T[:5], memory_limit=2**40)
    assert peak <= 5 * C * 4 + OBJECTS


@pytest.mark.parametrize("dtypes", [(np.float32, np.float16), (np.float16, np.float16), (np.float32, np.float32),
                                    (ml_dtypes.bfloat16, np.float32)])
def test_every_limit_around_what_all_rows_take(dtypes):
    """Where all rows fit beside few converted weights alone, blocks of these leave them room: one chunk has no buffer to add."""
    rng = np.random.default_rng(3)
    hidden, weight = (rng.standard_normal((length, 17)).astype(dtype) for length, dtype in zip((66, 100), dtypes, strict=True))
    targets = rng.integers(0, 100, 66)
    want = xf.linear_cross_entropy_value_and_grad(hidden, weight, targets)
    for limit in range(24_000, 60_000, 100):
        got = xf.linear_cross_entropy_value_and_grad(hidden, weight, targets, memory_limit=limit)
        assert np.isclose(got[0], want[0], rtol=1e-5)
        for one, other in zip(got[1][:2], want[1][:2], strict=True):
            assert np.allclose(one.astype(float), other.astype(float), rtol=1e-2, atol=1e-3)
