"""Bad input to initialisers: a clear error before anything is written, by one call and by `fill`."""

import re
from functools import partial

import numpy as np
import pytest
from bad_outputs import SWAPPED

import xentfast as xf

init = xf.init
READ_ONLY = np.zeros((3, 4), np.float32)
READ_ONLY.flags.writeable = False


def f32(*shape):
    return np.full(shape, 9, np.float32)


# (initialiser, arguments, options, error, what its message says)
CALLS = [
    (init.uniform, ((-1, 3),), {}, ValueError, "shape is (-1, 3); expected lengths of at least 0"),
    (init.uniform, (-3,), {}, ValueError, "expected lengths of at least 0"),
    (init.uniform, ((2.0, 3),), {}, TypeError, "shape[0] is 2.0; expected an integer"),
    (init.uniform, ((2, True),), {}, TypeError, "shape[1] is a bool"),
    (init.uniform, ("34",), {}, TypeError, "shape is '34'; expected an integer"),
    (init.uniform, (None,), {}, TypeError, "shape is None"),
    (init.uniform, ((1,) * 65,), {}, ValueError, "shape has 65 axes; expected at most 64"),
    (init.uniform, ((2**40, 2**40),), {"index": (0, 0)}, ValueError, "elements; expected fewer than 2**62"),
    (init.uniform, ((3, 4),), {"dtype": int}, TypeError,
     "dtype is int64; expected float16, bfloat16 (of ml_dtypes), float32 or float64"),
    (init.uniform, ((3, 4),), {"dtype": complex}, TypeError, "dtype is complex128"),
    (init.uniform, ((3, 4),), {"dtype": SWAPPED.str}, TypeError, f"dtype is {SWAPPED}"),
    (init.uniform, ((3, 4),), {"dtype": "float99"}, TypeError, "dtype is 'float99', which NumPy does not know"),
    (init.uniform, ((3, 4),), {"out": [[0.0]]}, TypeError, "out is of type list; expected a NumPy array"),
    (init.uniform, ((3, 4),), {"out": f32(4, 3)}, ValueError, "out has shape (4, 3); expected (3, 4)"),
    (init.uniform, ((3, 4),), {"out": f32(3, 4).astype(float)}, TypeError,
     "out has dtype float64; expected float32, which the argument dtype says"),
    (init.uniform, ((3, 4),), {"out": np.zeros((3, 4), int)}, TypeError, "out has dtype int64; expected float32"),
    (init.uniform, ((3, 4),), {"out": f32(3, 4), "dtype": np.float64}, TypeError, "out has dtype float32; expected float64"),
    (init.uniform, ((3, 4),), {"out": f32(3, 4), "index": 1}, ValueError, "out has shape (3, 4); expected (4,)"),
    (init.uniform, ((3, 4),), {"out": READ_ONLY}, ValueError, "out is read-only"),
    (init.uniform, ((3, 4),), {"out": np.broadcast_to(f32(4), (3, 4))}, ValueError, "out is read-only"),
    (init.uniform, ((3, 4),), {"out": np.lib.stride_tricks.as_strided(f32(9), (3, 4), (4, 4))}, ValueError, "share memory"),
    (init.uniform, ((3, 4),), {"index": 3}, IndexError, "index[0] is 3; axis 0 has length 3"),
    (init.uniform, ((3, 4),), {"index": (0, -5)}, IndexError, "index[1] is -5; axis 1 has length 4"),
    (init.uniform, ((3, 4),), {"index": (0, 0, 0)}, IndexError, "with 3 entries; shape (3, 4) has 2 axes"),
    (init.uniform, ((3, 4),), {"index": (..., ...)}, IndexError, "more than one Ellipsis"),
    (init.uniform, ((),), {"index": 10**5000}, IndexError, "index is a number of 16610 bits, with 1 entries; shape () has 0"),
    (init.uniform, ((3, 4),), {"index": slice(0, 3, 2)}, ValueError, "index[0] is slice(0, 3, 2); expected a step of 1"),
    (init.uniform, ((3, 4),), {"index": slice(None, None, -1)}, ValueError, "expected a step of 1"),
    (init.uniform, ((3, 4),), {"index": slice(0.5, 2)}, TypeError, "a bound of index[0] is 0.5; expected an integer"),
    (init.uniform, ((3, 4),), {"index": [0, 1]}, TypeError, "index[0] is [0, 1]; expected an integer or a slice"),
    (init.uniform, ((3, 4),), {"index": (True, 0)}, TypeError, "index[0] is True"),
    (init.uniform, ((3, 4),), {"index": (None, 0)}, TypeError, "index[0] is None"),
    (init.uniform, ((3, 4),), {"index": np.zeros((3, 4), bool)}, TypeError, "expected an integer or a slice"),
    (init.uniform, ((3, 4),), {"rng": -1}, ValueError, "rng is -1; expected None, a non-negative integer"),
    (init.uniform, ((3, 4),), {"rng": 1.5}, TypeError, "rng is 1.5; expected None"),
    (init.uniform, ((3, 4),), {"rng": True}, TypeError, "rng is True"),
    (init.uniform, ((3, 4),), {"rng": "seed"}, TypeError, "rng is 'seed'"),
    (init.uniform, ((3, 4),), {"name": 3}, TypeError, "name is 3; expected a string or None"),
    (init.uniform, ((3, 4),), {"n_threads": 0}, ValueError, "n_threads is 0; expected None or an integer of at least 1"),
    (init.uniform, ((3, 4),), {"low": 2, "high": 1}, ValueError, "low is 2.0 and high is 1.0; expected low ≤ high"),
    (init.uniform, ((3, 4),), {"low": np.nan}, ValueError, "low is nan; expected a finite number"),
    (init.uniform, ((3, 4),), {"high": np.inf}, ValueError, "high is inf; expected a finite number"),
    (init.uniform, ((3, 4),), {"high": 1e39}, ValueError, "within the range of float32"),
    (init.uniform, ((3, 4),), {"low": -3e38, "high": 3e38}, ValueError, "their difference is beyond the range of float32"),
    (init.uniform, ((3, 4),), {"high": "1"}, TypeError, "high is '1'; expected a number"),
    (init.uniform, ((3, 4),), {"dtype": None}, TypeError, "dtype is None, which"),
    (init.uniform, ((3, 4),), {"high": 1e6, "dtype": np.float16}, ValueError, "within the range of float16"),
    (init.uniform, ((3, 4),), {"high": 10**400}, ValueError, "expected a number within the range of float64"),
    (init.uniform, ((3, 4),), {"name": "\ud800"}, ValueError, "which has no UTF-8 form"),
    (init.normal, ((3, 4),), {"std": -1}, ValueError, "std is -1.0; expected a number of at least 0"),
    (init.normal, ((3, 4),), {"mean": np.inf}, ValueError, "mean is inf"),
    (init.normal, ((3, 4),), {"std": 1e5, "dtype": np.float16}, ValueError, "within the range of float16"),
    (init.truncated_normal, ((3, 4),), {"lower": 1, "upper": 1}, ValueError,
     "lower is 1.0 and upper is 1.0; expected lower < upper"),
    (init.truncated_normal, ((3, 4),), {"lower": np.nan}, ValueError, "expected lower < upper"),
    (init.truncated_normal, ((3, 4),), {"lower": 1e17, "upper": np.inf}, ValueError, "lower is 1e+17 and upper is inf: the last"),
    (init.truncated_normal, ((3, 4),), {"lower": -1e300, "upper": -1e290}, ValueError, "the last value's tail would be 0.0e+00"),
    (init.truncated_normal, ((3, 4),), {"lower": 20, "upper": 21}, ValueError,
     "less than float32 holds; expected bounds within about 12 standard deviations from the mean, and within 11"),
    (init.truncated_normal, ((3, 4),), {"std": -1}, ValueError, "std is -1.0"),
    (init.xavier_uniform, ((5,),), {}, ValueError,
     "shape (5,) has 1 axis, which does not say how many inputs and outputs there are; pass fan_in= or fan_out= or both"),
    (init.he_normal, ((),), {}, ValueError, "shape () has 0 axes"),
    (init.xavier_normal, ((5,),), {"fan_in": 3}, ValueError, "pass fan_in= or fan_out= or both"),
    (init.he_normal, ((5,),), {"fan_out": 3}, ValueError, "pass fan_in="),
    (init.he_normal, ((3, 4),), {"fan_in": 0}, ValueError, "fan_in is 0.0; expected None or a number above 0"),
    (init.he_normal, ((3, 4),), {"fan_in": np.nan}, ValueError, "fan_in is nan"),
    (init.he_normal, ((3, 4),), {"in_axis": 0, "out_axis": 0}, ValueError,
     "in_axis is 0 and out_axis is 0: the same axis of shape (3, 4)"),
    (init.he_normal, ((3, 4),), {"in_axis": 1, "out_axis": -1}, ValueError, "the same axis"),
    (init.he_normal, ((3, 4),), {"in_axis": 2}, ValueError, "in_axis is 2; a shape of 2 axes has axes -2 to 1"),
    (init.he_normal, ((3, 4),), {"in_axis": 0.0}, TypeError, "in_axis is 0.0; expected an integer"),
    (init.he_normal, ((3, 4, 5),), {"out_axis": (1, -2)}, ValueError, "names an axis twice"),
    (init.he_normal, ((3, 4),), {"mode": "fan"}, ValueError, "mode is 'fan'; expected one of 'fan_in', 'fan_out', 'fan_avg'"),
    (init.he_normal, ((3, 4),), {"nonlinearity": "relu6"}, ValueError,
     "nonlinearity is 'relu6'; expected one of 'linear', 'sigmoid'"),
    (init.he_normal, ((3, 4),), {"param": 0.1}, ValueError, "param is 0.1; expected None for relu"),
    (init.he_normal, ((3, 4),), {"gain": -1}, ValueError, "gain is -1.0; expected a finite number of at least 0"),
    (init.he_normal, ((3, 4),), {"mode": np.array(["fan_in"])}, ValueError, "mode is array"),
    (init.he_uniform, ((3, 4),), {"gain": 3e38}, ValueError, "the largest value is"),
    (init.variance_scaling, ((3, 4),), {"scale": 1e308, "dtype": np.float64, "distribution": "uniform"}, ValueError,
     "the largest value is inf"),
    (init.variance_scaling, ((1, 4),), {"scale": 1.1e77}, ValueError, "the standard deviation before the cut is"),
    (init.variance_scaling, ((3, 4),), {"scale": -1}, ValueError, "scale is -1.0"),
    (init.variance_scaling, ((3, 4),), {"distribution": "gamma"}, ValueError,
     "distribution is 'gamma'; expected one of 'uniform'"),
    (init.variance_scaling, ((3, 4),), {"distribution": []}, ValueError, "distribution is []"),
    (init.orthogonal, ((5,),), {}, ValueError, "shape is (5,); expected two axes at least"),
    (init.orthogonal, ((3, 4),), {"in_axis": 1, "out_axis": 1}, ValueError, "the same axis"),
    (init.orthogonal, ((3, 4),), {"n_threads": 0}, ValueError, "n_threads is 0"),
    (init.sparse, ((3, 4),), {"sparsity": 1.5}, ValueError, "sparsity is 1.5; expected a number from 0 to 1"),
    (init.sparse, ((3, 4, 5),), {"sparsity": 0.5}, ValueError, "shape is (3, 4, 5); expected two axes"),
    (init.identity, ((3,),), {}, ValueError, "shape is (3,); expected two axes (dirac is the identity of convolutions)"),
    (init.dirac, ((3,),), {}, ValueError, "expected an axis of inputs and one of outputs at least"),
    (init.dirac, ((3, 4, 5),), {"groups": 2}, ValueError, "groups is 2; expected a divisor of the 5 outputs"),
    (init.dirac, ((3, 4, 5),), {"groups": 0}, ValueError, "groups is 0"),
    (init.dirac, ((3, 4, 5),), {"in_axis": (0, 1)}, ValueError, "expected one axis each"),
    (init.constant, ((3, 4), "a"), {}, TypeError, "value has dtype <U1; expected real numbers"),
    (init.constant, ((3, 4), [1, 2]), {}, ValueError, "value has shape (2,), which does not broadcast to (3, 4)"),
    (init.constant, ((3, 4), 1e39), {}, ValueError, "expected numbers within the range of float32"),
    (init.zeros, ((3, 4),), {"dtype": int}, TypeError, "dtype is int64"),
    (init.fans, ((3,),), {}, ValueError, "how many inputs and outputs there are; expected at least two axes"),
    (init.fans, ((3, 4), 0, -2), {}, ValueError, "the same axis"),
    (init.gain, ("Relu",), {}, ValueError, "nonlinearity is 'Relu'"),
    (init.gain, ("leaky_relu", np.inf), {}, ValueError, "param is inf; expected a finite slope"),
    (init.gain, ("tanh", 1.0), {}, ValueError, "param is 1.0; expected None for tanh"),
]


