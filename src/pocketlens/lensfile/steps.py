"""Numbers in half precision that are whole multiples of a step, as 16-bit indices in a picture.

Biases need more than 256 levels and fewer than half precision has. As multiples of the largest
power of two that serves all values of a tensor, they have indices whose high bytes repeat; one
grayscale picture tells those of all such tensors: first every high byte, then every low one. What
is read back are the same bytes, so nothing else knows of it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pocketlens.base.halves import HALF_BYTES
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.found import Found
from pocketlens.lensfile.unfilter import unfilter
from pocketlens.planes.scanlines import inflate_band, read_header, scanline_bytes

MOST_STEPPED = 65_536
"""Values in the picture; what does not fit stays as it is."""

_ZERO = 1 << 15
"""Index of 0."""
_MOST_DENOMINATOR = 1 << 24
_BITS = 8
_ROW_BYTES = 14
"""What a picture takes in the file beside its PNG."""
_OWN_BYTES = HALF_BYTES + 2
"""What a tensor says of its own: the step, the row of the picture."""


@dataclass(frozen=True)
class Stepped:
    """A tensor's values as indices: value = (index - 32768) x step.

    step     half precision
    indices  0 to 65535
    """

    step: bytes
    indices: tuple[int, ...]

    @property
    def values(self) -> bytes:
        """In half precision. Raises OverflowError where one is beyond it."""
        (step,) = struct.unpack("<e", self.step)
        numbers = [(index - _ZERO) * step for index in self.indices]
        return struct.pack(f"<{len(numbers)}e", *numbers)


def stepped(values: bytes) -> Stepped | None:
    """Values in half precision as indices; None where 16 bits do not tell them exactly."""
    numbers = struct.unpack(f"<{len(values) // HALF_BYTES}e", values)
    if not all(number - number == 0 for number in numbers):
        return None
    ratios = [number.as_integer_ratio() for number in numbers]
    most = max((below for _, below in ratios), default=1)
    indices = tuple(above * (most // below) + _ZERO for above, below in ratios)
    if most > _MOST_DENOMINATOR or not all(0 <= index < 2 * _ZERO for index in indices):
        return None
    found = Stepped(struct.pack("<e", 1 / most), indices)
    return found if found.values == values else None  # -0 is not 0


def gathered(tensors: Mapping[int, bytes]) -> tuple[bytes, dict[int, Stepped]]:
    """The picture of all tensors that it makes smaller, and what they say; nothing if it does not.

    tensors  values in half precision by number, in the order in which they will lie
    """
    found: dict[int, Stepped] = {}
    left = MOST_STEPPED
    for number, values in tensors.items():
        count = len(values) // HALF_BYTES
        each = stepped(values) if count <= left else None
        if each is not None and len(values) > _OWN_BYTES:
            found[number] = each
            left -= count
    if not found:
        return b"", {}
    png = _picture([index for each in found.values() for index in each.indices])
    before = sum(len(tensors[number]) for number in found)
    pays = len(png) + _ROW_BYTES + _OWN_BYTES * len(found) < before
    return (png, found) if pays else (b"", {})


def _picture(indices: Sequence[int]) -> bytes:
    import numpy as np

    from pocketlens.planes.encode import encode_shared

    words = np.array(indices, dtype=np.uint16)
    parts = [(words >> 8).astype(np.uint8), (words & 0xFF).astype(np.uint8)]
    plane, _ = encode_shared(parts, index_bits=_BITS)
    (band,) = plane.bands
    return band.png


def values_of(picture: Found, sizes: Sequence[tuple[Found, int]]) -> list[bytes]:
    """Values of the tensors that refer to a picture, in their order.

    sizes  rows of the tensors, and how many values each has
    Raises LensFileError 'lens-bad-row', 'plane-damaged', 'plane-not-grayscale'.
    """
    count = sum(size for _, size in sizes)
    pixels = _pixels(picture, 2 * count)
    at, out = 0, []
    for row, size in sizes:
        high, low = pixels[at : at + size], pixels[count + at : count + at + size]
        if len(row.numbers or b"") != HALF_BYTES:
            bad_row(row.number, "refers to a picture and has no step: 2 bytes")
        indices = tuple(a << 8 | b for a, b in zip(high, low, strict=True))
        try:
            out.append(Stepped(row.numbers or b"", indices).values)
        except (OverflowError, ValueError):
            bad_row(row.number, "has values beyond half precision")
        at += size
    return out


def _pixels(picture: Found, count: int) -> bytes:
    """That many pixels of a picture of 8 bits, and zeros to the end of its last row."""

    def wrong() -> NoReturn:
        bad_row(picture.number, f"is no picture of {count:,} bytes")

    if picture.png is None or count > 2 * MOST_STEPPED:
        wrong()
    width, height, bits = read_header(picture.png)
    if bits != _BITS or not width * (height - 1) < count <= width * height or width > count:
        wrong()
    stride = scanline_bytes(width, bits)
    raw = unfilter(inflate_band(picture.png, max_bytes=stride * height), stride)
    rows = (raw[at + 1 : at + stride] for at in range(0, len(raw), stride))
    pixels = b"".join(rows)
    if any(pixels[count:]):
        wrong()
    return pixels[:count]
