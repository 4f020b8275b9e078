"""Reads a lens, trusting nothing in it.

The order matters: the header before SQLite sees the file, SQLite's defences before the schema,
the schema (byte for byte ours) before any table, types and bounds before values, the seal
before meaning. SQL is never run from the file: tables only, no views, triggers, indexes or
generated columns. After https://www.sqlite.org/security.html, "Untrusted SQLite database files".
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

from pocketlens.base.errors import LensFileError
from pocketlens.base.unreadable import cannot_read
from pocketlens.lensfile.assemble import assemble
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.check import check_contents
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.header import HEADER_BYTES, check_header
from pocketlens.lensfile.schema import OPTIONAL_TABLES, Column, Row, Rows, Table, tables
from pocketlens.lensfile.seal import sealed

MOST_FILE_BYTES = 2 * 1024**3
MOST_ROW_BYTES = 1_100_000
"""A band of 1,000,000 bytes and what stands beside it."""
MOST_ROWS = 2**18
"""Of any table."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: MOST_ROW_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 3,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 10,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_TYPES = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}


def read_lens(path: Path, *, pixels: bool = True) -> LensContents:
    """Read a lens and judge every byte of it that means something.

    pixels  False: planes are not inflated, their pixels not looked at. For whoever hands every
            plane to the core, which judges them by the same rules: to do it once is enough
    Raises FileError 'no-such-file', 'is-a-folder', 'cannot-read'; LensFileError with the slugs
    of docs/errors/lensfile.md and of docs/errors/planes.md.
    """
    file_bytes = _check_file(path)
    try:
        rows = _read_rows(path, file_bytes)
        contents = assemble(rows)
        del rows
        check_contents(contents, pixels=pixels)
    except LensFileError as error:
        raise LensFileError(f"Cannot open '{path}'. {error.sentence}", slug=error.slug) from error
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where a text is damaged
        raise LensFileError(
            f"Cannot open '{path}'. It is damaged ({error}). Copy the lens again, or make it "
            "again from the model.",
            slug="lens-damaged",
        ) from error
    return contents


def _check_file(path: Path) -> int:
    """The file's size, its header judged. Raises FileError, LensFileError."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError("it is no regular file")
        with path.open("rb") as file:
            file_bytes = os.fstat(file.fileno()).st_size
            header = file.read(HEADER_BYTES)
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:  # a NUL in the name
        raise cannot_read(path, OSError(str(error))) from error
    try:
        check_header(header, file_bytes)
        if file_bytes > MOST_FILE_BYTES:
            _too_large(f"The file has {file_bytes:,} bytes; a lens has at most {MOST_FILE_BYTES:,}")
    except LensFileError as error:
        raise LensFileError(f"Cannot open '{path}'. {error.sentence}", slug=error.slug) from None
    return file_bytes


def _read_rows(path: Path, file_bytes: int) -> Rows:
    with _database(path) as database:
        budget = _Budget(file_bytes)
        rows: Rows = {name: [] for name in tables()}
        rows |= {table.name: budget.read(database, table) for table in _check_schema(database)}
    if sealed(rows) != rows:
        raise LensFileError(
            "Its rows do not fit its seal: it was damaged or edited. Copy the lens again, or "
            "make it again from the model.",
            slug="lens-damaged",
        )
    return rows


@contextlib.contextmanager
def _database(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, opened read-only, behind every defence that SQLite has."""
    # immutable: no locks, no journal, no write-ahead log beside the file is looked at.
    address = "file:" + quote(os.fsencode(path.absolute())) + "?mode=ro&immutable=1"
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as database:
        for limit, most in _LIMITS.items():
            database.setlimit(limit, most)
        if sys.version_info >= (3, 12):
            database.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, False)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_WRITABLE_SCHEMA, False)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_DQS_DDL, False)
            database.setconfig(sqlite3.SQLITE_DBCONFIG_DQS_DML, False)
        for setting in (
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "mmap_size = 0",
            "cache_size = -256",  # kB; every page is read once
            "query_only = ON",
            "temp_store = MEMORY",
        ):
            database.execute(f"PRAGMA {setting}")
        database.set_authorizer(_only_selects)
        yield database


def _only_selects(action: int, *_: str | None) -> int:
    allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ)
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _check_schema(database: sqlite3.Connection) -> list[Table]:
    """The file's tables, compared with ours byte for byte. What else it has is never looked at."""
    ours = [("table", table.name, table.name, table.statement) for table in tables().values()]
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name LIMIT ?"
    found = list(database.execute(query, (len(ours) + 1,)))
    foreign = next((row for row in found if row not in ours), None)
    missing = tables().keys() - OPTIONAL_TABLES - {row[1] for row in found}
    if foreign is not None or missing or len(found) > len(ours):
        what = (
            "a table is missing"
            if foreign is None
            else f"its {foreign[0]!s:.20} {foreign[1]!r:.60}"
        )
        raise LensFileError(
            f"Its schema is not that of a lens: {what}. It was edited, or made by something "
            "else; make it again from the model.",
            slug="lens-schema",
        )
    return [tables()[row[1]] for row in found]


class _Budget:
    """Reads tables while the bytes of their texts and blobs fit in the file they come from.

    In an honest file every byte belongs to one value; in a hostile one a b-tree may lead to
    the same page a million times.
    """

    def __init__(self, file_bytes: int) -> None:
        self._left = file_bytes

    def read(self, database: sqlite3.Connection, table: Table) -> list[Row]:
        """Every row, its number and types judged: rows count from 1, none is left out.

        Raises LensFileError 'lens-too-large', 'lens-bad-row'.
        """
        rows: list[Row] = []
        for number, *row in database.execute(table.select, (MOST_ROWS + 1,)):
            if len(rows) == MOST_ROWS:
                _too_large(f"Its table '{table.name}' has more than {MOST_ROWS:,} rows")
            if number != len(rows) + 1:
                bad_row(len(rows) + 1, f"has the number {number}", table=table.name)
            for column, value in zip(table.columns, row, strict=True):
                _check_type(table, column, number, value)
                self._left -= len(value) if isinstance(value, (str, bytes)) else 1
            if self._left < 0:
                _too_large(f"Its table '{table.name}' claims more bytes than the file has")
            rows.append(tuple(row))
        return rows


def _check_type(table: Table, column: Column, number: int, value: object) -> None:
    if value is None and column.optional:
        return
    if type(value) is not _TYPES[column.kind]:
        bad_row(number, f"has no {column.kind} in column '{column.name}'", table=table.name)


def _too_large(what: str) -> NoReturn:
    raise LensFileError(f"{what}. It was not made by Pocketlens.", slug="lens-too-large")
