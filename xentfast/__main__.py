"""The demonstration: a digit classifier trained with this package, then a table of this machine's speed."""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Sequence

from xentfast._base.level import default_threads
from xentfast._demo import digits, speed, spread

DESCRIPTION = """\
Train a multilayer perceptron on the 1797 handwritten digits that scikit-learn
ships (a fifth of them held out), with first weights, loss and gradient from
xentfast; save the curve of loss and accuracy as digits.png in the current
directory; then time xentfast on this machine beside the textbook NumPy formula and
whichever of SciPy, scikit-learn, PyTorch, JAX (with optax) and Numba is installed.
Needs the extra "demo": pip install "xentfast[demo]"."""
EXAMPLE = ("examples:\n  python -m xentfast\n  python -m xentfast --epochs 10 --seed 7 --threads 1\n"
           "  python -m xentfast --no-plot                       without matplotlib\n"
           "  XENTFAST_CPU=x86_64_v3 python -m xentfast          by the AVX2 kernels\n"
           "second part, why the first weights matter and how fast they come:\n  python -m xentfast init --help")
NEXT = """
Which function for which task: docs/start/tasks.md
This training loop, shorter, and ten other examples: examples/gallery/
Why the first weights matter: python -m xentfast init"""

PLOT_FILE = "digits.png"
DEMO_MODULES = {"sklearn": "scikit-learn", "tqdm": "tqdm", "matplotlib": "matplotlib"}     # and pip's names for them


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demonstration with the given command-line arguments."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["init"]:
        return show_spread(arguments[1:])
    options = parse_options(arguments)
    require_extra([module for module in DEMO_MODULES if options.plot or module != "matplotlib"],
                  hint="\nWithout matplotlib: python -m xentfast --no-plot")
    learnt, held_out = digits.load_digits(options.seed)
    start = time.perf_counter()
    history = digits.train(learnt, held_out, options.epochs, options.seed, options.threads)
    seconds = time.perf_counter() - start
    print(f"Held-out accuracy {history[-1].held_out_accuracy:.2%} after {seconds:.1f} s of training.")
    if options.plot:
        digits.save_plot(history, PLOT_FILE)
    print(speed.of_losses(options.threads or default_threads()))
    print(NEXT)


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m xentfast", description=DESCRIPTION, epilog=EXAMPLE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=whole_number(1), default=30, metavar="N",
                        help="passes over the training digits (default: 30)")
    add_common_options(parser, seeded="the held-out digits, the first weights and the order of training", picture=PLOT_FILE)
    return parser.parse_args(arguments)


def show_spread(arguments: Sequence[str]) -> None:
    """Run the second part with the arguments that follow "init"."""
    parser = argparse.ArgumentParser(prog="python -m xentfast init", description=spread.DESCRIPTION)
    parser.add_argument("--output", default="xentfast-init.png", metavar="FILE", help="the picture (default: %(default)s)")
    add_common_options(parser, seeded="inputs and weights", picture="the picture")
    options = parser.parse_args(arguments)
    require_extra(["tqdm", "matplotlib"] if options.plot else ["tqdm"],
                  hint="\nWithout matplotlib: python -m xentfast init --no-plot")
    spread.show(options.seed, options.output if options.plot else None)
    print(speed.of_weights(options.threads or default_threads()))


def add_common_options(parser: argparse.ArgumentParser, seeded: str, picture: str) -> None:
    """Those that both parts take."""
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help=f"chooses {seeded} (default: 0)")
    parser.add_argument("--threads", type=whole_number(1, 1024), metavar="N",
                        help="threads for xentfast, and for the libraries it is compared with where they allow it "
                             "(default: the CPUs this process may use)")
    parser.add_argument("--no-plot", dest="plot", action="store_false",
                        help=f"do not write {picture}; matplotlib is not needed then")


def whole_number(least: int, most: int = sys.maxsize) -> Callable[[str], int]:
    """A converter for argparse."""
    def convert(text):
        if not text.isdecimal() or not least <= int(text) <= most:
            limit = f"from {least} to {most}" if most < sys.maxsize else f"of at least {least}"
            raise argparse.ArgumentTypeError(f"got {text!r}; expected a whole number {limit}")
        return int(text)
    return convert


def require_extra(modules: Sequence[str], hint: str = "") -> None:
    """Exit, naming the extra, where a module that this run needs is not installed; the hint is for want of matplotlib alone."""
    missing = [DEMO_MODULES[module] for module in modules if not importlib.util.find_spec(module)]
    if missing:
        sys.exit(f'The demonstration needs {" and ".join(missing)}: pip install "xentfast[demo]"'
                 + hint * (missing == ["matplotlib"]))


if __name__ == "__main__":
    main()
