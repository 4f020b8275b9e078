"""Means and covariances of every layer's input, from the float network run in the core."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import DataError, UsageError
from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.columns import column_shape, samples_of, weight_users
from pocketlens.calibration.moments import Moments, block_width
from pocketlens.calibration.running import again_and_again, open_float
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Graph, Network, Node

Array = NDArray[np.float32]

MEMORY_BYTES = 1 << 30
"""Moments and activations that are kept at once; one layer that needs more has it for itself."""


@dataclass(frozen=True)
class _Layer:
    """A weight tensor and the nodes that use it.

    bytes  of its moments and of the arrays at its nodes' inputs
    """

    name: str
    nodes: tuple[Node, ...]
    bytes: int


def collect(
    network: Network,
    inputs: Iterable[Array],
    *,
    threads: int = 1,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> dict[str, LayerStatistics]:
    """What the photos do to every weight tensor of a conv2d or a linear.

    inputs   network inputs, float32 (1, C, H, W), as a recipe makes them
    threads  of the core
    returns  statistics by tensor name, in the graph's order; every sensitivity is 1 (see
             sensitivity.py for what outputs are worth)
    Raises DataError 'calibration-empty' where there is no input, UsageError
    'calibration-input' where one does not fit, EngineError.
    """
    return dict(
        collect_each(network, inputs, threads=threads, memory_bytes=memory_bytes, progress=progress)
    )


def collect_each(
    network: Network,
    inputs: Iterable[Array],
    *,
    threads: int = 1,
    memory_bytes: int = MEMORY_BYTES,
    progress: Progress = silent,
) -> Iterator[tuple[str, LayerStatistics]]:
    """`collect`, layer by layer: memory stays with what `memory_bytes` or one layer takes.

    Layers are cut into runs that fit; each run goes through all inputs once more, so `inputs`
    are kept in a list if they cannot be.
    """
    graph = network.graph
    pictures = again_and_again(inputs)
    runs = list(_runs(_layers(graph), memory_bytes))
    for number, layers in enumerate(runs):
        moments = {layer.name: Moments(*column_shape(graph, layer.nodes[0])) for layer in layers}
        part = f", part {number + 1} of {len(runs)}" if len(runs) > 1 else ""
        photos = _watch(network, layers, moments, pictures, threads, f"calibrating{part}", progress)
        for layer in layers:
            samples = moments[layer.name].samples
            mean, covariance = moments.pop(layer.name).finish()
            ones = np.ones(graph.shapes[layer.name][0])
            yield layer.name, LayerStatistics(mean, covariance, ones, photos, samples)


def _layers(graph: Graph) -> list[_Layer]:
    users = weight_users(graph)
    return [_Layer(name, nodes, _bytes(graph, nodes)) for name, nodes in users.items()]


def _bytes(graph: Graph, nodes: Sequence[Node]) -> int:
    groups, columns = column_shape(graph, nodes[0])
    moments = 8 * groups * columns * block_width(columns)
    return moments + sum(4 * int(np.prod(graph.shapes[node.inputs[0]])) for node in nodes)


def _runs(layers: Sequence[_Layer], memory_bytes: int) -> Iterator[list[_Layer]]:
    run: list[_Layer] = []
    for layer in layers:
        if run and sum(other.bytes for other in run) + layer.bytes > memory_bytes:
            yield run
            run = []
        run.append(layer)
    if run:
        yield run


def _watch(
    network: Network,
    layers: Sequence[_Layer],
    moments: dict[str, Moments],
    pictures: Iterable[Array],
    threads: int,
    stage: str,
    progress: Progress,
) -> int:
    """Add every picture to the moments of some layers; says how many there were."""
    graph = network.graph
    watched = {node.inputs[0]: None for layer in layers for node in layer.nodes}
    made = {node.output for node in graph.nodes}
    outputs = [name for name in watched if name in made]
    engine = open_float(network, outputs, threads=threads) if outputs else None
    total = len(pictures) if isinstance(pictures, Sequence) else 0
    photos = 0
    for picture in pictures:
        progress(stage, photos, total)
        arrays = {**network.tensors, **_run(engine, graph, picture)}
        for layer in layers:
            for node in layer.nodes:
                samples = samples_of(graph, node, arrays[node.inputs[0]], photo=photos)
                moments[layer.name].add(samples)
        photos += 1
    progress(stage, photos, photos)
    if not photos:
        raise DataError(
            "There is no photo to calibrate with. Give at least one, some hundred if you can.",
            slug="calibration-empty",
        )
    return photos


def _run(engine: CoreEngine | None, graph: Graph, picture: Array) -> dict[str, Array]:
    (name,) = graph.inputs
    if picture.shape != graph.shapes[name] or picture.dtype != np.float32:
        raise UsageError(
            f"The network calibrates on float32 inputs of shape {graph.shapes[name]}; one is "
            f"{picture.dtype} of shape {picture.shape}. Prepare photos by the model's recipe.",
            slug="calibration-input",
        )
    made = engine.run([picture]) if engine else []
    return {name: picture, **dict(zip(engine.graph.outputs if engine else (), made, strict=True))}
