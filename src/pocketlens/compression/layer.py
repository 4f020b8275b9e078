"""One layer's weights to indices and palette, for the least loss + lagrangian x bits.

The loss is 1/2 sum over outputs of g e' C e, in nats a photo: e is the error of an output's
weights, C the covariance of the layer's input, g the output's sensitivity. The mean of the error
costs nothing, since the bias takes it up. As the loss of every layer has the same unit, one
lagrangian for all lets them spend where a bit buys most.

Palette, lengths of indices and indices are found in turn: a palette by rate and distortion, the
indices by error feedback, the palette again from where the weights went. This is done for each
container (indices of 2, 4 and 8 bits), and the one that costs least in real PNG bytes wins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.bias import bias_shift
from pocketlens.palettes.feedback import (
    Coding,
    Hessian,
    back_in_place,
    code_with_feedback,
    energy,
    fit_values,
    in_order,
    normal_equations,
    prepare_hessian,
)
from pocketlens.palettes.rate_distortion import (
    check_lagrangian,
    fit_rate_distortion,
    index_lengths,
)
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for

Floats = NDArray[np.float64]

CONTAINERS = (256, 16, 4)
"""Most levels of a plane of 8, 4 and 2 bits. One of 1 bit comes from two levels being left."""

SAMPLES_A_PHOTO = 10.0
"""Positions of one photo resemble each other: it counts as so many samples at most."""

MOST_STRETCH = 2.0
"""Of a palette. Where next to nothing is left of a layer, no stretching brings it back: it would
only make noise loud."""

_HALF_VALUE_BITS = 16
_GUESSED_NATS = 10.0
_CLIP = 64.0


@dataclass(frozen=True)
class CodingSettings:
    """How a layer is coded.

    passes         rounds of indices and palette
    damping        added to the covariance's diagonal, as a part of its mean
    even_outputs   0 to 1: how far sensitivities are drawn to their mean; few photos measure those
                   of single classes badly, so 1 serves for a classifier's last layer
    inner_rate     part of the lagrangian that counts while indices are chosen. Below 1, fewer
                   weights are drawn to cheap levels, which are those near 0: that shrinkage is
                   alike in all layers and adds up
    unbias         0 to 1: how far the palette is stretched until the coded outputs vary with the
                   original ones one to one; least squares alone leaves them smaller
    """

    passes: int = 3
    damping: float = 0.01
    even_outputs: float = 0.3
    inner_rate: float = 0.35
    unbias: float = 1.0


@dataclass(frozen=True)
class CodedLayer:
    """A layer's weights, coded.

    indices     uint8, shaped like the weights
    palette     float16 (k,), ascending, all different, all used
    bias_shift  float32 (outputs,): what to add to the bias
    distortion  nats a photo, by the statistics
    bits        of the plane as PNG and of the palette
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.float16]
    bias_shift: NDArray[np.float32]
    distortion: float
    bits: int


@dataclass(frozen=True)
class _Part:
    """Columns that are coded together: all, or a block of a covariance kept in blocks.

    rows     the outputs (of all groups, or of the block's group), and columns: those of the part
    weights  float32 (outputs of the part, columns of the part), in the Hessian's order
    worth    of the part's outputs
    """

    rows: slice
    columns: slice
    weights: NDArray[np.float32]
    hessian: Hessian
    worth: Floats


@dataclass(frozen=True)
class _Problem:
    """What is to be coded. Arrays of all weights are flat, part after part."""

    parts: tuple[_Part, ...]
    weights: NDArray[np.float32]
    importance: Floats
    lagrangian: float
    settings: CodingSettings


@dataclass(frozen=True)
class _Solution:
    """indices: flat, part after part; cost: distortion + lagrangian x bits."""

    indices: NDArray[np.uint8]
    values: NDArray[np.float32]
    distortion: float
    cost: float


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
    problem = _pose(rows, statistics, lagrangian, settings)
    best: CodedLayer | None = None
    most_used = 257
    for container in CONTAINERS:
        if most_used <= container:
            continue  # the larger container did not need more levels than this one holds
        solution = _solve(problem, container)
        palette, flat = _to_half(solution)
        indices = _in_place(problem, flat, rows.shape)
        coded = palette.astype(np.float32)[indices]
        most_used = len(palette)
        found = CodedLayer(
            indices.reshape(weights.shape),
            palette,
            bias_shift(rows, coded, statistics.mean),
            _loss(problem, palette.astype(np.float32)[flat]),
            _encoded_bits(indices.reshape(weights.shape), palette),
        )
        if best is None or _cost(found, lagrangian) < _cost(best, lagrangian):
            best = found
    assert best is not None
    return best


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


