"""Judges the tensors of a lens: fates, palettes, values, planes down to the last pixel.

Fast without NumPy: bytes.translate() deletes the bytes that are allowed, at memory speed, and
what is left over is wrong.
"""

from __future__ import annotations

import itertools
import math
import struct
from functools import cache
from typing import NoReturn

from pocketlens.base.errors import LensFileError
from pocketlens.base.halves import HALF_BYTES, halves_are_finite
from pocketlens.graph.attributes import quoted
from pocketlens.graph.graph import Graph
from pocketlens.lensfile.contents import Plane, TensorRecord
from pocketlens.lensfile.rules import MOST_AXES, MOST_SIZE, check_word, is_real, is_whole, product
from pocketlens.lensfile.unfilter import unfilter
from pocketlens.planes.plane import INDEX_BITS, MOST_BAND_BYTES, Band
from pocketlens.planes.scanlines import inflate_band, read_header, scanline_bytes

MOST_VALUES = MOST_SIZE
"""Of all tensors together."""
MOST_PALETTE = 256
_FLOAT_BYTES = 4
_AGAIN = "Make the lens again from the model."


def check_tensors(graph: Graph, tensors: tuple[TensorRecord, ...]) -> None:
    """Judge every tensor, and that they are the graph's. Raises LensFileError."""
    names = graph.tensor_names()
    if tuple(tensor.name for tensor in tensors) != names:
        raise LensFileError(
            f"It holds {len(tensors)} tensors; they are not the {len(names)} that its graph "
            f"reads, in that order. {_AGAIN}",
            slug="lens-tensor-names",
        )
    values = 0
    for tensor in tensors:
        check_word("The name of a tensor", tensor.name)
        check_word("The reason of a tensor's fate", tensor.reason, empty=True)
        values += _check_shape(tensor, graph)
        if values > MOST_VALUES:
            _refuse(
                tensor, slug="lens-too-large", what=f"it brings the weights above {MOST_VALUES:,}"
            )
        _check_error(tensor)
        if tensor.fate == "palette":
            _check_palette_tensor(tensor)
        elif tensor.fate in ("half", "float"):
            _check_plain_tensor(tensor)
        else:
            _refuse(
                tensor,
                slug="lens-fate",
                what=f"its fate is {quoted(tensor.fate)}; expected 'palette', 'half' or 'float'",
            )


def _refuse(tensor: TensorRecord, *, slug: str, what: str) -> NoReturn:
    raise LensFileError(f"Tensor {quoted(tensor.name)} is wrong: {what}. {_AGAIN}", slug=slug)


def _check_shape(tensor: TensorRecord, graph: Graph) -> int:
    """The number of its values."""
    shape = tensor.shape
    count = product(shape)
    if count is None:
        _refuse(
            tensor,
            slug="lens-shape",
            what=f"its shape is {shape!r:.80}; expected at most {MOST_AXES} axes of at least 1",
        )
    if graph.shapes.get(tensor.name) != shape:
        _refuse(
            tensor,
            slug="lens-shape",
            what=f"it has shape {shape}; its graph reads {graph.shapes.get(tensor.name)}",
        )
    return count


def _check_error(tensor: TensorRecord) -> None:
    if not is_real(tensor.error) or tensor.error < 0:
        _refuse(
            tensor, slug="lens-fate", what=f"its error is {tensor.error!r:.40}; expected 0 or more"
        )


