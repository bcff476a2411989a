"""Every public function of xentfast beside NumPy, SciPy, scikit-learn, Numba, PyTorch, torch.compile, JAX, and memory itself.

    python asv_benchmarks/comparisons/compare_peers.py                          everything, with all CPUs: about half an hour
    python asv_benchmarks/comparisons/compare_peers.py losses calls --threads 1 --seconds 0.1
    python asv_benchmarks/comparisons/compare_peers.py --plot docs/performance/peers.png    the picture alone
    python asv_benchmarks/comparisons/compare_peers.py losses --levels          xentfast alone, on each kernel level of this CPU

Medians of calls that take turns: compare ratios of one run, never two runs. Peers that are not installed are left out
(`pip install "xentfast[peers]"` has them all); a peer that fails, or has no such function, is a dash, and a line says why. Rows
that a peer wins are marked. The limits need a C compiler, torch.compile one for C++.
"""

import argparse
import json
import os
import sys

SECTIONS = ("losses", "softmax", "sigmoid", "probabilities", "linear", "weights", "calls")
OF_PICTURE = ("widths", "wide")
# Read when the libraries start.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all of them by default")
    parser.add_argument("--threads", type=int, help="all that this process may use by default")
    parser.add_argument("--seconds", type=float, default=0.3, help="of timed calls for each figure (default: 0.3)")
    parser.add_argument("--level", help="the kernel level, as XENTFAST_CPU takes it")
    parser.add_argument("--levels", action="store_true", help="xentfast alone, on every kernel level of this CPU")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="these alone, for instance NumPy PyTorch")
    parser.add_argument("--quick", action="store_true",
                        help="tiny shapes, little compilation, no times to speak of; fails where a peer's result is not ours")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    parser.add_argument("--json", metavar="FILE", help="the figures as JSON as well")
    parser.add_argument("--plot", metavar="FILE", help="draw time against classes and against threads; needs matplotlib")
    parsed = parser.parse_args(arguments)
    for section in parsed.sections:
        if section not in SECTIONS + OF_PICTURE:
            parser.error(f"{section!r} is no section: expected some of {', '.join(SECTIONS)}")
    if parsed.threads is not None and parsed.threads < 1:
        parser.error(f"--threads {parsed.threads}: expected at least 1")
    return parsed


def main(arguments=None):
    parsed = parse(arguments)
    if parsed.threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(parsed.threads)))
    if parsed.level is not None:
        os.environ["XENTFAST_CPU"] = parsed.level
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")     # JAX's compiler says what takes it long
    # Only now: NumPy's BLAS reads the number of threads, xentfast the level, when they are imported.
    from peers import comparison, levels, plot

    sections = parsed.sections or ([] if parsed.plot else SECTIONS)
    if parsed.plot:
        plot.matplotlib()                               # before any work: it may be missing
    if parsed.levels:
        return levels.compare(sections or SECTIONS, parsed.threads, parsed.seconds, parsed.quick, parsed.markdown)
    run = comparison.Run(parsed.threads, parsed.seconds, parsed.quick, parsed.peers, parsed.markdown)
    for section in sections:
        run.section(section)
    if parsed.plot:
        plot.draw(parsed.plot, run)
    if parsed.json:
        with open(parsed.json, "w", encoding="utf-8") as file:
            json.dump(run.figures, file, indent=1)
    run.say_what_is_missing()
    return 1 if run.disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