def _pose(
    rows: NDArray[np.float32],
    statistics: LayerStatistics,
    lagrangian: float,
    settings: CodingSettings,
) -> _Problem:
    worth = 0.5 * evened(statistics.sensitivity, settings.even_outputs)
    parts = tuple(
        _Part(
            places,
            columns,
            in_order(np.ascontiguousarray(rows[places, columns]), hessian.order),
            hessian,
            worth[places],
        )
        for places, columns, hessian in _hessians(rows, statistics, settings.damping)
    )
    weights = np.concatenate([part.weights.reshape(-1) for part in parts])
    importance = np.concatenate([_importance(part).reshape(-1) for part in parts])
    return _Problem(parts, weights, importance, lagrangian, settings)


def _hessians(
    rows: NDArray[np.float32], statistics: LayerStatistics, damping: float
) -> Iterator[tuple[slice, slice, Hessian]]:
    """Outputs, columns and Hessian of every part: one where the covariance is whole."""
    outputs, columns = rows.shape
    if statistics.covariance.shape[1:] == (columns, columns):
        covariance = shrunk_covariance(statistics.covariance, statistics)
        hessian = prepare_hessian(covariance, damping=damping)
        yield slice(0, outputs), slice(0, columns), hessian
        return
    group_outputs = outputs // statistics.groups
    for group, some_columns, block in statistics.parts():
        covariance = shrunk_covariance(block[None], statistics)
        places = slice(group * group_outputs, (group + 1) * group_outputs)
        yield places, some_columns, prepare_hessian(covariance, damping=damping)


