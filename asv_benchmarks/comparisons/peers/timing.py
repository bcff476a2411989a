"""Medians of calls that take turns, so that all of them meet the same machine."""

import time

import numpy as np

ROUNDS = 5
# OpenMP's threads spin for some milliseconds after a call, in the way of the next library's threads. So long nothing is called.
SETTLE = 15e-3
# A clock's reading costs as much as a small call's checks: small calls are timed in batches of at least so long.
BATCH = 50e-6


class Turns:
    """One call, and the times of its turns."""

    def __init__(self, call, seconds):
        self.call = call
        call()                                  # compiles, starts threads, maps pages
        estimate = self.batch_seconds(1)
        self.calls_in_batch = max(1, round(BATCH / estimate))
        self.settle = SETTLE if seconds else 0.0
        self.seconds = seconds / ROUNDS
        self.times = []

    def batch_seconds(self, calls_in_batch):
        begin = time.perf_counter()
        for _ in range(calls_in_batch):
            self.call()
        return (time.perf_counter() - begin) / calls_in_batch

    def take(self):
        time.sleep(self.settle)
        begin = time.perf_counter()
        while time.perf_counter() - begin < self.settle / 10:
            self.call()                         # its own threads and its data are at hand again
        begin = time.perf_counter()
        while True:
            self.times.append(self.batch_seconds(self.calls_in_batch))
            if time.perf_counter() - begin >= self.seconds:
                return

    @property
    def median(self):
        return float(np.median(self.times))


def medians(calls, seconds):
    """Seconds of each of the calls, {name: call}; 0 seconds are one short turn each, for a look."""
    turns = {name: Turns(call, seconds) for name, call in calls.items()}
    for _ in range(ROUNDS if seconds else 1):
        for turn in turns.values():
            turn.take()
    return {name: turn.median for name, turn in turns.items()}
