"""Reads a plan by docs/format/plan.md alone, and writes what every byte means."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pocketlens.graph.ops import OPS, Op
from pocketlens.lensfile.contents import LensContents

HEADER = (
    (8, "PLENSPLN"),
    (4, "version"),
    (4, "values"),
    (8, "bytes of the plan"),
    (4, "tensors"),
    (4, "planes"),
    (4, "ops"),
    (4, "inputs"),
    (4, "outputs"),
    (4, "values stand at"),
    (4, "tensors stand at"),
    (4, "planes stand at"),
    (4, "inputs and outputs stand at"),
    (4, "ops stand at"),
    (4, "data stands at"),
    (4, "0"),
)
TENSOR = ("palette size k", "group rows", "plane", "first pixel", "mask", "common index")
PLANE = ("index bits", "width", "rows", "band rows", "bands")
KINDS = ("float32", "half precision", "palette")


class Reader:
    """Walks over the bytes; `line` is one row of the dump."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def line(self, count: int, meaning: str) -> str:
        start, self.at = self.at, self.at + count
        return f"{start:4} | {self.data[start : self.at].hex(' ', 4):71} | {meaning}".rstrip()

    def u32(self, ahead: int = 0) -> int:
        return int(struct.unpack_from("<I", self.data, self.at + 4 * ahead)[0])

    def u64(self) -> int:
        return int(struct.unpack_from("<Q", self.data, self.at)[0])


def dump(data: bytes, contents: LensContents) -> str:
    """Every byte of the plan of `contents`, a field or a record a line."""
    reader = Reader(data)
    header = struct.unpack_from("<8sIIQIIIIIIIIIIII", data)
    lines = [f"  at | {'bytes':71} | what", *_header(reader)]
    lines += [_value(reader) for _ in range(header[2])]
    for _ in range(header[4]):
        lines += _tensor(reader)
    lines += [_plane(reader) for _ in range(header[5])]
    lines += [reader.line(4, f"input: value {reader.u32()}") for _ in range(header[7])]
    lines += [reader.line(4, f"output: value {reader.u32()}") for _ in range(header[8])]
    lines += _padding(reader)
    for _ in range(header[6]):
        lines += _op(reader)
    lines += _padding(reader)
    assert reader.at == header[14], "sections stand side by side"
    for record in contents.tensors:
        content = record.palettes or record.values
        lines.append(reader.line(len(content), f"data of '{record.name}'"))
        lines += _padding(reader)
    assert reader.at == len(data) == header[3]
    return "\n".join(lines)


def _header(reader: Reader) -> Iterator[str]:
    for count, meaning in HEADER:
        number = reader.u64() if count == 8 else reader.u32()
        known = meaning in ("PLENSPLN", "0")
        yield reader.line(count, meaning if known else f"{meaning}: {number}")


def _shape(reader: Reader, *, ahead: int) -> tuple[int, ...]:
    return tuple(reader.u32(ahead + 1 + i) for i in range(reader.u32(ahead)))


def _value(reader: Reader) -> str:
    return reader.line(32, f"a value: rank {reader.u32()}, shape {_shape(reader, ahead=0)}")


def _tensor(reader: Reader) -> Iterator[str]:
    kind = KINDS[reader.u32()]
    yield reader.line(32, f"a tensor: {kind}, rank {reader.u32(1)}, {_shape(reader, ahead=1)}")
    words = [reader.u32(i) for i in range(len(TENSOR))]
    told = ["none" if word == 0xFFFFFFFF else str(word) for word in words]
    fields = ", ".join(f"{name} {word}" for name, word in zip(TENSOR, told, strict=True))
    yield reader.line(24, fields if kind == "palette" else "no palette")
    yield reader.line(8, f"its data stands at {reader.u64()}")
    yield reader.line(8, f"{reader.u64()} bytes")


def _plane(reader: Reader) -> str:
    fields = ", ".join(f"{name} {reader.u32(i)}" for i, name in enumerate(PLANE))
    return reader.line(24, f"a plane: {fields}")


def _op(reader: Reader) -> Iterator[str]:
    op = next(op for op in OPS.values() if op.number == reader.u32(1))
    inputs, attributes = reader.u32(3), reader.u32(4)
    assert reader.u32() == 5 + inputs + attributes
    yield reader.line(
        20,
        f"{op.name}: {reader.u32()} words, operator {op.number}, makes value {reader.u32(2)}, "
        f"{inputs} inputs, {attributes} attribute words",
    )
    for _ in range(inputs):
        yield reader.line(4, f"reads {_reference(reader.u32())}")
    yield from _attributes(reader, op)


def _reference(word: int) -> str:
    if word == 0xFFFFFFFF:
        return "nothing"
    return f"tensor {word & 0x7FFFFFFF}" if word >> 31 else f"value {word}"


def _attributes(reader: Reader, op: Op) -> Iterator[str]:
    for attribute in op.attributes:
        letter = "f" if attribute.kind == "float" else "i"
        values = struct.unpack_from(f"<{attribute.count}{letter}", reader.data, reader.at)
        text = ", ".join(f"{value:g}" for value in values)
        for name, number in (attribute.choices or {}).items():
            text = name if (number,) == values else text
        yield reader.line(4 * attribute.count, f"{attribute.name}: {text}")


def _padding(reader: Reader) -> Iterator[str]:
    missing = -reader.at % 8
    if missing:
        assert reader.data[reader.at : reader.at + missing] == bytes(missing)
        yield reader.line(missing, "up to a multiple of 8")
