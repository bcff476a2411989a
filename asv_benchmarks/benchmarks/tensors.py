"""What is measured of xentfast.torch. A new public function gets a line in FUNCTIONS, or in EXEMPT with a reason.

Rows are as in `losses`. `step` is "loss", without a gradient, or "training", with the backward pass. Where PyTorch is not
installed, all of it is n/a.
"""

from typing import NamedTuple

from . import weights


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
     for function in weights.FUNCTIONS | weights.ALIASES
     if function.startswith("init.") and function not in ("init.he_normal", "init.fill", "init.fans", "init.gain")}

# As in `losses`.
VERSION = "1"
