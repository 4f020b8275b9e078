"""One layer's weights to indices and palette, for the least loss + lagrangian x bits.

The loss is 1/2 sum over outputs of g e' C e, in nats a photo: e is the error of an output's
weights, C the covariance of the layer's input, g the output's sensitivity. The mean of the error
costs nothing, since the bias takes it up. As the loss of every layer has the same unit, one
lagrangian for all lets them spend where a bit buys most.

The layer is coded once for each container (indices of 2, 4 and 8 bits; solving.py), and once more
along a trellis (trellis.py); what costs least in real PNG bytes wins, with or without a mask of its
commonest index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.affine import AFFINE_BITS, Levels, solve_even
from pocketlens.compression.bias import bias_shift
from pocketlens.compression.problem import (
    CodingSettings,
    Problem,
    evened,
    pose,
    shrunk_covariance,
)
from pocketlens.compression.solving import HALF_VALUE_BITS, solve, to_half
from pocketlens.compression.trellis import TRELLIS_BITS, solve_along_trellis
from pocketlens.palettes.rate_distortion import check_lagrangian
from pocketlens.planes.best import MASK_FILE_BYTES, BestPlane, encode_best

__all__ = [
    "CONTAINERS",
    "CodedLayer",
    "CodingSettings",
    "code_layer",
    "evened",
    "guess_statistics",
    "shrunk_covariance",
]

Floats = NDArray[np.float64]

CONTAINERS = (256, 16, 4)
"""Most levels of a plane of 8, 4 and 2 bits. One of 1 bit comes from two levels being left."""

FEWER = 16
"""A container of so many times fewer levels than the largest one needed does not pay."""

_GUESSED_NATS = 10.0


@dataclass(frozen=True)
class CodedLayer:
    """A layer's weights, coded.

    indices     uint8, shaped like the weights: places in the palette
    palette     float16 (k,), ascending; all different and all used where it is not affine
    bias_shift  float32 (outputs,): what to add to the bias
    distortion  nats a photo, by the statistics
    bits        of the planes as PNG and of the palette
    affine      None, or (offset, step) that the palette is made of (base/halves.even_halves)
    trellis     whether the plane holds half of each index, a number along a trellis
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.float16]
    bias_shift: NDArray[np.float32]
    distortion: float
    bits: int
    affine: tuple[float, float] | None = None
    trellis: bool = False

    def encoded(self, *, crush: int | None = None) -> BestPlane:
        """Plane and mask; crush as encode_best() takes it."""
        return encode_levels(Levels(self.indices, self.palette, self.affine, self.trellis), crush)