def _check_plain_tensor(tensor: TensorRecord) -> None:
    if tensor.plane is not None or tensor.palettes or tensor.palette_size or tensor.group_rows:
        _refuse(
            tensor,
            slug="lens-fate",
            what=f"its fate is '{tensor.fate}', and yet it has a palette or a plane",
        )
    value_bytes = HALF_BYTES if tensor.fate == "half" else _FLOAT_BYTES
    expected = math.prod(tensor.shape) * value_bytes
    if len(tensor.values) != expected:
        _refuse(
            tensor,
            slug="lens-values",
            what=f"its values take {len(tensor.values):,} bytes; {expected:,} were expected",
        )
    finite = halves_are_finite if tensor.fate == "half" else _floats_finite
    if not finite(tensor.values):
        _refuse(tensor, slug="lens-values", what="it has a value that is infinite or not a number")


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
        _refuse(
            tensor,
            slug="lens-fate",
            what="its fate is 'palette', and yet it lacks a plane or an axis, or has values",
        )
    if plane.index_bits not in INDEX_BITS:
        _refuse(
            tensor,
            slug="lens-plane",
            what=f"it has indices of {plane.index_bits!r:.40} bits; expected 1, 2, 4 or 8",
        )
    if not is_whole(size, 1, min(MOST_PALETTE, 1 << plane.index_bits)):
        _refuse(
            tensor,
            slug="lens-palette",
            what=f"its palettes have {size!r:.40} values; "
            f"{plane.index_bits} bits can tell {1 << plane.index_bits} apart",
        )
    if not is_whole(tensor.group_rows, 1, tensor.shape[0]):
        _refuse(
            tensor,
            slug="lens-palette",
            what=f"{tensor.group_rows!r:.40} outputs share a palette; it has {tensor.shape[0]}",
        )
    _check_palettes(tensor, -(-tensor.shape[0] // tensor.group_rows))
    _check_plane(tensor, plane)


def _check_palettes(tensor: TensorRecord, groups: int) -> None:
    size = tensor.palette_size
    expected = groups * size * HALF_BYTES
    if len(tensor.palettes) != expected:
        _refuse(
            tensor,
            slug="lens-palette",
            what=f"its palettes take {len(tensor.palettes):,} bytes; "
            f"{groups:,} palettes of {size} values take {expected:,}",
        )
    if not halves_are_finite(tensor.palettes):
        _refuse(
            tensor,
            slug="lens-palette",
            what="a palette has a value that is infinite or not a number",
        )
    for palette in struct.iter_unpack(f"<{size}e", tensor.palettes):
        if any(low > high for low, high in itertools.pairwise(palette)):
            _refuse(tensor, slug="lens-palette", what="a palette is not ascending")


def _check_plane(tensor: TensorRecord, plane: Plane) -> None:
    indices = math.prod(tensor.shape)
    if not is_whole(plane.width, 1, indices):
        _refuse(
            tensor,
            slug="lens-plane",
            what=f"its plane is {plane.width!r:.40} pixels wide, for {indices:,} indices",
        )
    rows = -(-indices // plane.width)
    heights = [band.rows for band in plane.bands]
    if not all(is_whole(height, 1, rows) for height in heights) or sum(heights) != rows:
        _refuse(
            tensor,
            slug="lens-plane",
            what=f"its bands have {sum(heights):,} rows together, or one "
            f"has none; its plane has {rows:,}",
        )
    if any(height != heights[0] for height in heights[:-1]) or heights[-1] > heights[0]:
        _refuse(tensor, slug="lens-plane", what="its bands are not of equal height, the last aside")
    rest = rows * plane.width - indices
    for number, band in enumerate(plane.bands):
        last = number == len(heights) - 1
        _check_band(tensor, plane, band, number=number, rest=rest if last else 0)


def _check_band(tensor: TensorRecord, plane: Plane, band: Band, *, number: int, rest: int) -> None:
    """One band; its last `rest` pixels are beyond the last index and have to be 0."""
    if len(band.png) > MOST_BAND_BYTES:
        _refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} has {len(band.png):,} bytes; at most {MOST_BAND_BYTES:,} fit",
        )
    raw_bytes = band.rows * scanline_bytes(plane.width, plane.index_bits)
    if raw_bytes > MOST_BAND_BYTES:
        _refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} inflates to {raw_bytes:,} bytes; at most {MOST_BAND_BYTES:,} fit",
        )
    expected = (plane.width, band.rows, plane.index_bits)
    try:
        header = read_header(band.png)
        raw = inflate_band(band.png, max_bytes=raw_bytes) if header == expected else b""
    except LensFileError as error:
        where = f"Tensor {quoted(tensor.name)}, band {number}: {error.sentence}"
        raise LensFileError(where, slug=error.slug) from error
    if header != expected:
        _refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} is a picture of (width, height, bits) {header}; "
            f"expected {expected}",
        )
    _check_pixels(tensor, plane, raw, number=number, rest=rest)


def _check_pixels(
    tensor: TensorRecord, plane: Plane, raw: bytes, *, number: int, rest: int
) -> None:
    """Raw scanlines: every index in the palette, zeros after the last one."""
    stride = scanline_bytes(plane.width, plane.index_bits)
    # The filter bytes are 0 now, as is the first index: they need not be cut out.
    raw = unfilter(raw, stride)
    if raw.translate(None, _bytes_within(tensor.palette_size, plane.index_bits)):
        _refuse(
            tensor,
            slug="lens-index",
            what=f"band {number} has an index beyond its palette of {tensor.palette_size} values",
        )
    row_bits = 8 * (stride - 1)
    padding = row_bits - plane.width * plane.index_bits
    if padding and raw[stride - 1 :: stride].translate(None, _bytes_ending_in_zeros(padding)):
        _refuse(tensor, slug="lens-rest", what=f"band {number} has bits after the end of a row")
    unused = padding + rest * plane.index_bits
    last_row = int.from_bytes(raw[-(stride - 1) :], "big")
    if last_row & ((1 << unused) - 1):
        _refuse(tensor, slug="lens-rest", what=f"band {number} has pixels after the last index")


@cache
def _bytes_within(palette_size: int, index_bits: int) -> bytes:
    """Bytes whose packed indices are all below `palette_size`."""
    mask = (1 << index_bits) - 1
    shifts = range(0, 8, index_bits)
    return bytes(b for b in range(256) if all(b >> s & mask < palette_size for s in shifts))


@cache
def _bytes_ending_in_zeros(bits: int) -> bytes:
    return bytes(range(0, 256, 1 << bits))
