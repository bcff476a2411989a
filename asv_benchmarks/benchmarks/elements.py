"""What is measured of the elementwise losses. A new public function gets a line in FUNCTIONS.

Rows are as in `losses`. An option that is an array has the shape that `element_calls` gives it.
"""

from typing import NamedTuple

from .losses import FLOATS, OUT, THREADS

# As in `losses`.
VERSION = "1"
DEFAULTS = {"dtype": "float32", "n_threads": 1, "out": "new", "targets": "float32", "option": "none"}
HALVES = ["float16", "bfloat16"]


class Function(NamedTuple):
    out: tuple          # where its result can go

    @property
    def time(self):
        return self.rows(TIME)

    @property
    def memory(self):
        return self.rows(MEMORY)

    def rows(self, every):
        """Without the places where the result cannot go."""
        return {name: row | {"out": [out for out in row["out"] if out in self.out]} if "out" in row else row
                for name, row in every.items()}


FUNCTIONS = {
    "sigmoid_cross_entropy": Function(("new",)),
    "sigmoid_cross_entropy_grad": Function(("new", "given", "in place")),
    "sigmoid_cross_entropy_value_and_grad": Function(("new", "given", "in place")),
    "sigmoid_cross_entropy_grad_hess": Function(("new", "given", "in place")),
}
TIME = {
    # What a call costs before any arithmetic.
    "small": {"shape": [(10,), (64, 10)], "n_threads": None},
    # Either side of the work from which a second thread pays.
    "grain": {"shape": [(16, 1000), (64, 1000)], "n_threads": THREADS},
    "middle": {"shape": [(1024, 1000)], "dtype": FLOATS + HALVES, "n_threads": THREADS},
    # Past the cache.
    "large": {"shape": [(4096, 4096)], "n_threads": THREADS, "out": OUT},
    "target_dtype": {"shape": [(1024, 1000)], "targets": ["bool", "int64", "float64"]},
    "option": {"shape": [(1024, 1000)], "option": ["label_smoothing", "pos_weight", "sample_weight", "focal_gamma", "every one"]},
    "strided": {"shape": [(1024, 1000)], "option": "transposed"},
}
MEMORY = {
    "middle": {"shape": [(1024, 1000)], "dtype": ["float16", "float32"], "out": OUT},
    "target_dtype": {"shape": [(1024, 1000)], "targets": ["int32"]},
    "option": {"shape": [(1024, 1000)], "option": ["every one"]},
}
