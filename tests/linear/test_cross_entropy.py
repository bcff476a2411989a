"""linear_cross_entropy is the loss of explicit logits, and its gradients those of three products: the twin in float64."""

import itertools
import re

import ml_dtypes
import numpy as np
import pytest
import reference
from tolerances import linear_bound
from unread import spoilt, unread_rows

import xentfast as xf
from xentfast._linear import products

pytestmark = [pytest.mark.every_build, pytest.mark.usefixtures("one_blas_thread")]

BOTH = xf.linear_cross_entropy_value_and_grad
INF, NAN = np.inf, np.nan
N, D, C = 37, 6, 19
BFLOAT16 = ml_dtypes.bfloat16
DTYPES = [(np.float32,) * 3, (np.float64,) * 3, (np.float16,) * 3, (BFLOAT16,) * 3, (np.float32, np.float64, np.float32),
          (np.float64, np.float32, np.float16), (np.float16, np.float32, BFLOAT16), (">f4", "<f4", ">f8"),
          (np.int32, np.float32, np.int8)]
OPTIONS = {
    "plain": {}, "bias": {"bias": True}, "sum": {"reduction": "sum", "bias": True}, "none": {"reduction": "none"},
    "weight": {"weight": True}, "sample_weight": {"sample_weight": True}, "ignored": {"ignore_index": 3},
    "label_smoothing": {"label_smoothing": 0.2}, "z_loss": {"z_loss": 0.1}, "scale": {"logit_scale": -0.7},
    "softcap": {"softcap": 3.0}, "focal": {"focal_gamma": 2.0},
    "focal and more": {"focal_gamma": 0.5, "bias": True, "weight": True, "sample_weight": True, "softcap": 4.0, "where": "rows"},
    "where": {"where": "rows"}, "where, of classes": {"where": "classes"}, "soft": {"soft": True},
    "soft, weights": {"soft": True, "weight": True, "sample_weight": True, "where": "rows"},
    "all": {"bias": True, "weight": True, "sample_weight": True, "ignore_index": 3, "label_smoothing": 0.1, "z_loss": 0.05,
            "logit_scale": 1.3, "softcap": 4.0, "where": "rows"},
}


def result(dtypes):
    """The dtype of the arithmetic."""
    return np.float64 if any(np.dtype(dtype).kind == "i" or np.dtype(dtype).itemsize == 8 for dtype in dtypes) else np.float32


def problem(name, dtypes, shape=(N,), seed=0):
    """(hidden, linear_weight, targets, options); about a third of the rows is left out where something leaves rows out."""
    rng = np.random.default_rng(seed)
    options = dict(OPTIONS[name])
    hidden, linear_weight, bias = ((rng.standard_normal(size) * 2).astype(dtype)
                                   for size, dtype in zip(((*shape, D), (C, D), C), dtypes, strict=True))
    targets = rng.random((*shape, C)) if options.pop("soft", False) else rng.integers(0, C, shape)
    if options.get("bias"):
        options["bias"] = bias
    if "weight" in options:
        options["weight"] = rng.random(C) + 0.1
    if "sample_weight" in options:
        options["sample_weight"] = rng.integers(0, 3, shape) * 0.7
    if "ignore_index" in options:
        targets[rng.random(shape) < 0.3] = options["ignore_index"]
    if "where" in options:
        where = rng.random((*shape, C)) < 0.7 if options["where"] == "rows" else np.arange(C) < C - 3
        if targets.ndim == len(shape):
            targets = np.where(targets == options.get("ignore_index"), targets, np.minimum(targets, C - 4))
        if options["where"] == "rows" and targets.ndim == len(shape):
            np.put_along_axis(where, targets[..., None], True, -1)
        options["where"] = where
        if targets.ndim > len(shape):
            targets[~where] = 0
    return hidden, linear_weight, targets, options


def least_memory(function, *arguments, **options):
    """What the error for a limit that is too small asks for."""
    with pytest.raises(ValueError, match="memory_limit is 0 bytes; expected at least") as error:
        function(*arguments, memory_limit=0, **options)
    return int(re.search(r"at least (\d+)", str(error.value))[1])


def check(got, want, dtypes):
    """Loss and gradients within the bound of the twin's."""
    loss, gradients = got
    dtype = result(dtypes)
    assert loss.dtype == dtype
    assert np.all(np.abs(loss - want[0]) <= linear_bound(want[0], dtype, dtype))
    for gradient, exact in zip(gradients, want[1], strict=True):
        if exact is None:
            assert gradient is None
        else:
            assert gradient.shape == exact.shape
            assert np.all(np.abs(gradient.astype(np.float64) - exact) <= linear_bound(exact, gradient.dtype, dtype))


