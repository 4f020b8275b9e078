"""Rows of the tables back to the contents of a lens.

Rows have the types of their columns (the reader saw to that) and nothing more can be trusted:
JSON may be anything, numbers may not count. What the values mean is judged by `check`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from pocketlens.base.errors import LensFileError
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import (
    Band,
    LensContents,
    Plane,
    Provenance,
    Receipt,
    TensorRecord,
)
from pocketlens.lensfile.schema import Rows

MOST_PATH = 64
"""Most branches above a label; WordNet is less than 20 deep."""

# Rows come as tuples of the columns' types; Any spares a cast for every column.
AnyRow = tuple[Any, ...]


def assemble(rows: Rows) -> LensContents:
    """Put the contents together. Raises LensFileError 'lens-bad-row'."""
    name, handed_in, input_shape, handed_out, *provenance = _only(rows, "lens")
    tensors = _tensors(rows)
    shapes = {handed_in: _shape("lens", 0, input_shape)}
    return LensContents(
        name=name,
        graph=Graph((handed_in,), (handed_out,), _nodes(rows, shapes, tensors), shapes),
        tensors=tensors,
        labels=_labels(rows),
        recipe=_recipe(_only(rows, "recipe")),
        provenance=Provenance(*provenance),
        receipts=tuple(_receipt(row) for row in _counted(rows, "receipts")),
    )


def _bad(table: str, number: int, what: str) -> NoReturn:
    raise LensFileError(
        f"Row {number} of its table '{table}' {what}. Copy the lens again, or make it again "
        "from the model.",
        slug="lens-bad-row",
    )


def _only(rows: Rows, table: str) -> AnyRow:
    if len(rows[table]) != 1:
        _bad(table, 0, f"should be the only one; there are {len(rows[table])}")
    return rows[table][0]


def _counted(rows: Rows, table: str) -> list[AnyRow]:
    """Rows whose first column counts from 0."""
    for expected, row in enumerate(rows[table]):
        if row[0] != expected:
            _bad(table, expected, f"has the number {row[0]!r}; numbers count from 0")
    return list(rows[table])


def _json(table: str, number: int, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # ValueError also for a number of too many digits
        _bad(table, number, "holds text that is not JSON")


def _names(table: str, number: int, text: str) -> tuple[str, ...]:
    value = _json(table, number, text)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        _bad(table, number, "should hold a JSON list of names")
    return tuple(value)


def _whole_numbers(table: str, number: int, value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        _bad(table, number, "should hold a JSON list of whole numbers")
    return tuple(value)


def _shape(table: str, number: int, text: str) -> Shape:
    return _whole_numbers(table, number, _json(table, number, text))


def _reals(table: str, number: int, text: str) -> tuple[float, ...]:
    value = _json(table, number, text)
    if not isinstance(value, list) or not all(type(item) is float for item in value):
        _bad(table, number, "should hold a JSON list of numbers with a decimal point")
    return tuple(value)


def _attributes(number: int, text: str) -> dict[str, AttributeValue]:
    value = _json("nodes", number, text)
    if not isinstance(value, dict):
        _bad("nodes", number, "should hold its attributes as a JSON object")
    attributes: dict[str, AttributeValue] = {}
    for name, item in value.items():
        if isinstance(item, list):
            attributes[name] = _whole_numbers("nodes", number, item)
        elif type(item) in (int, float, str):
            attributes[name] = item
        else:
            _bad("nodes", number, "has an attribute that is no number, text or list of numbers")
    return attributes


def _nodes(
    rows: Rows, shapes: dict[str, Shape], tensors: tuple[TensorRecord, ...]
) -> tuple[Node, ...]:
    """The nodes; the shapes of what they make and of the tensors are added to `shapes`."""
    nodes = []
    for number, op, name, inputs, output, shape, attributes in _counted(rows, "nodes"):
        if output in shapes:
            _bad("nodes", number, "makes an array that stands there already")
        shapes[output] = _shape("nodes", number, shape)
        read = _names("nodes", number, inputs)
        nodes.append(Node(op, name, read, output, _attributes(number, attributes)))
    for number, tensor in enumerate(tensors):
        if tensor.name in shapes:
            _bad("tensors", number, "has the name of an array or of another tensor")
        shapes[tensor.name] = tensor.shape
    return tuple(nodes)


def _labels(rows: Rows) -> tuple[Label, ...]:
    paths: list[tuple[str, ...]] = []
    for number, parent, name in _counted(rows, "branches"):
        if parent is not None and not 0 <= parent < number:
            _bad("branches", number, f"has the parent {parent}; a parent comes before its children")
        path = () if parent is None else paths[parent]
        if len(path) >= MOST_PATH:
            _bad("branches", number, f"lies below {MOST_PATH} others; no path is that long")
        paths.append((*path, name))
    labels = []
    for number, name, wnid, branch in _counted(rows, "labels"):
        if branch is not None and not 0 <= branch < len(paths):
            _bad("labels", number, f"hangs from branch {branch}; there are {len(paths)}")
        if wnid is not None and not 0 <= wnid < 10**8:
            _bad("labels", number, f"has the WordNet id {wnid}; ids have 8 digits")
        text = "" if wnid is None else f"n{wnid:08d}"
        labels.append(Label(name, text, () if branch is None else paths[branch]))
    return tuple(labels)


def _recipe(row: AnyRow) -> Recipe:
    resize, resize_height, resize_width, filter_name, height, width, channels, mean, scale = row
    return Recipe(
        resize=resize,
        resize_height=resize_height,
        resize_width=resize_width,
        filter=filter_name,
        height=height,
        width=width,
        channels=channels,
        mean=_reals("recipe", 0, mean),
        scale=_reals("recipe", 0, scale),
    )


def _tensors(rows: Rows) -> tuple[TensorRecord, ...]:
    records = _counted(rows, "tensors")
    bands = _grouped(rows, "planes", len(records))
    parts = _grouped(rows, "numbers", len(records))
    return tuple(_tensor(row, bands[number], parts[number]) for number, row in enumerate(records))


def _tensor(row: AnyRow, bands: Sequence[AnyRow], parts: Sequence[AnyRow]) -> TensorRecord:
    number, name, shape_text, fate, reason, error, *of_palette = row
    shape = _shape("tensors", number, shape_text)
    data = b"".join(part for (part,) in parts)
    if fate != "palette":
        if bands or of_palette != [None] * 4:
            _bad("tensors", number, f"has the fate {fate!r:.20} and yet a palette or a plane")
        return TensorRecord(name, shape, fate, reason, values=data, error=error)
    if None in of_palette:
        _bad("tensors", number, "has the fate 'palette' and lacks a number about it")
    palette_size, group_rows, index_bits, width = of_palette
    return TensorRecord(
        name,
        shape,
        fate,
        reason,
        palette_size=palette_size,
        group_rows=group_rows,
        palettes=data,
        plane=Plane(width, index_bits, tuple(Band(height, png) for height, png in bands)),
        error=error,
    )


def _grouped(rows: Rows, table: str, tensors: int) -> list[list[AnyRow]]:
    """Rows of planes or numbers by tensor: bands and parts count from 0, tensors go up."""
    groups: list[list[AnyRow]] = [[] for _ in range(tensors)]
    last = 0
    for number, tensor, position, *rest in _counted(rows, table):
        if not last <= tensor < tensors:
            _bad(table, number, f"belongs to tensor {tensor}, which is out of order or missing")
        if position != len(groups[tensor]):
            _bad(table, number, f"has the place {position}; {len(groups[tensor])} is next")
        groups[tensor].append(tuple(rest))
        last = tensor
    return groups


def _receipt(row: AnyRow) -> Receipt:
    number, dataset, dataset_sha256, photos, crops, *rest = row
    top1, top1_low, top1_high, top5, top5_low, top5_high, against, *rest = rest
    difference, low, high, flips, engine, version = rest
    return Receipt(
        dataset=dataset,
        dataset_sha256=dataset_sha256,
        n=photos,
        crops=crops,
        top1_missing=top1,
        top1_interval=(top1_low, top1_high),
        top5_missing=top5,
        top5_interval=_interval(number, top5_low, top5_high),
        against=against,
        difference=difference,
        difference_interval=_interval(number, low, high),
        flips=flips,
        engine=engine,
        version=version,
    )


def _interval(number: int, low: float | None, high: float | None) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        _bad("receipts", number, "has one end of an interval and lacks the other")
    return low, high
