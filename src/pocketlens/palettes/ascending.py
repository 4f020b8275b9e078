"""The nearest ascending palette: a lens holds no other.

Training may move two values past each other. Those that do become one value, the mean of both by
how many weights each stands for: isotonic regression by pooling neighbours (Ayer, Brunk, Ewing,
Reid and Silverman 1955, "An empirical distribution function for sampling with incomplete
information"). Indices stay as they are; two of them then mean the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def ascending(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """The ascending values with the least sum of counts x squared change.

    values  (m,); counts (m,): how many weights each stands for; 0 counts as very little
    """
    if (values[1:] >= values[:-1]).all():
        return values
    means: list[float] = []
    weights: list[float] = []
    lengths: list[int] = []
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        mean, weight, length = float(value), max(float(count), 1e-6), 1
        while means and means[-1] > mean:
            before = weights.pop()
            mean = (means.pop() * before + mean * weight) / (before + weight)
            weight += before
            length += lengths.pop()
        means.append(mean)
        weights.append(weight)
        lengths.append(length)
    return np.repeat(np.array(means, np.float32), lengths)


def ascending_groups(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """The same for every row of values and counts, (groups, k) each."""
    return np.stack([ascending(*row) for row in zip(values, counts, strict=True)])
