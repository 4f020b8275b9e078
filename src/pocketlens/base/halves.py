"""Numbers in half precision (IEEE 754 binary16, little-endian), judged without NumPy."""

from __future__ import annotations

HALF_BYTES = 2
_ENDLESS = bytes(high for high in range(256) if high & 0x7C == 0x7C)


def halves_are_finite(data: bytes) -> bool:
    """Whether no half in `data` is infinite or NaN: an exponent of five ones in its high byte.

    bytes.translate() deletes such bytes at memory speed; what is shorter then had one.
    """
    high_bytes = data[1::HALF_BYTES]
    return len(high_bytes.translate(None, _ENDLESS)) == len(high_bytes)
