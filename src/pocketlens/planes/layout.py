"""How a tensor's indices become rows of a picture, and rows bands. No NumPy here."""

from __future__ import annotations

from typing import NamedTuple

from pocketlens.planes.scanlines import scanline_bytes

LONG_ROW_BYTES = 2_048
"""Above this an output has a row of its own: filter bytes then cost whole models below 0.1%."""

SHARED_ROW_BYTES = 8_192
"""Small outputs share rows of at most so many bytes."""

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

    An output of at least LONG_ROW_BYTES is a row. Smaller outputs share a row, a whole number of
    them up to SHARED_ROW_BYTES: the number that spends the fewest bytes on filter bytes and on
    pixels left over in the last row. A tensor that fits in such a row is one row; an output too
    long for a band is wrapped.
    """
    most_pixels = (BAND_BYTES - 1) * 8 // index_bits
    shared_pixels = SHARED_ROW_BYTES * 8 // index_bits
    if count <= shared_pixels:
        width = count
    elif row_length * index_bits >= LONG_ROW_BYTES * 8:
        width = min(row_length, most_pixels)
    else:
        choices = range(row_length, shared_pixels + 1, row_length)
        width = min(choices, key=lambda width: _spent_bits(count, width, index_bits))
    band_rows = BAND_BYTES // scanline_bytes(width, index_bits)
    return Layout(width, -(-count // width), band_rows)


def choose_even_layout(count: int, index_bits: int) -> Layout:
    """Choose the plane of `count` indices (at least 1) that have no rows of their own.

    As few rows of at most SHARED_ROW_BYTES as hold them, all of one length, whole bytes where
    there is more than one.
    """
    each = 8 // index_bits
    rows = -(-count // (SHARED_ROW_BYTES * each))
    width = count if rows == 1 else -(-count // (rows * each)) * each
    return Layout(width, -(-count // width), BAND_BYTES // scanline_bytes(width, index_bits))


def _spent_bits(count: int, width: int, index_bits: int) -> int:
    """Bits of scanlines that are not indices."""
    return -(-count // width) * scanline_bytes(width, index_bits) * 8 - count * index_bits
