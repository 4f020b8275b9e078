"""Seals: a SHA-256 over the rows of a table, so that a flipped byte never passes for a weight.

A seal is not a signature: it guards against accidents, not against people.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

from pocketlens.lensfile.schema import Row, Rows, Value, content_tables


def seal(rows: Iterable[Row]) -> bytes:
    """SHA-256 over rows: of each value a letter, its length in bytes as u64, and its bytes.

    i  whole number, decimal ASCII      f  float64, little-endian      t  text, UTF-8
    b  blob                             n  NULL, no bytes
    A row ends with the letter r and the number of its values as u64.
    """
    digest = hashlib.sha256()
    for row in rows:
        for value in row:
            letter, data = _canonical(value)
            digest.update(letter + struct.pack("<Q", len(data)))
            digest.update(data)
        digest.update(b"r" + struct.pack("<Q", len(row)))
    return digest.digest()


def seals(rows: Rows) -> list[Row]:
    """The rows of the table `seals` for the rows of all others."""
    return [(table.name, seal(rows[table.name])) for table in content_tables()]


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
