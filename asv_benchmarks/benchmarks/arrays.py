"""Arrays of any shape at once."""

import numpy as np

# Arrays repeat this many numbers, so that no benchmark waits for its inputs. It is prime: no row is like the next.
PERIOD = 99_991


def repeated(numbers, shape, dtype):
    return np.resize(numbers.astype(dtype), shape)
