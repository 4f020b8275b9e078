"""The graph and its tensors as rows of a lens. `assemble_network` is the way back."""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from pocketlens.base.halves import HALF_BYTES
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.lensfile.contents import Plane, TensorRecord, two_digits
from pocketlens.lensfile.draft import Draft, Link, Text, links
from pocketlens.lensfile.neutral import without_neutral
from pocketlens.lensfile.plane_uses import plane_uses
from pocketlens.lensfile.steps import MOST_STEPPED, gathered
from pocketlens.lensfile.words import REPEATED, USUAL_NAMES, listed, said, starred, told
from pocketlens.planes.plane import MOST_BAND_BYTES
from pocketlens.planes.trellis import STATES

PART_BYTES = MOST_BAND_BYTES
"""Blobs are cut so that SQLite's limit on a row's length can stay low when reading."""
INLINE_BYTES = 50_000
"""Most bytes of numbers that stand beside a picture."""
ACTIVATION = "activation"
"""The attribute that is told without its name."""
BIAS_PLACE = 2
"""Where nodes read their biases."""
EVEN_CLASS = "even"
"""Stands for the fate of an even palette where usual reasons are told."""
BIAS_SIGN = "bias-"
"""Stands before the fate of biases there."""
_ENDING_OF_AN_ARRAY = re.compile(r"[_.:][A-Za-z0-9_.:]+")
_ENDING_OF_A_NODE = re.compile(r"_[A-Za-z]+$")
ENDING_KEYS = ("node", "active", "plain")
"""What the row of kind "lens" says of endings."""
COUNT_SIGN = "#"
"""Stands at the start of a reason for the number of values in the tensor's palettes."""
STEP_SIGN = "~"
"""Stands in a reason for the step of an even palette, to three digits; doubled for itself."""


def draft_nodes(graph: Graph) -> Iterator[Draft]:
    """Operators in running order."""
    sources = {graph.inputs[0]: Link("photo")}
    sources |= {node.output: Link("node", number) for number, node in enumerate(graph.nodes)}
    sources |= {name: Link("tensor", number) for number, name in enumerate(graph.tensor_names())}
    endings = usual_endings(graph)
    for number, node in enumerate(graph.nodes):
        reads = [sources[name] if name else None for name in node.inputs]
        attributes = without_neutral(node.op, node.attributes)
        pairs = {name: _value(name, value) for name, value in attributes.items()}
        says = said(pairs, bare=(ACTIVATION,))
        yield Draft(
            ("node", number),
            node.op,
            name=_told_name(node, endings),
            list=Text(*links(reads)),
            says=None if says is None else Text(says),
            fixed=True,
        )


@dataclass(frozen=True)
class Endings:
    """What names of nodes end with, and of the arrays that they make: with an activation, without.

    An array is called like its node without the node's ending, and with its own.
    """

    node: str
    active: str
    plain: str

    def array(self, name: str, *, active: bool) -> str:
        """What a node's array is called where the file does not say."""
        return name.removesuffix(self.node) + (self.active if active else self.plain)


def usual_endings(graph: Graph) -> Endings:
    """The endings that save most of a graph's names."""
    names = [node.name for node in graph.nodes]
    node = _ENDING_OF_A_NODE.search(names[0]) if names else None
    ending = node[0] if node and all(name.endswith(node[0]) for name in names) else ""
    found: dict[bool, Counter[str]] = {True: Counter({"": 0}), False: Counter({"": 0})}
    for each in graph.nodes:
        stem = each.name.removesuffix(ending)
        own = each.output[len(stem) :] if each.output.startswith(stem) else " "
        if not own or _ENDING_OF_AN_ARRAY.fullmatch(own):
            found[is_active(each.attributes)][own] += 1
    active, plain = (found[each].most_common(1)[0][0] for each in (True, False))
    return Endings(ending, active, plain)


