"""Types that several public functions share. Type checkers alone read them: there is nothing here when Python runs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import EllipsisType
    from typing import Literal, TypeAlias

    import numpy as np
    from numpy.random import BitGenerator, Generator
    from numpy.random.bit_generator import ISeedSequence
    from numpy.typing import NDArray
    from typing_extensions import TypeVar  # typing has defaults from Python 3.13 on; type checkers bring this module

    # Losses: float64 for float64 logits, else float32, which array_like does not tell.
    Reduction: TypeAlias = Literal["mean", "sum", "none"]
    Loss: TypeAlias = np.float32 | np.float64
    Losses: TypeAlias = NDArray[np.float32 | np.float64]
    # The dtype of logits, which that of their gradient is; integers become float64.
    Float = TypeVar("Float", bound=np.floating)
    Axes: TypeAlias = int | tuple[int, ...]

    # Weights.
    Shape: TypeAlias = int | Sequence[int]
    Rng: TypeAlias = int | Sequence[int] | ISeedSequence | Generator | BitGenerator | None
    Index: TypeAlias = int | slice | EllipsisType | tuple[int | slice | EllipsisType, ...] | None
    Dtype = TypeVar("Dtype", bound=np.generic, default=np.float32)
    DtypeOf: TypeAlias = type[Dtype] | np.dtype[Dtype]
    Nonlinearity: TypeAlias = Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu", "gelu", "silu"]
    Fan: TypeAlias = Literal["fan_in", "fan_out", "fan_avg"]
    Distribution: TypeAlias = Literal["uniform", "normal", "truncated_normal"]
