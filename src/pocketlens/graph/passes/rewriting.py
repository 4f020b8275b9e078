"""How a rewrite is written and run.

A rule looks at one node, the last of the pattern it knows, and returns a patch: nodes that make
the same array in its place. It never edits anything. What nobody reads after that is swept away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pocketlens.graph.graph import AttributeValue, Network, Node, Shape
from pocketlens.graph.shapes import infer_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Patch:
    """What stands in the place of one node.

    nodes    in running order; the last one makes the array that the replaced node made
    tensors  new or changed tensors that the nodes read
    """

    nodes: tuple[Node, ...]
    tensors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class View:
    """A network while it is rewritten: who makes what, and how often it is read."""

    def __init__(self, network: Network) -> None:
        graph = network.graph
        self.tensors: dict[str, NDArray[np.float32]] = dict(network.tensors)
        self.shapes: dict[str, Shape] = dict(graph.shapes)
        self._graph = graph
        self._makers: dict[str, Node] = {node.output: node for node in graph.nodes}
        self._reads: Counter[str] = Counter(graph.outputs)
        # Where a node stands: nodes of a patch get (*place, 0), (*place, 1), ... of the replaced.
        self._place: dict[str, tuple[int, ...]] = {}
        for position, node in enumerate(graph.nodes):
            self._place[node.output] = (position,)
            self._reads.update(name for name in node.inputs if name)
        for node in reversed(graph.nodes):
            if self._reads[node.output] == 0 and node.output in self._makers:
                del self._makers[node.output]
                self._forget_reads(node)

    def maker(self, name: str) -> Node | None:
        """The node that makes this array; None for inputs and tensors."""
        return self._makers.get(name)

    def only_maker(self, name: str, op: str) -> Node | None:
        """The node that makes this array, if it is an `op` and the array is read just once."""
        node = self._makers.get(name)
        return node if node is not None and node.op == op and self._reads[name] == 1 else None

    def tensor(self, name: str) -> NDArray[np.float32] | None:
        """The values, where `name` is a tensor."""
        return self.tensors.get(name)

    def number(self, name: str) -> float | None:
        """The one number in a tensor, where `name` is a tensor of one element."""
        values = self.tensors.get(name)
        return float(values.reshape(-1)[0]) if values is not None and values.size == 1 else None

    def tensor_name(self, name: str) -> str:
        """What to call the changed form of a tensor: as before, where it is read only once."""
        if self._reads[name] <= 1:
            return name
        return self.new_name(f"{name}.folded")

    def new_name(self, wanted: str) -> str:
        """`wanted`, or `wanted.2`, ... where an array or a tensor has that name."""
        name, number = wanted, 2
        while name in self.shapes:
            name, number = f"{wanted}.{number}", number + 1
        return name

    def new_node_name(self, wanted: str) -> str:
        """`wanted`, or `wanted.2`, ... where a node has that name."""
        taken = {node.name for node in self._makers.values()}
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}.{number}", number + 1
        return name

    def is_output(self, name: str) -> bool:
        """Whether the network hands this array out."""
        return name in self._graph.outputs

    def run(self, rule: Rule) -> int:
        """Offer every node, in order, to `rule`; returns how many patches it made."""
        patches = 0
        for node in list(self._makers.values()):
            if node.output not in self._makers:
                continue  # swept away since
            patch = rule(self, node)
            if patch is not None:
                self._apply(node, patch)
                patches += 1
        return patches

    def network(self) -> Network:
        """What is left, in running order."""
        nodes = tuple(sorted(self._makers.values(), key=lambda node: self._place[node.output]))
        kept = {*self._graph.inputs, *(node.output for node in nodes)}
        read = {name for node in nodes for name in node.inputs if name}
        tensors = {name: values for name, values in self.tensors.items() if name in read}
        shapes = {n: s for n, s in self.shapes.items() if n in kept or n in tensors}
        return Network(replace(self._graph, nodes=nodes, shapes=shapes), tensors)

    def _apply(self, node: Node, patch: Patch) -> None:
        assert patch.nodes[-1].output == node.output
        for name, values in patch.tensors.items():
            self.tensors[name] = values
            self.shapes[name] = values.shape
        place = self._place[node.output]
        for position, new in enumerate(patch.nodes):
            self._makers[new.output] = new
            self._place[new.output] = (*place, position)
            shapes = [self.shapes[name] if name else None for name in new.inputs]
            self.shapes[new.output] = infer_shape(new.op, new.attributes, shapes)
            self._reads.update(name for name in new.inputs if name)
        self._forget_reads(node)

    def _forget_reads(self, node: Node) -> None:
        """`node` is gone: so is, recursively, what only it has read."""
        gone = [node]
        while gone:
            for name in filter(None, gone.pop().inputs):
                self._reads[name] -= 1
                if self._reads[name] == 0 and name in self._makers:
                    gone.append(self._makers.pop(name))


Rule = Callable[[View, Node], Patch | None]


def fused(node: Node) -> bool:
    """Whether the node applies an activation to its result."""
    return node.attributes.get("activation", "none") != "none"


def changed(node: Node, **attributes: AttributeValue) -> Node:
    """The node with other attributes."""
    return replace(node, attributes={**node.attributes, **attributes})
