"""Simulate how a call's work ends on many threads: whole parts, and parts in pieces that others take (_base/parts.pxi).

    python tools/scaling.py

Every thread has a part of the same length. Some come late, as where another process has their CPU, or are slow, as the small
cores of a CPU that has two kinds. A thread takes the pieces of its own part, then those of the next parts. Printed is the time of
a call relative to what it would take if all threads came at once and ended together.
"""

import heapq
from typing import NamedTuple

PIECE = 131_072             # numbers; as in _base/threads.py
RATE = 0.2                  # ns a number on one thread
OWN, OTHER = 20.0, 300.0    # ns: a ticket of one's own part, of another's, whose cache line may be on the other socket
START, LATE = 2_000.0, 500_000.0        # ns until a thread has heard of its work, and until one that is late has


class Case(NamedTuple):
    name: str
    threads: int
    numbers: int            # of a call
    late: int = 0           # threads that come late
    slow: int = 0           # threads that take twice as long


def barrier(threads):
    """ns: over two sockets, or within one."""
    return 15_000.0 if threads > 32 else 2_000.0


def ended(case, piece):
    """When the last thread is done, ns."""
    left = [case.numbers // case.threads] * case.threads
    whole = piece >= left[0]
    ready = [(START if k >= case.late else LATE, k) for k in range(case.threads)]
    end = 0.0
    heapq.heapify(ready)
    while ready:
        time, k = heapq.heappop(ready)
        reach = range(k, k + (1 if whole else case.threads))
        victim = next((v % case.threads for v in reach if left[v % case.threads] > 0), None)
        if victim is None:
            end = max(end, time)
            continue
        taken = min(piece, left[victim])
        left[victim] -= taken
        pace = RATE * (2 if k >= case.threads - case.slow else 1)
        heapq.heappush(ready, (time + (OWN if victim == k else OTHER) + taken * pace, k))
    return end + barrier(case.threads)


CASES = [
    Case("quiet", 2, 2**21), Case("quiet", 16, 2**26), Case("quiet", 64, 2**28), Case("quiet, short", 64, 2**24),
    Case("one comes 0.5 ms late", 2, 2**25, late=1), Case("one comes 0.5 ms late", 16, 2**28, late=1),
    Case("eight come 0.5 ms late", 64, 2**30, late=8),
    Case("half are slow", 16, 2**26, slow=8), Case("half are slow", 64, 2**28, slow=32),
]


def main():
    print("| | threads | numbers | whole parts | in pieces |\n|---|---:|---:|---:|---:|")
    for case in CASES:
        ideal = case.numbers * RATE / (case.threads - case.slow / 2)
        whole, pieces = (ended(case, piece) / ideal for piece in (case.numbers, PIECE))
        print(f"| {case.name} | {case.threads} | {case.numbers / 1e6:.0f}·10⁶ | {whole:.2f} | {pieces:.2f} |")


if __name__ == "__main__":
    main()
