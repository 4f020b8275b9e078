"""What an optimal palette is, in plain NumPy: the programme that the fast one is compared with.

Two of them, both slow and both simple: all ways to cut a few points, and the textbook dynamic
programme over prefix ends (Wang and Song, "Ckmeans.1d.dp", The R Journal 3/2, 2011).
"""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def run_cost(values: Floats, weights: Floats) -> float:
    """Sum of weight x (value - weighted mean)^2 over one run of points (n,)."""
    mean = float((values * weights).sum() / weights.sum())
    return float((weights * (values - mean) ** 2).sum())


def brute_force_distortion(values: Floats, weights: Floats, size: int) -> float:
    """Least distortion of `size` runs over all ways to cut ascending points; for n up to 15."""
    n = len(values)
    return min(
        sum(
            run_cost(values[a:b], weights[a:b]) for a, b in zip((0, *cuts), (*cuts, n), strict=True)
        )
        for cuts in combinations(range(1, n), size - 1)
    )


def best_cuts(values: Floats, weights: Floats, size: int) -> tuple[list[int], float]:
    """Optimal cuts [0, ..., n] of ascending points into `size` runs, and their distortion.

    O(size n^2) time, O(n^2) memory; 1 <= size <= n.
    """
    n = len(values)
    costs = _all_run_costs(values, weights)
    best = costs[0]
    back = np.zeros((size, n + 1), np.int64)
    for run in range(1, size):
        totals = best[:, None] + costs
        back[run] = totals.argmin(axis=0)
        best = totals.min(axis=0)
    cuts = [n]
    for run in range(size - 1, -1, -1):
        cuts.append(int(back[run, cuts[-1]]))
    return cuts[::-1], float(best[n])


def _all_run_costs(values: Floats, weights: Floats) -> Floats:
    """Costs (n + 1, n + 1) of the runs [begin, end); infinite where they are empty.

    Welford's update, which does not cancel.
    """
    n = len(values)
    costs = np.full((n + 1, n + 1), np.inf)
    for begin in range(n):
        mean = total = spread = 0.0
        for end in range(begin, n):
            total += float(weights[end])
            step = float(values[end]) - mean
            mean += step * float(weights[end]) / total
            spread += float(weights[end]) * step * (float(values[end]) - mean)
            costs[begin, end + 1] = spread
    costs[0, 0] = np.inf
    return costs


def half_histogram(weights: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Distinct values of the weights in half precision, ascending, and how often each occurs."""
    halves = weights.reshape(-1).astype(np.float16) + np.float16(0.0)
    values, counts = np.unique(halves, return_counts=True)
    return values.astype(np.float64), counts.astype(np.float64)


def fit_palette_plainly(
    weights: NDArray[np.float32], size: int
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """Do what palette.fit_palette does, for small tensors: values (k,) and indices."""
    values, counts = half_histogram(weights)
    if len(values) <= size:
        palette = values
    else:
        cuts, _ = best_cuts(values, counts, size)
        palette = np.array(
            [
                float((values[a:b] * counts[a:b]).sum() / counts[a:b].sum())
                for a, b in pairwise(cuts)
            ]
        )
    halves = palette.astype(np.float16)
    return halves, nearest_indices(weights, halves)


def nearest_indices(
    weights: NDArray[np.float32], palette: NDArray[np.float16]
) -> NDArray[np.uint8]:
    """Index of the palette value nearest to each weight in half precision; the smaller on a tie."""
    rounded = weights.astype(np.float16).astype(np.float64)
    away = np.abs(rounded[..., None] - palette.astype(np.float64))
    indices: NDArray[np.uint8] = away.argmin(axis=-1).astype(np.uint8)
    return indices
