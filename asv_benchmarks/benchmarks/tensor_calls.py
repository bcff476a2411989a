"""A case of the table `tensors` made real: tensors in memory and a call on them. PyTorch is imported for these cases alone."""

from functools import partial

import numpy as np

from .loss_calls import PERIOD, repeated


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

    def training():
        logits.grad = None
        ours.cross_entropy(logits, target, n_threads=n_threads).backward()
        gradient = logits.grad
        return (gradient.view(torch.int16) if dtype == "bfloat16" else gradient).numpy()    # an array, whose bytes are counted
    return partial(training)


def fill_call(torch, ours, *, shape, dtype, n_threads):
    tensor = torch.zeros(shape, dtype=getattr(torch, dtype))
    return partial(ours.init.he_normal_, tensor, rng=0, name="layer.weight", n_threads=n_threads)


def module_call(torch, ours, *, shape, dtype, n_threads):
    layers = [torch.nn.Linear(*shape[1:], bias=False) for _ in range(shape[0])]
    return partial(ours.init_module, torch.nn.Sequential(*layers), rng=0, n_threads=n_threads)
