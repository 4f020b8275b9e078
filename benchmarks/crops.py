"""One crop, ten crops and sliding: how many photos are right, and how long one takes.

    POCKETLENS_DATA=... python benchmarks/crops.py [--model NAME] [--save]

Lenses at 8 bits, one thread. Milliseconds are the processor's, of one photo that is decoded
already, resizing included, for each way in turn. Sliding is timed on a size of picture that is
open, and what the first photo of a size costs on top stands beside it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import click
from PIL.Image import Image
from rich.console import Console

from accuracy import imagenet_labels
from measuring import append_rows, commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.classify.lens import Lens
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import pack
from pocketlens.evaluation.accuracy import measure_together
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.images.views import SLIDE, Crops
from pocketlens.importers.onnx.reader import read_onnx

BITS = 8
WAYS: tuple[Crops, ...] = (1, 10, SLIDE)
NAMES = ("squeezenet", "mobilenet-v2", "mobilenet-v1-0.25")
WIDE = (341, 256)
"""What ImageNet's usual photo of 4:3 is, its shorter side at 256 pixels."""


def made(model: RealModel) -> Lens:
    imported = read_onnx(data_folder() / model.file)
    graph = imported.network.graph
    labels = imagenet_labels(graph.shapes[graph.outputs[0]][-1])
    return Lens(pack(imported, settings=Settings(bits=BITS), recipe=model.recipe, labels=labels))


def processor_ms(run: Callable[[], object]) -> float:
    """Of one run, by the processor's clock: others on the machine hardly matter."""
    start = time.process_time_ns()
    run()
    return (time.process_time_ns() - start) / 1e6


def times(lens: Lens, photo: Image, *, repeats: int) -> tuple[dict[Crops, float], float]:
    """The least of each way, in turn; and what a size of picture costs that was not open."""

    def classify(each: Image, way: Crops) -> Callable[[], object]:
        return lambda: lens.confidences(each, crops=way)

    least: dict[Crops, float] = {}
    for _ in range(repeats + 1):
        for way in WAYS:
            taken = processor_ms(classify(photo, way))
            least[way] = min(taken, least.get(way, math.inf))
    first, again = [], []
    for extra in range(1, 6):
        other = photo.resize((photo.width, photo.height + 64 * extra))
        first.append(processor_ms(classify(other, SLIDE)))
        again.append(processor_ms(classify(other, SLIDE)))
    opening = min(one - two for one, two in zip(first, again, strict=True))
    return least, max(opening, 0.0)


def measure(model: RealModel, *, repeats: int) -> list[dict[str, Any]]:
    """A row for each way."""
    with made(model) as lens:
        photos = open_dataset(data_folder() / model.data, lens.labels)
        photo = photos.photo_of(0).resize(WIDE)
        taken, opening = times(lens, photo, repeats=repeats)
        counted = measure_together(
            photos,
            [lambda each, way=way: lens.confidences(each, crops=way) for way in WAYS],  # type: ignore[misc]
            class_count=len(lens.labels),
        )
    rows = []
    for way, measurement in zip(WAYS, counted, strict=True):
        row = {
            "model": model.name,
            "engine": f"pocketlens {BITS} bits, {way if way == SLIDE else f'crops {way}'}",
            "n": measurement.n,
            "top1_right": measurement.n - measurement.top1_wrong,
            "top5_right": measurement.n - (measurement.top5_wrong or 0),
            "processor_ms": taken[way],
        }
        rows.append(row | ({"opening_ms": opening} if way == SLIDE else {}))
    return rows


@click.command()
@click.option("--model", "names", multiple=True, default=NAMES, show_default=True)
@click.option("--repeats", default=30, show_default=True, help="Timed runs of each way.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/crops.jsonl.")
def main(names: tuple[str, ...], repeats: int, save: bool) -> None:
    """Print a row for each network and way."""
    console = Console()
    console.print(f"{machine()}, commit {commit()}")
    for model in MODELS:
        if model.name not in names:
            continue
        rows = measure(model, repeats=repeats)
        for row in rows:
            console.print(row)
        if save:
            append_rows("crops", rows)


if __name__ == "__main__":
    main()
