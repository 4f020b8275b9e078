"""The graph and its tensors as rows of a lens. `assemble_network` is the way back."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.lensfile.contents import Plane, TensorRecord
from pocketlens.lensfile.draft import Draft, Link, Text, links
from pocketlens.lensfile.neutral import without_neutral
from pocketlens.lensfile.words import USUAL_NAMES, listed, said, starred, told
from pocketlens.planes.plane import MOST_BAND_BYTES

PART_BYTES = MOST_BAND_BYTES
"""Blobs are cut so that SQLite's limit on a row's length can stay low when reading."""
INLINE_BYTES = 50_000
"""Most bytes of numbers that stand beside a picture."""
ACTIVATION = "activation"
"""The attribute that is told without its name."""
BIAS_PLACE = 2
"""Where nodes read their biases."""
COUNT_SIGN = "#"
"""Stands at the start of a reason for the number of values in the tensor's palettes."""
STEP_SIGN = "~"
"""Stands in a reason for the step of an even palette, to three digits; doubled for itself."""


def draft_nodes(graph: Graph) -> Iterator[Draft]:
    """Operators in running order."""
    sources = {graph.inputs[0]: Link("photo")}
    sources |= {node.output: Link("node", number) for number, node in enumerate(graph.nodes)}
    sources |= {name: Link("tensor", number) for number, name in enumerate(graph.tensor_names())}
    for number, node in enumerate(graph.nodes):
        made = [] if node.output == node.name else [starred(node.output, node.name)]
        reads = [sources[name] if name else None for name in node.inputs]
        attributes = without_neutral(node.op, node.attributes)
        pairs = {name: _value(value) for name, value in attributes.items()}
        says = said(pairs, bare=(ACTIVATION,))
        yield Draft(
            ("node", number),
            node.op,
            name="\n".join([node.name, *made]),
            list=Text(*links(reads)),
            says=None if says is None else Text(says),
            fixed=True,
        )


@dataclass(frozen=True)
class _Reader:
    """The node that reads a tensor first, and the place of the tensor among its inputs."""

    graph: Graph
    node: Node
    place: int

    def short_name(self, name: str) -> str | None:
        """The name of the tensor by that of the node; None where it is the usual one."""
        short = starred(name, self.node.name)
        return None if short == USUAL_NAMES.get(self.place) else short

    def usual_shape(self) -> Shape | None:
        """The shape of a bias: a number for each output of the weights beside it."""
        weights = self.graph.shapes.get(self.node.inputs[1]) if self.place == BIAS_PLACE else None
        return weights[:1] if weights else None


def _value(value: AttributeValue) -> str:
    if isinstance(value, str):
        return value
    return listed(value) if isinstance(value, tuple) else told(value)


def draft_tensors(graph: Graph, tensors: tuple[TensorRecord, ...]) -> Iterator[Draft]:
    """Reasons, tensors in the order in which nodes read them, their further bands and parts."""
    readers = {
        name: _Reader(graph, node, place)
        for node in reversed(graph.nodes)
        for place, name in reversed([*enumerate(node.inputs)])
    }
    usual = _usual_reasons(tensors)
    reasons = {_reason(tensor) for tensor in tensors} - {""}
    reasons |= {_reason(tensor) for tensor in tensors if usual.get(tensor.fate)}
    for reason in sorted(reasons):
        fates = [fate for fate, each in usual.items() if each == reason]
        yield Draft(
            ("why", reason),
            "why",
            name=reason or None,
            says=Text(",".join(fates)) if fates else None,
        )
    pictures = _Pictures()
    for number, tensor in enumerate(tensors):
        yield from _tensor(number, tensor, readers[tensor.name], usual, pictures)


