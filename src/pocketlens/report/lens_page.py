"""The page about one lens: what it holds, why, what it costs, and which layer hurts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pocketlens.images.recipe import describe
from pocketlens.images.views import views_count
from pocketlens.lensfile.contents import LensContents, Receipt, TensorRecord
from pocketlens.report.charts import (
    BOTTOM,
    CURVE_HEIGHT,
    CURVE_WIDTH,
    HISTOGRAM_HEIGHT,
    HISTOGRAM_WIDTH,
    LEFT,
    RIGHT,
    TICK_HEIGHT,
    TOP,
    Curve,
    CurvePoint,
    Histogram,
    curve,
    histogram,
)
from pocketlens.report.distribution import Distribution, distribution_of
from pocketlens.report.losses import Losses
from pocketlens.report.pages import png_uri, render
from pocketlens.report.plane_picture import plane_picture
from pocketlens.sweep.bench import recipe_sha256
from pocketlens.sweep.table import Row

PICTURE_ROWS, PICTURE_COLUMNS = 64, 160
MOST_BARS = 20
NEAR_POINTS = 5.0
"""Rows that miss at most so much more than the float network get a curve of their own."""


@dataclass(frozen=True)
class TensorCard:
    """A tensor with a palette: its row, its spread, its plane as a picture."""

    row: dict[str, Any]
    anchor: str
    spread: Distribution
    chart: Histogram
    picture: str


@dataclass(frozen=True)
class HurtBar:
    """One bar of a ranking, its length in percent of the longest."""

    row: dict[str, Any]
    anchor: str
    length: float


@dataclass(frozen=True)
class SweepRow:
    """A row of the table, where it stands in the page, and whether it is this lens."""

    row: Row
    anchor: str
    is_this: bool


def lens_page(
    contents: LensContents,
    *,
    file_bytes: int,
    layers: Sequence[dict[str, Any]],
    memory: dict[str, int],
    losses: Losses | None = None,
    sweep: Sequence[Row] = (),
    left_out: Sequence[Any] = (),
) -> str:
    """HTML text.

    layers    as `inspect --json` gives its tensors, in the order of the network
    memory    of the engine, bytes
    losses    how the layers' losses are known; None: they are not
    sweep     rows about the same original, as sweep.table gives them
    left_out  rows that it cannot have, with `name` and `reason`
    """
    anchors = {row["name"]: f"tensor-{number}" for number, row in enumerate(layers)}
    table = _sweep_rows(contents, sweep)
    planes = sum(row["bytes"] for row in layers)
    return render(
        "lens.html.jinja",
        {
            "lens": contents,
            "file_bytes": file_bytes,
            "layers": layers,
            "anchors": anchors,
            "memory": memory,
            "described": describe(contents.recipe),
            "settings": json.loads(contents.provenance.settings or "{}"),
            "receipt": _best_receipt(contents),
            "tensor_bytes": planes,
            "losses": losses,
            "by_loss": _ranked(layers, anchors, "loss"),
            "by_error": _ranked(layers, anchors, "error"),
            "by_bytes": _ranked(layers, anchors, "bytes"),
            "cards": _cards(contents, layers, anchors),
            "sweep": table,
            "swept": next((each for each in table if each.is_this), None),
            "left_out": left_out,
            "curves": _curves(table),
            "box": {
                "width": CURVE_WIDTH, "height": CURVE_HEIGHT, "left": LEFT, "right": RIGHT,
                "top": TOP, "bottom": BOTTOM, "histogram_width": HISTOGRAM_WIDTH,
                "histogram_height": HISTOGRAM_HEIGHT, "tick_height": TICK_HEIGHT,
            },
        },
    )  # fmt: skip


def _best_receipt(contents: LensContents) -> tuple[int, Receipt] | None:
    """The receipt of most photos and fewest crops, and its number in the page."""
    numbered = list(enumerate(contents.receipts, 1))
    return max(numbered, key=lambda pair: (pair[1].n, -views_count(pair[1].crops)), default=None)


def _ranked(
    layers: Sequence[dict[str, Any]], anchors: dict[str, str], what: str
) -> tuple[HurtBar, ...]:
    known = [row for row in layers if row[what] is not None and row[what] > 0]
    known.sort(key=lambda row: -row[what])
    return tuple(
        HurtBar(row, anchors[row["name"]], 100 * row[what] / known[0][what])
        for row in known[:MOST_BARS]
    )


def _cards(
    contents: LensContents, layers: Sequence[dict[str, Any]], anchors: dict[str, str]
) -> list[TensorCard]:
    return [
        _card(record, row, anchors[record.name])
        for record, row in zip(contents.tensors, layers, strict=True)
        if record.plane is not None
    ]


def _card(record: TensorRecord, row: dict[str, Any], anchor: str) -> TensorCard:
    spread = distribution_of(record)
    picture = png_uri(plane_picture(record, rows=PICTURE_ROWS, columns=PICTURE_COLUMNS))
    return TensorCard(row, anchor, spread, histogram(spread), picture)


def _sweep_rows(contents: LensContents, rows: Sequence[Row]) -> tuple[SweepRow, ...]:
    own = json.loads(contents.provenance.settings or "{}")
    recipe = recipe_sha256(contents.recipe)
    return tuple(
        SweepRow(
            row,
            f"row-{row.entry.key[:12]}",
            (own, recipe) == (row.entry.settings, row.entry.recipe_sha256),
        )
        for row in rows
    )


def _curves(table: Sequence[SweepRow]) -> list[tuple[str, Curve]]:
    """The curve of all rows; and, where some collapse, that of the rows near the float network."""
    points = _curve_points(table)
    floats = [each.row.entry.measurement for each in table if each.row.is_float]
    if len({point.size_bytes for point in points}) < 2:
        return []
    if not floats:
        return [("", curve(points, float_interval=None))]
    interval = floats[0].top1_interval
    whole = curve(points, float_interval=interval)
    near = [point for point in points if point.percent <= interval[1] + NEAR_POINTS]
    if len(near) == len(points) or len({point.size_bytes for point in near}) < 2:
        return [("", whole)]
    return [("", whole), ("Near the float network", curve(near, float_interval=interval))]


def _curve_points(table: Sequence[SweepRow]) -> list[CurvePoint]:
    return [
        CurvePoint(
            each.row.entry.name,
            each.anchor,
            each.row.entry.file_bytes,
            each.row.entry.measurement.top1_missing,
            each.row.entry.measurement.top1_interval,
            each.is_this,
        )
        for each in table
    ]
