"""Activations written out as products: silu, hard sigmoid, hard swish."""

from __future__ import annotations

from typing import cast

from pocketlens.graph.graph import AttributeValue, Node
from pocketlens.graph.passes.rewriting import Patch, View, fused

SIXTH = 1.0 / 6.0


def silu(view: View, node: Node) -> Patch | None:
    """Silu: mul(x, sigmoid(x))."""
    for x, gate in _factors(node):
        maker = view.maker(gate)
        if _is_unary(maker, "sigmoid") and maker is not None and maker.inputs[0] == x:
            return _unary(node, x, "silu")
    return None


def hard_sigmoid(view: View, node: Node) -> Patch | None:
    """Hard sigmoid 1/6 x + 1/2: clip(x + 3, 0, 6) divided by 6, or times 1/6."""
    found = _sixth_of(view, node)
    shifted = None if found is None else _ramp(view, found)
    return None if shifted is None else _unary(node, shifted, "hard_sigmoid", SIXTH, 0.5)


def hard_swish(view: View, node: Node) -> Patch | None:
    """Hard swish: mul(x, hard_sigmoid(x)), or (x clip(x + 3, 0, 6)) / 6."""
    for x, gate in _factors(node):
        maker = view.maker(gate)
        if _is_unary(maker, "hard_sigmoid") and maker is not None and maker.inputs[0] == x:
            slope = cast("float", maker.attributes["alpha"])
            if abs(slope - SIXTH) < 1e-7 and maker.attributes["beta"] == 0.5:
                return _unary(node, x, "hard_swish")
    product = _sixth_of(view, node)
    maker = None if product is None else view.maker(product)
    if maker is not None:
        for x, gate in _factors(maker):
            if _ramp(view, gate) == x:
                return _unary(node, x, "hard_swish")
    return None


def _factors(node: Node) -> tuple[tuple[str, str], ...]:
    """Both ways of reading a product, if the node is one."""
    if node.op != "binary" or node.attributes["kind"] != "mul" or fused(node):
        return ()
    a, b = node.inputs
    return ((a, b), (b, a))


def _is_unary(node: Node | None, kind: str) -> bool:
    return node is not None and node.op == "unary" and node.attributes["activation"] == kind


def _sixth_of(view: View, node: Node) -> str | None:
    """x, where the node is x / 6 or x times 1/6."""
    if node.op != "binary" or fused(node):
        return None
    a, b = node.inputs
    if node.attributes["kind"] == "div":
        return a if view.number(b) == 6.0 else None
    for x, factor in _factors(node):
        number = view.number(factor)
        if number is not None and abs(number - SIXTH) < 1e-7:
            return x
    return None


def _ramp(view: View, name: str) -> str | None:
    """x, where the array is clip(x + 3, 0, 6)."""
    clip = view.maker(name)
    if clip is None or not _is_unary(clip, "clip"):
        return None
    if (clip.attributes["alpha"], clip.attributes["beta"]) != (0.0, 6.0):
        return None
    add = view.maker(clip.inputs[0])
    if add is None or add.op != "binary" or add.attributes["kind"] != "add" or fused(add):
        return None
    a, b = add.inputs
    if view.number(b) == 3.0:
        return a
    return b if view.number(a) == 3.0 else None


def _unary(node: Node, x: str, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Patch:
    attributes: dict[str, AttributeValue] = {"activation": kind, "alpha": alpha, "beta": beta}
    return Patch((Node("unary", node.name, (x,), node.output, attributes),))
