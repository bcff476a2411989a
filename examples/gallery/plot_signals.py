"""
Vanishing and exploding signals
===============================

Why first weights matter: activations go forward through thirty layers, and gradients come back. With weights that are too small
they vanish, with zeros there are none, and each activation has an initialiser that keeps them.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib", "sklearn") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import xentfast as xf

images = (load_digits().data[:256] / 16).astype(np.float32)
batch = (images - images.mean()) / images.std()
width, depth = 256, 30

# %%
# The same network with four kinds of weights and two activations.
kinds = {"zeros": xf.init.zeros, "normal, std 0.01": lambda shape, **where: xf.init.normal(shape, std=0.01, **where),
         "Xavier": xf.init.xavier_normal, "He": xf.init.he_normal}
activations = {"tanh": (np.tanh, lambda a: 1 - a**2), "ReLU": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(a.dtype))}


def spread(make, activation):
    """Standard deviations of activations and of gradients, layer by layer; the gradient starts with 1 at the top."""
    function, slope = activations[activation]
    shapes = [(64, width)] + [(width, width)] * (depth - 1)
    where = {} if make is xf.init.zeros else {"rng": 3}
    weights = [make(shape, **where, **({"name": str(layer)} if where else {})) for layer, shape in enumerate(shapes)]
    outputs = [batch]
    for weight in weights:
        outputs.append(function(outputs[-1] @ weight))
    gradient, gradients = xf.init.normal(outputs[-1].shape, rng=3, name="gradient"), []
    for weight, output in zip(reversed(weights), reversed(outputs), strict=False):
        gradient = gradient * slope(output) @ weight.T
        gradients.append(gradient.std(dtype=float))
    return [output.std(dtype=float) for output in outputs[1:]], gradients[::-1]


# %%
# Layer 1 is at the left; gradients come from the right. Zeros have no place on a logarithmic axis: their line is missing.
figure, axes = plt.subplots(2, 2, figsize=(7, 5), sharex=True, sharey=True, layout="constrained")
for column, activation in zip(axes.T, activations, strict=True):
    for name, make in kinds.items():
        for place, values in zip(column, spread(make, activation), strict=True):
            place.semilogy(range(1, depth + 1), np.where(np.array(values) > 0, values, np.nan), label=name)
    column[0].set_title(activation)
    column[1].set_xlabel("layer")
axes[0, 0].set(ylabel="deviation of activations", ylim=(1e-27, 1e3))
axes[1, 0].set_ylabel("deviation of gradients")
axes[0, 1].legend(loc="lower left")
plt.show()

# %%
# What the last layer still has of the signal, and the first of the gradient:
for activation in activations:
    for name, make in kinds.items():
        forward, backward = spread(make, activation)
        print(f"{activation:5} {name:17} activations {forward[-1]:9.2g}   gradients {backward[0]:9.2g}")
