"""The smallest PNG writer that a plane needs: grayscale, filter 0, Huffman-only deflate.

Picture libraries do not write bit depth 2 and 4, and their LZ77 spends bytes on matches that
palette indices do not have: packed to the true bit depth, unfiltered and only Huffman-coded, the
file stays within 1% of the entropy of the indices.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.planes.deflate import deflate
from pocketlens.planes.packing import pack_rows
from pocketlens.planes.scanlines import SIGNATURE

_GRAYSCALE = 0


def write_png(
    indices: NDArray[np.uint8],
    index_bits: int,
    *,
    cuts: Sequence[tuple[int, int]] = (),
    stored: bool = False,
) -> bytes:
    """Write (rows, width) indices below 2^index_bits as a PNG of that bit depth.

    cuts    (row, pixel) at which what follows may have other statistics
    stored  leave the bytes as they are: for a plane that goes to no file

    Chunks IHDR, IDAT, IEND and no others. Same indices and cuts, same bytes.
    """
    rows, width = indices.shape
    packed = pack_rows(indices, index_bits)
    scanlines = np.zeros((rows, packed.shape[1] + 1), np.uint8)  # filter byte 0: none
    scanlines[:, 1:] = packed
    stride = scanlines.shape[1]
    places = [row * stride + 1 + pixel * index_bits // 8 for row, pixel in cuts]
    raw = scanlines.tobytes()
    data = zlib.compress(raw, level=0) if stored else deflate(raw, cuts=places)
    return wrap_png(data, width=width, rows=rows, index_bits=index_bits)


def wrap_png(data: bytes, *, width: int, rows: int, index_bits: int) -> bytes:
    """The PNG of a zlib stream of scanlines: chunks IHDR, IDAT, IEND and no others."""
    header = struct.pack(">IIBBBBB", width, rows, index_bits, _GRAYSCALE, 0, 0, 0)
    return b"".join(
        (SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
