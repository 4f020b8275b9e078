"""Judges the tensors of a lens: fates, palettes, values; their pictures are in check_planes.py."""

from __future__ import annotations

import itertools
import math
import struct

from pocketlens.base.errors import LensFileError
from pocketlens.base.halves import HALF_BYTES, even_halves, halves_are_finite
from pocketlens.graph.attributes import quoted
from pocketlens.graph.graph import Graph
from pocketlens.lensfile.check_planes import AGAIN, check_planes, refuse
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.lensfile.rules import MOST_AXES, MOST_SIZE, check_word, is_real, is_whole, product
from pocketlens.planes.plane import INDEX_BITS
from pocketlens.planes.trellis import LEAST_VALUES

MOST_VALUES = MOST_SIZE
"""Of all tensors together."""
MOST_PALETTE = 256
_FLOAT_BYTES = 4


def check_tensors(graph: Graph, tensors: tuple[TensorRecord, ...], *, pixels: bool = True) -> None:
    """Judge every tensor, and that they are the graph's. Raises LensFileError.

    pixels  as check_planes()
    """
    names = graph.tensor_names()
    if tuple(tensor.name for tensor in tensors) != names:
        raise LensFileError(
            f"It holds {len(tensors)} tensors; they are not the {len(names)} that its graph "
            f"reads, in that order. {AGAIN}",
            slug="lens-tensor-names",
        )
    values = 0
    for tensor in tensors:
        check_word("The name of a tensor", tensor.name)
        check_word("The reason of a tensor's fate", tensor.reason, empty=True)
        values += _check_shape(tensor, graph)
        if values > MOST_VALUES:
            refuse(
                tensor, slug="lens-too-large", what=f"it brings the weights above {MOST_VALUES:,}"
            )
        _check_error(tensor)
        if tensor.fate == "palette":
            _check_palette_tensor(tensor)
        elif tensor.fate in ("half", "float"):
            _check_plain_tensor(tensor)
        else:
            refuse(
                tensor,
                slug="lens-fate",
                what=f"its fate is {quoted(tensor.fate)}; expected 'palette', 'half' or 'float'",
            )
    check_planes(tensors, pixels=pixels)


def _check_shape(tensor: TensorRecord, graph: Graph) -> int:
    """The number of its values."""
    shape = tensor.shape
    count = product(shape)
    if count is None:
        refuse(
            tensor,
            slug="lens-shape",
            what=f"its shape is {shape!r:.80}; expected at most {MOST_AXES} axes of at least 1",
        )
    if graph.shapes.get(tensor.name) != shape:
        refuse(
            tensor,
            slug="lens-shape",
            what=f"it has shape {shape}; its graph reads {graph.shapes.get(tensor.name)}",
        )
    return count


def _check_error(tensor: TensorRecord) -> None:
    if tensor.loss is not None and not is_real(tensor.loss):
        refuse(tensor, slug="lens-fate", what=f"its loss is {tensor.loss!r:.40}; expected a number")
    if not is_real(tensor.error) or tensor.error < 0:
        refuse(
            tensor, slug="lens-fate", what=f"its error is {tensor.error!r:.40}; expected 0 or more"
        )


def _check_plain_tensor(tensor: TensorRecord) -> None:
    shown = tensor.plane is not None or tensor.mask is not None or tensor.affine is not None
    shown = shown or tensor.trellis is not False
    numbers = tensor.palette_size, tensor.group_rows, tensor.first_pixel, tensor.common
    if shown or tensor.palettes or any(numbers):
        refuse(
            tensor,
            slug="lens-fate",
            what=f"its fate is '{tensor.fate}', and yet it has a palette or a plane",
        )
    value_bytes = HALF_BYTES if tensor.fate == "half" else _FLOAT_BYTES
    expected = math.prod(tensor.shape) * value_bytes
    if len(tensor.values) != expected:
        refuse(
            tensor,
            slug="lens-values",
            what=f"its values take {len(tensor.values):,} bytes; {expected:,} were expected",
        )
    finite = halves_are_finite if tensor.fate == "half" else _floats_finite
    if not finite(tensor.values):
        refuse(tensor, slug="lens-values", what="it has a value that is infinite or not a number")


