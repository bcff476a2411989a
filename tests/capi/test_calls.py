"""The C functions have the bits of the Python functions, refuse what these refuse, and need no GIL."""

import concurrent.futures
import ctypes
import math
import os
import subprocess
import sys
import textwrap

import c_table
import numpy as np
import pytest
from c_table import SENTINEL, cross_entropy, options_of
from unread import spoilt, unread_rows

import xentfast as xf
from xentfast import _capi, capi
from xentfast._base import dispatch

pytestmark = [pytest.mark.every_build, pytest.mark.sanitized, pytest.mark.emulated]

(OK, NO_MEMORY, BAD_POINTER, BAD_SHAPE, BAD_THREADS, BAD_OPTION, BAD_TARGET, BAD_WEIGHT, BAD_SAMPLE_WEIGHT,
 OVERLAP) = STATUSES = range(10)
FUNCTIONS = ["softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_value_and_grad"]
DTYPES = [np.float32, np.float64]
# Classes along the lanes and rows along them, one chunk and several, one block of rows and many.
SHAPES = [(1, 10), (2, 5000), (40, 700), (9000, 3), (0, 4)]

every_dtype = pytest.mark.parametrize("dtype", DTYPES)
every_function = pytest.mark.parametrize("function", FUNCTIONS)


@pytest.fixture(autouse=True)
def policy(no_grain):
    """Small work goes over threads here too."""
    _capi.take_policy()


@pytest.fixture(params=dispatch.supported_levels())
def level(request, use_level):
    use_level(request.param)
    _capi.take_policy()
    return request.param


def problem(shape, dtype, seed=0):
    """Logits with a −inf and a nan among them, and targets of which some are ignored."""
    rng = np.random.default_rng([seed, *shape])
    x = (3.0 * rng.standard_normal(shape)).astype(dtype)
    targets = rng.integers(0, shape[1], shape[0])
    if len(x) > 8:
        x[2, 1], x[5, 0] = -np.inf, np.nan
        targets[::7] = -100
    return x, targets


def options_for(shape):
    rng = np.random.default_rng([1, *shape])
    sample_weight = rng.standard_normal(shape[0]) + 1.5
    sample_weight[::5] = 0.0
    single = {"weight": rng.random(shape[1]), "sample_weight": sample_weight, "label_smoothing": 0.1, "z_loss": 0.01,
              "logit_scale": -0.7, "softcap": 5.0, "ignore_index": 1, "reduction": "sum"}
    yield {}
    for name, value in single.items():
        yield {name: value} | ({"reduction": "sum"} if name == "ignore_index" else {})
    yield {"reduction": "none"}
    yield {"logit_scale": 0.0, "label_smoothing": 1.0}
    yield single
    yield single | {"reduction": "mean", "ignore_index": -100}
    yield single | {"reduction": "none", "ignore_index": -3, "softcap": None}


def from_python(function, x, targets, options, out=None):
    """(losses or None, gradient or None)"""
    options = dict(options)
    if function == "softmax_cross_entropy":
        return xf.softmax_cross_entropy(x, targets, **options), None
    if function == "softmax_cross_entropy_grad":
        return None, xf.softmax_cross_entropy_grad(x, targets, **options, out=out)
    return xf.softmax_cross_entropy_value_and_grad(x, targets, **options, out=out)


def same_bits(got, expected):
    return expected is None or (got.dtype == expected.dtype and got.tobytes() == np.ravel(expected).tobytes())


@every_function
@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_option(level, dtype, shape, function):
    x, targets = problem(shape, dtype)
    for keywords in options_for(shape):
        ignored = keywords.get("ignore_index", -100)
        own = np.where(targets == -100, ignored, targets)
        loss, grad = from_python(function, x, own, keywords)
        status, got, slope = cross_entropy(function, x, own, options_of(**keywords), n_threads=1)
        assert status == OK and same_bits(got, loss) and same_bits(slope, grad), keywords


@every_dtype
@every_function
@pytest.mark.parametrize("shape", [(2, 5000), (9000, 3)], ids=str)
def test_any_number_of_threads(dtype, shape, function):
    x, targets = problem(shape, dtype)
    keywords = list(options_for(shape))[-2]
    loss, grad = from_python(function, x, targets, keywords)
    for n_threads in (0, 1, 2, 3, 7):
        status, got, slope = cross_entropy(function, x, targets, options_of(**keywords), n_threads=n_threads)
        assert status == OK and same_bits(got, loss) and same_bits(slope, grad)


