"""Where lines, bars and labels of a chart stand; templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from pocketlens.report.distribution import Distribution

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, TICK_HEIGHT = 320, 84, 9
CURVE_WIDTH, CURVE_HEIGHT = 760, 350
LEFT, RIGHT, TOP, BOTTOM = 52, 24, 30, 44
PEAK, BINS_OF_A_PEAK = 4.0, 5
"""A few bins that are so many times higher than the next one are cut: pruned weights, mostly."""

LETTER_WIDTH, LETTER_HEIGHT = 6.4, 13


@dataclass(frozen=True)
class Histogram:
    """An SVG path of the shape, one of the palette's ticks below it, and where 0 is.

    is_cut  whether a peak goes on above the box, so that the rest can be seen
    """

    shape: str
    ticks: str
    zero_x: float | None
    is_cut: bool


def histogram(spread: Distribution) -> Histogram:
    """A histogram's paths in a box of HISTOGRAM_WIDTH x (HISTOGRAM_HEIGHT + TICK_HEIGHT)."""
    rising = np.sort(spread.counts)
    most = min(float(rising[-1]), PEAK * float(rising[-BINS_OF_A_PEAK])) or float(rising[-1])
    width = HISTOGRAM_WIDTH / len(spread.counts)
    steps = "".join(
        f"V{HISTOGRAM_HEIGHT * max(1 - count / most, 0):.1f}H{(number + 1) * width:.1f}"
        for number, count in enumerate(spread.counts)
    )
    span = spread.high - spread.low

    def x_of(value: float) -> float:
        return HISTOGRAM_WIDTH * (value - spread.low) / span

    places = np.unique(np.round([2 * x_of(float(v)) for v in spread.values])) / 2
    ticks = "".join(f"M{x:g} {HISTOGRAM_HEIGHT + 2}v{TICK_HEIGHT - 2}" for x in places)
    zero_x = x_of(0.0) if spread.low < 0.0 < spread.high else None
    return Histogram(
        f"M0 {HISTOGRAM_HEIGHT}{steps}V{HISTOGRAM_HEIGHT}Z",
        ticks,
        zero_x,
        most < max(spread.counts.tolist()),
    )


@dataclass(frozen=True)
class CurvePoint:
    """A dot of the size / missing-rate curve, before it has a place.

    anchor  of the table's row that it comes from
    """

    name: str
    anchor: str
    size_bytes: float
    percent: float
    interval: tuple[float, float]
    marked: bool = False


@dataclass(frozen=True)
class Dot:
    """A point in its place, with its whisker and its label.

    label_anchor  "start" or "end" of the text; "" where there is no room for one
    """

    point: CurvePoint
    x: float
    y: float
    low_y: float
    high_y: float
    label_x: float
    label_y: float
    label_anchor: str