def words(call):
    return f"{call[0].__name__}-{call[4][:40]}"


@pytest.mark.parametrize("call", CALLS, ids=words)
def test_message(call):
    function, arguments, options, error, message = call
    with pytest.raises(error, match=re.escape(message)):
        function(*arguments, **options)


@pytest.mark.parametrize("call", [call for call in CALLS if call[0] not in (init.fans, init.gain) and "out" not in call[2]
                                  and call[1] and call[1][0] == (3, 4)], ids=words)
def test_out_is_untouched(call):
    function, arguments, options, error, _ = call
    out = np.full((3, 4), 9, options["dtype"] if options.get("dtype") in (np.float16, np.float64) else np.float32)
    with pytest.raises(error):
        function(*arguments, **options, out=out)
    assert np.all(out == 9)


GOOD = ("good", (init.uniform, f32(5)))
OVERLAPPING = f32(100)


@pytest.mark.parametrize(("pairs", "error", "message"), [
    ([("a", (init.uniform, (3,))), ("a", (init.uniform, (3,)))], ValueError, "params has the name 'a' twice"),
    ([(1, (init.uniform, (3,)))], TypeError, "params has the name 1; expected a string"),
    ([("a", init.uniform)], TypeError, "expected (name, (initialiser, shape or array))"),
    ([("a", (init.uniform,))], TypeError, "expected (name, (initialiser, shape or array))"),
    ([("a", ("uniform", (3,)))], TypeError, "params['a'] has the initialiser 'uniform'; expected a function of xentfast.init"),
    ([("a", (np.zeros, (3,)))], TypeError, "expected a function of xentfast.init"),
    ([("a", (init.gain, (3,)))], TypeError, "expected a function of xentfast.init"),
    ([("a", (partial(init.uniform, rng=1), (3,)))], TypeError,
     "params['a'] has an initialiser with rng, which fill gives itself"),
    ([("a", (partial(init.uniform, name="b", n_threads=1), (3,)))], TypeError, "with n_threads, name, which fill gives itself"),
    ([("a", (partial(init.uniform, (3,)), (3,)))], TypeError, "positional arguments"),
    ([("a", (partial(init.uniform, index=0), f32(3)))], TypeError, "has an array besides out, dtype or index"),
    ([("a", (partial(init.uniform, low=2), (3,)))], ValueError, "low is 2.0 and high is 1.0"),
    ([("a", (init.he_normal, f32(3)))], ValueError, "pass fan_in="),
    ([("a", (init.uniform, np.zeros(3, int)))], TypeError, "dtype is int64"),
    ([("a", (init.uniform, READ_ONLY))], ValueError, "out is read-only"),
    ([("a", (partial(init.uniform, wide=2), (3,)))], TypeError, "wide"),
    ([("a", (init.uniform, GOOD[1][1][2:]))], ValueError, "share memory"),
    ([("b", (init.uniform, OVERLAPPING[0::3])), ("c", (init.uniform, OVERLAPPING[1::3])),
      ("d", (init.uniform, OVERLAPPING[4:5]))],
     ValueError, "params['d'] and params['c'] share memory"),
    ([("a", (init.zeros, GOOD[1][1])), ("b", (init.uniform, (3,)))], ValueError, "share memory"),
])
def test_fill(pairs, error, message):
    """What is good in the same call is not written either."""
    ones = f32(4)
    GOOD[1][1][...] = 9
    generator = np.random.default_rng(1)
    with pytest.raises(error, match=re.escape(message)) as caught:
        init.fill([GOOD, ("ones", (init.ones, ones)), *pairs], rng=generator)
    assert generator.bit_generator.state == np.random.default_rng(1).bit_generator.state
    assert np.all(GOOD[1][1] == 9) and np.all(ones == 9)
    assert message != "low is 2.0 and high is 1.0" or caught.value.__notes__ == ["for params['a']"]


@pytest.mark.parametrize(("given", "error"), [
    ({"rng": -1}, ValueError), ({"n_threads": 0}, ValueError), ({"rng": 1.5}, TypeError)])
def test_fill_options(given, error):
    with pytest.raises(error):
        init.fill([GOOD], **given)


@pytest.mark.parametrize("params", [3, None])
def test_fill_of_what_is_no_mapping(params):
    with pytest.raises(TypeError, match="params is"):
        init.fill(params)
