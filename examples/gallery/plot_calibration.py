"""
Honest probabilities: calibration by logit_scale
================================================

A network that has seen few examples is more certain than it is right. One number mends most of it: the logits' scale, 1 over
the temperature, fitted on held-out logits (Guo et al. 2017).
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib", "scipy", "sklearn") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.datasets import load_digits

import xentfast as xf

images, labels = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
images = images / 16 + rng.normal(0, 0.45, images.shape)                # noise, so that there is something to be unsure of
order = rng.permutation(len(labels))
kept, fitted, judged = np.split(order, [400, 1000])

# %%
# A wide layer of ReLU that learns 400 noisy digits by heart, without smoothing or decay.
hidden_weight = xf.init.he_normal((64, 512), rng=0, name="hidden", dtype=np.float64)
weight = xf.init.zeros((512, 10), dtype=np.float64)
velocity = [np.zeros_like(hidden_weight), np.zeros_like(weight)]
for _ in range(300):
    hidden = np.maximum(images[kept] @ hidden_weight, 0)
    logits = hidden @ weight
    grad = xf.softmax_cross_entropy_grad(logits, labels[kept], out=logits)
    for value, speed, slope in zip((hidden_weight, weight), velocity, (
            images[kept].T @ ((grad @ weight.T) * (hidden > 0)), hidden.T @ grad), strict=True):
        speed *= 0.9
        speed -= 0.1 * slope
        value += speed

logits = np.maximum(images @ hidden_weight, 0) @ weight
accuracy = np.mean(logits[judged].argmax(1) == labels[judged])
print(f"right {accuracy:.1%}, certain {xf.softmax(logits[judged]).max(1).mean():.1%} of the time")

# %%
# The scale is fitted by the loss of digits that were not learnt. It changes no decision: the largest logit stays the largest.
scale = minimize_scalar(lambda s: xf.softmax_cross_entropy(logits[fitted], labels[fitted], logit_scale=s), bounds=(0.01, 5)).x
losses = {name: xf.softmax_cross_entropy(logits[judged], labels[judged], logit_scale=s)
          for name, s in (("before", 1.0), ("after", scale))}
print(f"logit_scale {scale:.2f}; loss of other digits {losses['before']:.3f} before, {losses['after']:.3f} after")


# %%
# The reliability diagram: how often a digit is right, of those that the network is so and so certain of. Its mean distance
# from the diagonal is the expected calibration error.
def reliability(s):
    p = xf.softmax(s * logits[judged])
    certain, right = p.max(1), p.argmax(1) == labels[judged]
    bins = np.minimum((certain * 10).astype(int), 9)
    rows = [(certain[bins == b].mean(), right[bins == b].mean(), np.mean(bins == b)) for b in np.unique(bins)]
    confidence, frequency, share = np.array(rows).T
    return confidence, frequency, share @ np.abs(confidence - frequency)


figure, axes = plt.subplots(1, 2, figsize=(7, 3.3), sharey=True, layout="constrained")
for place, (name, s) in zip(axes, {"before": 1.0, "after": scale}.items(), strict=True):
    confidence, frequency, error = reliability(s)
    place.plot([0, 1], [0, 1], color="gray", linestyle="--", label="honest")
    place.plot(confidence, frequency, marker="o", label="the network")
    place.set(title=f"{name}: calibration error {error:.3f}", xlabel="certainty")
axes[0].set_ylabel("how often right")
axes[0].legend()
plt.show()
