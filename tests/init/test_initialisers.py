"""What the initialisers mean: formulas, axes, aliases, structure, and a whole model by one call."""

import inspect
import math
import subprocess
import sys
import tracemalloc
from functools import partial

import ml_dtypes
import numpy as np
import pytest
from tolerances import ORTHONORMAL_COLUMNS

import xentfast as xf
from xentfast.init import _orthonormal

pytestmark = pytest.mark.every_build

# Of each scaled initialiser: what it equals, from its fans.
FORMULAS = {
    xf.init.xavier_uniform: lambda i, o: partial(xf.init.uniform, low=-math.sqrt(6 / (i + o)), high=math.sqrt(6 / (i + o))),
    xf.init.xavier_normal: lambda i, o: partial(xf.init.normal, std=math.sqrt(2 / (i + o))),
    xf.init.he_uniform: lambda i, o: partial(xf.init.uniform, low=-math.sqrt(6 / i), high=math.sqrt(6 / i)),
    xf.init.he_normal: lambda i, o: partial(xf.init.normal, std=math.sqrt(2 / i)),
    xf.init.lecun_uniform: lambda i, o: partial(xf.init.uniform, low=-math.sqrt(3 / i), high=math.sqrt(3 / i)),
    xf.init.lecun_normal: lambda i, o: partial(xf.init.normal, std=math.sqrt(1 / i)),
    xf.init.variance_scaling: lambda i, o: partial(xf.init.truncated_normal, std=math.sqrt(1 / i) / 0.87962566103423978),
}
KEYS = {"rng": 5, "name": "layer"}
RANDOM = [name for name in xf.init.__all__ if "rng" in inspect.signature(getattr(xf.init, name)).parameters and name != "fill"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", FORMULAS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(("shape", "axes", "fans"), [
    ((30, 50), {}, (30, 50)), ((3, 3, 16, 40), {}, (144, 360)), ((40, 16, 3, 5), {"in_axis": 1, "out_axis": 0}, (240, 600)),
    ((16, 4, 10), {"in_axis": 0, "out_axis": (1, 2)}, (16, 40)), ((70,), {"fan_in": 9, "fan_out": 2.5}, (9, 2.5)),
    ((30, 50), {"fan_in": 60}, (60, 50)), ((30, 50), {"fan_out": 5}, (30, 5)),
    ((30, 50), {"in_axis": -1, "out_axis": -2}, (50, 30)),
])
def test_scale(make, shape, axes, fans, dtype):
    values = make(shape, **axes, **KEYS, dtype=dtype)
    expected = FORMULAS[make](*fans)(shape, **KEYS, dtype=dtype)
    # the scale is rounded otherwise, and low + u·(high − low) loses bits near 0
    np.testing.assert_allclose(values, expected, rtol=0, atol=8 * np.finfo(dtype).eps * np.abs(expected).max())
    if len(shape) > 1 and not {"fan_in", "fan_out"} & axes.keys():
        assert xf.init.fans(shape, **axes) == fans


@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal"])
@pytest.mark.parametrize(("mode", "fan"), [("fan_in", 30), ("fan_out", 50), ("fan_avg", 40)])
def test_variance_scaling_has_the_variance(distribution, mode, fan):
    make = partial(xf.init.variance_scaling, scale=2.5, mode=mode, distribution=distribution, **KEYS)
    values = make((30, 50))
    large = make((3000, 500), fan_in=30, fan_out=50, dtype=np.float64)
    assert large.var() == pytest.approx(2.5 / fan, rel=0.005)
    assert np.abs(values).max() <= {"uniform": math.sqrt(7.5 / fan), "normal": 6.7 * math.sqrt(2.5 / fan),
                                    "truncated_normal": 2 * math.sqrt(2.5 / fan) / 0.8796}[distribution]


