"""The network under construction: nodes, shapes, tensors, and names that appear once."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue, Graph, Network, Node, Shape
from pocketlens.graph.shapes import infer_shape
from pocketlens.importers.onnx.values import Array, is_float


class Builder:
    """Collects what the lowerings emit. Arrays and tensors share one space of names."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._shapes: dict[str, Shape] = {}
        self._tensors: dict[str, NDArray[np.float32]] = {}
        self._node_names: set[str] = set()
        self._inputs: list[str] = []

    def add_input(self, name: str, shape: Shape, *, integral: bool) -> Array:
        """An array that is handed in."""
        name = self.unique(name)
        self._inputs.append(name)
        self._shapes[name] = shape
        return Array(name, shape, integral)

    def unique(self, wanted: str) -> str:
        """`wanted`, or `wanted.2`, `wanted.3`, ... where an array or tensor has that name."""
        return _unique(wanted or "array", self._shapes)

    def emit(
        self,
        op: str,
        inputs: Sequence[Array | None],
        attributes: Mapping[str, AttributeValue],
        *,
        name: str,
        output: str,
    ) -> Array:
        """Add a node; `name` and `output` are made unique. Raises what infer_shape raises."""
        shapes = [None if array is None else array.shape for array in inputs]
        shape = infer_shape(op, attributes, shapes)
        output = self.unique(output)
        name = _unique(name or op, self._node_names)
        self._node_names.add(name)
        names = tuple("" if array is None else array.name for array in inputs)
        while names and not names[-1]:
            names = names[:-1]
        self._nodes.append(Node(op, name, names, output, dict(attributes)))
        self._shapes[output] = shape
        return Array(output, shape)

    def tensor(self, values: NDArray[Any], name: str) -> Array:
        """Keep `values` as a float32 tensor called `name`; equal ones of that name are shared.

        A scalar gets one axis. Raises ModelError 'not-finite', 'float-overflow', 'not-float'.
        """
        kept = float32(values, name)
        known = self._tensors.get(name)
        if known is not None and known.shape == kept.shape and np.array_equal(known, kept):
            return Array(name, kept.shape)
        name = self.unique(name)
        self._tensors[name] = kept
        self._shapes[name] = kept.shape
        return Array(name, kept.shape)

    def network(self, outputs: Sequence[Array]) -> Network:
        """What has been built, handing out `outputs`."""
        graph = Graph(
            inputs=tuple(self._inputs),
            outputs=tuple(array.name for array in outputs),
            nodes=tuple(self._nodes),
            shapes=dict(self._shapes),
        )
        return Network(graph, dict(self._tensors))

    def is_made(self, array: Array) -> bool:
        """Whether a node makes this array: not an input, not a tensor."""
        return array.name not in self._inputs and array.name not in self._tensors

    def mark(self) -> int:
        """How many nodes there are; for `rename`."""
        return len(self._nodes)

    def rename(self, array: Array, wanted: str, *, since: int) -> Array:
        """Give an array its name in the source, where a node since `mark` made it.

        An array made earlier, or read since, or a name that is taken: all stays as it is.
        """
        fresh = self._nodes[since:]
        if wanted in self._shapes or any(array.name in node.inputs for node in fresh):
            return array
        for position, node in enumerate(fresh, since):
            if node.output == array.name:
                self._nodes[position] = replace(node, output=wanted)
                self._shapes[wanted] = self._shapes.pop(array.name)
                return replace(array, name=wanted)
        return array


def float32(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """`values` as a C-contiguous float32 array of at least one axis, all of it finite.

    Raises ModelError 'not-finite' (NaN, infinity), 'float-overflow' (doubles beyond float32),
    'not-float' (text, complex numbers).
    """
    whole = np.issubdtype(values.dtype, np.integer) or values.dtype == np.bool_
    if not (whole or is_float(values)):
        raise ModelError(
            f"Tensor '{name}' holds {values.dtype} values; weights are floats or whole numbers.",
            slug="not-float",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        kept = np.array(values, dtype=np.float32, order="C", ndmin=1)
    check_finite(values, kept, name)
    return kept


def check_finite(values: NDArray[Any], kept: NDArray[np.float32], name: str) -> None:
    """Raise ModelError where `kept`, the float32 form of `values`, is not finite everywhere."""
    bad = int(kept.size - np.count_nonzero(np.isfinite(kept)))
    if not bad:
        return
    of = f"{bad} of {kept.size}"
    if np.isfinite(values.astype(np.float64)).all():
        raise ModelError(
            f"Tensor '{name}' has {of} values beyond the range of float32.", slug="float-overflow"
        )
    raise ModelError(
        f"Tensor '{name}' has {of} values that are NaN or infinite; "
        "the model was damaged or its training diverged.",
        slug="not-finite",
    )


def _unique(wanted: str, taken: Container[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}.{number}", number + 1
    return name
