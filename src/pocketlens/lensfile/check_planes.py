"""Judges the pictures of a lens, each once, down to the last pixel: rows, bands, runs of tensors.

Fast without NumPy: bytes.translate() deletes the bytes that are allowed, at memory speed, and
what is left over is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from pocketlens.base.errors import LensFileError
from pocketlens.graph.attributes import quoted
from pocketlens.lensfile.contents import Plane, TensorRecord
from pocketlens.lensfile.plane_uses import PlaneUse, plane_uses
from pocketlens.lensfile.rules import MOST_SIZE, is_whole
from pocketlens.lensfile.unfilter import unfilter
from pocketlens.planes.plane import INDEX_BITS, MOST_BAND_BYTES, Band
from pocketlens.planes.scanlines import inflate_band, read_header, scanline_bytes

AGAIN = "Make the lens again from the model."


def refuse(tensor: TensorRecord, *, slug: str, what: str) -> NoReturn:
    """Raise a LensFileError about a tensor."""
    raise LensFileError(f"Tensor {quoted(tensor.name)} is wrong: {what}. {AGAIN}", slug=slug)


@dataclass(frozen=True)
class _Run:
    """Pixels [start, stop) of a plane: a tensor's, all below `limit`."""

    tensor: TensorRecord
    start: int
    stop: int
    limit: int


def check_planes(tensors: tuple[TensorRecord, ...], *, pixels: bool = True) -> None:
    """Judge all planes and masks of tensors whose other fields are known to be good.

    pixels  False: only where pictures belong and how large they are. For whoever hands every band
            to the core, which judges every pixel by the same rules
    Raises LensFileError.
    """
    ones: dict[int, int] = {}  # of the mask of a tensor, by the tensor's number
    for use in plane_uses(tensors):
        first = tensors[use.readers[0]]
        if use.plane.index_bits not in INDEX_BITS:
            refuse(
                first,
                slug="lens-plane",
                what=f"it has pixels of {use.plane.index_bits!r:.40} bits; expected 1, 2, 4 or 8",
            )
        runs = _runs(use, tensors, ones)
        counted = pixels or use.is_mask or first.mask is None  # else the mask's pixels know
        told = runs[-1].stop if counted else use.plane.width * use.plane.rows
        _check_rows(first, use.plane, told)
        for band_number, band in enumerate(use.plane.bands):
            _check_header(first, use.plane, band, number=band_number)
        if not pixels:
            ones[use.readers[0]] = 0
            continue
        seen = _check_bands(first, use.plane, runs)
        if use.is_mask:
            ones[use.readers[0]] = seen
            if not seen:
                refuse(first, slug="lens-plane", what="its mask stands for every index")


def _runs(
    use: PlaneUse, tensors: tuple[TensorRecord, ...], ones: dict[int, int]
) -> tuple[_Run, ...]:
    """Which pixels are whose: one tensor's after the other's, from the first pixel on."""
    number, *others = use.readers
    tensor = tensors[number]
    if use.is_mask or any(tensors[reader].mask is not None for reader in use.readers):
        if others:
            refuse(tensor, slug="lens-plane", what="it has a mask, and yet it shares a plane")
        if not use.is_mask:
            return (_Run(tensor, 0, ones[number], tensor.numbers - 1),)
        if use.plane.index_bits != 1:
            refuse(tensor, slug="lens-plane", what="its mask has more than a bit a pixel")
        return (_Run(tensor, 0, math.prod(tensor.shape), 2),)
    runs: list[_Run] = []
    at = 0
    for tensor in (tensors[reader] for reader in use.readers):
        if tensor.first_pixel != at:
            refuse(
                tensor,
                slug="lens-plane",
                what=f"it begins at pixel {tensor.first_pixel:,} of a plane of "
                f"{len(use.readers)} tensors; expected pixel {at:,}",
            )
        start, at = at, at + math.prod(tensor.shape)
        runs.append(_Run(tensor, start, at, tensor.numbers))
    if at > MOST_SIZE:
        refuse(tensor, slug="lens-plane", what=f"its plane has more than {MOST_SIZE:,} pixels")
    return tuple(runs)


