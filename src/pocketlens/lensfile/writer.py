"""Writes a lens: built in memory, read back through the reader, and only then put in place."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

from pocketlens.base.errors import LensFileError
from pocketlens.base.files import cannot_write, replacing
from pocketlens.base.progress import Progress, silent
from pocketlens.lensfile.check import check_contents
from pocketlens.lensfile.contents import LensContents, Receipt
from pocketlens.lensfile.image import smallest_image
from pocketlens.lensfile.reader import MOST_FILE_BYTES, read_lens


def write_lens(path: Path, contents: LensContents, *, progress: Progress = silent) -> None:
    """Write `contents` to `path`, whole or not at all. Same contents, same bytes.

    Raises LensFileError where the contents break a rule of docs/errors/lensfile.md, FileError
    'cannot-write' where the folder is missing or read-only or the disk is full. Whatever
    happens, Ctrl-C included, a file that was there before stays as it was until the new one is
    complete, checked and on the disk.
    """
    try:
        check_contents(contents)
        image = smallest_image(contents, progress=progress)
        if len(image) > MOST_FILE_BYTES:
            raise LensFileError(
                f"It would have {len(image):,} bytes; a lens has at most {MOST_FILE_BYTES:,}. "
                "Choose fewer bits.",
                slug="lens-too-large",
            )
    except sqlite3.Error as error:
        raise cannot_write(path, OSError(str(error))) from error
    except LensFileError as error:
        raise LensFileError(f"Cannot write '{path}'. {error.sentence}", slug=error.slug) from error
    with replacing(path) as temporary:
        temporary.write_bytes(image)
        if read_lens(temporary) != contents:
            raise LensFileError(
                f"Cannot write '{path}'. Read back, it differs from what was written. Is the disk "
                "failing? What was there before is untouched.",
                slug="lens-not-as-written",
            )


def add_receipt(path: Path, receipt: Receipt) -> None:
    """Append a receipt to the lens at `path`. Raises what read_lens and write_lens raise."""
    contents = read_lens(path)
    write_lens(path, dataclasses.replace(contents, receipts=(*contents.receipts, receipt)))
