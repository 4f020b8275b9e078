"""What every operator means: one function an operator, from float32 arrays to a float32 array.

This is the specification that the core is held to. Sums are made in float64 and rounded once at
the end, so the reference is nearer to the truth than any float32 engine.
"""
# ruff: noqa: ARG001 - the functions of a table share their arguments

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pocketlens.engine.reference import windows
from pocketlens.engine.reference.elementwise import Array, Attributes, activate, combine, number
from pocketlens.engine.reference.resize import resize
from pocketlens.graph.graph import Shape

Inputs = Sequence[Array | None]


def run_operator(
    op: str, attributes: Attributes, inputs: Sequence[NDArray[np.float32] | None], shape: Shape
) -> NDArray[np.float32]:
    """The output of one node.

    op, attributes  as graph/ops.py lists them, judged by graph/shapes.py
    inputs          float32 arrays; None where an optional one is absent
    shape           the output's, as infer_shape gives it
    """
    exact = [None if array is None else array.astype(np.float64) for array in inputs]
    # Overflow, division by zero and the like give what IEEE 754 says, without a word.
    with np.errstate(all="ignore"):
        result = _OPERATORS[op](attributes, exact, shape).astype(np.float32)
    assert result.shape == shape
    return np.ascontiguousarray(result).reshape(shape)


def _conv2d(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    x, w, bias, residual = (*inputs, None, None)[:4]
    assert x is not None
    assert w is not None
    out = windows.conv2d(x, w, attributes, shape)
    if bias is not None:
        out += bias[:, np.newaxis, np.newaxis]
    if residual is not None:
        out += residual
    return activate(out, attributes)


def _linear(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    x, w, bias = (*inputs, None)[:3]
    assert x is not None
    assert w is not None
    out = x @ w.T
    return activate(out if bias is None else out + bias, attributes)


def _matmul(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    a, b = _both(inputs)
    if attributes["transpose_b"]:
        b = np.swapaxes(b, -1, -2)
    out: Array = number(attributes, "scale") * (a @ b)
    return out


def _max_pool(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return windows.max_pool(_only(inputs), attributes, shape)


def _avg_pool(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return windows.avg_pool(_only(inputs), attributes, shape)


def _reduce(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    x, axes, keep = _only(inputs), _ints(attributes, "axes"), bool(attributes["keepdims"])
    kind = attributes["kind"]
    if kind == "mean":
        return np.asarray(x.mean(axis=axes, keepdims=keep))
    if kind == "sum":
        return np.asarray(x.sum(axis=axes, keepdims=keep))
    if kind == "max":
        return np.asarray(x.max(axis=axes, keepdims=keep))
    return np.asarray(x.min(axis=axes, keepdims=keep))


def _unary(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return activate(_only(inputs), attributes)


def _binary(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    a, b = _both(inputs)
    return activate(combine(a, b, str(attributes["kind"])), attributes)


def _concat(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    arrays = [array for array in inputs if array is not None]
    return np.concatenate(arrays, axis=_int(attributes, "axis"))


def _slice(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    taken = _only(inputs)
    starts, sizes, steps = (_ints(attributes, name) for name in ("starts", "sizes", "steps"))
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps, strict=True)):
        taken = np.take(taken, start + step * np.arange(size), axis=axis)
    return taken


def _pad(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    pads = list(zip(_ints(attributes, "before"), _ints(attributes, "after"), strict=True))
    mode = str(attributes["mode"])
    if mode == "constant":
        return np.pad(_only(inputs), pads, constant_values=number(attributes, "value"))
    return np.pad(_only(inputs), pads, mode="reflect" if mode == "reflect" else "edge")


def _reshape(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return _only(inputs).reshape(shape)


def _transpose(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return np.transpose(_only(inputs), _ints(attributes, "perm"))


def _softmax(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    x, axis = _only(inputs), _int(attributes, "axis")
    # Less the largest, so that exp cannot overflow; the quotient is the same.
    shifted = x - x.max(axis=axis, keepdims=True)
    total = np.exp(shifted).sum(axis=axis, keepdims=True)
    return cast("Array", shifted - np.log(total) if attributes["log"] else np.exp(shifted) / total)


def _lrn(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return windows.lrn(_only(inputs), attributes)


def _grouped_lrn(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return windows.grouped_lrn(_only(inputs), attributes)


def _layer_norm(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    x, scale, bias = (*inputs, None, None)[:3]
    assert x is not None
    axes = tuple(range(_int(attributes, "axis"), x.ndim))
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)
    out = centred / np.sqrt(variance + number(attributes, "epsilon"))
    if scale is not None:
        out = out * scale
    return cast("Array", out if bias is None else out + bias)


def _resize(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return resize(_only(inputs), attributes, shape)


def _expand(attributes: Attributes, inputs: Inputs, shape: Shape) -> Array:
    return np.broadcast_to(_only(inputs), shape)


def _only(inputs: Inputs) -> Array:
    assert inputs[0] is not None
    return inputs[0]


def _both(inputs: Inputs) -> tuple[Array, Array]:
    a, b = inputs
    assert a is not None
    assert b is not None
    return a, b


def _int(attributes: Attributes, name: str) -> int:
    return cast("int", attributes[name])


def _ints(attributes: Attributes, name: str) -> tuple[int, ...]:
    return cast("tuple[int, ...]", attributes[name])


_OPERATORS: dict[str, Callable[[Attributes, Inputs, Shape], Array]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce": _reduce,
    "unary": _unary,
    "binary": _binary,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "softmax": _softmax,
    "lrn": _lrn,
    "layer_norm": _layer_norm,
    "resize": _resize,
    "expand": _expand,
    "grouped_lrn": _grouped_lrn,
}