# ---- the twin


@pytest.mark.parametrize("dtypes", DTYPES, ids=lambda dtypes: "-".join(np.dtype(dtype).str for dtype in dtypes))
@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_and_dtype_in_any_chunks(name, dtypes):
    hidden, linear_weight, targets, options = problem(name, dtypes)
    dtypes = dtypes if "bias" in options else dtypes[:2]
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, **options)
    least = least_memory(BOTH, hidden, linear_weight, targets, **options)
    for memory_limit in (least, 3 * least, 12 * least, 2**26):
        got = BOTH(hidden, linear_weight, targets, memory_limit=memory_limit, **options)
        check(got, want, dtypes)
        loss = xf.linear_cross_entropy(hidden, linear_weight, targets, memory_limit=memory_limit, **options)
        assert loss.dtype == got[0].dtype
        assert np.all(np.abs(loss - want[0]) <= linear_bound(want[0], loss.dtype, loss.dtype))
    assert got[1][0].dtype == (np.float64 if hidden.dtype.kind == "i" else hidden.dtype.newbyteorder("="))
    for gradient, array in zip(got[1][1:], (linear_weight, options.get("bias")), strict=True):
        if array is not None:
            assert gradient.dtype == (np.float64 if array.dtype.kind == "i" or array.dtype.itemsize == 8 else np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 7)])
@pytest.mark.parametrize("name", OPTIONS)
def test_rows_of_any_shape(name, shape):
    hidden, linear_weight, targets, options = problem(name, (np.float32,) * 3, shape)
    if "sample_weight" in options:
        options["sample_weight"] += 0.1                     # the mean of nothing has a test of its own
    if "ignore_index" in options and len(shape) < 2:
        options["ignore_index"] = -1
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, **options)
    got = BOTH(hidden, linear_weight, targets, **options)
    assert np.shape(got[0]) == np.shape(want[0])
    check(got, want, (np.float32,))


def layouts(array):
    """The same numbers in other strides."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    long = np.zeros((*array.shape[:-1], array.shape[-1] + 3), array.dtype)
    long[..., :-3] = array
    return {"C": array, "F": np.asfortranarray(array), "every other": wide[..., ::2], "reversed": array[::-1].copy()[::-1],
            "within rows": long[..., :-3], "unaligned": unaligned(array)}


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    return memory


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ["bias", "all"])
def test_any_strides_reach_blas_as_it_takes_them(name, dtype, monkeypatch):
    """NumPy's own loops, hundreds of times slower, get nothing of what BLAS would not take."""
    seen = []

    def matmul(a, b, out):
        seen.extend((a, b, out))
        return np.matmul(a, b, out=out)

    class Spy:
        def __getattr__(self, name):
            return matmul if name == "matmul" else getattr(np, name)

    hidden, linear_weight, targets, options = problem(name, (dtype,) * 3, (2, 3, 7))
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, **options)
    monkeypatch.setattr(products, "np", Spy())
    for mine, weights in itertools.product(layouts(hidden).values(), layouts(linear_weight).values()):
        for memory_limit in (least_memory(BOTH, mine, weights, targets, **options) + 2000, 2**20):
            check(BOTH(mine, weights, targets, memory_limit=memory_limit, **options), want, (np.float32,))
    assert seen
    for matrix in seen:
        assert matrix.ndim == 1 or products.fits_blas(matrix, np.dtype(np.float32))


def test_the_last_position_left_out():
    """As language models have it: hidden states but the last against tokens but the first, neither of them contiguous."""
    rng = np.random.default_rng(1)
    hidden, tokens = rng.standard_normal((4, 9, D)), rng.integers(0, C, (4, 9))
    linear_weight = rng.standard_normal((C, D))
    want = reference.linear_cross_entropy(hidden[:, :-1], linear_weight, tokens[:, 1:])
    out = np.full((4, 9, D), 7.0)
    for memory_limit in (1000, 2**20):
        got = BOTH(hidden[:, :-1], linear_weight, tokens[:, 1:], out=(out[:, :-1], None, None), memory_limit=memory_limit)
        check(got, want, (np.float64,))
        assert np.shares_memory(got[1][0], out) and np.all(out[:, -1] == 7)


