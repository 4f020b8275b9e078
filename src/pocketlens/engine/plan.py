"""From a lens to a plan: the flat bytes that the core runs (docs/format/plan.md).

The order of attributes is that of graph/ops.py and of nothing else. Palette indices are not in a
plan; engine/core.py hands them to the core, plane by plane and band by band.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from pocketlens.base.errors import EngineError
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.graph.ops import MAX_RANK, OPS, Attribute
from pocketlens.lensfile.contents import LensContents, Plane, TensorRecord
from pocketlens.lensfile.plane_uses import PlaneUse, plane_uses

MAGIC = b"PLENSPLN"
VERSION = 2
HEADER_BYTES = 72
ALIGNMENT = 8
ABSENT = 0xFFFFFFFF
TENSOR_BIT = 0x80000000
NO_MASK = 0xFFFFFFFF
TENSOR_BYTES = 72
KINDS = {"float": 0, "half": 1, "palette": 2}
ALONG_TRELLIS = 3
"""The kind of a palette tensor whose pixels are numbers along a trellis."""

_HEADER = struct.Struct("<8sIIQIIIIIIIIIIII")
_SHAPE = struct.Struct(f"<{1 + MAX_RANK}I")
_TENSOR_TAIL = struct.Struct("<IIIIIIQQ")
_PLANE = struct.Struct("<IIIIII")


@dataclass(frozen=True)
class Plan:
    """The bytes of a plan, and what its numbers stand for.

    data     the plan
    values   names of the arrays, by value number
    tensors  names of the tensors, by tensor number (the order of LensContents.tensors)
    ops      names of the nodes, by op number
    planes   the pictures to hand in, by plane number; a tensor's mask is before its plane
    """

    data: bytes
    values: tuple[str, ...]
    tensors: tuple[str, ...]
    ops: tuple[str, ...]
    planes: tuple[Plane, ...]


def build_plan(contents: LensContents) -> Plan:
    """Make the plan of a lens.

    Raises EngineError 'plan-graph' where the graph does not hold together (an operator,
    attribute or array that is not there), 'plan-shape' where an array has too many axes.
    """
    graph = contents.graph
    values = (*graph.inputs, *(node.output for node in graph.nodes))
    tensors = tuple(record.name for record in contents.tensors)
    numbers = {name: number for number, name in enumerate(values)}
    numbers |= {name: TENSOR_BIT | number for number, name in enumerate(tensors)}
    if len(numbers) != len(values) + len(tensors):
        raise _broken(contents.name, "an array or tensor is made twice")
    numbers[""] = ABSENT

    value_table = b"".join(_pack_shape(name, _shape(graph, name)) + bytes(4) for name in values)
    io = _pack_references((*graph.inputs, *graph.outputs), numbers, "the graph's outputs")
    ops = b"".join(_pack_op(node, numbers) for node in graph.nodes)
    data, places = _pack_data(contents.tensors)
    uses = plane_uses(contents.tensors)
    plane_table = b"".join(_pack_plane(use.plane) for use in uses)
    counts = (len(tensors), len(uses), len(graph.nodes), len(graph.inputs), len(graph.outputs))
    table_bytes = len(tensors) * TENSOR_BYTES
    starts = _starts(len(value_table), table_bytes, len(plane_table), len(io), len(ops))
    tensor_table = b"".join(
        _pack_tensor(record, starts[-1] + place, planes)
        for record, place, planes in zip(
            contents.tensors, places, _numbers(uses, len(tensors)), strict=True
        )
    )
    parts = (value_table, tensor_table, plane_table, io, ops)
    body = b"".join(map(_aligned, parts)) + data
    size = HEADER_BYTES + len(body)
    header = _HEADER.pack(MAGIC, VERSION, len(values), size, *counts, *starts, 0)
    names = tuple(node.name for node in graph.nodes)
    return Plan(header + body, values, tensors, names, tuple(use.plane for use in uses))


def _starts(*sizes: int) -> tuple[int, ...]:
    """Where the first section starts, and every section after one of `sizes` bytes."""
    starts = [HEADER_BYTES]
    for size in sizes:
        starts.append(starts[-1] + _round_up(size))
    return tuple(starts)


def _shape(graph: Graph, name: str) -> Shape:
    if name not in graph.shapes:
        raise _broken(name, "its shape is not in the graph")
    return graph.shapes[name]


def _pack_shape(name: str, shape: Shape) -> bytes:
    if len(shape) > MAX_RANK:
        raise EngineError(
            f"'{name}' has {len(shape)} axes; the core runs arrays of at most {MAX_RANK}. "
            "Simplify the model before importing it.",
            slug="plan-shape",
        )
    return _SHAPE.pack(len(shape), *shape, *(1,) * (MAX_RANK - len(shape)))


def _pack_data(records: Sequence[TensorRecord]) -> tuple[bytes, list[int]]:
    """The data section, and where in it each tensor's values or palettes start."""
    parts: list[bytes] = []
    places: list[int] = []
    size = 0
    for record in records:
        places.append(size)
        parts.append(_aligned(record.palettes if record.fate == "palette" else record.values))
        size += len(parts[-1])
    return b"".join(parts), places