@pytest.mark.parametrize("make", [xf.init.he_uniform, xf.init.he_normal])
@pytest.mark.parametrize(("options", "factor"), [
    ({}, math.sqrt(2 / 30)), ({"mode": "fan_out"}, math.sqrt(2 / 50)), ({"mode": "fan_avg"}, math.sqrt(2 / 40)),
    ({"nonlinearity": "leaky_relu"}, math.sqrt(2 / 1.0001 / 30)),
    ({"nonlinearity": "leaky_relu", "param": 0.2}, math.sqrt(2 / 1.04 / 30)),
    ({"nonlinearity": "tanh"}, 5 / 3 / math.sqrt(30)), ({"gain": 2.0}, 2 * math.sqrt(2 / 30)),
    ({"gain": 0.5, "nonlinearity": "linear"}, 0.5 / math.sqrt(30))])
def test_he_options(make, options, factor):
    lecun = {xf.init.he_uniform: xf.init.lecun_uniform, xf.init.he_normal: xf.init.lecun_normal}[make]
    expected = lecun((30, 50), fan_in=1 / factor**2, **KEYS)
    np.testing.assert_allclose(make((30, 50), **options, **KEYS), expected, atol=1e-6 * factor)


@pytest.mark.parametrize("make", [xf.init.xavier_uniform, xf.init.xavier_normal, xf.init.lecun_uniform, xf.init.lecun_normal,
                                  xf.init.he_normal, partial(xf.init.orthogonal)])
def test_gain_multiplies(make):
    np.testing.assert_allclose(make((30, 50), gain=3.0, **KEYS), 3 * make((30, 50), **KEYS), atol=1e-6)
    assert not make((30, 50), gain=0.0, **KEYS).any()


@pytest.mark.parametrize(("nonlinearity", "expected"), [
    ("linear", 1), ("sigmoid", 1), ("tanh", 5 / 3), ("relu", math.sqrt(2)), ("leaky_relu", math.sqrt(2 / 1.0001)), ("selu", 0.75),
    ("gelu", 1.5335304411955338), ("silu", 1.6765324703310912)])
def test_gain(nonlinearity, expected):
    assert xf.init.gain(nonlinearity) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(("nonlinearity", "function"), [
    ("relu", lambda z: np.maximum(z, 0)), ("gelu", lambda z: z * 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))),
    ("silu", lambda z: z / (1 + np.exp(-z))), ("leaky_relu", lambda z: np.where(z > 0, z, 0.01 * z))])
def test_gain_keeps_the_mean_square(nonlinearity, function):
    z = xf.init.normal((1_000_000,), **KEYS, dtype=np.float64)
    assert xf.init.gain(nonlinearity) * np.sqrt(np.mean(function(z) ** 2)) == pytest.approx(1, rel=0.003)


def test_aliases():
    assert xf.init.glorot_uniform is xf.init.xavier_uniform and xf.init.glorot_normal is xf.init.xavier_normal
    assert xf.init.kaiming_uniform is xf.init.he_uniform and xf.init.kaiming_normal is xf.init.he_normal


def test_signatures():
    """Everything after the shape is by keyword; random ones and no others take rng, name, index."""
    for name in xf.init.__all__:
        parameters = list(inspect.signature(getattr(xf.init, name)).parameters.values())
        keywords = {parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
        if name in ("fans", "gain", "fill"):
            continue
        assert parameters[0].name == "shape"
        assert {"dtype", "out"} <= keywords
        assert len(parameters) - len(keywords) == (2 if name == "constant" else 1)
        is_random = name in RANDOM
        assert ({"rng", "name", "n_threads"} <= keywords) == is_random
        assert ("index" in keywords) == (is_random and name != "orthogonal")


@pytest.mark.parametrize("shape", [5, (5,), [5], np.array([5]), np.int64(5), range(5, 6)])
def test_shapes_as_numpy_takes_them(shape):
    assert xf.init.uniform(shape, rng=1).shape == (5,)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, "float32", np.dtype("f8")])
