"""An ONNX model of one picture made into one of ten: for runtimes that take fixed batches."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def batched(model: onnx.ModelProto, count: int) -> onnx.ModelProto:
    """A copy whose input is `count` pictures.

    The first length of inputs and outputs becomes `count`, and so does a 1 at the head of the
    shapes that Reshape is given. Whether the result says the same as one picture after the other
    is for the caller to try: a class token that is concatenated stays alone.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    del graph.value_info[:]
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = count
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            tensor.CopyFrom(_widened(tensor, count))
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in shapes:
            for attribute in node.attribute:
                if attribute.name == "value":
                    attribute.t.CopyFrom(_widened(attribute.t, count))
    return copy


def _widened(tensor: onnx.TensorProto, count: int) -> onnx.TensorProto:
    values = np.array(numpy_helper.to_array(tensor))
    if values.ndim == 1 and values.size > 1 and values[0] == 1:
        values[0] = count
    return numpy_helper.from_array(values, tensor.name)
