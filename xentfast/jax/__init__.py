"""In JAX: cross-entropy under jit, grad and vmap, as a call of XLA's on CPU."""

try:
    import jax  # noqa: F401
except ImportError as _error:
    raise ImportError('xentfast.jax needs JAX: pip install "xentfast[jax]"') from _error

from xentfast.jax._cross_entropy import softmax_cross_entropy, softmax_cross_entropy_value_and_grad

__all__ = ["softmax_cross_entropy", "softmax_cross_entropy_value_and_grad"]
