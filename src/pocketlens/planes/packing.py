"""Indices to the bytes of PNG scanlines and back: first pixel in the high bits (PNG, 7.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def pack_rows(indices: Bytes, index_bits: int) -> Bytes:
    """Pack (rows, width) indices below 2^index_bits to (rows, ceil(width x index_bits / 8))."""
    if index_bits == 8:
        return np.ascontiguousarray(indices)
    if index_bits == 1:
        return np.packbits(indices, axis=1)
    each = 8 // index_bits
    rows, width = indices.shape
    padded = np.pad(indices, ((0, 0), (0, -width % each))).reshape(rows, -1, each)
    packed = padded[:, :, 0].copy()
    for place in range(1, each):
        packed <<= np.uint8(index_bits)
        packed |= padded[:, :, place]
    return packed


def unpack_rows(packed: Bytes, width: int, index_bits: int) -> Bytes:
    """Undo pack_rows: (rows, width) indices."""
    if index_bits == 8:
        return packed
    if index_bits == 1:
        return np.unpackbits(packed, axis=1, count=width)
    shifts = np.arange(8 - index_bits, -1, -index_bits, dtype=np.uint8)
    mask = np.uint8((1 << index_bits) - 1)
    indices = (packed[:, :, None] >> shifts) & mask
    return indices.reshape(len(packed), -1)[:, :width]
