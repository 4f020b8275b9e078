"""Which sizes a sweep tries: the widths, the mix of 2014, and what is added by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pocketlens.base.errors import UsageError
from pocketlens.compression.budget import parse_size
from pocketlens.compression.overrides import Override
from pocketlens.compression.price import Price
from pocketlens.compression.settings import FLOAT_BITS, Settings
from pocketlens.graph.graph import Graph
from pocketlens.graph.shapes import weight_names

WIDTHS_BITS = (FLOAT_BITS, 16, 8, 6, 4, 3, 2)
MIX = "mix 8/4 of 2014"
"""AlexNet's in 2014: fc6, the first full connect layer and the largest, at 4 bits, others at 8."""


@dataclass(frozen=True)
class Point:
    """One way to compress the network.

    name      for people, and of its lens file: "4 bits"
    settings  of the compression
    price     if it is by rate and distortion; of the settings only `crush` counts then
    """

    name: str
    settings: Settings
    price: Price | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What its lens says of how it was made."""
        asked = self.settings if self.price is None else self.price
        values: dict[str, Any] = json.loads(asked.to_json())
        return values

    @property
    def identity(self) -> str:
        """All that tells it from other points of a sweep, as JSON text."""
        return json.dumps([self.told, self.settings.crush], sort_keys=True)

    @property
    def lens(self) -> str:
        """Name of its lens file."""
        return re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-") + ".lens"


@dataclass(frozen=True)
class LeftOut:
    """A row that this network cannot have, and why."""

    name: str
    reason: str


def float_point(crush: int | None) -> Point:
    """What everything is compared with."""
    return Point(f"{FLOAT_BITS} bits", Settings(bits=FLOAT_BITS, crush=crush))


def usual_points(graph: Graph, *, crush: int | None) -> tuple[list[Point], list[LeftOut]]:
    """The widths and the mix of 2014, for this network."""
    points = [Point(f"{bits} bits", Settings(bits=bits, crush=crush)) for bits in WIDTHS_BITS]
    first = first_full_connect(graph)
    if first is None:
        reason = "the network has no full connect layer: all of its weights are convolutions"
        return points, [LeftOut(MIX, reason)]
    mix = Settings(bits=8, crush=crush, overrides=(Override(first, 4),))
    points.insert(points.index(Point("6 bits", Settings(bits=6, crush=crush))), Point(MIX, mix))
    return points, []


def first_full_connect(graph: Graph) -> str | None:
    """Name of the weights of the first full connect layer, in the order of the graph."""
    weights = weight_names(graph)
    names = (node.inputs[1] for node in graph.nodes if node.op == "linear")
    return next((name for name in names if name in weights), None)


def points_by_hand(
    *,
    bits: Sequence[int] = (),
    group_rows: Sequence[int] = (),
    recipes: Iterable[tuple[str, tuple[Override, ...]]] = (),
    lagrangians: Sequence[float] = (),
    sizes: Sequence[str] = (),
    photos: Path | None = None,
    crush: int | None,
) -> list[Point]:
    """Rows asked for one by one.

    bits        widths
    group_rows  of each width, one row a number of outputs that share a palette; none: one palette
                a tensor
    recipes     name and overrides of recipe files, over 8 bits
    lagrangians points by rate and distortion, at these prices of a bit in nats a photo
    sizes       the same, as large as a file may be: "350kB"
    photos      unlabelled ones for these
    Raises UsageError 'bad-bits', 'bad-group-rows', 'group-rows-alone', 'bad-size', 'one-price'.
    """
    if group_rows and not bits:
        raise UsageError(
            "Groups of outputs were asked for, but not for which width. Say it too: "
            f"--bits 4 --group-rows {group_rows[0]}.",
            slug="group-rows-alone",
        )
    points = []
    for width in bits:
        plain = Settings(bits=width, crush=crush)
        if not group_rows:
            points.append(Point(f"{width} bits", plain))
        for rows in group_rows:
            name = f"{width} bits, groups of {rows}"
            points.append(Point(name, replace(plain, group_rows=rows)))
    for name, overrides in recipes:
        points.append(Point(name, Settings(crush=crush, overrides=overrides)))
    plain = Settings(crush=crush)
    for lagrangian in lagrangians:
        price = Price(lagrangian=lagrangian, photos=photos)
        points.append(Point(f"price {lagrangian:g}", plain, price))
    for size in sizes:
        price = Price(size_bytes=parse_size(size), photos=photos)
        points.append(Point(f"at most {size}", plain, price))
    return points


def without_repeats(points: Iterable[Point]) -> list[Point]:
    """Each settings once, each lens file name once; the float network first."""
    kept: dict[str, Point] = {}
    files: set[str] = set()
    for point in points:
        if point.identity in kept:
            continue
        number, named = 2, point
        while named.lens in files:
            named = replace(point, name=f"{point.name} ({number})")
            number += 1
        files.add(named.lens)
        kept[named.identity] = named
    return list(kept.values())
