"""
An autoencoder with the sigmoid loss
====================================

Pixels between 0 and 1 are soft targets of a yes or no for each: the cross-entropy of a sigmoid teaches a network to squeeze
digits through eight numbers and to draw them again.
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

pixels = (load_digits().data / 16).astype(np.float32)
order = np.random.default_rng(0).permutation(len(pixels))
held_out, kept = pixels[order[:360]], pixels[order[360:]]

# %%
# Four layers, 64 → 128 → 8 → 128 → 64; the eight numbers in the middle are the code.
sizes = (64, 128, 8, 128, 64)
params = xf.init.fill({
    **{f"{layer}/weight": (xf.init.xavier_normal, shape) for layer, shape in enumerate(zip(sizes, sizes[1:], strict=False))},
    **{f"{layer}/bias": (xf.init.zeros, (size,)) for layer, size in enumerate(sizes[1:])},
}, rng=0)


def forward(x):
    """What each layer reads, and the logits of the pixels."""
    inputs = []
    for layer in range(4):
        inputs.append(x)
        x = x @ params[f"{layer}/weight"] + params[f"{layer}/bias"]
        if layer < 3:
            x = np.tanh(x)
    return inputs, x


def gradients(x):
    inputs, logits = forward(x)
    # One loss for each pixel; its mean over all of them, and the gradient in place of the logits.
    _, delta = xf.sigmoid_cross_entropy_value_and_grad(logits, x, out=logits)
    found = {}
    for layer in reversed(range(4)):
        found[f"{layer}/weight"], found[f"{layer}/bias"] = inputs[layer].T @ delta, delta.sum(0)
        delta = delta @ params[f"{layer}/weight"].T * (1 - inputs[layer]**2)
    return found


# %%
# No model gets below the entropy of the pixels themselves: a grey pixel is uncertain for everyone.
floor = np.mean(xf.entropy(np.stack([held_out, 1 - held_out], -1)))

means = {name: np.zeros_like(value) for name, value in params.items()}
squares = {name: np.zeros_like(value) for name, value in params.items()}
rng, losses, step = np.random.default_rng(1), [], 0
for _ in range(60):
    for batch in np.array_split(rng.permutation(len(kept)), len(kept) // 48):
        step += 1
        for name, gradient in gradients(kept[batch]).items():
            means[name] += 0.1 * (gradient - means[name])
            squares[name] += 0.001 * (gradient**2 - squares[name])
            scale = 0.004 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            params[name] -= scale * means[name] / (np.sqrt(squares[name]) + 1e-8)
    losses.append(xf.sigmoid_cross_entropy(forward(held_out)[1], held_out))
print(f"held-out loss of a pixel {losses[-1]:.3f}, of which {floor:.3f} are the pixels' own entropy")

# %%
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(range(1, 61), losses, label="held-out digits")
axes.axhline(floor, color="tab:orange", linestyle="--", label="entropy of the pixels")
axes.set(xlabel="epoch", ylabel="cross-entropy of a pixel", ylim=(0, None))
axes.legend()

# %%
# Held-out digits above, and below what is left of them after eight numbers. A sigmoid is a softmax of two classes, one of
# which has logit 0.
logits = forward(held_out[:10])[1]
drawn = xf.softmax(np.stack([np.zeros_like(logits), logits], -1))[..., 1]
_, axes = plt.subplots(2, 10, figsize=(7, 1.7), layout="constrained")
for column, (before, after) in enumerate(zip(held_out[:10], drawn, strict=True)):
    for place, image in zip(axes[:, column], (before, after), strict=True):
        place.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        place.set_axis_off()
plt.show()
