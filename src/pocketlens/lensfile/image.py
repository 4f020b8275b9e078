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
from pocketlens.lensfile.schema import APPLICATION_ID, VERSION, Rows, tables
from pocketlens.lensfile.seal import sealed

PAGE_SIZES = (4096, 2048, 1024, 512)
"""Large pages suit large blobs (4 bytes a page point to the next), small pages small lenses."""

LARGE_BYTES = 64 * 1024 * 1024
"""From here on the pointers of the largest pages are 0.1%, and trying the others costs seconds."""

_WRITES = 1
_WRITER = 3_036_000


def build_image(rows: Rows, *, progress: Progress = silent) -> bytes:
    """The database file that holds `rows` and their seal, with the page size that suits best.

    Up to LARGE_BYTES of content every page size is tried and the smallest file wins (the larger
    page of two equals).
    """
    rows = sealed(rows)
    sizes = PAGE_SIZES if _content_bytes(rows) < LARGE_BYTES else PAGE_SIZES[:1]
    best = b""
    for done, page_bytes in enumerate(sizes):
        progress("lens file", done, len(sizes))
        image = _image(rows, page_bytes)
        if not best or len(image) < len(best):
            best = image
    progress("lens file", len(sizes), len(sizes))
    return best


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


def _content_bytes(rows: Rows) -> int:
    blobs = (
        value
        for table_rows in rows.values()
        for row in table_rows
        for value in row
        if isinstance(value, bytes)
    )
    return sum(map(len, blobs))
