"""Constants computed at import, by onnx's own reference evaluator, one node at a time.

Which operators: a list, since a model file chooses what is computed here. Random numbers,
graphs inside graphs and text stay out. How much: what a node makes is bounded before it runs,
since a few bytes of Tile or Expand can ask for any amount of memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from pocketlens.importers.onnx.values import words

MAX_ELEMENTS = 2**28
"""Elements that one folded node may make; the largest weight of VGG has 1.03e8."""
MAX_TOTAL_ELEMENTS = 2**30
"""Elements that all folded nodes of a model may make together."""

_NOT_LARGER = words(
    "Abs Acos Asin Atan BatchNormalization BitwiseNot Cast CastLike Ceil Clip Cos CumSum "
    "DequantizeLinear Elu Erf Exp Flatten Floor Gelu HardSigmoid HardSwish Identity "
    "InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Log LogSoftmax Neg Not "
    "QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceMax ReduceMean ReduceMin "
    "ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round ScatterElements ScatterND Selu "
    "Sigmoid Sign Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Tan Tanh Transpose Trilu "
    "Unsqueeze"
)
"""Operators whose outputs together hold no more elements than their largest input."""

_BROADCASTING = words(
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less "
    "LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor"
)

Constants = Sequence[NDArray[Any] | None]


class Folder:
    """Folds nodes, and keeps account of how much it has made."""

    def __init__(self, opsets: dict[str, int]) -> None:
        self._opsets = opsets
        self._made = 0

    def fold(self, node: onnx.NodeProto, inputs: Constants) -> list[NDArray[Any]] | None:
        """The outputs of `node`, or None where it is not to be folded.

        Raises ValueError with the reason where the node cannot be computed or makes too much.
        """
        if node.domain not in ("", "ai.onnx"):
            return None
        try:
            elements = _elements(node, inputs)
        except IndexError:
            raise ValueError("it has too few inputs") from None
        if elements is None:
            return None
        self._made += elements
        if elements > MAX_ELEMENTS or self._made > MAX_TOTAL_ELEMENTS:
            raise ValueError(f"it would make a constant of {elements} elements")
        if any(value is not None and value.size == 0 for value in inputs) and node.op_type in (
            "ReduceMax",
            "ReduceMin",
        ):
            raise ValueError("it reduces an empty array")
        return _run(node, inputs, self._opsets)


def _run(node: onnx.NodeProto, inputs: Constants, opsets: dict[str, int]) -> list[NDArray[Any]]:
    feeds = {
        name: value for name, value in zip(node.input, inputs, strict=True) if value is not None
    }
    try:
        with np.errstate(all="ignore"):
            evaluator = ReferenceEvaluator(node, opsets=opsets)
            outputs = evaluator.run(None, {"": None, **feeds} if "" in node.input else feeds)
    except MemoryError:
        raise ValueError("it needs more memory than there is") from None
    except Exception as error:
        # The evaluator is plain Python code over values that the file chose: any exception of
        # it says that these values do not fit the operator.
        raise ValueError(f"it cannot be computed from its constants: {error}") from error
    return [np.asarray(output) for output in outputs]


def _elements(node: onnx.NodeProto, inputs: Constants) -> int | None:
    """An upper bound of the elements that `node` makes; None where it is not on the list."""
    op = node.op_type
    sizes = [value.size for value in inputs if value is not None]
    if op in _NOT_LARGER:
        return max([1, *sizes])
    if op in _BROADCASTING:
        return _broadcast([value for value in inputs if value is not None])
    rule = _RULES.get(op)
    return None if rule is None else rule(node, [v for v in inputs if v is not None])


def _broadcast(values: Sequence[NDArray[Any]]) -> int:
    rank = max((value.ndim for value in values), default=0)
    product = 1
    for axis in range(1, rank + 1):
        product *= max(value.shape[-axis] if axis <= value.ndim else 1 for value in values)
    return product


def _product(values: NDArray[Any]) -> int:
    return math.prod(max(0, int(value)) for value in values.reshape(-1)) if values.size < 64 else 1


def _constant(node: onnx.NodeProto, _: Sequence[NDArray[Any]]) -> int | None:
    # Text and sparse constants have no place in a network.
    names = {attribute.name for attribute in node.attribute}
    return (
        1 if names <= {"value", "value_float", "value_floats", "value_int", "value_ints"} else None
    )


def _expand(_: onnx.NodeProto, values: Sequence[NDArray[Any]]) -> int:
    shape = [max(1, int(dim)) for dim in values[1].reshape(-1)[:64]]
    own = [1] * (len(shape) - values[0].ndim) + list(values[0].shape)
    shape = [1] * (len(own) - len(shape)) + shape
    return math.prod(max(pair) for pair in zip(own, shape, strict=True))


def _tile(_: onnx.NodeProto, values: Sequence[NDArray[Any]]) -> int:
    return values[0].size * _product(values[1])


def _range(_: onnx.NodeProto, values: Sequence[NDArray[Any]]) -> int:
    start, limit, delta = (float(value.reshape(-1)[0]) for value in values)
    return 0 if delta == 0 else max(0, min(2**62, math.ceil((limit - start) / delta)))


def _gather(node: onnx.NodeProto, values: Sequence[NDArray[Any]]) -> int:
    data, indices = values
    axes = [attribute.i for attribute in node.attribute if attribute.name == "axis"]
    axis = axes[0] if axes else 0
    length = data.shape[axis] if -data.ndim <= axis < data.ndim else 1
    return data.size // max(1, length) * indices.size


_RULES: dict[str, Any] = {
    "Constant": _constant,
    "ConstantOfShape": lambda _, values: _product(values[0]),
    "Shape": lambda _, values: values[0].ndim,
    "Size": lambda _, __: 1,
    "Concat": lambda _, values: sum(value.size for value in values),
    "Expand": _expand,
    "Tile": _tile,
    "Range": _range,
    "Gather": _gather,
    "GatherElements": lambda _, values: values[1].size,
    "NonZero": lambda _, values: values[0].size * max(1, values[0].ndim),
}