@pytest.mark.parametrize("name", [name for name in xf.init.__all__ if name not in ("fans", "gain", "fill")])
def test_dtype_and_out(name, dtype):
    given = {"constant": {"value": 0.25}, "sparse": {"sparsity": 0.25}}.get(name, {})
    make = partial(getattr(xf.init, name), (12, 9), **given, **(KEYS if name in RANDOM else {}), dtype=dtype)
    values = make()
    assert values.dtype == dtype and values.shape == (12, 9)
    out = np.zeros((9, 12), dtype).T
    assert make(out=out) is out
    assert np.array_equal(out, values)
    assert np.all(np.isfinite(values.astype(np.float64)))


# ---- fixed values


def test_constants():
    assert np.array_equal(xf.init.zeros((3, 2)), np.zeros((3, 2), np.float32))
    assert np.array_equal(xf.init.ones(3, dtype=np.float64), np.ones(3))
    assert np.array_equal(xf.init.constant((2, 3), [1, 2, 3]), np.array([[1, 2, 3]] * 2, np.float32))
    assert np.array_equal(xf.init.constant((2,), ml_dtypes.bfloat16(1.5), dtype=ml_dtypes.bfloat16), [1.5, 1.5])
    assert np.isnan(xf.init.constant((2,), math.nan)).all() and np.isinf(xf.init.constant((), math.inf))


@pytest.mark.parametrize("shape", [(3, 3), (2, 5), (5, 2), (0, 3), (1, 1)])
def test_identity(shape):
    assert np.array_equal(xf.init.identity(shape, gain=2.0), 2 * np.eye(*shape))


@pytest.mark.parametrize(("shape", "groups"), [
    ((3, 4, 4), 1), ((3, 2, 6), 3), ((3, 5, 4, 7), 1), ((5, 3, 2, 4, 8), 2), ((1, 4, 2), 1), ((4, 4), 1), ((2, 0, 3), 1)])
def test_dirac_passes_channels_on(shape, groups):
    """A convolution with it, at the middle of the receptive field, is the identity of each group's channels."""
    kernel = xf.init.dirac(shape, groups=groups)
    centre = tuple(length // 2 for length in shape[:-2])
    n_in, n_out = shape[-2:]
    for out in range(n_out):
        channel = out % (n_out // groups)
        expected = np.zeros(shape[:-1], np.float32)
        if channel < n_in:
            expected[(*centre, channel)] = 1
        assert np.array_equal(kernel[..., out], expected)
    other = xf.init.dirac((n_out, n_in, *shape[:-2]), groups=groups, in_axis=1, out_axis=0)
    assert np.array_equal(np.moveaxis(other, (1, 0), (-2, -1)), kernel)


# ---- sparse


@pytest.mark.parametrize(("rows", "sparsity", "zeros"), [
    (10, 0.25, 3), (10, 0.0, 0), (10, 1.0, 10), (1000, 0.9, 900), (7, 0.5, 4), (0, 0.5, 0), (10, 1e-9, 1), (10, 0.9 + 1e-9, 10),
    # 0.07·100 and 0.57·100 are above 7 and 57, 0.29·100 is below 29, and float32's 0.07 is above that of float64.
    (100, 0.07, 7), (100, 0.57, 57), (100, 0.29, 29), (100, np.float32(0.07), 7), (100, 1 - 0.93, 7), (3, 1 / 3, 1)])
def test_sparse_zeros_in_each_column(rows, sparsity, zeros):
    values = xf.init.sparse((rows, 200), sparsity=sparsity, **KEYS)
    assert np.all(np.count_nonzero(values == 0, axis=0) == zeros)
    assert np.array_equal(values[values != 0], xf.init.normal((rows, 200), std=0.01, **KEYS)[values != 0])


def test_sparse_zeros_are_anywhere():
    """Each place as often as any other, columns apart from each other; more numbers than are ranked at a time."""
    values = xf.init.sparse((1000, 3000), sparsity=0.2, **KEYS)
    by_row = np.count_nonzero(values == 0, axis=1)
    assert np.all(np.abs(by_row - 600) < 6 * math.sqrt(3000 * 0.2 * 0.8))
    shard = xf.init.sparse((1000, 3000), sparsity=0.2, index=(..., slice(2000, 2010)), **KEYS)
    assert np.array_equal(values[:, 2000:2010], shard)
    agree = np.mean((values[:, :-1] == 0) & (values[:, 1:] == 0))
    assert agree == pytest.approx(0.04, rel=0.02)


# ---- orthogonal


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (64, 20), (20, 64), (300, 300), (700, 600), (257, 1000), (0, 3), (5, 0)])
def test_orthogonal(shape, dtype):
    q = xf.init.orthogonal(shape, **KEYS, dtype=dtype).astype(np.float64)
    with np.errstate(all="ignore"):             # BLAS's vector loops may raise flags of numbers that they do not use
        gram = q.T @ q if shape[0] >= shape[1] else q @ q.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), rtol=0, atol=ORTHONORMAL_COLUMNS[np.dtype(dtype)])


