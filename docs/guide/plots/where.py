import numpy as np
from panels import curve, draw

x = np.linspace(-6, 8, 401)
logits = np.stack([np.full(x.size, 2.0), np.zeros(x.size), x], axis=1)
targets = np.zeros(x.size, int)
draw(x, {"class 2 left in": curve(logits, targets, 2), "left out by where": curve(logits, targets, 2, where=[True, True, False])},
     "logit of class 2; the target's 2, the third 0", names=("loss", "gradient of class 2's logit"))
