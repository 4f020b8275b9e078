"""Slide a classifier over a larger picture: one graph, one row of scores for every position.

Where all layers up to the pooling are convolutional, crops that lie whole steps apart share nearly
all of their work: the larger picture goes through once, and what follows runs on every window of
the last map. (P. Sermanet and others: "OverFeat", 2014, section 3.3; ccv's classifier does so for
its ten crops.) Inside the map a convolution's border sees pixels where a crop's own sees padding,
so the answers are close to those of crops, not the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.graph.larger import (
    Pair,
    check_one_picture,
    inferred,
    is_local,
    local_part,
    refuse,
    row_part,
    step_after,
    windows,
)


@dataclass(frozen=True)
class LastMap:
    """Where a classifier stops being convolutional.

    node    number of the node that reads the map whole: a pooling or a flattening
    name    of the map
    window  height and width of what that node sees of it
    step    pixels of the picture from one place of the map to the next, down and across
    """

    node: int
    name: str
    window: Pair
    step: Pair


def find_last_map(graph: Graph) -> LastMap:
    """Look for the map that windows can slide over.

    Raises ModelError 'cannot-slide', which names the first node that stands in the way.
    """
    check_one_picture(graph)
    steps: dict[str, Pair] = dict.fromkeys(graph.inputs, (1, 1))
    for number, node in enumerate(graph.nodes):
        if not any(name in steps for name in node.inputs):
            continue
        if _sees_all(graph, node) or not is_local(graph, node, steps):
            return _judged(graph, number, steps)
        steps[node.output] = step_after(node, steps)
    raise ModelError(
        "Sliding needs a pooling or a flattening that ends the maps; this network has none. "
        "Use crops.",
        slug="cannot-slide",
    )


def slide(graph: Graph, last: LastMap, height: int, width: int) -> Graph:
    """The same network on a picture of height x width: one row of scores for every window.

    last     what find_last_map() said of `graph`
    returns  a graph with input (1, channels, height, width), output (positions, classes):
             positions from left to right, then down
    Raises ModelError 'cannot-slide' where what follows the map mixes rows, 'bad-shape' where the
    picture is smaller than the network's own, 'too-large'.
    """
    nodes, shapes = local_part(graph, last.node, height, width)
    rows = _windows(graph.nodes[last.node], last, shapes)
    output = rows[-1].output
    rest = row_part(graph, last.node + 1, shapes, {output: output})
    return Graph(graph.inputs, graph.outputs, (*nodes, *rows, *rest), shapes)


def _sees_all(graph: Graph, node: Node) -> bool:
    """Whether it is a pooling of a whole map."""
    if node.op not in ("max_pool", "avg_pool"):
        return False
    shape = graph.shapes[node.inputs[0]]
    return node.attributes["kernel"] == shape[2:] and node.attributes["pads"] == (0, 0, 0, 0)


def _judged(graph: Graph, number: int, steps: Mapping[str, Pair]) -> LastMap:
    """The node as the end of the maps. Raises ModelError 'cannot-slide' where it is not."""
    node = graph.nodes[number]
    name = node.inputs[0]
    shape = graph.shapes[name]
    if name not in steps or not _ends_maps(node, shape):
        refuse(node, "is neither convolutional nor a pooling of a whole map")
    later = graph.nodes[number + 1 :]
    if any(name in steps for after in later for name in after.inputs):
        refuse(node, "looks at a whole map, and maps go on after it")
    return LastMap(number, name, (shape[2], shape[3]), steps[name])


def _ends_maps(node: Node, shape: Shape) -> bool:
    if node.op == "reduce":
        return node.attributes["axes"] == (2, 3) and node.attributes["kind"] in ("mean", "max")
    if node.op == "reshape":
        count = shape[1] * shape[2] * shape[3]
        return cast(Shape, node.attributes["shape"])[:2] == (1, count)
    return node.op in ("max_pool", "avg_pool")


def _windows(node: Node, last: LastMap, shapes: dict[str, Shape]) -> list[Node]:
    """Nodes that make `node`'s output for every window of the map, as rows."""
    _, _, height, width = shapes[last.name]
    down, across = height - last.window[0] + 1, width - last.window[1] + 1
    if down < 1 or across < 1:
        raise ModelError(
            f"The map is {height}x{width}, smaller than its window of {last.window}.",
            slug="bad-shape",
        )
    turned, end = f"{node.name}/turned", (down * across, *shapes[node.output][1:])
    if node.op != "reshape" or last.window == (1, 1):
        pooled = [] if node.op == "reshape" else [_pooling(node, last)]
        name = pooled[-1].output if pooled else last.name
        made = [*pooled, Node("transpose", turned, (name,), turned, {"perm": (0, 2, 3, 1)})]
    else:
        places = [(row, column) for row in range(down) for column in range(across)]
        made = windows(last.name, places, last.window, shapes, called=turned)
    made.append(Node("reshape", f"{node.name}/rows", (turned,), node.output, {"shape": end}))
    for each in made:
        shapes[each.output] = inferred(each, shapes)
    return made


def _pooling(node: Node, last: LastMap) -> Node:
    """The pooling, of every window of the map."""
    largest = node.op == "max_pool" or node.attributes.get("kind") == "max"
    attributes: dict[str, AttributeValue] = {
        "kernel": last.window,
        "strides": (1, 1),
        "pads": (0, 0, 0, 0),
        "dilations": (1, 1),
        "ceil_mode": 0,
    }
    if not largest:
        attributes["count_include_pad"] = 0
    op, name = "max_pool" if largest else "avg_pool", f"{node.name}/windows"
    return Node(op, name, (last.name,), name, attributes)
