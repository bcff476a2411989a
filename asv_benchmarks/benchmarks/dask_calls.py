"""A case of the table `on_dask` made real: Dask arrays over arrays in memory, and a call that makes a graph and computes it."""

from functools import partial
from operator import attrgetter

import numpy as np

import xentfast

from .loss_calls import PERIOD, repeated

OPTIONS = {"none": {}, "label_smoothing": {"label_smoothing": 0.1}}
# Of either axis.
BLOCKS = 4


def make_call(function, *, shape, cut, compute, option):
    n_rows, n_classes = shape
    chunks = (max(1, n_rows // BLOCKS), n_classes if cut == "rows" else max(1, n_classes // BLOCKS))
    name = function.removeprefix("dask.")
    if name.startswith("init."):
        keywords = {} if name.split(".")[1] in ("constant", "zeros", "ones", "identity") else {"rng": 0, "name": "layer/weight"}
        keywords |= {"init.sparse": {"sparsity": 0.9}, "init.constant": {"value": 0.5}}.get(name, {})
        return partial(computed, function, compute, shape, chunks=chunks, **keywords)
    import dask.array as da

    rng = np.random.default_rng(0)
    logits = repeated(rng.standard_normal(PERIOD), shape, "float32")
    keywords = OPTIONS.get(option, {})
    if option == "sample_weight":
        keywords = {"sample_weight": rng.random(n_rows if name.startswith("softmax") else shape)}
    if name in ("cross_entropy", "cross_entropy_grad", "entropy", "kl_divergence", "log_loss"):
        logits = xentfast.softmax(logits)
    lazy = da.from_array(logits, chunks=chunks, name=False)
    labels = rng.integers(0, n_classes, n_rows)
    if name in ("softmax", "log_softmax", "logsumexp", "entropy"):
        arguments = [lazy]
    elif name == "log_loss":
        arguments, keywords = [labels, lazy], {"labels": np.arange(n_classes)}
    elif name.startswith("sigmoid"):
        arguments = [lazy, repeated(rng.integers(0, 2, PERIOD), shape, "int8")]
    elif name.startswith("softmax") or name == "perplexity":
        arguments = [lazy, labels]
    else:
        arguments = [lazy, lazy]
    return partial(computed, function, compute, *arguments, **keywords)


def computed(function, compute, *arguments, **keywords):
    result = attrgetter(function)(xentfast)(*arguments, **keywords)
    if compute:
        import dask

        dask.persist(result, scheduler="threads")
