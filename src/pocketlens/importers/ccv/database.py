"""ccv's SQLite file, opened read-only and behind SQLite's defences; nothing in it is trusted.

Only the tables and columns that ccv itself reads are looked at: names count, their order and
declared types do not. What the schema could compute (views, virtual tables, generated columns) is
refused, so a blob is never longer than the file, and lengths are asked before blobs are read.
After https://www.sqlite.org/security.html, "Untrusted SQLite database files".
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from pocketlens.base.errors import ModelError
from pocketlens.base.unreadable import cannot_read

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
MOST_FILE_BYTES = 16 * 1024**3
"""A training checkpoint of the largest published network has less than 3 GB."""
MOST_BLOB_BYTES = 2**31 - 1
MOST_ROWS = 4096
"""Of any table that is read."""
MOST_TEXT = 1000
"""Of bytes where a number belongs: one row is in memory at a time, but all of them are kept."""
MOST_STEPS = 5_000_000
"""Of SQLite's machine in one query: in a hostile file a tree of pages may lead to itself."""

LAYER_COLUMNS = (
    "layer", "type",
    "input_matrix_rows", "input_matrix_cols", "input_matrix_channels", "input_matrix_partition",
    "input_node_count",
    "output_rows", "output_cols", "output_channels", "output_partition", "output_count",
    "output_strides", "output_border", "output_size",
    "output_kappa", "output_alpha", "output_beta", "output_relu",
)  # fmt: skip
TABLES: Mapping[str, Sequence[str]] = {
    "layer_params": LAYER_COLUMNS,
    "convnet_params": ("convnet", "input_height", "input_width", "mean_activity"),
    "layer_data": ("layer", "weight", "bias", "half_precision"),
}
QUANT_TABLE = "layer_quant"
QUANT_COLUMNS = ("layer", "quant")
_YOUNG = {"input_matrix_partition", "output_partition", "output_relu", "half_precision"}
"""Columns that files from before 2014-03 lack."""

Value = int | float | str | bytes | None


@contextlib.contextmanager
def open_database(path: Path) -> Iterator[Database]:
    """The file, judged as far as its tables and columns. Raises FileError; ModelError 'not-ccv',
    'ccv-damaged', 'ccv-schema', 'ccv-too-old', 'ccv-too-large'.

    Whatever SQLite finds wrong inside the block is 'ccv-damaged'.
    """
    file_bytes = _checked_bytes(path)
    # immutable: no locks, no journal, no write-ahead log beside the file is looked at.
    address = "file:" + quote(os.fsencode(path.absolute())) + "?mode=ro&immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as inner:
            _defend(inner, file_bytes)
            yield Database(inner)
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise damaged(str(error)) from error


def read_header(path: Path) -> tuple[bytes, int]:
    """The first 100 bytes of a file, fewer where it has fewer, and its length. Raises FileError.

    Of a pipe nothing: it can be read once, by whoever takes it.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return b"", 0
        with path.open("rb") as file:
            return file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise cannot_read(path, error) from error
    except ValueError as error:  # a NUL in the name
        raise cannot_read(path, OSError(str(error))) from error


class Database:
    """The tables of one network."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._names = _tables(database)
        for table, columns in TABLES.items():
            self._check(table, columns)
        self.has_quant = QUANT_TABLE in self._names
        if self.has_quant:
            self._check(QUANT_TABLE, QUANT_COLUMNS)

    def rows(self, table: str, columns: Sequence[str]) -> list[tuple[Value, ...]]:
        """Columns of every row, given as SQL: names of plain ones, and told() of blobs."""
        query = f"SELECT {', '.join(columns)} FROM {table} NOT INDEXED LIMIT {MOST_ROWS + 1}"
        rows: list[tuple[Value, ...]] = []
        for row in self._database.execute(query):
            if len(rows) == MOST_ROWS:
                raise _too_large(f"its table '{table}' has more than {MOST_ROWS:,} rows")
            if any(len(value) > MOST_TEXT for value in row if isinstance(value, str | bytes)):
                raise _too_large(f"its table '{table}' has a long text where a number belongs")
            rows.append(row)
        return rows

    def blob(self, table: str, column: str, key: str, value: Value) -> bytes:
        """One blob, of the row whose column `key` holds `value`."""
        query = f"SELECT CAST({column} AS BLOB) FROM {table} NOT INDEXED WHERE {key} IS ? LIMIT 2"
        found = self._database.execute(query, (value,)).fetchall()
        if len(found) != 1 or not isinstance(found[0][0], bytes):
            raise damaged(f"its table '{table}' does not hold one row {key} = {value!r:.40}")
        return found[0][0]

    def _check(self, table: str, columns: Sequence[str]) -> None:
        if table not in self._names:
            slug = "ccv-too-old" if table == "convnet_params" else "ccv-schema"
            raise ModelError(f"it has no table '{table}'{_age(slug)}", slug=slug)
        # A virtual table and a view have no page; type and name alone could be anybody's.
        kind, page = self._names[table]
        found = {
            str(row[1]).lower(): row[6]
            for row in self._database.execute(f"PRAGMA table_xinfo({table})")
        }
        if kind != "table" or not page or any(found.get(name) for name in columns):
            raise ModelError(
                f"its '{table}' is not a plain table, but a view or computed", slug="ccv-schema"
            )
        missing = [name for name in columns if name not in found]
        if missing:
            slug = "ccv-too-old" if _YOUNG & set(missing) else "ccv-schema"
            raise ModelError(
                f"its table '{table}' has no column '{missing[0]}'{_age(slug)}", slug=slug
            )


