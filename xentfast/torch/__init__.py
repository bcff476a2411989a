"""In PyTorch: cross-entropy under autograd and torch.compile, and initialisers that fill tensors. CPU tensors, no copies."""

try:
    import ml_dtypes  # noqa: F401  bfloat16 for NumPy
    import torch  # noqa: F401
except ImportError as _error:
    raise ImportError('xentfast.torch needs PyTorch and ml_dtypes: pip install "xentfast[torch]"') from _error

from xentfast.torch import init
from xentfast.torch._cross_entropy import CrossEntropyLoss, cross_entropy
from xentfast.torch._module import init_module

__all__ = ["CrossEntropyLoss", "cross_entropy", "init", "init_module"]
