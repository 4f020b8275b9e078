"""The rows of `compression.py` as Markdown: what tools/paste.py puts into README and docs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from compression_figures import (
    FLOAT,
    LEVELS,
    MOST_KL,
    OURS,
    TUNED,
    Needs,
    Row,
    Saving,
    below_8_bits,
    by_peer,
    bytes_not_worse,
    bytes_within,
    newest_rows,
    read_rows,
    same_kl,
    same_top1,
    savings,
)
from pocketlens.evaluation.statistics import paired_difference, paired_interval

PART = "report"
SHORT_LEVEL = 0.045
Lines = list[tuple[str, ...]]
WORDS = {
    "max_size": "at most {:,} B",
    "bits": "{} bits",
    "group": "{} outputs a palette",
    "photos": "{} photos",
    "tune": "{} passes",
    "worth_by": "",
    "qp": "qp {}",
    "opt_qp": "",  # the peer's name says these two
    "strengthened": "",
}
"""What is said of a point's settings; of others, their value."""


@dataclass(frozen=True)
class Asked:
    """What ours is to be smaller by than a peer's file, in percent, and at the same what."""

    percent: float
    same: str
    needs: Needs


PUBLISHED = Asked(20, "KL", same_kl)
STRENGTHENED = Asked(5, "KL", same_kl)
ASKED = {"nnc": (PUBLISHED,), "nnc opt_qp": (PUBLISHED,), "nnc strengthened": (STRENGTHENED,)}
OTHERS = (Asked(25, "top-1", same_top1), Asked(25, "top-1 but for chance", bytes_not_worse))


def networks_of(rows: list[Row]) -> list[str]:
    """The networks of the report part, the smallest float file first."""
    sizes = {r["model"]: r["bytes"] for r in rows if r["peer"] == FLOAT and r["part"] == PART}
    return sorted(sizes, key=lambda name: sizes[name])


def page(asked: str, path: Path) -> tuple[tuple[str, ...], Lines, list[str]]:
    """Titles, lines and notes of one table: `rows:NETWORK`, `equal:NETWORK`, `short`, `smaller`
    or `asked`. Raises KeyError for another.
    """
    rows = read_rows(path)
    kind, _, model = asked.partition(":")
    if kind in ("rows", "equal"):
        if model not in networks_of(rows):
            raise KeyError(asked)
        return rows_of(rows, model) if kind == "rows" else equal_of(rows, model)
    return {"short": short_of, "smaller": smaller_of, "asked": asked_of}[kind](rows)


def rows_of(rows: list[Row], model: str) -> tuple[tuple[str, ...], Lines, list[str]]:
    """Every peer and point of a network."""
    titles = ("", "point", "bytes", "% of float", "KL", "top-1 %", "lost, won",
              "missing more, 95%", "agree %", "CPU s")  # fmt: skip
    newest = newest_rows(rows, model, PART)
    whole = next(row["bytes"] for row in newest if row["peer"] == FLOAT)
    lines = [_row_cells(row, whole) for row in newest]
    photos = max(row.get("n", 0) for row in newest)
    return titles, lines, [f"{photos:,} photos of the report part. {_origin(newest)}"]


def _row_cells(row: Row, whole_bytes: int) -> tuple[str, ...]:
    if "kl" not in row:
        return (row["peer"], point_words(row), row.get("note", "no result"), *[""] * 7)
    lost, won, n = row["lost"], row["won"], row["n"]
    low, high = paired_interval(lost, won, n)
    seconds = row.get("seconds")
    return (
        row["peer"],
        point_words(row),
        f"{row['bytes']:,}",
        f"{100 * row['bytes'] / whole_bytes:.1f}",
        f"{row['kl']:.2g}" if row["kl"] < 0.001 else f"{row['kl']:.4f}",
        f"{100 * row['top1_right'] / n:.2f}",
        f"{lost}, {won}",
        ""
        if row["peer"] == FLOAT
        else f"{paired_difference(lost, won, n):+.2f} ({low:+.2f} to {high:+.2f})",
        f"{100 * row['agree'] / n:.1f}",
        "" if seconds is None else f"{seconds:.1f}",
    )


def point_words(row: Row) -> str:
    """A point as a reader would say it."""
    told = [WORDS.get(k, "{}").format(v) for k, v in row["point"].items()]
    return ", ".join(text for text in told if text)


def equal_of(rows: list[Row], model: str) -> tuple[tuple[str, ...], Lines, list[str]]:
    """Bytes of every peer at the same KL or better."""
    found = _compared(rows, model)
    cells: list[list[str]] = [[] for _ in found]
    for kl in LEVELS:
        for cell, text in zip(cells, _bold_least(list(found.values()), kl), strict=True):
            cell.append(text)
    lines: Lines = [(peer, *cell) for peer, cell in zip(found, cells, strict=True)]
    titles = ("bytes for a KL of at most", *(f"{kl:g}" for kl in LEVELS))
    notes = [
        f"- {peer} never comes below a KL of {min(row['kl'] for row in own):.3g}, "
        f"with {max(row['bytes'] for row in own):,} bytes."
        for peer, own in found.items()
        if min(row["kl"] for row in own) > LEVELS[0]
    ]
    return titles, lines, notes


