"""Time of a call, with its inputs in memory."""

from .suite import benchmark_classes


def time(prepare):
    def benchmark(self, *values):
        # Not in a setup method: with one, asv times single calls, which says little about calls of microseconds.
        # asv makes an instance for each combination.
        if self.call is None:
            self.call = prepare(*values)
        self.call()
    return benchmark


globals().update(benchmark_classes({"time": time}, "time"))
