# ruff: noqa: E402
"""
A small network taught by a large one
=====================================

A large network was trained on 1 200 of scikit-learn's digits. A small one has only 100 of them, and
learns either from their labels or from what the large one says about them: the softmax of its
logits at a temperature (Hinton, Vinyals & Dean 2015, *Distilling the knowledge in a neural
network*). Soft targets and ``logit_scale`` of
:func:`~xentfast.softmax_cross_entropy_value_and_grad` are all that takes.
"""
# sphinx_gallery_start_ignore
import importlib.util

missing = [name for name in ("matplotlib", "sklearn") if importlib.util.find_spec(name) is None]
if missing:
    raise SystemExit(f'{", ".join(missing)} missing: pip install "xentfast[demo]"')
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import xentfast as xf

pixels, digits = load_digits(return_X_y=True)
pixels = (pixels / 16).astype(np.float32)
N_TEACHER, N_STUDENT, N_SPLITS = 1200, 100, 8
TEACHER = {"width": 128, "epochs": 20, "rate": 0.1}
STUDENT = {"width": 16, "epochs": 100, "rate": 0.03}

# %%
# Teacher and student
# -------------------
#
# The same code trains both. With the temperature T the student's softmax is that of its logits / T
# (:ref:`logit_scale <option-logit-scale>`), and the gradient is multiplied by T², so that its size
# is about the same for every T.


def train(x, targets, seed, width, epochs, rate, temperature=1.0,
          label_smoothing=0.0, batch=50, momentum=0.9):
    """64 → width → 10, with momentum; returns the map of pixels to logits."""
    params = xf.init.fill({
        "hidden/weight": (xf.init.he_normal, (64, width)),
        "hidden/bias": (xf.init.zeros, (width,)),
        "output/weight": (xf.init.xavier_normal, (width, 10)),
        "output/bias": (xf.init.zeros, (10,)),
    }, rng=seed)
    hidden_weight, hidden_bias, weight, bias = params.values()
    steps = [np.zeros_like(param) for param in params.values()]
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), len(x) // batch):
            hidden = np.maximum(x[rows] @ hidden_weight + hidden_bias, 0)
            _, grad = xf.softmax_cross_entropy_value_and_grad(
                hidden @ weight + bias, targets[rows],
                logit_scale=1 / temperature, label_smoothing=label_smoothing)
            grad *= temperature**2
            hidden_grad = grad @ weight.T * (hidden > 0)
            grads = (x[rows].T @ hidden_grad, hidden_grad.sum(0),
                     hidden.T @ grad, grad.sum(0))
            for param, step, slope in zip(
                    params.values(), steps, grads, strict=True):
                step *= momentum
                step -= rate * slope
                param += step
    return lambda x: (
        np.maximum(x @ hidden_weight + hidden_bias, 0) @ weight + bias)


# %%
# The trials
# ----------
#
# On eight random splits, with 597 rows held out. The same student, from the same first weights and
# on the same 100 rows, learns from
#
# - their labels; the same for four times as long; and labels smoothed by 0.1, soft targets that
#   know nothing of the rows;
# - the teacher's soft targets, at temperatures from 1 to 16;
# - the soft targets of a second teacher, as large as the first, that has seen those 100 rows alone.
#
# In the table, what has a temperature is a student of the teacher named before it.

TEMPERATURES = (1, 2, 4, 8, 16)
scores = {}


def note(name, predict, rows):
    logits = predict(pixels[rows])
    accuracy = (logits.argmax(axis=1) == digits[rows]).mean()
    loss = xf.softmax_cross_entropy(logits, digits[rows])
    scores.setdefault(name, []).append((accuracy, loss))


