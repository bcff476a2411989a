import numpy as np
from panels import draw

import xentfast as xf

rng = np.random.default_rng(0)
logits, targets = rng.standard_normal((1000, 10)), rng.integers(0, 10, 1000)
order = rng.permutation(1000)
ignored = np.arange(0, 901, 10)


def curve(reduction, divisor):
    values, slopes = [], []
    for count in ignored:
        some = targets.copy()
        some[order[:count]] = -100
        loss, grad = xf.softmax_cross_entropy_value_and_grad(logits, some, reduction=reduction)
        values.append(loss / divisor)
        slopes.append(1000 * abs(grad[order[-1]]).max() / divisor)
    return values, slopes


draw(ignored / 10, {'"sum" / number of rows': curve("sum", 1000), '"mean"': curve("mean", 1)}, "rows ignored, in per cent",
     names=("loss", "gradient of one row, times the rows"))
