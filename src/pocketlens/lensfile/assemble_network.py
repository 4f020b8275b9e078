"""Rows of a lens back to its graph and tensors. `rows_of_network` is the way there.

Shapes of arrays, bit depths and sizes of planes are not in the rows: the first follow from the
input's (graph.inference), the others stand in the headers of the pictures.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from pocketlens.base.errors import LensFileError, ModelError
from pocketlens.base.halves import even_halves
from pocketlens.graph.attributes import find_op, quoted
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.graph.inference import infer_shape
from pocketlens.graph.shapes import MAX_NODES
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.contents import Band, FateKind, Plane, TensorRecord
from pocketlens.lensfile.found import Found, Rowbook
from pocketlens.lensfile.neutral import with_neutral
from pocketlens.lensfile.rows_of_network import (
    ACTIVATION,
    BIAS_PLACE,
    COUNT_SIGN,
    STEP_SIGN,
    told_step,
)
from pocketlens.lensfile.rules import product
from pocketlens.lensfile.words import USUAL_NAMES, real, unstarred, whole, wholes
from pocketlens.planes.scanlines import read_header

FATES: tuple[FateKind, ...] = ("palette", "half", "float")
KINDS = (*FATES, "lens", "source", "made", "photo", "why", "receipt", "band", "part")
"""Kinds of rows; every other row is an operator."""
_TENSOR_KEYS = ("k", "rows", "even", "plane", "first", "mask", "common", "parts", "error", "loss",
                "why")  # fmt: skip
_MOST_EVEN = 256


def assemble_network(
    book: Rowbook, head: Found, photo: Found, shape: Shape
) -> tuple[Graph, tuple[TensorRecord, ...]]:
    """The graph, whose input has `shape`, and its tensors in the order in which nodes read them.

    Raises LensFileError 'lens-bad-row', 'lens-graph', 'plane-damaged', 'plane-not-grayscale'.
    """
    rows = [row for row in book.rows if row.kind not in KINDS]
    if len(rows) > MAX_NODES:
        raise _wrong(f"it has {len(rows):,} operators; {MAX_NODES:,} fit")
    book.every(*{row.kind for row in rows})
    nodes = _Nodes(book, rows, photo, shape)
    (output,) = head.listed() if len(head.listed()) == 1 else (0,)
    if output not in nodes.made:
        bad_row(head.number, "should list the one row whose array is handed out")
    graph = Graph((photo.name or "",), (nodes.made[output],), nodes.nodes, nodes.shapes)
    tensors = _Tensors(book)
    return graph, tuple(tensors.record(*found) for found in nodes.tensors)


def _wrong(what: str) -> LensFileError:
    return LensFileError(f"Its graph is wrong: {what}. Import the model again.", slug="lens-graph")


@dataclass(frozen=True)
class _First:
    """Who reads a tensor first: the node's name, in which place, the shape of weights before it."""

    node_name: str
    place: int
    weights: Shape | None

    def name_of(self, row: Found) -> str:
        """The tensor's name: its own, or the usual one in this place."""
        short = USUAL_NAMES.get(self.place, "") if row.name is None else row.name
        return row.read(lambda text: unstarred(text, self.node_name), short)

    def shape_of(self, row: Found) -> Shape:
        """The tensor's shape: its own, or that of a bias for the weights."""
        if row.list is None and self.weights:
            return self.weights[:1]
        return row.listed()


