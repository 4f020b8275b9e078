"""Numbers in half precision (IEEE 754 binary16, little-endian), made and judged without NumPy."""

from __future__ import annotations

import struct

HALF_BYTES = 2
_ENDLESS = bytes(high for high in range(256) if high & 0x7C == 0x7C)


def halves_are_finite(data: bytes) -> bool:
    """Whether no half in `data` is infinite or NaN: an exponent of five ones in its high byte.

    bytes.translate() deletes such bytes at memory speed; what is shorter then had one.
    """
    high_bytes = data[1::HALF_BYTES]
    return len(high_bytes.translate(None, _ENDLESS)) == len(high_bytes)


def even_halves(offset: float, step: float, size: int) -> bytes:
    """An affine palette: offset + step x i for every i below `size`, as halves.

    Computed in double precision and rounded once, to the nearest half, ties to even. Raises
    OverflowError where one is beyond half precision.
    """
    return struct.pack(f"<{size}e", *(offset + step * i for i in range(size)))
