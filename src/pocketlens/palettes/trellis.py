"""Palette indices chosen along a trellis, with error feedback (core/src/palette/trellis.h).

An index is a place in a palette of 2 x n values; what a plane keeps is half of it, a number below
n. Which of two values a number means, the numbers above it in its column say (planes/trellis.py).
So twice as many values are told apart by as many bits: up to a sixth of a bit a weight at equal
error (Marcellin and Fischer, "Trellis coded quantization", 1990).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pocketlens.palettes import _kmeans
from pocketlens.palettes.both_ways import Between
from pocketlens.palettes.feedback import Coding, Hessian

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

LEAST_VALUES = 4
"""One of each of the four kinds of values."""


def code_along_trellis(
    weights: Array,
    hessian: Hessian,
    between: Between | None,
    *,
    worth: Floats,
    values: Array,
    lengths_bits: Array,
    lagrangian: float,
) -> Coding:
    """Choose indices for the least loss + lagrangian x bits, column by column.

    weights       float32 (outputs, columns): outputs in their own order, columns in that of the
                  Hessian, which has one group
    between       how outputs go together, in that order; None: each is worth what `worth` says
    values        float32 (2 n,) ascending, at least LEAST_VALUES
    lengths_bits  (n,): bits of each number
    """
    indices, targets, distortion, _ = _kmeans.code_trellis(
        np.ascontiguousarray(weights.T),
        hessian.factor[0],
        None if between is None else between.factor,
        worth,
        values,
        np.repeat(lengths_bits, 2),
        lagrangian,
    )
    shape = weights.T.shape
    return Coding(
        np.ascontiguousarray(indices.reshape(shape).T),
        np.ascontiguousarray(targets.reshape(shape).T),
        distortion,
    )
