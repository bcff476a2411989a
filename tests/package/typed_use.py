"""What users' type checkers make of the public functions, in a few calls. `nox -s types` checks it; test_types.py runs it."""

from functools import partial
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import xentfast as xf

Loss = np.float32 | np.float64
Losses = NDArray[np.float32 | np.float64]

single: NDArray[np.float32] = np.zeros((2, 3), np.float32)
unknown: NDArray[Any] = single
rows = [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]]
classes = [0, 1]


def losses() -> None:
    """A mean is a number, "none" gives an array."""
    assert_type(xf.softmax_cross_entropy(single, classes), Loss)
    assert_type(xf.softmax_cross_entropy(rows, classes, reduction="sum"), Loss)
    assert_type(xf.softmax_cross_entropy(single, classes, reduction="none"), Losses)
    assert_type(xf.perplexity(unknown, classes), Loss)
    assert_type(xf.sigmoid_cross_entropy(single, 1.0), Loss)
    assert_type(xf.sigmoid_cross_entropy(single, 1.0, reduction="none"), Losses)
    assert_type(xf.sigmoid_cross_entropy(single, 1.0, where=single > 0, ignore_index=-1), Loss)
    assert_type(xf.linear_cross_entropy(single, rows, classes), Loss)
    assert_type(float(xf.softmax_cross_entropy(single, classes)) + 1.0, float)

    partials = xf.softmax_cross_entropy_partial(single, classes, first_class=0, n_classes=3)
    assert_type(partials, NDArray[np.float64])
    assert_type(xf.softmax_cross_entropy_combine(partials, classes, n_classes=3), Loss)
    assert_type(xf.softmax_cross_entropy_combine(partials, classes, n_classes=3, reduction="none"), Losses)


def gradients() -> None:
    """They have the dtype of the logits, where that is known."""
    assert_type(xf.softmax_cross_entropy_grad(single, classes), NDArray[np.float32])
    assert_type(xf.softmax_cross_entropy_grad(single.astype(np.float16), classes), NDArray[np.float16])
    assert_type(xf.softmax_cross_entropy_grad(rows, classes), NDArray[Any])
    assert_type(xf.softmax_cross_entropy_grad(unknown, classes), NDArray[Any])
    assert_type(xf.softmax_cross_entropy_value_and_grad(single, classes), tuple[Loss, NDArray[np.float32]])
    assert_type(xf.softmax_cross_entropy_value_and_grad(single, classes, reduction="none"), tuple[Losses, NDArray[np.float32]])
    assert_type(xf.softmax_cross_entropy_value_and_grad(rows, classes), tuple[Loss, NDArray[Any]])
    assert_type(xf.softmax_cross_entropy_grad_hess(single, classes), tuple[NDArray[np.float32], NDArray[np.float32]])
    assert_type(xf.sigmoid_cross_entropy_grad(single, 1.0), NDArray[np.float32])
    assert_type(xf.sigmoid_cross_entropy_value_and_grad(single, 1.0), tuple[Loss, NDArray[np.float32]])

    loss, (d_hidden, d_weight, d_bias) = xf.linear_cross_entropy_value_and_grad(single, rows, classes, bias=[0.0, 0.0])
    assert_type(loss, Loss)
    assert_type(d_bias, NDArray[Any])
    assert_type(xf.linear_cross_entropy_value_and_grad(single, rows, classes)[1][2], None)


def normalised() -> None:
    assert_type(xf.softmax(single), NDArray[np.float32])
    assert_type(xf.softmax(single, where=[True, False, True]), NDArray[np.float32])
    assert_type(xf.log_softmax(rows, axis=0), NDArray[Any])
    assert_type(xf.logsumexp(single), np.float32 | NDArray[np.float32])
    assert_type(xf.logsumexp(single, None), np.float32)
    assert_type(xf.logsumexp(single, None, b=rows, where=True), np.float32)
    assert_type(xf.logsumexp(single, keepdims=True), NDArray[np.float32])
    assert_type(xf.logsumexp(rows), np.floating | NDArray[Any])
    assert_type(xf.logsumexp(single, out=np.empty(2, np.float32)), NDArray[np.float32])


def probabilities() -> None:
    p = np.full((2, 4), 0.25, np.float32)
    assert_type(xf.entropy(p), Loss | Losses)
    assert_type(xf.entropy(p, axis=None), Loss)
    assert_type(xf.kl_divergence(p, p, keepdims=True), Losses)
    assert_type(xf.cross_entropy_grad(p, p), NDArray[np.float32])
    assert_type(xf.log_loss([0, 1], [0.25, 0.75]), float)
    assert_type(xf.log_loss([0, 1], y_proba=[0.25, 0.75]), float)


def weights() -> None:
    """float32 unless `dtype` says something else; a dtype's name says nothing to a type checker."""
    assert_type(xf.init.he_normal((2, 3), rng=7), NDArray[np.float32])
    assert_type(xf.init.uniform(3, dtype=np.float64), NDArray[np.float64])
    assert_type(xf.init.zeros(3, dtype=single.dtype), NDArray[np.float32])
    assert_type(xf.init.ones(3, dtype="float16"), NDArray[Any])
    assert_type(xf.init.normal((2, 3), dtype=np.float32, out=single.copy()), NDArray[np.float32])
    assert_type(xf.init.fill({"w": (partial(xf.init.normal, std=0.1), (2, 3)), "b": (xf.init.zeros, single.copy())}),
                dict[str, NDArray[Any]])
    assert_type(xf.init.fans((2, 3)), tuple[int, int])
    assert_type(xf.random.Philox4x32(7).jumped(), xf.random.Philox4x32)
    assert_type(xf.random.key(np.random.default_rng(7)), xf.random.Key)


def c_functions() -> None:
    assert_type(xf.capi.table(), xf.capi.Api)


def boosting() -> None:
    """The forms that the libraries want; tests/boosting has these themselves."""
    from xentfast.boosting import SigmoidMetric, SigmoidObjective, base_margin

    labels, margins = np.ones(2), np.zeros(2)
    assert_type(SigmoidObjective()(labels, margins), tuple[NDArray[Any], NDArray[Any]])
    assert_type(SigmoidMetric("lightgbm")(labels, margins), tuple[str, float, bool])
    assert_type(SigmoidMetric("xgboost")(labels, margins), float)
    assert_type(base_margin([0, 2], 3), NDArray[np.float64])


def torch() -> None:
    import torch

    import xentfast.torch as xt

    logits = torch.zeros(2, 3, requires_grad=True)
    assert_type(xt.cross_entropy(logits, torch.tensor(classes)), torch.Tensor)
    assert_type(xt.init.zeros_(logits.detach()), torch.Tensor)
    assert_type(xt.init_module(torch.nn.Linear(2, 3), rng=7), torch.nn.Linear)


def jax() -> None:
    import jax

    import xentfast.jax as xj

    logits, targets = jax.numpy.zeros((2, 3)), np.array(classes)
    assert_type(xj.softmax_cross_entropy(logits, targets), jax.Array)
    assert_type(xj.softmax_cross_entropy_value_and_grad(logits, targets), tuple[jax.Array, jax.Array])


def dask() -> None:
    import dask.array as da

    import xentfast.dask as xd

    logits: da.Array = da.zeros((2, 3), chunks=1)
    assert_type(xd.softmax_cross_entropy(logits, classes), da.Array)
    assert_type(xd.softmax_cross_entropy(logits, xd.softmax(logits)), da.Array)
    assert_type(xd.init.normal((2, 3), rng=7, chunks=(1, 2)), da.Array)
