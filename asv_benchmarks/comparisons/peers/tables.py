"""Figures as lines of a table, printed as they are measured: plain text, or Markdown.

A cell has a time and, in brackets, its ratio to xentfast's; xentfast's own has its ratio to the memory's limit, where there is
one. A row that a peer wins bears MARK.
"""

import textwrap

MARK = "†"
NARROW, WIDE = 15, 66


class Table:
    """Rows of one section."""

    def __init__(self, libraries, markdown):
        self.libraries, self.markdown = list(libraries), markdown

    def heading(self, title):
        columns = ["limit", *self.libraries]
        if self.markdown:
            return [f"\n{title}\n", f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
        return [f"\n{title}", " " * WIDE + "".join(f"{column:>{NARROW}}" for column in columns)]

    def row(self, case, limit, figures):
        """The line of a case, with the figures {library: time}; the limit may be None."""
        best = min(figures, key=figures.get)
        name = f"`{case.function}`" if self.markdown else case.function
        first = f"{name} {case.label}{'' if best == 'xentfast' else ' ' + MARK}"
        cells = ["-" if limit is None else number(limit)]
        for library in self.libraries:
            cell = cell_of(library, figures, limit)
            cells.append(f"**{cell}**" if self.markdown and library == best else cell)
        if self.markdown:
            return f"| {first} | {' | '.join(cells)} |".replace("| - ", "| – ")
        return f"{first:{WIDE}}" + "".join(f"{cell:>{NARROW}}" for cell in cells)


def cell_of(library, figures, limit):
    if library not in figures:
        return "-"
    time = figures[library]
    if library != "xentfast":
        return f"{number(time)} ({time / figures['xentfast']:.2f})"
    return number(time) if limit is None else f"{number(time)} [{time / limit:.2f}]"


def number(time):
    """Three digits, or two after the point."""
    return f"{time:.2f}" if time < 100 else f"{time:.0f}"


def notes(threads, load, lacks, failures):
    """What the table leaves to be said. `load`: processes at work before the first call, None where the system does not say;
    `lacks`: {library: functions that it has not}; `failures`: lines."""
    lines = [f"\n{threads} thread{'s' * (threads > 1)} for libraries that have more than one, and one for small calls.",
             "In round brackets: time relative to xentfast. In square brackets: xentfast's time relative to the limit, the least",
             f"in which this memory can read, change, copy or write what the call does. {MARK} A peer is faster."]
    if load is not None:
        lines.append(f"Processes at work before the first call: {load:.1f}. Where others work, threads wait for each other.")
    reasons = [f"{library} has no {', '.join(dict.fromkeys(functions))}" for library, functions in lacks.items()] + list(failures)
    return lines + [textwrap.fill(reason, 120, initial_indent="- ", subsequent_indent="  ") for reason in reasons]
