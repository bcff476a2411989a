"""What is measured of the functions on Dask arrays, by Dask's threads: graph, tasks and results. Rows are as in `losses`; a new
public name gets a line in FUNCTIONS.

What a call allocates is Dask's graph, and no concern of ours: there is no benchmark of memory (compare_dask.py has the peak).
"""

from typing import NamedTuple

from .weights import FUNCTIONS as WEIGHTS

# As in `losses`.
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
