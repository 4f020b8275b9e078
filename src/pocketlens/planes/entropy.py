"""How small a plane could be: the order-0 entropy of its indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def index_entropy_bytes(indices: NDArray[np.uint8], palette_size: int) -> float:
    """Bytes that an ideal coder which knows how often each index occurs needs for all of them.

    indices  uint8, any shape, all below `palette_size`
    """
    counts = np.bincount(indices.reshape(-1), minlength=palette_size).astype(np.float64)
    counts = counts[counts > 0]
    bits = -(counts * np.log2(counts / counts.sum())).sum()
    return float(bits) / 8 + 0.0  # never -0.0
