"""Runs a float network in the core and hands out arrays from inside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pocketlens.engine.core import CoreEngine
from pocketlens.graph.graph import Graph, Network
from pocketlens.images.recipe import Recipe
from pocketlens.lensfile.contents import LensContents, TensorRecord

Array = NDArray[np.float32]

# An engine looks at neither; a lens cannot be without.
_NO_RECIPE = Recipe("none", 1, 1, "bilinear", 1, 1, "gray", (0.0,), (1.0,))


def open_float(network: Network, outputs: Sequence[str], *, threads: int = 1) -> CoreEngine:
    """An engine that runs the float network as far as `outputs` need, and hands those out.

    outputs  names of arrays that nodes make
    Raises EngineError where the core cannot run the graph.
    """
    graph = cut(network.graph, outputs)
    records = tuple(
        TensorRecord(name, graph.shapes[name], "float", "", values=_bytes(network.tensors[name]))
        for name in graph.tensor_names()
    )
    return CoreEngine(LensContents("calibration", graph, records, (), _NO_RECIPE), threads=threads)


def cut(graph: Graph, outputs: Sequence[str]) -> Graph:
    """The part of a graph that `outputs` need, all of its inputs included."""
    needed = set(outputs)
    kept = []
    for node in reversed(graph.nodes):
        if node.output in needed:
            kept.append(node)
            needed.update(node.inputs)
    return Graph(graph.inputs, tuple(outputs), tuple(reversed(kept)), graph.shapes)


def again_and_again(inputs: Iterable[Array]) -> Iterable[Array]:
    """`inputs` if it can be gone through more than once, else all of them as a list."""
    return list(inputs) if iter(inputs) is inputs else inputs


def _bytes(values: Array) -> bytes:
    return np.ascontiguousarray(values, dtype="<f4").tobytes()
