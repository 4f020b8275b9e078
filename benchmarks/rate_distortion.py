"""KL against bytes: networks coded by rate and distortion, at each price of a bit.

    POCKETLENS_DATA=... python benchmarks/rate_distortion.py [--model NAME] [--lagrangian 1e-7 ...]
                                                             [--part report] [--no-torch] [--save]

Statistics come from the fit part; choices are to be made on the select part; the report part is
for the figures. Photos are dealt out by their SHA-256 (first byte below 0x60: fit; below 0x80:
select; else report), rows of CIFAR-10 by their number (0, 1 or another modulo 8). Bytes are those
of planes (PNG, not crushed), palettes and half-precision biases. KL is the mean of
KL(float || coded) in nats, both run by the core.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from measuring import append_rows, commit, machine
from models import CIFAR, MODELS, RealModel, data_folder
from pocketlens.calibration.collect import collect
from pocketlens.calibration.running import open_float
from pocketlens.calibration.sensitivity import add_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.compression.coding import CodedNetwork, code_network
from pocketlens.engine.core import CoreEngine
from pocketlens.evaluation.datasets import open_dataset
from pocketlens.graph.graph import Network
from pocketlens.images.apply import prepare_reference
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.labels.labels import Label
from pocketlens.lensfile.contents import LensContents

Scores = NDArray[np.float64]
PARTS = ("fit", "select", "report")
LAGRANGIANS = {
    "resnet8-cifar10": (1e-7, 2e-7, 4e-7, 7e-7, 1.2e-6, 2.2e-6),
    "mobilenet-v2": (3e-9, 8e-9, 1.6e-8, 2.5e-8, 4e-8, 7e-8),
    "squeezenet": (1e-8, 3e-8, 8e-8, 2e-7, 4e-7, 8e-7),
    "mobilenet-v1-0.25": (1e-8, 3e-8, 8e-8, 2e-7, 4e-7, 8e-7),
}
BATCH = 10


@dataclass(frozen=True)
class Pictures:
    """One part: network inputs (n, C, H, W) float32, and classes (n,)."""

    inputs: NDArray[np.float32]
    classes: NDArray[np.int64]


def dealt(model: RealModel, classes: int) -> dict[str, Pictures]:
    """The data of a model in its parts."""
    place = data_folder() / model.data
    dataset = open_dataset(place, tuple(Label(f"class {number}") for number in range(classes)))
    inputs: dict[str, list[NDArray[np.float32]]] = {part: [] for part in PARTS}
    truth: dict[str, list[int]] = {part: [] for part in PARTS}
    for number in range(len(dataset)):
        if model.data == CIFAR:
            part = PARTS[min(number % 8, 2)]
        else:
            part = _part(place / dataset.name_of(number))
        photo = dataset.photo_of(number)
        inputs[part].append(prepare_reference(photo, model.recipe)[0])
        truth[part].append(dataset.classes[number])
    return {part: Pictures(np.stack(inputs[part]), np.array(truth[part])) for part in PARTS}


def _part(photo: Path) -> str:
    first = hashlib.sha256(photo.read_bytes()).digest()[0]
    return "fit" if first < 0x60 else "select" if first < 0x80 else "report"


def known_of(network: Network, fit: Pictures, *, torch: bool) -> dict[str, LayerStatistics]:
    pictures = [x[None] for x in fit.inputs]
    moments = collect(network, pictures)
    return add_sensitivities(network, moments, pictures, method="fisher" if torch else "shaking")


def scores_of(engine: CoreEngine, inputs: NDArray[np.float32]) -> Scores:
    runs = (engine.run([inputs[i : i + BATCH]])[0] for i in range(0, len(inputs), BATCH))
    return np.concatenate(list(runs)).reshape(len(inputs), -1).astype(np.float64)


def log_probabilities(scores: Scores, *, probabilities: bool) -> Scores:
    if probabilities:
        return np.log(np.maximum(scores, 1e-30))
    shifted = scores - scores.max(axis=1, keepdims=True)
    logs: Scores = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def bytes_of(coded: CodedNetwork) -> int:
    planes = (band for record in coded.tensors if record.plane for band in record.plane.bands)
    beside = sum(len(record.palettes) + len(record.values) for record in coded.tensors)
    return beside + sum(len(band.png) for band in planes)


def measure(
    model: RealModel, lagrangians: tuple[float, ...], part: str, *, torch: bool
) -> Iterator[dict[str, Any]]:
    network = read_onnx(data_folder() / model.file).network
    graph = network.graph
    parts = dealt(model, int(np.prod(graph.shapes[graph.outputs[0]])))
    start_s = time.process_time()
    known = known_of(network, parts["fit"], torch=torch)
    calibration_s = time.process_time() - start_s
    pictures = parts[part]
    softmax = ends_in_softmax(graph)
    expected = scores_of(open_float(network, graph.outputs), pictures.inputs)
    told = log_probabilities(expected, probabilities=softmax)
    row = {"model": model.name, "part": part, "n": len(pictures.classes), "torch": torch,
           "calibration_s": calibration_s}  # fmt: skip
    float_bytes = sum(4 * values.size for values in network.tensors.values())
    yield row | _figures(expected, told, told, pictures) | {"bytes": float_bytes}
    for lagrangian in lagrangians or LAGRANGIANS[model.name]:
        start_s = time.process_time()
        coded = code_network(network, known, lagrangian=lagrangian)
        coding_s = time.process_time() - start_s
        contents = LensContents(model.name, coded.graph, coded.tensors, (), model.recipe)
        scores = scores_of(CoreEngine(contents), pictures.inputs)
        logs = log_probabilities(scores, probabilities=softmax)
        yield row | _figures(scores, logs, told, pictures) | {
            "lagrangian": lagrangian, "bytes": bytes_of(coded), "foreseen": coded.distortion,
            "coding_s": coding_s,
        }  # fmt: skip


def _figures(scores: Scores, logs: Scores, told: Scores, pictures: Pictures) -> dict[str, Any]:
    answers = scores.argmax(axis=1)
    return {
        "kl": float((np.exp(told) * (told - logs)).sum(axis=1).mean()),
        "top1": 100 * float((answers == pictures.classes).mean()),
        "agree": 100 * float((answers == told.argmax(axis=1)).mean()),
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "lagrangian", "bytes", "KL", "foreseen", "top-1 %", "agree %", "CPU s"):
        table.add_column(title, justify="left" if title == "model" else "right")
    for row in rows:
        coded = "lagrangian" in row
        table.add_row(
            row["model"],
            f"{row['lagrangian']:.2g}" if coded else "float",
            f"{row['bytes']:,}",
            f"{row['kl']:.4f}",
            f"{row['foreseen']:.4f}" if coded else "",
            f"{row['top1']:.2f}",
            f"{row['agree']:.1f}",
            f"{row['coding_s']:.1f}" if coded else f"{row['calibration_s']:.1f}",
        )
    return table


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--lagrangian", "lagrangians", multiple=True, type=float, help="In nats a bit.")
@click.option("--part", type=click.Choice(PARTS), default="report", show_default=True)
@click.option("--torch/--no-torch", default=True, help="Fisher information, or shaken weights.")
@click.option("--save", is_flag=True, help="Append to benchmarks/results/rate_distortion.jsonl.")
def main(
    names: tuple[str, ...], lagrangians: tuple[float, ...], part: str, torch: bool, save: bool
) -> None:
    """Print one table for the models of DATA.md."""
    console = Console(width=110)
    console.print(f"{machine()}, commit {commit()}")
    for model in MODELS:
        if not names or model.name in names:
            rows = list(measure(model, lagrangians, part, torch=torch))
            console.print(table_of(rows))
            if save:
                console.print(f"appended to {append_rows('rate_distortion', rows)}")


if __name__ == "__main__":
    main()
