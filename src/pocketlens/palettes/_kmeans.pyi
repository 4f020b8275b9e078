"""The palette functions of core/src/palette; all release the GIL. See assign.h,
rate_distortion.h, feedback.h, both_ways.h.
"""

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

def cut_by_rate(
    weights: NDArray[np.float64],
    importance: NDArray[np.float64],
    moment: NDArray[np.float64],
    square: NDArray[np.float64],
    lagrangian: float,
    price: float,
) -> NDArray[np.uint32]:
    """Cuts (runs + 1,) of the cheapest runs of bins, from prefix sums (bins + 1,)."""

def code_rows(
    weights: NDArray[np.float32],
    worth: NDArray[np.float64],
    factors: NDArray[np.float32],
    values: NDArray[np.float32],
    bits: NDArray[np.float32],
    lagrangian: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float, float]:
    """Indices (outputs x columns,), the weights when they were chosen; distortion; bits."""

def code_grid(
    weights: NDArray[np.float32],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    values: NDArray[np.float32],
    bits: NDArray[np.float32],
    lagrangian: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float, float]:
    """Of weights (columns, outputs): indices and targets, flat; distortion; bits."""

def code_trellis(
    weights: NDArray[np.float32],
    across: NDArray[np.float32],
    down: NDArray[np.float32] | None,
    worth: NDArray[np.float64],
    values: NDArray[np.float32],
    bits: NDArray[np.float32],
    lagrangian: float,
) -> tuple[NDArray[np.uint8], NDArray[np.float32], float, float]:
    """As code_grid, along a trellis; without `down`, every output is worth what `worth` says."""

def normal_equations(
    weights: NDArray[np.float32],
    worth: NDArray[np.float64],
    covariances: NDArray[np.float32],
    indices: NDArray[np.uint8],
    size: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix (size x size,) and vector (size,) of the palette's least squares."""
