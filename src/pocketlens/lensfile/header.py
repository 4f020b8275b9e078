"""The first 100 bytes of a lens, judged before SQLite opens it.

Layout: https://www.sqlite.org/fileformat2.html, section 1.3; numbers are big-endian.
"""

from __future__ import annotations

import struct

from pocketlens.base.errors import LensFileError
from pocketlens.lensfile.schema import APPLICATION_ID, VERSION

HEADER_BYTES = 100
MAGIC = b"SQLite format 3\0"
_AGAIN = "Copy the lens again, or make it again from the model."


def check_header(header: bytes, file_bytes: int) -> None:
    """Judge the header of a file of `file_bytes`.

    header  the file's first 100 bytes, or all where it has fewer
    Raises LensFileError 'lens-empty', 'lens-not-sqlite', 'lens-truncated', 'lens-foreign',
    'lens-older',
    'lens-newer' or 'lens-damaged'.
    """
    if file_bytes == 0:
        raise LensFileError(f"It is empty: 0 bytes. {_AGAIN}", slug="lens-empty")
    if header[: len(MAGIC)] != MAGIC[: len(header)]:
        raise LensFileError(
            "It is not a lens: a lens is an SQLite database, and this file does not begin like "
            "one. Is it another kind of model file, or encrypted?",
            slug="lens-not-sqlite",
        )
    if len(header) < HEADER_BYTES:
        raise _truncated(file_bytes, "100 are its header")
    _check_identity(header)
    _check_length(header, file_bytes)


def _check_identity(header: bytes) -> None:
    (application_id,) = struct.unpack_from(">I", header, 68)
    (version,) = struct.unpack_from(">I", header, 60)
    if application_id != APPLICATION_ID:
        raise LensFileError(
            f"It is an SQLite database, but not a lens: its application id is "
            f"{application_id:#x}, a lens has {APPLICATION_ID:#x}.",
            slug="lens-foreign",
        )
    if version > VERSION:
        raise LensFileError(
            f"It has version {version} of the lens format; this Pocketlens knows version "
            f"{VERSION}. Install a newer Pocketlens.",
            slug="lens-newer",
        )
    if 0 < version < VERSION:
        raise LensFileError(
            f"It has version {version} of the lens format, from before the first release; this "
            f"Pocketlens knows version {VERSION}. Make the lens again from the model.",
            slug="lens-older",
        )
    if version < 1:
        raise LensFileError(
            f"It says it has version {version}, which no lens has. {_AGAIN}", slug="lens-damaged"
        )


def _check_length(header: bytes, file_bytes: int) -> None:
    (page_bytes,) = struct.unpack_from(">H", header, 16)
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    (pages,) = struct.unpack_from(">I", header, 28)
    if page_bytes < 512 or page_bytes & (page_bytes - 1):
        raise LensFileError(
            f"Its pages are said to have {page_bytes} bytes, which SQLite does not know. {_AGAIN}",
            slug="lens-damaged",
        )
    if file_bytes < pages * page_bytes:
        raise _truncated(file_bytes, f"{pages * page_bytes:,} were written")
    if file_bytes > pages * page_bytes:
        raise LensFileError(
            f"It has {file_bytes:,} bytes; {pages * page_bytes:,} were written. {_AGAIN}",
            slug="lens-damaged",
        )


def _truncated(file_bytes: int, expected: str) -> LensFileError:
    return LensFileError(
        f"It is cut short: it has {file_bytes:,} bytes, and {expected}. {_AGAIN}",
        slug="lens-truncated",
    )
