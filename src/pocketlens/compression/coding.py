"""A whole network coded by rate and distortion, at one price for a bit.

Every layer's weights are coded for the least loss + lagrangian x bits (layer.py); what that does to
the mean of its outputs is taken back by its bias (bias.py), which a layer without one is given, and
which is then coded at the same price (side.py). Small planes are gathered (gather.py).
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
from pocketlens.compression.gather import gather
from pocketlens.compression.layer import CodedLayer, CodingSettings, code_layer
from pocketlens.compression.settings import Settings
from pocketlens.compression.side import INDEX_BITS, CodedBias, RoundedBias, bias_worths, code_bias
from pocketlens.graph.graph import Graph, Network, Node
from pocketlens.graph.shapes import weight_names
from pocketlens.lensfile.contents import TensorRecord
from pocketlens.planes.encode import encode_plane

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
    round_biases: bool = True,
    progress: Progress = silent,
) -> CodedNetwork:
    """Code every weight tensor that has statistics, and their biases; all others are kept in half
    precision.

    statistics  by tensor name
    lagrangian  nats a photo that a bit may cost, above 0
    crush       effort of the PNG optimiser, 0 to 6; None: leave it out
    threads     layers coded side by side; the result is the same for any number
    round_biases  False: biases in half precision are as they are, so that training does not make
                the file larger
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
    kept = _with_shifts(with_bias, coded)
    biases = _coded_biases(kept, statistics, lagrangian, rounded=round_biases)
    records = []
    for name in kept.graph.tensor_names():
        values = with_bias.tensors[name]
        if name in coded:
            known = not statistics[name].is_data_free
            records.append(_layer_record(name, values, coded[name], known, crush))
        elif name in biases:
            records.append(_bias_record(name, kept.tensors[name], biases[name], crush))
        else:
            records.append(_plain_record(name, kept.tensors[name]))
    losses = {name: layer.distortion for name, layer in coded.items()}
    losses |= {name: bias.distortion for name, bias in biases.items()}
    return CodedNetwork(
        kept.graph, gather(records, weights=weight_names(kept.graph), crush=crush), losses
    )


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


def _with_shifts(network: Network, coded: Mapping[str, CodedLayer]) -> Network:
    """The network whose biases take back what coding does to the means of outputs."""
    tensors = dict(network.tensors)
    for node in network.graph.nodes:
        if node.op in WITH_WEIGHTS and node.inputs[1] in coded:
            name = node.inputs[2]
            tensors[name] = tensors[name] + coded[node.inputs[1]].bias_shift
    return Network(network.graph, tensors)


def _coded_biases(
    network: Network,
    statistics: Mapping[str, LayerStatistics],
    lagrangian: float,
    *,
    rounded: bool,
) -> dict[str, CodedBias | RoundedBias]:
    """Those that are cheaper coded than in half precision."""
    worths = {
        name: worth
        for name, worth in bias_worths(network.graph, statistics).items()
        if _fits_half(network.tensors[name])
    }
    coded = {}
    for name, worth in worths.items():
        found = code_bias(
            network.tensors[name],
            worth,
            lagrangian=lagrangian,
            among=len(worths),
            rounded=rounded,
        )
        if found is not None:
            coded[name] = found
    return coded


def _layer_record(
    name: str, values: NDArray[np.float32], layer: CodedLayer, known: bool, crush: int | None
) -> TensorRecord:
    best = layer.encoded(crush=crush)
    return TensorRecord(
        name,
        values.shape,
        "palette",
        _layer_reason(layer),
        palette_size=len(layer.palette),
        group_rows=values.shape[0],
        palettes=np.ascontiguousarray(layer.palette, dtype="<f2").tobytes(),
        plane=best.plane,
        error=relative_error(values, layer.palette.astype(np.float32)[layer.indices]),
        mask=best.mask,
        common=best.common,
        affine=layer.affine,
        loss=layer.distortion if known else None,
        trellis=layer.trellis,
    )


def _layer_reason(layer: CodedLayer) -> str:
    if layer.affine is None:
        return f"{len(layer.palette)} values by rate and distortion"
    return f"steps of {layer.affine[1]:.3g} by rate and distortion"


def _bias_record(
    name: str, values: NDArray[np.float32], bias: CodedBias | RoundedBias, crush: int | None
) -> TensorRecord:
    if isinstance(bias, RoundedBias):
        return TensorRecord(
            name,
            values.shape,
            "half",
            "bias in whole steps by rate and distortion",
            values=bias.values.tobytes(),
            error=relative_error(values, bias.values.astype(np.float32)),
            loss=bias.distortion,
        )
    size = len(bias.palette)
    kind = "free values" if bias.affine is None else f"steps of {bias.affine[1]:.3g}"
    return TensorRecord(
        name,
        values.shape,
        "palette",
        f"bias in {kind} by rate and distortion",
        palette_size=size,
        group_rows=len(values),
        palettes=np.ascontiguousarray(bias.palette, dtype="<f2").tobytes(),
        plane=encode_plane(bias.indices, index_bits=INDEX_BITS, crush=crush),
        error=relative_error(values, bias.palette.astype(np.float32)[bias.indices]),
        affine=bias.affine,
        loss=bias.distortion,
    )


def _plain_record(name: str, values: NDArray[np.float32]) -> TensorRecord:
    fate = choose_fate(values, is_weight=False, settings=_PALETTES)
    return store_tensor(name, values, fate=fate, is_weight=False, settings=_PALETTES)
