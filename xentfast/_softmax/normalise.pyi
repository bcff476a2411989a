from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xentfast._base.typing import Axes, Float

__all__ = ["log_softmax", "logsumexp", "softmax"]

@overload
def softmax(
    x: NDArray[Float], axis: Axes | None = -1, *, where: ArrayLike | None = None, out: NDArray[Float] | None = None,
    n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def softmax(
    x: ArrayLike, axis: Axes | None = -1, *, where: ArrayLike | None = None, out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def log_softmax(
    x: NDArray[Float], axis: Axes | None = -1, *, where: ArrayLike | None = None, out: NDArray[Float] | None = None,
    n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def log_softmax(
    x: ArrayLike, axis: Axes | None = -1, *, where: ArrayLike | None = None, out: NDArray[Any] | None = None,
    n_threads: int | None = None,
) -> NDArray[Any]: ...

@overload
def logsumexp(
    x: NDArray[Float], axis: Axes | None = -1, *, b: ArrayLike | None = None,
    where: ArrayLike | None = None, keepdims: Literal[True], out: None = None, n_threads: int | None = None,
) -> NDArray[Float]: ...
@overload
def logsumexp(
    x: NDArray[Float], axis: None, *, b: ArrayLike | None = None,
    where: ArrayLike | None = None, keepdims: Literal[False] = False, out: None = None, n_threads: int | None = None,
) -> Float: ...
@overload
def logsumexp(
    x: NDArray[Float], axis: Axes | None = -1, *, b: ArrayLike | None = None,
    where: ArrayLike | None = None, keepdims: bool = False, out: None = None, n_threads: int | None = None,
) -> Float | NDArray[Float]: ...
@overload
def logsumexp(
    x: ArrayLike, axis: Axes | None = -1, *, b: ArrayLike | None = None,
    where: ArrayLike | None = None, keepdims: bool = False, out: None = None, n_threads: int | None = None,
) -> np.floating | NDArray[Any]: ...
@overload
def logsumexp(
    x: ArrayLike, axis: Axes | None = -1, *, b: ArrayLike | None = None,
    where: ArrayLike | None = None, keepdims: bool = False, out: NDArray[Float], n_threads: int | None = None,
) -> NDArray[Float]: ...
