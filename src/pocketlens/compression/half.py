"""Weights in half precision, rounded so that what is lost does not add up.

Rounding each weight to the nearest half loses up to 2^-12 of it, and activations behind a ReLU
are all positive: the losses of one output then add up to a shift of that output. Here each
weight's loss is carried over to the next weight of the same output, so that the losses of an
output sum to less than one rounding (error diffusion, Floyd and Steinberg 1976, along one row).
It costs no bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def nearest_half(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Each value's nearest half-precision number; float32 of any shape in, float16 out."""
    return np.ascontiguousarray(values, dtype="<f2")


def diffused_half(weights: NDArray[np.float32]) -> NDArray[np.float16]:
    """Half-precision weights whose losses cancel within every output.

    weights  float32 (O, ...), no magnitude above 65,504
    returns  float16 of the same shape; weights that are exactly 0 stay 0
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    out = np.empty(rows.shape, "<f2")
    carried = np.zeros(len(rows))
    for k in range(rows.shape[1]):
        column = rows[:, k]
        wanted = np.where(column == 0.0, 0.0, np.clip(column + carried, -65504.0, 65504.0))
        out[:, k] = wanted
        carried += column - out[:, k]
    return out.reshape(weights.shape)
