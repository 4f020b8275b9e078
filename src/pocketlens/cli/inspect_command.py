"""`pocketlens inspect`: what is in a lens, tensor by tensor."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pocketlens.base.errors import FileError
from pocketlens.base.files import cannot_write, write_bytes
from pocketlens.classify.lens import Lens
from pocketlens.cli.console import print_json, rate_text, size_text
from pocketlens.images.recipe import Recipe, describe
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.reader import read_lens


@click.command(name="inspect")
@click.argument("lens", type=click.Path(path_type=Path))
@click.option("--planes", type=click.Path(path_type=Path, file_okay=False),
              help="Write the planes into this folder as PNG pictures.")  # fmt: skip
@click.option("--sort", type=click.Choice(["bytes", "error"]),
              help="Largest first.  [default: in the order of the network]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(lens: Path, planes: Path | None, sort: str | None, as_json: bool) -> None:
    """Show what is in LENS: its tensors and their fates, recipe, receipts, memory.

    \b
    pocketlens inspect model.lens
    pocketlens inspect model.lens --sort error
    pocketlens inspect model.lens --planes pictures/
    pocketlens inspect model.lens --json
    """
    contents = read_lens(lens)
    with Lens(contents) as opened:
        memory = opened.memory()
    if planes is not None:
        written = write_planes(contents, planes)
        click.echo(f"{written} pictures written into '{planes}'.", err=True)
    if as_json:
        print_json(summary(contents, file_bytes=lens.stat().st_size, memory=memory, sort=sort))
        return
    _print_tables(contents, file_bytes=lens.stat().st_size, memory=memory, sort=sort)


def summary(
    contents: LensContents, *, file_bytes: int, memory: dict[str, int], sort: str | None = None
) -> dict[str, Any]:
    """Everything that `inspect --json` prints; sizes in bytes."""
    return {
        "name": contents.name,
        "file_bytes": file_bytes,
        "classes": len(contents.labels),
        "recipe": recipe_row(contents.recipe),
        "provenance": asdict(contents.provenance),
        "receipts": [asdict(receipt) for receipt in contents.receipts],
        "memory_bytes": memory,
        "nodes": len(contents.graph.nodes),
        "tensors": tensor_rows(contents, sort=sort),
    }


def recipe_row(recipe: Recipe) -> dict[str, Any]:
    """The recipe; of a mean picture its length and hash, for it may have a million bytes."""
    picture = recipe.mean_picture
    told = {"bytes": len(picture), "sha256": hashlib.sha256(picture).hexdigest()}
    return {**asdict(recipe), "mean_picture": told if picture else None}


def tensor_rows(contents: LensContents, *, sort: str | None = None) -> list[dict[str, Any]]:
    """One row a tensor: shape, fate, reason, k, bits an index, bytes in the file, error.

    sort  "bytes" or "error", largest first; None: in the order of the network

    `bits_per_weight` is what a value costs in the file; `share` the tensor's part of all tensors'
    bytes, 0 to 1.
    """
    total = sum(map(stored_bytes, contents.tensors))
    rows = [_tensor_row(record, total) for record in contents.tensors]
    return rows if sort is None else sorted(rows, key=lambda row: -row[sort])


def _tensor_row(record: TensorRecord, total_bytes: int) -> dict[str, Any]:
    size_bytes, values = stored_bytes(record), prod(record.shape)
    return {
        "name": record.name,
        "shape": list(record.shape),
        "values": values,
        "fate": record.fate,
        "reason": record.reason,
        "palette_size": record.palette_size,
        "group_rows": record.group_rows,
        "index_bits": record.plane.index_bits if record.plane else 0,
        "bytes": size_bytes,
        "bits_per_weight": 8 * size_bytes / max(values, 1),
        "share": size_bytes / max(total_bytes, 1),
        "error": record.error,
    }


def stored_bytes(record: TensorRecord) -> int:
    """Bytes of a tensor in the file: planes, palettes and values."""
    bands = record.plane.bands if record.plane else ()
    return sum(len(band.png) for band in bands) + len(record.palettes) + len(record.values)


def write_planes(contents: LensContents, folder: Path) -> int:
    """Write every band of every plane as a PNG file; returns how many. Raises FileError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileError(
            f"'{folder}' is a file; the planes need a folder.", slug="not-a-folder"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    written = 0
    for number, record in enumerate(contents.tensors):
        for band_number, band in enumerate(record.plane.bands if record.plane else ()):
            safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in record.name)
            suffix = f"-{band_number}" if record.plane and len(record.plane.bands) > 1 else ""
            write_bytes(folder / f"{number:03d}-{safe}{suffix}.png", band.png)
            written += 1
    return written


def _print_tables(
    contents: LensContents, *, file_bytes: int, memory: dict[str, int], sort: str | None
) -> None:
    console = Console()
    console.print(f"[bold]{contents.name}[/]  {size_text(file_bytes)}, "
                  f"{len(contents.labels)} classes")  # fmt: skip
    console.print(describe(contents.recipe))
    table = Table(box=None, pad_edge=False)
    for title in ("tensor", "shape", "fate", "k", "bits", "bytes", "error"):
        table.add_column(title, justify="left" if title in ("tensor", "shape", "fate") else "right")
    for row in tensor_rows(contents, sort=sort):
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            row["fate"],
            str(row["palette_size"] or ""),
            str(row["index_bits"] or ""),
            f"{row['bytes']:,}",
            f"{row['error']:.1e}",
        )
    console.print(table)
    console.print(
        f"in memory: weights {size_text(memory['weights'])} "
        f"({memory['weights'] / max(memory['packed'], 1):.2f} x their packed size), "
        f"activations {size_text(memory['arena'])}, scratch {size_text(memory['scratch'])}"
    )
    for receipt in contents.receipts:
        console.print(
            f"receipt: {receipt.dataset}, {receipt.n} photos, {receipt.crops} crops: top-1 missing "
            f"{rate_text(receipt.top1_missing, receipt.top1_interval)}"
        )
