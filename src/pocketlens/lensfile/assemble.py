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
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.contents import (
    Band,
    LensContents,
    Plane,
    Provenance,
    Receipt,
    TensorRecord,
)
from pocketlens.lensfile.neutral import with_neutral
from pocketlens.lensfile.rules import MOST_CLASSES, MOST_PATH, product
from pocketlens.lensfile.schema import Rows

# Rows come as tuples of the columns' types; Any spares a cast for every column.
AnyRow = tuple[Any, ...]


def assemble(rows: Rows) -> LensContents:
    """Put the contents together. Raises LensFileError 'lens-bad-row'."""
    name, handed_in, input_shape, handed_out, *provenance, _ = _only(rows, "lens")
    tensors = _tensors(rows)
    shapes = {handed_in: _shape("lens", 0, input_shape)}
    return LensContents(
        name=name,
        graph=Graph((handed_in,), (handed_out,), _nodes(rows, shapes, tensors), shapes),
        tensors=tensors,
        labels=_labels(rows) or _numbered_labels(shapes.get(handed_out, ())),
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
        full = with_neutral(op, _attributes(number, attributes))
        nodes.append(Node(op, name, read, output, full))
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


def _numbered_labels(scores: Shape) -> tuple[Label, ...]:
    classes = product(scores)
    if classes is None or classes > MOST_CLASSES:
        _bad("labels", 0, "is missing, and the number of classes cannot be told")
    return numbered(classes)


def _recipe(row: AnyRow) -> Recipe:
    resize, resize_height, resize_width, filter_name, height, width, channels, *rest = row
    mean, scale, mean_picture = rest
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
        mean_picture=mean_picture,
    )


def _tensors(rows: Rows) -> tuple[TensorRecord, ...]:
    records = _counted(rows, "tensors")
    bands = _bands(rows, len(records))
    run = b"".join(data for _, data in _counted(rows, "numbers"))
    tensors, end = [], 0
    for row in records:
        start, end = end, end + _number_bytes(row)
        if end > len(run):
            _bad("tensors", row[0], f"needs numbers up to byte {end:,}; {len(run):,} are there")
        tensors.append(_tensor(row, bands[row[0]], run[start:end]))
    if end != len(run):
        _bad("numbers", 0, f"begins a run of {len(run):,} bytes; its tensors need {end:,}")
    return tuple(tensors)


def _number_bytes(row: AnyRow) -> int:
    """Bytes that a tensor has in the run of numbers."""
    number, _, shape_text, fate, _, _, palette_size, group_rows, _, _ = row
    shape = _shape("tensors", number, shape_text)
    count = product(shape)
    if count is None:
        _bad("tensors", number, "has a shape that no tensor has")
    if fate != "palette":
        return count * (4 if fate == "float" else 2)
    if palette_size is None or not group_rows or min(palette_size, group_rows) < 1 or not shape:
        _bad("tensors", number, "has the fate 'palette' and lacks one")
    groups: int = -(-shape[0] // group_rows)
    return groups * int(palette_size) * 2


def _tensor(row: AnyRow, bands: Sequence[Band], numbers: bytes) -> TensorRecord:
    number, name, shape_text, fate, reason, error, *of_palette = row
    shape = _shape("tensors", number, shape_text)
    if fate != "palette":
        if bands or of_palette != [None] * 4:
            _bad("tensors", number, f"has the fate {fate!r:.20} and yet a palette or a plane")
        return TensorRecord(name, shape, fate, reason, values=numbers, error=error)
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
        palettes=numbers,
        plane=Plane(width, index_bits, tuple(bands)),
        error=error,
    )


def _bands(rows: Rows, tensors: int) -> list[list[Band]]:
    """Bands by tensor: they count from 0, tensors go up."""
    bands: list[list[Band]] = [[] for _ in range(tensors)]
    last = 0
    for number, tensor, position, height, png in _counted(rows, "planes"):
        if not last <= tensor < tensors:
            _bad("planes", number, f"belongs to tensor {tensor}, which is out of order or missing")
        if position != len(bands[tensor]):
            _bad("planes", number, f"is band {position}; band {len(bands[tensor])} is next")
        bands[tensor].append(Band(height, png))
        last = tensor
    return bands


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
