"""A band's PNG back to its raw scanlines, strictly and with nothing but zlib and struct.

What a lens holds is judged here byte by byte (PNG specification, third edition, sections 5 to 11):
the signature, every chunk's length, type, order and CRC, the header, and an inflate that can
never give more bytes than the header announces. Grayscale of bit depth 1, 2, 4 or 8, not
interlaced; nothing else is a plane. NumPy stays out, so that reading a lens is light.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from pocketlens.base.errors import LensFileError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_SIDE = 2**31 - 1
LAST_FILTER = 4
_HEADER_BYTES = 13
_FIRST_CHUNK_END = len(SIGNATURE) + 12 + _HEADER_BYTES
_PIECE_BYTES = 1 << 16
_CHUNK_FRAME_BYTES = 12  # length, type, CRC
_ANCILLARY = 0x20  # lower-case first letter: may be skipped
_RESERVED = 0x20  # lower-case third letter: not used by any version of PNG


def read_header(png: bytes) -> tuple[int, int, int]:
    """Read (width, height, bit_depth) of a plane's PNG: pixels, pixels, bits a pixel.

    Only the signature and the first chunk are looked at. Raises LensFileError 'plane-damaged'
    where they are not whole, 'plane-not-grayscale' where the picture is not grayscale of bit
    depth 1, 2, 4 or 8 without interlacing.
    """
    if png[: len(SIGNATURE)] != SIGNATURE:
        raise _damaged("it does not begin with PNG's signature")
    chunk, content, _ = _chunk(png, len(SIGNATURE))
    if chunk != b"IHDR" or len(content) != _HEADER_BYTES:
        raise _damaged("its first chunk is not a PNG header of 13 bytes")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", content
    )
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise _damaged(f"its header says {width} x {height} pixels, which no PNG may have")
    if colour != 0 or depth not in (1, 2, 4, 8) or interlace != 0:
        raise LensFileError(
            f"A band is a PNG of colour type {colour}, bit depth {depth}, interlace {interlace}; "
            "planes are grayscale (colour type 0) of bit depth 1, 2, 4 or 8, not interlaced. "
            "Was the picture edited? Make the lens again from the model.",
            slug="plane-not-grayscale",
        )
    if compression != 0 or filtering != 0:
        raise _damaged(
            f"its header names compression {compression} and filter method {filtering}, "
            "PNG knows only 0 and 0"
        )
    return width, height, depth


def scanline_bytes(width: int, index_bits: int) -> int:
    """Bytes of one raw scanline of `width` pixels: the filter byte and the packed indices."""
    return 1 + (width * index_bits + 7) // 8


def inflate_band(png: bytes, *, max_bytes: int) -> bytes:
    """Inflate a band to its raw scanlines: height x (filter byte 0 to 4, ceil(width x depth / 8)).

    As inflate_rows(), which need not copy them.
    """
    return bytes(inflate_rows(png, max_bytes=max_bytes))


def inflate_rows(png: bytes, *, max_bytes: int) -> bytearray:
    """Inflate a band to its raw scanlines, as inflate_band(), to be changed in place.

    The filters are not undone. `max_bytes` is the most bytes to give back; memory stays below
    that and 200 kB. Raises LensFileError: 'plane-too-large' where the header announces more
    than `max_bytes` (nothing is inflated then), 'plane-damaged', 'plane-not-grayscale'.
    """
    width, height, depth = read_header(png)
    stride = scanline_bytes(width, depth)
    expected = height * stride
    if expected > max_bytes:
        raise LensFileError(
            f"A band of {width} x {height} pixels of {depth} bits would inflate to {expected:,} "
            f"bytes; at most {max_bytes:,} belong there. Make the lens again from the model.",
            slug="plane-too-large",
        )
    raw = _inflate(_image_data(png), expected)
    if max(raw[::stride]) > LAST_FILTER:
        raise _damaged("a row names a PNG filter above 4")
    return raw


def _chunk(png: bytes, at: int) -> tuple[bytes, memoryview, int]:
    """Type, content and end of the chunk at `at`, its CRC checked."""
    if len(png) - at < _CHUNK_FRAME_BYTES:
        raise _damaged(f"it ends at byte {len(png):,}, inside a chunk")
    (length,) = struct.unpack_from(">I", png, at)
    end = at + _CHUNK_FRAME_BYTES + length
    if end > len(png):
        raise _damaged(f"it ends at byte {len(png):,}, a chunk needs it to reach byte {end:,}")
    view, kind = memoryview(png), png[at + 4 : at + 8]
    if not (kind.isalpha() and kind.isascii()) or kind[2] & _RESERVED:
        raise _damaged(f"the chunk at byte {at:,} has a type that no PNG has")
    (checksum,) = struct.unpack_from(">I", png, end - 4)
    if zlib.crc32(view[at + 4 : end - 4]) != checksum:
        raise _damaged(f"the checksum of its chunk {kind.decode()} at byte {at:,} does not fit")
    return kind, view[at + 8 : end - 4], end


def _image_data(png: bytes) -> Iterator[memoryview]:
    """Contents of the IDAT chunks, which must follow each other; IEND must be last."""
    at, seen, over = _FIRST_CHUNK_END, False, False
    while True:
        kind, content, at = _chunk(png, at)
        if kind == b"IDAT":
            if over:
                raise _damaged("another chunk stands between its image data")
            seen = True
            yield content
            continue
        over = seen
        if kind == b"IEND":
            break
        if not kind[0] & _ANCILLARY:
            raise _damaged(f"it has a chunk {kind.decode()}, which no grayscale plane may have")
    if not seen:
        raise _damaged("it has no image data")
    if content or at != len(png):
        raise _damaged("bytes follow where it should end")


def _inflate(chunks: Iterator[memoryview], expected: int) -> bytearray:
    """Piece by piece to where it belongs, so that nothing large is there twice."""
    inflater = zlib.decompressobj()
    raw = bytearray(expected)
    done = 0
    try:
        for piece in _pieces(chunks):
            for out in _outputs(inflater, piece):
                if done + len(out) > expected:
                    raise _not_exactly(expected)
                raw[done : done + len(out)] = out
                done += len(out)
    except zlib.error as error:
        raise _damaged(f"its image data cannot be inflated ({error})") from error
    if done != expected or not inflater.eof or inflater.unused_data:
        raise _not_exactly(expected)
    return raw


def _pieces(chunks: Iterator[memoryview]) -> Iterator[memoryview]:
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE_BYTES):
            yield chunk[start : start + _PIECE_BYTES]


def _outputs(inflater: zlib._Decompress, piece: bytes | memoryview) -> Iterator[bytes]:
    """All that a piece inflates to, a little at a time: whoever has too much can stop."""
    while True:
        out = inflater.decompress(piece, _PIECE_BYTES)
        yield out
        piece = inflater.unconsumed_tail
        if not piece and len(out) < _PIECE_BYTES:  # else more may be waiting inside
            break


def _not_exactly(expected: int) -> LensFileError:
    return _damaged(f"its image data does not inflate to exactly {expected:,} bytes")


def _damaged(what: str) -> LensFileError:
    return LensFileError(
        f"A band's PNG is damaged: {what}. Copy the lens again, or make it again from the model.",
        slug="plane-damaged",
    )
