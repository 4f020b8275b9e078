"""A plane back to the indices: the plain statement of what its pictures mean.

All five filters of PNG (section 9.2) are undone, for a PNG optimiser may have chosen any. With at
most 8 bits a pixel, "the pixel to the left" is always the byte to the left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import LensFileError
from pocketlens.planes.packing import unpack_rows
from pocketlens.planes.plane import MOST_BAND_BYTES, Band, Plane
from pocketlens.planes.scanlines import inflate_band, read_header, scanline_bytes

Bytes = NDArray[np.uint8]


def decode_plane(plane: Plane, count: int) -> Bytes:
    """Decode the first `count` indices (at least 1) of a plane: uint8 (count,).

    Raises LensFileError 'plane-mismatch' where the pictures are not those that the plane and the
    count announce, and as scanlines.inflate_band does.
    """
    rows = -(-count // plane.width)
    announced = plane.rows
    if announced != rows:
        raise _mismatch(f"it has {announced:,} rows; {count:,} indices need {rows:,}")
    pixels = np.concatenate([_decode_band(plane, band) for band in plane.bands]).reshape(-1)
    if pixels[count:].any():
        raise _mismatch("pixels after the last index are not 0")
    return pixels[:count]


def decode_indices(
    plane: Plane, count: int, *, first_pixel: int = 0, mask: Plane | None = None, common: int = 0
) -> Bytes:
    """Decode a tensor's `count` indices (at least 1): uint8 (count,).

    plane        of its own, or shared with other tensors
    first_pixel  where in `plane` its pixels begin
    mask         None, or a plane of 1 bit an index: where it is 0, the index is `common`; where it
                 is 1, it is the next pixel p of `plane`, or p + 1 from `common` upwards
    common       at most 255

    Which pixels of a shared plane belong to nobody is not known here; they are not judged. Raises
    as decode_plane().
    """
    if mask is None:
        return _decode_run(plane, count, first_pixel)
    if first_pixel:
        raise _mismatch("it has a mask, and yet its pixels do not begin at the plane's first")
    others = decode_plane(mask, count).astype(bool)
    ones = int(others.sum())
    if mask.index_bits != 1 or not ones:
        raise _mismatch("its mask is not a picture of 1 bit, or stands for every index")
    rest = decode_plane(plane, ones)
    if int(rest.max()) >= 255 and common <= 255:
        raise _mismatch("its plane has an index above 255 beside its mask")
    indices = np.full(count, common, np.uint8)
    indices[others] = rest + (rest >= common)
    return indices


def _decode_run(plane: Plane, count: int, first_pixel: int) -> Bytes:
    """`count` pixels of a plane, from `first_pixel`."""
    end = first_pixel + count
    if first_pixel < 0 or end > plane.rows * plane.width:
        raise _mismatch(
            f"it has {plane.rows * plane.width:,} pixels; a tensor's reach from pixel "
            f"{first_pixel:,} to {end:,}"
        )
    parts, at = [], 0
    for band in plane.bands:
        pixels = band.rows * plane.width
        if at < end and at + pixels > first_pixel:
            part = _decode_band(plane, band).reshape(-1)
            parts.append(part[max(first_pixel - at, 0) : end - at])
        at += pixels
    return np.concatenate(parts)


def decode_png(png: bytes) -> Bytes:
    """Decode one band's PNG to its pixels: uint8 (rows, width). Raises as inflate_band does."""
    width, rows, index_bits = read_header(png)
    stride = scanline_bytes(width, index_bits)
    raw = inflate_band(png, max_bytes=MOST_BAND_BYTES)
    scanlines = np.frombuffer(raw, np.uint8).reshape(rows, stride)
    return unpack_rows(undo_filters(scanlines), width, index_bits)


def undo_filters(scanlines: Bytes) -> Bytes:
    """Undo the filter that each row's first byte names: (rows, 1 + n) to (rows, n)."""
    if not scanlines[:, 0].any():
        return scanlines[:, 1:]
    out = np.zeros((len(scanlines), scanlines.shape[1] - 1), np.uint8)
    above = np.zeros(out.shape[1], np.uint8)
    for row, line in enumerate(scanlines):
        above = out[row] = _UNDO[int(line[0])](line[1:], above)
    return out


def _decode_band(plane: Plane, band: Band) -> Bytes:
    seen = read_header(band.png)
    expected = (plane.width, band.rows, plane.index_bits)
    if seen != expected:
        raise _mismatch(
            "a band is {} x {} pixels of {} bits".format(*seen)
            + ", not {} x {} of {}".format(*expected)
        )
    return decode_png(band.png)


def _undo_none(line: Bytes, above: Bytes) -> Bytes:  # noqa: ARG001
    return line


def _undo_sub(line: Bytes, above: Bytes) -> Bytes:  # noqa: ARG001
    return np.cumsum(line, dtype=np.uint8)


def _undo_up(line: Bytes, above: Bytes) -> Bytes:
    return line + above


def _undo_average(line: Bytes, above: Bytes) -> Bytes:
    left = 0
    out = bytearray(line.tobytes())
    for i, up in enumerate(above.tobytes()):
        left = out[i] = (out[i] + (left + up) // 2) & 255
    return np.frombuffer(bytes(out), np.uint8)


def _undo_paeth(line: Bytes, above: Bytes) -> Bytes:
    left = corner = 0
    out = bytearray(line.tobytes())
    for i, up in enumerate(above.tobytes()):
        left = out[i] = (out[i] + _paeth(left, up, corner)) & 255
        corner = up
    return np.frombuffer(bytes(out), np.uint8)


def _paeth(left: int, up: int, corner: int) -> int:
    """Whichever is nearest to left + up - corner; ties go to left, then up."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner


_UNDO: tuple[Callable[[Bytes, Bytes], Bytes], ...] = (
    _undo_none,
    _undo_sub,
    _undo_up,
    _undo_average,
    _undo_paeth,
)


def _mismatch(what: str) -> LensFileError:
    return LensFileError(
        f"A tensor's plane is not what the lens announces: {what}. Copy the lens again, or make "
        "it again from the model.",
        slug="plane-mismatch",
    )
