"""A row of the table `lens` before it has a number: links stand where numbers will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pocketlens.lensfile.schema import USUAL_KIND, Row

Key = tuple[str | int, ...]
"""What a row is called while it has no number: its kind, and which of them."""


class Link:
    """Where the number of the row called `key` will stand."""

    def __init__(self, *key: str | int) -> None:
        self.key: Key = key


class Text:
    """A text with links in it."""

    def __init__(self, *parts: str | Link) -> None:
        self._parts = parts

    def told(self, numbers: Mapping[Key, int]) -> str:
        """The text, every link by its number."""
        return "".join(
            str(numbers[part.key]) if isinstance(part, Link) else part for part in self._parts
        )


def links(each: Iterable[Link | None]) -> list[str | Link]:
    """Links with commas; nothing where there is None."""
    parts: list[str | Link] = []
    for position, link in enumerate(each):
        parts += [","] * bool(position) + ([] if link is None else [link])
    return parts


@dataclass(frozen=True)
class Draft:
    """A row-to-be. `fixed` rows keep their order among each other."""

    key: Key
    kind: str
    name: str | None = None
    list: Text | None = None
    says: Text | None = None
    levels: int | None = None
    plane: Link | None = None
    error: int | None = None
    loss: int | None = None
    numbers: bytes | None = None
    png: bytes | None = None
    fixed: bool = False

    def row(self, numbers: Mapping[Key, int]) -> Row:
        """The row, by the numbers of all rows."""
        return (
            None if self.kind == USUAL_KIND else self.kind,
            self.name,
            None if self.list is None else self.list.told(numbers),
            None if self.says is None else self.says.told(numbers),
            self.levels,
            None if self.plane is None else numbers[self.plane.key],
            self.error,
            self.loss,
            self.numbers,
            self.png,
        )
