"""The palette functions of core/src/palette; all release the GIL. See assign.h."""

import numpy as np
from numpy.typing import NDArray

def count(weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many weights (n,) round to each of the 65,536 half-precision codes."""

def weigh(weights: NDArray[np.float32], importance: NDArray[np.float32]) -> NDArray[np.int64]:
    """Importances (n,) summed per half-precision code, scaled to whole numbers; all 0 if none."""

def choose(bins: NDArray[np.int64], size: int) -> NDArray[np.uint16]:
    """Codes (k,) of the best palette of at most `size` values, ascending by value."""

def assign(
    weights: NDArray[np.float32],
    palette: NDArray[np.uint16],
    importance: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint8], float, float]:
    """Indices (n,) of the nearest palette values; squared error; sum of squares of the weights."""
