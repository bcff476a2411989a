"""
Distillation: a student of soft targets
=======================================

A large network that has seen all labels teaches a small one that has seen few. Its probabilities, softened by a temperature,
are soft targets: one function takes them in place of labels (Hinton, Vinyals & Dean 2015).
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
kept, held_out = order[:1200], order[1200:]


def train(width, rows, targets, epochs, seed, rate=0.05, **options):
    """A perceptron of so many hidden units; returns its logits of all digits, and the held-out accuracy epoch by epoch."""
    params = xf.init.fill({"hidden": (xf.init.he_normal, (64, width)), "digit": (xf.init.xavier_normal, (width, 10))}, rng=seed)
    speeds = {name: np.zeros_like(value) for name, value in params.items()}
    rng, history = np.random.default_rng(seed), []
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(rows)), max(1, len(rows) // 50)):
            x = images[rows[batch]]
            hidden = np.maximum(x @ params["hidden"], 0)
            delta = xf.softmax_cross_entropy_grad(hidden @ params["digit"], targets[batch], **options)
            slopes = {"hidden": x.T @ ((delta @ params["digit"].T) * (hidden > 0)), "digit": hidden.T @ delta}
            for name, value in params.items():
                speeds[name] = 0.9 * speeds[name] - rate * slopes[name]
                value += speeds[name]
        logits = np.maximum(images @ params["hidden"], 0) @ params["digit"]
        history.append(np.mean(logits[held_out].argmax(1) == labels[held_out]))
    return logits, history


teacher, history = train(512, kept, labels[kept], epochs=40, seed=0)
print(f"the teacher, 512 units, all {len(kept)} labels: {history[-1]:.1%}")

# %%
# What the teacher says of one digit at temperature 1 and 3: at 3 the student learns which digits look alike.
T = 3.0
row = kept[np.argsort(xf.softmax(teacher[kept]).max(1))[100]]
_, axes = plt.subplots(1, 3, figsize=(7, 2.2), width_ratios=(1, 2, 2), layout="constrained")
axes[0].imshow(images[row].reshape(8, 8), cmap="gray_r")
axes[0].set(xticks=[], yticks=[], title=f"a {labels[row]}")
for place, temperature in zip(axes[1:], (1.0, T), strict=True):
    place.bar(range(10), xf.softmax(teacher[row] / temperature))
    place.set(title=f"T = {temperature:.0f}", ylim=(0, 1), xticks=range(10))

# %%
# The student has eight units. On few labels it learns from these alone; the taught one sees no label but the teacher's
# probabilities for all digits, which cost nobody any labelling. Its own logits have the same temperature, ``logit_scale=1 /
# T``; T² gives the gradient its size back. Medians of five seeds.
soft = xf.softmax(teacher[kept] / T)
counts, seeds = (25, 50, 100, 200, 400, 1200), range(5)
alone = [[train(8, kept[:n], labels[kept[:n]], epochs=60, seed=seed)[1][-1] for seed in seeds] for n in counts]
taught = [train(8, kept, soft, epochs=60, seed=seed, logit_scale=1 / T, rate=0.05 * T**2)[1][-1] for seed in seeds]

# %%
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogx(counts, np.median(alone, 1), marker="o", label="by labels")
axes.axhline(np.median(taught), color="tab:orange", label="by the teacher's probabilities")
axes.axhline(history[-1], color="gray", linestyle="--", label="the teacher")
axes.set(xlabel="labels", ylabel="held-out accuracy", xticks=counts, xticklabels=counts)
axes.minorticks_off()
axes.legend()
plt.show()
for n, accuracies in zip(counts, alone, strict=True):
    print(f"{n:5} labels: {np.median(accuracies):.1%}")
print(f"the teacher's probabilities: {np.median(taught):.1%}")
