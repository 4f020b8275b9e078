"""What a network weighs and what a run of it takes, counted from its graph alone."""

from __future__ import annotations

import math

from pocketlens.graph.graph import Graph, Node


def parameters(graph: Graph) -> int:
    """Numbers in all tensors together: weights, biases and constants."""
    return sum(math.prod(graph.shapes[name]) for name in graph.tensor_names())


def multiply_adds(graph: Graph) -> int:
    """Multiplications of a weight or of another array, each with its addition, in one run.

    Of convolutions, full connects and products of matrices; what pools, norms and elementwise
    functions take is not counted, as is the custom. Zeros of a border count as pixels.
    """
    return sum(_of_node(graph, node) for node in graph.nodes)


def _of_node(graph: Graph, node: Node) -> int:
    shapes = graph.shapes
    if node.op == "conv2d":
        weight = shapes[node.inputs[1]]
        return math.prod(shapes[node.output]) * math.prod(weight[1:])
    if node.op == "linear":
        return math.prod(shapes[node.output]) * shapes[node.inputs[1]][1]
    if node.op == "matmul":
        return math.prod(shapes[node.output]) * shapes[node.inputs[0]][-1]
    return 0
