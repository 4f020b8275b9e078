"""A classifier on five windows of a larger picture, as ccv's classifier has it.

All layers up to the last convolution run on the whole picture. Five windows of the map that it
makes, as large as that map is for the network's own picture, are cut out at the corners and in the
middle; what follows runs on each. With the mirrored picture these are ccv's ten patches. Unlike
`sliding`, the layers between the last convolution and the first full connect layer see a window,
not the map.
"""

from __future__ import annotations

from dataclasses import dataclass

from pocketlens.base.errors import ModelError
from pocketlens.graph.graph import Graph
from pocketlens.graph.larger import (
    Pair,
    check_one_picture,
    is_local,
    local_part,
    refuse,
    row_part,
    step_after,
    windows,
)


@dataclass(frozen=True)
class LastConv:
    """Where a network stops being convolutional.

    node    number of its last conv2d
    window  height and width of the map that it makes of the network's own picture
    step    pixels of the picture from one place of that map to the next, the same down and across
    """

    node: int
    window: Pair
    step: int


def find_last_conv(graph: Graph) -> LastConv:
    """Look for the map that windows are cut from.

    Raises ModelError 'cannot-slide', which names the first node that stands in the way: one before
    the last conv2d that is not local, or one after it that reads another map as well.
    """
    check_one_picture(graph)
    steps: dict[str, Pair] = dict.fromkeys(graph.inputs, (1, 1))
    convs = [number for number, node in enumerate(graph.nodes) if node.op == "conv2d"]
    if not convs:
        raise ModelError(
            "Windows are cut from the map of the last convolution; this network has none. "
            "Use crops.",
            slug="cannot-slide",
        )
    for node in graph.nodes[: convs[-1] + 1]:
        if any(name in steps for name in node.inputs):
            if not is_local(graph, node, steps):
                refuse(node, "is before the last convolution and not local")
            steps[node.output] = step_after(node, steps)
    last = graph.nodes[convs[-1]]
    for node in graph.nodes[convs[-1] + 1 :]:
        if any(name in steps and name != last.output for name in node.inputs):
            refuse(node, "reads a map from before the last convolution")
    down, across = steps.get(last.output, (0, 0))
    if down != across or down == 0 or graph.outputs[0] in steps:
        refuse(last, "is not a map of even steps that the rest of the network reads")
    shape = graph.shapes[last.output]
    return LastConv(convs[-1], (shape[2], shape[3]), down)


def five_windows(graph: Graph, last: LastConv, height: int, width: int) -> Graph:
    """The same network on a picture of height x width: one row of scores for each window.

    last     what find_last_conv() said of `graph`
    returns  a graph with input (1, channels, height, width) and output (5, classes): upper left,
             upper right, middle, lower left, lower right. Windows may lie on each other
    Raises ModelError 'cannot-slide' where what follows the map mixes rows, 'bad-shape' where the
    picture is smaller than the network's own, 'too-large'.
    """
    nodes, shapes = local_part(graph, last.node + 1, height, width)
    name = graph.nodes[last.node].output
    down, across = (shapes[name][2 + axis] - last.window[axis] for axis in (0, 1))
    if down < 0 or across < 0:
        raise ModelError(
            f"The map is {shapes[name][2]}x{shapes[name][3]}, smaller than its window of "
            f"{last.window}.",
            slug="bad-shape",
        )
    places = ((0, 0), (0, across), (down // 2, across // 2), (down, 0), (down, across))
    cut = windows(name, places, last.window, shapes, called=f"{name}/windows")
    rest = row_part(graph, last.node + 1, shapes, {name: cut[-1].output})
    return Graph(graph.inputs, graph.outputs, (*nodes, *cut, *rest), shapes)
