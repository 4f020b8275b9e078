"""How a palettized tensor's weights are spread, from its palettes and how often each value is used.

The float original is not needed: the weights that share a palette value lay between the middles
to its neighbours, and are drawn evenly spread there. The area of the drawing is the number of
weights, so the shape is that of a histogram whose bins are as wide as the palette is fine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.lensfile.contents import TensorRecord
from pocketlens.lensfile.indices import tensor_indices

BINS = 120


@dataclass(frozen=True)
class Distribution:
    """A histogram of weights, and the palette's values.

    low, high  ends of the histogram
    counts     weights in each of BINS equal bins, not whole numbers; float64
    values     all palette values that are used, of all groups; ascending
    used       part of the palette entries that some weight uses, 0 to 1
    zeros      part of the weights that is 0, 0 to 1
    entropy_bits  that an index needs, were indices independent draws
    """

    low: float
    high: float
    counts: NDArray[np.float64]
    values: NDArray[np.float64]
    used: float
    zeros: float
    entropy_bits: float


def distribution_of(record: TensorRecord) -> Distribution:
    """The spread of a tensor with a palette. Raises LensFileError where the plane is damaged."""
    palettes = np.frombuffer(record.palettes, "<f2").astype(np.float64)
    palettes = palettes.reshape(-1, record.palette_size)
    uses = _uses(record, len(palettes))
    cells = [_cells(values, used) for values, used in zip(palettes, uses, strict=True)]
    low = min(float(edges[0]) for edges, _ in cells)
    high = max(float(edges[-1]) for edges, _ in cells)
    grid = np.linspace(low, high, BINS + 1)
    counts = np.zeros(BINS)
    for edges, below in cells:
        counts += np.diff(np.interp(grid, edges, below))
    share = uses.sum(axis=0) / uses.sum()
    entropy_bits = float(-(share[share > 0] * np.log2(share[share > 0])).sum())
    return Distribution(
        low,
        high,
        counts,
        np.unique(palettes[uses > 0]),
        float((uses > 0).mean()),
        float(uses[palettes == 0].sum() / uses.sum()),
        max(entropy_bits, 0.0),
    )


def _uses(record: TensorRecord, groups: int) -> NDArray[np.int64]:
    """How often each group uses each of its values: (groups, k)."""
    indices = tensor_indices(record)
    parts = [
        indices[group * record.group_rows : (group + 1) * record.group_rows]
        for group in range(groups)
    ]
    return np.stack([np.bincount(p.reshape(-1), minlength=record.palette_size) for p in parts])


def _cells(
    values: NDArray[np.float64], used: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges between the used values of a palette, and how many weights lie below each."""
    there = values[used > 0]
    below = np.concatenate([[0], np.cumsum(used[used > 0])]).astype(np.float64)
    if len(there) == 1:
        reach = max(abs(float(there[0])) / 16, 1e-6)
        return np.array([there[0] - reach, there[0] + reach]), below
    middles = (there[1:] + there[:-1]) / 2
    first = 2 * there[0] - middles[0]
    last = 2 * there[-1] - middles[-1]
    return np.concatenate([[first], middles, [last]]), below
