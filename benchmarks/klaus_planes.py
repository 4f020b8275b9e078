"""The two planes of the real Klaus app: bytes in 2014, ours, and the entropy of the indices.

    python benchmarks/klaus_planes.py layer-11.png layer-12.png [--save]

The pictures are those of the repository liuliu/klaus, folder ccv/ccvResources: indices of the two
last full connect layers, 8 bits each, as pngcrush left them. "entropy" is that of the indices one
by one, which no coder without context goes below; a plane here is several pictures, for no row of
a lens is larger than a megabyte, and all their bytes count.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, machine
from pocketlens.planes.best import encode_best
from pocketlens.planes.entropy import index_entropy_bytes

LEVELS = (None, 2, 4, 6)


def measure(path: Path) -> list[dict[str, Any]]:
    """A row for the picture as it is, and one for every effort of the optimiser."""
    indices = np.asarray(Image.open(path))
    size = int(indices.max()) + 1
    floor = index_entropy_bytes(indices, size)
    shared = {
        "model": path.name,
        "weights": indices.size,
        "used": len(np.unique(indices)),
        "entropy_bytes": round(floor),
    }
    rows = [{**shared, "engine": "as in the app", "bytes": path.stat().st_size, "seconds": 0.0}]
    for level in LEVELS:
        start_s = time.perf_counter()
        best = encode_best(indices, palette_size=size, crush=level)
        rows.append(
            {
                **shared,
                "engine": "plain" if level is None else f"crush {level}",
                "bytes": best.png_bytes,
                "seconds": time.perf_counter() - start_s,
            }
        )
    return rows


def table_of(rows: list[dict[str, Any]]) -> Table:
    """What was measured, on a terminal."""
    table = Table(box=None, pad_edge=False)
    for title in ("plane", "stored", "bytes", "over entropy", "of the app's", "s"):
        table.add_column(title, justify="left" if title in ("plane", "stored") else "right")
    for row in rows:
        app = next(r["bytes"] for r in rows if r["model"] == row["model"])
        table.add_row(
            row["model"],
            row["engine"],
            f"{row['bytes']:,}",
            f"{row['bytes'] / row['entropy_bytes'] - 1:+.2%}",
            f"{row['bytes'] / app:.2%}",
            f"{row['seconds']:.1f}",
        )
    return table


@click.command()
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--save", is_flag=True, help="Append rows to benchmarks/results/klaus_planes.jsonl.")
def main(pictures: tuple[Path, ...], save: bool) -> None:
    """Print one table for PICTURES."""
    console = Console()
    rows = [row for path in pictures for row in measure(path)]
    console.print(f"{machine()}, load {os.getloadavg()[0]:.1f}, commit {commit()}")
    console.print(table_of(rows))
    if save:
        console.print(f"appended to {append_rows('klaus_planes', rows)}")


if __name__ == "__main__":
    main()