@every_dtype
def test_no_options_are_the_defaults(dtype):
    x, targets = problem((40, 7), dtype)
    for function in FUNCTIONS:
        expected = from_python(function, x, targets, {})
        for options in (None, capi.Options()):
            status, *got = cross_entropy(function, x, targets, options)
            assert status == OK and all(map(same_bits, got, expected))


@every_dtype
@every_function
@pytest.mark.parametrize("cut", [np.s_[:, 2:9], np.s_[::3, :7], np.s_[::-1, :], np.s_[::-2, 1:]], ids=str)
def test_strides(dtype, function, cut):
    x, targets = problem((64, 12), dtype)
    view, own = x[cut], np.ascontiguousarray(np.minimum(targets, 6)[cut[0]])
    loss, grad = from_python(function, view, own, {})
    out = np.full_like(x, SENTINEL)
    status, got, slope = cross_entropy(function, view, own, grad=out[cut])
    assert status == OK and same_bits(got, loss) and same_bits(slope, grad)
    outside = np.ones(x.shape, bool)
    outside[cut] = function == "softmax_cross_entropy"
    assert (out[outside] == SENTINEL).all()                             # between the rows nothing is written
    status, result = c_table.logsumexp(view)
    assert status == OK and same_bits(result, xf.logsumexp(view))


@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_in_place(level, dtype, shape):
    for keywords in options_for(shape):
        x, targets = problem(shape, dtype)
        own = np.where(targets == -100, keywords.get("ignore_index", -100), targets)
        loss, grad = from_python(FUNCTIONS[2], x.copy(), own, keywords)
        status, got, _ = cross_entropy(FUNCTIONS[2], x, own, options_of(**keywords), grad=x)
        assert status == OK and same_bits(got, loss) and same_bits(x, grad)


def test_gradient_among_other_columns_of_the_logits():
    """Rows of logits and of the gradient side by side in one matrix: no element is shared."""
    x, targets = problem((50, 8), np.float32)
    both = np.full((50, 20), np.float32(SENTINEL))
    both[:, :8] = x
    loss, grad = from_python(FUNCTIONS[2], x, targets, {})
    for first in (8, 12):
        status, got, slope = cross_entropy(FUNCTIONS[2], both[:, :8], targets, grad=both[:, first:first + 8])
        assert status == OK and same_bits(got, loss) and same_bits(slope, grad)
    both[:, 12:] = x
    status, got, slope = cross_entropy(FUNCTIONS[2], both[:, 12:], targets, grad=both[:, :8])
    assert status == OK and same_bits(slope, grad)


def test_past_the_cache():
    """A gradient too large for the cache."""
    x, targets = problem((700, 7000), np.float32)
    loss, grad = from_python(FUNCTIONS[2], x, targets, {})
    status, got, slope = cross_entropy(FUNCTIONS[2], x, targets, n_threads=2)
    assert status == OK and same_bits(got, loss) and same_bits(slope, grad)


@every_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logsumexp(level, dtype, shape):
    x, _ = problem(shape, dtype)
    for n_threads in (1, 2, 3):
        status, result = c_table.logsumexp(x, n_threads)
        assert status == OK and same_bits(result, xf.logsumexp(x))


@every_dtype
@every_function
def test_mean_of_nothing(dtype, function):
    x, _ = problem((4, 6), dtype)
    for rows, keywords in [(0, {}), (4, {}), (4, {"sample_weight": np.zeros(4)}), (4, {"sample_weight": [1.0, -1.0, 0.0, 0.0]})]:
        targets = np.full(rows, -100 if not keywords else 0)
        for empty in (math.nan, 0.25):
            status, loss, grad = cross_entropy(function, x[:rows], targets, options_of(empty=empty, **keywords))
            assert status == OK
            assert loss is None or np.array_equal(loss, [empty], equal_nan=True)
            assert grad is None or not grad.any()