def is_active(attributes: Mapping[str, AttributeValue]) -> bool:
    """Whether a node ends in an activation."""
    return attributes.get(ACTIVATION, "none") != "none"


def _told_name(node: Node, endings: Endings) -> str:
    """A node's name without its ending; on a second line its array's, where it is not usual."""
    usual = endings.array(node.name, active=is_active(node.attributes))
    made = [] if node.output == usual else [starred(node.output, node.name)]
    return "\n".join([node.name.removesuffix(endings.node), *made])


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

    def fate_class(self, tensor: TensorRecord) -> str:
        """What usual reasons go by."""
        return fate_class(tensor.fate, even=tensor.affine is not None, place=self.place)

    def usual_shape(self) -> Shape | None:
        """The shape of a bias: a number for each output of the weights beside it."""
        weights = self.graph.shapes.get(self.node.inputs[1]) if self.place == BIAS_PLACE else None
        return weights[:1] if weights else None


def _value(name: str, value: AttributeValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple) and len(value) == REPEATED.get(name) and len(set(value)) == 1:
        value = value[0]
    return listed(value) if isinstance(value, tuple) else told(value)


def draft_tensors(graph: Graph, tensors: tuple[TensorRecord, ...]) -> Iterator[Draft]:
    """Reasons, tensors in the order in which nodes read them, their further bands and parts."""
    readers = {
        name: _Reader(graph, node, place)
        for node in reversed(graph.nodes)
        for place, name in reversed([*enumerate(node.inputs)])
    }
    classes = [readers[tensor.name].fate_class(tensor) for tensor in tensors]
    usual = _usual_reasons(zip(classes, tensors, strict=True))
    reasons = {_reason(tensor) for tensor in tensors} - {""}
    reasons |= {_reason(t) for each, t in zip(classes, tensors, strict=True) if usual[each]}
    for reason in sorted(reasons):
        fates = sorted(each for each, its in usual.items() if its == reason)
        yield Draft(
            ("why", reason),
            "why",
            name=reason or None,
            says=Text(",".join(fates)) if fates else None,
        )
    pictures = _Pictures(tensors)
    halves = {
        number: tensor.values
        for number, tensor in enumerate(tensors)
        if tensor.fate == "half" and len(tensor.values) <= HALF_BYTES * MOST_STEPPED
    }
    png, steps = gathered(halves)
    if png:
        yield Draft(("steps",), "band", png=png)
    for number, tensor in enumerate(tensors):
        for draft in _tensor(number, tensor, readers[tensor.name], usual, pictures):
            told = steps.get(number)
            yield draft if told is None else replace(draft, plane=Link("steps"), numbers=told.step)


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

    numbers, placed = _numbers(tensor), _Placed(None)
    if tensor.fate == "palette" and tensor.shape[:1] != (tensor.group_rows,):
        say("rows", str(tensor.group_rows))
    if tensor.plane is not None:
        placed = pictures.of_tensor(number, tensor, tensor.plane)
        yield from placed.drafts
        if len(placed.links) > 1:
            say("bands", *links(placed.links))
    png = placed.png
    if tensor.first_pixel != placed.usual_first:
        say("first", str(tensor.first_pixel))
    if tensor.mask is not None:
        mask = _in_rows(tensor.mask, number, "mask")
        yield from mask.drafts
        say("mask", *links(mask.links))
    if tensor.common:
        say("common", str(tensor.common))
    if tensor.trellis:
        say("trellis", str(STATES))
    if len(numbers) > (PART_BYTES if png is None else INLINE_BYTES):
        parts = [numbers[at : at + PART_BYTES] for at in range(0, len(numbers), PART_BYTES)]
        for place, part in enumerate(parts):
            yield Draft(("part", number, place), "part", numbers=part)
        say("parts", *links(Link("part", number, place) for place in range(len(parts))))
        numbers = b""
    reason = _reason(tensor)
    if reason != usual[reader.fate_class(tensor)]:
        say("why", Link("why", reason))
    yield Draft(
        ("tensor", number),
        tensor.fate,
        name=reader.short_name(tensor.name),
        list=None if tensor.shape == reader.usual_shape() else Text(listed(tensor.shape)),
        says=Text(*says) if says else None,
        levels=None if tensor.affine is None else tensor.palette_size,
        plane=placed.links[0] if len(placed.links) == 1 else None,
        error=two_digits(tensor.error) or None,
        loss=None if tensor.loss is None else two_digits(tensor.loss),
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


def fate_class(fate: str, *, even: bool, place: int) -> str:
    """What tensors of one usual reason have in common: fate, evenness, whether they are biases."""
    return (BIAS_SIGN if place == BIAS_PLACE else "") + (EVEN_CLASS if even else fate)


def _usual_reasons(classes: Iterable[tuple[str, TensorRecord]]) -> dict[str, str]:
    """For each class the reason that most of its tensors have, the first of equals."""
    counts: dict[str, Counter[str]] = {}
    for each, tensor in classes:
        counts.setdefault(each, Counter())[_reason(tensor)] += 1
    return {each: counter.most_common(1)[0][0] for each, counter in counts.items()}


@dataclass(frozen=True)
class _Placed:
    """Where a plane is: beside its tensor (`png`), or in the rows of `links`; new rows for it.

    usual_first  where a tensor begins in it that does not say: see usual_firsts()
    """

    png: bytes | None
    links: tuple[Link, ...] = ()
    drafts: tuple[Draft, ...] = ()
    usual_first: int = 0


class _Pictures:
    """Where each plane stands: tensors that share one refer to the row that holds it."""

    def __init__(self, tensors: tuple[TensorRecord, ...]) -> None:
        self._use = {
            number: place
            for place, use in enumerate(plane_uses(tensors))
            for number in use.readers
            if not use.is_mask
        }
        self._links: dict[int, tuple[Link, ...]] = {
            self._use[number]: (Link("tensor", number),)
            for number, tensor in enumerate(tensors)
            if tensor.plane and len(tensor.plane.bands) == 1 and not tensor.first_pixel
        }
        sharing: dict[int, list[int]] = {}
        for number, place in self._use.items():
            sharing.setdefault(place, []).append(number)
        self._firsts: dict[int, int] = {}
        for numbers in sharing.values():
            sizes = {n: (tensors[n].palette_size, math.prod(tensors[n].shape)) for n in numbers}
            self._firsts |= usual_firsts(sizes)

    def of_tensor(self, number: int, tensor: TensorRecord, plane: Plane) -> _Placed:
        """Where the tensor of that number finds its plane, and what rows that takes."""
        use, usual_first = self._use[number], self._firsts[number]
        if len(plane.bands) == 1 and not tensor.first_pixel:
            return _Placed(plane.bands[0].png, usual_first=usual_first)
        if use in self._links:
            return _Placed(None, self._links[use], usual_first=usual_first)
        placed = _in_rows(plane, number)
        self._links[use] = placed.links
        return replace(placed, usual_first=usual_first)


def usual_firsts(sizes: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """Where tensors that share a plane begin in it: by rising size of their palettes.

    sizes  by the tensor's number: values in a palette, pixels. Of equal ones the smaller number
           comes first
    """
    firsts: dict[int, int] = {}
    at = 0
    for number in sorted(sizes, key=lambda number: (sizes[number][0], number)):
        firsts[number] = at
        at += sizes[number][1]
    return firsts


def _in_rows(plane: Plane, *key: str | int) -> _Placed:
    """A plane in rows of its own, a band each."""
    drafts = tuple(
        Draft(("band", *key, place), "band", png=band.png) for place, band in enumerate(plane.bands)
    )
    return _Placed(None, tuple(Link(*draft.key) for draft in drafts), drafts)
