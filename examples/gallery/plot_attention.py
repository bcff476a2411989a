"""
Attention with a mask, forward and backward
===========================================

Two layers of causal self-attention in NumPy, with the backward pass written out, learn to continue a pattern that they see for
the first time. :py:func:`xentfast.softmax` takes the mask as ``where=``: no −∞ is added to scores, and what is masked has
probability exactly 0. The maps of attention, before and after training, show how the task is solved.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib", "threadpoolctl") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

import xentfast as xf

# %%
# The task
# --------
# A few different letters in random order, repeated until the row is full. At each place the next letter is asked for. No letter
# has a favourite successor, so nothing can be learned by heart: one must look back to where the letter stood before, and say
# what came after it. As long as the pattern is new there is nothing to look back to; these targets are −100, which the loss
# ignores.

n_letters, length = 16, 20
places = np.arange(length)
rng = np.random.default_rng(0)


def patterns(count):
    """Letters and their successors, as numbers; periods of 5 to 10."""
    periods = rng.integers(5, 11, (count, 1))
    orders = np.tile(np.arange(n_letters), (count, 1))
    orders = rng.permuted(orders, axis=1)
    letters = np.take_along_axis(orders, places % periods, axis=1)
    following = np.take_along_axis(orders, (places + 1) % periods, axis=1)
    return letters, np.where(places < periods, -100, following)


def spelled(numbers):
    return "".join("abcdefghijklmnop·"[max(n, -1)] for n in numbers)


for letters, successors in zip(*patterns(3), strict=True):
    print(f"{spelled(letters)}   asked for: {spelled(successors)}")

# %%
# The network
# -----------
# Vectors of letters and of places are added, two layers of attention add what they find, and a last matrix makes logits of 16
# letters. There is nothing else: no hidden layers, no normalisation. With queries :math:`Q`, keys :math:`K` and values
# :math:`V`, all linear in the layer's input, a layer's scores and attention are
#
# .. math:: S = \frac{Q K^\top}{\sqrt d}, \qquad P = \mathrm{softmax}(S) \text{ over the places up to its own.}

width = 32
mask = np.tri(length, dtype=bool)
layers = ("layer1", "layer2")

kinds = {
    "letters": (xf.init.normal, (n_letters, width)),
    "places": (xf.init.normal, (length, width)),
    "logits": (partial(xf.init.normal, std=0.02), (width, n_letters)),
}
for layer in layers:
    for matrix in ("query", "key", "value", "output"):
        kinds[f"{layer}/{matrix}"] = xf.init.lecun_normal, (width, width)
params = xf.init.fill(kinds, rng=0)


def forward(params, letters):
    """Logits, what layers need for their way back, and the last input."""
    x, kept = params["letters"][letters] + params["places"], []
    for layer in layers:
        query = x @ params[f"{layer}/query"]
        key = x @ params[f"{layer}/key"]
        value = x @ params[f"{layer}/value"]
        scores = query @ key.swapaxes(1, 2) * width**-0.5
        attention = xf.softmax(scores, where=mask, out=scores)
        found = attention @ value
        kept.append((x, query, key, value, attention, found))
        x = x + found @ params[f"{layer}/output"]
    return x @ params["logits"], kept, x


# %%
# The pattern that will be looked at is a word. Before training:

word = "machine"
text = (word * length)[:length]
shown = np.array([[ord(letter) - ord("a") for letter in text]])


def attention_maps(params):
    _, kept, _ = forward(params, shown)
    return [attention[0] for *_, attention, _ in kept]


before = np.stack(attention_maps(params))
print("largest probability of a masked place:", before[:, ~mask].max())
print("rows differ from 1 by at most", abs(before.sum(axis=-1) - 1).max())

# %%
# Backward
# --------
# Where :math:`g = \partial L/\partial P` has come back to the attention, the scores of each row get
#
# .. math:: \frac{\partial L}{\partial S_j} = P_j \Bigl(g_j - \sum_k P_k\, g_k\Bigr),
#
# in which masked places need no care: their probability is exactly 0, and so is what they get. All the rest is the chain rule
# of matrix products.


def outer(left, right):
    """The gradient of a matrix: outer products, summed over places."""
    left, right = (x.reshape(-1, x.shape[-1]) for x in (left, right))
    return left.T @ right


def loss_and_gradients(params, letters, successors):
    logits, kept, x = forward(params, letters)
    loss, d_logits = xf.softmax_cross_entropy_value_and_grad(
        logits, successors, out=logits)
    gradients = {"logits": outer(x, d_logits)}
    d_x = d_logits @ params["logits"].T
    for layer in reversed(layers):
        x, query, key, value, attention, found = kept.pop()
        gradients[f"{layer}/output"] = outer(found, d_x)
        d_found = d_x @ params[f"{layer}/output"].T
        g = d_found @ value.swapaxes(1, 2)
        expected = (attention * g).sum(axis=-1, keepdims=True)
        d_scores = attention * (g - expected) * width**-0.5
        d_query = d_scores @ key
        d_key = d_scores.swapaxes(1, 2) @ query
        d_value = attention.swapaxes(1, 2) @ d_found
        for matrix, d in zip(("query", "key", "value"),
                             (d_query, d_key, d_value), strict=True):
            gradients[f"{layer}/{matrix}"] = outer(x, d)
            d_x = d_x + d @ params[f"{layer}/{matrix}"].T
    gradients["places"] = d_x.sum(axis=0)
    gradients["letters"] = np.zeros_like(params["letters"])
    np.add.at(gradients["letters"], letters, d_x)
    return loss, gradients


# %%
# Is it right? Along some direction in the space of all parameters, the loss must change as the gradient says. In float64 that
# shows to many digits.

batch = patterns(8)
exact = {name: param.astype(np.float64) for name, param in params.items()}
along = {name: rng.standard_normal(exact[name].shape) for name in params}
_, gradients = loss_and_gradients(exact, *batch)
slope = sum(np.vdot(gradients[name], along[name]) for name in params)


def loss_at(step):
    moved = {name: exact[name] + step * along[name] for name in params}
    return loss_and_gradients(moved, *batch)[0]


print(f"by the gradient {slope:.9f}")
print(f"by differences  {(loss_at(1e-5) - loss_at(-1e-5)) / 2e-5:.9f}")

# %%
# Training
# --------
# By Adam, on 32 new patterns a step; the step size falls linearly to 0. Products of this size gain nothing from BLAS's threads,
# so it is given one.

steps, history = 1000, []
mean = {name: np.zeros_like(param) for name, param in params.items()}
square = {name: np.zeros_like(param) for name, param in params.items()}

with threadpool_limits(1, user_api="blas"):
    for step in range(1, steps + 1):
        rate = 0.004 * (1 - step / steps)
        loss, gradients = loss_and_gradients(params, *patterns(32))
        history.append(loss)
        for name, d in gradients.items():
            mean[name] += 0.1 * (d - mean[name])
            square[name] += 0.01 * (d * d - square[name])
            size = np.sqrt(square[name] / (1 - 0.99**step)) + 1e-8
            params[name] -= rate / (1 - 0.9**step) * mean[name] / size

letters, successors = patterns(1000)
asked = successors != -100
right = forward(params, letters)[0].argmax(axis=-1) == successors
print(f"{right[asked].mean():.2%} are right in 1000 new patterns")

# %%
# The loss begins at ln 16, the price of knowing nothing. The network learns first that only letters of the row come into
# question; there it stays for a while, until it finds out where to look.

periods = np.arange(5, 11)      # a longer one has fewer letters to ask
of_row = np.average(np.log(periods), weights=length - periods)

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(range(1, steps + 1), history, color="#0072B2")
for level, what in ((np.log(16), "any of the 16 letters"),
                    (of_row, "any letter of the row")):
    axes.axhline(level, color="0.4", linestyle=":")
    axes.annotate(what, (steps, level), (0, 3), ha="right", color="0.3",
                  textcoords="offset points")
axes.set(xlabel="step", ylabel="mean loss, nats", ylim=(0, 3.1))
plt.show()

# %%
# What it attends to
# ------------------
# Each row is a place that looks, each column a place that it may look at; grey places are masked. Before training, attention is
# spread at random. After it, the first layer looks one place back while the pattern is new, so that each place there knows
# which letter came before it. From the second time on, the second layer looks for a place before which its own letter came
# (such places are ringed in orange): there stands the answer. Two layers that work together in this way are called an induction
# head.

figure, panels = plt.subplots(2, 2, figsize=(8, 9), layout="constrained",
                              sharex=True, sharey=True)
after = attention_maps(params)
for row, maps, when in ((panels[0], before, "before training"),
                        (panels[1], after, "after training")):
    for axes, attention, layer in zip(row, maps, ("first", "second"),
                                      strict=True):
        picture = axes.imshow(np.ma.masked_where(~mask, attention),
                              vmin=0, vmax=1, cmap="Blues")
        axes.set(title=f"{layer} layer, {when}", facecolor="0.85",
                 xticks=places, xticklabels=text,
                 yticks=places, yticklabels=text)
    for back in (len(word), 2 * len(word)):  # the letter was there too
        looking = places[back:]
        row[1].plot(looking - back + 1, looking, "o", markersize=9,
                    color="#D55E00", markerfacecolor="none")
    row[0].set_ylabel("place that looks")
for axes in panels[1]:
    axes.set_xlabel("place looked at")
figure.colorbar(picture, ax=panels, label="probability",
                location="bottom", shrink=0.5)
# sphinx_gallery_thumbnail_number = 2
plt.show()
