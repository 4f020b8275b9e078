"""Klaus's network as the phone had it: ten patches of a photo, as ccv takes them.

    python benchmarks/klaus_ten.py [--threads 1] [--repeats 30] [--save]

ccv's topology with 2,048 hidden outputs (`matt-mobile`), random weights and a mean picture: the
first full connect at 4 bits, all other weights at 8. "forming" is the way from a decoded photo of
1,200 pixels' height to the input, "in all" that and everything to the mean of ten softmax; "MiB"
are weights, arenas and scratch of an engine that has seen this photo. ccv itself takes 0.23 s for
257 x 257 on a comparable machine, in one thread, with SSE2; our target sse2 is there to compare
with that. All take turns in one run.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

import pocketlens
from measuring import append_rows, commit, interleaved_ms, machine
from pocketlens.compression.overrides import Override
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.engine.prepare import formed_input
from pocketlens.images.ccv_decode import open_as_ccv
from pocketlens.images.recipe import Recipe
from pocketlens.importers.imported import Imported
from pocketlens.lensfile.writer import write_lens
from pocketlens.networks.build import build

CCV_MS = 230.0
SIDE, PATCH, STEP = 257, 225, 16
PHOTOS = {"257x257": (1200, 1200), "257x343": (1600, 1200)}


def klaus_lens(path: Path) -> None:
    """The lens of 2014's widths."""
    network = build("matt-mobile", seed=0)
    graph = network.graph
    mean = np.random.default_rng(0).uniform(90, 140, (SIDE, SIDE, 3)).astype("<f4")
    recipe = Recipe("ccv", SIDE, SIDE, "box", PATCH, PATCH, "rgb", (0.0,) * 3, (1.0,) * 3,
                    mean.tobytes())  # fmt: skip
    imported = Imported(network, "klaus", "klaus", "", "logits", graph.shapes[graph.inputs[0]])
    settings = Settings(bits=8, crush=4, overrides=(Override("fc10.weight", bits=4),))
    write_lens(path, pack(imported, settings=settings, recipe=recipe))


def photo_of(size: tuple[int, int]) -> Image.Image:
    """Noise that is smooth enough to be a photo's."""
    dice = np.random.default_rng(1)
    small = dice.integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size)


def measure(
    lens: Path, *, targets: tuple[str, ...], threads: int, repeats: int
) -> list[dict[str, Any]]:
    """A row for every target and photo."""
    rows, runners = [], {}
    with ExitStack() as stack:
        opened = {
            target: stack.enter_context(pocketlens.open(lens, threads=threads, target=target))
            for target in targets
        }
        recipe = next(iter(opened.values())).contents.recipe
        for shape, size in PHOTOS.items():
            photo = photo_of(size)
            runners[f"{shape} forming"] = _forming(photo, recipe)
            for target, each in opened.items():
                each.confidences(photo, crops="ccv10")
                runners[f"{shape} {target}"] = _answer(each, photo)
        times = interleaved_ms(runners, repeats=repeats)
        for target in opened:
            for shape, size in PHOTOS.items():
                all_ms, forming = times[f"{shape} {target}"], times[f"{shape} forming"]
                rows.append(
                    {
                        "model": "klaus-2048",
                        "engine": f"pocketlens {target}, {_threads(threads)}, {shape}",
                        "threads": threads,
                        "in_all": all_ms,
                        "forming": forming,
                        "file_bytes": lens.stat().st_size,
                        "memory": _memory(lens, photo_of(size), target=target, threads=threads),
                    }
                )
    return rows


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _forming(photo: Image.Image, recipe: Recipe) -> Callable[[], object]:
    return lambda: formed_input(open_as_ccv(photo), recipe, step=STEP, mirrored=True)


def _memory(lens: Path, photo: Image.Image, *, target: str, threads: int) -> dict[str, int]:
    """Of an engine that has seen this one photo."""
    with pocketlens.open(lens, threads=threads, target=target) as opened:
        opened.confidences(photo, crops="ccv10")
        return opened.memory()


def _answer(lens: pocketlens.Lens, photo: Image.Image) -> Callable[[], object]:
    return lambda: lens.confidences(photo, crops="ccv10")


def table_of(rows: list[dict[str, Any]]) -> Table:
    """What was measured, on a terminal."""
    table = Table(box=None, pad_edge=False)
    for title in ("engine", "in all ms", "median", "forming", "x ccv", "MiB"):
        table.add_column(title, justify="left" if title == "engine" else "right")
    for row in rows:
        least, memory = row["in_all"]["min_ms"], row["memory"]
        held = memory["weights"] + memory["arena"] + memory["scratch"]
        table.add_row(
            row["engine"],
            f"{least:.1f}",
            f"{row['in_all']['median_ms']:.1f}",
            f"{row['forming']['min_ms']:.1f}",
            f"{CCV_MS / least:.1f}" if row["engine"].endswith("257x257") else "",
            f"{held / (1 << 20):.1f}",
        )
    return table


@click.command()
@click.option("--target", "targets", multiple=True, default=("avx512", "avx2", "sse2"))
@click.option("--threads", default=1, show_default=True)
@click.option("--repeats", default=30, show_default=True)
@click.option("--save", is_flag=True, help="Append rows to benchmarks/results/klaus_ten.jsonl.")
def main(targets: tuple[str, ...], threads: int, repeats: int, save: bool) -> None:
    """Print one table."""
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        lens = Path(folder) / "klaus.lens"
        klaus_lens(lens)
        rows = measure(lens, targets=targets, threads=threads, repeats=repeats)
    console.print(f"{machine()}, load {os.getloadavg()[0]:.1f}, commit {commit()}")
    console.print(table_of(rows))
    console.print(f"file: {rows[0]['file_bytes'] / (1 << 20):.1f} MiB")
    if save:
        console.print(f"appended to {append_rows('klaus_ten', rows)}")


if __name__ == "__main__":
    main()
