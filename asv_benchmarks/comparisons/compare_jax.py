"""A training step in JAX with optax's cross-entropy and with xentfast.jax's, under jit:

    python asv_benchmarks/comparisons/compare_jax.py [--threads 1] [--seconds 0.5] [--quick]

Medians in ms of calls that take turns, in one run: compare ratios, not runs. In brackets how many times longer optax's takes.
"loss" is the mean loss alone, "step" the loss and its gradient by jax.value_and_grad, on ready logits. --threads 1 keeps XLA and
OpenMP on one thread; without it both take what they would.
"""

import argparse
import os

from peers.timing import medians

# Rows and classes: a classifier's batch, an image classifier and a language model's vocabulary.
SHAPES = [(64, 10), (8_192, 1_000), (1_024, 32_000)]
DTYPES = ["float32", "bfloat16"]
QUICK = [(8, 50)]


def limit_threads(count):
    """XLA reads it when JAX makes its first array, OpenMP when it is loaded: JAX and xentfast are imported afterwards."""
    if count == 1:
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["OMP_NUM_THREADS"] = "1"


def calls(shape, dtype):
    """{name: {who: a function without arguments}}"""
    import jax
    import numpy as np
    import optax

    import xentfast.jax

    losses = {
        "optax": lambda logits, targets: optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(),
        "xentfast": xentfast.jax.softmax_cross_entropy,
    }
    rng = np.random.default_rng(0)
    logits = jax.numpy.asarray(rng.standard_normal(shape) * 3, dtype)
    targets = jax.numpy.asarray(rng.integers(shape[1], size=shape[0]), "int32")

    def ready(function):
        function = jax.jit(function)
        return lambda: jax.block_until_ready(function(logits, targets))
    return {kind: {who: ready(transform(loss)) for who, loss in losses.items()}
            for kind, transform in (("loss", lambda loss: loss), ("step", jax.value_and_grad))}


def compare(shape, dtype, seconds):
    for kind, functions in calls(shape, dtype).items():
        times = medians(functions, seconds)
        print(f"{shape[0]} × {shape[1]} {dtype}, {kind}: "
              + ", ".join(f"{who} {time * 1e3:.3f} [{times['optax'] / time:.2f}]" for who, time in times.items()), flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, choices=[1], help="by default as many as the libraries take")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each call")
    parser.add_argument("--quick", action="store_true", help="a look at whether it runs, on few logits")
    options = parser.parse_args(arguments)
    limit_threads(options.threads)
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    for shape in QUICK if options.quick else SHAPES:
        for dtype in DTYPES:
            compare(shape, dtype, 0 if options.quick else options.seconds)


if __name__ == "__main__":
    main()
