"""Slide a classifier over a larger picture: one graph, one row of scores for every position.

Where all layers up to the pooling are convolutional, crops that lie whole steps apart share nearly
all of their work: the larger picture goes through once, and what follows runs on every window of
the last map. (P. Sermanet and others: "OverFeat", 2014, section 3.3; ccv's classifier does so for
its ten crops.) Inside the map a convolution's border sees pixels where a crop's own sees padding,
so the answers are close to those of crops, not the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, cast

from pocketlens.base.errors import ModelError
from pocketlens.graph.attributes import quoted
from pocketlens.graph.graph import AttributeValue, Graph, Node, Shape
from pocketlens.graph.inference import infer_shape

Pair = tuple[int, int]


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
    steps: dict[str, Pair] = dict.fromkeys(graph.inputs, (1, 1))
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(_input_shape(graph)) != 4:
        raise ModelError(
            "Sliding is for networks of one picture and one row of scores; this one has "
            f"{len(graph.inputs)} inputs and {len(graph.outputs)} outputs. Use crops.",
            slug="cannot-slide",
        )
    for number, node in enumerate(graph.nodes):
        if not any(name in steps for name in node.inputs):
            continue
        if not _is_local(graph, node, steps):
            return _judged(graph, number, steps)
        stride = cast(Pair, node.attributes.get("strides", (1, 1)))
        down, across = steps[next(name for name in node.inputs if name in steps)]
        steps[node.output] = (down * stride[0], across * stride[1])
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
    (name,) = graph.inputs
    shapes = {**graph.shapes, name: (*_input_shape(graph)[:2], height, width)}
    nodes = []
    for node in graph.nodes[: last.node]:
        grown = _resized(node, shapes)
        shapes[node.output] = _inferred(grown, shapes)
        nodes.append(grown)
    rows = _windows(graph.nodes[last.node], last, shapes)
    for node in rows:
        shapes[node.output] = _inferred(node, shapes)
    nodes += rows
    count = shapes[rows[-1].output][0]
    varying = {rows[-1].output}
    for node in graph.nodes[last.node + 1 :]:
        if varying.isdisjoint(node.inputs):
            nodes.append(node)
            continue
        wanted = (count, *graph.shapes[node.output][1:])
        nodes.append(_for_rows(node, wanted, shapes))
        shapes[node.output] = wanted
        varying.add(node.output)
    return Graph(graph.inputs, graph.outputs, tuple(nodes), shapes)


def _input_shape(graph: Graph) -> Shape:
    return graph.shapes[graph.inputs[0]]


def _inferred(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    return infer_shape(
        node.op, node.attributes, [shapes[name] if name else None for name in node.inputs]
    )


def _is_local(graph: Graph, node: Node, steps: Mapping[str, Pair]) -> bool:
    """Whether every place of the node's output depends on places around it alone."""
    shape = graph.shapes[node.inputs[0]]
    if node.op in ("unary", "lrn"):
        return True
    if node.op == "conv2d":
        return node.inputs[0] in steps and all(name in steps for name in node.inputs[3:] if name)
    if node.op in ("max_pool", "avg_pool"):
        return not _sees_all(node, shape)
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


def _sees_all(node: Node, shape: Shape) -> bool:
    return node.attributes["kernel"] == shape[2:] and node.attributes["pads"] == (0, 0, 0, 0)


def _joins_locally(inputs: list[tuple[bool, Shape]]) -> bool:
    """Maps of one size, and constants that are the same all over a map."""
    sizes = {shape[-2:] for is_map, shape in inputs if is_map}
    constants = [shape for is_map, shape in inputs if not is_map]
    return len(sizes) == 1 and all(dim == 1 for shape in constants for dim in shape[-2:])


