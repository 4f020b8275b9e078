"""Means and covariances of a layer's input columns, added up photo by photo.

Products of a photo are float32 (BLAS), sums over photos float64. Products are taken about the
first photo's mean, so that nothing is lost where an input's mean is far above its deviation
(Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

MAX_COLUMNS = 6144
"""Wider layers get a block-diagonal covariance: 25,088 columns squared would take 5 GB."""

BLOCK_COLUMNS = 2048
"""The width of those blocks."""

_TOGETHER = 64
"""Fewer samples than this wait for others: the product of few costs as much as that of many."""

_ROWS = 1024  # of a covariance that are computed at once: bounds the float32 product


def block_width(columns: int) -> int:
    """Columns that stand in one covariance matrix: all of them, or BLOCK_COLUMNS."""
    return columns if columns <= MAX_COLUMNS else BLOCK_COLUMNS


class Moments:
    """First and second moments of (groups, columns) inputs."""

    def __init__(self, groups: int, columns: int) -> None:
        self._columns = columns
        self._width = block_width(columns)
        self._blocks = -(-columns // self._width)
        self._shift: Array | None = None
        self._sum: Floats = np.zeros((groups, columns))
        self._products: Floats = np.zeros((groups * self._blocks, self._width, self._width))
        self._waiting: list[Array] = []
        self.samples = 0

    def add(self, samples: Array) -> None:
        """Add samples, (groups, columns, n) float32. They are overwritten."""
        if self._shift is None:
            self._shift = samples.mean(axis=2, keepdims=True)
        samples -= self._shift
        self._sum += samples.sum(axis=2, dtype=np.float64)
        self.samples += samples.shape[2]
        if samples.shape[2] >= _TOGETHER:
            self._multiply(samples)
            return
        self._waiting.append(samples.copy())
        if sum(part.shape[2] for part in self._waiting) >= _TOGETHER:
            self._multiply_waiting()

    def _multiply_waiting(self) -> None:
        if self._waiting:
            self._multiply(np.concatenate(self._waiting, axis=2))
            self._waiting.clear()

    def _multiply(self, samples: Array) -> None:
        """Add the products of centred samples."""
        if samples.shape[1] <= _ROWS:
            self._products += np.matmul(samples, samples.transpose(0, 2, 1))
            return
        for number, product in enumerate(self._products):
            group, block = divmod(number, self._blocks)
            part = samples[group, block * self._width : (block + 1) * self._width]
            # Only what is on and above the diagonal; finish() mirrors it.
            for row in range(0, len(part), _ROWS):
                rows = part[row : row + _ROWS]
                product[row : row + len(rows), row : len(part)] += rows @ part[row:].T

    def finish(self) -> tuple[Floats, Floats]:
        """Mean (groups, columns) and covariance (groups x blocks, width, width).

        The covariance is made in place: nothing can be added afterwards.
        """
        if self._shift is None:
            raise ValueError("no samples were added")
        self._multiply_waiting()
        offset = self._sum / self.samples
        for number, product in enumerate(self._products):
            group, block = divmod(number, self._blocks)
            start = block * self._width
            part = offset[group, start : start + self._width]
            product /= self.samples
            product[: len(part), : len(part)] -= np.outer(part, part)
            _mirror(product)
        return self._shift[:, :, 0] + offset, self._products


def _mirror(square: Floats) -> None:
    """Copy what is above the diagonal below it, in place, block by block."""
    for row in range(0, len(square), _ROWS):
        rows = square[row : row + _ROWS]
        corner = np.triu(rows[:, row : row + _ROWS])
        rows[:, row : row + _ROWS] = corner + np.triu(corner, 1).T
        square[row + _ROWS :, row : row + _ROWS] = rows[:, row + _ROWS :].T
    # Rounding may leave a variance of a constant input a little below 0.
    diagonal = np.einsum("ii->i", square)
    np.maximum(diagonal, 0.0, out=diagonal)
