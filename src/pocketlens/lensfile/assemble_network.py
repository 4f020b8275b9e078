"""Rows of a lens back to its graph and tensors. `rows_of_network` is the way there.

Shapes of arrays, bit depths and sizes of planes are not in the rows: the first follow from the
input's (graph.inference), the others stand in the headers of the pictures.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from functools import partial

from pocketlens.base.errors import LensFileError, ModelError
from pocketlens.base.halves import HALF_BYTES, even_halves
from pocketlens.graph.attributes import find_op, quoted
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.graph.inference import infer_shape
from pocketlens.graph.shapes import MAX_NODES
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.contents import Band, FateKind, Plane, TensorRecord, from_two_digits
from pocketlens.lensfile.found import Found, Rowbook
from pocketlens.lensfile.neutral import with_neutral
from pocketlens.lensfile.rows_of_network import (
    ACTIVATION,
    BIAS_PLACE,
    BIAS_SIGN,
    COUNT_SIGN,
    ENDING_KEYS,
    EVEN_CLASS,
    STEP_SIGN,
    Endings,
    fate_class,
    is_active,
    told_step,
    usual_firsts,
)
from pocketlens.lensfile.rules import product
from pocketlens.lensfile.steps import values_of
from pocketlens.lensfile.words import REPEATED, USUAL_NAMES, real, unstarred, whole, wholes
from pocketlens.planes.scanlines import read_header
from pocketlens.planes.trellis import STATES

FATES: tuple[FateKind, ...] = ("palette", "half", "float")
KINDS = (*FATES, "lens", "source", "made", "photo", "why", "receipt", "band", "part")
"""Kinds of rows; every other row is an operator."""
_TENSOR_KEYS = ("rows", "bands", "first", "mask", "common", "trellis", "parts", "why")
_CLASSES = frozenset(f"{sign}{each}" for sign in ("", BIAS_SIGN) for each in (*FATES, EVEN_CLASS))
_MOST_EVEN = 256
_UNTOLD = -1


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
    endings = Endings(*(head.pairs(ENDING_KEYS).get(key, "") for key in ENDING_KEYS))
    nodes = _Nodes(book, rows, photo, shape, endings)
    (output,) = head.listed() if len(head.listed()) == 1 else (0,)
    if output not in nodes.made:
        bad_row(head.number, "should list the one row whose array is handed out")
    graph = Graph((photo.name or "",), (nodes.made[output],), nodes.nodes, nodes.shapes)
    return graph, _Tensors(book).records(nodes.tensors)


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


@dataclass(frozen=True)
class _Read:
    """A tensor that is read: its row, its name, its shape, in which place it is read first."""

    row: Found
    name: str
    shape: Shape
    place: int


class _Nodes:
    """Nodes in running order, the shape of every name, and the tensors in order of first use."""

    def __init__(
        self, book: Rowbook, rows: list[Found], photo: Found, shape: Shape, endings: Endings
    ) -> None:
        self._endings = endings
        self.made = {photo.number: photo.name or ""}
        self.shapes = {photo.name or "": shape}
        self.tensors: list[_Read] = []
        self._book = book
        self._names: dict[int, str] = {}
        self.nodes = tuple(map(self._node, rows))

    def _node(self, row: Found) -> Node:
        row.has("name", "list", "says")
        stem, _, output = (row.name or "").partition("\n")
        name = stem + self._endings.node
        self._book.spend(len(name) * (1 + len((row.list or "").split(","))))
        attributes = _attributes(row)
        usual = self._endings.array(name, active=is_active(attributes))
        output = row.read(lambda text: unstarred(text, name), output) if output else usual
        reads = [] if row.list is None else row.list.split(",")
        inputs: tuple[str, ...] = ()
        for place, text in enumerate(reads):
            weights = self.shapes.get(inputs[1]) if place == BIAS_PLACE else None
            inputs += (self._read(row, _First(name, place, weights), text),)
        if output in self.shapes:
            bad_row(row.number, "makes an array that stands there already")
        node = Node(row.kind, name, inputs, output, attributes)
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
            self.tensors.append(_Read(tensor, name, shape, reader.place))
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
            found[name] = row.read(partial(_told_once, name), text)
        elif kinds.get(name) == "int":
            found[name] = row.read(whole, text)
        elif kinds.get(name) == "float":
            found[name] = row.read(real, text)
        else:
            found[name] = text
    return with_neutral(row.kind, found)


def _told_once(name: str, text: str) -> tuple[int, ...]:
    """Whole numbers; one that is told once may stand for several."""
    numbers = wholes(text)
    return numbers * REPEATED.get(name, 1) if len(numbers) == 1 else numbers


class _Tensors:
    """Records of tensors; those that share a picture hold the same plane."""

    def __init__(self, book: Rowbook) -> None:
        self._book = book
        self._planes: dict[tuple[int, ...], Plane] = {}
        self._taken: set[int] = set()
        self._usual: dict[str, Found] = {}
        for row in book.every("why"):
            row.has("name", "says")
            for fate in (row.says or "").split(",") if row.says else ():
                if fate not in _CLASSES or fate in self._usual:
                    bad_row(row.number, f"is the usual reason of {quoted(fate)}, or another one is")
                self._usual[fate] = row

    def records(self, reads: list[_Read]) -> tuple[TensorRecord, ...]:
        """The records of all tensors, in that order."""
        stepped = self._stepped(reads)
        planes = [
            () if number in stepped else self._plane_rows(read.row)
            for number, read in enumerate(reads)
        ]
        records = [
            self._record(read, planes[number], stepped.get(number))
            for number, read in enumerate(reads)
        ]
        sharing: dict[tuple[int, ...], list[int]] = {}
        for number, rows in enumerate(planes):
            if rows:
                sharing.setdefault(rows, []).append(number)
        for numbers in sharing.values():
            sizes = {n: (records[n].palette_size, math.prod(records[n].shape)) for n in numbers}
            claims = set()
            for number, first in usual_firsts(sizes).items():
                if records[number].first_pixel == _UNTOLD:
                    records[number] = replace(records[number], first_pixel=first)
                if records[number].first_pixel in claims:
                    bad_row(reads[number].row.number, "claims pixels that another tensor has")
                claims.add(records[number].first_pixel)
        return tuple(records)

    def _stepped(self, reads: list[_Read]) -> dict[int, bytes]:
        """Values of tensors in half precision that are told by a picture, by number."""
        sharing: dict[int, list[int]] = {}
        for number, read in enumerate(reads):
            row = read.row
            if row.kind != "half" or row.plane is None:
                continue
            if row.png is not None or row.pairs(_TENSOR_KEYS).keys() & {"bands", "parts"}:
                bad_row(row.number, "has a picture, or parts, and refers to another as well")
            sharing.setdefault(row.plane, []).append(number)
            if len(sharing) > 1:
                bad_row(row.number, "refers to another picture of half precision; there is one")
        found: dict[int, bytes] = {}
        for place, numbers in sharing.items():
            picture = self._once(reads[numbers[0]].row, "band", place)
            sizes = [(reads[n].row, math.prod(reads[n].shape)) for n in numbers]
            found |= zip(numbers, values_of(picture, sizes), strict=True)
        return found

    def _record(self, read: _Read, planes: tuple[int, ...], stepped: bytes | None) -> TensorRecord:
        """The record of a tensor; where it does not say at which pixel it begins, _UNTOLD."""
        row, shape = read.row, read.shape
        row.has("name", "list", "says", "levels", "plane", "error", "loss", "numbers", "png")
        says = row.pairs(_TENSOR_KEYS)
        numbers, affine = self._numbers(row, says) if stepped is None else stepped, None
        palette = row.kind == "palette"
        outputs = shape[0] if shape and palette else 0
        group_rows = row.read(whole, says["rows"]) if "rows" in says else outputs
        if row.levels is not None:
            affine = _affine(row, numbers)
            numbers = _even(row, affine, row.levels)
        size = _palette_size(row, numbers, -(-outputs // max(group_rows, 1))) if palette else 0
        untold = _UNTOLD if planes else 0
        fate: FateKind = row.kind  # type: ignore[assignment]
        return TensorRecord(
            read.name,
            shape,
            fate,
            self._reason(read, says, size, affine),
            palette_size=size,
            group_rows=group_rows,
            palettes=numbers if palette else b"",
            values=b"" if palette else numbers,
            plane=self._plane_in(row, planes) if planes else None,
            error=from_two_digits(row.error or 0),
            first_pixel=row.read(whole, says["first"]) if "first" in says else untold,
            mask=self._mask(row, says),
            common=row.read(whole, says.get("common", "0")),
            affine=affine,
            loss=None if row.loss is None else from_two_digits(row.loss),
            trellis=_trellis(row, says),
        )

    def _reason(
        self, read: _Read, says: dict[str, str], size: int, affine: tuple[float, float] | None
    ) -> str:
        row = read.row
        why = self._usual.get(fate_class(row.kind, even=affine is not None, place=read.place))
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

    def _plane_rows(self, row: Found) -> tuple[int, ...]:
        """Numbers of the rows that hold a tensor's plane, from top to bottom."""
        bands = row.pairs(_TENSOR_KEYS).get("bands", "")
        told = [
            () if row.png is None else (row.number,),
            () if row.plane is None else (row.plane,),
            row.read(wholes, bands),
        ]
        found = [rows for rows in told if rows]
        if len(found) > 1:
            bad_row(row.number, "has a picture and refers to another as well")
        return found[0] if found else ()

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


def _trellis(row: Found, says: dict[str, str]) -> bool:
    states = says.get("trellis")
    if states not in (None, str(STATES)):
        bad_row(row.number, f"has a trellis of {quoted(states or '')} states; expected {STATES}")
    return states is not None


def _affine(row: Found, numbers: bytes) -> tuple[float, float]:
    if len(numbers) != 8:
        bad_row(row.number, "has an even palette, which takes an offset and a step: 8 bytes")
    offset, step = struct.unpack("<2f", numbers)
    return offset, step


def _palette_size(row: Found, numbers: bytes, groups: int) -> int:
    """Values in each of as many palettes of half precision."""
    size, rest = divmod(len(numbers), HALF_BYTES * max(groups, 1))
    if rest:
        bad_row(row.number, f"has {len(numbers):,} bytes of numbers for {groups:,} palettes")
    return size


def _even(row: Found, affine: tuple[float, float], size: int) -> bytes:
    """The palette that an offset and a step make."""
    if not 1 <= size <= _MOST_EVEN:
        bad_row(row.number, f"has an even palette of {size} values")
    try:
        return even_halves(*affine, size)
    except (OverflowError, ValueError):
        bad_row(row.number, "has an even palette with values beyond half precision")
