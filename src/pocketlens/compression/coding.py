"""A whole network coded by rate and distortion, at one price for a bit.

Every layer's weights are coded for the least loss + lagrangian x bits (layer.py); what that does to
the mean of its outputs is taken back by its bias (bias.py), which a layer without one is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.progress import Progress, silent
from pocketlens.calibration.statistics import LayerStatistics
from pocketlens.compression.fates import choose_fate, relative_error, store_tensor
from pocketlens.compression.layer import CodedLayer, CodingSettings, code_layer
from pocketlens.compression.settings import Settings
from pocketlens.graph.graph import Graph, Network, Node
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.encode import encode_plane
from pocketlens.planes.plane import index_bits_for

WITH_WEIGHTS = ("conv2d", "linear")
_PALETTES = Settings()


@dataclass(frozen=True)
class CodedNetwork:
    """A network whose weights are coded.

    graph       the given one, with a bias where one was missing
    tensors     records in the order of graph.tensor_names()
    losses      nats a photo that the statistics foresee of each coded tensor, by name
    """

    graph: Graph
    tensors: tuple[TensorRecord, ...]
    losses: Mapping[str, float]

    @property
    def distortion(self) -> float:
        """Nats a photo that the statistics foresee."""
        return sum(self.losses.values())


def code_network(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    *,
    lagrangian: float,
    crush: int | None = None,
    threads: int = 1,
    progress: Progress = silent,
) -> CodedNetwork:
    """Code every weight tensor that has statistics; all others are kept in half precision.

    statistics  by tensor name
    lagrangian  nats a photo that a bit may cost, above 0
    crush       effort of the PNG optimiser, 0 to 6; None: leave it out
    threads     layers coded side by side; the result is the same for any number
    Raises UsageError as code_layer does.
    """
    with_bias = _with_biases(network, statistics)
    names = [
        name
        for name in with_bias.graph.tensor_names()
        if name in statistics and _fits_half(with_bias.tensors[name])
    ]
    last = names[-1] if names else ""

    def code(name: str) -> CodedLayer:
        settings = CodingSettings(even_outputs=1.0) if name == last else CodingSettings()
        return code_layer(
            with_bias.tensors[name], statistics[name], lagrangian=lagrangian, settings=settings
        )

    coded: dict[str, CodedLayer] = {}
    with ThreadPoolExecutor(threads) as pool:
        for number, (name, layer) in enumerate(zip(names, pool.map(code, names), strict=True)):
            if layer.bits <= 16 * with_bias.tensors[name].size:
                coded[name] = layer
            progress("coding layers", number + 1, len(names))
    shifts = _shifts(with_bias.graph, coded)
    records = tuple(
        _record(name, with_bias.tensors[name], coded.get(name), shifts.get(name), crush)
        for name in with_bias.graph.tensor_names()
    )
    losses = {name: layer.distortion for name, layer in coded.items()}
    return CodedNetwork(with_bias.graph, records, losses)


def _fits_half(values: NDArray[np.float32]) -> bool:
    return choose_fate(values, is_weight=False, settings=_PALETTES).kind == "half"


def _with_biases(network: Network, statistics: Mapping[str, LayerStatistics]) -> Network:
    """The network with a bias of its own for every layer that will be coded."""
    graph = network.graph
    used: dict[str, int] = {}
    for node in graph.nodes:
        for name in node.inputs:
            used[name] = used.get(name, 0) + 1
    shapes, tensors, nodes = dict(graph.shapes), dict(network.tensors), []
    for node in graph.nodes:
        changed = node
        if node.op in WITH_WEIGHTS and node.inputs[1] in statistics:
            old = node.inputs[2] if len(node.inputs) > 2 else ""
            if not old or used[old] > 1:
                changed = _own_bias(node, old, shapes, tensors)
        nodes.append(changed)
    kept = Graph(graph.inputs, graph.outputs, tuple(nodes), shapes)
    names = kept.tensor_names()
    unread = set(network.tensors) - set(names)
    left = {name: shape for name, shape in shapes.items() if name not in unread}
    return Network(replace(kept, shapes=left), {name: tensors[name] for name in names})


def _own_bias(
    node: Node,
    old: str,
    shapes: dict[str, tuple[int, ...]],
    tensors: dict[str, NDArray[np.float32]],
) -> Node:
    """The node with a bias that no other node reads: a copy of the old one, or zeros."""
    outputs = shapes[node.inputs[1]][0]
    name = f"{node.inputs[1]}.bias"
    while name in shapes:
        name += "_"
    tensors[name] = tensors[old].copy() if old else np.zeros(outputs, np.float32)
    shapes[name] = (outputs,)
    return replace(node, inputs=(*node.inputs[:2], name, *node.inputs[3:]))


def _shifts(graph: Graph, coded: Mapping[str, CodedLayer]) -> dict[str, NDArray[np.float32]]:
    """What to add to each bias, by the bias's name."""
    return {
        node.inputs[2]: coded[node.inputs[1]].bias_shift
        for node in graph.nodes
        if node.op in WITH_WEIGHTS and node.inputs[1] in coded
    }


def _record(
    name: str,
    values: NDArray[np.float32],
    layer: CodedLayer | None,
    shift: NDArray[np.float32] | None,
    crush: int | None,
) -> TensorRecord:
    if layer is None:
        kept = values if shift is None else values + shift
        fate = choose_fate(kept, is_weight=False, settings=_PALETTES)
        return store_tensor(name, kept, fate=fate, is_weight=False, settings=_PALETTES)
    size = len(layer.palette)
    decoded = layer.palette.astype(np.float32)[layer.indices]
    return TensorRecord(
        name,
        values.shape,
        "palette",
        f"{size} values by rate and distortion",
        palette_size=size,
        group_rows=values.shape[0],
        palettes=np.ascontiguousarray(layer.palette, dtype="<f2").tobytes(),
        plane=encode_plane(layer.indices, index_bits=index_bits_for(size), crush=crush),
        error=relative_error(values, decoded),
    )
