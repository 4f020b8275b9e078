"""Contents of a lens to the rows of its tables. `assemble` is the way back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from pocketlens.graph.graph import Graph, Node
from pocketlens.images.recipe import Recipe
from pocketlens.labels.labels import Label, numbered
from pocketlens.lensfile.contents import LensContents, Receipt, TensorRecord
from pocketlens.lensfile.neutral import without_neutral
from pocketlens.lensfile.schema import NO_SEAL, Row, Rows
from pocketlens.planes.plane import MOST_BAND_BYTES

PART_BYTES = MOST_BAND_BYTES
"""Blobs are cut so that SQLite's limit on a row's length can stay low when reading."""


def to_rows(contents: LensContents) -> Rows:
    """The rows of every table, not sealed yet. The contents have been checked."""
    labels, branches = _labels(contents.labels)
    return {
        "lens": [_lens(contents)],
        "recipe": [_recipe(contents.recipe)],
        "labels": labels,
        "branches": branches,
        "nodes": _numbered(_node(node, contents.graph) for node in contents.graph.nodes),
        "tensors": _numbered(map(_tensor, contents.tensors)),
        "planes": _numbered(_planes(contents.tensors)),
        "numbers": _numbered(_numbers(contents.tensors)),
        "receipts": _numbered(map(_receipt, contents.receipts)),
    }


def _numbered(rows: Iterable[Row]) -> list[Row]:
    return [(number, *row) for number, row in enumerate(rows)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _real(value: float) -> float:
    """A float that SQLite gives back as it is: SQLite may lose the sign of -0.0."""
    return float(value) + 0.0


def _real_or_none(value: float | None) -> float | None:
    return None if value is None else _real(value)


def _lens(contents: LensContents) -> Row:
    graph, provenance = contents.graph, contents.provenance
    return (
        contents.name,
        graph.inputs[0],
        _json(graph.shapes[graph.inputs[0]]),
        graph.outputs[0],
        provenance.source_name,
        provenance.source_sha256,
        provenance.licence,
        provenance.made_by,
        provenance.settings,
        NO_SEAL,
    )


def _recipe(recipe: Recipe) -> Row:
    return (
        recipe.resize,
        recipe.resize_height,
        recipe.resize_width,
        recipe.filter,
        recipe.height,
        recipe.width,
        recipe.channels,
        _json([float(value) for value in recipe.mean]),
        _json([float(value) for value in recipe.scale]),
        recipe.mean_picture,
    )


def _labels(labels: tuple[Label, ...]) -> tuple[list[Row], list[Row]]:
    """Rows of labels and of the tree that their paths form, branches in order of first use."""
    if labels == numbered(len(labels)):
        return [], []
    branches: dict[tuple[str, ...], int] = {}
    branch_rows: list[Row] = []
    label_rows: list[Row] = []
    for number, label in enumerate(labels):
        parent: int | None = None
        for depth, name in enumerate(label.path, 1):
            path = label.path[:depth]
            if path not in branches:
                branches[path] = len(branches)
                branch_rows.append((branches[path], parent, name))
            parent = branches[path]
        wnid = int(label.wnid[1:]) if label.wnid else None
        label_rows.append((number, label.name, wnid, parent))
    return label_rows, branch_rows


def _node(node: Node, graph: Graph) -> Row:
    attributes = without_neutral(node.op, node.attributes)
    shape = graph.shapes[node.output]
    return node.op, node.name, _json(node.inputs), node.output, _json(shape), _json(attributes)


def _tensor(tensor: TensorRecord) -> Row:
    head = tensor.name, _json(tensor.shape), tensor.fate, tensor.reason, _real(tensor.error)
    if tensor.plane is None:
        return *head, None, None, None, None
    plane = tensor.plane
    return *head, tensor.palette_size, tensor.group_rows, plane.index_bits, plane.width


def _planes(tensors: tuple[TensorRecord, ...]) -> Iterator[Row]:
    for number, tensor in enumerate(tensors):
        if tensor.plane is not None:
            for position, band in enumerate(tensor.plane.bands):
                yield number, position, band.rows, band.png


def _numbers(tensors: tuple[TensorRecord, ...]) -> Iterator[Row]:
    run = b"".join(tensor.palettes or tensor.values for tensor in tensors)
    for start in range(0, len(run), PART_BYTES):
        yield (run[start : start + PART_BYTES],)


def _receipt(receipt: Receipt) -> Row:
    return (
        receipt.dataset,
        receipt.dataset_sha256,
        receipt.n,
        receipt.crops,
        _real(receipt.top1_missing),
        *_interval(receipt.top1_interval),
        _real_or_none(receipt.top5_missing),
        *_interval(receipt.top5_interval),
        receipt.against,
        _real_or_none(receipt.difference),
        *_interval(receipt.difference_interval),
        receipt.flips,
        receipt.engine,
        receipt.version,
    )


def _interval(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (_real(interval[0]), _real(interval[1]))
