"""What is measured of xentfast.jax. A new public function gets a line in FUNCTIONS.

Rows are as in `softmax`. `step` is "loss", "training" (by jax.value_and_grad, under jit) or "eager" (the same without jit, which
JAX traces anew each time). JAX is imported for these calls alone; where it is not installed, all of it is n/a.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from .arrays import PERIOD, repeated


class Function(NamedTuple):
    time: dict
    memory: dict


STEPS = ["loss", "training"]
DEFAULTS = {"dtype": "float32", "n_threads": 1, "step": "both"}

FUNCTIONS = {
    "jax.softmax_cross_entropy": Function(
        time={
            "small": {"shape": [(64, 10)], "step": [*STEPS, "eager"]},
            "middle": {"shape": [(1024, 1000)], "step": STEPS, "dtype": ["float32", "bfloat16"]},
            "wide": {"shape": [(256, 32_000)], "step": STEPS, "n_threads": [1, 2]},
        },
        memory={},
    ),
    "jax.softmax_cross_entropy_value_and_grad": Function(
        time={"small": {"shape": [(64, 10)]}, "wide": {"shape": [(256, 32_000)], "n_threads": [1, 2]}},
        memory={},
    ),
}

NO_MEMORY = dict.fromkeys(FUNCTIONS, "XLA allocates, which Python does not count")

# As in `softmax`.
VERSION = "1"


def make_call(function, *, shape, step, dtype, n_threads):
    import jax

    import xentfast.jax as ours

    rng = np.random.default_rng(0)
    cpu = jax.devices("cpu")[0]
    logits = jax.device_put(repeated(rng.standard_normal(PERIOD), shape, "float32"), cpu).astype(dtype)
    targets = jax.device_put(rng.integers(shape[1], size=shape[0]).astype(np.int32), cpu)
    if function == "jax.softmax_cross_entropy_value_and_grad":
        transformed = jax.jit(partial(ours.softmax_cross_entropy_value_and_grad, n_threads=n_threads))
    else:
        loss = partial(ours.softmax_cross_entropy, n_threads=n_threads)
        eager = jax.value_and_grad(loss)
        transformed = {"loss": jax.jit(loss), "training": jax.jit(eager), "eager": eager}[step]

    return lambda: jax.block_until_ready(transformed(logits, targets))