def encode_levels(levels: Levels, crush: int | None = None) -> BestPlane:
    """Plane and mask of indices as shaped as their tensor."""
    if levels.trellis:
        numbers = levels.indices // np.uint8(2)
        return encode_best(numbers, palette_size=len(levels.palette) // 2, crush=crush)
    return encode_best(levels.indices, palette_size=len(levels.palette), crush=crush)


def code_layer(
    weights: NDArray[np.float32],
    statistics: LayerStatistics,
    *,
    lagrangian: float,
    settings: CodingSettings | None = None,
) -> CodedLayer:
    """Code a layer's weights for the least loss + lagrangian x bits.

    weights     float32 (outputs, ...), at least one, finite, within half precision
    statistics  of this layer: its columns are the weights of one output
    lagrangian  above 0: nats a photo that a bit may cost

    Same arguments, same result. Raises UsageError 'bad-weights', 'bad-statistics',
    'bad-covariance', 'bad-lagrangian'.
    """
    settings = settings or CodingSettings()
    check_lagrangian(lagrangian)
    rows = _rows_of(weights)
    _check_statistics(rows, statistics)
    problem = pose(rows, statistics, lagrangian, settings)
    best: CodedLayer | None = None
    most_used, needed = 257, 0
    for container in CONTAINERS:
        if most_used <= container or needed > FEWER * container:
            continue  # the larger container did not need more levels; or needed far more
        palette, flat = to_half(solve(problem, container))
        most_used = len(palette)
        needed = max(needed, most_used)
        tried = [Levels(flat, palette, None)]
        if container == CONTAINERS[0] and most_used > CONTAINERS[1]:
            even = solve_even(problem)
            tried += [] if even is None else [even]
        for solution in tried:
            found = _finished(problem, weights, statistics, solution)
            if best is None or _cost(found, lagrangian) < _cost(best, lagrangian):
                best = found
    assert best is not None
    if settings.trellis:
        for posed, solution in solve_along_trellis(problem, len(best.palette)):
            found = _finished(posed, weights, statistics, solution)
            if _cost(found, lagrangian) < _cost(best, lagrangian):
                best = found
    return best


def _finished(
    problem: Problem,
    weights: NDArray[np.float32],
    statistics: LayerStatistics,
    solution: Levels,
) -> CodedLayer:
    rows = _rows_of(weights)
    indices = problem.in_place(solution.indices, rows.shape)
    values = solution.palette.astype(np.float32)
    return CodedLayer(
        indices.reshape(weights.shape),
        solution.palette,
        bias_shift(rows, values[indices], statistics.mean),
        problem.loss(values[solution.indices]),
        _encoded_bits(solution._replace(indices=indices.reshape(weights.shape))),
        solution.affine,
        solution.trellis,
    )


def guess_statistics(weights: NDArray[np.float32], *, groups: int = 1) -> LayerStatistics:
    """Statistics where there are no photos: inputs alike and independent, all layers as sensitive.

    weights  float32 (outputs, ...); groups: runs of outputs that see different inputs

    A layer whose weights were all wrong is taken to cost the same wherever it stands. There is no
    mean, so no bias is corrected: clearly worse than any photo.
    """
    rows = _rows_of(weights)
    outputs, columns = rows.shape
    power = float(np.square(rows, dtype=np.float64).sum())
    sensitivity = np.full(outputs, 2 * _GUESSED_NATS / power if power > 0 else 1.0)
    covariance = np.broadcast_to(np.eye(columns), (groups, columns, columns)).copy()
    return LayerStatistics(np.zeros((groups, columns)), covariance, sensitivity, 0, 0)


def _cost(layer: CodedLayer, lagrangian: float) -> float:
    return layer.distortion + lagrangian * layer.bits


def _encoded_bits(levels: Levels) -> int:
    kept = encode_levels(levels)
    mask_bytes = MASK_FILE_BYTES if kept.mask is not None else 0
    palette_bits = AFFINE_BITS if levels.affine else HALF_VALUE_BITS * len(levels.palette)
    return 8 * (kept.png_bytes + mask_bytes) + palette_bits + levels.trellis * TRELLIS_BITS


def _rows_of(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    if weights.dtype != np.float32 or weights.size == 0 or weights.ndim < 1:
        raise UsageError(
            f"A layer's weights are a float32 array of at least one element and one axis, not "
            f"{weights.dtype} of shape {weights.shape}.",
            slug="bad-weights",
        )
    return np.ascontiguousarray(weights).reshape(len(weights), -1)


def _check_statistics(rows: NDArray[np.float32], statistics: LayerStatistics) -> None:
    outputs, columns = rows.shape
    groups = statistics.groups
    fits = (
        groups > 0
        and outputs % groups == 0
        and statistics.mean.shape == (groups, columns)
        and _covers(statistics.covariance.shape, groups, columns)
        and statistics.sensitivity.shape == (outputs,)
    )
    if not fits:
        raise UsageError(
            f"Statistics of shape {statistics.covariance.shape} and {statistics.sensitivity.shape} "
            f"do not belong to weights of {outputs} outputs x {columns}.",
            slug="bad-statistics",
        )
    sensitivity = statistics.sensitivity
    if not np.isfinite(sensitivity).all() or sensitivity.min() < 0:
        raise UsageError(
            "Sensitivities must be finite and not negative; the network's outputs may be out of "
            "range.",
            slug="bad-statistics",
        )
    if not np.isfinite(statistics.mean).all():
        raise UsageError(
            "The mean of a layer's input is not finite: a photo drove the network out of range.",
            slug="bad-statistics",
        )


def _covers(shape: tuple[int, ...], groups: int, columns: int) -> bool:
    """Whether covariances of that shape are of all columns, whole or in blocks."""
    if len(shape) != 3 or shape[1] != shape[2] or shape[1] < 1:
        return False
    return shape[0] == groups * -(-columns // shape[1]) and shape[1] <= columns
