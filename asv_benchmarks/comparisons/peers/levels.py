"""xentfast alone on every kernel level that this CPU has: one process for each level, and their calls take turns."""

import json
import os
import subprocess
import sys
from pathlib import Path

from xentfast._base import dispatch, level

from . import cases, tables, timing

FOLDER = Path(__file__).parents[1]
CHILD = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); from peers import levels; levels.serve()"
# Medians of one run are that far apart without a cause.
NOISE = 0.03
SAME, SLOWER = "=", "!"
NAME, COLUMN = 70, 24


def compare(sections, threads, seconds, quick, markdown):
    """Print time by level, with the ratio to the level below; return how many cases are slower on a higher level."""
    names, threads = dispatch.supported_levels(), threads or level.available_cpus()
    settings = {"sections": list(sections), "threads": threads, "seconds": 0.0 if quick else seconds, "quick": quick}
    children = {name: start(name, settings) for name in names}
    marked = {SAME: 0, SLOWER: 0}
    try:
        print("\n".join(heading(names, threads, markdown)), flush=True)
        while (case := [ask(child, "next") for child in children.values()][-1]) is not None:
            for _ in range(timing.ROUNDS if settings["seconds"] else 1):
                for child in children.values():
                    ask(child, "turn")
            line, mark = row(case, [ask(child, "median") for child in children.values()], markdown)
            if mark:
                marked[mark] += 1
            print(line, flush=True)
    finally:
        for child in children.values():
            child.stdin.close()                         # ends it
            child.wait()
            child.stdout.close()
    print(f"\n{SAME} no faster than the level below, within {NOISE:.0%}: {marked[SAME]}; {SLOWER} slower: {marked[SLOWER]}. In "
          "brackets, time relative to the level below.")
    return 0


def start(level, settings):
    child = subprocess.Popen([sys.executable, "-P", "-c", CHILD], env=os.environ | {"XENTFAST_CPU": level}, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(json.dumps(settings), file=child.stdin, flush=True)
    return child


def ask(child, what):
    print(what, file=child.stdin, flush=True)
    return json.loads(child.stdout.readline())


def serve():
    """The child's side: settings, then a line for each question, and a line for each answer."""
    settings = json.loads(sys.stdin.readline())
    every = (case for section in settings["sections"] for case in cases.SECTIONS[section](settings["quick"]))
    turns = None
    for question in map(str.strip, sys.stdin):
        answer = None
        if question == "next":
            case = next(every, None)
            if case is not None:
                call = case.libraries["xentfast"](case.function, case.problem, settings["threads"] if case.size else 1)
                turns = timing.Turns(call, settings["seconds"])
                answer = {"name": [case.function, case.label], "size": case.size}
        elif question == "turn":
            turns.take()
        else:
            answer = turns.median
        print(json.dumps(answer), flush=True)


def heading(names, threads, markdown):
    title = (f"\nxentfast by level, {threads} thread{'s' * (threads > 1)}; nanoseconds per element, microseconds of small calls "
             "(on one thread)")
    if markdown:
        return [title, "", f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    return [title, " " * NAME + "".join(f"{name:>{COLUMN}}" for name in names)]


def row(case, seconds, markdown):
    """A line, and its mark if it has one."""
    (function, label), size = case["name"], case["size"]
    times = [one * (1e9 / size if size else 1e6) for one in seconds]
    ratios = [higher / lower for lower, higher in zip(times, times[1:], strict=False)]
    mark = SLOWER if max(ratios, default=0) > 1 + NOISE else SAME if max(ratios, default=0) > 1 - NOISE else ""
    cells = [tables.number(times[0]),
             *(f"{tables.number(time)} ({ratio:.2f})" for time, ratio in zip(times[1:], ratios, strict=True))]
    if markdown:
        return f"| `{function}` {label} {mark} | {' | '.join(cells)} |", mark
    return f"{function + ' ' + label + ' ' + mark:{NAME}}" + "".join(f"{cell:>{COLUMN}}" for cell in cells), mark
