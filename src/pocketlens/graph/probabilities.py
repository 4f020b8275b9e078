"""Whether a classifier ends in a softmax, and the same network with one."""

from __future__ import annotations

from dataclasses import replace

from pocketlens.graph.graph import Graph, Node


def ends_in_softmax(graph: Graph) -> bool:
    """Whether a graph's output is probabilities: a softmax, perhaps reshaped."""
    makers = {node.output: node for node in graph.nodes}
    node = makers.get(graph.outputs[0])
    while node is not None and node.op == "reshape":
        node = makers.get(node.inputs[0])
    return node is not None and node.op == "softmax" and not node.attributes["log"]


def with_softmax(graph: Graph) -> Graph:
    """The graph with a softmax of each row of its one output, (rows, classes), at its end."""
    (scores,) = graph.outputs
    if ends_in_softmax(graph):
        return graph
    name = "softmax of scores"
    while name in graph.shapes or any(node.name == name for node in graph.nodes):
        name += "'"
    node = Node("softmax", name, (scores,), name, {"axis": 1, "log": 0})
    shapes = {**graph.shapes, name: graph.shapes[scores]}
    return replace(graph, outputs=(name,), nodes=(*graph.nodes, node), shapes=shapes)