@every_dtype
@pytest.mark.parametrize("n", [1, 5, 64, 1000, 70_001])
def test_fills(level, dtype, n):
    key, stream = xf.random.key(7), xf.random.stream("layer/weight")
    same = {"rng": 7, "name": "layer/weight", "dtype": dtype}
    low, high, std = -0.3, 0.9, 0.02
    for first in (0, 3, 1000):
        part = np.s_[first:first + n]
        cases = [("uniform", (low, high), xf.init.uniform(first + n, low=low, high=high, **same)),
                 ("normal", (0.5, std), xf.init.normal(first + n, mean=0.5, std=std, **same)),
                 ("truncated_normal", (0.5, std, None), xf.init.truncated_normal(first + n, mean=0.5, std=std, **same))]
        for lower, upper in [(-1.0, 3.0), (1.0, math.inf), (-9.0, -3.0)]:
            status, bounds = c_table.truncation(dtype, lower, upper)
            assert status == OK
            cases.append(("truncated_normal", (0.5, std, ctypes.byref(bounds)),
                          xf.init.truncated_normal(first + n, mean=0.5, std=std, lower=lower, upper=upper, **same)))
        for distribution, parameters, whole in cases:
            for n_threads in (1, 3):
                status, out = c_table.fill(distribution, dtype, n, key, stream, first, *parameters, n_threads=n_threads)
                assert status == OK and same_bits(out, whole[part]), distribution


def test_a_large_fill():
    """Past the cache, and over threads."""
    n = 5_000_000
    status, out = c_table.fill("normal", np.float32, n, xf.random.key([1, 2]), 0, 0, 0.0, 1.0)
    assert status == OK and same_bits(out, xf.init.normal(n, rng=[1, 2]))


def test_keys_and_streams():
    generator, twin = np.random.default_rng(3), np.random.default_rng(3)
    assert xf.random.key(generator) == int(twin.integers(0, 2**64, dtype=np.uint64))
    assert xf.random.key(generator) == int(twin.integers(0, 2**64, dtype=np.uint64))    # it was drawn from
    assert xf.random.key() != xf.random.key()
    assert xf.random.stream() == xf.random.stream(None) == 0 != xf.random.stream("")
    with pytest.raises(TypeError, match="name is 7; expected a string or None"):
        xf.random.stream(7)
    with pytest.raises(TypeError, match="rng is 'seed'"):
        xf.random.key("seed")


# ---- what is refused


def arguments_of(function, changed):
    """Those of the changed arguments that the function has."""
    without = {"softmax_cross_entropy": {"grad", "grad_stride"}, "softmax_cross_entropy_grad": {"loss"}}.get(function, set())
    return {key: value for key, value in changed.items() if key not in without}


def refused(status, x, targets, options=None, changed=()):
    """Every function that takes what was changed returns the status and writes nothing. Where the place went, if it went."""
    place = np.full(1, -5)
    for function in FUNCTIONS:
        own = arguments_of(function, dict(changed))
        if changed and not own:
            continue
        got, loss, grad = cross_entropy(function, x, targets, options_of(bad_place=place, **(options or {})), changed=own)
        assert got == status, (function, own)
        assert loss is None or (loss == SENTINEL).all()
        assert grad is None or (grad == SENTINEL).all()
    return place[0]


@pytest.mark.parametrize(("status", "changed"), [
    (BAD_POINTER, {"logits": None}), (BAD_POINTER, {"targets": None}), (BAD_POINTER, {"loss": None}),
    (BAD_POINTER, {"grad": None}),
    (BAD_SHAPE, {"n_rows": -1}), (BAD_SHAPE, {"n_classes": 0}), (BAD_SHAPE, {"n_classes": -3}), (BAD_SHAPE, {"n_rows": 2**60}),
    (BAD_SHAPE, {"n_classes": 2**61}), (BAD_SHAPE, {"grad_stride": 5}), (BAD_SHAPE, {"grad_stride": 0}),
    (BAD_SHAPE, {"grad_stride": -5}), (BAD_THREADS, {"n_threads": -1})], ids=str)
def test_bad_arguments(status, changed):
    assert refused(status, *problem((4, 6), np.float32), changed=changed) == -5


@pytest.mark.parametrize("options", [
    {"label_smoothing": -0.1}, {"label_smoothing": 1.1}, {"label_smoothing": math.nan}, {"z_loss": math.inf},
    {"logit_scale": math.nan}, {"softcap": -1.0}, {"softcap": math.inf}, {"softcap": 1e-310}, {"bytes": 0}, {"bytes": 1000},
    {"reduction": 3}, {"reduction": -1}], ids=str)
