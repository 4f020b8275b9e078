"""Layer norm written out, and the scale and bias that follow it.

Ba, Kiros, Hinton: Layer Normalization, 2016. Exporters before opset 17 write ReduceMean, Sub,
Pow, ReduceMean, Add, Sqrt, Div, Mul, Add.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from pocketlens.graph.graph import Node
from pocketlens.graph.passes.rewriting import Patch, View, fused


def layer_norm(view: View, node: Node) -> Patch | None:
    """Layer norm: div(d, sqrt(mean(d d) + epsilon)) with d = x - mean(x)."""
    if _kind(node) != "div":
        return None
    centred = view.maker(node.inputs[0])
    mean = _mean_subtracted(view, centred)
    if centred is None or mean is None:
        return None
    epsilon = _epsilon(view, node.inputs[1], node.inputs[0], mean)
    x = mean.inputs[0]
    axes = cast("tuple[int, ...]", mean.attributes["axes"])
    rank = len(view.shapes[x])
    if epsilon is None or axes != tuple(range(axes[0], rank)):
        return None
    attributes = {"axis": axes[0], "epsilon": epsilon}
    return Patch((Node("layer_norm", node.name, (x,), node.output, attributes),))


def scale_into_layer_norm(view: View, node: Node) -> Patch | None:
    """mul, then add, of a layer_norm with a constant -> its scale and bias."""
    kind = _kind(node)
    if kind not in ("mul", "add"):
        return None
    for name, other in (node.inputs, node.inputs[::-1]):
        norm, constant = view.only_maker(name, "layer_norm"), view.tensor(other)
        if norm is None or constant is None:
            continue
        shape = view.shapes[name][cast("int", norm.attributes["axis"]) :]
        position = 1 if kind == "mul" else 2
        # A scale is applied before the bias, so it cannot come where there is a bias already.
        if len(norm.inputs) > position or constant.shape[-len(shape) :] != shape:
            continue
        if constant.size != int(np.prod(shape)):
            continue
        tensor = view.tensor_name(other)
        inputs = [*norm.inputs, *[""] * (position - len(norm.inputs)), tensor]
        new = Node("layer_norm", norm.name, tuple(inputs), node.output, norm.attributes)
        return Patch((new,), {tensor: constant.reshape(shape)})
    return None


def _mean_subtracted(view: View, node: Node | None) -> Node | None:
    """The reduce node of mean(x), where the node is x - mean(x)."""
    if node is None or _kind(node) != "sub":
        return None
    mean = _mean(view, node.inputs[1])
    return mean if mean is not None and mean.inputs[0] == node.inputs[0] else None


def _mean(view: View, name: str) -> Node | None:
    node = view.maker(name)
    if node is None or node.op != "reduce" or node.attributes["kind"] != "mean":
        return None
    return node if node.attributes["keepdims"] else None


def _epsilon(view: View, name: str, centred: str, mean: Node) -> float | None:
    """epsilon, where the array is sqrt(mean(d d) + epsilon) over the axes of `mean`."""
    root = view.maker(name)
    if root is None or root.op != "unary" or root.attributes["activation"] != "sqrt":
        return None
    add = view.maker(root.inputs[0])
    if add is None or _kind(add) != "add":
        return None
    for variance_name, epsilon_name in (add.inputs, add.inputs[::-1]):
        epsilon, variance = view.number(epsilon_name), _mean(view, variance_name)
        if epsilon is None or epsilon < 0 or variance is None:
            continue
        square = view.maker(variance.inputs[0])
        same_axes = variance.attributes["axes"] == mean.attributes["axes"]
        if square is None or _kind(square) != "mul" or not same_axes:
            continue
        if square.inputs == (centred, centred):
            return epsilon
    return None


def _kind(node: Node) -> str:
    """The kind of a plain binary node, or ""."""
    return str(node.attributes["kind"]) if node.op == "binary" and not fused(node) else ""