class _Nodes:
    """Nodes in running order, the shape of every name, and the tensors in order of first use."""

    def __init__(self, book: Rowbook, rows: list[Found], photo: Found, shape: Shape) -> None:
        self.made = {photo.number: photo.name or ""}
        self.shapes = {photo.name or "": shape}
        self.tensors: list[tuple[Found, str, Shape]] = []
        self._book = book
        self._names: dict[int, str] = {}
        self.nodes = tuple(map(self._node, rows))

    def _node(self, row: Found) -> Node:
        row.has("name", "list", "says")
        name, _, output = (row.name or "").partition("\n")
        self._book.spend(len(name) * (1 + len((row.list or "").split(","))))
        output = row.read(lambda text: unstarred(text, name), output) if output else name
        reads = [] if row.list is None else row.list.split(",")
        inputs: tuple[str, ...] = ()
        for place, text in enumerate(reads):
            weights = self.shapes.get(inputs[1]) if place == BIAS_PLACE else None
            inputs += (self._read(row, _First(name, place, weights), text),)
        if output in self.shapes:
            bad_row(row.number, "makes an array that stands there already")
        node = Node(row.kind, name, inputs, output, _attributes(row))
        try:
            shapes = [self.shapes[name] if name else None for name in inputs]
            self.shapes[output] = infer_shape(node.op, node.attributes, shapes)
        except ModelError as error:
            where = f"node {quoted(name)} ({quoted(node.op)}): {error.sentence}"
            raise LensFileError(f"Its graph is wrong: {where}", slug="lens-graph") from None
        self.made[row.number] = output
        return node

    def _read(self, row: Found, reader: _First, text: str) -> str:
        """The name of what a node reads; a tensor that is read first gets its name here."""
        if not text:
            return ""
        number = row.read(whole, text)
        if number in self.made:
            return self.made[number]
        if number not in self._names:
            rows = self._book.rows
            if 1 <= number <= len(rows) and rows[number - 1].kind not in KINDS:
                raise _wrong(f"row {row.number} reads row {number}, which is not made before it")
            tensor = self._book.row(number, *FATES, caller=row)
            name, shape = reader.name_of(tensor), reader.shape_of(tensor)
            if name in self.shapes:
                bad_row(number, "has the name of an array or of another tensor")
            if product(shape) is None:
                bad_row(number, "has a shape that no tensor has")
            self._names[number] = name
            self.shapes[name] = shape
            self.tensors.append((tensor, name, shape))
        return self._names[number]


def _attributes(row: Found) -> dict[str, AttributeValue]:
    """A node's attributes; those that its operator has not are texts, for the graph's judge."""
    pairs = row.pairs(bare=(ACTIVATION,))
    try:
        kinds = {each.name: each.kind for each in find_op(row.kind).attributes}
    except ModelError as error:
        raise LensFileError(f"Its graph is wrong: {error.sentence}", slug="lens-graph") from None
    found: dict[str, AttributeValue] = {}
    for name, text in pairs.items():
        if kinds.get(name) == "ints":
            found[name] = row.read(wholes, text)
        elif kinds.get(name) == "int":
            found[name] = row.read(whole, text)
        elif kinds.get(name) == "float":
            found[name] = row.read(real, text)
        else:
            found[name] = text
    return with_neutral(row.kind, found)


