"""The two panels of an option, each a figure of its own: side by side on a wide page, one below the other on a narrow one."""

import matplotlib.pyplot as plt
import numpy as np

import xentfast as xf


def margins(least, largest, classes=10):
    """(differences between the target's logit and the others', logits of such rows, targets): the target is class 0."""
    across = np.linspace(least, largest, 401)
    logits = np.zeros((across.size, classes))
    logits[:, 0] = across
    return across, logits, np.zeros(across.size, int)


def curve(logits, targets, column=0, **options):
    """(losses, their derivatives with respect to the logits of this class)."""
    losses = xf.softmax_cross_entropy(logits, targets, reduction="none", **options)
    return losses, xf.softmax_cross_entropy_grad(logits, targets, reduction="sum", **options)[:, column]


def draw(x, curves, along, *, names=("loss", "gradient"), top=None, legend="best"):
    """`curves`: what is drawn twice, by its label; the first is the plain one. Above `top` the first panel is cut off."""
    colours = ["0.35", *plt.get_cmap("viridis")(np.linspace(0, 0.85, len(curves) - 1))]
    for panel, name in enumerate(names):
        figure, axes = plt.subplots(figsize=(3.6, 2.7))
        for (label, values), colour in zip(curves.items(), colours, strict=True):
            axes.plot(x, values[panel], "--" if colour is colours[0] else "-", color=colour, label=label)
        axes.set_xlabel(along)
        axes.set_title(name, fontsize="medium", loc="left")
        if panel == 0:
            if top is not None:
                axes.set_ylim(-0.05 * top, top)
            axes.legend(fontsize="small", loc=legend)
