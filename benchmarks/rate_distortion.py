"""KL against bytes: networks coded by rate and distortion, at each price of a bit.

    POCKETLENS_DATA=... python benchmarks/rate_distortion.py [--model NAME] [--lagrangian 1e-7 ...]
        [--part report] [--no-torch] [--model-file FILE --data FILE] [--only-linear] [--save]

Statistics come from the fit part; choices are to be made on the select part; the report part is
for the figures. Photos and rows of CIFAR-10 are dealt out by their SHA-256, as calibration does it
(compression_judge.py). Bytes are those of planes (PNG, not crushed), masks, palettes and
half-precision biases; "linear" those of full connect layers alone. KL is the mean of
KL(float || coded) in nats, both run by the core; "against float" the points of top-1 that are
lost, paired, with their 95% interval.

--model-file measures the network of training/fc_net.py, whose file is not committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from compression_judge import Part, Photos, prepare
from measuring import append_rows, commit, machine
from models import CIFAR, IMAGENET_MEAN, IMAGENET_SCALE, MODELS, RealModel, data_folder
from pocketlens.calibration.collect import collect
from pocketlens.calibration.running import open_float
from pocketlens.calibration.sensitivity import add_sensitivities
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.cli.inspect_command import stored_bytes
from pocketlens.compression.coding import code_network
from pocketlens.engine.core import CoreEngine
from pocketlens.evaluation.statistics import paired_difference, paired_interval
from pocketlens.graph.graph import Graph, Network
from pocketlens.images.recipe import Recipe
from pocketlens.importers.onnx.reader import read_onnx
from pocketlens.lensfile.contents import LensContents

Scores = NDArray[np.float64]
PARTS: tuple[Part, ...] = ("fit", "select", "report")
LAGRANGIANS = {
    "resnet8-cifar10": (1e-7, 2e-7, 4e-7, 7e-7, 1.2e-6, 2.2e-6),
    "mobilenet-v2": (3e-9, 8e-9, 1.6e-8, 2.5e-8, 4e-8, 7e-8),
    "squeezenet": (1e-8, 3e-8, 8e-8, 2e-7, 4e-7, 8e-7),
    "mobilenet-v1-0.25": (1e-8, 3e-8, 8e-8, 2e-7, 4e-7, 8e-7),
}
OTHERS = (1e-10, 3e-10, 1e-9, 3e-9, 1e-8, 3e-8)
"""For a network that is given as a file."""

BATCH = 10


def known_of(network: Network, fit: Photos, *, torch: bool) -> dict[str, LayerStatistics]:
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


def linear_weights(graph: Graph) -> set[str]:
    """Names of the weights of full connect layers."""
    return {node.inputs[1] for node in graph.nodes if node.op == "linear"}


def measure(
    model: RealModel,
    lagrangians: tuple[float, ...],
    part: Part,
    *,
    torch: bool,
    only_linear: bool = False,
) -> Iterator[dict[str, Any]]:
    """Rows of one network: the float one, then one for each price of a bit.

    only_linear  whether only full connect layers are coded, and all others stay half precision
    """
    network = read_onnx(data_folder() / model.file).network
    graph = network.graph
    parts = prepare(model)
    linear = linear_weights(graph)
    start_s = time.process_time()
    known = known_of(network, parts["fit"], torch=torch)
    if only_linear:
        known = {name: layer for name, layer in known.items() if name in linear}
    calibration_s = time.process_time() - start_s
    pictures = parts[part]
    softmax = ends_in_softmax(graph)
    expected = scores_of(open_float(network, graph.outputs), pictures.inputs)
    told = log_probabilities(expected, probabilities=softmax)
    row = {"model": model.name, "part": part, "n": len(pictures.classes), "torch": torch,
           "only_linear": only_linear, "calibration_s": calibration_s}  # fmt: skip
    sizes = {name: 4 * values.size for name, values in network.tensors.items()}
    yield row | _figures(expected, expected, pictures) | {
        "bytes": sum(sizes.values()), "linear_bytes": sum(sizes[name] for name in linear),
    }  # fmt: skip
    for lagrangian in lagrangians or LAGRANGIANS.get(model.name, OTHERS):
        start_s = time.process_time()
        coded = code_network(network, known, lagrangian=lagrangian)
        coding_s = time.process_time() - start_s
        contents = LensContents(model.name, coded.graph, coded.tensors, (), model.recipe)
        scores = scores_of(CoreEngine(contents), pictures.inputs)
        logs = log_probabilities(scores, probabilities=softmax)
        stored = dict(zip(coded.graph.tensor_names(), stored_bytes(contents), strict=True))
        linear_bytes = sum(stored[name] for name in linear)
        kl = float((np.exp(told) * (told - logs)).sum(axis=1).mean())
        yield row | _figures(scores, expected, pictures) | {
            "kl": kl, "lagrangian": lagrangian, "bytes": sum(stored.values()),
            "linear_bytes": linear_bytes, "foreseen": coded.distortion, "coding_s": coding_s,
        }  # fmt: skip


def _figures(scores: Scores, expected: Scores, pictures: Photos) -> dict[str, Any]:
    """Accuracy, and what is lost against the float network on the same photos."""
    answers, wanted = scores.argmax(axis=1), expected.argmax(axis=1)
    right, float_right = answers == pictures.classes, wanted == pictures.classes
    lost, won = int((float_right & ~right).sum()), int((right & ~float_right).sum())
    return {
        "kl": 0.0,
        "top1": 100 * float(right.mean()),
        "agree": 100 * float((answers == wanted).mean()),
        "lost": lost,
        "won": won,
        "points": paired_difference(lost, won, len(answers)),
        "interval": paired_interval(lost, won, len(answers)),
    }


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "lagrangian", "bytes", "linear", "KL", "foreseen", "top-1 %",
                  "against float", "agree %", "CPU s"):  # fmt: skip
        table.add_column(title, justify="left" if title == "model" else "right")
    for row in rows:
        coded = "lagrangian" in row
        table.add_row(
            row["model"],
            f"{row['lagrangian']:.2g}" if coded else "float",
            f"{row['bytes']:,}",
            f"{row['linear_bytes']:,}",
            f"{row['kl']:.4f}",
            f"{row['foreseen']:.4f}" if coded else "",
            f"{row['top1']:.2f}",
            "{:+.2f} ({:+.2f} to {:+.2f})".format(row["points"], *row["interval"]) if coded else "",
            f"{row['agree']:.1f}",
            f"{row['coding_s']:.1f}" if coded else f"{row['calibration_s']:.1f}",
        )
    return table


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--model-file", type=click.Path(path_type=Path, exists=True),
              help="Only the network of training/fc_net.py, in this ONNX file.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path, exists=True),
              help="Rows for it.  [default: those of CIFAR-10]")  # fmt: skip
@click.option("--only-linear", is_flag=True, help="Code full connect layers alone.")
@click.option("--lagrangian", "lagrangians", multiple=True, type=float, help="In nats a bit.")
@click.option("--part", type=click.Choice(PARTS), default="report", show_default=True)
@click.option("--torch/--no-torch", default=True, help="Fisher information, or shaken weights.")
@click.option("--save", is_flag=True, help="Append to benchmarks/results/rate_distortion.jsonl.")
def main(
    names: tuple[str, ...],
    model_file: Path | None,
    data: Path | None,
    only_linear: bool,
    lagrangians: tuple[float, ...],
    part: Part,
    torch: bool,
    save: bool,
) -> None:
    """Print one table for each of the models of DATA.md."""
    console = Console(width=130)
    console.print(f"{machine()}, commit {commit()}, {part}")
    models = [model for model in MODELS if not names or model.name in names]
    if model_file is not None:
        models = [full_connect_model(model_file, data)]
    for model in models:
        rows = list(measure(model, lagrangians, part, torch=torch, only_linear=only_linear))
        console.print(table_of(rows))
        if save:
            console.print(f"appended to {append_rows('rate_distortion', rows)}")


def full_connect_model(file: Path, data: Path | None) -> RealModel:
    """The network of training/fc_net.py with its recipe."""
    recipe = Recipe("none", 32, 32, "bilinear", 32, 32, "rgb", IMAGENET_MEAN, IMAGENET_SCALE)
    rows = str(data.resolve()) if data else CIFAR
    return RealModel(file.stem, str(file.resolve()), recipe, rows, expected=(0, 0))


if __name__ == "__main__":
    main()
