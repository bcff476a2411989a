"""All public functions at random shapes, from many Python threads at once, for as long as is asked for: the same bits each time,
and memory and reference counts that stay where they are.

    python tools/soak.py [seconds, 3600] [Python threads, 64]

Thirty lines; the last says how it went, and so does the exit status. docs/trust/faults.md has the figures of a run.
"""

import gc
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import every_call
import numpy as np

import xentfast as xf
from xentfast._base.level import policy

SEEDS = 6                   # shapes and types for each function
# How much more there may be in the last third than in the second. The first is left out: glibc keeps memory for threads, up to
# what they ever had in hand together, and that takes some minutes to come about.
GROWTH = 0.02
# Whose last bits are BLAS's; these are called all the same.
BLAS = ("linear", "init.orthogonal")


class Soak:
    def __init__(self, n_threads):
        policy.grain = 256              # small arrays go to threads, too
        shared = [every_call.arguments(seed) for seed in range(SEEDS)]
        self.work = [(name, index, call, arguments) for arguments in shared
                     for name, calls in every_call.CALLS.items() for index, call in enumerate(calls)]
        self.want = [every_call.bytes_of(call(arguments)) for _, _, call, arguments in self.work]
        self.arrays = [array for arguments in shared for array in vars(arguments).values() if isinstance(array, np.ndarray)]
        self.references = self.counts()
        self.wrong, self.calls = [], [0] * n_threads
        self.running = True
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True) for number in range(n_threads)]

    def counts(self):
        gc.collect()
        return [sys.getrefcount(array) for array in self.arrays]

    def run(self, number):
        rng = np.random.default_rng(number)
        while self.running:
            which = int(rng.integers(len(self.work)))
            name, index, call, arguments = self.work[which]
            try:
                got = every_call.bytes_of(call(arguments))
            except Exception as error:
                self.wrong.append(f"{name} {index} of {vars(arguments)['x'].shape}: {error!r}")
                continue
            if got != self.want[which] and not name.startswith(BLAS):
                self.wrong.append(f"{name} {index} of {vars(arguments)['x'].shape}: other bits")
            self.calls[number] += 1


def resident():
    """MiB"""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def main():
    seconds, n_threads = (int(value) for value in (sys.argv[1:] + ["3600", "64"][len(sys.argv) - 1:]))
    xf.show_config()
    soak = Soak(n_threads)
    print(f"{len(soak.work)} calls of {len(every_call.CALLS)} functions, {n_threads} Python threads")
    start = time.monotonic()
    for thread in soak.threads:
        thread.start()
    memory = []
    while (passed := time.monotonic() - start) < seconds and not soak.wrong:
        time.sleep(min(seconds / 30, max(seconds - passed, 0.1)))
        memory.append(resident())
        print(f"{time.monotonic() - start:6.0f} s  {sum(soak.calls):>10} calls  {memory[-1]:.0f} MiB", flush=True)
    soak.running = False
    for thread in soak.threads:
        thread.join()
    problems = list(dict.fromkeys(soak.wrong))[:20]
    if soak.counts() != soak.references:
        problems.append("references to arguments are left")
    third = len(memory) // 3
    if third and max(memory[-third:]) > (1 + GROWTH) * max(memory[third:-third]):
        problems.append(f"memory grew from {max(memory[third:-third]):.0f} to {max(memory[-third:]):.0f} MiB")
    print(*problems, f"{sum(soak.calls)} calls, {len(problems)} problems", sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
