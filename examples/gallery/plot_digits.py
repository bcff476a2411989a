"""
Handwritten digits by a perceptron
==================================

A network with one hidden layer learns to read handwritten digits: 1 797 pictures of 8 × 8 pixels, which scikit-learn ships. It
is a whole training loop, in NumPy: first weights by :py:func:`xentfast.init.fill`, the loss and its gradient by
:py:func:`xentfast.softmax_cross_entropy_value_and_grad`, and gradient descent. In the end it shows what the network gets wrong,
and how sure it was, by :py:func:`xentfast.softmax`.
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

# %%
# The data
# --------
# Pixels become float32 numbers from 0 to 1, a row of 64 for each picture. A third of the pictures, chosen at random, is held
# out: the network is judged by them, and never learns from them.

rng = np.random.default_rng(0)
images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
order = rng.permutation(len(labels))
held_out, train = np.split(order, [len(order) // 3])
print(f"{len(train)} to learn from, {len(held_out)} held out")

# %%
# The network
# -----------
# 64 pixels, 128 hidden units, 10 logits: one for each digit. Weights in front of a ReLU begin with He's distribution, the last
# ones with Xavier's. Every parameter has a name, and its first values depend on seed, name and position alone.

params = xf.init.fill({
    "w1": (xf.init.he_normal, (64, 128)),
    "b1": (xf.init.zeros, (128,)),
    "w2": (xf.init.xavier_normal, (128, 10)),
    "b2": (xf.init.zeros, (10,)),
}, rng=0)


def forward(x):
    """Hidden activations and logits of a batch of pictures."""
    hidden = np.maximum(x @ params["w1"] + params["b1"], 0)
    return hidden, hidden @ params["w2"] + params["b2"]


# %%
# Gradients
# ---------
# One call gives the mean loss of a batch and its gradient with respect to the logits. ``out=logits`` puts the gradient where
# the logits were, which nobody needs any more; from there the chain rule leads back to the parameters. ``label_smoothing=0.1``
# asks for 91 % of the right digit and 1 % of each other, so that the network does not grow too sure of the few pictures it
# sees.


def gradients(x, digits):
    """The gradient of the mean loss with respect to each parameter."""
    hidden, logits = forward(x)
    loss, d_logits = xf.softmax_cross_entropy_value_and_grad(
        logits, digits, label_smoothing=0.1, out=logits)
    d_hidden = d_logits @ params["w2"].T * (hidden > 0)
    return {
        "w1": x.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "w2": hidden.T @ d_logits,
        "b2": d_logits.sum(axis=0),
    }


# %%
# Training
# --------
# Gradient descent with momentum, 32 pictures a step; the step size falls linearly to 0. After each epoch the loss is measured
# without smoothing, by :py:func:`xentfast.softmax_cross_entropy`.

epochs = 30
velocity = {name: np.zeros_like(param) for name, param in params.items()}
losses = {"training": [], "held out": []}
accuracies = {"training": [], "held out": []}

for epoch in range(epochs):
    rate = 0.1 * (1 - epoch / epochs)
    order = rng.permutation(train)
    for batch in np.array_split(order, len(order) // 32):
        found = gradients(images[batch], labels[batch])
        for name, gradient in found.items():
            velocity[name] = 0.9 * velocity[name] - rate * gradient
            params[name] += velocity[name]
    for which, chosen in (("training", train), ("held out", held_out)):
        _, logits = forward(images[chosen])
        loss = xf.softmax_cross_entropy(logits, labels[chosen])
        right = logits.argmax(axis=1) == labels[chosen]
        losses[which].append(loss)
        accuracies[which].append(right.mean())

for which in losses:
    loss, accuracy = losses[which][-1], accuracies[which][-1]
    print(f"{which}: loss {loss:.3f}, accuracy {accuracy:.1%}")

# %%
# A network that knows nothing gives each digit a tenth, which costs ln 10 = 2.3 nats; the first epoch already leaves most of
# this behind. The loss does not fall to 0, since smoothing forbids certainty.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(8, 3.2), layout="constrained")
looks = {"training": ("0.5", "--"), "held out": ("#0072B2", "-")}
for which, (colour, line) in looks.items():
    place = range(1, epochs + 1)
    left.plot(place, losses[which], line, color=colour, label=which)
    right.plot(place, accuracies[which], line, color=colour, label=which)
left.set(ylabel="mean loss, nats", ylim=(0, None))
right.set(ylabel="share of digits read right", ylim=(0.85, 1.005))
for axes in (left, right):
    axes.set(xlabel="epoch")
    axes.grid(alpha=0.3)
    axes.legend()
plt.show()

# %%
# What it gets wrong
# ------------------
# :py:func:`xentfast.softmax` turns logits into probabilities; the likeliest digit is what the network reads.

probabilities = xf.softmax(forward(images[held_out])[1])
read = probabilities.argmax(axis=1)
wrong = np.flatnonzero(read != labels[held_out])
print(f"{len(wrong)} of {len(held_out)} are misread")

# %%
# The first five of them, with the probabilities of all ten digits. sphinx_gallery_thumbnail_number = 2

figure, panels = plt.subplots(
    2, 5, figsize=(9, 4), layout="constrained", height_ratios=[1, 0.8])
for (picture, bars), place in zip(panels.T, wrong[:5], strict=False):
    truth = labels[held_out[place]]
    picture.imshow(images[held_out[place]].reshape(8, 8), cmap="gray_r")
    picture.set_title(f"a {truth}, read as {read[place]}")
    picture.set_axis_off()
    colours = ["0.75"] * 10
    colours[truth], colours[read[place]] = "#0072B2", "#D55E00"
    bars.bar(range(10), probabilities[place], color=colours)
    bars.set(xticks=range(10), xlabel="digit", ylim=(0, 1))
    bars.label_outer()
panels[1, 0].set_ylabel("probability")
figure.legend(
    handles=[plt.Rectangle((0, 0), 1, 1, color=colour)
             for colour in ("#0072B2", "#D55E00")],
    labels=["the right digit", "the digit that it reads"],
    loc="outside lower center", ncols=2, frameon=False)
plt.show()
