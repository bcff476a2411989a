"""
An autoencoder of grey pixels
=============================

A network squeezes pictures of handwritten digits, 64 pixels each, through a code of a few numbers, and draws them again from
it. Its loss is :py:func:`xentfast.sigmoid_cross_entropy_value_and_grad`, whose targets need not be yes or no: here they are
shades of grey. Two codes are compared, of 2 numbers and of 16; the first can be drawn as a map.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib", "sklearn", "threadpoolctl") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import xentfast as xf

# %%
# The data
# --------
# scikit-learn's digits, from 0 (white) to 1 (black), a fifth of them held out.

images, labels = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
order = np.random.default_rng(0).permutation(len(images))
held_out, train = np.split(order, [len(order) // 5])

# %%
# The least possible loss
# -----------------------
# With a pixel's grey :math:`t` as target and the sigmoid of its logit :math:`p`, the loss is :math:`-t \ln p - (1 - t) \ln(1 -
# p)`. It is least where :math:`p = t`, and then it is not 0, but the entropy of grey itself. No autoencoder comes below this,
# however large its code is.

grey = images[held_out]
black_or_white = np.stack([grey, 1 - grey])
least = xf.entropy(black_or_white, axis=0).mean()
print(f"entropy of the held-out pixels: {least:.4f} nats")

# %%
# The network
# -----------
# Encoder and decoder have one hidden layer each; between them is the code, which is linear.


def new_network(code):
    sizes = (64, 256, code, 256, 64)
    kinds = {}
    for layer in (1, 2, 3, 4):
        kinds[f"w{layer}"] = xf.init.he_normal, sizes[layer - 1:layer + 1]
        kinds[f"b{layer}"] = xf.init.zeros, sizes[layer:layer + 1]
    return xf.init.fill(kinds, rng=0)


def encode(params, x):
    """The hidden layer and the code."""
    hidden = np.maximum(x @ params["w1"] + params["b1"], 0)
    return hidden, hidden @ params["w2"] + params["b2"]


def decode(params, code):
    """The hidden layer, and a logit for each pixel."""
    hidden = np.maximum(code @ params["w3"] + params["b3"], 0)
    return hidden, hidden @ params["w4"] + params["b4"]


# %%
# The loss gives the gradient of every logit, in place; then it is the chain rule, layer by layer.


def gradients(params, x):
    hidden1, code = encode(params, x)
    hidden2, logits = decode(params, code)
    loss, d = xf.sigmoid_cross_entropy_value_and_grad(
        logits, x, out=logits)
    found = {"w4": hidden2.T @ d, "b4": d.sum(axis=0)}
    d = d @ params["w4"].T * (hidden2 > 0)
    found |= {"w3": code.T @ d, "b3": d.sum(axis=0)}
    d = d @ params["w3"].T
    found |= {"w2": hidden1.T @ d, "b2": d.sum(axis=0)}
    d = d @ params["w2"].T * (hidden1 > 0)
    found |= {"w1": x.T @ d, "b1": d.sum(axis=0)}
    return found


# %%
# Training
# --------
# By Adam, 64 pictures a step, with a step size that falls linearly to 0. The loss on held-out pictures is measured after each
# epoch, by :py:func:`xentfast.sigmoid_cross_entropy`. Products of this size gain nothing from BLAS's threads, so it is given
# one.


def trained(code, epochs=60, batch=64):
    rng = np.random.default_rng(1)
    params = new_network(code)
    mean = {name: np.zeros_like(param) for name, param in params.items()}
    square = {name: np.zeros_like(param) for name, param in params.items()}
    losses, step, steps = [], 0, epochs * (len(train) // batch)
    for _ in range(epochs):
        order = rng.permutation(train)
        for chosen in np.array_split(order, len(order) // batch):
            step += 1
            rate = 0.005 * (1 - step / steps)
            for name, d in gradients(params, images[chosen]).items():
                mean[name] += 0.1 * (d - mean[name])
                square[name] += 0.01 * (d * d - square[name])
                size = np.sqrt(square[name] / (1 - 0.99**step)) + 1e-8
                params[name] -= rate / (1 - 0.9**step) * mean[name] / size
        _, logits = decode(params, encode(params, grey)[1])
        losses.append(xf.sigmoid_cross_entropy(logits, grey))
    return params, losses


with threadpool_limits(1, user_api="blas"):
    of_2, losses_of_2 = trained(2)
    of_16, losses_of_16 = trained(16)
for code, losses in ((2, losses_of_2), (16, losses_of_16)):
    above = losses[-1] - least
    print(f"code of {code:2}: {losses[-1]:.4f}, {above:.4f} above least")

# %%
# The upper dotted line is what a code of no numbers would give: the average training digit, whatever the picture. Its loss is a
# :py:func:`xentfast.cross_entropy` of probabilities. (Laplace's rule of succession keeps the average off 0.)

average = (images[train].sum(axis=0) + 1) / (len(train) + 2)
average = np.stack([average, 1 - average])[:, None]
blind = xf.cross_entropy(black_or_white, average, axis=0).mean()

figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for losses, what, colour, line in (
        (losses_of_2, "code of 2 numbers", "#D55E00", "--"),
        (losses_of_16, "code of 16 numbers", "#0072B2", "-"),
        ([blind] * 60, "always the average digit", "0.3", ":"),
        ([least] * 60, "entropy of the pixels: the least", "0.3", ":")):
    axes.plot(range(1, 61), losses, line, color=colour)
    axes.annotate(what, (60, losses[-1]), (0, 4), ha="right", color=colour,
                  textcoords="offset points")
axes.set(xlabel="epoch", ylabel="loss on held-out pixels, nats",
         ylim=(0.2, 0.45))
plt.show()

# %%
# Digits drawn again
# ------------------
# The first held-out picture of each digit, and what comes back from 16 numbers and from 2: the sigmoid of the logits. Sixteen
# numbers keep the handwriting; two keep little more than which digit it is, and not always that.


def drawn(params, code):
    return 1 / (1 + np.exp(-decode(params, code)[1]))


_, firsts = np.unique(labels[held_out], return_index=True)
shown = grey[firsts]
rows = {
    "original": shown,
    "from 16 numbers": drawn(of_16, encode(of_16, shown)[1]),
    "from 2 numbers": drawn(of_2, encode(of_2, shown)[1]),
}

figure, panels = plt.subplots(
    3, 10, figsize=(9, 2.7), layout="constrained")
for row, (name, pictures) in zip(panels, rows.items(), strict=True):
    for axes, picture in zip(row, pictures, strict=True):
        axes.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %%
# A map of the digits
# -------------------
# The code of 2 numbers places each held-out picture in a plane (left; the outermost are left out). The network was never told
# which digit a picture shows. The decoder turns every point of the plane into a picture (right, over the same range).

_, codes = encode(of_2, grey)
(x_low, y_low), (x_high, y_high) = np.percentile(codes, (1, 99), axis=0)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.6), layout="constrained")
for digit, colour in enumerate(plt.color_sequences["petroff10"]):
    x, y = codes[labels[held_out] == digit].T
    left.plot(x, y, marker=f"${digit}$", linestyle="none", color=colour,
              markersize=7, markeredgewidth=0.3)
left.set(xlim=(x_low, x_high), ylim=(y_low, y_high),
         xlabel="first number of the code",
         ylabel="second number of the code")

side = 12
plane = np.stack(np.meshgrid(np.linspace(x_low, x_high, side),
                             np.linspace(y_high, y_low, side)), axis=-1)
pictures = drawn(of_2, plane.astype(np.float32)).reshape(side, side, 8, 8)
pictures = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
sheet = pictures.swapaxes(1, 2).reshape(10 * side, 10 * side)
right.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
right.set_axis_off()
# sphinx_gallery_thumbnail_number = 3
plt.show()