def _numbers(uses: Sequence[PlaneUse], tensors: int) -> list[tuple[int, int]]:
    """Of each tensor, the numbers of its plane and of its mask."""
    planes, masks = [0] * tensors, [NO_MASK] * tensors
    for number, use in enumerate(uses):
        for reader in use.readers:
            (masks if use.is_mask else planes)[reader] = number
    return list(zip(planes, masks, strict=True))


def _pack_plane(plane: Plane) -> bytes:
    height = plane.bands[0].rows if plane.bands else 0
    return _PLANE.pack(plane.index_bits, plane.width, plane.rows, height, len(plane.bands), 0)


def _pack_tensor(record: TensorRecord, offset: int, planes: tuple[int, int]) -> bytes:
    """planes: the numbers of its plane and its mask."""
    kind = ALONG_TRELLIS if record.trellis else KINDS[record.fate]
    head = struct.pack("<I", kind) + _pack_shape(record.name, record.shape)
    if record.fate != "palette":
        return head + _TENSOR_TAIL.pack(0, 0, 0, 0, 0, 0, offset, len(record.values))
    if record.plane is None or not record.plane.bands:
        raise _broken(record.name, "it has a palette and no plane")
    return head + _TENSOR_TAIL.pack(
        record.palette_size,
        record.group_rows,
        planes[0],
        record.first_pixel,
        planes[1],
        record.common,
        offset,
        len(record.palettes),
    )


def _pack_op(node: Node, numbers: dict[str, int]) -> bytes:
    op = OPS.get(node.op)
    if op is None:
        raise _broken(node.name, f"there is no operator '{node.op}'")
    attributes = b"".join(
        pack_attribute(attribute, _attribute(node, attribute)) for attribute in op.attributes
    )
    inputs = _pack_references(node.inputs, numbers, f"'{node.name}'")
    words = 5 + len(node.inputs) + len(attributes) // 4
    output = numbers[node.output]
    head = (words, op.number, output, len(node.inputs), len(attributes) // 4)
    return struct.pack("<5I", *head) + inputs + attributes


def _attribute(node: Node, attribute: Attribute) -> AttributeValue:
    if attribute.name not in node.attributes:
        raise _broken(node.name, f"{node.op} needs the attribute '{attribute.name}'")
    return node.attributes[attribute.name]


def pack_attribute(attribute: Attribute, value: AttributeValue) -> bytes:
    """One attribute as the words of a plan. Raises EngineError 'plan-graph' where it cannot be."""
    try:
        if attribute.kind == "float":
            return struct.pack("<f", value)
        if attribute.kind == "choice":
            return struct.pack("<i", (attribute.choices or {})[cast(str, value)])
        if attribute.kind == "int":
            return struct.pack("<i", value)
        numbers = cast(tuple[int, ...], value)
        fill = (attribute.fill,) * (attribute.count - len(numbers))
        return struct.pack(f"<{attribute.count}i", *numbers, *fill)
    except (KeyError, TypeError, OverflowError, struct.error) as error:
        raise _broken(
            f"attribute {attribute.name}",
            f"{value!r} is not {attribute.count} of kind {attribute.kind}",
        ) from error


def _pack_references(names: Sequence[str], numbers: dict[str, int], reader: str) -> bytes:
    missing = [name for name in names if name not in numbers]
    if missing:
        raise _broken(missing[0], f"it is read by {reader}, and nothing makes it")
    return struct.pack(f"<{len(names)}I", *(numbers[name] for name in names))


def _round_up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _aligned(part: bytes) -> bytes:
    return part + bytes(_round_up(len(part)) - len(part))


def _broken(what: str, reason: str) -> EngineError:
    return EngineError(
        f"The graph does not hold together at '{what}': {reason}. "
        "The lens was made by a broken importer; import the model again.",
        slug="plan-graph",
    )
