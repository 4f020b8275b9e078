"""A network as a torch.nn.Module: the graph run node by node, tensors as parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from pocketlens.graph.graph import Network, Node
from pocketlens.graph.shapes import check_graph
from pocketlens.torchnet.batches import runs_in_batches
from pocketlens.torchnet.elementwise import activate
from pocketlens.torchnet.operators import run_operator, run_sums

Tap = Callable[[Node, Tensor, Tensor], Tensor]
"""Sees the input of a conv2d or a linear and what it gives before its activation, and says what is
used instead of that."""


class NetworkModule(torch.nn.Module):  # type: ignore[misc]
    """Runs a graph on one image or, one after the other along the first axis, on several."""

    def __init__(self, network: Network) -> None:
        """Copy the network's tensors into parameters that ask for no gradient."""
        super().__init__()
        check_graph(network.graph)
        self.graph = network.graph
        self._numbers = {name: i for i, name in enumerate(network.graph.tensor_names())}
        self._parameters_by_number = torch.nn.ParameterList(
            torch.nn.Parameter(
                torch.from_numpy(np.array(network.tensors[name])), requires_grad=False
            )
            for name in self._numbers
        )
        self._in_batches = runs_in_batches(network.graph)
        self._last_reader = {name: n.output for n in network.graph.nodes for name in n.inputs}

    def tensor(self, name: str) -> torch.nn.Parameter:
        """The parameter of a tensor by the graph's name."""
        return self._parameters_by_number[self._numbers[name]]

    def forward(
        self,
        *inputs: Tensor,
        tensors: Mapping[str, Tensor] | None = None,
        tap: Tap | None = None,
    ) -> Tensor | list[Tensor]:
        """Run the graph.

        inputs   in the order of graph.inputs, in the graph's shapes; where all of those begin
                 with 1, n images may be handed in
        tensors  that stand in for parameters in this run, by name: a palette's values taken by
                 its indices, say
        tap      see Tap; with images that cannot run as one it is called for each of them
        returns  the output, or a list where the graph has several
        """
        count = self._images(inputs)
        if count > 1 and not self._in_batches:
            runs = [self._run([x[i : i + 1] for x in inputs], 1, tensors, tap)
                    for i in range(count)]  # fmt: skip
            outputs = [torch.cat(parts) for parts in zip(*runs, strict=True)]
        else:
            outputs = self._run(inputs, count, tensors, tap)
        return outputs[0] if len(outputs) == 1 else outputs

    def _images(self, inputs: tuple[Tensor, ...]) -> int:
        """How many images were handed in: 1 where the shapes are exactly the graph's."""
        expected = [self.graph.shapes[name] for name in self.graph.inputs]
        if [tuple(x.shape) for x in inputs] == expected:
            return 1
        given = [tuple(x.shape) for x in inputs]
        counts: set[int] = {shape[0] for shape in given if shape}
        fits = len(counts) == 1 and [(1, *shape[1:]) for shape in given] == expected
        if not fits or 0 in counts:
            raise ValueError(f"inputs of shapes {given}; the graph takes {expected}")
        return counts.pop()

    def _run(
        self,
        inputs: tuple[Tensor, ...] | list[Tensor],
        count: int,
        tensors: Mapping[str, Tensor] | None,
        tap: Tap | None,
    ) -> list[Tensor]:
        arrays: dict[str, Tensor | None] = dict(zip(self.graph.inputs, inputs, strict=True))
        varying = set(self.graph.inputs)
        for node in self.graph.nodes:
            given = [self._given(name, arrays, tensors) for name in node.inputs]
            if node.op in ("conv2d", "linear"):
                sums = run_sums(node.op, node.attributes, given)
                if tap is not None:
                    seen = given[0]
                    assert seen is not None
                    sums = tap(node, seen, sums)
                arrays[node.output] = activate(sums, node.attributes)
            else:
                shape = self.graph.shapes[node.output]
                if not varying.isdisjoint(node.inputs):
                    shape = (count * shape[0], *shape[1:]) if shape else shape
                arrays[node.output] = run_operator(node.op, node.attributes, given, shape)
            if not varying.isdisjoint(node.inputs):
                varying.add(node.output)
            for name in node.inputs:  # what nobody reads any more is let go
                if self._last_reader[name] == node.output and name not in self.graph.outputs:
                    arrays.pop(name, None)
        return [arrays[name] for name in self.graph.outputs]

    def _given(
        self, name: str, arrays: Mapping[str, Tensor | None], tensors: Mapping[str, Tensor] | None
    ) -> Tensor | None:
        if not name:
            return None
        if name in arrays:
            return arrays[name]
        if tensors is not None and name in tensors:
            return tensors[name]
        return self.tensor(name)
