"""The order of rows that takes the fewest pages, by SQLite's own rules of what fits where.

A row longer than a page leaves between M and X of its bytes in a leaf of the b-tree and the rest
in overflow pages of its own (https://www.sqlite.org/fileformat2.html, sections 1.5 and 1.6): what
stays is the remainder that makes its overflow pages full. In an order that does not look at
this, a third of the leaves is empty. Leaves are filled in row order, so the order is the packing:
large rows first-fit by falling size, then operators and the largest of the other rows that fit
in the gaps.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pocketlens.lensfile.schema import Row, Value

_LEAF_HEADER_BYTES = 8
_POINTER_BYTES = 2
_MOST_LOOKED_AT = 4096
"""Rows that are tried for one gap: with more, packing would take longer than it is worth."""


@dataclass(frozen=True)
class Item:
    """A row to be placed; `fixed` ones keep their order among each other."""

    row: Row
    fixed: bool


def packed(items: Sequence[Item], *, page_bytes: int) -> list[int]:
    """Places of the items in the order in which they are to be written."""
    room = page_bytes - _LEAF_HEADER_BYTES
    cells = [cell_bytes(item.row, rows=len(items), page_bytes=page_bytes) for item in items]
    large = [p for p, item in enumerate(items) if not item.fixed and cells[p] > room // 4]
    bins = _first_fit(sorted(large, key=lambda p: -cells[p]), cells, room=room)
    chosen = set(large)
    small = [place for place in range(len(items)) if place not in chosen]
    fixed = deque(place for place in small if items[place].fixed)
    free = sorted((p for p in small if not items[p].fixed), key=lambda p: cells[p])
    order: list[int] = []
    for bin_ in bins:
        gap = room - sum(cells[place] for place in bin_)
        order += _fill(fixed, free, cells, gap=gap) + bin_
    while fixed or free:
        order += _fill(fixed, free, cells, gap=room) or [fixed.popleft()]
    return order


def cell_bytes(row: Row, *, rows: int, page_bytes: int) -> int:
    """Bytes that a row takes in a leaf, its pointer included, where `rows` is the last number."""
    texts = [value.encode("utf-8") if isinstance(value, str) else value for value in row]
    lengths = [len(value) if isinstance(value, bytes) else 0 for value in texts]
    heads = 1 + sum(map(_head_bytes, row, lengths))
    payload = heads + sum(lengths) + sum(map(_whole_bytes, row))
    local = local_bytes(payload, page_bytes=page_bytes)
    overflow = 4 if local < payload else 0
    return _POINTER_BYTES + _varint_bytes(payload) + _varint_bytes(rows) + local + overflow


def local_bytes(payload: int, *, page_bytes: int) -> int:
    """Bytes of a row's payload that stay in its leaf (file format, section 1.6)."""
    most = page_bytes - 35
    least = (page_bytes - 12) * 32 // 255 - 23
    if payload <= most:
        return payload
    rest = least + (payload - least) % (page_bytes - 4)
    return rest if rest <= most else least


def _head_bytes(value: Value, length: int) -> int:
    """Bytes of a value's type; of texts and blobs their length is in it (section 2.1)."""
    return _varint_bytes(13 + 2 * length) if isinstance(value, str | bytes) else 1


def _whole_bytes(value: Value) -> int:
    """Bytes of a whole number after its type, which says 0 and 1 by itself."""
    if not isinstance(value, int) or value in (0, 1):
        return 0
    bits = (value if value >= 0 else ~value).bit_length() + 1
    return next(size for size in (1, 2, 3, 4, 6, 8) if bits <= 8 * size)


def _varint_bytes(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


def _first_fit(places: list[int], cells: Sequence[int], *, room: int) -> list[list[int]]:
    """First-fit by falling size: places in bins of at most `room`."""
    bins: list[list[int]] = []
    gaps: list[int] = []
    for place in places:
        start = max(0, len(gaps) - _MOST_LOOKED_AT)
        fits = (at for at in range(start, len(gaps)) if gaps[at] >= cells[place])
        at = next(fits, None)
        if at is None:
            at = len(gaps)
            gaps.append(room)
            bins.append([])
        bins[at].append(place)
        gaps[at] -= cells[place]
    return bins


def _fill(fixed: deque[int], free: list[int], cells: Sequence[int], *, gap: int) -> list[int]:
    """Take what fits in a gap: from `fixed` the next ones, then of `free` always the largest.

    free  by rising size
    """
    taken: list[int] = []
    while fixed and cells[fixed[0]] <= gap:
        gap -= cells[fixed[0]]
        taken.append(fixed.popleft())
    while True:
        at = bisect_right(free, gap, key=lambda place: cells[place]) - 1
        if at < 0:
            return taken
        gap -= cells[free[at]]
        taken.append(free.pop(at))
