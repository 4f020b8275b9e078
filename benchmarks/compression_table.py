"""The ledger of `compression.py`, one JSON line a row, and the tables of it for a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from rich.table import Table

from compression_figures import (
    FLOAT,
    LEVELS,
    OURS,
    TUNED,
    Row,
    by_peer,
    bytes_not_worse,
    bytes_within,
    newest_rows,
    read_rows,
    same_kl,
    same_top1,
    savings,
)

COLUMNS = ("peer", "point", "bytes", "% of float", "KL", "top-1 %", "lost/won", "agree %", "CPU s")


class Ledger:
    """Finished rows: those of earlier runs, and new ones as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = read_rows(path)

    def holds(self, key: list[str]) -> bool:
        """Whether a row was measured, photo by photo; one that says why it was not is no such."""
        return any(row["key"] == key and "right" in row for row in self.rows)

    def add(self, row: Row) -> None:
        """Keep a row, on disk at once."""
        self.rows.append(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self.path.is_file() or self.path.read_bytes()[-1:] in (b"\n", b"")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(row) + "\n")


def table_of(rows: list[Row], models: list[str], part: str) -> Table:
    """The newest row of every point, a section for each model."""
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        left = column in ("peer", "point")
        table.add_column(column, justify="left" if left else "right", no_wrap=not left)
    for model in models:
        newest = newest_rows(rows, model, part)
        table.add_row(f"[bold]{model}[/]")
        whole = next((row["bytes"] for row in newest if row["peer"] == FLOAT), None)
        for row in newest:
            table.add_row(*_cells(row, whole))
    return table


def _cells(row: Row, whole_bytes: int | None) -> list[str]:
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


def equal_table(rows: list[Row], models: list[str], part: str) -> Table:
    """What every peer needs for the same KL, or a better one."""
    table = Table(box=None, pad_edge=False, title="bytes at equal KL", title_justify="left")
    table.add_column("peer")
    for kl in LEVELS:
        table.add_column(f"KL {kl}", justify="right")
    for model in models:
        table.add_row(f"[bold]{model}[/]")
        found = by_peer(rows, model, part)
        found.pop(FLOAT, None)
        for peer, own in found.items():
            sizes = [bytes_within(own, kl) for kl in LEVELS]
            table.add_row(peer, *(f"{size:,.0f}" if size else "–" for size in sizes))
    return table


def saving_table(rows: list[Row], models: list[str], part: str) -> Table:
    """How much smaller ours are than every peer's: at the worst of its points and at the middle."""
    table = Table(
        box=None, pad_edge=False, title="percent smaller than the peer's file", title_justify="left"
    )
    table.add_column("peer")
    same = {"KL": same_kl, "top-1": same_top1, "top-1 by chance": bytes_not_worse}
    for name in same:
        for what in (f"equal {name}: least", "median", "most", "points"):
            table.add_column(what, justify="right")
    for model in models:
        table.add_row(f"[bold]{model}[/]")
        found = by_peer(rows, model, part)
        ours = found.pop(OURS, [])
        for peer in found.keys() - {FLOAT, TUNED}:
            cells = []
            for needs in same.values():
                less = [saving.percent for saving in savings(ours, found[peer], needs)]
                cells += [(f"{f(less):.0f}" if less else "–") for f in (min, median, max)]
                cells.append(f"{len(less)} of {len(found[peer])}")
            table.add_row(peer, *cells)
    return table
