"""The page and its core in a real browser: answers, first visit, frames, memory, Lighthouse, sizes.

    POCKETLENS_DATA=... python benchmarks/browser.py [--only first] [--cache build/bench] [--save]

Needs Chromium, Node and npm; onnxruntime-web, TensorFlow.js and Lighthouse are installed by npm
into the folder given by --cache. All runs in one headless Chromium on one thread; engines that are
compared take turns, frame by frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

import browser_measures as measures
from browser_measures import Row
from measuring import append_rows, commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens._bundled import bundled
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents
from pocketlens.lensfile.reader import read_lens

BUNDLED = "bundled"
RACED = ("squeezenet", "mobilenet-v2")
MEASURES = ("sizes", "answers", "first", "frames", "memory", "lighthouse")


def lens_of(model: RealModel, bits: int) -> LensContents:
    """A real model in plain palettes."""
    imported = read_onnx(data_folder() / model.file)
    return pack(imported, settings=Settings(bits=bits), recipe=model.recipe)


def rows_of(measure: str, *, cache: Path, count: Callable[[int], int]) -> list[Row]:
    """The rows of one measure. count: makes a number smaller where all is only tried."""
    models = {model.name: model for model in MODELS if model.name in RACED}
    small = read_lens(bundled())
    if measure == "first":
        return [measures.first_visit(BUNDLED, small, visits=count(15))]
    if measure == "memory":
        return [measures.long_run(BUNDLED, small, frames=count(10_000))]
    if measure == "lighthouse":
        return [measures.lighthouse(small, cache=cache, keep=None)]
    squeezenet = models["squeezenet"]
    if measure == "answers":
        lenses = {"squeezenet, 8 bits": lens_of(squeezenet, 8), BUNDLED: small}
        return [measures.same_answers(n, c, count=count(500)) for n, c in lenses.items()]
    if measure == "sizes":
        widths = {f"squeezenet, {bits} bits": lens_of(squeezenet, bits) for bits in (8, 4)}
        return list(measures.sizes({BUNDLED: small} | widths, cache=cache))
    rows = []
    for model in models.values():
        lenses = {f"{bits} bits": lens_of(model, bits) for bits in (8, 4)}
        rows += measures.frames_apart(model, lenses, cache=cache, rounds=count(50))
    return rows


@click.command()
@click.option("--cache", default="build/bench", type=click.Path(path_type=Path),
              show_default=True, help="Where npm installs peers and Lighthouse.")  # fmt: skip
@click.option("--only", "wanted", multiple=True, type=click.Choice(MEASURES))
@click.option("--shorter", default=1, show_default=True, help="Divides every number of runs.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/browser.jsonl.")
def main(cache: Path, wanted: tuple[str, ...], shorter: int, save: bool) -> None:
    """Print the rows, and keep them where asked."""
    measures.install_peers(cache)
    console = Console()
    console.print(f"{machine()}, commit {commit()}")
    for measure in wanted or MEASURES:
        rows = rows_of(measure, cache=cache, count=lambda n: max(2, n // shorter))
        rows = [{**row, "load": os.getloadavg()[0]} for row in rows]
        for row in rows:
            console.print(row)
        if save:
            console.print(f"appended to {append_rows('browser', rows)}")


if __name__ == "__main__":
    main()
