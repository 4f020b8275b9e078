"""One layer's sums of Fisher information over a few photos, and the two ways to take them.

A gradient of weights is V X: V (outputs, positions) the gradient by what the layer puts out, X
(positions, columns) what it saw there. Where positions are few, as in a classifier, which has one,
or in the last convolutions of a photo network, products of V and X are far cheaper than those of
the gradient itself: G'G = X' (V'V) X, and G G' = V (X X') V'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pocketlens.graph.graph import Graph, Node

Floats = NDArray[np.float64]

MOST_PRODUCTS = 4 * 10**9
"""A layer whose matrix takes more multiplications a gradient has none; its traces are cheap."""


@dataclass(frozen=True)
class FisherMatrices:
    """Fisher information of a layer's weights, the mean over photos and draws.

    matrices  (groups, columns, columns): summed over the outputs of a group; None: too large
    traces    (outputs,): each output's own, summed over its columns
    between   (outputs, outputs): of pairs of outputs, summed over columns; None: several groups
    """

    matrices: Floats | None
    traces: Floats
    between: Floats | None = None


class LayerSums:
    """Of the gradients of one layer, counted from the mean of its input columns."""

    def __init__(self, shape: tuple[int, ...], mean: Floats, *, dtype: torch.dtype) -> None:
        """All zero.

        shape  of the weights; mean: (groups, columns)
        dtype  of the sums: float32 for a few photos, float64 for all
        """
        self.centre = torch.from_numpy(np.array(mean, np.float32))
        groups, columns = mean.shape
        outputs = shape[0]
        self.traces = torch.zeros(outputs, dtype=dtype)
        small = outputs * columns * columns <= MOST_PRODUCTS
        self.matrices = torch.zeros(groups, columns, columns, dtype=dtype) if small else None
        pairs = groups == 1 and outputs * outputs * columns <= MOST_PRODUCTS
        self.between = torch.zeros(outputs, outputs, dtype=dtype) if pairs else None

    def add_gradient(self, gradient: Tensor, shift: Tensor) -> None:
        """One gradient by the weights, and that by the biases, (outputs,)."""
        groups, columns = self.centre.shape
        centred = gradient.reshape(groups, -1, columns)
        centred = centred - shift.reshape(groups, -1, 1) * self.centre[:, None]
        self.traces += (centred * centred).sum(2).reshape(-1)
        if self.matrices is not None:
            self.matrices.baddbmm_(centred.transpose(1, 2), centred)
        if self.between is not None:
            self.between.addmm_(centred[0], centred[0].T)

    def add_factors(self, seen: Tensor, gradients: list[Tensor]) -> None:
        """Gradients of one photo by what a layer of one group puts out.

        seen       (positions, columns): its input
        gradients  (outputs, positions) each
        """
        seen = seen - self.centre
        alike = seen @ seen.T
        weighted = [gradient @ alike for gradient in gradients]
        for one, other in zip(weighted, gradients, strict=True):
            self.traces += (one * other).sum(1)
        if self.matrices is not None:
            inner = gradients[0].T @ gradients[0]
            for gradient in gradients[1:]:
                inner.addmm_(gradient.T, gradient)
            self.matrices[0].addmm_(seen.T, inner @ seen)
        if self.between is not None:
            self.between.addmm_(torch.cat(weighted, 1), torch.cat(gradients, 1).T)

    def add(self, other: LayerSums) -> None:
        """Those of other photos."""
        self.traces += other.traces
        for own, more in ((self.matrices, other.matrices), (self.between, other.between)):
            if own is not None and more is not None:
                own += more

    def finish(self, count: int) -> FisherMatrices:
        """The means of so many gradients."""
        matrices, between = (
            None if sums is None else sums.div_(count).numpy()
            for sums in (self.matrices, self.between)
        )
        return FisherMatrices(matrices, (self.traces / count).numpy(), between)


def factored(graph: Graph, names: set[str]) -> set[str]:
    """Those of some weights whose sums are cheaper by factors than by the gradient."""
    users: dict[str, list[Node]] = {}
    for node in graph.nodes:
        if len(node.inputs) > 1 and node.inputs[1] in names:
            users.setdefault(node.inputs[1], []).append(node)
    return {
        name
        for name, nodes in users.items()
        if len(nodes) == 1 and _sees_pixels(graph, nodes[0]) and _is_cheaper(graph, nodes[0])
    }


def seen_by(node: Node, x: Tensor) -> Tensor:
    """What a factored layer saw, (positions, columns), from its input."""
    if node.op == "linear":
        return x.reshape(-1, x.shape[-1])
    down, right = cast(tuple[int, int], node.attributes["strides"])
    return x[0, :, ::down, ::right].reshape(x.shape[1], -1).T


def put_out_by(node: Node, gradient: Tensor) -> Tensor:
    """The gradient by a factored layer's output, (outputs, positions)."""
    if node.op == "linear":
        return gradient.reshape(-1, gradient.shape[-1]).T
    return gradient.reshape(gradient.shape[1], -1)


def _sees_pixels(graph: Graph, node: Node) -> bool:
    """Whether a position of the output sees one of the input, in one group."""
    if node.op == "linear":
        return True
    attributes, shape = node.attributes, graph.shapes[node.inputs[1]]
    return (
        shape[2:] == (1, 1)
        and attributes["groups"] == 1
        and attributes["pads"] == (0, 0, 0, 0)
        and graph.shapes[node.inputs[0]][0] == 1
    )


def _is_cheaper(graph: Graph, node: Node) -> bool:
    outputs, columns = graph.shapes[node.inputs[1]][:2]
    positions = int(np.prod(graph.shapes[node.output])) // outputs
    products = positions * (outputs**2 + columns**2 + positions * (outputs + columns))
    return products < outputs * columns * (outputs + columns)
