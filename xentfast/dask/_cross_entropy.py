"""Softmax cross-entropy on Dask arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentfast.dask._cross_entropy_graph import CrossEntropyGraph
from xentfast.dask._graphs import apply, item

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


def softmax_cross_entropy(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.softmax_cross_entropy`, on Dask arrays.

    Parameters
    ----------
    logits : dask.array.Array
        Of NumPy blocks of known sizes, cut over rows, over the class axis, or both.
    targets : dask or numpy array
        As there. Cut otherwise than `logits`, it is cut anew (lazily), and so are `sample_weight` and `where`.
    axis, ignore_index, label_smoothing, z_loss, logit_scale, softcap, reduction, empty
        As there.
    weight, sample_weight, where : dask or numpy array, optional
        As there.
    n_threads : int, default 1
        Threads for each block. Dask runs as many blocks at a time as it has threads; None for as many threads as OpenMP
        would start.

    Returns
    -------
    loss : dask.array.Array
        Of no axes, or for "none" cut as the rows of `logits` are; of the dtype that is described there.

    Raises
    ------
    ValueError, TypeError
        An array or an option is not as described: at once. What only the values show (a target that is no class, an
        infinite weight) is raised when the loss is computed, with the place in the whole array.

    Notes
    -----
    Every block of logits is read once. Where a block has all classes of its rows it gives the rows' losses, else its partial
    results (`xentfast.softmax_cross_entropy_partial`), 72 bytes for 2 048 logits, which are joined for each row. Losses are
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
        label_smoothing=label_smoothing, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap, where=where,
        reduction=reduction, n_threads=n_threads)
    return graph.reduced(graph.losses(), empty)


def softmax_cross_entropy_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    n_threads: int | None = 1,
) -> da.Array:
    r"""As `xentfast.softmax_cross_entropy_grad`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing
        As for `xentfast.dask.softmax_cross_entropy`.
    z_loss, logit_scale, softcap, where, reduction, n_threads
        As there. With "none" the result is the gradient of the sum.

    Returns
    -------
    grad : dask.array.Array
        Of the shape, dtype and chunks of `logits`.

    Raises
    ------
    ValueError, TypeError
        As there.

    Notes
    -----
    What the mean is divided by comes from targets and weights alone, so that a block's gradient needs no other block of
    logits, unless they share rows.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> import xentfast.dask as xd
    >>> logits = da.zeros((2, 4), chunks=(1, 2), dtype=np.float32)
    >>> xd.softmax_cross_entropy_grad(logits, [2, 0], reduction="sum").compute()
    array([[ 0.25,  0.25, -0.75,  0.25],
           [-0.75,  0.25,  0.25,  0.25]], dtype=float32)
    """
    graph = CrossEntropyGraph(
        logits, targets, axis=axis, weight=weight, sample_weight=sample_weight, ignore_index=ignore_index,
        label_smoothing=label_smoothing, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap, where=where,
        reduction=reduction, n_threads=n_threads)
    return graph.gradient(graph.partial_results())


def softmax_cross_entropy_value_and_grad(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    logit_scale: float = 1.0,
    softcap: float | None = None,
    where: Arrays | None = None,
    reduction: Reduction = "mean",
    empty: float = float("nan"),
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    """Loss and gradient, to be computed together: from one pass over each block that has all classes of its rows.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing
        As for `xentfast.dask.softmax_cross_entropy`.
    z_loss, logit_scale, softcap, where, reduction, empty, n_threads
        As there.

    Returns
    -------
    loss, grad : dask.array.Array
        As from the two functions, with the same bits. ``dask.compute(loss, grad)`` shares what they share.

    Raises
    ------
    ValueError, TypeError
        As there.

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
        label_smoothing=label_smoothing, z_loss=z_loss, logit_scale=logit_scale, softcap=softcap, where=where,
        reduction=reduction, n_threads=n_threads)
    if graph.whole:
        both = graph.of_whole_rows("both", graph.labels, graph.divisor)
        losses = apply(item, graph.row_labels, (both, graph.labels), dtype=graph.values_dtype, number=0)
        grad = apply(item, graph.labels, (both, graph.labels), dtype=graph.logits.dtype, number=1)
        return graph.reduced(losses, empty), grad
    records = graph.partial_results()
    return graph.reduced(graph.losses(records), empty), graph.gradient(records)


def softmax_cross_entropy_grad_hess(
    logits: da.Array,
    targets: Arrays,
    *,
    axis: int = -1,
    weight: Arrays | None = None,
    sample_weight: Arrays | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    where: Arrays | None = None,
    reduction: Reduction = "sum",
    n_threads: int | None = 1,
) -> tuple[da.Array, da.Array]:
    r"""As `xentfast.softmax_cross_entropy_grad_hess`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, label_smoothing, where, reduction, n_threads
        As for `xentfast.dask.softmax_cross_entropy_grad`. Where `logits` are cut over the class axis, the blocks of the same rows
        become one: cut the rows so that it fits in memory.

    Returns
    -------
    grad, hess : dask.array.Array
        Of the shape and dtype of `logits`, with all classes in one block. Compute them together: one task makes both.

    Raises
    ------
    ValueError, TypeError
        As there.

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
        label_smoothing=label_smoothing, where=where, reduction=reduction, n_threads=n_threads, whole=True)
    both = graph.of_whole_rows("hessian", graph.labels, graph.divisor)
    return tuple(apply(item, graph.labels, (both, graph.labels), dtype=graph.logits.dtype, number=number) for number in (0, 1))


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
    r"""As `xentfast.perplexity`, on Dask arrays.

    Parameters
    ----------
    logits, targets, axis, weight, sample_weight, ignore_index, logit_scale, softcap, where, empty, n_threads
        As for `xentfast.dask.softmax_cross_entropy`.

    Returns
    -------
    perplexity : dask.array.Array
        Of no axes.

    Raises
    ------
    ValueError, TypeError
        As there.

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
