"""The inputs of a layer's outputs, a column a weight: rows of a linear, windows of a conv2d."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.graph.shapes import weight_names

Array = NDArray[np.float32]
Four = tuple[int, int, int, int]
Two = tuple[int, int]

POSITIONS = 800
"""Output positions of one photo that are looked at, at most; neighbours tell little news."""

_GOLDEN = 0.6180339887498949


def weight_users(graph: Graph) -> dict[str, tuple[Node, ...]]:
    """Weight tensors of conv2d and linear nodes, in the graph's order, and the nodes of each."""
    weights = weight_names(graph)
    users: dict[str, tuple[Node, ...]] = {}
    for node in graph.nodes:
        if node.op in ("conv2d", "linear") and node.inputs[1] in weights:
            users[node.inputs[1]] = (*users.get(node.inputs[1], ()), node)
    return users


def column_shape(graph: Graph, node: Node) -> tuple[int, int]:
    """(groups, columns) of a conv2d's or a linear's weights."""
    columns = int(np.prod(graph.shapes[node.inputs[1]][1:]))
    return (cast(int, node.attributes["groups"]) if node.op == "conv2d" else 1), columns


def samples_of(graph: Graph, node: Node, x: Array, *, photo: int) -> Array:
    """What the outputs of a layer see of one photo: (groups, columns, n) float32, a copy.

    x      the array at the node's input
    photo  its number: which of many positions are taken follows from it
    """
    if node.op == "linear":
        rows = x.reshape(-1, x.shape[-1])
        return np.array(rows[some_positions(len(rows), photo)].T, order="C")[None]
    out, weights = graph.shapes[node.output], graph.shapes[node.inputs[1]]
    return _windows(node, x, weights, out, photo)


def some_positions(count: int, photo: int) -> NDArray[np.intp]:
    """At most POSITIONS of `count` places, ascending: one in each of as many equal strata.

    Which one follows from the photo's number, so that all places are seen in the end.
    """
    if count <= POSITIONS:
        return np.arange(count)
    strata = np.arange(POSITIONS)
    within = np.mod((strata + photo * POSITIONS + 0.5) * _GOLDEN, 1.0)
    return np.unique(((strata + within) * (count / POSITIONS)).astype(np.intp))


def _windows(node: Node, x: Array, weights: Shape, out: Shape, photo: int) -> Array:
    """Columns of a conv2d, weight by weight of a window: one gather each."""
    stride_h, stride_w = cast(Two, node.attributes["strides"])
    step_h, step_w = cast(Two, node.attributes["dilations"])
    top, left, bottom, right = cast(Four, node.attributes["pads"])
    groups = cast(int, node.attributes["groups"])
    channels = x.shape[1]
    kernel_h, kernel_w = weights[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    height, width = padded.shape[2:]
    flat = padded.transpose(1, 0, 2, 3).reshape(channels, -1)

    position = some_positions(out[0] * out[2] * out[3], photo)
    image, place = np.divmod(position, out[2] * out[3])
    row, column = np.divmod(place, out[3])
    corner = (image * height + row * stride_h) * width + column * stride_w
    samples = np.empty((channels, kernel_h * kernel_w, len(position)), np.float32)
    for y in range(kernel_h):
        for x_ in range(kernel_w):
            shift = y * step_h * width + x_ * step_w
            np.take(flat, corner + shift, axis=1, out=samples[:, y * kernel_w + x_], mode="clip")
    return samples.reshape(groups, -1, len(position))
