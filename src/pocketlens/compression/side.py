"""Biases to indices and levels, at the same price of a bit as weights.

An error e of an output's bias costs 1/2 g e^2 nats a photo, g being what the output is worth, and
BIAS_WORTH times that, since it is the same at every position of every photo. Even levels tell a
bias in the fewest bits at high rates (Gish and Pierce, "Asymptotically efficient quantizing",
1968); they are an affine palette, two numbers in the file. Where at most 256 of them do not reach,
free levels may, or whole multiples of a power of two in half precision, which the file tells in 16
bits less what their high bytes repeat (lensfile/steps.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.halves import even_halves
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.half import nearest_half
from pocketlens.graph.graph import Graph
from pocketlens.palettes.palette import LARGEST_SIZE
from pocketlens.palettes.rate_distortion import LEVEL_BITS, fit_rate_distortion, index_lengths

Floats = NDArray[np.float64]

BIAS_WORTH = 2.0
"""What biases rounded to even levels cost, over what 1/2 g e^2 says: measured 1.5 to 2.8 on
ResNet-8, MobileNetV2 and SqueezeNet."""

MIDDLE = 128
"""The index near which most biases of a tensor lie, so that many tensors can share a code."""

AFFINE_BITS = 64
INDEX_BITS = 8

_STEPS = (1.0, 1.5)  # of the best step at high rates, or of the finest that 256 levels allow
_HALF_BITS = 16
_OWN_BITS = 100.0  # a tensor's rows in the file, and what a code for others costs it
_PLANE_BITS = 1000.0  # a plane and its Huffman table, which all biases share
_STEP_BITS = 32.0  # of multiples, and the row of their picture
_MOST_MULTIPLE = 1 << 15
_LEAST_LENGTH = 1.0  # of a Huffman code


@dataclass(frozen=True)
class CodedBias:
    """A bias, coded.

    indices     uint8 (outputs,)
    palette     float16 (k,), ascending; of affine ones some may be unused or alike
    affine      None, or (offset, step) that the palette is made of: see base/halves.py
    distortion  nats a photo
    """

    indices: NDArray[np.uint8]
    palette: NDArray[np.float16]
    affine: tuple[float, float] | None
    distortion: float


@dataclass(frozen=True)
class RoundedBias:
    """A bias in half precision, rounded to multiples of a power of two.

    values      float16 (outputs,)
    distortion  nats a photo
    """

    values: NDArray[np.float16]
    distortion: float


@dataclass(frozen=True)
class _Choice:
    coded: CodedBias | RoundedBias | None
    cost: float


def bias_worths(graph: Graph, statistics: Mapping[str, LayerStatistics]) -> dict[str, Floats]:
    """What a squared error of each output's bias costs, (outputs,), for biases that do nothing
    else and whose layers photos, or invented ones, were seen of.
    """
    worths: dict[str, Floats] = {}
    otherwise = set()
    for node in graph.nodes:
        for place, name in enumerate(node.inputs):
            layer = statistics.get(node.inputs[1]) if place == 2 else None
            if layer is None or node.op not in ("conv2d", "linear") or not layer.samples:
                otherwise.add(name)
                continue
            worths[name] = worths.get(name, 0.0) + 0.5 * BIAS_WORTH * layer.sensitivity
    return {name: worth for name, worth in worths.items() if name not in otherwise}


def code_bias(
    values: NDArray[np.float32],
    worth: Floats,
    *,
    lagrangian: float,
    among: int = 1,
    rounded: bool = False,
) -> CodedBias | RoundedBias | None:
    """Code a bias for the least loss + lagrangian x bits; None where half precision has it.

    values      float32 (outputs,), at least one, within half precision
    worth       (outputs,), not negative: nats a photo that a squared error of each costs
    lagrangian  above 0: nats a photo that a bit may cost
    among       biases that will share a plane with it, itself included
    rounded     whether multiples of a power of two are tried too. Not where biases will be trained:
                they would take more bytes afterwards
    """
    half = _distortion(values, nearest_half(values), worth)
    best = _Choice(None, half + lagrangian * _HALF_BITS * values.size)
    beside = _OWN_BITS + _PLANE_BITS / among
    for coded in (*_even(values, worth, lagrangian), *_free(values, worth, lagrangian)):
        cost = coded.distortion + lagrangian * (_bits(coded) + beside)
        if cost < best.cost:
            best = _Choice(coded, cost)
    for multiples, bits in _rounded(values, worth) if rounded else ():
        cost = multiples.distortion + lagrangian * (bits + _PLANE_BITS / among)
        if cost < best.cost:
            best = _Choice(multiples, cost)
    return best.coded


def _rounded(values: NDArray[np.float32], worth: Floats) -> Iterator[tuple[RoundedBias, float]]:
    """Multiples of powers of two, from fine to coarse, and the bits of their indices."""
    for exponent in range(-24, 1):
        places = np.rint(values.astype(np.float64) * 2.0**-exponent)
        if np.abs(places).max() >= _MOST_MULTIPLE:
            continue
        halves = (places * 2.0**exponent + 0.0).astype("<f2")
        high = (places.astype(np.int64) + _MOST_MULTIPLE) >> 8
        counts = np.unique(high, return_counts=True)[1]
        lengths = index_lengths(counts, least=_LEAST_LENGTH)
        bits = float((counts * lengths).sum()) + 8 * values.size + _STEP_BITS
        yield RoundedBias(halves, _distortion(values, halves, worth)), bits
        if len(counts) <= 2:
            break  # coarser ones save nothing


def _even(values: NDArray[np.float32], worth: Floats, lagrangian: float) -> Iterator[CodedBias]:
    """Levels at multiples of a step, from fine to coarse."""
    span = float(values.max()) - float(values.min())
    mean = float(worth.mean())
    ideal = float(np.sqrt(6 * lagrangian / (np.log(2) * mean))) if mean > 0 else span
    finest = span / (LARGEST_SIZE - 2)  # rounding at both ends may take a level more
    for factor in _STEPS:
        step = float(np.float32(factor * max(finest, min(ideal, span)))) or 1.0
        coded = _at_step(values, worth, step)
        if coded is not None:
            yield coded


def _at_step(values: NDArray[np.float32], worth: Floats, step: float) -> CodedBias | None:
    places = np.rint(values.astype(np.float64) / step)
    first = float(np.median(np.rint(places))) - MIDDLE
    first = float(np.floor(min(max(first, places.max() - (LARGEST_SIZE - 1)), places.min())))
    indices = places - first
    size = int(indices.max()) + 1
    offset = float(np.float32(first * step))
    if size > LARGEST_SIZE:
        return None
    try:
        palette = np.frombuffer(even_halves(offset, step, size), "<f2")
    except OverflowError:
        return None
    numbers = indices.astype(np.uint8)
    return CodedBias(numbers, palette, (offset, step), _distortion(values, palette[numbers], worth))


def _free(values: NDArray[np.float32], worth: Floats, lagrangian: float) -> Iterator[CodedBias]:
    """Levels wherever they serve best, where there are more biases than levels need to pay."""
    if values.size <= LARGEST_SIZE // 4:
        return
    fit = fit_rate_distortion(
        values, importance=worth, lagrangian=lagrangian, most_levels=LARGEST_SIZE
    )
    levels = fit.values.astype(np.float64)
    loss = worth[:, None] * (values.astype(np.float64)[:, None] - levels) ** 2
    chosen = (loss + lagrangian * fit.lengths_bits).argmin(1)
    halves = fit.values[chosen].astype(np.float16) + np.float16(0.0)  # never -0
    palette, indices = np.unique(halves, return_inverse=True)
    yield CodedBias(
        indices.astype(np.uint8), palette, None, _distortion(values, palette[indices], worth)
    )


def _bits(coded: CodedBias) -> float:
    counts = np.bincount(coded.indices)
    lengths = index_lengths(np.maximum(counts, 1), least=_LEAST_LENGTH)
    palette = AFFINE_BITS if coded.affine else LEVEL_BITS * len(coded.palette)
    return float((counts * lengths).sum()) + palette


def _distortion(values: NDArray[np.float32], coded: NDArray[np.float16], worth: Floats) -> float:
    errors = values.astype(np.float64) - coded.astype(np.float64)
    return float((worth * errors * errors).sum())
