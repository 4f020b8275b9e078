"""An elementwise function becomes the activation of the conv2d, linear or binary before it."""

from __future__ import annotations

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, changed, fused


def fuse_activation(view: View, node: Node) -> Patch | None:
    """unary(conv2d | linear | binary) -> conv2d | linear | binary with an activation."""
    if node.op != "unary":
        return None
    for op in ("conv2d", "linear", "binary"):
        maker = view.only_maker(node.inputs[0], op)
        if maker is None or fused(maker):
            continue
        new = changed(maker, **node.attributes)
        return Patch((Node(new.op, new.name, new.inputs, node.output, new.attributes),))
    return None
