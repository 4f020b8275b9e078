"""Nodes that only move numbers about: those that undo each other, or do nothing."""

from __future__ import annotations

from typing import cast

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, changed


def merge_reshapes(view: View, node: Node) -> Patch | None:
    """reshape(reshape(x)) -> reshape(x)."""
    if node.op != "reshape":
        return None
    before = view.maker(node.inputs[0])
    if before is None or before.op != "reshape":
        return None
    return Patch((Node("reshape", node.name, before.inputs, node.output, node.attributes),))


def merge_transposes(view: View, node: Node) -> Patch | None:
    """transpose(transpose(x)) -> transpose(x)."""
    if node.op != "transpose":
        return None
    before = view.maker(node.inputs[0])
    if before is None or before.op != "transpose":
        return None
    first = cast("tuple[int, ...]", before.attributes["perm"])
    second = cast("tuple[int, ...]", node.attributes["perm"])
    new = changed(node, perm=tuple(first[axis] for axis in second))
    return Patch((Node("transpose", node.name, before.inputs, node.output, new.attributes),))


def unstack_transpose(view: View, node: Node) -> Patch | None:
    """A transpose of the last two axes, with the others merged around it, without the merging.

    reshape(transpose(x, (0, 2, 1)), (..., n, m)) -> transpose(reshape(x, (..., m, n))), as in
    exported attention; the reshape then meets the one before.
    """
    if node.op != "reshape":
        return None
    swap = view.maker(node.inputs[0])
    if swap is None or swap.op != "transpose" or swap.attributes["perm"] != (0, 2, 1):
        return None
    out = view.shapes[node.output]
    if len(out) < 4 or out[-2:] != view.shapes[swap.output][1:]:
        return None
    rank, shape = len(out), (*out[:-2], out[-1], out[-2])
    unstacked = view.new_name(f"{node.output}/unstacked")
    first = Node("reshape", view.new_node_name(unstacked), swap.inputs, unstacked, {"shape": shape})
    perm = (*range(rank - 2), rank - 1, rank - 2)
    return Patch((first, Node("transpose", node.name, (unstacked,), node.output, {"perm": perm})))


def transpose_to_reshape(view: View, node: Node) -> Patch | None:
    """A transpose that only moves axes of length 1 keeps the order of the numbers: reshape(x)."""
    if node.op != "transpose":
        return None
    shape = view.shapes[node.inputs[0]]
    perm = cast("tuple[int, ...]", node.attributes["perm"])
    moved = [axis for axis in perm if shape[axis] != 1]
    if moved != sorted(moved) or perm == tuple(range(len(perm))):
        return None
    attributes = {"shape": view.shapes[node.output]}
    return Patch((Node("reshape", node.name, node.inputs, node.output, attributes),))


def skip_idle(view: View, node: Node) -> Patch | None:
    """Read past nodes that change nothing."""
    inputs = list(node.inputs)
    for position, name in enumerate(inputs):
        before = view.maker(name)
        if before is not None and _is_idle(view, before):
            inputs[position] = before.inputs[0]
    if tuple(inputs) == node.inputs:
        return None
    return Patch((Node(node.op, node.name, tuple(inputs), node.output, node.attributes),))


def _is_idle(view: View, node: Node) -> bool:
    if node.op in ("reshape", "expand"):
        return view.shapes[node.inputs[0]] == view.shapes[node.output]
    if node.op == "transpose":
        perm = cast("tuple[int, ...]", node.attributes["perm"])
        return perm == tuple(range(len(perm)))
    if node.op in ("avg_pool", "max_pool"):  # an adaptive pool of a picture of the right size
        ones = node.attributes["kernel"] == node.attributes["strides"] == (1, 1)
        return ones and node.attributes["pads"] == (0, 0, 0, 0)
    return node.op == "unary" and node.attributes["activation"] == "none"
