import numpy as np
from panels import draw

import xentfast as xf

offset = np.linspace(-30, 30, 401)
logits, targets = np.zeros((offset.size, 10)), np.zeros(offset.size, int)
logits[:, 0] = 4.0
logits += offset[:, None]


def curve(size):
    losses = xf.softmax_cross_entropy(logits, targets, z_loss=size, reduction="none")
    return losses, xf.softmax_cross_entropy_grad(logits, targets, z_loss=size, reduction="sum").sum(axis=1)


draw(offset, {f"λ = {size:g}": curve(size) for size in (0.0, 1e-4, 3e-4, 1e-3)}, "what is added to all logits",
     names=("loss", "sum of the gradient"), legend="upper center")
