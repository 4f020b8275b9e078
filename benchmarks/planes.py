"""Bytes of the planes of real models: ours, the entropy of the indices, and other deflates.

    POCKETLENS_DATA=... python benchmarks/planes.py [--model squeezenet] [--palette-size 16]

Every tensor of two or more axes gets one palette. "plain" is a plane a tensor; "best" the smallest
of planes and masks; "shared" the same, small tensors of the same bits together in one plane.
"zlib, a byte each" is what a picture library does with one index a byte and zlib's default
strategy; "zlib packed" the same at our bit depth and layout; "zlib Huffman" zlib's codes without
matches, which begin a table every 32,767 bytes; "crush n" is "best" with the PNG optimiser at
level n. "worst" is the tensor of at least 100 kB that is furthest above its entropy.
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
from pocketlens.planes.best import encode_best
from pocketlens.planes.encode import encode_plane, encode_shared
from pocketlens.planes.entropy import index_entropy_bytes
from pocketlens.planes.plane import MOST_BAND_BYTES, Plane, index_bits_for
from pocketlens.planes.scanlines import inflate_band

LEAST_WEIGHTS = 200
SMALL_BYTES = 16_384
LARGE_BYTES = 100_000
FRAME_BYTES = 57  # signature and chunks of any PNG, added to bare deflate to compare alike


def tensors_of(path: str) -> list[NDArray[np.float32]]:
    arrays = [onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer]
    return [
        array
        for array in arrays
        if array.dtype == np.float32 and array.ndim >= 2 and array.size >= LEAST_WEIGHTS
    ]


def plain_plane(palette: Palette) -> Plane:
    return encode_plane(palette.indices, index_bits=index_bits_for(len(palette.values)))


def best_bytes(palette: Palette, crush: int | None) -> int:
    best = encode_best(palette.indices, palette_size=len(palette.values), crush=crush)
    return best.png_bytes


def shared_bytes(palettes: list[Palette]) -> float:
    """Small tensors of the same bits in one plane, in the order of the model; the others alone."""
    small: dict[int, list[NDArray[np.uint8]]] = {}
    size = 0
    for palette in palettes:
        bits = index_bits_for(len(palette.values))
        if palette.indices.size * bits <= 8 * SMALL_BYTES:
            small.setdefault(bits, []).append(palette.indices)
        else:
            size += best_bytes(palette, None)
    return size + sum(encode_shared(each, index_bits=bits)[0].png_bytes
                      for bits, each in small.items())  # fmt: skip


def repacked(palette: Palette, deflate: Callable[[bytes], bytes]) -> int:
    """Bytes of a plain plane with another deflate."""
    bands = plain_plane(palette).bands
    raws = (inflate_band(band.png, max_bytes=MOST_BAND_BYTES) for band in bands)
    return sum(len(deflate(raw)) + FRAME_BYTES for raw in raws)


def zlib_huffman(raw: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return deflater.compress(raw) + deflater.flush()


def entropy(palette: Palette) -> float:
    return index_entropy_bytes(palette.indices, len(palette.values))


Way = Callable[[list[Palette]], float]


def each(size_of: Callable[[Palette], float]) -> Way:
    """A way that stores every tensor for itself."""
    return lambda palettes: sum(map(size_of, palettes))


def ways(levels: tuple[int, ...]) -> dict[str, Way]:
    """Name and bytes of each way to store the indices."""
    found = {
        "entropy": each(entropy),
        "plain": each(lambda p: plain_plane(p).png_bytes),
        "best": each(lambda p: best_bytes(p, None)),
        "shared": shared_bytes,
        "zlib, a byte each": each(lambda p: len(zlib.compress(p.indices.tobytes())) + FRAME_BYTES),
        "zlib packed": each(lambda p: repacked(p, lambda raw: zlib.compress(raw, 9))),
        "zlib Huffman": each(lambda p: repacked(p, zlib_huffman)),
    }
    for level in levels:
        found[f"crush {level}"] = each(lambda p, level=level: best_bytes(p, level))  # type: ignore[misc]
    return found


def worst(palettes: list[Palette]) -> float:
    """How far the "best" planes of a large tensor are above its entropy, at most; a ratio."""
    over = [
        best_bytes(palette, None) / entropy(palette) - 1
        for palette in palettes
        if entropy(palette) >= LARGE_BYTES
    ]
    return max(over, default=0.0)


def measure(name: str, path: str, palette_size: int, levels: tuple[int, ...]) -> dict[str, Any]:
    """One row: bytes and seconds of every way, over all tensors of a model."""
    palettes = [fit_palette(array, palette_size) for array in tensors_of(path)]
    row: dict[str, Any] = {"model": name, "palette_size": palette_size, "tensors": len(palettes)}
    row["bytes"], row["seconds"] = {}, {}
    for way, size_of in ways(levels).items():
        start_s = time.perf_counter()
        row["bytes"][way] = round(size_of(palettes))
        row["seconds"][way] = time.perf_counter() - start_s
    row["worst"] = worst(palettes)
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
        table.add_row(
            row["model"], str(row["palette_size"]), "worst", "", f"{row['worst']:+.2%}", ""
        )
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