def _floats_finite(values: bytes) -> bool:
    """No exponent of eight ones: seven in the highest byte, one on top of the next."""
    highest = values[3::4]
    if len(highest.translate(None, b"\x7f\xff")) == len(highest):
        return True
    pairs = zip(highest, values[2::4], strict=True)
    return not any(high & 0x7F == 0x7F and low & 0x80 for high, low in pairs)


def _check_palette_tensor(tensor: TensorRecord) -> None:
    plane, size = tensor.plane, tensor.palette_size
    if plane is None or tensor.values or not tensor.shape:
        refuse(
            tensor,
            slug="lens-fate",
            what="its fate is 'palette', and yet it lacks a plane or an axis, or has values",
        )
    if tensor.trellis is not False:
        _check_trellis(tensor)
    masked = tensor.mask is not None
    each = 2 if tensor.trellis else 1
    told = (1 << plane.index_bits) + masked if plane.index_bits in INDEX_BITS else MOST_PALETTE
    if not is_whole(size, 1 + masked, min(MOST_PALETTE, each * told)):
        refuse(
            tensor,
            slug="lens-palette",
            what=f"its palettes have {size!r:.40} values; its plane can tell {each * told} apart",
        )
    most_common = tensor.numbers - 1 if masked else 0
    if not is_whole(tensor.common, 0, most_common):
        refuse(
            tensor,
            slug="lens-palette",
            what=f"its common index is {tensor.common!r:.40}; expected at most {most_common}",
        )
    most_first = 0 if masked else MOST_VALUES
    if not is_whole(tensor.first_pixel, 0, most_first):
        refuse(
            tensor,
            slug="lens-plane",
            what=f"it begins at pixel {tensor.first_pixel!r:.40}; expected 0 to {most_first:,}",
        )
    if not is_whole(tensor.group_rows, 1, tensor.shape[0]):
        refuse(
            tensor,
            slug="lens-palette",
            what=f"{tensor.group_rows!r:.40} outputs share a palette; it has {tensor.shape[0]}",
        )
    _check_palettes(tensor, -(-tensor.shape[0] // tensor.group_rows))


def _check_trellis(tensor: TensorRecord) -> None:
    if tensor.trellis is not True or tensor.group_rows != tensor.shape[0]:
        refuse(
            tensor,
            slug="lens-palette",
            what="its numbers run along a trellis, and yet its outputs do not share one palette",
        )
    size = tensor.palette_size
    if not is_whole(size, LEAST_VALUES, MOST_PALETTE) or size % 2:
        refuse(
            tensor,
            slug="lens-palette",
            what=f"its palette has {size!r:.40} values; along a trellis there are {LEAST_VALUES} "
            f"to {MOST_PALETTE}, two for each number",
        )


def _check_palettes(tensor: TensorRecord, groups: int) -> None:
    size = tensor.palette_size
    expected = groups * size * HALF_BYTES
    if len(tensor.palettes) != expected:
        refuse(
            tensor,
            slug="lens-palette",
            what=f"its palettes take {len(tensor.palettes):,} bytes; "
            f"{groups:,} palettes of {size} values take {expected:,}",
        )
    if not halves_are_finite(tensor.palettes):
        refuse(
            tensor,
            slug="lens-palette",
            what="a palette has a value that is infinite or not a number",
        )
    for palette in struct.iter_unpack(f"<{size}e", tensor.palettes):
        if any(low > high for low, high in itertools.pairwise(palette)):
            refuse(tensor, slug="lens-palette", what="a palette is not ascending")
    if tensor.affine is not None and not _is_even(tensor, groups):
        refuse(
            tensor,
            slug="lens-palette",
            what="its palette is not the one that its offset and step make",
        )


def _is_even(tensor: TensorRecord, groups: int) -> bool:
    """Whether its one palette is offset + step x i, both numbers in single precision."""
    affine = tensor.affine
    if groups != 1 or type(affine) is not tuple or not all(map(is_real, affine)):
        return False
    try:
        if len(affine) != 2 or struct.unpack("<2f", struct.pack("<2f", *affine)) != affine:
            return False
        return even_halves(*affine, tensor.palette_size) == tensor.palettes
    except OverflowError:
        return False
