"""`pocketlens sweep`: one network at many sizes, in one table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pocketlens.base.files import beside
from pocketlens.cli.console import print_json, progress_bar, size_text
from pocketlens.cli.recipe_options import recipe_from, recipe_options
from pocketlens.compression.overrides import read_overrides
from pocketlens.images.recipe import describe
from pocketlens.labels.files import read_labels
from pocketlens.sweep.ledger import LEDGER
from pocketlens.sweep.points import Point, points_by_hand
from pocketlens.sweep.story import Sweep, sweep
from pocketlens.sweep.table import Row, left_out_json, row_json

TABLE_COLUMNS = 160
"""Where the output is no terminal the table is not squeezed."""


@click.command(name="sweep")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path),
              help="Labelled photos, as `pocketlens eval` takes them.")  # fmt: skip
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="Folder for lenses and ledger.  [default: MODEL.sweep]")  # fmt: skip
@click.option("--bits", type=int, multiple=True, help="One more row, of that many bits.")
@click.option("--group-rows", type=int, multiple=True,
              help="Outputs that share a palette in the rows of --bits.")  # fmt: skip
@click.option("--recipe-file", type=click.Path(path_type=Path), multiple=True,
              help="One more row, by a TOML file as `compress` takes it.")  # fmt: skip
@click.option("--lagrangian", type=float, multiple=True,
              help="One more row, at this price of a bit (nats a photo).")  # fmt: skip
@click.option("--max-size", multiple=True, help="One more row, the best file that fits: 350kB.")
@click.option("--photos", type=click.Path(path_type=Path),
              help="Unlabelled photos for these two, others than DATA.")  # fmt: skip
@click.option("--only", is_flag=True, help="Only 32 bits and the rows given here.")
@click.option("--crush", type=click.IntRange(0, 6), default=4, show_default=True,
              help="Effort of the PNG optimiser.")  # fmt: skip
@click.option("--no-crush", is_flag=True, help="Leave the PNG optimiser out.")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one a line.")
@click.option("--jobs", type=int, help="Processes.  [default: one a core]")
@click.option("--repeats", type=int, default=20, show_default=True,
              help="Rounds of timing; the least time counts.")  # fmt: skip
@recipe_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, data: Path, out: Path | None, **options: Any) -> None:
    """Compress MODEL at 32 to 2 bits and by the mix of 2014, and measure each on the photos.

    Every row is kept in a ledger as it comes: after an interrupt the same command goes on.

    \b
    pocketlens sweep model.onnx --data photos/val
    pocketlens sweep model.onnx --data photos/val --bits 5 --bits 4 --group-rows 16
    pocketlens sweep model.onnx --data cifar10.npz --preset cifar-raw -o sizes/ --json
    """
    folder = out or beside(model, ".sweep")
    crush = None if options["no_crush"] else options["crush"]
    try:
        with progress_bar(hidden=options["as_json"]) as progress:
            found = sweep(
                model,
                data,
                folder,
                by_hand=_by_hand(options, crush),
                usual=not options["only"],
                recipe=recipe_from(options),
                labels=read_labels(options["labels"]) if options["labels"] else None,
                crush=crush,
                jobs=options["jobs"],
                repeats=options["repeats"],
                progress=progress,
            )
    except KeyboardInterrupt:
        click.echo(
            f"pocketlens: Stopped. What is measured is in '{folder / LEDGER}'; "
            "the same command goes on from there.",
            err=True,
        )
        sys.exit(1)
    if options["as_json"]:
        print_json(_as_json(found))
        return
    told = found.contents.recipe.resize == "ccv"  # by the model itself
    _print(found, folder, assumed=recipe_from(options).is_assumed and not told)


def _by_hand(options: dict[str, Any], crush: int | None) -> list[Point]:
    recipes = [(path.stem, read_overrides(path)) for path in options["recipe_file"]]
    return points_by_hand(
        bits=options["bits"],
        group_rows=options["group_rows"],
        recipes=recipes,
        lagrangians=options["lagrangian"],
        sizes=options["max_size"],
        photos=options["photos"],
        crush=crush,
    )


def _as_json(found: Sweep) -> dict[str, Any]:
    entry = found.rows[0].entry
    return {
        "model": entry.model,
        "model_sha256": entry.model_sha256,
        "dataset": found.dataset.name,
        "dataset_sha256": found.dataset.sha256,
        "n": len(found.dataset),
        "recipe": describe(found.contents.recipe),
        "engine": entry.engine,
        "version": entry.version,
        "rows": [row_json(row) for row in found.rows],
        "left_out": left_out_json(found.left_out),
    }


def _print(found: Sweep, folder: Path, *, assumed: bool) -> None:
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=TABLE_COLUMNS)
    entry = found.rows[0].entry
    console.print(
        f"{entry.model} on {found.dataset.name}: {len(found.dataset)} photos, "
        f"{found.dataset.rule}; missing rates in percent with their 95% intervals; {entry.engine}, "
        "one thread"
    )
    said = " (assumed: say --preset, or spell it out)" if assumed else ""
    console.print(f"Photos: {describe(found.contents.recipe)}{said}.")
    table = Table(box=None, pad_edge=False)
    for title in ("row", "uncrushed", "lens", "top-1 missing", "top-5 missing", "against float",
                  "flips", "ms", "weights", "arena", "scratch"):  # fmt: skip
        table.add_column(title, justify="right" if table.columns else "left")
    for row in found.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for absent in found.left_out:
        console.print(f"No row '{absent.name}': {absent.reason}.")
    kept = len(found.rows) - found.measured
    was_there = f" ({kept} rows were there)" if kept else ""
    console.print(f"Lenses and ledger: '{folder}'{was_there}.")


def _cells(row: Row) -> list[str]:
    entry, measured, comparison = row.entry, row.entry.measurement, row.comparison
    memory = [size_text(entry.memory[part]) for part in ("weights", "arena", "scratch")]
    difference = flips = ""
    if comparison is not None and not row.is_float:
        low, high = comparison.interval
        difference = f"{comparison.difference:+.2f} ({low:+.2f} to {high:+.2f})"
        flips = str(comparison.flips)
    return [
        entry.name,
        f"{entry.uncrushed_bytes:,}",
        f"{entry.file_bytes:,}",
        _rate(measured.top1_missing, measured.top1_interval),
        _rate(measured.top5_missing, measured.top5_interval),
        difference,
        flips,
        f"{row.timing.milliseconds:.2f}" if row.timing else "",
        *memory,
    ]


def _rate(percent: float | None, interval: tuple[float, float] | None) -> str:
    if percent is None or interval is None:
        return ""
    return f"{percent:.2f} ({interval[0]:.1f} to {interval[1]:.1f})"
