"""What is measured of partial results, over one slice that has all classes. Rows are as in `losses`."""

from typing import NamedTuple


class Function(NamedTuple):
    time: dict
    memory: dict


THREADS = [1, 2]
FLOATS = ["float32", "float64"]
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "option": "none"}

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 10), (64, 10)], "n_threads": None},
    "middle": {"shape": [(1024, 1000)], "dtype": ["float16", *FLOATS], "n_threads": THREADS},
    "wide": {"shape": [(256, 32_000)], "n_threads": THREADS},
    "option": {"shape": [(1024, 1000)], "option": ["label_smoothing", "softcap"]},
    "one_row": {"shape": [(1, 1_000_000)], "n_threads": THREADS},
}
GRADIENT = TIME | {"wide": TIME["wide"] | {"out": ["given", "in place"]}}
MEMORY = {"wide": {"shape": [(256, 32_000)], "n_threads": 2}}

FUNCTIONS = {
    "softmax_cross_entropy_partial": Function(TIME, MEMORY),
    "softmax_cross_entropy_combine": Function(TIME, MEMORY),
    "softmax_cross_entropy_combine_grad": Function(GRADIENT, MEMORY | {"wide": MEMORY["wide"] | {"out": ["new", "in place"]}}),
}

# As in `losses`.
VERSION = "1"
