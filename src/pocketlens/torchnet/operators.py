"""Every operator of graph/ops.py in torch: one function an operator, differentiable.

`shape` is the output's, its first axis already multiplied by the number of images.
"""
# ruff: noqa: ARG001, ARG005 - the functions of a table share their arguments

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pocketlens.graph.graph import Shape
from pocketlens.torchnet import windows
from pocketlens.torchnet.elementwise import Attributes, activate, combine, number
from pocketlens.torchnet.resize import resize

Inputs = Sequence[Any]
"""Tensors, and None where an optional input is absent."""
Ints = tuple[int, ...]


def run_sums(op: str, attributes: Attributes, inputs: Inputs) -> Tensor:
    """A conv2d or a linear before its activation: products, bias and residual."""
    x, w, bias, residual = (*inputs, None, None)[:4]
    if op == "linear":
        return functional.linear(x, w, bias)
    out = windows.conv2d(x, w, bias, attributes)
    return out if residual is None else out + residual


def run_operator(op: str, attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    """The output of one node that is neither a conv2d nor a linear."""
    return _OPERATORS[op](attributes, inputs, shape)


def _matmul(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    a, b = inputs
    b = b.transpose(-1, -2) if attributes["transpose_b"] else b
    return number(attributes, "scale") * (a @ b)


def _reduce(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    function = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax, "min": torch.amin}[
        str(attributes["kind"])
    ]
    return function(inputs[0], dim=attributes["axes"], keepdim=bool(attributes["keepdims"]))


def _concat(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    axis = cast(int, attributes["axis"])
    # A constant (a class token) stands in every image.
    parts = [x.expand(shape[0], *x.shape[1:]) if axis else x for x in inputs if x is not None]
    return torch.cat(parts, dim=axis)


def _slice(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    (x,) = inputs
    starts, sizes, steps = (cast(Ints, attributes[name]) for name in ("starts", "sizes", "steps"))
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps, strict=True)):
        if axis == 0 and (start, size, step) == (0, 1, 1) and shape[0] == x.shape[0]:
            continue  # every image is taken
        if step == 1:
            x = x.narrow(axis, start, size)
        else:
            x = x.index_select(axis, start + step * torch.arange(size, device=x.device))
    return x


def _pad(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    (x,) = inputs
    before, after = cast(Ints, attributes["before"]), cast(Ints, attributes["after"])
    if attributes["mode"] == "constant":
        both = [pad for pair in zip(reversed(before), reversed(after), strict=True) for pad in pair]
        return functional.pad(x, both, value=number(attributes, "value"))
    mode = "reflect" if attributes["mode"] == "reflect" else "edge"
    for axis, pads in enumerate(zip(before, after, strict=True)):
        if any(pads):
            index = np.pad(np.arange(x.shape[axis]), pads, mode=mode)  # type: ignore[call-overload]
            x = x.index_select(axis, torch.from_numpy(index).to(x.device))
    return x


def _softmax(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    function = functional.log_softmax if attributes["log"] else functional.softmax
    return function(inputs[0], dim=attributes["axis"])


def _layer_norm(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    x, scale, bias = (*inputs, None, None)[:3]
    rest = shape[cast(int, attributes["axis"]) :]
    return functional.layer_norm(x, rest, scale, bias, number(attributes, "epsilon"))


def _binary(attributes: Attributes, inputs: Inputs, shape: Shape) -> Tensor:
    a, b = inputs
    return activate(combine(a, b, str(attributes["kind"])), attributes)


_OPERATORS: dict[str, Callable[[Attributes, Inputs, Shape], Tensor]] = {
    "matmul": _matmul,
    "max_pool": lambda a, inputs, shape: windows.max_pool(inputs[0], a, shape),
    "avg_pool": lambda a, inputs, shape: windows.avg_pool(inputs[0], a, shape),
    "reduce": _reduce,
    "unary": lambda a, inputs, shape: activate(inputs[0], a),
    "binary": _binary,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "reshape": lambda a, inputs, shape: inputs[0].reshape(shape),
    "transpose": lambda a, inputs, shape: inputs[0].permute(a["perm"]),
    "softmax": _softmax,
    "lrn": lambda a, inputs, shape: windows.lrn(inputs[0], a),
    "layer_norm": _layer_norm,
    "resize": lambda a, inputs, shape: resize(inputs[0], a, shape),
    "expand": lambda a, inputs, shape: inputs[0].expand(shape),
    "grouped_lrn": lambda a, inputs, shape: windows.grouped_lrn(inputs[0], a),
}
