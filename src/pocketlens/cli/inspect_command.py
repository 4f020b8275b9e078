"""`pocketlens inspect`: what is in a lens, tensor by tensor."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from pocketlens.base.errors import FileError, UsageError
from pocketlens.base.files import cannot_write, write_bytes
from pocketlens.classify.lens import Lens
from pocketlens.cli.console import print_json, progress_bar, rate_text, size_text
from pocketlens.cli.loss_options import loss_options, losses_from
from pocketlens.images.recipe import Recipe, describe
from pocketlens.importers.contents import read_contents
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.planes.plane import Plane
from pocketlens.report.losses import Losses, foreseen, losses_text

AFFINE_BYTES = 8
"""Of an even palette: offset and step, 32 bits each."""


@click.command(name="inspect")
@click.argument("lens", type=click.Path(path_type=Path))
@click.option("--planes", type=click.Path(path_type=Path, file_okay=False),
              help="Write the planes into this folder as PNG pictures.")  # fmt: skip
@click.option("--sort", type=click.Choice(["bytes", "error", "loss"]),
              help="Largest first.  [default: in the order of the network]")  # fmt: skip
@loss_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    lens: Path,
    planes: Path | None,
    sort: str | None,
    original: Path | None,
    photos: Path | None,
    as_json: bool,
) -> None:
    """Show what is in LENS: its tensors and their fates, recipe, receipts, memory. A network of
    ccv's is shown as it would be opened.

    The loss of a tensor is what its errors cost the answers, in nats of KL a photo: a lens by
    rate and distortion knows what calibration foresaw; with the original and photos it is
    measured for any lens, layer by layer.

    \b
    pocketlens inspect model.lens
    pocketlens inspect model.lens --sort error
    pocketlens inspect model.lens --original model.onnx --photos photos/ --sort loss
    pocketlens inspect model.lens --planes pictures/
    pocketlens inspect model.lens --json
    """
    contents = read_contents(lens)
    with Lens(contents) as opened:
        memory = opened.memory()
    if planes is not None:
        written = write_planes(contents, planes)
        click.echo(f"{written} pictures written into '{planes}'.", err=True)
    with progress_bar(hidden=as_json) as progress:
        losses = losses_from(contents, original, photos, progress=progress)
    if sort == "loss" and losses is None:
        raise UsageError(
            f"'{lens}' does not know what its tensors cost: it was made without photos. Give "
            "--original and --photos, and it is measured.",
            slug="losses-unknown",
        )
    shown: dict[str, Any] = {
        "file_bytes": lens.stat().st_size,
        "memory": memory,
        "losses": losses,
        "sort": sort,
    }
    if as_json:
        print_json(summary(contents, **shown))
        return
    _print_tables(contents, **shown)


def summary(
    contents: LensContents,
    *,
    file_bytes: int,
    memory: dict[str, int],
    losses: Losses | None = None,
    sort: str | None = None,
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
        "losses": None if losses is None else _losses_row(losses),
        "tensors": tensor_rows(contents, sort=sort, losses=losses),
    }


def _losses_row(losses: Losses) -> dict[str, Any]:
    """How the tensors' losses are known, and the whole lens's."""
    return {
        "by": losses.by,
        "photos": losses.photos,
        "photos_sha256": losses.sha256,
        "whole": losses.whole,
    }


def recipe_row(recipe: Recipe) -> dict[str, Any]:
    """The recipe; of a mean picture its length and hash, for it may have a million bytes."""
    picture = recipe.mean_picture
    told = {"bytes": len(picture), "sha256": hashlib.sha256(picture).hexdigest()}
    return {**asdict(recipe), "mean_picture": told if picture else None}


def tensor_rows(
    contents: LensContents, *, sort: str | None = None, losses: Losses | None = None
) -> list[dict[str, Any]]:
    """One row a tensor: shape, fate, reason, k, bits an index, bytes in the file, error, loss.

    sort    "bytes", "error" or "loss", largest first; None: in the order of the network
    losses  None: what the lens itself says

    `bits_per_weight` is what a value costs in the file; `share` the tensor's part of all tensors'
    bytes, 0 to 1; `loss` nats a photo, None where it is not known, and `loss_share` its part of
    all that are, 0 to 1.
    """
    losses = losses or foreseen(contents)
    sizes = stored_bytes(contents)
    rows = [
        _tensor_row(record, size_bytes, sum(sizes), losses)
        for record, size_bytes in zip(contents.tensors, sizes, strict=True)
    ]
    return rows if sort is None else sorted(rows, key=lambda row: -(row[sort] or 0))


def _tensor_row(
    record: TensorRecord, size_bytes: int, total_bytes: int, losses: Losses | None
) -> dict[str, Any]:
    values = prod(record.shape)
    each = {} if losses is None else losses.each
    loss = each.get(record.name)
    interval = None if losses is None else losses.interval.get(record.name)
    return {
        "name": record.name,
        "shape": list(record.shape),
        "values": values,
        "fate": record.fate,
        "reason": record.reason,
        "palette_size": record.palette_size,
        "group_rows": record.group_rows,
        "trellis": record.trellis,
        "index_bits": record.plane.index_bits if record.plane else 0,
        "bytes": size_bytes,
        "bits_per_weight": 8 * size_bytes / max(values, 1),
        "share": size_bytes / max(total_bytes, 1),
        "error": record.error,
        "loss": loss,
        "loss_interval": interval,
        "loss_share": None if loss is None else loss / (sum(each.values()) or 1.0),
    }


def stored_bytes(contents: LensContents) -> list[int]:
    """Bytes of each tensor in the file: planes, masks, palettes and values.

    Tensors that share a plane share its bytes by their pixels.
    """
    sizes = [_own_bytes(record) for record in contents.tensors]
    shared: dict[Plane, list[int]] = {}
    for number, record in enumerate(contents.tensors):
        if record.plane is not None:
            shared.setdefault(record.plane, []).append(number)
    for plane, numbers in shared.items():
        numbers.sort(key=lambda number: contents.tensors[number].first_pixel)
        starts = [contents.tensors[number].first_pixel for number in numbers]
        pixels = plane.width * sum(band.rows for band in plane.bands)
        png_bytes = sum(len(band.png) for band in plane.bands)
        ends = [png_bytes * start // pixels for start in [*starts, pixels]]
        for number, (first, last) in zip(numbers, pairwise(ends), strict=True):
            sizes[number] += last - first
    return sizes


def _own_bytes(record: TensorRecord) -> int:
    mask = record.mask.bands if record.mask else ()
    palettes = len(record.palettes) if record.affine is None else AFFINE_BYTES
    return sum(len(band.png) for band in mask) + palettes + len(record.values)


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
    contents: LensContents,
    *,
    file_bytes: int,
    memory: dict[str, int],
    losses: Losses | None,
    sort: str | None,
) -> None:
    console = Console()
    console.print(f"[bold]{contents.name}[/]  {size_text(file_bytes)}, "
                  f"{len(contents.labels)} classes")  # fmt: skip
    console.print(describe(contents.recipe))
    table = Table(box=None, pad_edge=False)
    titles = ["tensor", "shape", "fate", "k", "bits", "bytes", "error"]
    for title in titles + (["loss"] if losses else []):
        table.add_column(title, justify="left" if title in ("tensor", "shape", "fate") else "right")
    for row in tensor_rows(contents, sort=sort, losses=losses):
        table.add_row(
            row["name"],
            "x".join(map(str, row["shape"])),
            "trellis" if row["trellis"] else row["fate"],
            str(row["palette_size"] or ""),
            str(row["index_bits"] or ""),
            f"{row['bytes']:,}",
            f"{row['error']:.1e}",
            *([] if losses is None else ["" if row["loss"] is None else f"{row['loss']:.1e}"]),
        )
    console.print(table)
    if losses is not None:
        console.print(losses_text(losses))
    console.print(
        f"in memory: weights {size_text(memory['weights'])} "
        f"({memory['weights'] / max(memory['packed'], 1):.2f} x their packed size), "
        f"activations {size_text(memory['arena'])}, scratch {size_text(memory['scratch'])}"
    )
    for receipt in contents.receipts:
        console.print(
            f"receipt: {receipt.dataset}, {receipt.n} photos, {receipt.views}: top-1 missing "
            f"{rate_text(receipt.top1_missing, receipt.top1_interval)}"
        )
