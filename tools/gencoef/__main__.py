"""Make the coefficients of the kernels' polynomials, and compare them with those that the kernels have.

    python tools/gencoef                       # all, in ten seconds
    python tools/gencoef exp_float log_double  # these
    python tools/gencoef --list                # their names, forms and users

Of each, the literals that come out, and beside them those of the kernel: the constant coefficient's first, then a
denominator's. The table at the end has the largest errors, in ulp of the result (2⁻²⁴ or 2⁻⁵³ of it), or absolute where the
form says so: of the best real coefficients, of those rounded here and of the kernel's, and the figure in the kernel's
comment, which is meant for real ones. `ratio` is the kernel's error over that of the coefficients made here.
"""

import argparse
import sys
from itertools import zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gencoef.polynomials import TABLE
from gencoef.sources import root, source

COLUMNS = "{:24}{:>9}{:>8}{:>11}{:>11}{:>11}{:>9}{:>8}"


def literals(coefficients):
    return [repr(float(c)) for c in coefficients]


def print_coefficients(entry, made):
    """Side by side."""
    print(f"{entry.name}: {entry.form}\n    used in {entry.used}; stands in {source(entry.over.function).relative_to(root())}:\n"
          f"    {entry.reason}")
    for letter, ours, theirs in zip("PQ", map(literals, entry.free(made)), entry.written(), strict=True):
        for i, (new, old) in enumerate(zip_longest(ours, theirs, fillvalue="—"), start=letter == "Q"):
            print(f"    {letter}{i}  {new:>24}  {old:>24}{'' if new == old else '  ≠'}")


def row(entry):
    """Print the coefficients → the line of the table."""
    best = entry.best()
    made = entry.rounded(best.ratio)
    print_coefficients(entry, made)
    rounded_error, kernel_error = entry.error(made), entry.error(entry.kernel())
    degrees = f"{entry.degree}/{entry.under_degree}" if entry.under else str(entry.degree)
    errors = (f"{float(error):.3g}" for error in (best.error, rounded_error, kernel_error, entry.stated))
    return COLUMNS.format(entry.name, entry.dtype, degrees, *errors, f"{float(kernel_error / rounded_error):.2f}")


def main():
    parser = argparse.ArgumentParser("python tools/gencoef", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help="of --list; all without one")
    parser.add_argument("--list", action="store_true", help="print the names")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(TABLE)
    if unknown:
        parser.error(f"no polynomial is called {', '.join(sorted(unknown))}: {', '.join(TABLE)}")
    entries = [TABLE[name] for name in arguments.names or TABLE]
    if arguments.list:
        for entry in entries:
            print(f"{entry.name:24}{entry.form}\n{'':24}in {entry.used}")
        return
    rows = [row(entry) for entry in entries]
    print("\n" + COLUMNS.format("name", "dtype", "degree", "best", "rounded", "kernel", "stated", "ratio"))
    print("\n".join(rows))


if __name__ == "__main__":
    main()
