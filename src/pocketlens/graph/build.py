"""Puts a network together node by node: names, default attributes and shapes are seen to.

For importers and tests. A `Builder` judges every node as it comes, so a mistake is named where
it is made; what it hands out satisfies `check_graph`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue, Graph, Network, Node, Shape
from pocketlens.graph.ops import OPS
from pocketlens.graph.shapes import check_graph, check_shape, infer_shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULTS: dict[str, AttributeValue] = {
    "activation": "none",
    "alpha": 0.0,
    "beta": 0.0,
    "strides": (1, 1),
    "pads": (0, 0, 0, 0),
    "dilations": (1, 1),
    "groups": 1,
    "ceil_mode": 0,
    "count_include_pad": 0,
    "transpose_b": 0,
    "scale": 1.0,
    "keepdims": 1,
    "mode": "constant",
    "value": 0.0,
    "log": 0,
    "epsilon": 1e-5,
}
"""What an attribute is where the caller says nothing; those without a default have to be said."""


class Builder:
    """A network in the making.

    >>> build = Builder()
    >>> x = build.input("x", (1, 4))
    >>> build.network(outputs=(build.add("unary", x, activation="relu"),)).graph.shapes
    {'x': (1, 4), 'unary_1': (1, 4)}
    """

    def __init__(self) -> None:
        self._inputs: list[str] = []
        self._nodes: list[Node] = []
        self._shapes: dict[str, Shape] = {}
        self._tensors: dict[str, NDArray[np.float32]] = {}

    def input(self, name: str, shape: Shape) -> str:
        """An array that is handed in. Returns its name."""
        self._claim(name)
        check_shape(shape, f"input '{name}'")
        self._inputs.append(name)
        self._shapes[name] = shape
        return name

    def tensor(self, name: str, values: NDArray[np.float32]) -> str:
        """A weight or a constant: a C-contiguous float32 array. Returns its name."""
        self._claim(name)
        shape = tuple(int(dim) for dim in values.shape)
        check_shape(shape, f"tensor '{name}'")
        if values.dtype != "float32" or not values.flags.c_contiguous:
            raise ModelError(
                f"Tensor '{name}' is {values.dtype}; expected C-contiguous float32.",
                slug="bad-graph",
            )
        self._tensors[name] = values
        self._shapes[name] = shape
        return name

    def add(
        self, op: str, *inputs: str, name: str = "", output: str = "", **attributes: AttributeValue
    ) -> str:
        """A node. Attributes that are not said are those of DEFAULTS.

        inputs: names, "" where an optional one is absent. name, output: numbered ones are made
        where none is given. Returns the name of the output.
        """
        name = name or output or self._number(op)
        output = output or name
        self._claim(output)
        for attribute in OPS[op].attributes if op in OPS else ():
            if attribute.name not in attributes and attribute.name in DEFAULTS:
                attributes[attribute.name] = DEFAULTS[attribute.name]
        shapes = [self.shape(given) if given else None for given in inputs]
        self._shapes[output] = infer_shape(op, attributes, shapes)
        self._nodes.append(Node(op, name, inputs, output, attributes))
        return output

    def shape(self, name: str) -> Shape:
        """The shape of an array or a tensor that is known already."""
        if name not in self._shapes:
            raise ModelError(f"There is no array '{name}' yet.", slug="bad-graph")
        return self._shapes[name]

    def network(self, *, outputs: tuple[str, ...]) -> Network:
        """All of it, judged. Tensors that no node reads are left out."""
        read = {name for node in self._nodes for name in node.inputs}
        unread = self._tensors.keys() - read
        shapes = {name: shape for name, shape in self._shapes.items() if name not in unread}
        graph = Graph(tuple(self._inputs), outputs, tuple(self._nodes), shapes)
        check_graph(graph)
        return Network(graph, {name: self._tensors[name] for name in graph.tensor_names()})

    def _claim(self, name: str) -> None:
        if name in self._shapes:
            raise ModelError(f"There is an array '{name}' already.", slug="bad-graph")

    def _number(self, op: str) -> str:
        number = len(self._nodes) + 1
        while f"{op}_{number}" in self._shapes:
            number += 1
        return f"{op}_{number}"
