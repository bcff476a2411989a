"""
Self-attention with a causal mask
=================================

One head of attention in NumPy, forward and backward, trained to look back: whenever a letter comes again, say which letter
followed it the first time. ``xf.softmax`` with ``where=`` makes the attention; the map shows what the head has learnt.
"""
# sphinx_gallery_start_ignore
# ruff: noqa: E402
import importlib.util

missing = [name for name in ("matplotlib",) if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np

import xentfast as xf

LETTERS, LENGTH, WIDTH = 26, 24, 32
rng = np.random.default_rng(0)


def sequences(count):
    """Twelve letters of the alphabet, and again; answers are asked for in the second half, elsewhere −100: ignored."""
    half = rng.permuted(np.tile(np.arange(LETTERS), (count, 1)), axis=1)[:, :LENGTH // 2]
    letters = np.tile(half, 2)
    answers = np.full((count, LENGTH), -100)
    answers[:, LENGTH // 2:] = letters[:, 1:LENGTH // 2 + 1]
    return letters, answers


# %%
# A query is made of the letter at a place, a key of the letter before that place, a value of the letter at it. Each place may
# look at itself and what came before: that is the mask, True where a score is open.
shapes = {"query": (LETTERS, WIDTH), "key": (LETTERS + 1, WIDTH), "value": (LETTERS, WIDTH), "answer": (WIDTH, LETTERS)}
params = xf.init.fill({name: (xf.init.xavier_normal, shape) for name, shape in shapes.items()}, rng=1)
causal = np.tri(LENGTH, dtype=bool)
eye = np.eye(LETTERS + 1, dtype=np.float32)


def forward(params, letters):
    now, before = eye[letters][..., :LETTERS], eye[np.pad(letters, ((0, 0), (1, 0)), constant_values=LETTERS)[:, :-1]]
    query, key, value = now @ params["query"], before @ params["key"], now @ params["value"]
    scores = query @ key.swapaxes(1, 2) / np.sqrt(WIDTH)
    attention = xf.softmax(scores, where=causal, out=scores)            # in place: exactly 0 where the mask is False
    mixed = attention @ value
    return now, before, query, key, value, attention, mixed, mixed @ params["answer"]


# %%
# Back through it. Of a softmax p = softmax(s) the gradient is
#
# .. math:: \frac{\partial L}{\partial s_j} = p_j \Bigl(\frac{\partial L}{\partial p_j}
#           - \sum_k p_k \frac{\partial L}{\partial p_k}\Bigr),
#
# which is 0 wherever p is: masked places need no mask again.
def loss_and_gradients(params, letters, answers):
    now, before, query, key, value, attention, mixed, logits = forward(params, letters)
    loss, d_logits = xf.softmax_cross_entropy_value_and_grad(logits, answers, out=logits)
    d_mixed = d_logits @ params["answer"].T
    d_attention = d_mixed @ value.swapaxes(1, 2)
    d_scores = attention * (d_attention - (attention * d_attention).sum(-1, keepdims=True)) / np.sqrt(WIDTH)

    def product(a, b):
        return np.tensordot(a, b, ((0, 1), (0, 1)))
    return loss, {"query": product(now, d_scores @ key), "key": product(before, d_scores.swapaxes(1, 2) @ query),
                  "value": product(now, attention.swapaxes(1, 2) @ d_mixed), "answer": product(mixed, d_logits)}


# %%
# Right by finite differences? In float64, along one random direction:
letters, answers = sequences(8)
exact = {name: value.astype(float) for name, value in params.items()}
along = {name: rng.standard_normal(value.shape) for name, value in exact.items()}
ahead, behind = ({name: exact[name] + step * along[name] for name in exact} for step in (1e-5, -1e-5))
differences = (loss_and_gradients(ahead, letters, answers)[0] - loss_and_gradients(behind, letters, answers)[0]) / 2e-5
slope = sum(np.vdot(gradient, along[name]) for name, gradient in loss_and_gradients(exact, letters, answers)[1].items())
print(f"slope by differences {differences:.8f}, by the gradients {slope:.8f}")

# %%
# Adam, 300 steps of 64 new sequences.
example = sequences(1)
untrained = forward(params, example[0])[5][0]
means = {name: np.zeros_like(value) for name, value in params.items()}
squares = {name: np.zeros_like(value) for name, value in params.items()}
losses = []
for step in range(1, 301):
    loss, gradients = loss_and_gradients(params, *sequences(64))
    losses.append(loss)
    for name, gradient in gradients.items():
        means[name] += 0.1 * (gradient - means[name])
        squares[name] += 0.001 * (gradient**2 - squares[name])
        params[name] -= 0.02 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) * means[name] / (np.sqrt(squares[name]) + 1e-8)

letters, answers = sequences(500)
asked = answers >= 0
right = forward(params, letters)[-1].argmax(-1)[asked] == answers[asked]
print(f"loss {losses[0]:.2f} → {losses[-1]:.2f}, guessing is {np.log(LETTERS):.2f}; {right.mean():.1%} of new answers are right")

# %%
# The attention of one sequence: before training spread over all that is open, afterwards, in the second half, on the one letter
# that followed the first time. Above the diagonal all is exactly 0, and rows sum to 1.
trained = forward(params, example[0])[5][0]
assert (trained[~causal] == 0).all() and np.allclose(trained.sum(-1), 1)
text = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ"[letter] for letter in example[0][0]]
figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), sharey=True, layout="constrained")
for place, (title, attention) in zip(axes, {"before": untrained, "after": trained}.items(), strict=True):
    image = place.imshow(attention, cmap="magma_r", vmin=0, vmax=1)
    place.set(title=title, xlabel="looks at", xticks=range(LENGTH), xticklabels=text, yticks=range(LENGTH), yticklabels=text)
    place.tick_params(labelsize=7)
axes[0].set_ylabel("letter")
figure.colorbar(image, ax=axes, label="attention", shrink=0.8)
plt.show()
