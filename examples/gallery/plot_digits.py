"""
Handwritten digits by a perceptron
==================================

A whole training loop in NumPy: weights by name, loss and gradient in one pass and in place, label smoothing, Adam. It learns
scikit-learn's 8 × 8 digits, as ``python -m xentfast`` does, and shows the digits that it is least sure of.
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

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
order = np.random.default_rng(0).permutation(len(labels))
held_out, kept = order[:360], order[360:]

# %%
# A layer of 256 units with ReLU, which `xf.init.he_normal` is made for, and one logit for each digit. Every parameter depends
# on seed and name alone.
params = xf.init.fill({
    "hidden/weight": (xf.init.he_normal, (64, 256)),
    "hidden/bias": (xf.init.zeros, (256,)),
    "digit/weight": (xf.init.xavier_normal, (256, 10)),
    "digit/bias": (xf.init.zeros, (10,)),
}, rng=0)


def forward(x):
    """Hidden units and logits."""
    hidden = np.maximum(x @ params["hidden/weight"] + params["hidden/bias"], 0)
    return hidden, hidden @ params["digit/weight"] + params["digit/bias"]


def gradients(x, targets):
    hidden, logits = forward(x)
    # The gradient takes the place of the logits: no second array.
    loss, d_logits = xf.softmax_cross_entropy_value_and_grad(logits, targets, label_smoothing=0.1, out=logits)
    d_hidden = (d_logits @ params["digit/weight"].T) * (hidden > 0)
    return loss, {"hidden/weight": x.T @ d_hidden, "hidden/bias": d_hidden.sum(0),
                  "digit/weight": hidden.T @ d_logits, "digit/bias": d_logits.sum(0)}


# %%
# Adam (Kingma & Ba 2015), 30 epochs of batches of 32.
means = {name: np.zeros_like(value) for name, value in params.items()}
squares = {name: np.zeros_like(value) for name, value in params.items()}
rng, history, step = np.random.default_rng(1), [], 0
for _ in range(30):
    for batch in np.array_split(rng.permutation(kept), len(kept) // 32):
        step += 1
        for name, gradient in gradients(images[batch], labels[batch])[1].items():
            means[name] += 0.1 * (gradient - means[name])
            squares[name] += 0.001 * (gradient**2 - squares[name])
            scale = 0.003 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            params[name] -= scale * means[name] / (np.sqrt(squares[name]) + 1e-8)
    history.append([xf.softmax_cross_entropy(forward(images[some])[1], labels[some]) for some in (kept, held_out)])

logits = forward(images[held_out])[1]
print(f"{np.mean(logits.argmax(1) == labels[held_out]):.1%} of {len(held_out)} held-out digits are right")

# %%
# Both losses fall together. They do not reach 0: with smoothing the network is not asked to be certain.
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogy(range(1, 31), history, label=["learnt", "held out"])
axes.set(xlabel="epoch", ylabel="mean cross-entropy")
axes.legend()

# %%
# The five whose losses are largest, with what it thought of them (the right digit in orange): `xf.softmax` makes probabilities
# of logits.
p = xf.softmax(logits)
worst = np.argsort(xf.softmax_cross_entropy(logits, labels[held_out], reduction="none"))[:-6:-1]
figure, axes = plt.subplots(2, 5, figsize=(7, 3), layout="constrained")
for (top, bottom), row in zip(axes.T, worst, strict=True):
    top.imshow(images[held_out[row]].reshape(8, 8), cmap="gray_r")
    top.set(title=f"a {labels[held_out[row]]}", xticks=[], yticks=[])
    bottom.bar(range(10), p[row], color=["tab:orange" if digit == labels[held_out[row]] else "tab:blue" for digit in range(10)])
    bottom.set(ylim=(0, 1), xticks=range(0, 10, 3), yticks=[0, 1])
axes[1, 0].set_ylabel("probability")
plt.show()
