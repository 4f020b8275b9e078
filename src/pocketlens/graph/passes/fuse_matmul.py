"""A transposed right side and a constant factor become attributes of matmul (attention)."""

from __future__ import annotations

from typing import cast

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, changed, fused


def transpose_into_matmul(view: View, node: Node) -> Patch | None:
    """matmul(a, transpose(b)) over the last two axes -> matmul(a, b, transpose_b=1)."""
    if node.op != "matmul":
        return None
    moved = view.only_maker(node.inputs[1], "transpose")
    if moved is None:
        return None
    perm = cast("tuple[int, ...]", moved.attributes["perm"])
    rank = len(perm)
    if perm != (*range(rank - 2), rank - 1, rank - 2):
        return None
    new = changed(node, transpose_b=1 - cast("int", node.attributes["transpose_b"]))
    inputs = (node.inputs[0], moved.inputs[0])
    return Patch((Node("matmul", node.name, inputs, node.output, new.attributes),))


def scale_into_matmul(view: View, node: Node) -> Patch | None:
    """A mul or div of a matmul's result, or of one of its sides, by one number -> its scale."""
    if node.op == "binary" and not fused(node):
        scaled = _scaled(view, node)
        maker = None if scaled is None else view.only_maker(scaled[0], "matmul")
        if scaled is None or maker is None:
            return None
        new = changed(maker, scale=cast("float", maker.attributes["scale"]) * scaled[1])
        return Patch((Node("matmul", maker.name, maker.inputs, node.output, new.attributes),))
    if node.op != "matmul":
        return None
    for position, name in enumerate(node.inputs):
        maker = view.only_maker(name, "binary")
        scaled = None if maker is None or fused(maker) else _scaled(view, maker)
        if scaled is None or view.shapes[scaled[0]] != view.shapes[name]:
            continue
        inputs = list(node.inputs)
        inputs[position] = scaled[0]
        new = changed(node, scale=cast("float", node.attributes["scale"]) * scaled[1])
        return Patch((Node("matmul", node.name, tuple(inputs), node.output, new.attributes),))
    return None


def _scaled(view: View, node: Node) -> tuple[str, float] | None:
    """(x, factor) where the node is x times or divided by one number."""
    kind, (a, b) = node.attributes["kind"], node.inputs
    left, right = view.number(a), view.number(b)
    if kind == "mul" and right is not None:
        return a, right
    if kind == "mul" and left is not None:
        return b, left
    if kind == "div" and right:
        return a, 1.0 / right
    return None
