"""A network on a larger picture than its own: what `sliding` and `five_windows` share.

Up to some map every node is local, so it runs on the larger picture as it is; windows of that map
become rows, and what follows runs on rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn, cast

from pocketlens.base.errors import ModelError
from pocketlens.graph.attributes import quoted
from pocketlens.graph.graph import Graph, Node, Shape
from pocketlens.graph.inference import infer_shape

Pair = tuple[int, int]


def check_one_picture(graph: Graph) -> None:
    """Raises ModelError 'cannot-slide' for anything but one picture in, one array out."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(input_shape(graph)) != 4:
        raise ModelError(
            "Sliding is for networks of one picture and one row of scores; this one has "
            f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs. Use crops.",
            slug="cannot-slide",
        )


def input_shape(graph: Graph) -> Shape:
    """The shape of the picture."""
    return graph.shapes[graph.inputs[0]]


def is_local(graph: Graph, node: Node, steps: Mapping[str, Pair]) -> bool:
    """Whether every place of the node's output depends on places around it alone.

    steps  the maps so far: of each, pixels of the picture from place to place
    A pool is local here, even where it happens to see all of a map.
    """
    shape = graph.shapes[node.inputs[0]]
    if node.op in ("unary", "lrn", "grouped_lrn"):
        return True
    if node.op == "conv2d":
        return node.inputs[0] in steps and all(name in steps for name in node.inputs[3:] if name)
    if node.op in ("max_pool", "avg_pool"):
        return True
    if node.op == "binary":
        return _joins_locally([(name in steps, graph.shapes[name]) for name in node.inputs])
    if node.op in ("concat", "softmax"):
        return node.attributes["axis"] == 1 and all(name in steps for name in node.inputs)
    if node.op == "pad":
        return len(shape) == 4
    if node.op == "slice":
        starts, sizes, slice_steps = (
            cast(Shape, node.attributes[key]) for key in ("starts", "sizes", "steps")
        )
        return (starts[2:], sizes[2:], slice_steps[2:]) == ((0, 0), shape[2:], (1, 1))
    return False


def _joins_locally(inputs: list[tuple[bool, Shape]]) -> bool:
    """Maps of one size, and constants that are the same all over a map."""
    sizes = {shape[-2:] for is_map, shape in inputs if is_map}
    constants = [shape for is_map, shape in inputs if not is_map]
    return len(sizes) == 1 and all(dim == 1 for shape in constants for dim in shape[-2:])


def step_after(node: Node, steps: Mapping[str, Pair]) -> Pair:
    """Pixels of the picture from place to place of a local node's output, down and across."""
    stride = cast(Pair, node.attributes.get("strides", (1, 1)))
    down, across = steps[next(name for name in node.inputs if name in steps)]
    return down * stride[0], across * stride[1]


def local_part(
    graph: Graph, end: int, height: int, width: int
) -> tuple[list[Node], dict[str, Shape]]:
    """Nodes before number `end`, on a picture of height x width, and all shapes so far.

    Shapes of later arrays are still those of the network's own size.
    """
    (name,) = graph.inputs
    shapes = {**graph.shapes, name: (*input_shape(graph)[:2], height, width)}
    nodes = []
    for node in graph.nodes[:end]:
        grown = _resized(node, shapes)
        shapes[node.output] = inferred(grown, shapes)
        nodes.append(grown)
    return nodes, shapes


def row_part(
    graph: Graph, begin: int, shapes: dict[str, Shape], renamed: Mapping[str, str]
) -> list[Node]:
    """Nodes from number `begin` on, for as many rows as the arrays of `renamed` have.

    shapes   of what stands before; those of these nodes are put in
    renamed  what to read in place of an array of the network
    Raises ModelError 'cannot-slide' where a node mixes rows.
    """
    varying = set(renamed.values())
    count = shapes[next(iter(varying))][0]
    nodes = []
    for given in graph.nodes[begin:]:
        inputs = tuple(renamed.get(name, name) for name in given.inputs)
        node = replace(given, inputs=inputs)
        if not varying.isdisjoint(inputs):
            wanted = (count, *graph.shapes[node.output][1:])
            node = _for_rows(node, wanted, shapes)
            shapes[node.output] = wanted
            varying.add(node.output)
        nodes.append(node)
    return nodes


def inferred(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    """The shape of the node's output."""
    return infer_shape(
        node.op, node.attributes, [shapes[name] if name else None for name in node.inputs]
    )


def windows(
    name: str, places: Sequence[Pair], size: Pair, shapes: dict[str, Shape], *, called: str
) -> list[Node]:
    """Nodes that cut windows out of a map; the last, called `called`, has them as its rows.

    places  of the upper left corners: (row, column)
    size    height and width
    """
    channels = shapes[name][1]
    sizes = {"sizes": (1, channels, *size), "steps": (1, 1, 1, 1)}
    cuts = [
        Node("slice", f"{called}/{i}", (name,), f"{called}/{i}", {"starts": (0, 0, *at), **sizes})
        for i, at in enumerate(places)
    ]
    joined = Node("concat", called, tuple(cut.output for cut in cuts), called, {"axis": 0})
    for node in (*cuts, joined):
        shapes[node.output] = inferred(node, shapes)
    return [*cuts, joined]


def _resized(node: Node, shapes: Mapping[str, Shape]) -> Node:
    """A node on maps, told how large they are now."""
    if node.op != "slice" or len(shapes[node.inputs[0]]) != 4:
        return node
    sizes = cast(Shape, node.attributes["sizes"])
    whole = (*sizes[:2], *shapes[node.inputs[0]][2:])
    return replace(node, attributes={**node.attributes, "sizes": whole})


def _for_rows(node: Node, wanted: Shape, shapes: Mapping[str, Shape]) -> Node:
    """A node behind the map, for many rows in place of one."""
    attributes = dict(node.attributes)
    if node.op in ("reshape", "expand"):
        attributes["shape"] = (wanted[0], *cast(Shape, attributes["shape"])[1:])
    if node.op == "slice":
        attributes["sizes"] = (wanted[0], *cast(Shape, attributes["sizes"])[1:])
    grown = replace(node, attributes=attributes)
    if attributes.get("axis") == 0 or 0 in cast(Shape, attributes.get("axes", ())):
        refuse(node, "works along the axis of the photos")
    try:
        shape = inferred(grown, shapes)
    except ModelError:
        shape = ()
    if shape != wanted:
        refuse(node, "does not take several rows")
    return grown


def refuse(node: Node, why: str) -> NoReturn:
    """Raises ModelError 'cannot-slide': the node stands in the way because it ..."""
    raise ModelError(
        f"The network cannot slide over a larger picture: node {quoted(node.name)} "
        f"({node.op}) {why}. Use crops.",
        slug="cannot-slide",
    )
