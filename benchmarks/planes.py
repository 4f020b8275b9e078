"""Bytes of the planes of real models: ours, the entropy of the indices, and other deflates.

    POCKETLENS_DATA=... python benchmarks/planes.py [--model squeezenet] [--palette-size 16]

Every tensor of two or more axes gets one palette. "zlib, a byte each" is what a picture library
does with one index a byte and zlib's default strategy; "zlib packed" the same at our bit depth and
layout; "crush n" our planes with the PNG optimiser at level n.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, machine
from models import MODELS, data_folder
from pocketlens.palettes.palette import Palette, fit_palette
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.entropy import index_entropy_bytes
from pocketlens.planes.plane import MOST_BAND_BYTES, index_bits_for
from pocketlens.planes.scanlines import inflate_band

LEAST_WEIGHTS = 200
FRAME_BYTES = 57  # signature and chunks of any PNG, added to bare deflate to compare alike


def tensors_of(path: str) -> list[NDArray[np.float32]]:
    arrays = [onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer]
    return [
        array
        for array in arrays
        if array.dtype == np.float32 and array.ndim >= 2 and array.size >= LEAST_WEIGHTS
    ]


def our_bytes(palette: Palette, crush: int | None) -> int:
    bits = index_bits_for(len(palette.values))
    plane = encode_plane(palette.indices, index_bits=bits, crush=crush)
    return sum(len(band.png) for band in plane.bands)


def packed_default(palette: Palette) -> int:
    bits = index_bits_for(len(palette.values))
    plane = encode_plane(palette.indices, index_bits=bits)
    raws = (inflate_band(band.png, max_bytes=MOST_BAND_BYTES) for band in plane.bands)
    return sum(len(zlib.compress(raw, 9)) + FRAME_BYTES for raw in raws)


def ways(levels: tuple[int, ...]) -> dict[str, Callable[[Palette], float]]:
    """Name and bytes of each way to store the indices."""
    found: dict[str, Callable[[Palette], float]] = {
        "entropy": lambda p: index_entropy_bytes(p.indices, len(p.values)),
        "ours": lambda p: our_bytes(p, None),
        "zlib, a byte each": lambda p: len(zlib.compress(p.indices.tobytes())) + FRAME_BYTES,
        "zlib packed": packed_default,
    }
    for level in levels:
        found[f"crush {level}"] = lambda p, level=level: our_bytes(p, level)  # type: ignore[misc]
    return found


def measure(name: str, path: str, palette_size: int, levels: tuple[int, ...]) -> dict[str, Any]:
    """One row: bytes and seconds of every way, over all tensors of a model."""
    palettes = [fit_palette(array, palette_size) for array in tensors_of(path)]
    row: dict[str, Any] = {"model": name, "palette_size": palette_size, "tensors": len(palettes)}
    row["bytes"], row["seconds"] = {}, {}
    for way, size_of in ways(levels).items():
        start_s = time.perf_counter()
        row["bytes"][way] = round(sum(map(size_of, palettes)))
        row["seconds"][way] = time.perf_counter() - start_s
    return row


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "k", "stored", "bytes", "over entropy", "s"):
        table.add_column(title, justify="left" if title in ("model", "stored") else "right")
    for row in rows:
        entropy = row["bytes"]["entropy"]
        for way, size in row["bytes"].items():
            over = f"{100 * (size / entropy - 1):+.2f}%"
            seconds = f"{row['seconds'][way]:.2f}"
            table.add_row(row["model"], str(row["palette_size"]), way, f"{size:,}", over, seconds)
    return table


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--palette-size", "palette_sizes", multiple=True, type=int, default=(16, 256))
@click.option("--crush", "levels", multiple=True, type=int, default=(0, 2, 4, 6))
@click.option("--json", "as_json", is_flag=True, help="Rows as JSON lines instead of a table.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/planes.jsonl.")
def main(
    names: tuple[str, ...],
    palette_sizes: tuple[int, ...],
    levels: tuple[int, ...],
    as_json: bool,
    save: bool,
) -> None:
    """Print one table for the models of DATA.md."""
    rows = [
        measure(model.name, str(data_folder() / model.file), palette_size, levels)
        for model in MODELS
        for palette_size in palette_sizes
        if not names or model.name in names
    ]
    console = Console()
    if as_json:
        console.out("\n".join(map(json.dumps, rows)), highlight=False)
    else:
        console.print(f"{machine()}, commit {commit()}")
        console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('planes', rows)}")


if __name__ == "__main__":
    main()
