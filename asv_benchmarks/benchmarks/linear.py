"""What is measured of the linear layer's loss. A shape is (rows, features, classes). Rows are as in `losses`; a new public
function gets a line in FUNCTIONS."""

from typing import NamedTuple


class Function(NamedTuple):
    time: dict
    memory: dict


# Most of the time is BLAS's, which has as many threads as it likes: `n_threads` are those of the loss.
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "targets": "int64", "ignored": 0.0, "memory_mib": None}
DTYPES = ["float32", "float64", "float16", "bfloat16"]

TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(1, 16, 10), (64, 16, 10)], "n_threads": None},
    "few_classes": {"shape": [(65_536, 16, 10)]},
    "wide": {"shape": [(512, 256, 32_000)], "dtype": DTYPES},
    # From a few rows a chunk, whose products are small, to all of them.
    "memory_limit": {"shape": [(512, 256, 32_000)], "memory_mib": [4, 16, 64, 256]},
    "ignored": {"shape": [(512, 256, 32_000)], "ignored": [0.1, 0.5]},
    "soft_targets": {"shape": [(512, 256, 4000)], "targets": "soft"},
}
GRADIENT = TIME | {"given": {"shape": [(512, 256, 32_000)], "out": "given"}}
MEMORY = {
    "wide": {"shape": [(512, 256, 32_000)], "dtype": DTYPES, "memory_mib": [16, None]},
    "ignored": {"shape": [(512, 256, 32_000)], "ignored": [0.5]},
}
FUNCTIONS = {"linear_cross_entropy": Function(TIME, MEMORY), "linear_cross_entropy_value_and_grad": Function(GRADIENT, MEMORY)}

# As in `losses`.
VERSION = "1"
