import numpy as np
from panels import draw

import xentfast as xf

x = np.linspace(-5, 5, 401)


def curve(target, weight):
    options = {"pos_weight": weight}
    return (xf.sigmoid_cross_entropy(x, target, reduction="none", **options),
            xf.sigmoid_cross_entropy_grad(x, target, reduction="sum", **options))


draw(x, {"target 0": curve(0, 1.0)} | {f"target 1, v = {v:g}": curve(1, v) for v in (1.0, 3.0, 9.0)}, "logit", top=12)
