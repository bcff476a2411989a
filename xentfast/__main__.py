"""The demonstration: a digit classifier trained with this package, then a table of this machine's speed."""

import argparse
import functools
import importlib.util
import math
import os
import sys
import time
from typing import NamedTuple

import numpy as np

import xentfast as xf
from xentfast._threads import default_threads

DESCRIPTION = """\
Train a multilayer perceptron on the 1797 handwritten digits that scikit-learn
ships (a fifth of them held out), with the loss and gradient from xentfast; save
the curve of loss and accuracy as digits.png in the current directory; then time
xentfast on this machine beside the textbook NumPy formula and whichever of SciPy,
scikit-learn, PyTorch, JAX (with optax) and Numba is installed.
Needs the extra "demo": pip install "xentfast[demo]"."""
EXAMPLE = "example:\n  python -m xentfast --epochs 10 --seed 7 --threads 1"

PLOT_FILE = "digits.png"
DEMO_MODULES = {"sklearn": "scikit-learn", "tqdm": "tqdm", "matplotlib": "matplotlib"}     # and pip's names for them

HIDDEN_UNITS = 512
BATCH = 32
RATE = 5e-3             # Adam's rate at the first step; it falls linearly to 0 at the end
SMOOTHING = 0.1         # without it the network grows too sure of 1438 digits, and a bad seed ends below 97 %

SHAPES = ((65_536, 10), (1_024, 1_000), (256, 32_000))
SECONDS = 0.1           # of calls for each figure, after two that warm up


def main(argv=None):
    """Run the demonstration with the given command-line arguments."""
    options = parse_options(argv)
    require_extra(plot=options.plot)
    digits, held_out = load_digits(options.seed)
    start = time.perf_counter()
    history = train(digits, held_out, options.epochs, options.seed, options.threads)
    seconds = time.perf_counter() - start
    print(f"Held-out accuracy {history[-1].held_out_accuracy:.2%} after {seconds:.1f} s of training.")
    if options.plot:
        save_plot(history, PLOT_FILE)
    threads = options.threads or default_threads()
    print(speed_table(*measure(PEERS, SHAPES, threads, SECONDS), threads))


def parse_options(argv):
    parser = argparse.ArgumentParser(prog="python -m xentfast", description=DESCRIPTION, epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=whole_number(1), default=30, metavar="N",
                        help="passes over the training digits (default: 30)")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N",
                        help="chooses the held-out digits, the first weights and the order of training (default: 0)")
    parser.add_argument("--threads", type=whole_number(1, 1024), metavar="N",
                        help="threads for xentfast, and for the libraries it is compared with where they allow it "
                             "(default: the CPUs this process may use)")
    parser.add_argument("--no-plot", dest="plot", action="store_false",
                        help=f"do not write {PLOT_FILE}; matplotlib is not needed then")
    return parser.parse_args(argv)