class _Tensors:
    """Records of tensors; those that share a picture hold the same plane."""

    def __init__(self, book: Rowbook) -> None:
        self._book = book
        self._planes: dict[tuple[int, ...], Plane] = {}
        self._claims: set[tuple[tuple[int, ...], int]] = set()
        self._ends: dict[tuple[int, ...], int] = {}
        self._taken: set[int] = set()
        self._usual: dict[str, Found] = {}
        for row in book.every("why"):
            row.has("name", "says")
            for fate in (row.says or "").split(",") if row.says else ():
                if fate not in FATES or fate in self._usual:
                    bad_row(row.number, f"is the usual reason of {quoted(fate)}, or another one is")
                self._usual[fate] = row

    def record(self, row: Found, name: str, shape: Shape) -> TensorRecord:
        """The record of a row called `name`."""
        row.has("name", "list", "says", "numbers", "png")
        says = row.pairs(_TENSOR_KEYS)
        size = row.read(whole, says.get("k", "0"))
        numbers = self._numbers(row, says)
        palette = row.kind == "palette"
        affine = _affine(row, numbers) if "even" in says else None
        if affine is not None:
            numbers = _even(row, affine, size)
        plane, first = self._plane(row, says, math.prod(shape))
        outputs = shape[0] if shape and palette else 0
        fate: FateKind = row.kind  # type: ignore[assignment]
        return TensorRecord(
            name,
            shape,
            fate,
            self._reason(row, says, size, affine),
            palette_size=size,
            group_rows=row.read(whole, says["rows"]) if "rows" in says else outputs,
            palettes=numbers if palette else b"",
            values=b"" if palette else numbers,
            plane=plane,
            error=row.read(real, says.get("error", "0")),
            first_pixel=first,
            mask=self._mask(row, says),
            common=row.read(whole, says.get("common", "0")),
            affine=affine,
            loss=row.read(real, says["loss"]) if "loss" in says else None,
        )

    def _reason(
        self, row: Found, says: dict[str, str], size: int, affine: tuple[float, float] | None
    ) -> str:
        why = self._usual.get(row.kind)
        if "why" in says:
            why = self._book.row(row.read(whole, says["why"]), "why", caller=row)
        text = (why.name if why else None) or ""
        self._book.spend(len(text))
        step = "" if affine is None else told_step(affine)
        parts = [part.replace(STEP_SIGN, step) for part in text.split(STEP_SIGN * 2)]
        text = STEP_SIGN.join(parts)
        if text.startswith(COUNT_SIGN * 2):
            return text[1:]
        return f"{size}{text[1:]}" if text.startswith(COUNT_SIGN) else text

    def _numbers(self, row: Found, says: dict[str, str]) -> bytes:
        if "parts" not in says:
            return row.numbers or b""
        if row.numbers is not None:
            bad_row(row.number, "has numbers and refers to others as well")
        return b"".join(
            self._once(row, "part", number).numbers or b""
            for number in row.read(wholes, says["parts"])
        )

    def _plane(self, row: Found, says: dict[str, str], pixels: int) -> tuple[Plane | None, int]:
        """The plane of a row, and the pixel at which its `pixels` begin."""
        numbers: tuple[int, ...] = () if row.png is None else (row.number,)
        if "plane" in says:
            if numbers:
                bad_row(row.number, "has a picture and refers to another as well")
            numbers = row.read(wholes, says["plane"])
        first = row.read(whole, says["first"]) if "first" in says else self._ends.get(numbers, 0)
        if not numbers:
            return None, first
        if (numbers, first) in self._claims:
            bad_row(row.number, "claims pixels that another tensor has")
        self._claims.add((numbers, first))
        self._ends[numbers] = first + pixels
        return self._plane_in(row, numbers), first

    def _plane_in(self, row: Found, numbers: tuple[int, ...]) -> Plane:
        """The plane whose bands stand in these rows; the same for everyone who asks."""
        if numbers not in self._planes:
            kinds = ("band", "palette") if len(numbers) == 1 else ("band",)
            pngs = []
            for number in numbers:
                if self._book.row(number, *kinds, caller=row).kind == "palette":
                    pngs.append(self._book.rows[number - 1].png)
                else:
                    pngs.append(self._once(row, "band", number).png)
            self._planes[numbers] = _plane_of(row, pngs)
        return self._planes[numbers]

    def _mask(self, row: Found, says: dict[str, str]) -> Plane | None:
        if "mask" not in says:
            return None
        numbers = row.read(wholes, says["mask"])
        return _plane_of(row, [self._once(row, "band", number).png for number in numbers])

    def _once(self, caller: Found, kind: str, number: int) -> Found:
        """A row that belongs to one plane or one tensor."""
        row = self._book.row(number, kind, caller=caller)
        row.has("numbers" if kind == "part" else "png")
        if number in self._taken:
            bad_row(caller.number, f"refers to row {number}, which belongs to another")
        self._taken.add(number)
        return row


def _plane_of(row: Found, pngs: list[bytes | None]) -> Plane:
    """A plane as its pictures' headers describe it; `check` compares them with each other."""
    bands, width, bits = [], 0, 0
    for number, png in enumerate(pngs):
        if png is None:
            bad_row(row.number, "refers to a row without a picture")
        band_width, height, band_bits = read_header(png)
        if not number:
            width, bits = band_width, band_bits
        bands.append(Band(height, png))
    return Plane(width, bits, tuple(bands))


def _affine(row: Found, numbers: bytes) -> tuple[float, float]:
    if len(numbers) != 8:
        bad_row(row.number, "has an even palette, which takes an offset and a step: 8 bytes")
    offset, step = struct.unpack("<2f", numbers)
    return offset, step


def _even(row: Found, affine: tuple[float, float], size: int) -> bytes:
    """The palette that an offset and a step make."""
    if not 1 <= size <= _MOST_EVEN:
        bad_row(row.number, f"has an even palette of {size} values")
    try:
        return even_halves(*affine, size)
    except (OverflowError, ValueError):
        bad_row(row.number, "has an even palette with values beyond half precision")