@pytest.mark.parametrize(("shape", "axes"), [((3, 3, 8, 40), {}), ((40, 8, 3, 3), {"in_axis": 1, "out_axis": 0}),
                                             ((8, 4, 10), {"in_axis": 0, "out_axis": (1, 2)}), ((3, 3, 8, 100), {})])
def test_orthogonal_by_axes(shape, axes):
    """The matrix has a column for each output, and is the same in every layout."""
    q = xf.init.orthogonal(shape, **axes, **KEYS)
    out_axes = np.atleast_1d(axes.get("out_axis", -1))
    matrix = np.moveaxis(q, out_axes, range(-len(out_axes), 0)).reshape(-1, math.prod(np.take(shape, out_axes)))
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)
    if axes == {"in_axis": 1, "out_axis": 0}:
        np.testing.assert_allclose(np.moveaxis(q, (1, 0), (-2, -1)), xf.init.orthogonal((3, 3, 8, 40), **KEYS), atol=1e-7)


@pytest.mark.parametrize("n", [5, 256, 257, 600])
def test_orthogonal_is_q_of_qr_with_a_positive_diagonal(n):
    """Both ways through it are LAPACK's Q up to rounding, which the sign of each column makes unique."""
    normals = xf.init.normal((700, n), **KEYS, dtype=np.float64)
    q, r = np.linalg.qr(normals)
    q *= np.sign(np.diagonal(r))
    np.testing.assert_allclose(xf.init.orthogonal((700, n), **KEYS, dtype=np.float64), q, atol=1e-12)


def test_orthonormal_columns_of_a_matrix_that_is_hardly_of_full_rank():
    """Where a Gram matrix has no Cholesky factor, Householder's way."""
    a = np.random.default_rng(0).standard_normal((700, 600))
    a[:, 300] = a[:, 299] + 1e-13 * a[:, 301]
    a[:, 10] = a[:, 9]
    q = _orthonormal.orthonormal_columns(a, True)
    np.testing.assert_allclose(q.T @ q, np.eye(600), atol=1e-11)        # the condition number is 10¹³


@pytest.mark.parametrize("log_condition", [0, 2, 4, 6, 8])
@pytest.mark.parametrize("to_double", [False, True])
def test_orthonormal_columns_of_any_condition(log_condition, to_double):
    """One pass is enough for float32 where the matrix is well-conditioned; where it is not, there is a second one."""
    rng = np.random.default_rng(1)
    u, v = (np.linalg.qr(rng.standard_normal((300, 300)))[0] for _ in range(2))
    a = (u * np.logspace(0, -log_condition, 300)) @ v
    r = np.linalg.qr(a)[1]
    expected = np.linalg.qr(a)[0] * np.sign(np.diagonal(r))
    q = _orthonormal.orthonormal_columns(a.copy(), to_double)
    np.testing.assert_allclose(q.T @ q, np.eye(300), rtol=0, atol=1e-14 if to_double else 1e-9)
    np.testing.assert_allclose(q, expected, rtol=0, atol=max(1e-12, 10.0 ** (log_condition - 13)))


def test_orthogonal_signs():
    """Of 1 × 1 matrices half are −1: the sign of R is fixed, not that of Q."""
    signs = np.array([xf.init.orthogonal((1, 1), rng=seed)[0, 0] for seed in range(200)])
    assert set(signs) == {1.0, -1.0} and 70 < np.count_nonzero(signs > 0) < 130