def whole_number(least, most=sys.maxsize):
    """A converter for argparse."""
    def convert(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            limit = f"from {least} to {most}" if most < sys.maxsize else f"of at least {least}"
            raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number {limit}")
        return int(text)
    return convert


def require_extra(plot):
    """Exit, naming the extra, where a module that this run needs is not installed."""
    needed = [module for module in DEMO_MODULES if plot or module != "matplotlib"]
    missing = [DEMO_MODULES[module] for module in needed if not installed(module)]
    if missing:
        hint = "\nWithout matplotlib: python -m xentfast --no-plot" if missing == ["matplotlib"] else ""
        sys.exit(f'The demonstration needs {" and ".join(missing)}: pip install "xentfast[demo]"{hint}')


def installed(module):
    return importlib.util.find_spec(module) is not None


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


def first_parameters(rng, pixels, classes):
    he = math.sqrt(2 / pixels)                              # keeps the variance through ReLU: He et al. 2015, eq. 10
    xavier = math.sqrt(2 / (HIDDEN_UNITS + classes))        # Glorot & Bengio 2010, eq. 12
    return Parameters(rng.standard_normal((pixels, HIDDEN_UNITS), np.float32) * np.float32(he),
                      np.zeros(HIDDEN_UNITS, np.float32),
                      rng.standard_normal((HIDDEN_UNITS, classes), np.float32) * np.float32(xavier),
                      np.zeros(classes, np.float32))


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
    parameters = first_parameters(rng, pixels, classes=10)
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


def xentfast_calls(logits, targets, threads):
    out = np.zeros_like(logits)
    return (lambda: xf.softmax_cross_entropy(logits, targets, n_threads=threads),
            lambda: xf.softmax_cross_entropy_value_and_grad(logits, targets, out=out, n_threads=threads)[0])


def numpy_calls(logits, targets, threads):
    rows = np.arange(len(targets))

    def loss():
        row_max = logits.max(1, keepdims=True)
        return (np.log(np.exp(logits - row_max).sum(1)) + row_max[:, 0] - logits[rows, targets]).mean()

    def loss_and_gradient():
        row_max = logits.max(1, keepdims=True)
        gradient = np.exp(logits - row_max)
        row_sum = gradient.sum(1, keepdims=True)
        gradient /= row_sum * len(targets)
        gradient[rows, targets] -= 1 / len(targets)
        return (np.log(row_sum[:, 0]) + row_max[:, 0] - logits[rows, targets]).mean()

    return loss, loss_and_gradient


def scipy_calls(logits, targets, threads):
    from scipy.special import log_softmax

    rows = np.arange(len(targets))
    return lambda: -log_softmax(logits, axis=1)[rows, targets].mean(), None


def sklearn_calls(logits, targets, threads):
    from sklearn._loss.loss import HalfMultinomialLoss

    function = HalfMultinomialLoss(n_classes=logits.shape[1])
    labels = targets.astype(np.float32)                     # it takes no integers
    out, options = np.zeros_like(logits), {"loss_out": np.zeros_like(labels), "n_threads": threads}
    return (lambda: function.loss(labels, logits, **options).mean(),
            lambda: function.loss_gradient(labels, logits, gradient_out=out, **options)[0].mean())


def torch_calls(logits, targets, threads):
    import torch

    torch.set_num_threads(threads)
    cross_entropy = torch.nn.functional.cross_entropy
    plain, labels = torch.from_numpy(logits), torch.from_numpy(targets)
    tracked = plain.clone().requires_grad_()

    def loss_and_gradient():
        tracked.grad = None
        loss = cross_entropy(tracked, labels)
        loss.backward()
        return loss.detach()

    return torch.no_grad()(lambda: cross_entropy(plain, labels)), loss_and_gradient


def jax_calls(logits, targets, threads):
    os.environ.update(JAX_PLATFORMS="cpu", PJRT_NPROC=str(threads))     # read when JAX starts
    import jax
    import optax

    def mean_loss(logits, labels):
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    loss, loss_and_gradient = jax.jit(mean_loss), jax.jit(jax.value_and_grad(mean_loss))
    arrays = jax.numpy.asarray(logits), jax.numpy.asarray(targets)
    return lambda: loss(*arrays).block_until_ready(), lambda: jax.block_until_ready(loss_and_gradient(*arrays))[0]


@functools.cache
def numba_kernel():
    """The loops that a Numba user would write; where `out` is None, its branches are not compiled."""
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def kernel(logits, targets, out):
        n_rows, n_classes = logits.shape
        total, share = 0.0, np.float32(1 / n_rows)
        for row in numba.prange(n_rows):
            row_max = logits[row, 0]
            for cls in range(n_classes):
                row_max = max(row_max, logits[row, cls])
            row_sum = np.float32(0)
            for cls in range(n_classes):
                power = math.exp(logits[row, cls] - row_max)
                row_sum += power
                if out is not None:
                    out[row, cls] = power
            total += math.log(row_sum) + row_max - logits[row, targets[row]]
            if out is not None:
                scale = share / row_sum
                for cls in range(n_classes):
                    out[row, cls] *= scale
                out[row, targets[row]] -= share
        return total / n_rows
    return kernel


def numba_calls(logits, targets, threads):
    import numba

    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    kernel, out = numba_kernel(), np.zeros_like(logits)
    return lambda: kernel(logits, targets, None), lambda: kernel(logits, targets, out)


# Name in the table → the modules it needs, and a function of logits, targets and threads that returns two calls without
# arguments. Both give the mean loss, the second computes its gradient as well (None where the library cannot).
PEERS = {
    "xentfast": ((), xentfast_calls),
    "NumPy formula": ((), numpy_calls),
    "SciPy": (("scipy",), scipy_calls),
    "scikit-learn": (("sklearn",), sklearn_calls),
    "PyTorch": (("torch",), torch_calls),
    "JAX": (("jax", "optax"), jax_calls),
    "Numba": (("numba",), numba_calls),
}


def median_seconds(call, seconds):
    """Median time of a call, after two that warm up: of at least three, and of as many as fill `seconds`."""
    times = []
    while len(times) < 5 or sum(times[2:]) < seconds:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return float(np.median(times[2:]))


def measure(peers, shapes, threads, seconds):
    """Nanoseconds per logit as {(what, shape): {peer: figure}}, and a line for each peer that failed."""
    from tqdm import tqdm

    present = {name: calls for name, (modules, calls) in peers.items() if all(map(installed, modules))}
    figures = {(what, shape): {} for what in ("loss", "loss + gradient") for shape in shapes}
    failures = {}
    # Freeing one block of this size makes glibc keep what is freed later. Without it, page faults, many or few by the
    # accident of earlier allocations, can double the times of those who allocate on the way: NumPy, SciPy, PyTorch.
    np.empty(33_500_000, np.uint8)
    for shape in shapes:
        rng = np.random.default_rng(0)
        logits = rng.standard_normal(shape, np.float32) * 3
        targets = rng.integers(0, shape[1], shape[0])
        for name, calls in tqdm(present.items(), desc=f"timing {shape[0]} x {shape[1]}", leave=False, disable=None):
            try:
                for what, call in zip(("loss", "loss + gradient"), calls(logits, targets, threads), strict=True):
                    if call is not None:
                        figures[what, shape][name] = median_seconds(call, seconds) * 1e9 / logits.size
            except Exception as error:  # another library's fault must not end the table
                if name == "xentfast":
                    raise
                failures[name] = f"{name} failed: {type(error).__name__}: {error}".splitlines()[0][:110]
    return figures, list(failures.values())


def speed_table(figures, failures, threads):
    """The figures as text: the peers below each other, the shapes side by side."""
    lines = [f"\nNanoseconds per logit, float32, {threads} thread{'s' * (threads > 1)} (NumPy and SciPy use 1); "
             "in brackets, relative to xentfast.",
             "The gradient goes into a ready array where the library takes one (xentfast, scikit-learn, Numba)."]
    shapes = list(dict.fromkeys(shape for _, shape in figures))
    for what in ("loss", "loss + gradient"):
        columns = [figures[what, shape] for shape in shapes]
        lines.append(f"\n{what:16}" + "".join(f"{f'{n_rows} x {n_classes}':>20}" for n_rows, n_classes in shapes))
        for name in dict.fromkeys(name for column in columns for name in column):
            cells = [f"{column[name]:.2f} ({column[name] / column['xentfast']:5.2f})" if name in column else "-"
                     for column in columns]
            lines.append(f"{name:16}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join([*lines, *failures])


if __name__ == "__main__":
    main()
