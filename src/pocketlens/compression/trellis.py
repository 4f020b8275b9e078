"""Indices and palette in turn along a trellis, for a layer as it was posed (problem.py).

The palette has two values for each number that a plane tells: a quarter of a gap below and above
the levels that solving.py would start from, or all evenly spaced. Numbers of both kinds of states
are then about equally frequent, so that one Huffman table serves them (docs/design/0004).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pocketlens.compression.affine import (
    Levels,
    even_lengths,
    even_start,
    fitted_line,
    nearest_line,
)
from pocketlens.compression.problem import Problem, in_own_order
from pocketlens.compression.solving import Solution, means_of_targets, refitted, renumbered
from pocketlens.palettes.ascending import ascending
from pocketlens.palettes.feedback import Coding
from pocketlens.palettes.palette import LARGEST_SIZE
from pocketlens.palettes.rate_distortion import fit_rate_distortion
from pocketlens.palettes.trellis import LEAST_VALUES, code_along_trellis

Array = NDArray[np.float32]
Indices = NDArray[np.uint8]

LARGEST = LARGEST_SIZE // 2
"""Numbers of a plane, at most."""

TRELLIS_BITS = 80
"""What the file spends on telling that there is a trellis."""

MOST_LEVELS = 240
"""Where more serve without a trellis, steps fine enough need more numbers than there are."""

_CONTAINERS = ((LARGEST, 17, MOST_LEVELS), (16, 5, 32), (4, 2, 5))
"""Most numbers, and for which sizes of the palette without a trellis so many are tried."""


def solve_along_trellis(posed: Problem, size: int) -> Iterator[tuple[Problem, Levels]]:
    """Solutions along a trellis, each with the problem that it solves; none for grouped outputs.

    size  of the best palette without a trellis: it says which containers may pay
    """
    problem = in_own_order(posed)
    if problem is None:
        return
    for most, least_size, most_size in _CONTAINERS:
        if not least_size <= size <= most_size:
            continue
        found = [_solve_even(problem)] if most == LARGEST else []
        if size <= LARGEST:
            found.append(_solve_free(problem, most))
        for levels in found:
            if levels is not None:
                yield problem, levels


def _solve_free(problem: Problem, most: int) -> Levels | None:
    """Palettes of free values; the best of all passes. None where one level would do."""
    start = fit_rate_distortion(
        problem.weights,
        importance=problem.importance,
        lagrangian=problem.lagrangian,
        most_levels=most,
    )
    if 2 * len(start.values) < LEAST_VALUES:
        return None
    quarters = np.gradient(start.values) / 4
    pairs = np.stack([start.values - quarters, start.values + quarters], axis=1)
    values, lengths = np.sort(pairs.reshape(-1)), start.lengths_bits
    best: tuple[float, Indices, Array] | None = None
    for _ in range(problem.settings.passes):
        coding = _code(problem, values, lengths)
        counts = np.bincount(coding.indices // 2, minlength=len(lengths))
        lengths = even_lengths(coding.indices // 2, len(lengths))
        cost = coding.distortion + problem.lagrangian * float((counts * lengths).sum())
        if best is None or cost < best[0]:
            best = cost, coding.indices, values
        moved = means_of_targets(problem, coding.indices, coding.targets, values)
        values = np.sort(moved).astype(np.float32)
    assert best is not None
    return _fitted(problem, *_trimmed(best[1], best[2]))


def _solve_even(problem: Problem) -> Levels | None:
    """Palettes of even values; None where two numbers or fewer would do."""
    coarse = even_start(problem)
    if coarse is None:
        return None
    first, step = float(coarse[0]), float(coarse[1] - coarse[0])
    size = len(coarse)
    if size > LARGEST:
        step *= (size - 1) / (LARGEST - 1)
        size = LARGEST
    places = np.rint((problem.weights - first) / step).astype(np.int64)
    lengths = even_lengths(places, size)
    steps = np.arange(2 * size)
    values = (first + step * (steps / 2 - 0.25)).astype(np.float32)
    for _ in range(problem.settings.passes):
        coding = _code(problem, values, lengths)
        found = nearest_line(coding.indices, coding.targets, problem.importance)
        if found is None:
            return None
        line = found
        values = (line[0] + line[1] * steps).astype(np.float32)
        lengths = even_lengths(coding.indices // 2, size)
    indices, values = _trimmed(coding.indices, values)
    if len(values) < LEAST_VALUES:
        return None
    start = float(values[0]), line[1]
    levels = fitted_line(problem, indices, start, size=len(values))
    return None if levels is None else levels._replace(trellis=True)


def _code(problem: Problem, values: Array, lengths: Array) -> Coding:
    """Indices and targets of all parts, flat."""
    rate = problem.lagrangian * problem.settings.trellis_rate
    codings = [
        code_along_trellis(
            part.weights, part.hessian, part.between,
            worth=part.worth, values=values, lengths_bits=lengths, lagrangian=rate,
        )
        for part in problem.parts
    ]  # fmt: skip
    return Coding(
        np.concatenate([coding.indices.reshape(-1) for coding in codings]),
        np.concatenate([coding.targets.reshape(-1) for coding in codings]),
        sum(coding.distortion for coding in codings),
    )


def _trimmed(indices: Indices, values: Array) -> tuple[Indices, Array]:
    """Without unused numbers at both ends; at the lower one two at a time, so that even ones stay
    even.
    """
    first = int(indices.min()) // 4 * 4
    end = int(indices.max()) // 2 * 2 + 2
    return indices - np.uint8(first), values[first:end]


def _fitted(problem: Problem, indices: Indices, values: Array) -> Levels | None:
    """The palette that fits the indices best, in half precision."""
    if len(values) < LEAST_VALUES:
        return None
    counts = np.bincount(indices, minlength=len(values))
    used = counts > 0
    fitted = refitted(problem, Solution(renumbered(indices, used), values[used], 0.0, 0.0))
    found = values.copy()
    found[used] = fitted.values
    halves = ascending(found, counts).astype(np.float16) + np.float16(0.0)  # never -0
    return Levels(indices, halves, None, trellis=True)
