"""What every command prints with: a progress bar on stderr, sizes and rates in words."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from pocketlens.base.progress import Progress, silent

PATIENCE_S = 1.0
"""Work shorter than this shows no bar."""


@contextlib.contextmanager
def progress_bar(*, hidden: bool = False) -> Iterator[Progress]:
    """A Progress that draws a bar on stderr once the work has lasted a second.

    Nothing is drawn where stderr is not a terminal, so logs stay clean.
    """
    console = Console(stderr=True)
    if hidden or not console.is_terminal:
        yield silent
        return
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    tasks: dict[str, Any] = {}
    start_s = time.monotonic()

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total)
        bar.update(tasks[stage], completed=done, total=total)
        if not bar.live.is_started and time.monotonic() - start_s > PATIENCE_S:
            bar.start()

    try:
        yield advance
    finally:
        bar.stop()


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout, keys in the order given."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def size_text(size_bytes: float) -> str:
    """1234567 -> '1.23 MB' (decimal units, three digits)."""
    if size_bytes < 1000:
        return f"{size_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 999.5 or unit == "GB":
            break
    digits = 2 if size_bytes < 10 else 1 if size_bytes < 100 else 0
    return f"{size_bytes:.{digits}f} {unit}"


def rate_text(percent: float, interval: tuple[float, float] | None = None) -> str:
    """12.8 and (10.1, 16.0) -> '12.80 % (10.10 to 16.00)'."""
    text = f"{percent:.2f} %"
    return text if interval is None else f"{text} ({interval[0]:.2f} to {interval[1]:.2f})"
