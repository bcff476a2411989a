"""Time of a call, with its inputs in memory and, of a gradient and of weights, an array given for the result.

Names and arguments are those of the first commits. Numbers of one benchmark are compared over years: none of these calls may
change; what is to be timed otherwise gets a name of its own.
"""

from functools import partial

import numpy as np

import xentfast as xf

try:
    from asv_runner.benchmarks.mark import SkipNotImplemented
except ImportError:                 # the tests run the benchmarks without asv
    SkipNotImplemented = NotImplementedError


class Timed:
    # Rounds of all commits take turns.
    rounds, repeat, sample_time, warmup_time, timeout = 4, 5, 0.01, 0.1, 120
    call = None
    version = "1"


def timed(prepare, name):
    def benchmark(self, *values):
        # Not in a setup method: with one, asv times single calls, which says little about calls of microseconds.
        # asv makes an instance for each combination.
        if self.call is None:
            self.call = prepare(*values)
        self.call()
    benchmark.pretty_name = name
    return benchmark


def loss_call(shape, dtype, options, result):
    rng = np.random.default_rng(0)
    logits = np.resize(rng.standard_normal(99_991).astype(dtype), shape)    # a prime: no row is like the next
    arguments = logits, rng.integers(shape[1], size=shape[0])
    keywords = options | {"n_threads": 1}
    if result == "loss":
        return partial(xf.softmax_cross_entropy, *arguments, **keywords)
    function = xf.softmax_cross_entropy_grad if result == "gradient" else xf.softmax_cross_entropy_value_and_grad
    return partial(function, *arguments, out=np.zeros_like(logits), **keywords)


def fill_call(name, options):
    if not hasattr(xf, "init"):
        raise SkipNotImplemented("there is no init")
    return partial(getattr(xf.init, name), (1024, 4096), rng=0, name="layer/weight", out=np.zeros((1024, 4096), np.float32),
                   n_threads=1, **options)


class SoftmaxCrossEntropy(Timed):
    params = [["loss", "gradient", "both"]]
    param_names = ["result"]


class Init(Timed):
    pass


for name, shape, dtype, options in [
    ("time_1024_by_32000", (1024, 32_000), "float32", {}),
    ("time_1024_by_1000", (1024, 1000), "float32", {}),
    ("time_65536_by_10", (65_536, 10), "float32", {}),
    ("time_1_by_10", (1, 10), "float32", {}),
    ("time_1024_by_1000_float64", (1024, 1000), "float64", {}),
    ("time_1024_by_1000_label_smoothing", (1024, 1000), "float32", {"label_smoothing": 0.1}),
]:
    title = f"cross-entropy, {shape[0]} × {shape[1]}, {dtype}{', smoothed' if options else ''}"
    setattr(SoftmaxCrossEntropy, name, timed(partial(loss_call, shape, dtype, options), title))

for name, options in [("normal", {"std": 0.02}), ("uniform", {"low": -0.1, "high": 0.1}), ("he_normal", {})]:
    setattr(Init, f"time_{name}", timed(partial(fill_call, name, options), f"init.{name}, 1024 × 4096 float32"))


class Import(Timed):
    """Beside NumPy, which is there already: each sample is a process of its own."""

    rounds, repeat, number, version = 4, 5, 1, "1"

    def timeraw_xentfast(self):
        return "import xentfast", "import numpy"

    timeraw_xentfast.pretty_name = "import xentfast"
