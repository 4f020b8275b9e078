"""Numbers in single precision (IEEE 754 binary32, little-endian), judged without NumPy."""

from __future__ import annotations

import math
import sys
from array import array

FLOAT_BYTES = 4


def floats_are_finite(data: bytes) -> bool:
    """Whether no float in `data`, whole floats, is infinite or NaN.

    In doubles a billion billion of the largest floats still have a finite sum; one that is not
    finite stays in it.
    """
    values = array("f", data)
    if sys.byteorder == "big":
        values.byteswap()
    return math.isfinite(sum(values))
