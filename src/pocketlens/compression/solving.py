"""Palette, lengths of indices and indices in turn, for a layer as it was posed (problem.py).

A palette by rate and distortion, the indices by error feedback, the palette again from where the
weights went; at last, the palette that fits the indices best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.compression.problem import Part, Problem
from pocketlens.palettes.both_ways import code_both_ways, fit_values_both_ways
from pocketlens.palettes.feedback import (
    Coding,
    code_with_feedback,
    fit_values,
    normal_equations,
)
from pocketlens.palettes.rate_distortion import fit_rate_distortion, index_lengths

Floats = NDArray[np.float64]
Array = NDArray[np.float32]
Indices = NDArray[np.uint8]

MOST_STRETCH = 2.0
"""Of a palette. Where next to nothing is left of a layer, no stretching brings it back: it would
only make noise loud."""

HALF_VALUE_BITS = 16


@dataclass(frozen=True)
class Solution:
    """indices: flat, part after part; cost: distortion + lagrangian x bits."""

    indices: Indices
    values: Array
    distortion: float
    cost: float


def solve(problem: Problem, most_levels: int) -> Solution:
    """Indices and palette in turn; the best of all passes, its palette fitted to its indices.

    An index costs log2(1 / p) bits, less than 1 where one level takes most weights: a mask then
    stands for that level (planes/best.py).
    """
    start = fit_rate_distortion(
        problem.weights,
        importance=problem.importance,
        lagrangian=problem.lagrangian,
        most_levels=most_levels,
    )
    values, lengths = start.values, start.lengths_bits
    best: Solution | None = None
    for _ in range(problem.settings.passes):
        coding = code(problem, values, lengths)
        used = np.bincount(coding.indices, minlength=len(values)) > 0
        indices = renumbered(coding.indices, used)
        values = values[used]
        counts = np.bincount(indices, minlength=len(values))
        lengths = index_lengths(counts)
        bits = float((counts * lengths).sum()) + HALF_VALUE_BITS * len(values)
        cost = coding.distortion + problem.lagrangian * bits
        if best is None or cost < best.cost:
            best = Solution(indices, values, coding.distortion, cost)
        values, lengths = _centroids(problem, indices, coding.targets, values, lengths)
    assert best is not None
    return refitted(problem, best)


def code(problem: Problem, values: Array, lengths: Array) -> Coding:
    """Indices and targets of all parts, flat."""
    rate = problem.lagrangian * problem.settings.inner_rate
    codings = [_code_part(part, values, lengths, rate) for part in problem.parts]
    return Coding(
        np.concatenate([coding.indices.reshape(-1) for coding in codings]),
        np.concatenate([coding.targets.reshape(-1) for coding in codings]),
        sum(coding.distortion for coding in codings),
    )


def _code_part(part: Part, values: Array, lengths: Array, lagrangian: float) -> Coding:
    if part.between is not None:
        return code_both_ways(
            part.weights, part.hessian, part.between,
            values=values, lengths_bits=lengths, lagrangian=lagrangian,
        )  # fmt: skip
    return code_with_feedback(
        part.weights, part.hessian, worth=part.worth,
        values=values, lengths_bits=lengths, lagrangian=lagrangian,
    )  # fmt: skip


def _centroids(
    problem: Problem, indices: Indices, targets: Array, values: Array, lengths: Array
) -> tuple[Array, Array]:
    """Move every value to the mean of the weights that chose it; ascending again."""
    moved = means_of_targets(problem, indices, targets, values)
    order = np.argsort(moved, kind="stable")
    return moved[order].astype(np.float32), lengths[order]


def means_of_targets(problem: Problem, indices: Indices, targets: Array, values: Array) -> Floats:
    """The mean of the weights that chose each value; of none, the value as it is."""
    mass = np.bincount(indices, weights=problem.importance, minlength=len(values))
    total = np.bincount(indices, weights=problem.importance * targets, minlength=len(values))
    return np.divide(total, mass, out=values.astype(np.float64), where=mass > 0)


def refitted(problem: Problem, solution: Solution) -> Solution:
    """Fit the palette to the indices by least squares, then take the bias that is asked for."""
    found, follows = _fitted(problem, solution)
    if problem.settings.unbias > 0 and follows > 0:
        whole = problem.loss(np.zeros(1, np.float32))
        found *= min(max(whole / follows, 1.0), MOST_STRETCH) ** problem.settings.unbias
    values = np.clip(found, -65504, 65504).astype(np.float32)
    return Solution(solution.indices, values, solution.distortion, solution.cost)


def _fitted(problem: Problem, solution: Solution) -> tuple[Floats, float]:
    """Values of least squares, and how far what they stand for follows the weights: <W, Q>."""
    pieces = []
    for part, indices in problem.split(solution.indices):
        if part.between is not None:  # of one part only
            return fit_values_both_ways(
                part.weights, part.hessian, part.between, indices=indices, values=solution.values
            )
        pieces.append(
            normal_equations(
                part.weights, part.hessian, worth=part.worth, indices=indices,
                size=len(solution.values),
            )
        )  # fmt: skip
    matrix = np.sum([piece[0] for piece in pieces], axis=0)
    vector = np.sum([piece[1] for piece in pieces], axis=0)
    found = fit_values(matrix, vector, solution.values)
    return found, float(found @ vector)


def to_half(solution: Solution) -> tuple[NDArray[np.float16], Indices]:
    """The palette in half precision, ascending and all different; indices to match."""
    halves = solution.values.astype(np.float16) + np.float16(0.0)  # never -0
    palette, number = np.unique(halves, return_inverse=True)
    return palette, number.astype(np.uint8)[solution.indices]


def renumbered(indices: Indices, used: NDArray[np.bool_]) -> Indices:
    """Indices into what is left of a palette when unused values are dropped."""
    if used.all():
        return indices
    numbers = (np.cumsum(used) - 1).astype(np.uint8)
    return numbers[indices]