def _judged(graph: Graph, number: int, steps: Mapping[str, Pair]) -> LastMap:
    """The node as the end of the maps. Raises ModelError 'cannot-slide' where it is not."""
    node = graph.nodes[number]
    name = node.inputs[0]
    shape = graph.shapes[name]
    if name not in steps or not _ends_maps(node, shape):
        _refuse(node, "is neither convolutional nor a pooling of a whole map")
    later = graph.nodes[number + 1 :]
    if any(name in steps for after in later for name in after.inputs):
        _refuse(node, "looks at a whole map, and maps go on after it")
    return LastMap(number, name, (shape[2], shape[3]), steps[name])


def _ends_maps(node: Node, shape: Shape) -> bool:
    if node.op == "reduce":
        return node.attributes["axes"] == (2, 3) and node.attributes["kind"] in ("mean", "max")
    if node.op == "reshape":
        count = shape[1] * shape[2] * shape[3]
        return cast(Shape, node.attributes["shape"])[:2] == (1, count)
    return node.op in ("max_pool", "avg_pool")


def _resized(node: Node, shapes: Mapping[str, Shape]) -> Node:
    """A node on maps, told how large they are now."""
    if node.op != "slice" or len(shapes[node.inputs[0]]) != 4:
        return node
    sizes = cast(Shape, node.attributes["sizes"])
    whole = (*sizes[:2], *shapes[node.inputs[0]][2:])
    return replace(node, attributes={**node.attributes, "sizes": whole})


def _windows(node: Node, last: LastMap, shapes: Mapping[str, Shape]) -> list[Node]:
    """Nodes that make `node`'s output for every window of the map, as rows."""
    _, channels, height, width = shapes[last.name]
    down, across = height - last.window[0] + 1, width - last.window[1] + 1
    if down < 1 or across < 1:
        raise ModelError(
            f"The map is {height}x{width}, smaller than its window of {last.window}.",
            slug="bad-shape",
        )
    count, rest = down * across, shapes[node.output][1:]
    turned, end = f"{node.name}/turned", (count, *rest)
    rows = Node("reshape", f"{node.name}/rows", (turned,), node.output, {"shape": end})
    if node.op != "reshape" or last.window == (1, 1):
        pooled = [] if node.op == "reshape" else [_pooling(node, last)]
        name = pooled[-1].output if pooled else last.name
        perm = {"perm": (0, 2, 3, 1)}
        return [*pooled, Node("transpose", turned, (name,), turned, perm), rows]
    size = (1, channels, *last.window)
    cut = [
        _slice(last.name, (0, 0, i // across, i % across), size, name=f"{node.name}/{i}")
        for i in range(count)
    ]
    names = tuple(each.output for each in cut)
    return [*cut, Node("concat", turned, names, turned, {"axis": 0}), rows]


def _slice(read: str, starts: Shape, sizes: Shape, *, name: str) -> Node:
    attributes = {"starts": starts, "sizes": sizes, "steps": (1, 1, 1, 1)}
    return Node("slice", name, (read,), name, attributes)


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


def _for_rows(node: Node, wanted: Shape, shapes: Mapping[str, Shape]) -> Node:
    """A node behind the map, for many rows in place of one."""
    attributes = dict(node.attributes)
    if node.op in ("reshape", "expand"):
        attributes["shape"] = (wanted[0], *cast(Shape, attributes["shape"])[1:])
    if node.op == "slice":
        attributes["sizes"] = (wanted[0], *cast(Shape, attributes["sizes"])[1:])
    grown = replace(node, attributes=attributes)
    if attributes.get("axis") == 0 or 0 in cast(Shape, attributes.get("axes", ())):
        _refuse(node, "works along the axis of the photos")
    try:
        shape = _inferred(grown, shapes)
    except ModelError:
        shape = ()
    if shape != wanted:
        _refuse(node, "does not take several rows")
    return grown


def _refuse(node: Node, why: str) -> NoReturn:
    raise ModelError(
        f"The network cannot slide over a larger picture: node {quoted(node.name)} "
        f"({node.op}) {why}. Use crops.",
        slug="cannot-slide",
    )
