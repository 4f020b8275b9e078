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

VERSION = 1
"""PRAGMA user_version of the lenses that this code writes; older ones it reads, newer not."""

VERSIONS = {1: "The first one."}
"""What each version of the schema changed."""

APPLICATION_ID = 0x4C454E53
"""PRAGMA application_id: "LENS" in ASCII. Tells a lens from any other SQLite database."""

SCHEMA = """
-- The lens itself and where it comes from. One row; empty texts where something is not known.
CREATE TABLE lens (
    name TEXT NOT NULL,          -- of the network, for people
    input TEXT NOT NULL,         -- name of the array that is handed in
    input_shape TEXT NOT NULL,   -- [1, channels, height, width], JSON list
    output TEXT NOT NULL,        -- name of the array that is handed out: the scores
    source_name TEXT NOT NULL,   -- file name of the original model, without folder
    source_sha256 TEXT NOT NULL, -- SHA-256 of the original's bytes, hex
    licence TEXT NOT NULL,       -- SPDX name or text of the licence
    made_by TEXT NOT NULL,       -- program and version
    settings TEXT NOT NULL,      -- of the compression, JSON object
    seal BLOB NOT NULL           -- SHA-256 over all rows, see docs/format/lens.md, "The seal"
);

-- How a photo becomes the input: resize, crop, order channels, (pixel - mean) / scale. One row.
CREATE TABLE recipe (
    resize TEXT NOT NULL,           -- "none", "exact" (warp) or "shorter" (keep aspect ratio)
    resize_height INTEGER NOT NULL, -- pixels; for "shorter" those of the shorter side
    resize_width INTEGER NOT NULL,  -- pixels
    filter TEXT NOT NULL,           -- resampling filter, by Pillow's name in lower case
    height INTEGER NOT NULL,        -- of the crop and the input, pixels
    width INTEGER NOT NULL,         -- of the crop and the input, pixels
    channels TEXT NOT NULL,         -- "rgb", "bgr" or "gray": order in the input
    mean TEXT NOT NULL,             -- one number a channel, input order, 0..255, JSON list
    scale TEXT NOT NULL,            -- one number a channel, JSON list
    mean_picture BLOB NOT NULL      -- empty, or a mean for every pixel (then mean is all 0), half
                                    -- precision, little-endian: channels x height x width
);

-- Classes, in the order of the scores. No rows where they have no names: then class 0, class 1...
CREATE TABLE labels (
    number INTEGER PRIMARY KEY,  -- of the class, from 0
    name TEXT NOT NULL,          -- for people
    wnid INTEGER,                -- WordNet id without its "n": 2099601 is n02099601; or NULL
    branch INTEGER               -- number of the most specific branch it hangs from, or NULL
);

-- What labels are kinds of: a tree from general to specific.
CREATE TABLE branches (
    number INTEGER PRIMARY KEY,  -- from 0; a parent comes before its children
    parent INTEGER,              -- number of the more general branch, or NULL at the top
    name TEXT NOT NULL           -- for people
);

-- Operators at work, in running order.
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,  -- from 0
    op TEXT NOT NULL,            -- operator, see docs/format/plan.md
    name TEXT NOT NULL,          -- for people, from the original model
    inputs TEXT NOT NULL,        -- names of arrays and tensors, "" where one is absent, JSON list
    output TEXT NOT NULL,        -- name of the array that it makes
    shape TEXT NOT NULL,         -- sizes of that array's axes for one photo, JSON list
    attributes TEXT NOT NULL     -- of the operator, JSON object; neutral ones are left out
);

-- Weights and constants, in the order in which nodes first read them.
CREATE TABLE tensors (
    number INTEGER PRIMARY KEY,  -- from 0
    name TEXT NOT NULL,          -- as nodes call it
    shape TEXT NOT NULL,         -- sizes of its axes, the first one counts outputs, JSON list
    fate TEXT NOT NULL,          -- "palette", "half" or "float": how its values are kept
    reason TEXT NOT NULL,        -- why this fate
    error REAL NOT NULL,         -- sum (w - original)^2 / sum original^2
    palette_size INTEGER,        -- values in each palette; this and the next three are NULL
                                 -- where the fate is not "palette"
    group_rows INTEGER,          -- outputs that share a palette
    index_bits INTEGER,          -- bits a pixel of its plane: 1, 2, 4 or 8
    plane_width INTEGER          -- pixels a row of its plane
);

-- Pictures of palette indices, in bands from top to bottom. Save a png and look at it.
CREATE TABLE planes (
    number INTEGER PRIMARY KEY,  -- from 0, in the order of tensors and bands
    tensor INTEGER NOT NULL,     -- number of the tensor
    band INTEGER NOT NULL,       -- from 0, top to bottom
    height INTEGER NOT NULL,     -- rows of pixels in this band
    png BLOB NOT NULL            -- grayscale PNG of bit depth index_bits, at most 1,000,000 bytes
);

-- One run of little-endian numbers, tensor after tensor: for each its palettes (half precision,
-- palette after palette, each ascending) or its values (half precision or float32, by its fate).
CREATE TABLE numbers (
    number INTEGER PRIMARY KEY,  -- from 0
    data BLOB NOT NULL           -- 1,000,000 bytes, fewer in the last row
);

-- Measurements, oldest first. Rates in percent, intervals of 95%.
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY,    -- from 0
    dataset TEXT NOT NULL,         -- for people
    dataset_sha256 TEXT NOT NULL,  -- SHA-256 over its sorted (file hash, label) pairs, hex
    photos INTEGER NOT NULL,       -- how many were classified
    crops INTEGER NOT NULL,        -- views averaged: 1, 5 or 10
    top1_missing REAL NOT NULL,    -- top-1 missing rate
    top1_low REAL NOT NULL,        -- its interval
    top1_high REAL NOT NULL,       -- its interval
    top5_missing REAL,             -- top-5 missing rate; NULL with fewer than 6 classes
    top5_low REAL,                 -- its interval
    top5_high REAL,                -- its interval
    against TEXT NOT NULL,         -- what it was paired with, or empty
    difference REAL,               -- top-1 missing rate minus that of against; NULL if not paired
    difference_low REAL,           -- its interval
    difference_high REAL,          -- its interval
    flips INTEGER,                 -- photos whose first answer differs; NULL if not paired
    engine TEXT NOT NULL,          -- what computed
    version TEXT NOT NULL          -- of Pocketlens
);
"""
"""The tables with a comment on each of them and on every column."""

Value = int | float | str | bytes | None
Row = tuple[Value, ...]
Rows = dict[str, list[Row]]
"""The rows of every table, by table, in order."""

NO_SEAL = b""
"""Stands in the rows of `lens` until they are sealed."""


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
        """The only query that is ever run on it, up to its row limit."""
        names = ", ".join(column.name for column in self.columns)
        return f"SELECT {names} FROM {self.name} ORDER BY rowid LIMIT ?"

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
                    Column(column, kind, optional=not (required or key))
                    for _, column, kind, required, _, key in columns
                ),
            )
    return found


def _statements() -> list[str]:
    """CREATE TABLE statements as a lens stores them: without comments, closed up."""
    text = re.sub(r"--[^\n]*", "", SCHEMA)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s*([(),;])\s*", r"\1", text)
    return [statement.strip() for statement in text.split(";") if statement.strip()]
