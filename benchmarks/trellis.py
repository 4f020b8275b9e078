"""Planes along a trellis against planes without, at each price of a bit (docs/design/0004).

    POCKETLENS_DATA=... python benchmarks/trellis.py [--model NAME] [--lagrangian 1e-7 ...]
                                                     [--no-torch]

KL is measured on the select part; `foreseen` is the loss by the statistics, which has no noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from compression_judge import prepare
from measuring import commit, machine
from models import MODELS, RealModel, data_folder
from pocketlens.calibration.running import open_float
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.classify.lens import ends_in_softmax
from pocketlens.compression.coding import WITH_WEIGHTS
from pocketlens.compression.layer import CodingSettings, code_layer
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import read_onnx
from rate_distortion import LAGRANGIANS, known_of, log_probabilities, scores_of

Floats = NDArray[np.float64]


def coded_network(
    network: Network, known: Mapping[str, LayerStatistics], lagrangian: float, *, trellis: bool
) -> tuple[Network, int, float]:
    """The network with weights and biases as coded, its bytes, and the foreseen loss."""
    tensors = dict(network.tensors)
    names = [name for name in network.graph.tensor_names() if name in known]
    bits = 16 * sum(values.size for name, values in tensors.items() if name not in known)
    foreseen = 0.0
    biases = {
        node.inputs[1]: node.inputs[2]
        for node in network.graph.nodes
        if node.op in WITH_WEIGHTS and len(node.inputs) > 2
    }
    for name in names:
        settings = CodingSettings(trellis=trellis)
        if name == names[-1]:
            settings = replace(settings, even_outputs=1.0)
        weights = network.tensors[name]
        layer = code_layer(weights, known[name], lagrangian=lagrangian, settings=settings)
        bits, foreseen = bits + layer.bits, foreseen + layer.distortion
        tensors[name] = layer.palette.astype(np.float32)[layer.indices]
        tensors[biases[name]] = tensors[biases[name]] + layer.bias_shift
    return replace(network, tensors=tensors), bits // 8, foreseen


def measure(
    model: RealModel, lagrangians: tuple[float, ...], *, torch: bool, console: Console
) -> None:
    network = read_onnx(data_folder() / model.file).network
    graph = network.graph
    parts = prepare(model)
    known = known_of(network, parts["fit"], torch=torch)
    pictures, softmax = parts["select"].inputs, ends_in_softmax(graph)
    told = _told(network, pictures, softmax=softmax)
    asked = sorted(lagrangians or LAGRANGIANS[model.name])
    rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for trellis in (False, True):
        for lagrangian in asked:
            coded, size, foreseen = coded_network(network, known, lagrangian, trellis=trellis)
            logs = _told(coded, pictures, softmax=softmax)
            kl = float((np.exp(told) * (told - logs)).sum(axis=1).mean())
            row = {"lagrangian": lagrangian, "bytes": size, "foreseen": foreseen, "KL": kl}
            rows[trellis].append(row)
            against = "  ".join(
                f"{key} {row[key]:.5f} {_saved(row, rows[False], key) if trellis else ''}"
                for key in ("foreseen", "KL")
            )
            kind = "trellis" if trellis else "without"
            console.print(f"{model.name}  {kind}  {lagrangian:.2g}  {size:,} bytes  {against}")


def _saved(row: dict[str, Any], without: list[dict[str, Any]], key: str) -> str:
    """Bytes against those without at the same loss, between their points in log loss."""
    losses = np.log([other[key] for other in without])
    order, own = np.argsort(losses), np.log(row[key])
    if not losses.min() <= own <= losses.max():
        return "(outside)"
    sizes = np.array([other["bytes"] for other in without], np.float64)
    there = float(np.interp(own, losses[order], sizes[order]))
    return f"({100 * (row['bytes'] / there - 1):+.1f}% bytes)"


def _told(network: Network, pictures: NDArray[np.float32], *, softmax: bool) -> Floats:
    scores = scores_of(open_float(network, network.graph.outputs), pictures)
    return log_probabilities(scores, probabilities=softmax)


@click.command()
@click.option("--model", "names", multiple=True, help="Only these models.")
@click.option("--lagrangian", "lagrangians", multiple=True, type=float, help="In nats a bit.")
@click.option("--torch/--no-torch", default=True, help="Fisher information, or shaken weights.")
def main(names: tuple[str, ...], lagrangians: tuple[float, ...], torch: bool) -> None:
    """Print bytes and losses with and without a trellis."""
    console = Console(width=130, highlight=False)
    console.print(f"{machine()}, commit {commit()}")
    for model in MODELS:
        if not names or model.name in names:
            measure(model, lagrangians, torch=torch, console=console)


if __name__ == "__main__":
    main()
