"""A PNG's raw samples, as they stand in the file: grey values or palette indices, never scaled.

Picture libraries show a grey picture of 4 bits as 0, 17, ..., 255; an index must stay 0 to 15.
After the PNG specification, third edition, sections 5 to 11: every chunk's length and checksum are
judged, and inflating stops at what the header announces.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.base.files import cannot_read
from pocketlens.planes.decode import undo_filters
from pocketlens.planes.packing import unpack_rows
from pocketlens.planes.scanlines import LAST_FILTER, SIGNATURE, scanline_bytes

GREY, PALETTE = 0, 3
_COLOURS = {0: "grey", 2: "colour", 3: "palette", 4: "grey with alpha", 6: "colour with alpha"}
_SPARE_BYTES = 1 << 20
"""Texts and the like that a picture may carry."""
_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


@dataclass(frozen=True)
class Samples:
    """A picture of indices.

    values  uint8 (rows, width), below 2^bits
    bits    a sample: 1, 2, 4 or 8
    colour  GREY or PALETTE
    """

    values: NDArray[np.uint8]
    bits: int
    colour: int


def read_samples(path: Path, *, height: int, width: int) -> Samples:
    """Read a picture that has to be height x width pixels: nothing is inflated before that is
    known. Raises FileError; ModelError 'ccv-plane', 'ccv-plane-size'.
    """
    most = 2 * height * (width + 1) + _SPARE_BYTES
    try:
        with path.open("rb") as file:
            png = file.read(most + 1)
    except OSError as error:
        raise cannot_read(path, error) from error
    if len(png) > most:
        raise _bad(path, f"it has more than {most:,} bytes for {width} x {height} pixels")
    chunks = _chunks(path, png)
    kind, content = next(chunks)
    if kind != b"IHDR" or len(content) != 13:
        raise _bad(path, "its first chunk is no header")
    bits, colour = _header(path, content, height=height, width=width)
    stride = scanline_bytes(width, bits)
    data = b"".join(content for kind, content in chunks if kind == b"IDAT")
    raw = _inflated(path, data, height * stride)
    scanlines = np.frombuffer(raw, np.uint8).reshape(height, stride)
    if scanlines[:, 0].max() > LAST_FILTER:
        raise _bad(path, "a row names a filter that PNG does not have")
    return Samples(unpack_rows(undo_filters(scanlines), width, bits), bits, colour)


def _header(path: Path, content: bytes, *, height: int, width: int) -> tuple[int, int]:
    """Bits a sample and colour type of a header that fits."""
    columns, rows, bits, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", content
    )
    if colour not in (GREY, PALETTE) or bits not in (1, 2, 4, 8):
        raise _bad(
            path,
            f"it is {_COLOURS.get(colour, 'of no known colour')} of {bits} bits; indices are grey "
            "or palette of 1, 2, 4 or 8 bits, without alpha",
        )
    if compression or filtering or interlace:
        raise _bad(path, "it is interlaced" if interlace else "it is packed as no PNG is")
    if (columns, rows) != (width, height):
        raise ModelError(
            f"'{path.name}' has {columns} x {rows} pixels (width x height); the layer has "
            f"{width} inputs and {height} outputs, so it takes {width} x {height}",
            slug="ccv-plane-size",
        )
    return bits, colour


def _chunks(path: Path, png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of every chunk up to IEND, checksums judged."""
    if png[: len(SIGNATURE)] != SIGNATURE:
        raise _bad(path, "it is no PNG")
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if len(png) - at < 12:
            raise _bad(path, "it is cut short")
        (length,) = struct.unpack_from(">I", png, at)
        kind, end = png[at + 4 : at + 8], at + 12 + length
        if end > len(png):
            raise _bad(path, "it is cut short")
        if zlib.crc32(png[at + 4 : end - 4]) != struct.unpack_from(">I", png, end - 4)[0]:
            raise _bad(path, f"the checksum of the chunk at byte {at:,} does not fit")
        if kind not in _CRITICAL and not kind[0] & 0x20:
            raise _bad(path, f"it has a chunk {kind!r:.20} that nobody knows")
        yield kind, png[at + 8 : end - 4]
        at = end


def _inflated(path: Path, data: bytes, expected: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        raw = inflater.decompress(data, expected + 1)
    except zlib.error as error:
        raise _bad(path, f"its pixels cannot be inflated ({error})") from error
    if len(raw) != expected or not inflater.eof:
        raise _bad(path, f"its pixels are not exactly {expected:,} bytes")
    return raw


def _bad(path: Path, why: str) -> ModelError:
    return ModelError(
        f"'{path.name}' is no picture of indices: {why}. Save it as an 8-bit grey PNG, one pixel "
        "an index",
        slug="ccv-plane",
    )