# ---- a model


def model():
    return {
        "embedding": (partial(xf.init.normal, std=0.02), (100, 8)), "weight": (xf.init.he_normal, (8, 16)),
        "conv": (partial(xf.init.xavier_uniform, in_axis=1, out_axis=0), (8, 4, 3, 3)), "bias": (xf.init.zeros, (16,)),
        "scale": (partial(xf.init.constant, value=0.5), 16), "recurrent": (xf.init.orthogonal, (20, 20)),
        "sparse": (partial(xf.init.sparse, sparsity=0.5), (20, 20)),
        "half": (partial(xf.init.lecun_normal, dtype=np.float16), (9, 7)),
        "shard": (partial(xf.init.uniform, index=(slice(5, 9), ...)), (1000, 50)), "empty": (xf.init.uniform, (0, 3)),
        "given": (partial(xf.init.truncated_normal, std=0.1), np.zeros((30, 11), np.float64)),
        "head": (xf.init.xavier_normal, (300, 300)),
    }


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_fill_equals_the_calls_one_by_one(n_threads):
    params = model()
    arrays = xf.init.fill(params, rng=11, n_threads=n_threads)
    assert list(arrays) == list(params)
    for name, (make, where) in params.items():
        shape, dtype = (where.shape, {"dtype": where.dtype}) if isinstance(where, np.ndarray) else (where, {})
        function = make.func if isinstance(make, partial) else make
        keys = {"rng": 11, "name": name} if function.__name__ in RANDOM else {}
        assert np.array_equal(arrays[name], make(shape, **keys, **dtype)), name
    assert arrays["given"] is params["given"][1]


def test_fill_takes_pairs_and_generators():
    generator = np.random.default_rng(3)
    first = xf.init.fill([("a", (xf.init.uniform, (5,))), ("b", (xf.init.uniform, (5,)))], rng=generator)
    second = xf.init.fill({"a": (xf.init.uniform, (5,))}, rng=generator)
    assert not np.array_equal(first["a"], first["b"]) and not np.array_equal(first["a"], second["a"])
    again = xf.init.fill({"b": (xf.init.uniform, (5,)), "a": (xf.init.uniform, (5,))}, rng=np.random.default_rng(3))
    assert np.array_equal(again["a"], first["a"])           # the order of layers does not matter
    assert xf.init.fill({}, rng=1) == {}


def test_fill_of_views_of_one_buffer():
    buffer = np.zeros(100, np.float32)
    arrays = xf.init.fill({"a": (xf.init.uniform, buffer[:50]), "b": (xf.init.normal, buffer[50:]), }, rng=1)
    assert np.array_equal(buffer, np.concatenate([arrays["a"], arrays["b"]]))
    interleaved = np.zeros(100, np.float32)
    xf.init.fill({"a": (xf.init.uniform, interleaved[::2]), "b": (xf.init.uniform, interleaved[1::2])}, rng=1)
    assert np.array_equal(interleaved[::2], arrays["a"])


def test_cut_std():
    """σ of a standard normal cut at ±2, from the variates' own distribution."""
    values = xf.init.truncated_normal((2_000_000,), **KEYS, dtype=np.float64)
    assert values.std() == pytest.approx(0.87962566103423978, rel=1e-3)


def test_ml_dtypes_is_not_imported():
    code = ("import sys, xentfast as xf; xf.init.fill({'w': (xf.init.he_normal, (3, 4)), 'b': (xf.init.zeros, 3)}); "
            "print('ml_dtypes' in sys.modules)")
    assert subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_many_orthogonal_matrices_take_the_memory_of_one():
    """Beyond the outputs: their float64 copies are made one after the other."""
    tracemalloc.start()
    xf.init.fill({f"q{i}": (xf.init.orthogonal, (200, 200)) for i in range(20)}, rng=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 200 * 200 * 4 + 8 * 200 * 200 * 8
