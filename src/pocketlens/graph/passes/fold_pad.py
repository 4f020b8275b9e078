"""A frame of zeros around a picture becomes the pads of the conv2d or avg_pool that reads it."""

from __future__ import annotations

from typing import cast

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, changed


def fold_pad(view: View, node: Node) -> Patch | None:
    """conv2d(pad(x, 0)) -> conv2d(x); the pools where the meaning stays the same."""
    if node.op not in ("conv2d", "avg_pool"):
        return None
    pad = view.only_maker(node.inputs[0], "pad")
    if pad is None or pad.attributes["mode"] != "constant" or pad.attributes["value"] != 0.0:
        return None
    before = cast("tuple[int, ...]", pad.attributes["before"])
    after = cast("tuple[int, ...]", pad.attributes["after"])
    if len(before) != 4 or any((*before[:2], *after[:2])):
        return None
    own = cast("tuple[int, ...]", node.attributes["pads"])
    pads = tuple(a + b for a, b in zip(own, (*before[2:], *after[2:]), strict=True))
    inputs = (pad.inputs[0], *node.inputs[1:])
    if node.op == "conv2d":
        moved = changed(node, pads=pads)
    elif _counts_all(node, own) and not node.attributes["ceil_mode"] and _fits(node, pads):
        moved = changed(node, pads=pads, count_include_pad=1)
    else:
        return None
    return Patch((Node(moved.op, moved.name, inputs, moved.output, moved.attributes),))


def _counts_all(node: Node, own: tuple[int, ...]) -> bool:
    """Whether the pool divides by whole windows already: the frame's zeros have always counted."""
    return bool(node.attributes["count_include_pad"]) or not any(own)


def _fits(node: Node, pads: tuple[int, ...]) -> bool:
    """Whether every window would still see a pixel, which a pool asks for."""
    kernel = cast("tuple[int, ...]", node.attributes["kernel"])
    dilations = cast("tuple[int, ...]", node.attributes["dilations"])
    return all(
        max(pads[axis], pads[axis + 2]) < kernel[axis] and dilations[axis] == 1 for axis in (0, 1)
    )