def _check_rows(tensor: TensorRecord, plane: Plane, pixels: int) -> None:
    if not is_whole(plane.width, 1, pixels):
        refuse(
            tensor,
            slug="lens-plane",
            what=f"its plane is {plane.width!r:.40} pixels wide, for {pixels:,} indices",
        )
    rows = -(-pixels // plane.width)
    heights = [band.rows for band in plane.bands]
    if not all(is_whole(height, 1, rows) for height in heights) or sum(heights) != rows:
        refuse(
            tensor,
            slug="lens-plane",
            what=f"its bands have {sum(heights):,} rows together, or one "
            f"has none; its plane has {rows:,}",
        )
    if any(height != heights[0] for height in heights[:-1]) or heights[-1] > heights[0]:
        refuse(tensor, slug="lens-plane", what="its bands are not of equal height, the last aside")


def _check_bands(tensor: TensorRecord, plane: Plane, runs: tuple[_Run, ...]) -> int:
    """The number of bits that are 1 in all pixels: of a mask, its ones."""
    start = ones = 0
    for number, band in enumerate(plane.bands):
        raw = _inflate(tensor, plane, band, number=number)
        stop = start + band.rows * plane.width
        _check_padding(tensor, plane, raw, number=number)
        _check_rest(tensor, plane, raw, number=number, rest=max(stop - runs[-1].stop, 0))
        for run in runs:
            _check_run(run, plane, raw, number=number, start=start, stop=stop)
        if plane.index_bits == 1:
            ones += int.from_bytes(raw, "big").bit_count()
        start = stop
    return ones


def _check_header(tensor: TensorRecord, plane: Plane, band: Band, *, number: int) -> None:
    """Sizes of a band, and that its picture says the same of itself."""
    if len(band.png) > MOST_BAND_BYTES:
        refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} has {len(band.png):,} bytes; at most {MOST_BAND_BYTES:,} fit",
        )
    raw_bytes = band.rows * scanline_bytes(plane.width, plane.index_bits)
    if raw_bytes > MOST_BAND_BYTES:
        refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} inflates to {raw_bytes:,} bytes; at most {MOST_BAND_BYTES:,} fit",
        )
    expected = (plane.width, band.rows, plane.index_bits)
    try:
        header = read_header(band.png)
    except LensFileError as error:
        raise _told_where(tensor, error, number=number) from error
    if header != expected:
        refuse(
            tensor,
            slug="lens-band",
            what=f"band {number} is a picture of (width, height, bits) {header}; "
            f"expected {expected}",
        )


def _inflate(tensor: TensorRecord, plane: Plane, band: Band, *, number: int) -> bytes:
    """Raw scanlines, filters undone; their filter bytes are 0."""
    stride = scanline_bytes(plane.width, plane.index_bits)
    try:
        raw = inflate_band(band.png, max_bytes=stride * band.rows)
    except LensFileError as error:
        raise _told_where(tensor, error, number=number) from error
    return unfilter(raw, stride)


def _told_where(tensor: TensorRecord, error: LensFileError, *, number: int) -> LensFileError:
    where = f"Tensor {quoted(tensor.name)}, band {number}: {error.sentence}"
    return LensFileError(where, slug=error.slug)


def _check_padding(tensor: TensorRecord, plane: Plane, raw: bytes, *, number: int) -> None:
    """Bits between the last pixel of a row and the end of its last byte are 0."""
    stride = scanline_bytes(plane.width, plane.index_bits)
    padding = 8 * (stride - 1) - plane.width * plane.index_bits
    if padding and raw[stride - 1 :: stride].translate(None, _bytes_ending_in_zeros(padding)):
        refuse(tensor, slug="lens-rest", what=f"band {number} has bits after the end of a row")


def _check_rest(tensor: TensorRecord, plane: Plane, raw: bytes, *, number: int, rest: int) -> None:
    """The last `rest` pixels of the last row are beyond the last index and have to be 0."""
    if not rest:
        return
    stride = scanline_bytes(plane.width, plane.index_bits)
    unused = 8 * (stride - 1) - (plane.width - rest) * plane.index_bits
    if int.from_bytes(raw[-(stride - 1) :], "big") & ((1 << unused) - 1):
        refuse(tensor, slug="lens-rest", what=f"band {number} has pixels after the last index")


def _check_run(run: _Run, plane: Plane, raw: bytes, *, number: int, start: int, stop: int) -> None:
    """A tensor's pixels in a band of pixels [start, stop): every index in the palette."""
    allowed = _bytes_within(run.limit, plane.index_bits)
    for piece in _pieces(plane, raw, max(run.start, start) - start, min(run.stop, stop) - start):
        if piece.translate(None, allowed):
            refuse(
                run.tensor,
                slug="lens-index",
                what=f"band {number} has an index beyond its {run.limit} values",
            )


def _pieces(plane: Plane, raw: bytes, start: int, stop: int) -> Iterator[bytes]:
    """The bytes of pixels [start, stop) of a band, 0 where others' pixels stand beside them.

    Whole rows come with their filter byte, which is 0: the first index, which every palette has.
    """
    if start >= stop:
        return
    stride = scanline_bytes(plane.width, plane.index_bits)
    (first, x), (last, end) = divmod(start, plane.width), divmod(stop, plane.width)
    if x and first < last:
        yield _part(plane, raw, first, x, plane.width)
        first, x = first + 1, 0
    if first < last:
        yield raw[first * stride : last * stride]
        first = last
    if x < end and first == last:
        yield _part(plane, raw, last, x, end)


def _part(plane: Plane, raw: bytes, row: int, start: int, stop: int) -> bytes:
    """Pixels [start, stop) of a row; others' in the first and the last byte are made 0."""
    bits = plane.index_bits
    at = row * scanline_bytes(plane.width, bits) + 1
    first, last = start * bits // 8, -(-stop * bits // 8)
    part = bytearray(raw[at + first : at + last])
    part[0] &= 0xFF >> (start * bits % 8)
    part[-1] &= 0xFF00 >> ((stop * bits - 1) % 8 + 1) & 0xFF
    return bytes(part)


@cache
def _bytes_within(limit: int, index_bits: int) -> bytes:
    """Bytes whose packed indices are all below `limit`."""
    mask = (1 << index_bits) - 1
    shifts = range(0, 8, index_bits)
    return bytes(b for b in range(256) if all(b >> s & mask < limit for s in shifts))


@cache
def _bytes_ending_in_zeros(bits: int) -> bytes:
    return bytes(range(0, 256, 1 << bits))
