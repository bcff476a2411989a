import numpy as np
from panels import curve, draw

x = np.linspace(-5, 4, 401)
logits = np.stack([np.zeros(x.size), x], axis=1)
share = 0.1


def mean(weight):
    """Of many rows that all have these logits, a tenth of them of class 1."""
    common, rare = (np.array(curve(logits, np.full(x.size, cls), 1, weight=[1.0, weight])) for cls in (0, 1))
    return ((1 - share) * common + share * rare) / (1 - share + share * weight)


draw(x, {f"weight (1, {w:g})": mean(w) for w in (1.0, 3.0, 9.0)}, "logit of the rare class, the other 0",
     names=("mean loss", "its gradient"))