def short_of(rows: list[Row]) -> tuple[tuple[str, ...], Lines, list[str]]:
    """Kilobytes of every peer at one KL, a line a network."""
    models = networks_of(rows)
    peers = list(dict.fromkeys(peer for model in models for peer in _compared(rows, model)))
    peers = [peer for peer in peers if peer != TUNED]
    lines: Lines = []
    notes: list[str] = []
    for model in models:
        found = _compared(rows, model)
        own = [found.get(peer, []) for peer in peers]
        lines.append((model, *_bold_least(own, SHORT_LEVEL, unit=1000)))
        never = [
            f"{peer} ({min(row['kl'] for row in found[peer]):.3g} at its best)"
            for peer in peers
            if found.get(peer) and bytes_within(found[peer], SHORT_LEVEL) is None
        ]
        if never:
            notes.append(f"- {model}: never so close: {', '.join(never)}.")
    return (f"kB for a KL of at most {SHORT_LEVEL}", *peers), lines, notes


def smaller_of(rows: list[Row]) -> tuple[tuple[str, ...], Lines, list[str]]:
    """How much smaller ours are than each peer's files: least, median, most."""
    titles = ("network", "peer", "same KL", "files", "as many right", "files",
              "not worse by chance", "files")  # fmt: skip
    lines: Lines = []
    notes: list[str] = []
    for model in networks_of(rows):
        found = _compared(rows, model)
        ours = found.pop(OURS, [])
        found.pop(TUNED, None)
        for peer, theirs in found.items():
            cells = [model, peer]
            alive = sum(row["kl"] <= MOST_KL for row in theirs)
            for needs in (same_kl, same_top1, bytes_not_worse):
                less = savings(ours, theirs, needs)
                cells += [_least_median_most(less), f"{len(less)} of {alive}"]
            lines.append(tuple(cells))
            notes += _left_out(model, peer, ours, theirs)
    return titles, lines, notes


def asked_of(rows: list[Row]) -> tuple[tuple[str, ...], Lines, list[str]]:
    """What was asked for, and whether the least saving that there is holds it."""
    titles = ("network", "peer", "asked", "least", "at the peer's file", "files that hold", "holds")
    lines: Lines = []
    for model in networks_of(rows):
        found = by_peer(rows, model, PART)
        (whole,) = found.pop(FLOAT)
        ours = found.pop(OURS, [])
        found.pop(TUNED, None)
        for peer, theirs in found.items():
            for asked in ASKED.get(peer, OTHERS):
                less = below_8_bits(savings(ours, theirs, asked.needs), whole["bytes"])
                lines.append((model, peer, f"{asked.percent:.0f}% at the same {asked.same}",
                              *_verdict(less, asked)))  # fmt: skip
    return titles, lines, []


def _verdict(less: list[Saving], asked: Asked) -> tuple[str, ...]:
    if not less:
        return "–", "", "0 of 0", "nothing to compare"
    least = min(less, key=lambda saving: saving.percent)
    held = sum(saving.percent >= asked.percent for saving in less)
    where = f"{point_words(least.peer)}, {least.peer['bytes']:,} B"
    word = "yes" if held == len(less) else "no" if held == 0 else "in part"
    return f"{least.percent:.0f}%", where, f"{held} of {len(less)}", word


def _compared(rows: list[Row], model: str) -> dict[str, list[Row]]:
    found = by_peer(rows, model, PART)
    found.pop(FLOAT, None)
    return found


def _bold_least(own: list[list[Row]], kl: float, *, unit: int = 1) -> list[str]:
    """Bytes at a KL, the least in bold; a dash where a peer never comes so close."""
    sizes = [bytes_within(rows, kl) for rows in own]
    least = min((size for size in sizes if size), default=None)
    return [
        "–" if not size else f"**{size / unit:,.0f}**" if size == least else f"{size / unit:,.0f}"
        for size in sizes
    ]


def _least_median_most(less: list[Saving]) -> str:
    values = [saving.percent for saving in less]
    return " / ".join(f"{f(values):.0f}" for f in (min, median, max)) if values else "–"


def _left_out(model: str, peer: str, ours: list[Row], theirs: list[Row]) -> Iterator[str]:
    """Sentences about files of a peer that nothing of ours can be compared with."""
    theirs = [row for row in theirs if row["kl"] <= MOST_KL]
    best_kl = min((row["kl"] for row in ours), default=0.0)
    most_right = max((row["top1_right"] for row in ours), default=0)
    closer = [row for row in theirs if row["kl"] < best_kl]
    righter = [row for row in theirs if row["top1_right"] > most_right]
    if closer:
        yield f"- {peer} on {model}: none of ours is so close: {_files(closer)}."
    if righter:
        yield f"- {peer} on {model}: none of ours has so many right: {_files(righter)}."


def _files(rows: list[Row]) -> str:
    return "; ".join(f"{point_words(row)} ({row['bytes']:,} B, KL {row['kl']:.2g})" for row in rows)


def _origin(rows: list[Row]) -> str:
    """Machines and commits; a peer's result does not depend on the commit."""
    ours = dict.fromkeys(row["commit"] for row in rows if row["peer"] in (OURS, TUNED))
    machines = dict.fromkeys(row["machine"] for row in rows)
    return f"Measured on {'; '.join(machines)}; ours at commit {', '.join(ours)}."
