"""A network: nodes in running order, named arrays with static shapes, named tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Shape = tuple[int, ...]
AttributeValue = int | float | str | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator at work.

    op          a name of graph.ops.OPS
    name        unique in the graph; for people (taken from the source file)
    inputs      names of arrays or tensors; "" where an optional input is absent
    output      name of the array that it makes
    attributes  all attributes of the operator, none left to a default
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which they can run, with the shape of every name.

    inputs   names of the arrays that are handed in
    outputs  names of the arrays that are handed out
    shapes   shape of every array and every tensor, batch included (1 in a classifier)
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    shapes: Mapping[str, Shape]

    def tensor_names(self) -> tuple[str, ...]:
        """Names that are read but neither handed in nor made: weights and constants, in order."""
        made = {*self.inputs, *(node.output for node in self.nodes), ""}
        seen: dict[str, None] = {}
        for node in self.nodes:
            seen.update((name, None) for name in node.inputs if name not in made)
        return tuple(seen)


@dataclass(frozen=True)
class Network:
    """A graph and its float tensors, as an importer reads them.

    tensors  float32 arrays by name, C-contiguous, one for every graph.tensor_names()
    """

    graph: Graph
    tensors: Mapping[str, NDArray[np.float32]]
