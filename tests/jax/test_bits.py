"""Results of xentfast.jax have the bits of xentfast's functions on the same NumPy arrays (extra `jax`)."""

import os
import subprocess
import sys

import numpy as np
import pytest

import xentfast as xf
from xentfast import _capi
from xentfast._base import dispatch

jax = pytest.importorskip("jax")
pytest.importorskip("ml_dtypes")
from jax_cases import ALL_OPTIONS, DTYPES, REDUCTIONS, check_bits, example, name_of  # noqa: E402

import xentfast.jax  # noqa: E402

pytestmark = pytest.mark.extras

loss_of, both_of = xentfast.jax.softmax_cross_entropy, xentfast.jax.softmax_cross_entropy_value_and_grad
nan, inf = float("nan"), float("inf")


def check(logits, targets, **options):
    """Each way to a result: the loss alone, with its gradient, under jit, and by jax.grad."""
    want = xf.softmax_cross_entropy_value_and_grad(logits, targets, **options)

    def loss(logits, targets):
        return loss_of(logits, targets, **options)

    def both(logits, targets):
        return both_of(logits, targets, **options)

    check_bits(loss(logits, targets), want[0])
    check_bits(both(logits, targets), want)
    check_bits(jax.jit(both)(logits, targets), want)
    check_bits(jax.jit(jax.grad(lambda logits: loss(logits, targets).sum()))(logits), want[1])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", DTYPES, ids=name_of)
def test_dtypes_and_reductions(dtype, reduction, x64_for):
    x64_for(dtype)
    logits, targets, options = example((6, 33), dtype, weight=True, sample_weight=True)
    check(logits, targets, reduction=reduction)
    check(logits, targets, reduction=reduction, **options, **ALL_OPTIONS)


SHAPES = [((7,), -1), ((3, 4, 5), -1), ((3, 5, 4), 1), ((5, 2, 3), 0), ((40, 200), 1), ((2, 3000), -1)]


@pytest.mark.parametrize("shape,axis", SHAPES)
def test_shapes_and_axes(shape, axis):
    logits, targets, _ = example(shape, axis=axis)
    for reduction in ("mean", "none"):
        check(logits, targets, axis=axis, reduction=reduction)


@pytest.mark.parametrize("name", ["weight", "sample_weight", *ALL_OPTIONS])
def test_each_option(name):
    logits, targets, options = example((6, 5), **{name: True})
    check(logits, targets, **options or {name: ALL_OPTIONS[name]})


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_rows_that_are_special(reduction):
    logits, targets, _ = example((8, 5))
    logits[0, 1], logits[1, 2], logits[2], logits[3, 0] = nan, -inf, -inf, inf
    logits[4] *= 100
    logits[5] += 1e4
    logits[6] *= 1e-39                                          # subnormal
    targets[7] = -100
    check(logits, targets, reduction=reduction)


def test_nothing_to_average():
    logits, targets, _ = example((4, 5))
    for empty in (nan, -0.0, 0.0, 7.5):                         # the compiled call of one is not taken for another's
        check(logits, np.full_like(targets, -100), empty=empty)
        check(logits[:0], targets[:0], empty=empty)
    check(logits[:0], targets[:0], reduction="none")


@pytest.mark.parametrize("dtype", [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)])
def test_integers_of_any_dtype(dtype, x64):
    logits, targets, _ = example((6, 5))
    check(logits, targets.astype(dtype))
    check_bits(loss_of(logits, targets.astype(dtype), ignore_index=2), xf.softmax_cross_entropy(logits, targets, ignore_index=2))


def test_integers_without_64_bits():
    """NumPy's default integers go to JAX's; those that only JAX would change are refused (test_errors)."""
    logits, targets, _ = example((6, 5))
    for dtype in (np.int64, np.uint64, np.uint32):
        check(logits, targets.astype(dtype))
    targets = targets.astype(np.uint32)
    targets[3] = 2**32 - 100                                    # −100 as int32
    with pytest.raises(Exception, match=r"targets\[3\] is 4294967196, but logits have 5 classes"):
        loss_of(logits, targets).block_until_ready()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "int8", "uint32", "int64", "bool"])
def test_weights_of_any_dtype(dtype, x64):
    logits, targets, _ = example((6, 5))
    weight, sample_weight = np.array([1, 0, 3, 1, 2]).astype(dtype), np.array([1, 2, 0, 1, 1, 0]).astype(dtype)
    check(logits, targets, weight=weight)
    check(logits, targets, sample_weight=sample_weight, reduction="sum")


def test_subnormal_weights():
    """XLA may call with subnormals off."""
    logits, targets, _ = example((2, 3))
    check(logits, targets, sample_weight=np.array([1e-40, 3e-42], np.float32))
    check(logits, targets, weight=np.array([1e-40, 3e-42, 1e-41], np.float32), reduction="sum")


def test_lists_numpy_scalars_and_foreign_memory():
    logits, targets, _ = example((6, 5))
    want = xf.softmax_cross_entropy(logits, targets)
    for one in (logits[::-1][::-1], np.asfortranarray(logits), logits.astype(">f4"), jax.numpy.asarray(logits)):
        check_bits(loss_of(one, targets.tolist()), want)
    check_bits(loss_of(logits[0], int(targets[0])), xf.softmax_cross_entropy(logits[0], targets[0]))


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_threads(n_threads):
    check(*example((50, 300))[:2], n_threads=n_threads)


@pytest.fixture(params=dispatch.supported_levels())
def level(request, use_level):
    use_level(request.param)
    _capi.take_policy()
    return request.param


def test_levels(level):
    """Beside NumPy's function on the level that the machine chose."""
    logits, targets, _ = example((40, 33))
    got = both_of(logits, targets)
    dispatch.kernels = dispatch.load(dispatch.supported_levels()[-1])
    check_bits(got, xf.softmax_cross_entropy_value_and_grad(logits, targets))


def test_another_number_is_compiled_once():
    """Options are equal where they are the same: nan too."""
    step = xentfast.jax._cross_entropy._loss
    logits, targets, _ = example((3, 11))
    loss_of(logits, targets, empty=float("nan"))
    before = step._cache_size()
    for _ in range(3):
        loss_of(logits, targets, empty=np.float64("nan") * 1)
    assert step._cache_size() == before


def test_import_starts_no_backend():
    """Else who imports it could no longer choose platform and devices."""
    code = "import xentfast.jax, jax; jax.config.update('jax_num_cpu_devices', 3); assert len(jax.devices('cpu')) == 3"
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env={**os.environ, "JAX_PLATFORMS": "cpu"})