@pytest.mark.parametrize("dtypes", [(np.float32,) * 3, (np.float16, np.float32, np.float64)])
def test_outputs_of_any_strides(dtypes):
    hidden, linear_weight, targets, options = problem("bias", dtypes)
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, **options)
    for kind in ("C", "F", "every other", "reversed", "within rows"):
        out = tuple(layouts(np.full(array.shape, 7, np.result_type(dtype, array)))[kind] for array, dtype in
                    zip((hidden, linear_weight, options["bias"]), (np.float16, np.float32, np.float32), strict=True))
        for memory_limit in (3000, 2**20):
            got = BOTH(hidden, linear_weight, targets, out=out, memory_limit=memory_limit, **options)
            assert all(gradient is array for gradient, array in zip(got[1], out, strict=True))
            check(got, want, dtypes)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 3, 1), (2, 1, 4), (1, 1, 1), (3, 0, 4)])
def test_no_rows_one_feature_one_class(shape):
    n, d, c = shape
    rng = np.random.default_rng(2)
    hidden, linear_weight, targets = rng.standard_normal((n, d)), rng.standard_normal((c, d)), rng.integers(0, c, n)
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, bias=np.ones(c), reduction="sum")
    check(BOTH(hidden, linear_weight, targets, bias=np.ones(c), reduction="sum"), want, (np.float64,))


# ---- rows that are left out


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("name", ["ignored", "sample_weight", "soft, weights", "all"])
def test_nothing_of_left_out_rows_is_seen(name, dtype):
    hidden, linear_weight, targets, options = problem(name, (dtype,) * 3)
    out_rows = np.zeros(N, bool)
    if "ignore_index" in options:
        out_rows |= targets == options["ignore_index"]
    if "sample_weight" in options:
        out_rows |= options["sample_weight"] == 0
    assert 0 < out_rows.sum() < N
    clean = np.where(out_rows[:, None], 0, hidden)
    want = reference.linear_cross_entropy(clean, linear_weight, targets, **options)
    for bad in (NAN, INF):
        hidden[out_rows] = bad
        for memory_limit in (least_memory(BOTH, hidden, linear_weight, targets, **options), 2**20):
            got = BOTH(hidden, linear_weight, targets, memory_limit=memory_limit, **options)
            check(got, want, (np.float32,))
            assert not np.any(got[1][0][out_rows])


@pytest.mark.parametrize("nothing", [{"targets": np.full(5, -100)}, {"sample_weight": np.zeros(5)},
                                     {"sample_weight": [1, -1, 0, 0, 0]}])
def test_the_mean_of_nothing(nothing):
    rng = np.random.default_rng(3)
    given = {"targets": np.zeros(5, int), "bias": np.zeros(C)} | nothing
    arguments = rng.standard_normal((5, D)), rng.standard_normal((C, D))
    assert np.isnan(xf.linear_cross_entropy(*arguments, **given))
    loss, gradients = BOTH(*arguments, empty=0.5, **given)
    assert loss == 0.5 and not any(np.any(gradient) for gradient in gradients)
    if -1 not in given.get("sample_weight", ()):
        for reduction in ("sum", "none"):
            loss, gradients = BOTH(*arguments, reduction=reduction, **given)
            assert not np.any(loss) and not any(np.any(gradient) for gradient in gradients)


# ---- values that are no numbers


def test_nan_and_infinity_stay_in_their_rows():
    """And warn of nothing."""
    hidden, linear_weight, targets, options = problem("none", (np.float32,) * 3)
    want = reference.linear_cross_entropy(hidden, linear_weight, targets, **options)
    hidden[3, 1], hidden[5, 2], hidden[7] = NAN, INF, -INF
    loss, (d_hidden, d_weight, _) = BOTH(hidden, linear_weight, targets, **options)
    bad = np.isin(np.arange(N), [3, 5, 7])
    assert np.all(np.isnan(loss[bad])) and np.all(np.isnan(d_hidden[bad])) and np.all(np.isnan(d_weight))
    check((loss[~bad], (d_hidden[~bad], None, None)), (want[0][~bad], (want[1][0][~bad], None, None)), (np.float32,))
    assert np.isnan(xf.linear_cross_entropy(hidden, linear_weight, targets))


