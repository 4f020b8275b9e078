"""Batch norm, and any other constant scale and shift of every output, goes into the weights.

conv2d or linear, then mul, div, add or sub with one constant number an output: the weights and
the bias take it over. Computed in float64 and rounded once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pocketlens.graph.graph import AttributeValue, Node, Shape
from pocketlens.graph.passes.rewriting import Patch, View, fused

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fold_affine(view: View, node: Node) -> Patch | None:
    """binary(conv2d or linear, constant) -> conv2d or linear."""
    if node.op != "binary":
        return None
    for position, name in enumerate(node.inputs):
        maker = view.only_maker(name, "conv2d") or view.only_maker(name, "linear")
        if maker is None or fused(maker) or len(maker.inputs) == 4:
            continue
        constant = view.tensor(node.inputs[1 - position])
        if constant is None or node.inputs[0] == node.inputs[1]:
            continue
        change = _scale_and_shift(str(node.attributes["kind"]), position, constant)
        outputs = _per_output(constant, view.shapes[name], 1 if maker.op == "conv2d" else -1)
        if change is None or outputs is None or view.shapes[node.output] != view.shapes[name]:
            continue
        scale, shift = (np.broadcast_to(part.reshape(-1), outputs) for part in change)
        patch = _folded(view, node, maker, scale, shift)
        if patch is not None:
            return patch
    return None


def _scale_and_shift(
    kind: str, position: int, constant: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Scale and shift of out = scale x + shift for one elementwise node; x stands at `position`."""
    c = constant.astype(np.float64)
    one, zero = np.ones_like(c), np.zeros_like(c)
    if kind == "mul":
        return c, zero
    if kind == "add":
        return one, c
    if kind == "sub":
        return (one, -c) if position == 0 else (-one, c)
    if kind == "div" and position == 0 and np.all(c != 0):
        return 1.0 / c, zero
    return None


def _per_output(constant: NDArray[np.float32], shape: Shape, axis: int) -> tuple[int] | None:
    """The number of outputs, if the constant holds one number, or one an output along `axis`."""
    outputs = shape[axis]
    aligned = (1,) * (len(shape) - constant.ndim) + constant.shape
    place = axis % len(shape)
    others = [dim for position, dim in enumerate(aligned) if position != place]
    if len(aligned) > len(shape) or any(dim != 1 for dim in others):
        return None
    return (outputs,) if aligned[place] in (1, outputs) else None


def _folded(
    view: View, node: Node, maker: Node, scale: NDArray[np.float64], shift: NDArray[np.float64]
) -> Patch | None:
    weights = view.tensor(maker.inputs[1])
    bias_name = maker.inputs[2] if len(maker.inputs) > 2 else ""
    bias = view.tensor(bias_name) if bias_name else np.zeros(len(scale), np.float32)
    if weights is None or bias is None:
        return None
    tensors: dict[str, NDArray[np.float32]] = {}
    inputs = [maker.inputs[0], maker.inputs[1]]
    if not np.all(scale == 1.0):
        aligned = scale.reshape(-1, *(1,) * (weights.ndim - 1))
        inputs[1] = view.tensor_name(maker.inputs[1])
        tensors[inputs[1]] = _float32(weights * aligned)
    new_bias = _float32(bias * scale + shift)
    if bias_name or np.any(new_bias):
        inputs.append(
            view.tensor_name(bias_name) if bias_name else view.new_name(f"{maker.name}.bias")
        )
        tensors[inputs[2]] = new_bias
    if not all(np.isfinite(values).all() for values in tensors.values()):
        return None
    folded = Node(maker.op, maker.name, tuple(inputs), node.output, _with_activation(maker, node))
    return Patch((folded,), tensors)


def _with_activation(maker: Node, node: Node) -> dict[str, AttributeValue]:
    attributes = dict(maker.attributes)
    attributes.update({key: node.attributes[key] for key in ("activation", "alpha", "beta")})
    return attributes


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
