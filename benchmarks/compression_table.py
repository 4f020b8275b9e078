"""The ledger of `compression.py`, one JSON line a row, and the table made of it."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

LEDGER = Path(__file__).parent / "results" / "compression.jsonl"
COLUMNS = ("peer", "point", "bytes", "% of float", "KL", "top-1 %", "lost/won", "agree %", "CPU s")

OURS = "pocketlens"
LEVELS = (0.005, 0.01, 0.02, 0.045, 0.13)


class Ledger:
    """Finished rows: those of earlier runs, and new ones as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    self.rows.append(json.loads(line))
                except json.JSONDecodeError:
                    continue  # the line that a kill cut short: its row is measured again

    def holds(self, key: list[str]) -> bool:
        """Whether a row was measured; one that only says why it could not be is tried again."""
        return any(row["key"] == key and "kl" in row for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row, on disk at once."""
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self.path.is_file() or self.path.read_bytes()[-1:] in (b"\n", b"")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(row) + "\n")


def table_of(rows: list[dict[str, Any]], models: list[str], part: str) -> Table:
    """The newest row of every point, a section for each model."""
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column in ("peer", "point")
        table.add_column(column, justify="left" if left else "right", no_wrap=not left)
    for model in models:
        newest = newest_rows(rows, model, part)
        table.add_row(f"[bold]{model}[/]")
        whole = next((row["bytes"] for row in newest if row["peer"] == "float"), None)
        for row in newest:
            table.add_row(*_cells(row, whole))
    return table


def newest_rows(rows: list[dict[str, Any]], model: str, part: str) -> list[dict[str, Any]]:
    """The last row of every point of a model, peers together, each from its largest file on."""
    newest = {
        (row["peer"], json.dumps(row["point"])): row
        for row in rows
        if row["model"] == model and row["part"] == part
    }
    peers = list(dict.fromkeys(peer for peer, _ in newest))
    return sorted(newest.values(), key=lambda r: (peers.index(r["peer"]), -r.get("bytes", 0)))


def by_peer(rows: list[dict[str, Any]], model: str, part: str) -> dict[str, list[dict[str, Any]]]:
    """The newest rows of a model that have a result, by peer."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in newest_rows(rows, model, part):
        if "kl" in row:
            found.setdefault(row["peer"], []).append(row)
    return found


def _cells(row: dict[str, Any], whole_bytes: int | None) -> list[str]:
    point = ", ".join(f"{k} {v}" for k, v in row["point"].items())
    if "kl" not in row:
        return [row["peer"], f"{point}: {row.get('note', 'no result')}"]
    seconds = row.get("seconds")
    return [
        row["peer"],
        point,
        f"{row['bytes']:,}",
        f"{100 * row['bytes'] / whole_bytes:.1f}" if whole_bytes else "",
        f"{row['kl']:.4f}",
        f"{100 * row['top1_right'] / row['n']:.2f}",
        f"{row['lost']}/{row['won']}",
        f"{100 * row['agree'] / row['n']:.1f}",
        "" if seconds is None else f"{seconds:.1f}",
    ]


def bytes_at(rows: list[dict[str, Any]], kl: float) -> float | None:
    """Bytes that a peer needs for a KL, between its two nearest points; None beyond them.

    Straight lines between logarithms, along the points that no smaller file equals.
    """
    front: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: (row["bytes"], row["kl"])):
        if row["kl"] > 0 and (not front or row["kl"] < front[-1][1]):
            front.append((row["bytes"], row["kl"]))
    for (small, worse), (large, better) in pairwise(front):
        if better <= kl <= worse:
            share = math.log(worse / kl) / math.log(worse / better)
            return float(small * (large / small) ** share)
    return None


def equal_table(rows: list[dict[str, Any]], models: list[str], part: str) -> Table:
    """What every peer needs for the same KL."""
    table = Table(box=None, pad_edge=False, title="bytes at equal KL", title_justify="left")
    table.add_column("peer")
    for kl in LEVELS:
        table.add_column(f"KL {kl}", justify="right")
    for model in models:
        table.add_row(f"[bold]{model}[/]")
        found = by_peer(rows, model, part)
        for peer, own in found.items():
            sizes = [bytes_at(own, kl) for kl in LEVELS]
            if any(sizes):
                table.add_row(peer, *(f"{size:,.0f}" if size else "–" for size in sizes))
    return table


def bytes_for_top1(rows: list[dict[str, Any]], right: int) -> int | None:
    """The smallest file with at least so many right first answers; None where there is none."""
    return min((row["bytes"] for row in rows if row["top1_right"] >= right), default=None)


def savings(
    ours: list[dict[str, Any]], theirs: list[dict[str, Any]]
) -> tuple[list[float], list[float]]:
    """Percent of each of a peer's files that ours needs less, at equal KL and at equal top-1.

    A file whose KL is beyond our points, or whose top-1 none of ours has, is not counted.
    """
    by_kl, by_top1 = [], []
    for row in theirs:
        size = bytes_at(ours, row["kl"]) if row["kl"] > 0 else None
        if size is not None:
            by_kl.append(100 * (1 - size / row["bytes"]))
        least = bytes_for_top1(ours, row["top1_right"])
        if least is not None:
            by_top1.append(100 * (1 - least / row["bytes"]))
    return by_kl, by_top1


def saving_table(rows: list[dict[str, Any]], models: list[str], part: str) -> Table:
    """How much smaller ours are than every peer's: at the worst of its points and at the middle."""
    table = Table(
        box=None, pad_edge=False, title="percent smaller than the peer's file", title_justify="left"
    )
    table.add_column("peer")
    for same in ("KL", "top-1"):
        for what in (f"equal {same}: least", "median", "most", "points"):
            table.add_column(what, justify="right")
    for model in models:
        table.add_row(f"[bold]{model}[/]")
        found = by_peer(rows, model, part)
        ours = found.pop(OURS, [])
        found.pop("float", None)
        for peer, theirs in found.items():
            cells = [
                cell
                for less in savings(ours, theirs)
                for cell in (
                    *((f"{f(less):.0f}" if less else "–") for f in (min, median, max)),
                    f"{len(less)} of {len(theirs)}",
                )
            ]
            table.add_row(peer, *cells)
    return table
