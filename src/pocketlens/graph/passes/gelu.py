"""GELU written out: x (1 + erf(x / sqrt 2)) / 2, in any order of its factors.

Hendrycks and Gimpel, Gaussian Error Linear Units, 2016. Exporters before opset 20 write it as
Div, Erf, Add, Mul, Mul.
"""

from __future__ import annotations

import math

from pocketlens.graph.graph import AttributeValue, Node
from pocketlens.graph.passes.rewriting import Patch, View, fused

_NEAR = 1e-6


def gelu(view: View, node: Node) -> Patch | None:
    """Gelu: the product of x, 1/2 and 1 + erf(x / sqrt 2)."""
    factors = _factors(view, node)
    if factors is None:
        return None
    numbers = [view.number(name) for name in factors]
    halves = [name for name, number in zip(factors, numbers, strict=True) if number == 0.5]
    if len(halves) != 1:
        return None
    rest = [name for name in factors if name not in halves]
    if len(rest) != 2:
        return None
    for x, gate in (rest, rest[::-1]):
        if _one_plus_erf(view, gate) == x:
            attributes: dict[str, AttributeValue] = {
                "activation": "gelu",
                "alpha": 0.0,
                "beta": 0.0,
            }
            return Patch((Node("unary", node.name, (x,), node.output, attributes),))
    return None


def _factors(view: View, node: Node) -> list[str] | None:
    """The three factors of (a b) c or a (b c)."""
    if _kind(node) != "mul":
        return None
    a, b = node.inputs
    for inner, outer in ((a, b), (b, a)):
        maker = view.only_maker(inner, "binary")
        if maker is not None and _kind(maker) == "mul":
            return [*maker.inputs, outer]
    return None


def _one_plus_erf(view: View, name: str) -> str | None:
    """x, where the array is 1 + erf(x / sqrt 2)."""
    add = view.maker(name)
    if add is None or _kind(add) != "add":
        return None
    for erf_name, one in (add.inputs, add.inputs[::-1]):
        erf = view.maker(erf_name)
        if view.number(one) == 1.0 and erf is not None and _is_erf(erf):
            return _over_root_two(view, erf.inputs[0])
    return None


def _over_root_two(view: View, name: str) -> str | None:
    """x, where the array is x / sqrt 2 or x times 1 / sqrt 2."""
    scaled = view.maker(name)
    if scaled is None:
        return None
    kind, (a, b) = _kind(scaled), (*scaled.inputs, "")[:2]
    left, right = view.number(a), view.number(b)
    if kind == "div" and right is not None and abs(right - math.sqrt(2)) < _NEAR:
        return a
    if kind == "mul" and right is not None and abs(right - math.sqrt(0.5)) < _NEAR:
        return a
    if kind == "mul" and left is not None and abs(left - math.sqrt(0.5)) < _NEAR:
        return b
    return None


def _kind(node: Node) -> str:
    """The kind of a plain binary node, or ""."""
    return str(node.attributes["kind"]) if node.op == "binary" and not fused(node) else ""


def _is_erf(node: Node) -> bool:
    return node.op == "unary" and node.attributes["activation"] == "erf"
