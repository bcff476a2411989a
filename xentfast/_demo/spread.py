"""Why the first weights matter: how far activations and gradients spread through many layers of tanh or ReLU.

In the manner of Glorot & Bengio 2010 ("Understanding the difficulty of training deep feedforward neural networks"): standard
deviation and 98th percentile, as in their figure 3, of the activations and back-propagated gradients of their figures 6 and 7,
by layer and before any training.
"""

import functools
import sys
import textwrap
from typing import NamedTuple

import numpy as np

import xentfast as xf

LAYERS, WIDTH, ROWS, CLASSES = 30, 256, 300, 10
DESCRIPTION = f"""\
Show why the first weights of a deep network matter: send {ROWS} standard normal inputs through {LAYERS} layers of {WIDTH} tanh or
ReLU units, and the gradient of a softmax cross-entropy back, with weights from xf.init: He, Xavier, small random and zero. A
picture (PNG) and a paragraph tell how far the values spread at each layer; a table, how fast xentfast makes weights on this
machine, beside NumPy and whichever of PyTorch and JAX is installed. Needs the extra "demo": pip install "xentfast[demo]"."""

SMALL = 0.01
INITIALISERS = {
    "He": xf.init.he_normal,
    "Xavier": xf.init.xavier_normal,
    "small random": functools.partial(xf.init.normal, std=SMALL),
    "zero": xf.init.zeros,
}
# Each with its derivative, as a function of the activation.
NONLINEARITIES = {
    "tanh": (np.tanh, lambda activations: 1 - activations**2),
    "ReLU": (lambda sums: np.maximum(sums, 0), lambda activations: activations > 0),
}

# Of Okabe & Ito's colours, which differ for the colour-blind too; the markers differ without any colour.
LOOKS = {"He": ("#d55e00", "s"), "Xavier": ("#0072b2", "o"), "small random": ("#009e73", "^"), "zero": ("black", "x")}
FRAME = (1e-8, 10)      # small random weights fall out of it: in a wider one, Xavier and He with tanh would look alike


class Spread(NamedTuple):
    """Of the values of each layer, from the one next to the inputs to the last."""

    std: np.ndarray
    percentile_98: np.ndarray       # of the absolute values


def show(seed, path):
    """Measure, describe and, where there is a path, draw."""
    spreads = measure(seed)
    print(paragraph(spreads))
    if path is None:
        return
    try:
        draw(spreads).savefig(path, format="png")
    except OSError as error:
        sys.exit(f"The picture is not saved: {error}")
    print(f"The picture is in {path}.")


def measure(seed):
    """{("activations" or "gradients", nonlinearity, kind of weights): Spread}, all from the seed."""
    inputs = xf.init.normal((ROWS, WIDTH), rng=seed, name="inputs", dtype=np.float64)
    spreads = {}
    for kind, initialiser in INITIALISERS.items():
        weights = first_weights(initialiser, seed)
        for nonlinearity, (function, derivative) in NONLINEARITIES.items():
            activations = forward(inputs, weights, function)
            spreads["activations", nonlinearity, kind] = spread_of(activations)
            spreads["gradients", nonlinearity, kind] = spread_of(backward(activations, weights, derivative))
    return spreads


def first_weights(initialiser, seed):
    """The weights of all layers and of the output, in float64: float32 has no room for the squares of what vanishes."""
    shapes = [(WIDTH, WIDTH)] * LAYERS + [(WIDTH, CLASSES)]
    params = {f"layer{layer}/weight": (initialiser, np.empty(shape)) for layer, shape in enumerate(shapes, 1)}
    return list(xf.init.fill(params, rng=seed).values())


def forward(inputs, weights, function):
    """Activations of each layer."""
    activations = [inputs]
    for weight in weights[:-1]:
        activations.append(function(activations[-1] @ weight))
    return activations[1:]


def backward(activations, weights, derivative):
    """Gradients of each row's own loss with respect to the sums that enter the nonlinearity, one array for each layer."""
    logits = activations[-1] @ weights[-1]
    gradient = xf.softmax_cross_entropy_grad(logits, np.arange(len(logits)) % CLASSES, reduction="sum")
    gradients = []
    for layer_activations, weight_above in zip(reversed(activations), reversed(weights[1:]), strict=True):
        gradient = (gradient @ weight_above.T) * derivative(layer_activations)
        gradients.append(gradient)
    return gradients[::-1]


def spread_of(layers):
    return Spread(np.array([values.std() for values in layers]),
                  np.array([np.percentile(np.abs(values), 98) for values in layers]))


