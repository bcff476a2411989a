"""Cross-entropy and weights for NumPy arrays on CPU: at the speed of memory, exact, the same bits everywhere."""

import importlib
from typing import TYPE_CHECKING

from xentfast._base.config import __version__, get_include, show_config
from xentfast._softmax.functions import (
    perplexity,
    softmax_cross_entropy,
    softmax_cross_entropy_grad,
    softmax_cross_entropy_grad_hess,
    softmax_cross_entropy_value_and_grad,
)
from xentfast._softmax.normalise import log_softmax, logsumexp, softmax

__all__ = [
    "__version__",
    "capi",
    "cross_entropy",
    "cross_entropy_grad",
    "entropy",
    "get_include",
    "init",
    "kl_divergence",
    "linear_cross_entropy",
    "linear_cross_entropy_value_and_grad",
    "log_loss",
    "log_softmax",
    "logsumexp",
    "perplexity",
    "random",
    "show_config",
    "sigmoid_cross_entropy",
    "sigmoid_cross_entropy_grad",
    "sigmoid_cross_entropy_grad_hess",
    "sigmoid_cross_entropy_value_and_grad",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_combine",
    "softmax_cross_entropy_combine_grad",
    "softmax_cross_entropy_grad",
    "softmax_cross_entropy_grad_hess",
    "softmax_cross_entropy_partial",
    "softmax_cross_entropy_value_and_grad",
]

# A topic is loaded when one of its names is first asked for, and so are the modules, which need numpy.random: that takes longer
# than all the rest.
_TOPICS = {
    "_linear.functions": ("linear_cross_entropy", "linear_cross_entropy_value_and_grad"),
    "_partials.functions": ("softmax_cross_entropy_combine", "softmax_cross_entropy_combine_grad",
                            "softmax_cross_entropy_partial"),
    "_probabilities.functions": ("cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence", "log_loss"),
    "_sigmoid.functions": ("sigmoid_cross_entropy", "sigmoid_cross_entropy_grad", "sigmoid_cross_entropy_grad_hess",
                           "sigmoid_cross_entropy_value_and_grad"),
}
_MODULES = ("capi", "init", "random")


if TYPE_CHECKING:                   # a type checker takes every name for good where there is a __getattr__
    from xentfast import capi, init, random
    from xentfast._linear.functions import linear_cross_entropy, linear_cross_entropy_value_and_grad
    from xentfast._partials.functions import (
        softmax_cross_entropy_combine,
        softmax_cross_entropy_combine_grad,
        softmax_cross_entropy_partial,
    )
    from xentfast._probabilities.functions import cross_entropy, cross_entropy_grad, entropy, kl_divergence, log_loss
    from xentfast._sigmoid.functions import (
        sigmoid_cross_entropy,
        sigmoid_cross_entropy_grad,
        sigmoid_cross_entropy_grad_hess,
        sigmoid_cross_entropy_value_and_grad,
    )
else:
    def __getattr__(name):
        if name in _MODULES:
            return importlib.import_module(f"xentfast.{name}")
        for topic, names in _TOPICS.items():
            if name in names:
                module = importlib.import_module(f"xentfast.{topic}")
                globals().update({one: getattr(module, one) for one in names})      # the next time they are here
                return globals()[name]
        raise AttributeError(f"module 'xentfast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"TYPE_CHECKING", "importlib", "_TOPICS", "_MODULES"})
