"""Analytic bias correction: what coding a layer's weights does to the mean of its outputs.

A layer's error (Wq - W) x has the mean (Wq - W) mean(x), photo after photo the same; adding its
opposite to the bias takes it away and costs no bytes (Nagel et al., "Data-free quantization
through weight equalization and bias correction", 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def bias_shift(
    weights: NDArray[np.float32], coded: NDArray[np.float32], mean: Floats
) -> NDArray[np.float32]:
    """What to add to the bias of each output, float32 (outputs,).

    weights, coded  float32 (outputs, columns): before and after
    mean            (groups, columns): of the input, one row for every run of outputs that sees it
    """
    groups = len(mean)
    error = (weights.astype(np.float64) - coded).reshape(groups, -1, weights.shape[1])
    shift: NDArray[np.float32] = np.einsum("goc,gc->go", error, mean).reshape(-1).astype(np.float32)
    return shift
