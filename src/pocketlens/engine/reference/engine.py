"""Runs a whole graph node by node: every array by name, nothing clever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import EngineError
from pocketlens.engine.reference.operators import run_operator
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.graph.graph import Graph, Network, Node
from pocketlens.graph.shapes import check_graph
from pocketlens.lensfile.contents import LensContents

Array = NDArray[np.float32]


class ReferenceEngine:
    """The NumPy engine that says what a graph means. Readable, not fast.

    The weights of a lens are decoded each time a node reads them: once a run, however many
    images it has.
    """

    def __init__(self, model: Network | LensContents) -> None:
        """Take a network with float tensors, or the contents of a lens.

        Raises ModelError where the graph does not hold together.
        """
        check_graph(model.graph)
        self.graph: Graph = model.graph
        self._floats: Mapping[str, Array] = {}
        if isinstance(model, Network):
            self._floats = model.tensors
            self._records = {}
        else:
            self._records = {record.name: record for record in model.tensors}

    def run(self, inputs: Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]]) -> list[Array]:
        """Run the graph on one or more images.

        inputs   float32 arrays by name, or in the order of graph.inputs. Shapes are the graph's;
                 where the first axis of every input is 1 in the graph, it may be n: n images.
        returns  float32 arrays in the order of graph.outputs; with n images, those of the
                 images one after the other along the first axis.
        Raises EngineError 'bad-input'.
        """
        given = self._named(inputs)
        count = self._images(given)
        images = [
            {name: array[i : i + 1] if count > 1 else array for name, array in given.items()}
            for i in range(count)
        ]
        last_reader = {name: node for node in self.graph.nodes for name in node.inputs}
        for node in self.graph.nodes:
            tensors = {name: self._tensor(name) for name in node.inputs if name not in images[0]}
            for arrays in images:
                self._run_node(node, arrays, tensors)
                for name in node.inputs:
                    if last_reader[name] is node and name not in self.graph.outputs:
                        arrays.pop(name, None)
        return [
            np.concatenate([arrays[name] for arrays in images]) if count > 1 else images[0][name]
            for name in self.graph.outputs
        ]

    def _run_node(
        self, node: Node, arrays: dict[str, Array], tensors: Mapping[str, Array | None]
    ) -> None:
        inputs = [arrays.get(name, tensors.get(name)) for name in node.inputs]
        shape = self.graph.shapes[node.output]
        arrays[node.output] = run_operator(node.op, node.attributes, inputs, shape)

    def _tensor(self, name: str) -> Array | None:
        """The values of a tensor; None for the empty name of an absent input."""
        if not name:
            return None
        return tensor_values(self._records[name]) if self._records else self._floats[name]

    def _named(self, inputs: Mapping[str, NDArray[Any]] | Sequence[NDArray[Any]]) -> dict[str, Any]:
        names = self.graph.inputs
        if not isinstance(inputs, Mapping):
            inputs = dict(zip(names, inputs, strict=False)) if len(inputs) == len(names) else {}
        if set(inputs) != set(names):
            raise EngineError(
                f"The inputs do not match the graph's, {', '.join(names)}; "
                "give each of them once, by name or in this order.",
                slug="bad-input",
            )
        return {name: np.asarray(inputs[name], np.float32) for name in names}

    def _images(self, given: Mapping[str, Array]) -> int:
        """How many images were handed in: 1 where the shapes are exactly the graph's."""
        expected = {name: self.graph.shapes[name] for name in given}
        if all(array.shape == expected[name] for name, array in given.items()):
            return 1
        counts = {array.shape[0] if array.ndim else 0 for array in given.values()}
        for name, array in given.items():
            if len(counts) > 1 or expected[name][:1] != (1,) or not self._may_be_many(name, array):
                raise EngineError(
                    f"Input '{name}' has shape {array.shape}; expected {expected[name]}, or, "
                    "where the first axis is 1, as many images as the other inputs.",
                    slug="bad-input",
                )
        return counts.pop()

    def _may_be_many(self, name: str, array: Array) -> bool:
        shapes = self.graph.shapes
        whole = all(shapes[output][:1] == (1,) for output in self.graph.outputs)
        return whole and array.size > 0 and (1, *array.shape[1:]) == shapes[name]
