"""Losses, gradients and initialisers on Dask arrays: lazy, in parallel, with the bits of one machine."""

try:
    import dask.array  # noqa: F401
except ImportError as _error:
    raise ImportError('xentfast.dask needs Dask: pip install "xentfast[dask]"') from _error

from xentfast.dask import init
from xentfast.dask._cross_entropy import (
    perplexity,
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    softmax_cross_entropy_grad_hess,
    softmax_cross_entropy_value_and_grad,
)
from xentfast.dask._normalise import log_softmax, logsumexp, softmax
from xentfast.dask._probabilities import cross_entropy, cross_entropy_grad, entropy, kl_divergence, log_loss
from xentfast.dask._sigmoid import (
    sigmoid_cross_entropy,
    sigmoid_cross_entropy_grad,
    sigmoid_cross_entropy_grad_hess,
    sigmoid_cross_entropy_value_and_grad,
)

__all__ = [
    "cross_entropy",
    "cross_entropy_grad",
    "entropy",
    "init",
    "kl_divergence",
    "log_loss",
    "log_softmax",
    "logsumexp",
    "perplexity",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "sigmoid_cross_entropy_grad_hess",
    "sigmoid_cross_entropy_value_and_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_grad",
    "softmax_cross_entropy_grad_hess",
    "softmax_cross_entropy_value_and_grad",
]
