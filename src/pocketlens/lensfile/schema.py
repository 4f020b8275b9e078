"""The tables of a lens, as the one SQL string that defines them.

docs/format/lens.md shows this string; `python tools/paste.py` puts it there. Change it only
together with VERSION, and write down in VERSIONS what changed.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import dataclass
from functools import cache

VERSION = 2
"""PRAGMA user_version of the lenses that this code writes and reads."""

VERSIONS = {
    1: "The first one: nine tables.",
    2: "Two tables whose rows may stand in any order; shapes of arrays and bit depths are derived; "
    "shared planes, masks, even palettes and losses. 10 kB less beside the planes.",
}
"""What each version of the schema changed. Version 1 was never released; 2 does not read it."""

APPLICATION_ID = 0x4C454E53
"""PRAGMA application_id: "LENS" in ASCII. Tells a lens from any other SQLite database."""

SCHEMA = """
-- The network. Rows call each other by their number (rowid): 1, 2, 3, ... from the top.
CREATE TABLE lens (
    kind TEXT,      -- what the row is: see docs/format/lens.md, "Kinds of rows"; NULL: a palette
    name TEXT,      -- for people; what a photo, an operator or a tensor is called
    list TEXT,      -- whole numbers with commas: rows that an operator reads, axes of a tensor
    says TEXT,      -- key=value and spaces: attributes, settings, how a tensor is kept
    levels INTEGER, -- of an even palette, whose numbers are an offset and a step
    plane INTEGER,  -- row with the picture that a tensor shares
    error INTEGER,  -- of a tensor, relative and squared: 6703 is 67e-03, two digits and -exponent
    loss INTEGER,   -- nats a photo that coding a tensor costs, as foreseen: 1204 is 12e-04
    numbers BLOB,   -- little-endian: palettes, ascending, or values; a SHA-256
    png BLOB        -- picture of palette indices, at most 1,000,000 bytes: save it and look
);

-- Classes in the order of the scores, then the tree of what they are kinds of, parents first.
-- Not there where the classes have no names: then they are class 0, class 1, ...
CREATE TABLE labels (
    name TEXT NOT NULL, -- for people
    wnid INTEGER,       -- WordNet id without its "n": 2099601 is n02099601; or NULL
    parent INTEGER      -- number of the row that this is a kind of, or NULL
);
"""
"""The tables with a comment on each of them and on every column."""

OPTIONAL_TABLES = frozenset({"labels"})
"""Not in a lens where they would have no rows."""

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
Rows = dict[str, list[Row]]
"""The rows of every table, by table, in order."""

SEALED_KIND = "lens"
"""Kind of the one row whose `numbers` are the seal."""

USUAL_KIND = "palette"
"""Kind of a row that has NULL in its place."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL type, whether NULL may stand there."""

    name: str
    kind: str
    optional: bool


@dataclass(frozen=True)
class Table:
    """A table: its name, the statement stored in the file, its columns."""

    name: str
    statement: str
    columns: tuple[Column, ...]

    @property
    def select(self) -> str:
        """The only query that is ever run on it, up to its row limit: row number, columns."""
        names = ", ".join(column.name for column in self.columns)
        return f"SELECT rowid, {names} FROM {self.name} ORDER BY rowid LIMIT ?"

    @property
    def insert(self) -> str:
        """The statement that adds a row."""
        places = ", ".join("?" for _ in self.columns)
        return f"INSERT INTO {self.name} VALUES ({places})"


@cache
def tables() -> dict[str, Table]:
    """Every table by name, as SQLite itself understands the schema."""
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        statements = _statements()
        for statement in statements:
            database.execute(statement)
        found = {}
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        for name, statement in zip(names, statements, strict=True):
            columns = database.execute(f"PRAGMA table_info({name})")
            found[name] = Table(
                name,
                statement,
                tuple(
                    Column(column, kind, optional=not required)
                    for _, column, kind, required, *_ in columns
                ),
            )
    return found


def _statements() -> list[str]:
    """CREATE TABLE statements as a lens stores them: without comments, closed up."""
    text = re.sub(r"--[^\n]*", "", SCHEMA)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([(),;])\s*", r"\1", text)
    return [statement.strip() for statement in text.split(";") if statement.strip()]
