"""What the rows of `compression.py` amount to: bytes at equal KL and at equal top-1.

A row is a JSON line of benchmarks/results/compression.jsonl. Nothing here measures anything, so
the docs can be checked against the rows without a model or a photo.
docs/design/0003-compression-peers.md says what is compared with what.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from pocketlens.evaluation.statistics import paired_interval

Row = dict[str, Any]
Needs = Callable[[list[Row], Row], float | None]

LEDGER = Path(__file__).parent / "results" / "compression.jsonl"
OURS, TUNED, FLOAT = "pocketlens", "pocketlens tuned", "float"
LEVELS = (0.005, 0.01, 0.02, 0.045, 0.13)
MOST_KL = 1.0
"""Beyond it, in nats a photo, a network answers nearly at random: such files are not compared."""
BELOW_8_BITS = 0.25
"""Of the float file: eight bits a weight."""


def read_rows(path: Path) -> list[Row]:
    """Rows of a ledger, oldest first; a line that a kill cut short is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue  # its row is measured again
    return rows


def newest_rows(rows: list[Row], model: str, part: str) -> list[Row]:
    """The last row of every point of a model, peers together, each from its largest file on."""
    newest = {
        (row["peer"], json.dumps(row["point"])): row
        for row in rows
        if row["model"] == model and row["part"] == part
    }
    peers = list(dict.fromkeys(sorted((peer for peer, _ in newest), key=_rank)))
    return sorted(newest.values(), key=lambda r: (peers.index(r["peer"]), -r.get("bytes", 0)))


def by_peer(rows: list[Row], model: str, part: str) -> dict[str, list[Row]]:
    """The newest rows of a model that have a result, by peer."""
    found: dict[str, list[Row]] = {}
    for row in newest_rows(rows, model, part):
        if "kl" in row:
            found.setdefault(row["peer"], []).append(row)
    return found


def front_of(rows: list[Row]) -> list[Row]:
    """Rows from the smallest file on, without those whose KL a smaller file has too."""
    front: list[Row] = []
    for row in sorted(rows, key=lambda row: (row["bytes"], row["kl"])):
        if row["kl"] > 0 and (not front or row["kl"] < front[-1]["kl"]):
            front.append(row)
    return front


def bytes_at(rows: list[Row], kl: float) -> float | None:
    """Bytes that a peer needs for a KL, between its two nearest points; None beyond them.

    Straight lines between logarithms, along the points that no smaller file equals.
    """
    for small, large in pairwise(front_of(rows)):
        if large["kl"] <= kl <= small["kl"]:
            share = math.log(small["kl"] / kl) / math.log(small["kl"] / large["kl"])
            return float(small["bytes"] * (large["bytes"] / small["bytes"]) ** share)
    return None


def bytes_within(rows: list[Row], kl: float) -> float | None:
    """Bytes for a KL or a better one: the smallest file where even that one is better."""
    front = front_of(rows)
    if front and front[0]["kl"] <= kl:
        return float(front[0]["bytes"])
    return bytes_at(rows, kl)


def bytes_for_top1(rows: list[Row], right: int) -> int | None:
    """The smallest file with at least so many right first answers; None where there is none."""
    sizes: list[int] = [row["bytes"] for row in rows if row["top1_right"] >= right]
    return min(sizes, default=None)


def bytes_not_worse(rows: list[Row], peer: Row) -> int | None:
    """The smallest file whose top-1 the paired 95% interval does not call worse than a peer's.

    None as well where one of them was not counted photo by photo.
    """
    if not all("right" in row for row in [*rows, peer]):
        return None
    sizes: list[int] = [row["bytes"] for row in rows if not is_worse(row, peer)]
    return min(sizes, default=None)


def is_worse(row: Row, other: Row) -> bool:
    """Whether the paired 95% interval of what a row misses more than another is above nothing."""
    mine, others = (int.from_bytes(bytes.fromhex(r["right"]), "big") for r in (row, other))
    lost, won = (others & ~mine).bit_count(), (mine & ~others).bit_count()
    return paired_interval(lost, won, row["n"])[0] > 0


@dataclass(frozen=True)
class Saving:
    """A peer's file beside what ours needs for the same."""

    peer: Row
    bytes: float

    @property
    def percent(self) -> float:
        """By which ours is smaller; below nothing where it is larger."""
        return 100 * (1 - self.bytes / float(self.peer["bytes"]))


def savings(ours: list[Row], theirs: list[Row], needs: Needs) -> list[Saving]:
    """One for each of a peer's files that ours can be compared with.

    needs  what ours needs for the same as a peer's row: same_kl, same_top1, bytes_not_worse
    Where our smallest file is better than a peer's and smaller, it is taken, and what it saves is
    the least that there is; where it is better and larger, we have no file to compare.
    """
    alive, others = ([row for row in rows if row["kl"] <= MOST_KL] for rows in (ours, theirs))
    return list(_savings(alive, others, needs))


def _savings(ours: list[Row], theirs: list[Row], needs: Needs) -> Iterator[Saving]:
    if not ours:
        return
    smallest = min(ours, key=lambda row: row["bytes"])
    for row in theirs:
        size = needs(ours, row)
        better = smallest["kl"] < row["kl"] and smallest["top1_right"] > row["top1_right"]
        beyond = size == smallest["bytes"] > row["bytes"] and better
        if size is not None and not beyond:
            yield Saving(row, size)


def same_kl(ours: list[Row], row: Row) -> float | None:
    """What ours needs for the KL of a row, or a better one."""
    return bytes_within(ours, row["kl"]) if row["kl"] > 0 else None


def same_top1(ours: list[Row], row: Row) -> float | None:
    """What ours needs for as many right first answers."""
    return bytes_for_top1(ours, row["top1_right"])


def below_8_bits(found: list[Saving], whole_bytes: int) -> list[Saving]:
    """Those where our file has fewer than 8 bits a weight."""
    return [saving for saving in found if saving.bytes < BELOW_8_BITS * whole_bytes]


def _rank(peer: str) -> int:
    """The float network and ours stand first."""
    first = (FLOAT, OURS, TUNED)
    return first.index(peer) if peer in first else len(first)
