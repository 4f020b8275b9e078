"""The sentence for a row that does not hold what its kind needs."""

from __future__ import annotations

from typing import NoReturn

from pocketlens.base.errors import LensFileError

AGAIN = "Copy the lens again, or make it again from the model."


def bad_row(number: int, what: str, *, table: str = "lens") -> NoReturn:
    """Raise LensFileError 'lens-bad-row'; rows count from 1."""
    raise LensFileError(f"Row {number} of its table '{table}' {what}. {AGAIN}", slug="lens-bad-row")
