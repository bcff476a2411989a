"""What is measured of xentfast.torch. A new public function gets a line in FUNCTIONS, or in EXEMPT with a reason.

Rows are as in `softmax`. `step` is "loss", without a gradient, "training", with the backward pass, or "compiled": training of
what torch.compile makes of the loss. PyTorch is imported for these calls alone; where it is not installed, all of it is n/a.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from . import init
from .arrays import PERIOD, repeated


class Function(NamedTuple):
    time: dict
    memory: dict


STEPS = ["loss", "training"]
DEFAULTS = {"dtype": "float32", "n_threads": 1}

FUNCTIONS = {
    "torch.cross_entropy": Function(
        time={
            "small": {"shape": [(64, 10)], "step": STEPS},
            "middle": {"shape": [(1024, 1000)], "step": STEPS, "dtype": ["float32", "bfloat16"]},
            "wide": {"shape": [(256, 32_000)], "step": STEPS, "n_threads": [1, 2]},
            "vocabulary": {"shape": [(256, 50_257)], "step": ["training", "compiled"]},
            "inner_axis": {"shape": [(16, 128, 28, 28)], "step": STEPS},
        },
        memory={"wide": {"shape": [(256, 32_000)], "step": STEPS, "dtype": ["float32", "bfloat16"]}},
    ),
    "torch.init.he_normal_": Function(
        time={"small": {"shape": [(16, 16)]}, "large": {"shape": [(1024, 4096)], "dtype": ["float32", "bfloat16"]}},
        memory={"large": {"shape": [(1024, 4096)]}},
    ),
    # A module of linear layers, as many as the first axis is long.
    "torch.init_module": Function(
        time={"small": {"shape": [(10, 16, 16)]}, "model": {"shape": [(50, 256, 256)], "n_threads": [1, 2]}},
        memory={"model": {"shape": [(50, 256, 256)]}},
    ),
}
EXEMPT = {
    "torch.CrossEntropyLoss": "calls torch.cross_entropy",
    "torch.init.eye_": "is torch.init.identity_",
    "torch.init.init_module": "is torch.init_module",
} | {f"torch.{function}_": f"is {function}, on the way of torch.init.he_normal_"
     for function in init.FUNCTIONS | init.ALIASES
     if function.startswith("init.") and function not in ("init.he_normal", "init.fill", "init.fans", "init.gain")}

# As in `softmax`.
VERSION = "1"


def make_call(function, **values):
    import torch

    import xentfast.torch

    make = {"torch.cross_entropy": loss_call, "torch.init.he_normal_": fill_call, "torch.init_module": module_call}[function]
    return make(torch, xentfast.torch, **values)


def loss_call(torch, ours, *, shape, step, dtype, n_threads):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(repeated(rng.standard_normal(PERIOD), shape, "float32")).to(getattr(torch, dtype))
    target = torch.from_numpy(rng.integers(shape[1], size=shape[:1] + shape[2:]))
    if step == "loss":
        return partial(ours.cross_entropy, logits, target, n_threads=n_threads)
    logits.requires_grad_()

    def loss(logits):
        return ours.cross_entropy(logits, target, n_threads=n_threads)
    if step == "compiled":
        loss = torch.compile(loss, fullgraph=True, dynamic=False)

    def training():
        logits.grad = None
        loss(logits).backward()
        gradient = logits.grad
        return (gradient.view(torch.int16) if dtype == "bfloat16" else gradient).numpy()    # an array, whose bytes are counted
    return partial(training)


def fill_call(torch, ours, *, shape, dtype, n_threads):
    tensor = torch.zeros(shape, dtype=getattr(torch, dtype))
    return partial(ours.init.he_normal_, tensor, rng=0, name="layer.weight", n_threads=n_threads)


def module_call(torch, ours, *, shape, dtype, n_threads):
    layers = [torch.nn.Linear(*shape[1:], bias=False) for _ in range(shape[0])]
    return partial(ours.init_module, torch.nn.Sequential(*layers), rng=0, n_threads=n_threads)
