"""Times of chosen commits relative to the first that has what is timed, from the results in asv_benchmarks/history."""

import json
import math
import os
import sys
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt

HISTORY = Path(os.path.abspath(sys.argv[0])).parents[3] / "asv_benchmarks" / "history"
MACHINE = "epyc-9005-2-cores"
LOSS = "calls.SoftmaxCrossEntropy.time_"
LOSSES = {f"{LOSS}1024_by_32000": "1024 × 32000", f"{LOSS}1024_by_1000": "1024 × 1000",
          f"{LOSS}65536_by_10": "65536 × 10", f"{LOSS}1_by_10": "1 × 10",
          f"{LOSS}1024_by_1000_float64": "1024 × 1000, float64", f"{LOSS}1024_by_1000_label_smoothing": "1024 × 1000, smoothed"}
# title of a panel: benchmark, with what it is given → its line
PANELS = {
    **{title: {f"{name}('{result}')": line for name, line in LOSSES.items()} for title, result in (
        ("softmax_cross_entropy", "loss"), ("softmax_cross_entropy_value_and_grad", "both"))},
    "weights, 1024 × 4096, and import xentfast": {
        "calls.Init.time_normal()": "normal", "calls.Init.time_uniform()": "uniform", "calls.Init.time_he_normal()": "he_normal",
        "calls.Import.timeraw_xentfast()": "import"},
}


def times(commit):
    """Seconds at a commit, by benchmark with what it is given; nan where the commit has it not."""
    file, = HISTORY.glob(f"results/{MACHINE}/{commit}*.json")
    found = {}
    for name, (values, params, *_) in json.loads(file.read_text())["results"].items():
        for given, seconds in zip(product(*params), values or [], strict=False):
            found[f"{name}({', '.join(given)})"] = math.nan if seconds is None else seconds
    return found


commits, labels = zip(*(line.split(maxsplit=1) for line in (HISTORY / "commits.txt").read_text().splitlines()), strict=True)
history = [times(commit) for commit in commits]

figure, panels = plt.subplots(len(PANELS), sharex=True, figsize=(7.2, 2.5 * len(PANELS) + 1.5))
for panel, (title, lines) in zip(panels, PANELS.items(), strict=True):
    for (benchmark, line), marker in zip(lines.items(), "osD^vP", strict=False):
        seconds = [one.get(benchmark, math.nan) for one in history]
        first = next((one for one in seconds if not math.isnan(one)), math.nan)
        panel.plot([one / first for one in seconds], marker=marker, markersize=4, linewidth=1.3, label=line)
    panel.axhline(1, color="0.5", linewidth=0.8, zorder=0)
    panel.set_yscale("log", base=2)
    panel.yaxis.set_major_formatter(lambda value, position: f"{value:g}")
    panel.set_ylim(top=2.4 * panel.get_ylim()[1])       # room for the legend
    panel.set_title(title, loc="left", fontsize="medium")
    panel.legend(ncols=3, fontsize="small", loc="upper right")
panels[-1].set_xticks(range(len(commits)), [f"{label} · {commit}" for commit, label in zip(commits, labels, strict=True)],
                      rotation=50, ha="right", rotation_mode="anchor", fontsize="small")
figure.supylabel("time relative to the first commit that has it", fontsize="medium")