def _tensor(
    number: int,
    tensor: TensorRecord,
    reader: _Reader,
    usual: dict[str, str],
    pictures: _Pictures,
) -> Iterator[Draft]:
    says: list[str | Link] = []

    def say(key: str, *value: str | Link) -> None:
        says.extend([" " if says else "", f"{key}=", *value])

    numbers, png, usual_first = _numbers(tensor), None, 0
    if tensor.fate == "palette":
        say("k", str(tensor.palette_size))
        if tensor.shape[:1] != (tensor.group_rows,):
            say("rows", str(tensor.group_rows))
        if tensor.affine is not None:
            say("even", "1")
    if tensor.plane is not None:
        placed = pictures.of_tensor(number, tensor, tensor.plane)
        yield from placed.drafts
        png = placed.png
        if png is None:
            say("plane", *links(placed.links))
        usual_first = placed.usual_first
    if tensor.first_pixel != usual_first:
        say("first", str(tensor.first_pixel))
    if tensor.mask is not None:
        mask = _in_rows(tensor.mask, number, "mask")
        yield from mask.drafts
        say("mask", *links(mask.links))
    if tensor.common:
        say("common", str(tensor.common))
    if len(numbers) > (PART_BYTES if png is None else INLINE_BYTES):
        parts = [numbers[at : at + PART_BYTES] for at in range(0, len(numbers), PART_BYTES)]
        for place, part in enumerate(parts):
            yield Draft(("part", number, place), "part", numbers=part)
        say("parts", *links(Link("part", number, place) for place in range(len(parts))))
        numbers = b""
    if tensor.error:
        say("error", told(tensor.error))
    if tensor.loss is not None:
        say("loss", told(tensor.loss))
    reason = _reason(tensor)
    if reason != usual.get(tensor.fate, ""):
        say("why", Link("why", reason))
    yield Draft(
        ("tensor", number),
        tensor.fate,
        name=reader.short_name(tensor.name),
        list=None if tensor.shape == reader.usual_shape() else Text(listed(tensor.shape)),
        says=Text(*says) if says else None,
        numbers=numbers or None,
        png=png,
    )


def _numbers(tensor: TensorRecord) -> bytes:
    if tensor.affine is not None:
        return struct.pack("<2f", *tensor.affine)
    return tensor.palettes or tensor.values


def _reason(tensor: TensorRecord) -> str:
    """The reason as it is kept: tensors that differ in their palettes' size or step share it."""
    count, reason = str(tensor.palette_size), tensor.reason.replace(STEP_SIGN, STEP_SIGN * 2)
    if tensor.affine is not None:
        step = re.escape(told_step(tensor.affine))
        reason = re.sub(rf"(?<![0-9.e-]){step}(?![0-9.e])", STEP_SIGN, reason, count=1)
    if tensor.palette_size and reason.startswith(count + " "):
        return COUNT_SIGN + reason.removeprefix(count)
    return COUNT_SIGN + reason if reason.startswith(COUNT_SIGN) else reason


def told_step(affine: tuple[float, float]) -> str:
    """The step of an even palette as reasons tell it."""
    return f"{affine[1]:.3g}"


def _usual_reasons(tensors: tuple[TensorRecord, ...]) -> dict[str, str]:
    """For each fate the reason that most of its tensors have, the first of equals."""
    counts: dict[str, Counter[str]] = {}
    for tensor in tensors:
        counts.setdefault(tensor.fate, Counter())[_reason(tensor)] += 1
    return {fate: counter.most_common(1)[0][0] for fate, counter in counts.items()}


@dataclass(frozen=True)
class _Placed:
    """Where a plane is: beside its tensor (`png`), or in the rows of `links`; new rows for it.

    usual_first  where a tensor begins in it that does not say: at the end of the one before
    """

    png: bytes | None
    links: tuple[Link, ...] = ()
    drafts: tuple[Draft, ...] = ()
    usual_first: int = 0


class _Pictures:
    """Where each plane stands: tensors that share one refer to the row that holds it."""

    def __init__(self) -> None:
        self._links: dict[tuple[Plane, int], tuple[Link, ...]] = {}
        self._claims: Counter[tuple[Plane, int]] = Counter()
        self._ends: dict[tuple[Plane, int], int] = {}

    def of_tensor(self, number: int, tensor: TensorRecord, plane: Plane) -> _Placed:
        """Equal planes claimed from the same pixel are different planes: each has its own rows."""
        claim = (plane, tensor.first_pixel)
        copy = (plane, self._claims[claim])
        self._claims[claim] += 1
        usual_first = self._ends.get(copy, 0)
        self._ends[copy] = tensor.first_pixel + math.prod(tensor.shape)
        if copy in self._links:
            return _Placed(None, self._links[copy], usual_first=usual_first)
        if len(plane.bands) == 1 and not tensor.first_pixel:
            self._links[copy] = (Link("tensor", number),)
            return _Placed(plane.bands[0].png)
        placed = _in_rows(plane, number)
        self._links[copy] = placed.links
        return placed


def _in_rows(plane: Plane, *key: str | int) -> _Placed:
    """A plane in rows of its own, a band each."""
    drafts = tuple(
        Draft(("band", *key, place), "band", png=band.png) for place, band in enumerate(plane.bands)
    )
    return _Placed(None, tuple(Link(*draft.key) for draft in drafts), drafts)