for seed in range(N_SPLITS):
    order = np.random.default_rng(seed).permutation(len(digits))
    rows, few, held_out = order[:N_TEACHER], order[:N_STUDENT], order[N_TEACHER:]
    x, labels = pixels[few], digits[few]
    teacher = train(pixels[rows], digits[rows], seed, **TEACHER)
    as_many_steps = {"epochs": 20 * N_TEACHER // N_STUDENT}
    second = train(x, labels, seed, **TEACHER | as_many_steps)
    note("teacher", teacher, held_out)
    note("second", second, held_out)
    note("labels", train(x, labels, seed, **STUDENT), held_out)
    student = train(x, labels, seed, **STUDENT | {"epochs": 400})
    note("labels, longer", student, held_out)
    student = train(x, labels, seed, **STUDENT, label_smoothing=0.1)
    note("smoothed labels", student, held_out)
    for temperature in TEMPERATURES:
        for name, source in ("teacher", teacher), ("second", second):
            soft_targets = xf.softmax(source(x) / temperature)
            student = train(
                x, soft_targets, seed, **STUDENT, temperature=temperature)
            note(f"{name}, T = {temperature}", student, held_out)
    if seed == 0:
        shown, shown_logits = few, teacher(x)


def mean_and_error(values):
    error = np.std(values, ddof=1) / N_SPLITS**0.5
    return f"{np.mean(values):6.3f} ± {error:.3f}"


print("held out             accuracy           less that of labels    loss")
for name in scores:
    accuracy, loss = np.transpose(scores[name])
    gained = accuracy - np.transpose(scores["labels"])[0]
    print(f"{name:18}", *map(mean_and_error, (accuracy, gained, loss)), sep="   ")

# %%
# What the teacher says about one digit
# -------------------------------------
#
# Of the first split's 100 rows, the one of which the teacher is least certain. A label says 9. The
# teacher says that this 9 looks like a 3, and the temperature how loudly it says so, down to the
# classes that it thinks next to impossible.

least_sure = xf.softmax(shown_logits).max(axis=1).argmin()
figure, (picture, bars) = plt.subplots(
    1, 2, figsize=(9, 3), layout="constrained", width_ratios=(1, 3))
picture.imshow(pixels[shown[least_sure]].reshape(8, 8), cmap="gray_r")
picture.set(title=f"labelled {digits[shown[least_sure]]}", xticks=[], yticks=[])
for shift, temperature, color in (
        (-0.27, 1, "black"), (0, 4, "#0072b2"), (0.27, 16, "#e69f00")):
    soft_target = xf.softmax(shown_logits[least_sure] / temperature)
    bars.bar(np.arange(10) + shift, soft_target, 0.25, color=color,
             label=f"T = {temperature}")
bars.set(xlabel="digit", ylabel="soft target", xticks=range(10),
         title="what the teacher says of it")
bars.legend(frameon=False)
plt.show()

# %%
# Accuracy over the temperature
# -----------------------------
#
# Means of the splits, with standard errors.


def summary(name):
    accuracy = np.array(scores[name])[:, 0]
    return accuracy.mean(), accuracy.std(ddof=1) / N_SPLITS**0.5


figure, panel = plt.subplots(figsize=(8, 4.4), layout="constrained")
LINES = (("teacher", "#0072b2", "--", "the teacher of 1 200 rows"),
         ("second", "#d55e00", "--", "the teacher of the same 100 rows"),
         ("smoothed labels", "black", ":", "a student of smoothed labels"),
         ("labels", "black", "-", "a student of labels"))
for name, color, line, label in LINES:
    panel.axhline(summary(name)[0], color=color, linestyle=line, label=label)
    if name in ("teacher", "second"):
        means, errors = np.transpose([summary(f"{name}, T = {temperature}")
                                      for temperature in TEMPERATURES])
        marker = "o-" if name == "teacher" else "^-"
        panel.errorbar(TEMPERATURES, means, errors, fmt=marker, color=color,
                       capsize=4, markersize=7, label="its student")
panel.set(xscale="log", xlabel="temperature T", ylabel="accuracy, held out",
          xticks=TEMPERATURES, xticklabels=TEMPERATURES)
panel.minorticks_off()
panel.grid(alpha=0.3)
handles, labels = panel.get_legend_handles_labels()
order = (0, 4, 1, 5, 2, 3)
panel.legend([handles[i] for i in order], [labels[i] for i in order],
             frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %%
# The student of the better teacher gets about 95 of 100 digits right from T = 8 on, that of the labels
# 87, and 88 or 89 if it is trained four times as long. But two things are mixed in that:
#
# - Most of it comes from the teacher's other 1 100 rows, whose labels reach the student through the
#   soft targets. Whoever has those rows and can train the student on them may not need this.
# - The second teacher knows nothing that the student's rows do not say. Its student still gains
#   between two and three points over the student of labels from T = 4 on, and comes close to its
#   teacher; but over the one that learned the labels for longer it gains only about one.
#
# At T = 1 there is next to no gain: on rows that it was trained on, the teacher's softmax is nearly
# the label. And smoothed labels do little for the accuracy, and raise the held-out loss.
