"""Whether several images can run as one: whether no node mixes, moves or cuts the first axis.

A graph is written for one image. With n of them, every array that depends on the input has n
times the rows along its first axis, image by image; constants stay as they are.
"""

# ruff: noqa: ARG005 - the functions of a table share their arguments

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from pocketlens.graph.graph import Graph, Node, Shape

Ints = tuple[int, ...]


def runs_in_batches(graph: Graph) -> bool:
    """Whether the graph may be run on n images along the first axis."""
    if any(len(graph.shapes[name]) < 2 or graph.shapes[name][0] != 1 for name in graph.inputs):
        return False
    varying = set(graph.inputs)
    for node in graph.nodes:
        if varying.isdisjoint(node.inputs):
            continue  # made of constants alone, and so a constant
        if not _keeps_images_apart(graph, node, varying):
            return False
        varying.add(node.output)
    return all(name in varying and graph.shapes[name][0] == 1 for name in graph.outputs)


def _keeps_images_apart(graph: Graph, node: Node, varying: set[str]) -> bool:
    out = graph.shapes[node.output]
    if len(out) < 2 or any(len(graph.shapes[name]) < 2 for name in node.inputs if name in varying):
        return False
    rule = _RULES.get(node.op)
    if rule is not None:
        return rule(node, out)
    if node.op in ("binary", "concat", "matmul", "conv2d", "expand"):
        return _meet_row_by_row(graph, node, varying)
    return True  # conv2d, linear, pools, unary, lrns, resize, reshape: images stay outermost


def _meet_row_by_row(graph: Graph, node: Node, varying: set[str]) -> bool:
    """Arrays have the output's rank and rows; constants serve every image alike."""
    out = graph.shapes[node.output]
    if node.op == "concat" and node.attributes["axis"] == 0:
        return False
    for position, name in enumerate(node.inputs):
        if not name or (node.op == "conv2d" and position < 3):
            continue
        shape = graph.shapes[name]
        if name in varying:
            if len(shape) != len(out) or shape[0] != out[0]:
                return False
            if node.op == "matmul" and position == 1 and len(shape) < 3:
                return False  # its first axis is summed over or becomes a column
        elif node.op == "matmul" and len(shape) < 3:
            if position == 0:
                return False  # its first axis becomes the output's second to last
        elif len(shape) == len(out) and shape[0] != 1:
            return False
    return True


def _spared(node: Node, name: str) -> bool:
    return 0 not in cast(Ints, node.attributes[name])


_RULES: dict[str, Callable[[Node, Shape], bool]] = {
    "reduce": lambda node, out: _spared(node, "axes"),
    "slice": lambda node, out: (
        cast(Ints, node.attributes["starts"])[0] == 0
        and cast(Ints, node.attributes["sizes"])[0] == out[0] == 1
        and cast(Ints, node.attributes["steps"])[0] == 1
    ),
    "pad": lambda node, out: (
        cast(Ints, node.attributes["before"])[0] == 0
        and cast(Ints, node.attributes["after"])[0] == 0
    ),
    "transpose": lambda node, out: cast(Ints, node.attributes["perm"])[0] == 0,
    "softmax": lambda node, out: node.attributes["axis"] != 0,
    "layer_norm": lambda node, out: node.attributes["axis"] != 0,
}
