"""
A small language model
======================

A network reads six words and guesses the next one. Its text is the language reference that Python carries for ``help()``, its
vocabulary some two thousand words and characters. The last layer and the loss are one call,
:py:func:`xentfast.linear_cross_entropy_value_and_grad`, which makes the logits a few rows at a time. In the end the model
writes.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib", "threadpoolctl") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import re
import textwrap
from collections import Counter
from functools import partial
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

import xentfast as xf

# %%
# The text
# --------
# Paragraphs that read as sentences, each once, without quotation marks and asterisks. Every tenth is held out.

raw = "\n\n".join(topics.values()).split("\n\n")
plain = (" ".join(re.sub('[*"]', "", part).split()) for part in raw)
paragraphs = [part for part in dict.fromkeys(plain)
              if re.fullmatch(r"[A-Z].*[.:]", part)]
held_out = paragraphs[::10]
train = [part for place, part in enumerate(paragraphs) if place % 10]
print(len(train), "to learn from,", len(held_out), "held out; the first:")
print(textwrap.fill(held_out[0], 72))

# %%
# Tokens
# ------
# The 2 000 most frequent words and signs are tokens, a word together with the blank before it. All other words are spelled,
# character by character, so that any text can be written.


def words(parts):
    return re.findall(r" ?\w+|\s|[^\w\s]", "\n".join(parts) + "\n")


frequent = {word for word, _ in Counter(words(train)).most_common(2000)}
vocabulary = sorted(frequent | set("\n".join(paragraphs)))
number = {token: place for place, token in enumerate(vocabulary)}
seen = 6


def encode(parts):
    """The tokens, by number."""
    tokens = []
    for word in words(parts):
        tokens += [word] if word in frequent else word  # its letters
    return np.array([number[token] for token in tokens])


def examples(parts):
    """Of each token the six before it, and itself."""
    tokens = np.append([number["\n"]] * seen, encode(parts))
    windows = np.lib.stride_tricks.sliding_window_view(tokens, seen + 1)
    return windows[:, :-1], windows[:, -1]


contexts, targets = examples(train)
held_out_contexts, held_out_targets = examples(held_out)
print(len(vocabulary), "tokens in the vocabulary")
print(len(targets), "in the text,", len(held_out_targets), "held out")

# %%
# The network
# -----------
# Each token has a vector of 48 numbers. Those of the six tokens, side by side, go through a hidden layer, which answers with 48
# numbers of its own. The dot product of this answer and a token's vector is the token's logit, but for a bias. So the table of
# vectors serves twice, to read and to write.

width, n_hidden, n_tokens = 48, 256, len(vocabulary)
params = xf.init.fill({
    "embedding": (partial(xf.init.normal, std=0.1), (n_tokens, width)),
    "w1": (xf.init.he_normal, (seen * width, n_hidden)),
    "b1": (xf.init.zeros, (n_hidden,)),
    "w2": (xf.init.lecun_normal, (n_hidden, width)),
    "b2": (xf.init.zeros, (n_tokens,)),
}, rng=0)


def forward(contexts):
    """The vectors read, the hidden layer, and its answer."""
    vectors = params["embedding"][contexts].reshape(len(contexts), -1)
    hidden = np.maximum(vectors @ params["w1"] + params["b1"], 0)
    return vectors, hidden, hidden @ params["w2"]


# %%
# The head
# --------
# :py:func:`xentfast.linear_cross_entropy_value_and_grad` takes the answers, the table and a bias, and gives the loss and the
# gradients of all three. Logits, a number for each of two thousand tokens in each row, are made a chunk of rows at a time,
# turned into their gradient where they stand, and forgotten. ``memory_limit`` says how many bytes this may take, however many
# rows and tokens there are: here 1 MiB, where the default is 64 MiB.


def loss_and_gradients(contexts, targets):
    vectors, hidden, answer = forward(contexts)
    loss, from_head = xf.linear_cross_entropy_value_and_grad(
        answer, params["embedding"], targets, bias=params["b2"],
        memory_limit=2**20)
    d_answer, d_embedding, d_b2 = from_head
    d_hidden = d_answer @ params["w2"].T * (hidden > 0)
    d_vectors = d_hidden @ params["w1"].T       # the table's other use
    np.add.at(d_embedding, contexts, d_vectors.reshape(-1, seen, width))
    return loss, {
        "embedding": d_embedding,
        "w1": vectors.T @ d_hidden,
        "b1": d_hidden.sum(axis=0),
        "w2": hidden.T @ d_answer,
        "b2": d_b2,
    }


def held_out_loss():
    _, _, answer = forward(held_out_contexts)
    return xf.linear_cross_entropy(
        answer, params["embedding"], held_out_targets, bias=params["b2"],
        memory_limit=2**20)


mebibytes = len(held_out_targets) * n_tokens * 4 / 2**20
print(f"all held-out logits at once would take {mebibytes:.0f} MiB")

# %%
# Training
# --------
# By Adam, 256 tokens a step, with a step size that falls linearly to 0. The exponential of the loss is the perplexity: the
# model is as unsure as one that must choose among so many tokens, all equally likely. Products of this size gain little from
# BLAS's threads, so it is given one.

epochs, batch, step = 3, 256, 0
steps = epochs * (len(targets) // batch)
rng = np.random.default_rng(0)
mean = {name: np.zeros_like(param) for name, param in params.items()}
square = {name: np.zeros_like(param) for name, param in params.items()}

with threadpool_limits(1, user_api="blas"):
    perplexity = {0: np.exp(held_out_loss())}
    for _ in range(epochs):
        order = rng.permutation(len(targets))
        for chosen in np.array_split(order, len(order) // batch):
            step += 1
            rate = 0.006 * (1 - step / steps)
            loss, gradients = loss_and_gradients(
                contexts[chosen], targets[chosen])
            for name, d in gradients.items():
                mean[name] += 0.1 * (d - mean[name])
                square[name] += 0.01 * (d * d - square[name])
                size = np.sqrt(square[name] / (1 - 0.99**step)) + 1e-8
                params[name] -= rate / (1 - 0.9**step) * mean[name] / size
            if step % 50 == 0 or step == steps:
                perplexity[step] = np.exp(held_out_loss())
print(f"perplexity from {perplexity[0]:.0f} to {perplexity[steps]:.1f}")

# %%
# Two perplexities to compare with: that of a model which knows nothing, the size of the vocabulary, and that of one which knows
# how frequent each token is, but not what stands before it. For this, logarithms of counts are logits that
# :py:func:`xentfast.perplexity` takes; one row of them serves for all tokens, by ``np.broadcast_to``, which copies nothing.

counts = np.bincount(targets, minlength=n_tokens) + 1
by_counts = xf.perplexity(
    np.broadcast_to(np.log(counts), (len(held_out_targets), n_tokens)),
    held_out_targets)

figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
axes.semilogy(perplexity.keys(), perplexity.values(), color="#0072B2")
for what, level, colour in (("any token", n_tokens, "0.3"),
                            ("by frequency alone", by_counts, "0.3"),
                            ("the model", perplexity[steps], "#0072B2")):
    if what != "the model":
        axes.axhline(level, color=colour, linestyle=":")
    axes.annotate(f"{what}: {level:.0f}", (steps, level), (0, 4),
                  textcoords="offset points", ha="right", color=colour)
ticks = [20, 50, 100, 200, 500, 1000, 2000]
axes.set(xlabel="step", ylabel="perplexity of held-out text",
         ylim=(20, 4000), yticks=ticks, yticklabels=map(str, ticks))
axes.minorticks_off()
axes.grid(alpha=0.3)
plt.show()

# %%
# What comes next
# ---------------
# The likeliest tokens after three beginnings. A blank alone begins a word that is spelled.


def after(tokens, temperature=1.0):
    """The probability of each token after these, of which six count."""
    context = np.append([number["\n"]] * seen, tokens)[None, -seen:]
    _, _, answer = forward(context)
    logits = answer @ params["embedding"].T + params["b2"]
    return xf.softmax(logits[0].astype(np.float64) / temperature)


beginnings = ("If the", "It is also possible", "This is a built-in")
figure, panels = plt.subplots(
    1, 3, figsize=(9, 2.8), layout="constrained", sharex=True)
for axes, beginning in zip(panels, beginnings, strict=True):
    probabilities = after(encode([beginning])[:-1])  # not the line's end
    likeliest = probabilities.argsort()[-7:]
    names = [repr(vocabulary[token]) for token in likeliest]
    axes.barh(names, probabilities[likeliest], color="#0072B2")
    axes.set(title=f"{beginning} …", xlabel="probability")
plt.show()

# %%
# It writes
# ---------
# Token by token, drawn from these probabilities, a little sharpened: logits are divided by 0.5. It has the words and the turns
# of its text, and no idea what they mean: six words are not much to go by.

tokens = list(encode(["If the"])[:-1])
while len(tokens) < 160:
    tokens.append(rng.choice(n_tokens, p=after(tokens, temperature=0.5)))
for line in "".join(vocabulary[token] for token in tokens).splitlines():
    print(textwrap.fill(line, 72))
