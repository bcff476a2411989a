"""A digit classifier: a perceptron trained with this package."""

import math
from typing import NamedTuple

import numpy as np

import xentfast as xf

HIDDEN_UNITS = 512
BATCH = 32
RATE = 5e-3             # Adam's rate at the first step; it falls linearly to 0 at the end
SMOOTHING = 0.1         # without it the network grows too sure of 1438 digits, and a bad seed ends below 97 %


class Digits(NamedTuple):
    images: np.ndarray              # (n, 64) pixels from 0 to 1, float32
    labels: np.ndarray              # (n,) from 0 to 9


class Epoch(NamedTuple):
    """The network after an epoch: its mean cross-entropy, without smoothing, and the share of digits it names right."""

    loss: float
    accuracy: float
    held_out_loss: float
    held_out_accuracy: float


class Parameters(NamedTuple):
    hidden_weights: np.ndarray      # (64, hidden units)
    hidden_biases: np.ndarray
    output_weights: np.ndarray      # (hidden units, 10)
    output_biases: np.ndarray


class Adam:
    """Kingma & Ba 2015, algorithm 1, with the decay rates of its authors."""

    def __init__(self, parameters):
        self.means = [np.zeros_like(parameter) for parameter in parameters]
        self.squares = [np.zeros_like(parameter) for parameter in parameters]
        self.steps = 0

    def step(self, parameters, gradients, rate):
        """Change `parameters` in place."""
        self.steps += 1
        mean_share, square_share = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for parameter, gradient, mean, square in zip(parameters, gradients, self.means, self.squares, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            parameter -= (rate / mean_share) * mean / (np.sqrt(square / square_share) + 1e-8)


def load_digits(seed):
    """scikit-learn's digits: those to learn, and the fifth that a permutation drawn from the seed holds out."""
    from sklearn.datasets import load_digits as load

    images, labels = load(return_X_y=True)
    images = (images / 16).astype(np.float32)
    held_out, kept = np.split(np.random.default_rng((seed, 0)).permutation(len(labels)), [len(labels) // 5])
    return Digits(images[kept], labels[kept]), Digits(images[held_out], labels[held_out])


def first_parameters(seed, pixels, classes):
    return Parameters(**xf.init.fill({
        "hidden_weights": (xf.init.he_normal, (pixels, HIDDEN_UNITS)),              # ReLU follows
        "hidden_biases": (xf.init.zeros, HIDDEN_UNITS),
        "output_weights": (xf.init.xavier_normal, (HIDDEN_UNITS, classes)),
        "output_biases": (xf.init.zeros, classes),
    }, rng=seed))


def forward(parameters, images):
    """Hidden activations and logits."""
    hidden = np.maximum(images @ parameters.hidden_weights + parameters.hidden_biases, 0)
    return hidden, hidden @ parameters.output_weights + parameters.output_biases


def gradients_of(parameters, images, labels, n_threads):
    """Gradients of the mean smoothed loss, one for each of the parameters."""
    hidden, logits = forward(parameters, images)
    _, from_logits = xf.softmax_cross_entropy_value_and_grad(logits, labels, label_smoothing=SMOOTHING, out=logits,
                                                             n_threads=n_threads)
    from_hidden = (from_logits @ parameters.output_weights.T) * (hidden > 0)
    return Parameters(images.T @ from_hidden, from_hidden.sum(0), hidden.T @ from_logits, from_logits.sum(0))


def loss_and_accuracy(parameters, digits, n_threads):
    _, logits = forward(parameters, digits.images)
    loss = xf.softmax_cross_entropy(logits, digits.labels, n_threads=n_threads)
    return float(loss), float(np.mean(logits.argmax(1) == digits.labels))


def train(digits, held_out, epochs, seed, n_threads):
    """Train a network, print a line for each epoch, and return its list of `Epoch`."""
    from threadpoolctl import threadpool_limits  # scikit-learn brings it
    from tqdm import tqdm

    n_digits, pixels = digits.images.shape
    rng = np.random.default_rng((seed, 1))
    parameters = first_parameters(seed, pixels, classes=10)
    adam = Adam(parameters)
    steps, history = epochs * math.ceil(n_digits / BATCH), []
    print(f"A perceptron of {pixels}, {HIDDEN_UNITS} and 10 units learns {n_digits} handwritten digits; "
          f"{len(held_out.labels)} others are held out.")
    # BLAS on one thread: the products are small, and the outcome is then the same for any number of threads.
    with threadpool_limits(1, user_api="blas"), tqdm(total=epochs, desc="training", leave=False, disable=None) as bar:
        for epoch in range(1, epochs + 1):
            order = rng.permutation(n_digits)
            for batch in (order[first:first + BATCH] for first in range(0, n_digits, BATCH)):
                gradients = gradients_of(parameters, digits.images[batch], digits.labels[batch], n_threads)
                adam.step(parameters, gradients, RATE * (1 - adam.steps / steps))
            now = Epoch(*loss_and_accuracy(parameters, digits, n_threads),
                        *loss_and_accuracy(parameters, held_out, n_threads))
            history.append(now)
            bar.update()
            tqdm.write(f"epoch {epoch:3}   loss {now.loss:.4f}   held-out loss {now.held_out_loss:.4f}   "
                       f"held-out accuracy {now.held_out_accuracy:.2%}")
    return history


def save_plot(history, path):
    """Loss and accuracy against the epoch, as a picture."""
    from matplotlib.figure import Figure  # no pyplot: no window, no global state
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    epochs = range(1, len(history) + 1)
    figure = Figure(figsize=(9, 4), dpi=150, layout="constrained")
    figure.suptitle("Handwritten digits: a perceptron trained with xentfast")
    for axes, name, label in zip(figure.subplots(1, 2), ("loss", "accuracy"), ("mean cross-entropy (nats)", "accuracy"),
                                 strict=True):
        for which, color, shown in (("", "0.6", "training digits"), ("held_out_", "tab:blue", "held-out digits")):
            values = [getattr(epoch, which + name) for epoch in history]
            last = f"{values[-1]:.3f}" if name == "loss" else f"{values[-1]:.2%}"
            axes.plot(epochs, values, ".-", color=color, label=f"{shown}: {last} at the end")
        axes.set(xlabel="epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.axes[0].set_ylim(bottom=0)
    figure.axes[1].yaxis.set_major_formatter(PercentFormatter(1.0))
    try:
        figure.savefig(path)
        print(f"The curve of loss and accuracy is in {path}.")
    except OSError as error:
        print(f"The curve is not saved: {error}")
