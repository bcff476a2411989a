from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray
from typing_extensions import disjoint_base

SEEDS: str

@disjoint_base
class Philox4x32(np.random.BitGenerator):
    def __init__(
        self, seed: None | int | Sequence[int] | ISeedSequence = None, *, key: None | int | Sequence[int] | NDArray[Any] = None,
        counter: int | Sequence[int] | NDArray[Any] = 0,
    ) -> None: ...
    @property
    def state(self) -> dict[str, Any]: ...
    @state.setter
    def state(self, value: Mapping[str, Any]) -> None: ...
    def advance(self, delta: int) -> Self: ...
    def jumped(self, jumps: int = 1) -> Self: ...
