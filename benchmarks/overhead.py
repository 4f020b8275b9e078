"""What a lens costs beside its indices: file bytes, entropy, pictures, numbers, labels, database.

    python benchmarks/overhead.py [--append] FILE.lens ...

The entropy is that of each tensor's own indices, order 0 (of indices of 16 bits that of all high
and all low bytes): what an ideal coder that knows how often each value occurs would spend. All else
is above it: what PNG adds (frames, Huffman tables, whole bits), the numbers (palettes, and values
that have none), the labels, and the database (header, schema, graph, rows about tensors, pages that
are not full). "allowed" is 2.5% of the entropy and 4,096 bytes, for everything but the labels:
those are the user's own words and counted apart.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from measuring import append_rows
from pocketlens.labels.labels import numbered
from pocketlens.lensfile.contents import LensContents, TensorRecord
from pocketlens.lensfile.image import smallest_image
from pocketlens.lensfile.indices import tensor_numbers
from pocketlens.lensfile.plane_uses import plane_uses
from pocketlens.lensfile.reader import read_lens
from pocketlens.lensfile.steps import Stepped, gathered
from pocketlens.planes.entropy import index_entropy_bytes

ALLOWED_SHARE = 0.025
ALLOWED_BYTES = 4096
EVEN_BYTES = 8


@dataclass(frozen=True)
class Overhead:
    """Bytes of a lens by what they are for; they add up to `file`.

    entropy   of the indices, order 0, tensor by tensor
    pictures  what the PNG files take above it
    numbers   palettes and values
    labels    what the file is larger for them
    database  the rest
    """

    file: int
    entropy: float
    pictures: float
    numbers: int
    labels: int

    @property
    def database(self) -> float:
        """Header, schema, graph, rows about tensors, slack."""
        return self.file - self.entropy - self.pictures - self.numbers - self.labels

    @property
    def above(self) -> float:
        """Everything above the entropy but the labels."""
        return self.file - self.entropy - self.labels

    @property
    def allowed(self) -> float:
        """What `above` may be at most."""
        return ALLOWED_SHARE * self.entropy + ALLOWED_BYTES


def overhead_of(contents: LensContents, *, file_bytes: int) -> Overhead:
    """Where the bytes of a lens of `file_bytes` go."""
    entropy = sum(map(entropy_bytes, contents.tensors))
    png_bytes = sum(
        len(band.png) for use in plane_uses(contents.tensors) for band in use.plane.bands
    )
    nameless = replace(contents, labels=numbered(len(contents.labels)))
    png, steps = gathered(
        {n: each.values for n, each in enumerate(contents.tensors) if each.fate == "half"}
    )
    entropy += steps_entropy_bytes(tuple(steps.values()))
    numbers = sum(
        len(steps[n].step) if n in steps else number_bytes(each)
        for n, each in enumerate(contents.tensors)
    )
    return Overhead(
        file=file_bytes,
        entropy=entropy,
        pictures=png_bytes + len(png) - entropy,
        numbers=numbers,
        labels=len(smallest_image(contents)) - len(smallest_image(nameless)),
    )


def entropy_bytes(record: TensorRecord) -> float:
    """Order-0 entropy of what a tensor's pixels say; a mask adds nothing to it."""
    if record.plane is None:
        return 0.0
    return index_entropy_bytes(tensor_numbers(record), record.numbers)


def steps_entropy_bytes(steps: Sequence[Stepped]) -> float:
    """Order-0 entropy of the indices of 16 bits, high and low bytes apart, all tensors together."""
    indices = [index for each in steps for index in each.indices]
    bits = 0.0
    for part in ([index >> 8 for index in indices], [index & 255 for index in indices]):
        counts = Counter(part).values()
        bits -= sum(count * math.log2(count / len(part)) for count in counts)
    return bits / 8


def number_bytes(record: TensorRecord) -> int:
    """Bytes of a tensor's palettes or values in the file."""
    return EVEN_BYTES if record.affine else len(record.palettes) + len(record.values)


@click.command(help=(__doc__ or "").splitlines()[0])
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--append", is_flag=True, help="Append the rows to results/overhead.jsonl.")
def main(files: tuple[Path, ...], append: bool) -> None:
    table = Table(title="bytes of a lens")
    for title in ("lens", "file", "page", "entropy", "PNG above", "numbers", "labels", "database",
                  "above entropy", "allowed"):  # fmt: skip
        table.add_column(title, justify="right")
    rows: list[dict[str, Any]] = []
    for path in files:
        found = overhead_of(read_lens(path), file_bytes=path.stat().st_size)
        page = int.from_bytes(path.read_bytes()[16:18], "big")
        figures = (found.file, page, found.entropy, found.pictures, found.numbers, found.labels,
                   found.database, found.above, found.allowed)  # fmt: skip
        table.add_row(path.stem, *(f"{figure:,.0f}" for figure in figures))
        names = ("file", "page", "entropy", "pictures", "numbers", "labels", "database", "above",
                 "allowed")  # fmt: skip
        bytes_ = {name: round(figure) for name, figure in zip(names, figures, strict=True)}
        rows.append({"lens": path.stem, "settings": settings_of(path), "bytes": bytes_})
    console = Console(width=140)
    console.print(table)
    if append:
        console.print(f"appended to {append_rows('overhead', rows)}")


def settings_of(path: Path) -> dict[str, Any]:
    """What was asked of a lens."""
    settings: dict[str, Any] = json.loads(read_lens(path).provenance.settings)
    return settings


if __name__ == "__main__":
    main()
