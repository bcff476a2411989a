"""
Against overfitting: decay, smoothing, z-loss
=============================================

Two hundred digits are learnt by heart in no time. Three brakes, each an argument or a line: L2 decay of the weights, label
smoothing, and the z-loss, which keeps log Σ exp of the logits near 0. What they do to held-out digits is shown as it comes out.
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
order = np.random.default_rng(0).permutation(len(labels))
images = (images / 16 + np.random.default_rng(1).normal(0, 0.25, images.shape)).astype(np.float32)      # noise makes it harder
kept, held_out = order[:200], order[200:]

# %%
# The same network each time, by full gradients with momentum; ``options`` go to the loss as they are.
EPOCHS = 250


def train(decay=0.0, **options):
    """Rows of learnt loss, held-out loss, and the held-out mean of log Σ exp, each epoch; and the held-out accuracy."""
    params = xf.init.fill({"hidden": (xf.init.he_normal, (64, 128)), "digit": (xf.init.xavier_normal, (128, 10))}, rng=0)
    speeds = {name: np.zeros_like(value) for name, value in params.items()}
    history = []
    for _ in range(EPOCHS):
        hidden = np.maximum(images @ params["hidden"], 0)
        logits = hidden @ params["digit"]
        history.append([xf.softmax_cross_entropy(logits[kept], labels[kept]),
                        xf.softmax_cross_entropy(logits[held_out], labels[held_out]), xf.logsumexp(logits[held_out]).mean()])
        delta = xf.softmax_cross_entropy_grad(logits[kept], labels[kept], **options)
        slopes = {"hidden": images[kept].T @ ((delta @ params["digit"].T) * (hidden[kept] > 0)), "digit": hidden[kept].T @ delta}
        for name, value in params.items():
            speeds[name] = 0.9 * speeds[name] - 0.1 * (slopes[name] + decay * value)
            value += speeds[name]
    return np.array(history), np.mean(logits[held_out].argmax(1) == labels[held_out])


runs = {"nothing": train(), "L2 decay 0.005": train(decay=0.005), "label_smoothing=0.1": train(label_smoothing=0.1),
        "z_loss=0.01": train(z_loss=0.01)}
for name, (history, accuracy) in runs.items():
    print(f"{name:20} learnt {history[-1, 0]:.3f}   held out {history[-1, 1]:.3f} (least {history[:, 1].min():.3f})   "
          f"accuracy {accuracy:.1%}   log Σ exp {history[-1, 2]:.1f}")

# %%
# Left: the held-out loss falls, and without a brake rises again, because a network that is never wrong on what it has seen
# grows ever more certain. Right: where logits lie. The z-loss holds their log Σ exp near 0; smoothing and decay keep it small.
#
# On these digits decay helps: a lower loss that does not rise again, and a little more accuracy. Smoothing and z-loss bound the
# logits, which is what they are for, but make nothing better here.
_, axes = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for name, (history, _) in runs.items():
    axes[0].plot(history[:, 1], label=name)
    axes[1].plot(history[:, 2])
axes[0].set(xlabel="epoch", ylabel="held-out loss", ylim=(0.2, 1.2))
axes[1].set(xlabel="epoch", ylabel="mean of log Σ exp")
axes[0].legend()
plt.show()
