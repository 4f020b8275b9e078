"""What precision bf16 changes: scores of every network, answers of the real ones, and the time.

    POCKETLENS_DATA=... python benchmarks/precision.py [--network N] [--save]

Lenses at 8 bits, one thread, the same lens in fp32 and in bf16 on the same input. `largest` and
`rms` are of the scores' differences, in parts of the largest score and of their root mean square,
the worst of ten pictures: photos for the real networks, normal noise for the others, whose weights
are random. `flips` counts first answers that differ on all photos.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from rich.console import Console

from accuracy import imagenet_labels
from measuring import append_rows, commit, interleaved_ms, machine
from models import MODELS, RealModel, data_folder
from networks import NETWORKS, Network
from pocketlens.classify.lens import Lens
from pocketlens.compression.about import About
from pocketlens.compression.settings import Settings
from pocketlens.compression.story import compress
from pocketlens.engine.prepare import prepare
from pocketlens.evaluation.accuracy import compare, measure_together
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.images.decode import open_image
from pocketlens.lensfile.contents import LensContents

BITS = 8
PICTURES = 10
REPEATS = 30


def lens_of(network: Network, folder: Path) -> LensContents:
    """The network at 8 bits."""
    model = network.model()
    classes = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    labels = imagenet_labels(classes) if classes >= 1000 else None
    onnx.save(model, str(folder / "model.onnx"))
    about = About(recipe=network.recipe, labels=labels)
    settings = Settings(bits=BITS, crush=None)
    return compress(folder / "model.onnx", folder / "8.lens", settings=settings, about=about)


def pictures_of(contents: LensContents, real: RealModel | None) -> list[bytes]:
    """Inputs of the network: photos, spread over the set, or noise."""
    if real is None or not real.data.startswith("images"):
        shape = contents.graph.shapes[contents.graph.inputs[0]]
        noise = np.random.default_rng(0).standard_normal((PICTURES, *shape[1:]), np.float32)
        return [picture.tobytes() for picture in noise]
    photos = sorted((data_folder() / real.data).glob("*.JPEG"))
    chosen = photos[:: len(photos) // PICTURES][:PICTURES]
    return [prepare(open_image(photo), contents.recipe) for photo in chosen]


def differences(plain: Lens, rounded: Lens, pictures: list[bytes]) -> dict[str, float]:
    """Of the scores of the same pictures, the worst of them."""

    def scores(lens: Lens, picture: bytes) -> NDArray[np.float64]:
        return np.array(lens.run(picture, batch=1)[0], np.float64)

    largest, rms = [], []
    for picture in pictures:
        one, other = scores(plain, picture), scores(rounded, picture)
        largest.append(np.abs(one - other).max() / np.abs(one).max())
        rms.append(np.sqrt(np.square(one - other).mean() / np.square(one).mean()))
    return {"largest": float(max(largest)), "rms": float(max(rms))}


def measure(network: Network) -> dict[str, Any]:
    """The row of a network."""
    with tempfile.TemporaryDirectory() as folder:
        contents = lens_of(network, Path(folder))
    real = next((model for model in MODELS if model.name == network.name), None)
    with Lens(contents) as plain, Lens(contents, precision="bf16") as rounded:
        pictures = pictures_of(contents, real)
        row: dict[str, Any] = {"network": network.name, "engine": rounded.engine_name}
        row |= differences(plain, rounded, pictures)
        for name, memory in (("fp32", plain.memory()), ("bf16", rounded.memory())):
            row[f"{name}_memory"] = memory
        if real is not None and real.data.startswith("images"):
            photos = open_dataset(data_folder() / real.data, plain.labels)
            wrong = measure_together(
                photos, [plain.confidences, rounded.confidences], class_count=len(plain.labels)
            )
            row |= {
                "n": len(photos),
                "flips": compare(wrong[1], wrong[0]).flips,
                "fp32_top1_right": wrong[0].n - wrong[0].top1_wrong,
                "bf16_top1_right": wrong[1].n - wrong[1].top1_wrong,
            }
        runners = {
            name: lambda lens=lens: lens.run(pictures[0], batch=1)
            for name, lens in (("fp32", plain), ("bf16", rounded))
        }
        return row | {"ms": interleaved_ms(runners, repeats=REPEATS)}


@click.command()
@click.option("--network", "names", multiple=True, help="Only these networks.")
@click.option("--save", is_flag=True, help="Append the rows to benchmarks/results/precision.jsonl.")
def main(names: tuple[str, ...], save: bool) -> None:
    """Print a row for each network."""
    console = Console()
    console.print(f"{machine()}, commit {commit()}")
    for network in NETWORKS:
        if names and network.name not in names:
            continue
        row = measure(network)
        console.print(row)
        if save:
            append_rows("precision", [row])


if __name__ == "__main__":
    main()