def test_bad_options(options):
    assert refused(BAD_OPTION, *problem((4, 6), np.float32), options=options) == -5


@pytest.mark.parametrize("target", [6, -1, -99, 2**62])
def test_bad_target(target):
    x, targets = problem((200, 6), np.float32)
    targets[[137, 150]] = target
    assert refused(BAD_TARGET, x, targets) == 137
    targets[137] = -100
    assert refused(BAD_TARGET, x, targets) == 150
    assert refused(BAD_TARGET, x, targets, options={"ignore_index": 2}) == np.argmin(targets != -100)
    assert cross_entropy(FUNCTIONS[0], x, targets)[0] == BAD_TARGET          # with nowhere to put the place


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_weights(value):
    weight, sample_weight = np.ones(6), np.ones(4)
    weight[4] = sample_weight[2] = value
    x, targets = problem((4, 6), np.float32)
    assert refused(BAD_WEIGHT, x, targets, options={"weight": weight}) == 4
    assert refused(BAD_SAMPLE_WEIGHT, x, targets, options={"sample_weight": sample_weight}) == 2


@every_dtype
@every_function
def test_what_is_not_read_is_not_looked_at(dtype, function):
    given = unread_rows(200, 6, dtype)
    for options in ({}, {"weight": np.arange(6) % 3, "reduction": "none"}):
        want, got = (cross_entropy(function, x, t, options_of(sample_weight=w, **options))
                     for x, t, w in (given, spoilt(*given)))
        assert got[0] == OK and all(map(same_bits, got[1:], want[1:]))
    x, targets, weights = spoilt(*given)
    targets[101] = 6                                                    # of a row that is read
    assert refused(BAD_TARGET, x, targets, options={"sample_weight": weights}) == 101
    weights[101] = math.nan
    assert refused(BAD_SAMPLE_WEIGHT, x, targets, options={"sample_weight": weights}) == 101


def test_partial_overlap():
    memory = np.zeros(200, np.float32)
    targets = np.zeros(6, np.int64)

    def rows(first, stride):
        return np.lib.stride_tricks.as_strided(memory[first:], (6, 8), (4 * stride, 4))

    for logits, grad in [((0, 8), (1, 8)), ((8, 8), (0, 8)), ((0, 10), (0, 20)), ((0, 20), (7, 20)), ((0, 20), (13, 20)),
                         ((13, 20), (0, 20)), ((0, 0), (0, 8)), ((20, 20), (0, 20))]:
        logits, grad = rows(*logits), rows(*grad)
        memory[:] = 1.0
        status = c_table.TABLE.softmax_cross_entropy_grad_float32(
            logits.ctypes.data, 6, 8, c_table.stride_of(logits), targets.ctypes.data, None, 1, grad.ctypes.data,
            c_table.stride_of(grad))
        assert status == OVERLAP and (memory == 1.0).all()


def test_no_memory():
    """Scratch for more rows than an address space has room for: one row, over and over."""
    x, result = np.zeros(1, np.float32), np.full(1, np.float32(SENTINEL))
    assert c_table.TABLE.logsumexp_float32(x.ctypes.data, 2**55, 1, 0, 1, result.ctypes.data) == NO_MEMORY
    assert result[0] == SENTINEL


@pytest.mark.parametrize(("status", "arguments"), [
    (BAD_SHAPE, ("uniform", -1, 0, 0.0, 1.0)), (BAD_SHAPE, ("normal", 4, -1, 0.0, 1.0)),
    (BAD_SHAPE, ("normal", 4, 2**62 - 3, 0.0, 1.0)), (BAD_OPTION, ("uniform", 4, 0, 1.0, 0.0)),
    (BAD_OPTION, ("uniform", 4, 0, 0.0, math.nan)), (BAD_OPTION, ("uniform", 4, 0, -3e38, 3e38)),
    (BAD_OPTION, ("normal", 4, 0, 1e39, 1.0)), (BAD_OPTION, ("normal", 4, 0, 0.0, -1.0)),
    (BAD_OPTION, ("truncated_normal", 4, 0, 0.0, math.inf, None)),
    (BAD_OPTION, ("truncated_normal", 4, 0, 0.0, 1.0, ctypes.byref(capi.Truncation()))),
    (BAD_THREADS, ("normal", 4, 0, 0.0, 1.0, -1))], ids=str)
