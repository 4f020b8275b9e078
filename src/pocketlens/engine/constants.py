"""Palette tensors that nothing multiplies with, as the values they stand for.

The core computes from indices only where a conv2d or a linear multiplies with them; biases are
added once an output, and a lens keeps them as indices to be small. They are few, so plain Python
looks them up (no NumPy: opening a lens stays light). Palettes are half precision: so is the value.
"""

from __future__ import annotations

import math
from dataclasses import replace

from pocketlens.base.halves import HALF_BYTES
from pocketlens.graph.shapes import weight_names
from pocketlens.lensfile.check_planes import check_planes
from pocketlens.lensfile.contents import LensContents, Plane, TensorRecord
from pocketlens.lensfile.unfilter import unfilter
from pocketlens.planes.scanlines import inflate_band, scanline_bytes
from pocketlens.planes.trellis import palette_places


def plain_constants(contents: LensContents) -> LensContents:
    """The same lens with half precision in place of palettes wherever a tensor is no weights.

    Raises LensFileError where a plane of such a tensor breaks a rule: the core never sees it.
    """
    weights = weight_names(contents.graph)
    shown = (record for record in contents.tensors if record.plane is not None)
    check_planes(tuple(record for record in shown if record.name not in weights))
    pixels: dict[int, bytes] = {}
    tensors = []
    for record in contents.tensors:
        if record.plane is None or record.name in weights:
            tensors.append(record)
            continue
        if id(record.plane) not in pixels:
            pixels[id(record.plane)] = plane_pixels(record.plane)
        tensors.append(_in_half(record, pixels[id(record.plane)]))
    return replace(contents, tensors=tuple(tensors))


def plane_pixels(plane: Plane) -> bytes:
    """Every pixel of a plane, one a byte, row after row."""
    stride = scanline_bytes(plane.width, plane.index_bits)
    each = 8 // plane.index_bits
    unpacked = [_unpacked(byte, plane.index_bits) for byte in range(256)]
    rows = []
    for band in plane.bands:
        raw = unfilter(inflate_band(band.png, max_bytes=stride * band.rows), stride)
        for start in range(1, len(raw), stride):
            row = raw[start : start + stride - 1]
            spread = row if each == 1 else b"".join(unpacked[byte] for byte in row)
            rows.append(spread[: plane.width])
    return b"".join(rows)


def _unpacked(byte: int, index_bits: int) -> bytes:
    mask = (1 << index_bits) - 1
    return bytes(byte >> shift & mask for shift in range(8 - index_bits, -1, -index_bits))


def _in_half(record: TensorRecord, pixels: bytes) -> TensorRecord:
    count = math.prod(record.shape)
    indices = pixels[record.first_pixel : record.first_pixel + count]
    if record.mask is not None:
        indices = _behind_mask(record, pixels, plane_pixels(record.mask)[:count])
    if record.trellis:
        indices = palette_places(indices, count // record.shape[0])
    size, per_group = record.palette_size, record.group_rows * (count // record.shape[0])
    halves = [
        record.palettes[at : at + HALF_BYTES] for at in range(0, len(record.palettes), HALF_BYTES)
    ]
    values = b"".join(
        halves[place // per_group * size + index] for place, index in enumerate(indices)
    )
    return replace(
        record,
        fate="half",
        values=values,
        palette_size=0,
        group_rows=0,
        palettes=b"",
        plane=None,
        first_pixel=0,
        mask=None,
        common=0,
        affine=None,
        trellis=False,
    )


def _behind_mask(record: TensorRecord, pixels: bytes, mask: bytes) -> bytes:
    rest = iter(pixels)
    out = bytearray()
    for told in mask:
        index = next(rest) if told else record.common
        out.append(index + 1 if told and index >= record.common else index)
    return bytes(out)
