"""The one switch of JAX's that the tests change, as it was; and JAX on a CPU, whatever else the machine has."""

import pytest


@pytest.fixture(autouse=True)
def switches():
    """jax_enable_x64 is off, as by default."""
    jax = pytest.importorskip("jax")
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    with jax.default_device(jax.devices("cpu")[0]):
        yield
    jax.config.update("jax_enable_x64", before)


@pytest.fixture
def x64(switches):
    pytest.importorskip("jax").config.update("jax_enable_x64", True)


@pytest.fixture
def x64_for(switches):
    """A function that switches it on where a dtype needs it."""
    jax = pytest.importorskip("jax")
    return lambda dtype: jax.config.update("jax_enable_x64", jax.numpy.dtype(dtype).itemsize == 8)