def told(column: str) -> tuple[str, str]:
    """SQL for a blob's type and its length in bytes, without reading it. Like ccv, which asks for
    the bytes of whatever there is, it takes text for a blob: joining blobs in SQL gives text.
    """
    return (
        f"CASE typeof({column}) WHEN 'text' THEN 'blob' ELSE typeof({column}) END",
        f"CASE typeof({column}) WHEN 'text' THEN length(CAST({column} AS BLOB)) "
        f"ELSE length({column}) END",
    )


def damaged(what: str) -> ModelError:
    """The error for a file that is not as SQLite wrote it."""
    return ModelError(f"it is damaged ({what.rstrip('.')}); copy it again", slug="ccv-damaged")


def _too_large(what: str) -> ModelError:
    return ModelError(what, slug="ccv-too-large")


def _age(slug: str) -> str:
    if slug != "ccv-too-old":
        return ""
    return ", so it is from before March 2014; ccv of today does not read it either"


def _checked_bytes(path: Path) -> int:
    header, file_bytes = read_header(path)
    if header[: len(MAGIC)] != MAGIC:
        raise ModelError("it is no SQLite database", slug="not-ccv")
    if len(header) < HEADER_BYTES:
        raise damaged(f"it is cut short: {file_bytes} bytes")
    (page_bytes,) = struct.unpack_from(">H", header, 16)
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    # What is left of a page that was cut SQLite would fill with zeros.
    if page_bytes < 512 or page_bytes & (page_bytes - 1) or file_bytes % page_bytes:
        raise damaged(f"{file_bytes:,} bytes are not whole pages of {page_bytes:,}")
    if file_bytes > MOST_FILE_BYTES:
        raise _too_large(f"it has {file_bytes:,} bytes; at most {MOST_FILE_BYTES:,} are read")
    return file_bytes


def _defend(database: sqlite3.Connection, file_bytes: int) -> None:
    limits = {
        sqlite3.SQLITE_LIMIT_LENGTH: min(max(file_bytes, 100_000), MOST_BLOB_BYTES),
        sqlite3.SQLITE_LIMIT_ATTACHED: 0,
        sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
        sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    }
    for limit, most in limits.items():
        database.setlimit(limit, most)
    settings = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON")
    for setting in settings:
        database.execute(f"PRAGMA {setting}")
    database.set_authorizer(_only_looking)
    database.set_progress_handler(lambda: 1, MOST_STEPS)


def _only_looking(action: int, first: str | None, *_: str | None) -> int:
    allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION) or (
        action == sqlite3.SQLITE_PRAGMA and first == "table_xinfo"
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _tables(database: sqlite3.Connection) -> dict[str, tuple[str, int]]:
    """Type and root page of what is named like one of ccv's tables, whatever its case."""
    names = (*TABLES, QUANT_TABLE)
    marks = ", ".join("?" * len(names))
    query = (
        "SELECT lower(name), type, rootpage FROM sqlite_master "
        f"WHERE lower(name) IN ({marks}) LIMIT 20"
    )
    found = {name: (str(kind), page) for name, kind, page in database.execute(query, names)}
    if "layer_params" not in found:
        raise ModelError(
            "it is an SQLite database, but not a network of ccv's: it has no table 'layer_params'",
            slug="not-ccv",
        )
    return found