@dataclass(frozen=True)
class Axis:
    """A line of the grid and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """Everything of the size / missing-rate curve.

    front     path through the points that nothing beats in both
    band      top and height of the float network's interval; None if it is not there
    """

    dots: tuple[Dot, ...]
    front: str
    band: tuple[float, float] | None
    columns: tuple[Axis, ...]
    lines: tuple[Axis, ...]


def curve(points: Sequence[CurvePoint], *, float_interval: tuple[float, float] | None) -> Curve:
    """Lay the curve out: bytes to the right (logarithmic), missing rate upwards."""
    x_ends = _padded_log([point.size_bytes for point in points])
    spread = [end for point in points for end in point.interval]
    y_ends = max(0.0, min(spread) - 1), min(100.0, max(spread) + 1)

    def x_of(size: float) -> float:
        part = (math.log(size) - x_ends[0]) / (x_ends[1] - x_ends[0])
        return LEFT + part * (CURVE_WIDTH - LEFT - RIGHT)

    def y_of(percent: float) -> float:
        part = (percent - y_ends[0]) / (y_ends[1] - y_ends[0])
        return CURVE_HEIGHT - BOTTOM - part * (CURVE_HEIGHT - TOP - BOTTOM)

    band = None
    if float_interval is not None:
        band = y_of(float_interval[1]), y_of(float_interval[0]) - y_of(float_interval[1])
    places = [(x_of(p.size_bytes), y_of(p.percent)) for p in points]
    front = _front(points, places)
    dots = _labelled(
        [
            Dot(point, x, y, y_of(point.interval[0]), y_of(point.interval[1]), x, y, "start")
            for point, (x, y) in zip(points, places, strict=True)
        ],
        front,
    )
    return Curve(
        dots,
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in front),
        band,
        tuple(Axis(x_of(size), text) for size, text in _sizes(*x_ends)),
        tuple(Axis(y_of(percent), f"{percent:g}") for percent in _round_numbers(*y_ends)),
    )


def _padded_log(sizes: Sequence[float]) -> tuple[float, float]:
    low, high = math.log(min(sizes)), math.log(max(sizes))
    room = max(0.06 * (high - low), 0.05)
    return low - room, high + room


Place = tuple[float, float]


def _front(points: Sequence[CurvePoint], places: Sequence[Place]) -> list[Place]:
    """Places of the points with no smaller file that misses as little, smallest first."""
    order = sorted(range(len(points)), key=lambda i: (points[i].size_bytes, points[i].percent))
    best, kept = math.inf, []
    for i in order:
        if points[i].percent < best:
            best = points[i].percent
            kept.append(places[i])
    return kept


def _along(path: Sequence[Place]) -> list[Place]:
    """Places on a path, some pixels apart."""
    found = []
    for (x, y), (next_x, next_y) in pairwise(path):
        steps = max(int(math.hypot(next_x - x, next_y - y) / 6), 1)
        found += [
            (x + (next_x - x) * n / steps, y + (next_y - y) * n / steps) for n in range(steps)
        ]
    return found


def _labelled(dots: Sequence[Dot], path: Sequence[Place]) -> tuple[Dot, ...]:
    """Put each label near its dot where it covers no dot, path or other label, or leave it out."""
    taken = [(dot.x - 5, dot.y - 5, dot.x + 5, dot.y + 5) for dot in dots]
    taken += [(dot.x - 1, dot.high_y, dot.x + 1, dot.low_y) for dot in dots]
    taken += [(x - 1, y - 1, x + 1, y + 1) for x, y in _along(path)]
    placed = []
    for dot in sorted(dots, key=lambda dot: dot.x):
        width = LETTER_WIDTH * len(dot.point.name)
        options = [
            (dot.x + side * 8, dot.y + down, "start" if side > 0 else "end")
            for down in (-8, 17, 4, -20, 29)
            for side in (1, -1)
        ]
        boxes = [_box(x, y, anchor, width) for x, y, anchor in options]
        free = [i for i, box in enumerate(boxes) if _inside(box) and not _covers(box, taken)]
        if not free:
            placed.append(replace(dot, label_anchor=""))
            continue
        taken.append(boxes[free[0]])
        x, y, anchor = options[free[0]]
        placed.append(replace(dot, label_x=x, label_y=y, label_anchor=anchor))
    return tuple(placed)


Box = tuple[float, float, float, float]


def _box(x: float, y: float, anchor: str, width: float) -> Box:
    left = x if anchor == "start" else x - width
    return left, y - LETTER_HEIGHT + 2, left + width, y + 2


def _inside(box: Box) -> bool:
    return (
        box[0] >= LEFT and box[2] <= CURVE_WIDTH and box[1] >= 0 and box[3] <= CURVE_HEIGHT - BOTTOM
    )


def _covers(box: Box, others: Sequence[Box]) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in others
    )


def _sizes(low: float, high: float) -> list[tuple[float, str]]:
    """1, 2, 5 times powers of ten inside exp(low) to exp(high), in words."""
    found = []
    for power in range(1, 12):
        for digit in (1, 2, 5):
            size = digit * 10**power
            if low <= math.log(size) <= high:
                found.append((float(size), _size_words(size)))
    return found


def _size_words(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:g} {name}"
    return f"{size} B"


def _round_numbers(low: float, high: float) -> list[float]:
    """About six round numbers from low to high."""
    rough = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough)
    first = math.ceil(low / step)
    return [round(n * step, 6) for n in range(first, math.floor(high / step) + 1)]
