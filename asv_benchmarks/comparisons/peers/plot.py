"""The picture: time per logit against the number of classes, and against the number of threads."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from xentfast._base import level

from . import cases, softmax

SCRIPT = Path(__file__).parents[1] / "compare_peers.py"
# Okabe & Ito 2008, told apart by colour-blind readers, the yellow darker; xentfast has black and the width, the limit no hue.
COLOURS = {"xentfast": "#000000", "NumPy": "#E69F00", "SciPy": "#B8A900", "scikit-learn": "#009E73", "Numba": "#CC79A7",
           "PyTorch": "#D55E00", "torch.compile": "#0072B2", "JAX": "#56B4E9", "limit": "#999999"}
STYLES = {softmax.BOTH: "-", softmax.LOSS: (0, (1, 1.2))}
KINDS = {softmax.BOTH: "loss + gradient", softmax.LOSS: "loss"}
CLASSES = cases.CLASSES[::2]                    # under the axis
INCHES, DPI = (9.0, 4.6), 100                   # 900 pixels: the width of a page


def matplotlib():
    """matplotlib's pyplot, drawing to files."""
    try:
        import matplotlib
    except ImportError:
        raise SystemExit('--plot needs matplotlib: pip install "xentfast[peers]"') from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw(path, run):
    """Measure what has not been measured, and write the picture."""
    if not any(figure["section"] == "widths" for figure in run.figures):
        run.section("widths")
    widths = [figure for figure in run.figures if figure["section"] == "widths"]
    counts = thread_counts(max(run.threads, level.available_cpus()))
    of_threads = [figure for threads in counts for figure in measured_by(threads, run)]
    pyplot = matplotlib()
    figure, (left, right) = pyplot.subplots(1, 2, figsize=INCHES, dpi=DPI, width_ratios=(1.9, 1), sharey=True,
                                            layout="constrained")
    panel(left, widths, classes_of)
    panel(right, of_threads, lambda one: one["threads"])
    left.set(xscale="log", yscale="log", xlabel="classes", ylabel="nanoseconds per logit",
             title=f"2²² float32 logits in ever fewer rows, {run.threads} thread{'s' * (run.threads > 1)}")
    right.set(xscale="log", xlabel="threads", title=of_threads[0]["case"])
    for axes, ticks in ((left, CLASSES), (right, counts)):
        axes.set_xticks(ticks, [cases.named((tick,)) for tick in ticks])
        axes.minorticks_off()
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(handles=legend(pyplot, run.libraries), loc="outside lower center", ncols=6, frameon=False, fontsize=8.5)
    figure.savefig(path, pil_kwargs={"optimize": True})
    pyplot.close(figure)
    print(f"\nwritten: {path}")


def panel(axes, figures, x_of):
    for library, colour in COLOURS.items():
        for kind, style in STYLES.items():
            points = sorted((x_of(one), one["time"]) for one in figures if (one["library"], one["function"]) == (library, kind))
            if points:
                axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, **weight(library))


def weight(library):
    if library == "xentfast":
        return {"linewidth": 3, "marker": "o", "markersize": 4, "zorder": 3}
    return {"linewidth": 1.5, "marker": "" if library == "limit" else ".", "markersize": 4}


def legend(pyplot, libraries):
    names = {"limit": "the memory's limit"}
    lines = [pyplot.Line2D([], [], color=COLOURS[library], label=names.get(library, library), **weight(library))
             for library in [*libraries, "limit"]]
    return lines + [pyplot.Line2D([], [], color="#000000", linestyle=STYLES[kind], label=name) for kind, name in KINDS.items()]


def classes_of(figure):
    return int(figure["case"].rpartition("× ")[2].replace(" ", ""))


def thread_counts(most):
    """1, 2, 4 and so on, and the most there can be."""
    return sorted({2**power for power in range(most.bit_length())} | {most})


def measured_by(threads, run):
    """The section `wide` in a process of its own: JAX and BLAS take their threads when they start."""
    peers = [library for library in run.libraries if library != "xentfast"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "figures.json")
        subprocess.run([sys.executable, str(SCRIPT), "wide", "--threads", str(threads), "--seconds", str(run.seconds),
                        "--json", str(file), "--peers", *peers, *["--quick"] * run.quick], check=True)
        return json.loads(file.read_text(encoding="utf-8"))
