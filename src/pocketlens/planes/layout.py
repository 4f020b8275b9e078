"""How a tensor's indices become rows of a picture, and rows bands. No NumPy here."""

from __future__ import annotations

from typing import NamedTuple

from pocketlens.planes.plane import MOST_BAND_BYTES
from pocketlens.planes.scanlines import scanline_bytes

LEAST_ROW_BYTES = 2_048
"""A row's filter byte costs up to a byte: one in 2,048 is lost in the noise (0.02% measured)."""

BAND_BYTES = 990_000
"""Raw scanlines of a band. Deflate cannot make them longer than a band's 1,000,000 bytes."""


class Layout(NamedTuple):
    """width: pixels a row; rows: of the plane; band_rows: of every band but the last."""

    width: int
    rows: int
    band_rows: int


def choose_layout(count: int, row_length: int, index_bits: int) -> Layout:
    """Choose the plane of `count` indices (at least 1) of `index_bits` bits.

    row_length  indices of one output: count / outputs

    One output is one row where that makes rows of at least LEAST_ROW_BYTES; smaller outputs
    share a row, a whole number of them; an output too long for a band is wrapped.
    """
    least_pixels = LEAST_ROW_BYTES * 8 // index_bits
    together = max(1, -(-least_pixels // row_length))
    most_pixels = (BAND_BYTES - 1) * 8 // index_bits
    width = min(row_length * together, count, most_pixels)
    band_rows = BAND_BYTES // scanline_bytes(width, index_bits)
    assert band_rows * scanline_bytes(width, index_bits) <= MOST_BAND_BYTES
    return Layout(width, -(-count // width), band_rows)