@pytest.mark.parametrize("memory_limit", [2**27, 2000])
def test_classes_that_are_left_out_have_no_gradient_in_nan_rows(memory_limit):
    """Whatever made the row nan, and however the rows are cut: the others' gradients are nan."""
    hidden, linear_weight, targets, options = problem("bias", (np.float32,) * 3)
    mask = np.ones((N, C), bool)
    mask[:, 4], mask[3, 5], targets[np.isin(targets, [4, 5])] = False, False, 6
    for row, bad in ((3, NAN), (5, INF)):
        hidden[row, 1] = bad
    loss, (d_hidden, d_weight, d_bias) = BOTH(hidden, linear_weight, targets, where=mask, memory_limit=memory_limit, **options)
    assert np.isnan(loss if np.ndim(loss) == 0 else loss[[3, 5]]).all()
    assert not np.any(d_weight[4]) and d_bias[4] == 0
    others = np.arange(C) != 4
    assert np.isnan(d_weight[others]).all() and np.isnan(d_bias[others]).all() and np.isnan(d_hidden[[3, 5]]).all()
    assert np.isfinite(np.delete(d_hidden, [3, 5], 0)).all()
    hidden[5] = 0
    _, (_, d_weight, d_bias) = BOTH(hidden, linear_weight, targets, where=mask, memory_limit=memory_limit, **options)
    assert np.isfinite(d_weight[5]).all() and np.isfinite(d_bias[5]) and np.isnan(d_bias[6])


def test_a_bias_of_minus_infinity_excludes_its_class():
    hidden, linear_weight, targets, options = problem("bias", (np.float32,) * 3)
    targets[targets == 4] = 5
    options["bias"][4] = -INF
    loss, (d_hidden, d_weight, d_bias) = BOTH(hidden, linear_weight, targets, **options)
    others = np.arange(C) != 4
    want = reference.linear_cross_entropy(hidden, linear_weight[others], targets - (targets > 4), bias=options["bias"][others])
    check((loss, (d_hidden, d_weight[others], d_bias[others])), want, (np.float32,))
    assert d_bias[4] == 0 and not np.any(d_weight[4])


def test_an_infinite_loss():
    hidden, linear_weight, targets, options = problem("bias", (np.float32,) * 3)
    options["bias"][targets[0]] = -INF
    assert BOTH(hidden, linear_weight, targets, **options)[0] == INF


# ---- what it is not


def test_threads_of_the_loss_change_no_bit():
    hidden, linear_weight, targets, options = problem("all", (np.float32,) * 3)
    want = BOTH(hidden, linear_weight, targets, n_threads=1, **options)
    for n_threads in (2, 3):
        got = BOTH(hidden, linear_weight, targets, n_threads=n_threads, **options)
        assert got[0].tobytes() == want[0].tobytes()
        assert [gradient.tobytes() for gradient in got[1]] == [gradient.tobytes() for gradient in want[1]]


def test_inputs_stay_as_they_are():
    for name in OPTIONS:
        hidden, linear_weight, targets, options = problem(name, (np.float32,) * 3)
        arrays = [hidden, linear_weight, targets, *(value for value in options.values() if isinstance(value, np.ndarray))]
        before = [array.tobytes() for array in arrays]
        BOTH(hidden, linear_weight, targets, **options)
        assert [array.tobytes() for array in arrays] == before


@pytest.mark.parametrize("targets", [[1, 2, 3, 4], [1, -100, 3, -100]])
def test_one_row_for_all(targets):
    hidden, linear_weight = np.ones(D), np.random.default_rng(6).standard_normal((C, D))
    want = reference.linear_cross_entropy(np.tile(hidden, (4, 1)), linear_weight, targets)
    for memory_limit in (1000, 2**20):
        check(BOTH(np.broadcast_to(hidden, (4, D)), linear_weight, targets, memory_limit=memory_limit), want, (np.float64,))


def test_one_array_for_hidden_states_and_weights():
    """NumPy multiplies a matrix by its own transpose in another way."""
    x = np.random.default_rng(4).standard_normal((23, D))
    check(BOTH(x, x, np.arange(23)), reference.linear_cross_entropy(x, x, np.arange(23)), (np.float64,))


@pytest.mark.parametrize("n_classes", [19, 5000])
def test_what_is_not_read_is_not_looked_at(n_classes):
    """Hidden states, targets and weights; losses of many classes come by tiles."""
    linear_weight = np.random.default_rng(0).standard_normal((n_classes, D)).astype(np.float32)
    hidden, targets, weights = unread_rows(30, D)
    targets[targets >= 0] = np.arange(20) % n_classes
    broken = spoilt(hidden, targets, weights)
    for options in ({}, {"weight": np.arange(n_classes) % 3, "label_smoothing": 0.1}, {"reduction": "none"}):
        for function in (xf.linear_cross_entropy, BOTH):
            want, got = (function(h, linear_weight, t, sample_weight=w, memory_limit=2**18, **options)
                         for h, t, w in ((hidden, targets, weights), broken))
            if function is BOTH:
                assert all(map(np.array_equal, got[1][:2], want[1][:2]))
                got, want = got[0], want[0]
            assert np.array_equal(got, want)
