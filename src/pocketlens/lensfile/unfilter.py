"""Undoes PNG's row filters without NumPy (PNG specification, third edition, section 9).

PNG optimisers choose filters where they save bytes, so a lens may hold them. Indices of at most
8 bits are filtered against the byte one to the left. About 10 MB/s where a row needs a loop;
most planes have no filters at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable


def unfilter(scanlines: bytes, stride: int) -> bytes:
    """Scanlines of `stride` bytes with their filters undone and their filter bytes set to 0.

    scanlines  as planes.scanlines.inflate_band returns them: filter bytes are 0 to 4
    """
    if not any(scanlines[::stride]):
        return scanlines
    rows = []
    above = bytes(stride - 1)
    for start in range(0, len(scanlines), stride):
        row = scanlines[start + 1 : start + stride]
        above = _UNDO[scanlines[start]](row, above)
        rows.append(b"\0" + above)
    return b"".join(rows)


def _none(row: bytes, _: bytes) -> bytes:
    return row


def _sub(row: bytes, _: bytes) -> bytes:
    return bytes(total & 255 for total in itertools.accumulate(row))


def _up(row: bytes, above: bytes) -> bytes:
    """Byte-wise sums without carries, all at once in one long integer."""
    low = int.from_bytes(b"\x7f" * len(row), "big")
    a, b = int.from_bytes(row, "big"), int.from_bytes(above, "big")
    total = ((a & low) + (b & low)) ^ ((a ^ b) & ~low)
    return total.to_bytes(len(row), "big")


def _average(row: bytes, above: bytes) -> bytes:
    left, out = 0, bytearray()
    for byte, up in zip(row, above, strict=True):
        left = (byte + (left + up) // 2) & 255
        out.append(left)
    return bytes(out)


def _paeth(row: bytes, above: bytes) -> bytes:
    left = corner = 0
    out = bytearray()
    for byte, up in zip(row, above, strict=True):
        guess = left + up - corner
        to_left, to_up, to_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
        if to_left <= to_up and to_left <= to_corner:
            nearest = left
        else:
            nearest = up if to_up <= to_corner else corner
        left, corner = (byte + nearest) & 255, up
        out.append(left)
    return bytes(out)


_UNDO: tuple[Callable[[bytes, bytes], bytes], ...] = (_none, _sub, _up, _average, _paeth)