def test_bad_fills(status, arguments):
    distribution, n, first, *parameters = arguments
    if status == BAD_THREADS:
        parameters, n_threads = parameters[:-1], parameters[-1]
    else:
        n_threads = 1
    out = np.full(4, np.float32(SENTINEL))
    function = getattr(c_table.TABLE, f"{distribution}_float32")
    assert function(out.ctypes.data, n, 1, 0, first, *parameters, n_threads) == status
    assert (out == SENTINEL).all()
    assert c_table.TABLE.normal_float32(None, 4, 1, 0, 0, 0.0, 1.0, 1) == BAD_POINTER
    assert c_table.TABLE.normal_float32(None, 0, 1, 0, 0, 0.0, 1.0, 1) == OK


def test_bounds_are_of_one_dtype():
    status, bounds = c_table.truncation(np.float64, -1.0, 1.0)
    assert status == OK
    assert c_table.fill("truncated_normal", np.float32, 4, 1, 0, 0, 0.0, 1.0, ctypes.byref(bounds))[0] == BAD_OPTION


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 1.0), (2.0, -2.0), (math.nan, 1.0), (13.5, 14.0)])
def test_bad_bounds(lower, upper):
    assert c_table.truncation(np.float32, lower, upper)[0] == BAD_OPTION
    assert c_table.TABLE.truncation_float32(-1.0, 1.0, None) == BAD_POINTER


def test_every_status_has_a_message():
    messages = [c_table.TABLE.status_message(status) for status in STATUSES]
    assert len(set(messages)) == len(STATUSES) and all(messages)
    assert c_table.TABLE.status_message(10) == c_table.TABLE.status_message(-1) == b"no status of xentfast"


def test_options_of_ctypes():
    with pytest.raises(TypeError, match="'zloss' is no field of Options; they are bytes, weight"):
        capi.Options(zloss=1.0)


# ---- threads


def test_many_threads_at_once():
    """ctypes calls without the GIL."""
    x, targets = problem((600, 1000), np.float32)
    own = np.where(targets == -100, 3, targets)

    def call(n_threads):
        return cross_entropy(FUNCTIONS[2], x, own, options_of(label_smoothing=0.1, ignore_index=3), n_threads=n_threads)

    expected = from_python(FUNCTIONS[2], x, own, {"label_smoothing": 0.1, "ignore_index": 3})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for status, *got in pool.map(call, [1, 2, 0, 3] * 8):
            assert status == OK and all(map(same_bits, got, expected))


def test_any_floating_point_mode(flush_to_zero):
    x, targets = problem((40, 12), np.float32)
    x[:, 0] -= 95.0                                                     # its exponentials are subnormal
    expected = from_python(FUNCTIONS[2], x, targets, {"label_smoothing": 0.1})
    fill = xf.init.uniform(100, low=-1e-38, high=1e-38, rng=1)
    flush_to_zero(True)
    status, *got = cross_entropy(FUNCTIONS[2], x, targets, options_of(label_smoothing=0.1))
    filled = c_table.fill("uniform", np.float32, 100, xf.random.key(1), 0, 0, -1e-38, 1e-38)[1]
    flush_to_zero(False)
    assert status == OK and all(map(same_bits, got, expected)) and same_bits(filled, fill)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_one_thread():
    """After the parent's threads have started: libgomp would wait for them in the child."""
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        import numpy as np, xentfast as xf
        from xentfast._base.level import count_threads
        import c_table
        x, targets = np.ones((600, 1000), np.float32), np.zeros(600, int)
        call = lambda: cross[2].tobytes() if (cross := c_table.cross_entropy(
            "softmax_cross_entropy_value_and_grad", x, targets, n_threads=4))[0] == 0 else None
        before = call()
        child = os.fork()
        if child == 0:
            os._exit(0 if count_threads(4, 10**9) == 1 and call() == before else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), count_threads(4, 10**9))
    """
    run = subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", textwrap.dedent(code), os.path.dirname(c_table.__file__)],
                         capture_output=True, text=True, timeout=60)
    assert run.stdout.split() == ["0", "4"], run.stderr
