"""A sum with the result of a conv2d becomes the conv2d's fourth input."""

from __future__ import annotations

from typing import cast

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, changed, fused


def fuse_residual(view: View, node: Node) -> Patch | None:
    """add(conv2d(x, w, b), r) -> conv2d(x, w, b, r), where both have the same shape.

    Of two convolutions the later one takes it, which then runs when the other is done. Depthwise
    ones do not: they are bound by memory, and a kernel for them stays simple.
    """
    if node.op != "binary" or node.attributes["kind"] != "add":
        return None
    shape = view.shapes[node.output]
    if any(view.shapes[name] != shape for name in node.inputs) or len(shape) != 4:
        return None
    for position in (1, 0):
        other = node.inputs[1 - position]
        maker = view.only_maker(node.inputs[position], "conv2d")
        if maker is None or fused(maker) or len(maker.inputs) == 4 or _is_depthwise(view, maker):
            continue
        if view.tensor(other) is not None:
            continue
        bias = maker.inputs[2] if len(maker.inputs) > 2 else ""
        inputs = (*maker.inputs[:2], bias, other)
        new = changed(
            maker, **{key: node.attributes[key] for key in ("activation", "alpha", "beta")}
        )
        return Patch((Node("conv2d", maker.name, inputs, node.output, new.attributes),))
    return None


def _is_depthwise(view: View, conv: Node) -> bool:
    groups = cast("int", conv.attributes["groups"])
    return groups > 1 and groups == view.shapes[conv.output][1]
