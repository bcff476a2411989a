"""Softmax cross-entropy on Dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentfast.dask._cross_entropy_graph import CrossEntropyGraph
from xentfast.dask._documentation import documented

if TYPE_CHECKING:
    from typing import Any, Protocol

    import dask.array as da
    from numpy.typing import ArrayLike

    from xentfast._base.typing import Reduction

    class DaskArray(Protocol):
        """da.Array, which pyright takes for unknown in part where it is one of several types."""

        def __dask_graph__(self) -> Any: ...

    Arrays = ArrayLike | DaskArray

__all__ = ["perplexity", "softmax_cross_entropy", "softmax_cross_entropy_grad", "softmax_cross_entropy_grad_hess",
           "softmax_cross_entropy_value_and_grad"]


@documented()
def softmax_cross_entropy(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    """As `xentfast.softmax_cross_entropy`, on Dask arrays.

    Parameters
    ----------
    logits : dask.array.Array of float16, bfloat16, float32 or float64
        Unnormalised log-probabilities, of any shape with at least one axis, in NumPy blocks of known sizes, cut over rows,
        over the class axis, or both. Integers become float64. 16 bits (bfloat16 is that of ml_dtypes) are computed in
        float32.
    targets
        Cut otherwise than `logits`, they are cut anew (lazily), and so are `sample_weight` and `where`.

    Returns
    -------
    loss : dask.array.Array
        float64 for float64 logits, else float32; of no axes, or for "none" of the shape of `logits` without `axis`, cut as these
        rows are.

    Notes
    -----
    Every block of logits is read once. Where a block has all classes of its rows it gives the rows' losses, else its partial
    results (`xentfast.softmax_cross_entropy_partial`), 64 bytes for 2 048 logits, which are joined for each row. Losses are
    added in one task, 8 bytes a row, in the order of the rows. Rows cut anywhere, and classes cut at multiples of 2 048 (1 024 of
    float64), give the bits that one machine gives; classes cut elsewhere its accuracy.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((1000, 50), chunks=(100, 50), dtype=np.float32)
    >>> loss = xd.softmax_cross_entropy(logits, np.arange(1000) % 50)
    >>> loss.compute()
    np.float32(3.912023)
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    return graph.reduced(graph.losses(), empty)


@documented(softmax_cross_entropy)
def softmax_cross_entropy_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    n_threads: int | None = 1,
) -> da.Array:
    """As `xentfast.softmax_cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    reduction
        With "none" the result is the gradient of the sum: row i is that of loss i.

    Returns
    -------
    grad : dask.array.Array
        Of the shape, dtype and chunks of `logits`.

    Notes
    -----
    What the mean is divided by comes from targets and weights alone, so that a block's gradient needs no other block of
    logits, unless they share rows. Its bits are those of one machine where the loss's are.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((2, 4), chunks=(1, 2), dtype=np.float32)
    >>> xd.softmax_cross_entropy_grad(logits, [2, 0], reduction="sum").compute()
    array([[ 0.25,  0.25, -0.75,  0.25],
           [-0.75,  0.25,  0.25,  0.25]], dtype=float32)

    >>> half, S = da.zeros((1, 60_000), chunks=20_000, dtype=np.float16), 1024.0
    >>> xd.softmax_cross_entropy_grad(half, [2], sample_weight=[S], reduction="sum")[0, :3].compute()
    array([ 1.706e-02,  1.706e-02, -1.024e+03], dtype=float16)
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    return graph.gradient()


@documented(softmax_cross_entropy)
def softmax_cross_entropy_value_and_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """As `xentfast.softmax_cross_entropy_value_and_grad`, on Dask arrays, to be computed together.

    Blocks that have all classes of their rows are read once, others twice.

    Returns
    -------
    loss, grad : dask.array.Array
        As from `softmax_cross_entropy` and `softmax_cross_entropy_grad`. ``dask.compute(loss, grad)`` shares what they share.

    Examples
    --------
    >>> import dask
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> loss, grad = xd.softmax_cross_entropy_value_and_grad(da.zeros((2, 4), chunks=(1, 4)), [2, 0], reduction="sum")
    >>> loss, grad = dask.compute(loss, grad)
    >>> loss
    np.float64(2.772588722239781)
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap,
        where=where, reduction=reduction, n_threads=n_threads)
    losses, grad = graph.losses_and_gradient()
    return graph.reduced(losses, empty), grad


@documented(softmax_cross_entropy_grad)
def softmax_cross_entropy_grad_hess(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    focal_gamma: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "sum",
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """As `xentfast.softmax_cross_entropy_grad_hess`, on Dask arrays.

    Parameters
    ----------
    logits
        Where they are cut over the class axis, the blocks of the same rows become one: cut the rows so that it fits in
        memory.
    reduction : {"mean", "sum", "none"}, default "sum"
        Of which loss they are; "none" gives what "sum" gives.

    Returns
    -------
    grad, hess : dask.array.Array
        Of the shape and dtype of `logits`, with all classes in one block. Compute them together: one task makes both.

    Examples
    --------
    >>> import dask.array as da
    >>> import xentfast.dask as xd
    >>> grad, hess = xd.softmax_cross_entropy_grad_hess(da.zeros((1, 4)), [2])
    >>> hess.compute()
    array([[0.1875, 0.1875, 0.1875, 0.1875]])
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, focal_gamma=focal_gamma, where=where, reduction=reduction, n_threads=n_threads,
        whole=True)
    return graph.gradient_and_hessian()


@documented(softmax_cross_entropy)
def perplexity(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    """As `xentfast.perplexity`, on Dask arrays.

    Parameters
    ----------
    empty : float, default nan
        What comes out where Σ wᵢ is 0: no rows, every row ignored, or no weight.

    Returns
    -------
    perplexity : dask.array.Array
        float64 for float64 logits, else float32; of no axes. From 1 (certain and right) to C where all classes are equally
        likely, and beyond.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> xd.perplexity(da.zeros((3, 50), chunks=(1, 50), dtype=np.float32), [1, 2, -100]).compute()
    np.float32(50.0)
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        logit_scale=logit_scale, softcap=softcap, where=where, reduction="mean", n_threads=n_threads)
    return graph.reduced(graph.losses(), empty, exponential=True)
