"""What is to be coded of a layer: weights in the order of coding, and what their errors cost.

Outputs of one group see the same inputs. Where it is known how outputs go together
(LayerStatistics.between), the loss is that of errors of all outputs at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.palettes.both_ways import Between, energy_both_ways, prepare_between
from pocketlens.palettes.feedback import (
    Hessian,
    back_in_place,
    energy,
    in_order,
    prepare_hessian,
)

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

SAMPLES_A_PHOTO = 10.0
"""Positions of one photo resemble each other: it counts as so many samples at most."""

TOGETHER = 0.5
"""Part of what is known of outputs together that counts, at most; the rest is each for itself. All
of it costs more than it saves (docs/design/0005): outputs share less where errors are large."""

_CLIP = 64.0


@dataclass(frozen=True)
class CodingSettings:
    """How a layer is coded.

    passes         rounds of indices and palette
    damping        added to the covariance's diagonal, as a part of its mean
    even_outputs   0 to 1: how far sensitivities are drawn to their mean; few photos measure those
                   of single classes badly, so 1 serves for a classifier's last layer, whose
                   outputs then stand each for itself
    inner_rate     part of the lagrangian that counts while indices are chosen. Below 1, fewer
                   weights are drawn to cheap levels, which are those near 0: that shrinkage is
                   alike in all layers and adds up
    unbias         0 to 1: how far the palette is stretched until the coded outputs vary with the
                   original ones one to one; least squares alone leaves them smaller
    trellis        whether indices along a trellis are tried too (trellis.py)
    trellis_rate   inner_rate for those
    """

    passes: int = 3
    damping: float = 0.01
    even_outputs: float = 0.3
    inner_rate: float = 0.35
    unbias: float = 1.0
    trellis: bool = True
    trellis_rate: float = 0.5


@dataclass(frozen=True)
class Part:
    """Columns that are coded together: all, or a block of a covariance kept in blocks.

    rows     the outputs (of all groups, or of the block's group) in the order of coding
    columns  those of the part
    weights  float32 (outputs of the part, columns of the part), in the order of coding
    worth    of the part's outputs, in that order
    between  how they go together; None: not known
    """

    rows: NDArray[np.intp]
    columns: slice
    weights: Array
    hessian: Hessian
    worth: Floats
    between: Between | None = None

    @property
    def importance(self) -> Floats:
        """(outputs, columns): cost of a squared error after what later weights make good."""
        curvature = self.hessian.curvature
        spread = np.repeat(curvature, len(self.weights) // len(curvature), axis=0)
        worth = self.worth if self.between is None else self.between.curvature
        importance: Floats = worth[:, None] * spread
        return importance

    def energy(self, weights: Array) -> float:
        """What errors like these weights cost."""
        if self.between is not None:
            return energy_both_ways(weights, self.hessian, self.between)
        return energy(weights, self.hessian, worth=self.worth)


@dataclass(frozen=True)
class Problem:
    """What is to be coded. Arrays of all weights are flat, part after part."""

    parts: tuple[Part, ...]
    weights: Array
    importance: Floats
    lagrangian: float
    settings: CodingSettings

    def split(self, flat: NDArray[np.uint8]) -> Iterator[tuple[Part, NDArray[np.uint8]]]:
        """Each part with its piece of a flat array, shaped like its weights."""
        start = 0
        for part in self.parts:
            stop = start + part.weights.size
            yield part, flat[start:stop].reshape(part.weights.shape)
            start = stop

    def in_place(self, flat: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Indices (outputs, columns) in the tensor's own order."""
        out = np.empty(shape, np.uint8)
        for part, indices in self.split(flat):
            out[part.rows, part.columns] = back_in_place(indices, part.hessian.order)
        return out

    def loss(self, coded: Array) -> float:
        """Of what was coded, flat; or of one value for all weights."""
        errors = self.weights - coded
        total, start = 0.0, 0
        for part in self.parts:
            stop = start + part.weights.size
            total += part.energy(errors[start:stop].reshape(part.weights.shape))
            start = stop
        return total


def pose(
    rows: Array, statistics: LayerStatistics, lagrangian: float, settings: CodingSettings
) -> Problem:
    """The problem of weights (outputs, columns) with these statistics."""
    worth = 0.5 * evened(statistics.sensitivity, settings.even_outputs)
    parts = tuple(
        _part(rows, places, columns, hessian, worth, together)
        for places, columns, hessian, together in _hessians(rows, statistics, settings)
    )
    return _joined(parts, lagrangian, settings)


def in_own_order(problem: Problem) -> Problem | None:
    """The problem with all outputs in the tensor's order; None where they are not one group.

    A trellis runs down the outputs as a reader meets them.
    """
    parts = []
    for part in problem.parts:
        if len(part.hessian.covariance) != 1 or len(part.rows) != len(problem.parts[0].rows):
            return None
        order = np.argsort(part.rows)
        if (part.rows[order] != np.arange(len(order))).any():
            return None
        between = part.between
        if between is not None:
            between = prepare_between(between.gram[np.ix_(order, order)].astype(np.float64))
        weights = np.ascontiguousarray(part.weights[order])
        parts.append(
            Part(part.rows[order], part.columns, weights, part.hessian, part.worth[order], between)
        )
    return _joined(tuple(parts), problem.lagrangian, problem.settings)


def _joined(parts: tuple[Part, ...], lagrangian: float, settings: CodingSettings) -> Problem:
    weights = np.concatenate([part.weights.reshape(-1) for part in parts])
    importance = np.concatenate([part.importance.reshape(-1) for part in parts])
    return Problem(parts, weights, importance, lagrangian, settings)


def _part(
    rows: Array,
    places: NDArray[np.intp],
    columns: slice,
    hessian: Hessian,
    worth: Floats,
    together: Floats | None,
) -> Part:
    between = None
    if together is not None:
        places = places[np.argsort(-worth[places], kind="stable")]
        between = prepare_between(_gram(worth[places], together[np.ix_(places, places)]))
    weights = in_order(np.ascontiguousarray(rows[places, columns]), hessian.order)
    return Part(places, columns, weights, hessian, worth[places], between)


def _gram(worth: Floats, together: Floats) -> Floats:
    """How outputs of these worths go together, from correlations drawn to each for itself."""
    drawn = together.copy()
    np.einsum("oo->o", drawn)[...] = 1.0
    root = np.sqrt(worth)
    gram: Floats = drawn * np.outer(root, root)
    return gram


def _hessians(
    rows: Array, statistics: LayerStatistics, settings: CodingSettings
) -> Iterator[tuple[NDArray[np.intp], slice, Hessian, Floats | None]]:
    """Outputs, columns, Hessian and what is known between outputs, of every part."""
    outputs, columns = rows.shape
    damping = settings.damping
    alone = statistics.groups > 1 or settings.even_outputs == 1
    together = None if alone else drawn_apart(statistics)
    if statistics.covariance.shape[1:] == (columns, columns):
        covariance = shrunk_covariance(statistics.covariance, statistics)
        hessian = prepare_hessian(covariance, damping=damping)
        yield np.arange(outputs), slice(0, columns), hessian, together
        return
    group_outputs = outputs // statistics.groups
    for group, some_columns, block in statistics.parts():
        covariance = shrunk_covariance(block[None], statistics)
        places = np.arange(group * group_outputs, (group + 1) * group_outputs)
        hessian = prepare_hessian(covariance, damping=damping)
        yield places, some_columns, hessian, None


def drawn_apart(statistics: LayerStatistics) -> Floats | None:
    """Correlations of outputs, drawn to 0 by outputs / (outputs + photos) and by TOGETHER."""
    if statistics.between is None:
        return None
    outputs = len(statistics.between)
    kept = TOGETHER * statistics.photos / (outputs + statistics.photos)
    return kept * statistics.between


def counted(statistics: LayerStatistics) -> float:
    """Samples that count: positions of one photo resemble each other."""
    return min(float(statistics.samples), statistics.photos * SAMPLES_A_PHOTO)


def shrunk_covariance(covariance: Floats, statistics: LayerStatistics) -> Floats:
    """Covariances drawn to their diagonal by columns / (columns + samples that count)."""
    columns = covariance.shape[1]
    part = min(0.9, columns / (columns + counted(statistics))) if columns > 1 else 0.0
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
