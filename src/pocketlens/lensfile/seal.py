"""The seal: a SHA-256 over every row, so that a flipped byte never passes for a weight.

It is no signature: it guards against accidents, not against people.
"""

from __future__ import annotations

import hashlib
import struct

from pocketlens.lensfile.schema import SEALED_KIND, Row, Rows, Value, tables


def seal_of(rows: Rows) -> bytes:
    """SHA-256 over all rows, table after table in the order of the schema.

    Of each table the value `name`, then row by row every value; NULL in place of the seal itself,
    the `numbers` of the row of kind "lens". Of each value a letter, its length in bytes as u64
    little-endian, and its bytes:
    i  whole number, decimal ASCII      f  float64, little-endian      t  text, UTF-8
    b  blob                             n  NULL, no bytes
    A table ends with the letter e and the number of its rows as u64. One that is not there counts
    like one without rows.
    """
    digest = hashlib.sha256()
    for name in tables():
        _feed(digest, name)
        for row in rows[name]:
            for value in _with_seal(row, None) if name == "lens" else row:
                _feed(digest, value)
        digest.update(b"e" + struct.pack("<Q", len(rows[name])))
    return digest.digest()


def sealed(rows: Rows) -> Rows:
    """The rows with their seal in its place."""
    seal = seal_of(rows)
    return {**rows, "lens": [_with_seal(row, seal) for row in rows["lens"]]}


def _with_seal(row: Row, seal: bytes | None) -> Row:
    """A row of the table `lens`; the one that holds the seal with this one."""
    if row[0] != SEALED_KIND:
        return row
    *head, _, png = row
    return *head, seal, png


def _feed(digest: hashlib._Hash, value: Value) -> None:
    letter, data = _canonical(value)
    digest.update(letter + struct.pack("<Q", len(data)))
    digest.update(data)


def _canonical(value: Value) -> tuple[bytes, bytes]:
    if value is None:
        return b"n", b""
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, str):
        return b"t", value.encode("utf-8")
    if isinstance(value, float):
        return b"f", struct.pack("<d", value)
    return b"i", b"%d" % value
