"""The bytes of a lens: rows in, the finished SQLite file out. Same rows, same bytes.

The database is built in memory, VACUUMed and handed out as bytes, so that every write to disk
is one that can be checked, fsynced and renamed. Three fields of SQLite's header
(https://www.sqlite.org/fileformat2.html, 1.3) say which library wrote and how often; they are
set to constants here, and the rest follows from the rows.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct

from pocketlens.base.progress import Progress, silent
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.rows import to_drafts
from pocketlens.lensfile.schema import (
    APPLICATION_ID,
    OPTIONAL_TABLES,
    VERSION,
    Rows,
    tables,
)
from pocketlens.lensfile.seal import sealed

PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
"""Large pages suit large blobs (4 bytes a page point to the next), small pages small lenses."""

_WRITES = 1
_WRITER = 3_036_000


def smallest_image(contents: LensContents, *, progress: Progress = silent) -> bytes:
    """The database file of a lens, in the page size and the order of rows that suit it best.

    Sizes are tried from small to large until two in a row bring nothing; of two equal files the
    one with smaller pages wins. The contents have been checked.
    """
    drafts = to_drafts(contents)
    best, worse = b"", 0
    for done, page_bytes in enumerate(PAGE_SIZES):
        progress("lens file", done, len(PAGE_SIZES))
        image = build_image(drafts.rows(page_bytes=page_bytes), page_bytes=page_bytes)
        worse = 0 if not best or len(image) < len(best) else worse + 1
        if not worse:
            best = image
        if worse == 2:
            break
    progress("lens file", len(PAGE_SIZES), len(PAGE_SIZES))
    return best


def build_image(rows: Rows, *, page_bytes: int = PAGE_SIZES[0]) -> bytes:
    """The database file that holds `rows`, in their order, and their seal."""
    return _image(sealed(rows), page_bytes)


def _image(rows: Rows, page_bytes: int) -> bytes:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute(f"PRAGMA page_size = {page_bytes}")
        database.execute("PRAGMA auto_vacuum = NONE")
        database.execute("PRAGMA temp_store = MEMORY")  # VACUUM would use a temporary file
        database.execute("PRAGMA encoding = 'UTF-8'")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {VERSION}")
        database.execute("BEGIN")
        for table in tables().values():
            if rows[table.name] or table.name not in OPTIONAL_TABLES:
                database.execute(table.statement)
                database.executemany(table.insert, rows[table.name])
        database.execute("COMMIT")
        database.execute("VACUUM")
        return _without_history(database.serialize())


def _without_history(image: bytes) -> bytes:
    """Set the change counter, the version it is valid for and SQLite's version to constants."""
    header = bytearray(image[:100])
    struct.pack_into(">I", header, 24, _WRITES)
    struct.pack_into(">II", header, 92, _WRITES, _WRITER)
    return bytes(header) + image[100:]
