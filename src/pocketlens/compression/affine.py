"""Even palettes for weights: offset + step x i, two numbers in place of up to 256 halves.

At high rates even levels are as good as any (Gish and Pierce, "Asymptotically efficient
quantizing", 1968), and a palette of 60 free values is 1% of a small layer's bits. A layer is coded
with these levels as with free ones, and layer.py keeps what costs less.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.halves import even_halves
from pocketlens.compression.problem import Problem
from pocketlens.compression.solving import MOST_STRETCH, code
from pocketlens.palettes.palette import LARGEST_SIZE
from pocketlens.palettes.rate_distortion import index_lengths

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

AFFINE_BITS = 64
"""Offset and step, float32 each."""

STEP = 0.9
"""Of the step that is best at high rates without error feedback, which makes finer ones pay."""

_RARE = 0.5  # how often an unused level is taken to be used


class Levels(NamedTuple):
    """Indices and what they stand for.

    indices  uint8, flat, part after part
    palette  float16 (k,), ascending; of even ones some may be unused or alike
    affine   the (offset, step), both float32, that it is made of; None: free values
    trellis  whether indices run along a trellis (palettes/trellis.py)
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.float16]
    affine: tuple[float, float] | None
    trellis: bool = False


def solve_even(problem: Problem) -> Levels | None:
    """Indices, and even levels for them, in turn; None where two levels or fewer would do."""
    values = even_start(problem)
    if values is None:
        return None
    places = np.rint((problem.weights - values[0]) / (values[1] - values[0]))
    lengths = even_lengths(places.astype(np.int64), len(values))
    levels = np.arange(len(values))
    for _ in range(problem.settings.passes):
        coding = code(problem, values, lengths)
        found = nearest_line(coding.indices, coding.targets, problem.importance)
        if found is None:
            return None
        line = found
        values = (line[0] + line[1] * levels).astype(np.float32)
        lengths = even_lengths(coding.indices, len(values))
    first = int(coding.indices.min())
    indices = coding.indices - np.uint8(first)
    start = line[0] + line[1] * first
    return fitted_line(problem, indices, (start, line[1]), size=int(indices.max()) + 1)


def even_start(problem: Problem) -> Array | None:
    """Levels at multiples of a step d: an index costs d^2 / 12 x importance and -log2 d bits."""
    low, high = float(problem.weights.min()), float(problem.weights.max())
    mean = float(problem.importance.mean())
    if high <= low or mean <= 0:
        return None
    step = STEP * float(np.sqrt(6 * problem.lagrangian / (np.log(2) * mean)))
    step = max(step, (high - low) / (LARGEST_SIZE - 2))
    first, last = round(low / step), round(high / step)
    if last - first < 2:
        return None
    return (step * np.arange(first, last + 1)).astype(np.float32)


def even_lengths(indices: NDArray[np.uint8] | NDArray[np.int64], size: int) -> Array:
    """Bits of an index of each level; unused ones may be used again, at a price."""
    counts = np.bincount(np.clip(indices, 0, size - 1), minlength=size)
    return index_lengths(np.maximum(counts, _RARE))


def nearest_line(
    indices: NDArray[np.uint8], targets: Array, importance: Floats
) -> tuple[float, float] | None:
    """Offset and step nearest to the targets; None where there is one level, or none above it."""
    x = indices.astype(np.float64)
    mass = float(importance.sum())
    mean_x, mean_y = float(importance @ x) / mass, float(importance @ targets) / mass
    spread = float(importance @ (x - mean_x) ** 2)
    along = float(importance @ ((x - mean_x) * (targets - mean_y)))
    if spread <= 0 or along <= 0:
        return None
    step = along / spread
    return mean_y - step * mean_x, step


def fitted_line(
    problem: Problem, indices: NDArray[np.uint8], line: tuple[float, float], *, size: int
) -> Levels | None:
    """The line of least loss, `size` values of it, stretched as solving.py stretches others."""
    x = indices.astype(np.float32)
    coded = (line[0] + line[1] * x).astype(np.float32)
    sides = (np.full_like(coded, np.abs(coded).max()), (line[1] * (x - x.mean())))
    shift, turn = _least(problem, coded, sides)
    step = line[1] * (1 + turn)
    offset = line[0] + shift * float(sides[0][0]) - line[1] * turn * float(x.mean())
    stretch = _stretch(problem, (offset + step * x).astype(np.float32))
    affine = float(np.float32(stretch * offset)), float(np.float32(stretch * step))
    try:
        halves = even_halves(*affine, size)
    except OverflowError:
        return None
    return Levels(indices, np.frombuffer(halves, "<f2"), affine) if step > 0 else None


def _least(problem: Problem, coded: Array, sides: tuple[Array, Array]) -> tuple[float, float]:
    """How much of both sides to add to what is coded, for the least loss: it is quadratic."""
    amount = 1e-2
    one, other = (np.float32(amount) * side for side in sides)
    here = problem.loss(coded)
    ahead = [problem.loss(coded + side) for side in (one, other)]
    back = [problem.loss(coded - side) for side in (one, other)]
    slope = np.array([(a - b) / 2 for a, b in zip(ahead, back, strict=True)])
    bend = np.diag([a + b - 2 * here for a, b in zip(ahead, back, strict=True)])
    bend[0, 1] = bend[1, 0] = problem.loss(coded + one + other) - ahead[0] - ahead[1] + here
    found = np.linalg.lstsq(bend, -slope, rcond=None)[0]
    return amount * float(found[0]), amount * float(found[1])


def _stretch(problem: Problem, coded: Array) -> float:
    """What makes coded outputs follow the original ones one to one."""
    whole = problem.loss(np.zeros(1, np.float32))
    alone = problem.loss(problem.weights - coded)
    follows = (whole + alone - problem.loss(coded)) / 2
    if problem.settings.unbias <= 0 or follows <= 0:
        return 1.0
    return float(min(max(whole / follows, 1.0), MOST_STRETCH) ** problem.settings.unbias)
