"""Derivatives of xentfast.jax: right, made in one call with the loss, and refused where there are none."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import xentfast as xf

jax = pytest.importorskip("jax")
pytest.importorskip("ml_dtypes")
from jax.test_util import check_grads  # noqa: E402
from jax_cases import ALL_OPTIONS, REDUCTIONS, check_bits, example  # noqa: E402
from tolerances import TWIN  # noqa: E402

import xentfast.jax  # noqa: E402

pytestmark = pytest.mark.extras

jnp = jax.numpy
loss_of, both_of = xentfast.jax.softmax_cross_entropy, xentfast.jax.softmax_cross_entropy_value_and_grad


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_differences(reduction, x64):
    logits, targets, options = example((4, 5), np.float64, weight=True, sample_weight=True)
    for given in ({}, {**options, **ALL_OPTIONS}):
        check_grads(lambda logits, given=given: loss_of(logits, targets, reduction=reduction, **given), (logits,), 1, ["rev"])
    check_grads(lambda logits: both_of(logits, targets, reduction=reduction)[0], (logits,), 1, ["rev"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beside_optax(dtype, x64_for):
    optax = pytest.importorskip("optax")
    x64_for(dtype)
    logits, targets, _ = example((50, 33), dtype)

    def theirs(logits):
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    want = jax.value_and_grad(theirs)(logits)
    got = jax.value_and_grad(lambda logits: loss_of(logits, targets))(logits)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=TWIN[np.dtype(dtype)], atol=TWIN[np.dtype(dtype)])


def test_incoming_gradients():
    """One factor for all, or one for each row; the gradient of 16 bits is multiplied before it is rounded."""
    logits, targets, _ = example((6, 5))
    mean, none = (xf.softmax_cross_entropy_grad(logits, targets, reduction=one) for one in ("mean", "none"))
    check_bits(jax.grad(lambda logits: 3 * loss_of(logits, targets))(logits), np.float32(3) * mean)
    factors = np.arange(6, dtype=np.float32)
    _, pull = jax.vjp(lambda logits: loss_of(logits, targets, reduction="none"), logits)
    check_bits(pull(jnp.asarray(factors)), (factors[:, None] * none,))

    small = np.array([[0, -20, 3]], np.float16)                 # a gradient of 1e-10, below all that float16 has
    scale = 2.0**14
    got = jax.grad(lambda logits: loss_of(logits, np.array([0])) * scale)(small)
    check_bits(got, (xf.softmax_cross_entropy_grad(small.astype(np.float32), [0]) * np.float32(scale)).astype(np.float16))
    assert got[0, 1] > 0


def test_one_call_makes_loss_and_gradient():
    logits, targets, _ = example((6, 5))
    jaxpr = str(jax.make_jaxpr(jax.value_and_grad(lambda logits: loss_of(logits, targets)))(logits))
    assert jaxpr.count("ffi_call[") == 1
    alone = jax.jit(lambda logits: loss_of(logits, targets)).lower(logits).as_text()
    assert alone.count("stablehlo.custom_call") == 1 and "6x5xf32>)" not in alone.split("->")[-1]   # no gradient among results


def test_two_backward_passes_and_checkpoints():
    logits, targets, _ = example((6, 5))
    want = xf.softmax_cross_entropy_grad(logits, targets)
    _, pull = jax.vjp(lambda logits: loss_of(logits, targets), logits)
    for _ in range(2):
        check_bits(pull(jnp.float32(1)), (want,))
    check_bits(jax.grad(jax.checkpoint(lambda logits: loss_of(logits, targets)))(logits), want)


def test_the_loss_of_both_is_differentiable():
    logits, targets, _ = example((6, 5))
    want = xf.softmax_cross_entropy_value_and_grad(logits, targets)
    check_bits(jax.grad(lambda logits: both_of(logits, targets)[0])(logits), want[1])
    (loss, kept), got = jax.value_and_grad(lambda logits: both_of(logits, targets), has_aux=True)(logits)
    check_bits((loss, kept, got), (*want, want[1]))


def test_a_constant_has_no_gradient():
    """Logits that nothing is differentiated with respect to; and a loss that nothing depends on."""
    logits, targets, _ = example((6, 5))
    weight, want = np.ones(5, np.float32), xf.softmax_cross_entropy(logits, targets)
    assert jax.grad(lambda scale: scale * loss_of(logits, targets, weight=weight))(2.0) == want
    check_bits(jax.grad(lambda logits: (loss_of(logits, targets), logits.sum())[1])(logits), np.ones_like(logits))


SECOND = {"grad of grad": lambda f: jax.grad(lambda x: jax.grad(f)(x).sum()), "jacrev": lambda f: jax.jacrev(jax.grad(f)),
          "jit": lambda f: jax.jit(jax.grad(lambda x: jax.jit(jax.grad(f))(x)[0, 0])),
          "vmap": lambda f: jax.vmap(jax.grad(lambda x: jax.grad(f)(x[None]).sum()))}
FORWARD = {"jvp": lambda f: lambda x: jax.jvp(f, (x,), (x,)), "jacfwd": jax.jacfwd, "hessian": jax.hessian}


@pytest.mark.parametrize("how", SECOND)
def test_second_derivatives_are_refused(how):
    logits, _, _ = example((6, 5))
    for function in (lambda x: loss_of(x, jnp.zeros(x.shape[:1], int)), lambda x: both_of(x, jnp.zeros(x.shape[:1], int))[0]):
        for _ in range(2):
            jax.grad(function)(logits)                                          # an error leaves nothing behind
            with pytest.raises(NotImplementedError, match="have no second derivative.*jax.nn.log_softmax"):
                SECOND[how](function)(logits)
    with pytest.raises(NotImplementedError, match="second derivative"):
        jax.grad(lambda x: both_of(x, jnp.zeros(x.shape[:1], int))[1].sum())(logits)


@pytest.mark.parametrize("how", FORWARD)
def test_forward_mode_is_refused(how):
    logits, targets, _ = example((6, 5))
    with pytest.raises(TypeError, match=r"forward-mode autodiff \(jvp\) to a custom_vjp function"):
        FORWARD[how](lambda logits: loss_of(logits, targets))(jnp.asarray(logits))


@pytest.mark.parametrize("name", ["weight", "sample_weight"])
def test_weights_have_no_gradient(name):
    logits, targets, options = example((6, 5), **{name: True})

    def loss(logits, weights, keep=lambda weights: weights):
        return loss_of(logits, targets, **{name: keep(weights)})

    for compiled in (loss, jax.jit(loss)):
        compiled(logits, options[name])
        for wanted in (1, (0, 1)):
            with pytest.raises(ValueError, match=rf"with respect to {name}, .* pass jax.lax.stop_gradient\({name}\)"):
                jax.grad(compiled, wanted)(logits, options[name])
        check_bits(jax.grad(compiled)(logits, options[name]), xf.softmax_cross_entropy_grad(logits, targets, **options))
    stopped = jax.grad(lambda *given: loss(*given, jax.lax.stop_gradient), (0, 1))(logits, options[name])
    check_bits(stopped, (xf.softmax_cross_entropy_grad(logits, targets, **options), np.zeros_like(options[name])))
    with pytest.raises(ValueError, match="stop_gradient"):                      # weights made of the logits
        jax.grad(lambda x: loss_of(x, targets, **{name: jnp.ones(options[name].shape) * x[0, 0]}))(logits)


def test_shard_map():
    """Rows on two devices of the CPU: each its own call; a process of its own has them."""
    code = """
        import jax, numpy as np, xentfast as xf, xentfast.jax
        if not hasattr(jax, "shard_map"):
            raise SystemExit
        from jax.sharding import PartitionSpec as P
        mesh = jax.sharding.Mesh(np.array(jax.devices("cpu")), "i")
        logits, targets = np.random.default_rng(0).normal(size=(6, 7)).astype("float32"), np.arange(6)

        @jax.shard_map(mesh=mesh, in_specs=(P("i"), P("i"), P()), out_specs=P())
        def loss(logits, targets, weight):
            return jax.lax.psum(xentfast.jax.softmax_cross_entropy(logits, targets, weight=weight, reduction="sum"), "i")

        weight = np.ones(7, np.float32)
        value, grad = jax.jit(jax.value_and_grad(loss))(logits, targets, weight)
        halves = [xf.softmax_cross_entropy(logits[i:i + 3], targets[i:i + 3], reduction="sum") for i in (0, 3)]
        assert value == halves[0] + halves[1]
        assert (grad == xf.softmax_cross_entropy_grad(logits, targets, reduction="sum")).all()
    """
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(code)], check=True, env=environment)
