"""The picture of a tensor's palette indices, as plain values. No NumPy here."""

from __future__ import annotations

from dataclasses import dataclass

INDEX_BITS = (1, 2, 4, 8)
MOST_BAND_BYTES = 1_000_000


@dataclass(frozen=True)
class Band:
    """A run of rows of a plane, as one grayscale PNG of bit depth `index_bits`.

    rows   how many rows of the plane
    png    the file's bytes, at most 1,000,000
    """

    rows: int
    png: bytes


@dataclass(frozen=True)
class Plane:
    """The picture of a tensor's palette indices, or of several tensors' one after the other.

    The indices in row-major order of the tensor, wrapped at `width` pixels a row; pixels
    after the last index, if any, are 0.

    width       pixels a row
    index_bits  bits a pixel: 1, 2, 4 or 8
    bands       from top to bottom; all have the same number of rows but the last, which may
                have fewer
    """

    width: int
    index_bits: int
    bands: tuple[Band, ...]

    @property
    def rows(self) -> int:
        """Rows of all bands."""
        return sum(band.rows for band in self.bands)

    @property
    def png_bytes(self) -> int:
        """Bytes of all bands' PNGs."""
        return sum(len(band.png) for band in self.bands)


def index_bits_for(palette_size: int) -> int:
    """Bits of the smallest container that holds indices below `palette_size` (1 to 256)."""
    return next(bits for bits in INDEX_BITS if palette_size <= 1 << bits)
