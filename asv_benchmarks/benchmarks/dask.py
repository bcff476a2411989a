"""What is measured of the functions on Dask arrays, by Dask's threads: graph, tasks and results. Rows are as in `softmax`; a new
public name gets a line in FUNCTIONS.

What a call allocates is Dask's graph, and no concern of ours: there is no benchmark of memory, whose peak
comparisons/compare_dask.py has.
"""

from functools import partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np

import xentfast

from .arrays import PERIOD, repeated
from .init import FUNCTIONS as WEIGHTS

# As in `softmax`.
VERSION = "1"
# `cut`: blocks have whole rows, or parts of them as well. `compute`: or the graph alone is made.
DEFAULTS = {"cut": "rows", "compute": True, "option": "none"}


class Function(NamedTuple):
    time: dict
    memory: dict = {}


GRAPH = {"shape": [(1024, 4096)], "compute": False}
LOSS = Function({
    "graph": GRAPH | {"cut": ["rows", "both"]},
    "blocks": {"shape": [(1024, 4096)], "cut": ["rows", "both"]},
    "option": {"shape": [(1024, 4096)], "option": ["label_smoothing", "sample_weight"]},
})
ELEMENTWISE = Function({"graph": GRAPH, "blocks": {"shape": [(1024, 4096)], "cut": ["rows", "both"]}})
INITIALISER = Function({"graph": GRAPH, "blocks": {"shape": [(1024, 4096)], "cut": ["rows", "both"]}})

# Those that one array has no part of, and what is no array.
ABSENT = ("init.orthogonal", "init.dirac", "init.fill", "init.fans", "init.gain")
FUNCTIONS = {
    "dask.softmax_cross_entropy": LOSS,
    "dask.softmax_cross_entropy_grad": LOSS,
    "dask.softmax_cross_entropy_value_and_grad": LOSS,
    "dask.softmax_cross_entropy_grad_hess": LOSS,
    "dask.perplexity": ELEMENTWISE,
    "dask.sigmoid_cross_entropy": LOSS,
    "dask.sigmoid_cross_entropy_grad": LOSS,
    "dask.sigmoid_cross_entropy_value_and_grad": LOSS,
    "dask.sigmoid_cross_entropy_grad_hess": LOSS,
    "dask.softmax": ELEMENTWISE,
    "dask.log_softmax": ELEMENTWISE,
    "dask.logsumexp": ELEMENTWISE,
    "dask.cross_entropy": ELEMENTWISE,
    "dask.cross_entropy_grad": ELEMENTWISE,
    "dask.entropy": ELEMENTWISE,
    "dask.kl_divergence": ELEMENTWISE,
    "dask.log_loss": ELEMENTWISE,
} | {f"dask.{name}": INITIALISER for name in WEIGHTS if name.startswith("init.") and name not in ABSENT}
ALIASES = {
    "dask.init.glorot_normal": "dask.init.xavier_normal",
    "dask.init.glorot_uniform": "dask.init.xavier_uniform",
    "dask.init.kaiming_normal": "dask.init.he_normal",
    "dask.init.kaiming_uniform": "dask.init.he_uniform",
}
NO_MEMORY = dict.fromkeys(FUNCTIONS, "allocates a graph")

OPTIONS = {"none": {}, "label_smoothing": {"label_smoothing": 0.1}}
# Of either axis.
BLOCKS = 4


def make_call(function, *, shape, cut, compute, option):
    """Dask arrays over arrays in memory, and a call that makes a graph and computes it."""
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
