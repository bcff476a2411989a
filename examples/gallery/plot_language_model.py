"""
A character language model
==========================

A small network reads the last eight characters of the English text that Python brings along (``pydoc_data.topics``) and says
what comes next. Its head, from hidden units to the loss, is ``linear_cross_entropy``, which never holds all logits.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib",) if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

import xentfast as xf

text = "\n".join(topics[name] for name in sorted(topics))[:300_000]
alphabet = sorted(set(text))
codes = np.searchsorted(alphabet, list(text))
held_out, kept = codes[:30_000], codes[30_000:]
CONTEXT, WIDTH, HIDDEN = 8, 16, 192


def examples(of, places):
    """Eight characters each, and the one that follows."""
    return of[places[:, None] + np.arange(CONTEXT)], of[places + CONTEXT]


print(f"{len(text)} characters, {len(alphabet)} of them different")

# %%
# Two floors to start from: how often characters are, and how often they follow each other (one added to each count).
counts = np.ones((len(alphabet), len(alphabet)))
np.add.at(counts, (kept[:-1], kept[1:]), 1)
unigrams = xf.perplexity(np.broadcast_to(np.log(counts.sum(0)), (len(held_out), len(alphabet))), held_out)
bigrams = xf.perplexity(np.log(counts)[held_out[:-1]], held_out[1:])

# %%
# The network: an embedding of each character, a layer of tanh, and the head, whose weights are (characters, hidden units).
params = xf.init.fill({
    "embedding": (xf.init.normal, (len(alphabet), WIDTH)),
    "hidden/weight": (xf.init.xavier_normal, (CONTEXT * WIDTH, HIDDEN)),
    "hidden/bias": (xf.init.zeros, (HIDDEN,)),
    "head/weight": (xf.init.zeros, (len(alphabet), HIDDEN)),
    "head/bias": (xf.init.zeros, (len(alphabet),)),
}, rng=0)


def hidden_of(contexts):
    embedded = params["embedding"][contexts].reshape(len(contexts), -1)
    return embedded, np.tanh(embedded @ params["hidden/weight"] + params["hidden/bias"])


def gradients(contexts, following):
    embedded, hidden = hidden_of(contexts)
    # Logits exist for as many rows at a time as fit into the limit: here for all, with 50 000 classes for some.
    _, (d_hidden, d_weight, d_bias) = xf.linear_cross_entropy_value_and_grad(
        hidden, params["head/weight"], following, bias=params["head/bias"], memory_limit=2**20)
    delta = d_hidden * (1 - hidden**2)
    d_embedding = np.zeros_like(params["embedding"])
    np.add.at(d_embedding, contexts, (delta @ params["hidden/weight"].T).reshape(*contexts.shape, WIDTH))
    return {"embedding": d_embedding, "hidden/weight": embedded.T @ delta, "hidden/bias": delta.sum(0),
            "head/weight": d_weight, "head/bias": d_bias}


def perplexity():
    contexts, following = examples(held_out, np.arange(0, len(held_out) - CONTEXT, 3))
    return np.exp(xf.linear_cross_entropy(hidden_of(contexts)[1], params["head/weight"], following, bias=params["head/bias"]))


# %%
# Adam, with a rate that falls to 0.
means = {name: np.zeros_like(value) for name, value in params.items()}
squares = {name: np.zeros_like(value) for name, value in params.items()}
rng, steps, history = np.random.default_rng(0), 2000, []
for step in range(1, steps + 1):
    for name, gradient in gradients(*examples(kept, rng.integers(0, len(kept) - CONTEXT, 256))).items():
        means[name] += 0.1 * (gradient - means[name])
        squares[name] += 0.001 * (gradient**2 - squares[name])
        rate = 0.004 * (1 - step / (steps + 1)) * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        params[name] -= rate * means[name] / (np.sqrt(squares[name]) + 1e-8)
    if step % 100 == 0:
        history.append(perplexity())
print(f"held-out perplexity {history[-1]:.2f}; of single characters {unigrams:.1f}, of pairs {bigrams:.1f}")

# %%
_, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.semilogy(range(100, steps + 1, 100), history, label="the network")
axes.axhline(unigrams, color="gray", linestyle=":", label="single characters")
axes.axhline(bigrams, color="tab:orange", linestyle="--", label="pairs")
axes.set(xlabel="step", ylabel="held-out perplexity", yticks=[5, 10, 20], yticklabels=["5", "10", "20"])
axes.minorticks_off()
axes.legend()
plt.show()

# %%
# And what it writes, one character after the other, a little more certain than it is (``logit_scale`` would be the training's
# word):
written = list(codes[40_000:40_000 + CONTEXT])
for _ in range(400):
    _, hidden = hidden_of(np.array([written[-CONTEXT:]]))
    p = xf.softmax(1.4 * (hidden @ params["head/weight"].T + params["head/bias"])[0].astype(float))
    written.append(rng.choice(len(alphabet), p=p))
print("".join(alphabet[code] for code in written))
