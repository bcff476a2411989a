"""Hostile calls of every public function, each judged: `python tests/fuzz/hunt.py --calls 10000000 --jobs 2`.

A call follows from the seed and its number; what is found is printed with both, and `--seed S --first N --calls 1` repeats it.
"""

import argparse
import collections
import multiprocessing
import sys
import time
import traceback
import warnings
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "helpers")]

import init_cases  # noqa: F401
import linear_cases  # noqa: F401
import normalise_cases  # noqa: F401
import numpy as np
import other_cases  # noqa: F401
import probability_cases  # noqa: F401
import sigmoid_cases  # noqa: F401
import softmax_cases  # noqa: F401
from cases import FAMILIES
from comparing import Finding, check_bits
from drawing import Draw
from nonsense import NONSENSE

from xentfast._base import dispatch
from xentfast._base.level import chosen, policy

DOCUMENTED = (TypeError, ValueError, IndexError, MemoryError)
KINDS = dict.fromkeys(["torch", "jax"], (*DOCUMENTED, RuntimeError))        # as PyTorch's own, and JAX's where values decide
# Modules for other libraries take a thousand times as long as a call.
SLOW = ("torch.", "dask.", "jax.")
NONSENSES = list(NONSENSE)


def name_for(draw):
    """A public name; None where it belongs to a library that is not here. The same numbers make the same calls without it."""
    slow = draw.chance(0.02)
    names = [name for name in NAMES if name.startswith(SLOW) == slow]
    return draw.choice(names) if names else None


def as_list(result):
    """Results as a list of arrays."""
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [part if isinstance(part, np.ndarray) else np.asarray(part) for part in parts if part is not None]


def one_call(seed, number, only=None):
    """Make a call and judge it; the public name, and what kind of call it was. None where it is not among those wanted."""
    draw = Draw(seed, number)
    name = name_for(draw)
    if name is None or only and name not in only:
        return None
    policy.grain, policy.piece = (1, 100) if draw.chance(0.3) else GRAIN
    kind = draw.random.random()
    case = FAMILIES[name](draw, name)
    if kind < 0.72 or kind >= 0.88 and case.nameable is None:
        valid_call(draw, case)
        return name, "valid"
    wrong = dict(case.given)
    if kind < 0.88 and case.defects:
        argument = draw.choice(list(case.defects))
        label = draw.between(0, len(case.defects[argument]) - 1)
        wrong[argument] = case.defects[argument][label]
        refused_call(draw, case, wrong, f"{argument}={wrong[argument]!r:.80}", must=True)
        return name, "refused"
    argument, label = draw.choice(list(case.nameable or wrong)), draw.choice(NONSENSES)
    wrong[argument] = NONSENSE[label]
    refused_call(draw, case, wrong, f"{argument}: {label}", must=False)
    return name, "nonsense"


def valid_call(draw, case):
    chosen.kernels = draw.choice(LEVELS)
    try:
        result = case.function(**case.given)
    except Exception as error:
        raise Finding(f"a valid call is refused: {type(error).__name__}: {error}") from error
    outputs = case.given.get("out")
    returned = result if isinstance(result, tuple) else (result,)
    for out in outputs if isinstance(outputs, tuple) else [outputs] if outputs is not None else []:
        if not any(out is part for part in returned):
            raise Finding("out is not what is returned")
    results = [part.copy() for part in as_list(result)]
    if draw.changed(into_outputs=True):
        raise Finding("memory of inputs, or around outputs, has changed")
    chosen.kernels = draw.choice(LEVELS)
    again = as_list(case.function(**case.plain))
    if case.same_bits:
        for got, want in zip(results, again, strict=True):
            check_bits("from plain arrays, on any level", got, want)
    case.judge(results)
    if case.same_bits and draw.chance(0.3):
        more = {"n_threads": draw.choice([2, 3])} if "n_threads" in case.plain else {}
        others = as_list(case.function(**(case.plain | more)))
        for got, want in zip(again, others, strict=True):
            check_bits("from other threads", got, want)


def refused_call(draw, case, wrong, what, must):
    """An error of a documented type, before anything is written; nonsense may have a meaning here."""
    try:
        case.function(**wrong)
    except KINDS.get(case.name.partition(".")[0], DOCUMENTED) as error:
        if not str(error):
            raise Finding(f"{what}: an error without words") from error
        if draw.changed(into_outputs=False):
            raise Finding(f"{what}: {type(error).__name__}, but memory has changed") from error
    except Exception as error:
        raise Finding(f"{what}: {type(error).__name__}: {error}") from error
    else:
        if must:
            raise Finding(f"{what}: no error")
        if draw.changed(into_outputs=True):
            raise Finding(f"{what}: memory of inputs, or around outputs, has changed")


def hunt(seed, first, calls, only=None, report=None, step=1, most=20):
    """Findings as text, and how many calls of each kind there were."""
    found, counted = [], collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "rows of y_pr.* do not sum to one|labels are not sorted")
        for done, number in enumerate(range(first, first + calls, step)):
            try:
                kind = one_call(seed, number, only)
                counted.update([kind] if kind else [])
            except Exception as error:
                place = "" if isinstance(error, Finding) else "".join(traceback.format_tb(error.__traceback__)[-2:])
                name = name_for(Draw(seed, number))
                found.append(f"--seed {seed} --first {number}: {name}: {type(error).__name__}: {error}\n{place}")
                if report:
                    print(found[-1], flush=True)
                if len(found) >= most:
                    break
            if report and done % 20_000 == 19_999:
                print(f"{report}: {done + 1} calls", flush=True)
    return found, counted


NAMES = sorted(FAMILIES)
GRAIN = policy.grain, policy.piece
LEVELS = [dispatch.load(name) for name in dispatch.supported_levels()]


def _job(arguments):
    return hunt(**arguments)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="any whole number; the time, without")
    parser.add_argument("--first", type=int, default=0, help="the number of the first call")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the calls")
    parser.add_argument("--only", nargs="*", choices=NAMES, help="public names")
    parser.add_argument("--most", type=int, default=20, help="findings after which a process ends")
    options = parser.parse_args()
    seed = time.time_ns() % 2**32 if options.seed is None else options.seed
    print(f"--seed {seed}")
    start = time.perf_counter()
    jobs = [{"seed": seed, "first": options.first + job, "calls": options.calls - job, "step": options.jobs, "only": options.only,
             "report": f"process {job}", "most": options.most} for job in range(options.jobs)]
    if options.jobs == 1:
        results = [hunt(**jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            results = pool.map(_job, jobs)
    counted = sum((part for _, part in results), collections.Counter())
    for (name, kind), count in sorted(counted.items()):
        print(f"{name} {kind}: {count}")
    found = [text for texts, _ in results for text in texts]
    print(f"{counted.total()} calls in {time.perf_counter() - start:.0f} s, {len(found)} findings, seed {seed}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