def paragraph(spreads):
    """What is to be seen, with the figures measured."""
    def moves(quantity, nonlinearity, kind):
        std = on_the_way(quantity, spreads[quantity, nonlinearity, kind].std)
        return f"{std[0]:.2g} to {std[-1]:.2g}"

    def both(nonlinearity, kind):
        return f"activations {moves('activations', nonlinearity, kind)}, gradients {moves('gradients', nonlinearity, kind)}"

    of_zero = max(spread.percentile_98.max() for (_, _, kind), spread in spreads.items() if kind == "zero")
    return textwrap.fill(
        f"How far values spread, as standard deviations: activations on the way from layer 1 to layer {LAYERS}, gradients on the "
        f"way back from layer {LAYERS} to layer 1. Zero weights give exactly {of_zero:g} everywhere, so no weight ever learns. "
        f"Small random weights (standard deviation {SMALL}) shrink the signal at every layer, to nothing: with tanh, "
        f"{both('tanh', 'small random')}; with ReLU, {both('ReLU', 'small random')}. Xavier weights keep tanh alive: "
        f"{both('tanh', 'Xavier')}. For ReLU, which drops half of its input, they are too small: {both('ReLU', 'Xavier')}. "
        f"He weights make up for that half; the drift that is left is chance, and smaller in wider layers: "
        f"{both('ReLU', 'He')}. For tanh they are larger than is needed, and gradients grow on the way back: "
        f"{both('tanh', 'He')}.", width=80)


def on_the_way(quantity, by_layer):
    """In the order of travel: activations go from layer 1 to the last, gradients back."""
    return by_layer[::-1] if quantity == "gradients" else by_layer


def draw(spreads):
    """A row for activations and one for gradients, a column for each nonlinearity, a line for each kind of weights."""
    from matplotlib.figure import Figure  # no pyplot: no window, no global state

    figure = Figure(figsize=(10, 8), dpi=150, layout="constrained")
    figure.suptitle(f"Why the first weights matter: signals in {LAYERS} layers of {WIDTH} units, before any training", size=14)
    panels = figure.subplots(2, len(NONLINEARITIES), sharex=True, sharey=True)
    for row, (quantity, label) in enumerate((("activations", "activations"),
                                             ("gradients", "gradients (of the loss, by pre-activation)"))):
        panels[row, 0].set_ylabel(label)
        for axes, nonlinearity in zip(panels[row], NONLINEARITIES, strict=True):
            axes.set(yscale="log", ylim=FRAME, xlim=(-5, LAYERS + 6), xticks=[1, *range(5, LAYERS + 1, 5)],
                     title=f"{nonlinearity}: {quantity}")
            axes.grid(alpha=0.3)
            for kind in INITIALISERS:
                draw_line(axes, quantity, kind, spreads[quantity, nonlinearity, kind])
    for axes in panels[1]:
        axes.set_xlabel("layer, counted from the inputs")
    figure.legend(handles=legend_lines(), loc="outside lower center", ncols=2)
    return figure


def draw_line(axes, quantity, kind, spread):
    """Standard deviation and percentile, and in figures where the line ends; zeros have no place on a logarithmic axis."""
    if not spread.std.any():
        return
    color, marker = LOOKS[kind]
    layers = np.arange(1, LAYERS + 1)
    axes.plot(layers, spread.std, marker=marker, markersize=4, color=color)
    axes.plot(layers, spread.percentile_98, ".", markersize=3, color=color)
    side = -1 if quantity == "gradients" else 1
    layers, std = on_the_way(quantity, layers), on_the_way(quantity, spread.std)
    place, text = (layers[-1], std[-1]), f"{std[-1]:.2g}"
    if std[-1] < FRAME[0]:
        place, text = (layers[np.argmax(std < FRAME[0])], FRAME[0] * 2), f"{text} at layer {layers[-1]}"
    axes.annotate(text, place, (8 * side, 0), textcoords="offset points", color=color, va="center",
                  ha="right" if side < 0 else "left")


def legend_lines():
    from matplotlib.lines import Line2D

    labels = {"small random": f"small random (standard deviation {SMALL})",
              "zero": "zero: 0 at every layer, which a logarithmic axis cannot show"}
    lines = [Line2D([], [], color=color, marker=marker, markersize=5, label=labels.get(kind, kind))
             for kind, (color, marker) in LOOKS.items()]
    return [*lines, Line2D([], [], color="0.5", label="line: standard deviation"),
            Line2D([], [], color="0.5", marker=".", linestyle="none", label="dots: 98th percentile of the absolute values")]
