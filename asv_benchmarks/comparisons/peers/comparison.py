"""Runs sections of cases: each library's call, then their times in turns, then a line of the table."""

import importlib.util
import os
from collections import defaultdict

import numpy as np

from xentfast._base import level

from . import cases, tables, tensors, timing

# Name → the modules that it needs, in the order of the columns.
LIBRARIES = {"xentfast": (), "NumPy": (), "SciPy": ("scipy",), "scikit-learn": ("sklearn",), "Numba": ("numba",),
             "PyTorch": ("torch",), "torch.compile": ("torch",), "JAX": ("jax", "optax")}
# In a quick run these compile a function once, for one shape; torch.compile, which takes longest, softmax losses alone.
COMPILERS = {"Numba", "torch.compile", "JAX"}
# Of float32 results, computed in float32 by formulas that are not all as careful as ours.
AGREEMENT = {"rtol": 1e-3, "atol": 1e-6}


class Run:
    """The libraries that are there, and what has been found: `figures`, one dictionary for each time measured."""

    def __init__(self, threads=None, seconds=0.3, quick=False, peers=None, markdown=False):
        self.threads = threads or level.available_cpus()
        self.seconds, self.quick, self.markdown = (0.0 if quick else seconds), quick, markdown
        unknown = set(peers or ()) - LIBRARIES.keys()
        if unknown:
            raise SystemExit(f"{', '.join(sorted(unknown))}: no such peer; expected some of {', '.join(LIBRARIES)}")
        wanted = LIBRARIES if peers is None else ["xentfast", *peers]
        absent = {name for name in wanted if not all(map(importlib.util.find_spec, LIBRARIES[name]))}
        self.libraries = [name for name in LIBRARIES if name in wanted and name not in absent]
        self.figures, self.lacks, self.failures = [], defaultdict(list), {}
        self.disagreements, self.compiled = 0, set()
        self.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        if absent:
            self.failures["absent"] = f"not installed: {', '.join(name for name in wanted if name in absent)}"
        if quick:
            tensors.backend = "aot_eager"
        np.empty(33_500_000, np.uint8)                  # glibc then keeps what is freed: see speed.measure

    def section(self, name):
        table = tables.Table(self.libraries, self.markdown)
        print("\n".join(table.heading(cases.TITLES[name])), flush=True)
        for case in (cases.SECTIONS | cases.OF_PICTURE)[name](self.quick):
            limit, times = self.measure(case)
            print(table.row(case, limit, times), flush=True)
            per = {"section": name, "function": case.function, "case": case.label, "threads": self.threads}
            self.figures += [per | {"library": library, "time": time} for library, time in times.items()]
            if limit is not None:
                self.figures.append(per | {"library": "limit", "time": limit})

    def measure(self, case):
        """The limit, or None, and {library: time}: nanoseconds per element, or microseconds of a small call on one thread."""
        threads = self.threads if case.size else 1
        calls = {}
        for name in self.libraries:
            call = self.checked_call(name, case, threads, calls.get("xentfast"))
            if call is not None:
                calls[name] = call
        limit = case.calls_of_limit(threads)
        seconds = timing.medians(calls | limit, self.seconds)
        unit = 1e9 / case.size if case.size else 1e6
        least = min((seconds[name] for name in limit), default=None)
        return least and least * unit, {name: seconds[name] * unit for name in calls}

    def checked_call(self, name, case, threads, ours):
        """A library's call, made once; None, with a reason kept, where it has none or fails."""
        make = case.libraries.get(name)
        try:
            if make is not None and self.left_out(name, case):
                return None
            call = make and make(case.function, case.problem, threads)
            if call is None:
                self.lacks[name].append(lacking(name, case))
                return None
            result = call()
        except Exception as error:                      # another library's fault must not end the comparison
            if name == "xentfast":
                raise
            line = f"{name} fails, {case.function} {case.label}: {type(error).__name__}: {error}".splitlines()[0][:150]
            self.failures.setdefault((name, case.function, type(error)), line)
            return None
        if self.quick and name != "xentfast" and comparable(case) and not agree(case.function, ours(), result):
            self.disagreements += 1
            self.failures[name, case.function, case.label] = f"{name} gives another result: {case.function} {case.label}"
        return call

    def left_out(self, name, case):
        if not self.quick or name not in COMPILERS:
            return False
        if name == "torch.compile" and case.function not in cases.softmax.FUNCTIONS:
            return True
        before = (name, case.function) in self.compiled
        self.compiled.add((name, case.function))
        return before

    def say_what_is_missing(self):
        print("\n".join(tables.notes(self.threads, self.load, self.lacks, self.failures.values())))


def lacking(name, case):
    """In words: a function, a whole module of them, or a way to call one."""
    topic = cases.FUNCTIONS[case.function]
    if name in topic.LIBRARIES:
        return case.function if name in case.libraries else f"{case.function} in place"
    return f"{case.function.partition('.')[0]}.…"


def comparable(case):
    """Not random, and not what an earlier call in place has left behind."""
    return case.function in cases.FUNCTIONS and cases.FUNCTIONS[case.function] is not cases.init \
        and getattr(case.problem, "out", "given") != "in place"


def agree(function, ours, theirs):
    """Results as far as both calls give them: losses, gradients, Hessians."""
    ours, theirs = (value if isinstance(value, tuple) else (value,) for value in (ours, theirs))
    if function.endswith("value_and_grad"):             # some give the loss alone
        ours, theirs = ours[:1], theirs[:1]
    elif function.endswith("_grad"):                    # some give the loss as well
        ours, theirs = ours[-1:], theirs[-1:]
    return all(np.allclose(np.ravel(one), np.ravel(np.asarray(other)), **AGREEMENT)
               for one, other in zip(ours, theirs, strict=True))
