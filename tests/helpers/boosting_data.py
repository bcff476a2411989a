"""What the objectives of xentfast.boosting are called with."""

from typing import NamedTuple

import numpy as np


class Data(NamedTuple):
    """A data set as the libraries have them."""

    labels: np.ndarray
    weights: np.ndarray | None = None

    def get_label(self):
        return self.labels

    def get_weight(self):
        return self.weights
