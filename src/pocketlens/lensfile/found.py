"""Rows of the table `lens` as they are looked up while a lens is put together.

Every row has to be of use: what nobody refers to, nobody has judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from typing import TypeVar

from pocketlens.base.errors import LensFileError
from pocketlens.lensfile.bad_row import bad_row
from pocketlens.lensfile.schema import USUAL_KIND, Row
from pocketlens.lensfile.words import pairs, wholes

T = TypeVar("T")
MOST_LETTERS = 100_000_000
"""Of names and reasons together, signs for others' names filled in."""


@dataclass(frozen=True)
class Found:
    """A row: its number, from 1, and its columns."""

    number: int
    kind: str
    name: str | None
    list: str | None
    says: str | None
    levels: int | None
    plane: int | None
    error: int | None
    loss: int | None
    numbers: bytes | None
    png: bytes | None

    def has(self, *columns: str) -> None:
        """Judge that no column is filled but these. Raises LensFileError 'lens-bad-row'."""
        for column in _COLUMNS:
            if column not in columns and getattr(self, column) is not None:
                bad_row(self.number, f"has a {column!r}, which its kind has not")

    def read(self, reader: Callable[[str], T], text: str) -> T:
        """What a reader of `words` makes of a text. Raises LensFileError 'lens-bad-row'."""
        try:
            return reader(text)
        except ValueError as error:
            bad_row(self.number, f"cannot be read: {error}")

    def pairs(
        self, known: Iterable[str] | None = None, *, bare: Collection[str] = ()
    ) -> dict[str, str]:
        """What the row says; only keys that are known, if given, those of `bare` without `=`."""
        found = self.read(lambda text: pairs(text, bare=bare), self.says or "")
        unknown = [] if known is None else [key for key in found if key not in set(known)]
        if unknown:
            bad_row(self.number, f"says {unknown[0]!r:.40}, which its kind does not")
        return found

    def listed(self) -> tuple[int, ...]:
        """The whole numbers of its list."""
        return self.read(wholes, self.list or "")


_COLUMNS = tuple(field.name for field in fields(Found) if field.name not in ("number", "kind"))


def _found(number: int, row: Row) -> Found:
    kind, *others = row[: 1 + len(_COLUMNS)]
    return Found(number, USUAL_KIND if kind is None else kind, *others)  # type: ignore[arg-type]


class Rowbook:
    """All rows by kind and number, and which of them have been of use."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = [_found(number, row) for number, row in enumerate(rows, 1)]
        self._used: set[int] = set()
        self._letters_left = MOST_LETTERS

    def every(self, *kinds: str) -> list[Found]:
        """Rows of these kinds; they are of use."""
        found = [row for row in self.rows if row.kind in kinds]
        self._used.update(row.number for row in found)
        return found

    def only(self, kind: str) -> Found:
        """The one row of a kind."""
        row = self.at_most_one(kind)
        if row is None:
            bad_row(0, f"of kind {kind!r} is missing")
        return row

    def at_most_one(self, kind: str) -> Found | None:
        """The one row of a kind, or None."""
        found = self.every(kind)
        if len(found) > 1:
            bad_row(found[1].number, f"is another of kind {kind!r}; there is one")
        return found[0] if found else None

    def row(self, number: int, *kinds: str, caller: Found) -> Found:
        """The row of that number, which is of one of these kinds; it is of use."""
        if not 1 <= number <= len(self.rows) or self.rows[number - 1].kind not in kinds:
            bad_row(caller.number, f"refers to row {number}, which is no {' or '.join(kinds)}")
        self._used.add(number)
        return self.rows[number - 1]

    def spend(self, letters: int) -> None:
        """Count letters of names and reasons that are made from shorter ones.

        A name of a megabyte may be asked for by every row. Raises LensFileError 'lens-too-large'.
        """
        self._letters_left -= letters
        if self._letters_left < 0:
            raise LensFileError(
                f"Its names and reasons have more than {MOST_LETTERS:,} letters together. It was "
                "not made by Pocketlens.",
                slug="lens-too-large",
            )

    def check_all_used(self) -> None:
        """Judge that no row is left over. Raises LensFileError 'lens-bad-row'."""
        for row in self.rows:
            if row.number not in self._used:
                bad_row(row.number, f"of kind {row.kind!r:.40} belongs to nothing")