def _importance(part: _Part) -> Floats:
    curvature = part.hessian.curvature
    spread = np.repeat(curvature, len(part.weights) // len(curvature), axis=0)
    importance: Floats = part.worth[:, None] * spread
    return importance


def shrunk_covariance(covariance: Floats, statistics: LayerStatistics) -> Floats:
    """Covariances drawn to their diagonal by columns / (columns + samples that count)."""
    columns = covariance.shape[1]
    counted = min(float(statistics.samples), statistics.photos * SAMPLES_A_PHOTO)
    part = min(0.9, columns / (columns + counted)) if columns > 1 else 0.0
    diagonal = np.einsum("gii->gi", covariance)
    shrunk = (1 - part) * covariance
    np.einsum("gii->gi", shrunk)[...] = diagonal
    return shrunk


def evened(sensitivity: Floats, part: float) -> Floats:
    """Sensitivities drawn to their mean by `part`, outliers clipped, all above 0."""
    even = (1 - part) * sensitivity + part * sensitivity.mean()
    middle = float(np.median(even))
    clipped: Floats = np.clip(even, middle / _CLIP, middle * _CLIP)
    return np.maximum(clipped, 1e-30)


def _solve(problem: _Problem, most_levels: int) -> _Solution:
    """Indices and palette in turn; the best of all passes, its palette fitted to its indices."""
    settings = problem.settings
    least = 1.0 if most_levels > 16 else 0.0  # a Huffman code has no half bits; packed ones nearly
    start = fit_rate_distortion(
        problem.weights,
        importance=problem.importance,
        lagrangian=problem.lagrangian,
        most_levels=most_levels,
    )
    values, lengths = start.values, np.maximum(start.lengths_bits, np.float32(least))
    best: _Solution | None = None
    for _ in range(settings.passes):
        coding = _code(problem, values, lengths)
        used = np.bincount(coding.indices, minlength=len(values)) > 0
        indices = renumbered(coding.indices, used)
        values = values[used]
        counts = np.bincount(indices, minlength=len(values))
        lengths = index_lengths(counts, least=least)
        bits = float((counts * lengths).sum()) + _HALF_VALUE_BITS * len(values)
        cost = coding.distortion + problem.lagrangian * bits
        if best is None or cost < best.cost:
            best = _Solution(indices, values, coding.distortion, cost)
        values, lengths = _centroids(problem, indices, coding.targets, values, lengths)
    assert best is not None
    return _refitted(problem, best)


def _code(problem: _Problem, values: NDArray[np.float32], lengths: NDArray[np.float32]) -> Coding:
    """Indices and targets of all parts, flat."""
    codings = [
        code_with_feedback(
            part.weights,
            part.hessian,
            worth=part.worth,
            values=values,
            lengths_bits=lengths,
            lagrangian=problem.lagrangian * problem.settings.inner_rate,
        )
        for part in problem.parts
    ]
    return Coding(
        np.concatenate([coding.indices.reshape(-1) for coding in codings]),
        np.concatenate([coding.targets.reshape(-1) for coding in codings]),
        sum(coding.distortion for coding in codings),
    )


def _centroids(
    problem: _Problem,
    indices: NDArray[np.uint8],
    targets: NDArray[np.float32],
    values: NDArray[np.float32],
    lengths: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Move every value to the mean of the weights that chose it; ascending again."""
    mass = np.bincount(indices, weights=problem.importance, minlength=len(values))
    total = np.bincount(indices, weights=problem.importance * targets, minlength=len(values))
    moved = np.divide(total, mass, out=values.astype(np.float64), where=mass > 0)
    order = np.argsort(moved, kind="stable")
    return moved[order].astype(np.float32), lengths[order]


def _refitted(problem: _Problem, solution: _Solution) -> _Solution:
    """Fit the palette to the indices by least squares, then take the bias that is asked for."""
    pieces = [
        normal_equations(
            part.weights, part.hessian, worth=part.worth, indices=indices,
            size=len(solution.values),
        )
        for part, indices in _split(problem, solution.indices)
    ]  # fmt: skip
    matrix = np.sum([piece[0] for piece in pieces], axis=0)
    vector = np.sum([piece[1] for piece in pieces], axis=0)
    found = fit_values(matrix, vector, solution.values)
    follows = float(found @ vector)  # sum of worth x w' C q, q being what the palette stands for
    if problem.settings.unbias > 0 and follows > 0:
        whole = _loss(problem, np.zeros(1, np.float32))
        found *= min(max(whole / follows, 1.0), MOST_STRETCH) ** problem.settings.unbias
    values = np.clip(found, -65504, 65504).astype(np.float32)
    return _Solution(solution.indices, values, solution.distortion, solution.cost)


def _split(problem: _Problem, flat: NDArray[np.uint8]) -> Iterator[tuple[_Part, NDArray[np.uint8]]]:
    """Each part with its piece of a flat array, shaped like its weights."""
    start = 0
    for part in problem.parts:
        stop = start + part.weights.size
        yield part, flat[start:stop].reshape(part.weights.shape)
        start = stop


def _in_place(
    problem: _Problem, flat: NDArray[np.uint8], shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Indices (outputs, columns) in the tensor's own order."""
    out = np.empty(shape, np.uint8)
    for part, indices in _split(problem, flat):
        out[part.rows, part.columns] = back_in_place(indices, part.hessian.order)
    return out


def _to_half(solution: _Solution) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """The palette in half precision, ascending and all different; indices to match."""
    halves = solution.values.astype(np.float16) + np.float16(0.0)  # never -0
    palette, number = np.unique(halves, return_inverse=True)
    return palette, number.astype(np.uint8)[solution.indices]


def renumbered(indices: NDArray[np.uint8], used: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Indices into what is left of a palette when unused values are dropped."""
    if used.all():
        return indices
    numbers = (np.cumsum(used) - 1).astype(np.uint8)
    return numbers[indices]


def _loss(problem: _Problem, coded: NDArray[np.float32]) -> float:
    """Of what was coded, flat; or of one value for all weights."""
    errors = problem.weights - coded
    total, start = 0.0, 0
    for part in problem.parts:
        stop = start + part.weights.size
        piece = errors[start:stop].reshape(part.weights.shape)
        total += energy(piece, part.hessian, worth=part.worth)
        start = stop
    return total


def _encoded_bits(indices: NDArray[np.uint8], palette: NDArray[np.float16]) -> int:
    plane = encode_plane(indices, index_bits=index_bits_for(len(palette)))
    return 8 * sum(len(band.png) for band in plane.bands) + _HALF_VALUE_BITS * len(palette)


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
