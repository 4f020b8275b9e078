"""A tensor that is trained, for torch to take; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Trainable:
    """Values that are trained, and the tensor that they make.

    name     of the tensor in the graph
    shape    of the tensor
    values   float32 (m,): what training begins with
    indices  int32, shaped as the tensor: which value stands there; None: the values themselves
             are the tensor, in row-major order
    scale    what a step's rate is a part of
    layer    None, or the weights of the layer whose bias this is: rates are then counted in the
             spread of that layer's outputs as well
    is_even  whether the values keep equal distances: then two numbers are trained, where the
             middle one lies and how far they reach
    """

    name: str
    shape: tuple[int, ...]
    values: NDArray[np.float32]
    indices: NDArray[np.int32] | None
    scale: float
    layer: str | None
    is_even: bool = False
