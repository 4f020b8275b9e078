"""The skeletons of tests/architectures at the size that the literature times: 224 x 224."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, version_converter

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from architectures.filling import filled  # type: ignore[import-not-found]

SIDE = 224
OPSET = 13
"""The least in which onnxruntime can quantize weights channel by channel."""


def full_size(name: str) -> onnx.ModelProto:
    """A skeleton with random weights for one picture of 224 x 224.

    The tests keep them at 64 x 64, which is quicker. Windows do not care; a transformer's position
    table gets a row for each of the larger picture's patches.
    """
    model = filled(name)
    if model.opset_import[0].version < OPSET:
        model = version_converter.convert_version(model, OPSET)
    patch, small = _patch(model), model.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for dim in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = SIDE
    for tensor in model.graph.initializer:
        if tensor.name == "pos_embed":
            _, tokens, width = tensor.dims
            classes = tokens - (small // patch) ** 2
            longer = (1, classes + (SIDE // patch) ** 2, width)
            values = np.random.default_rng(0).standard_normal(longer, dtype=np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values * np.float32(0.1), tensor.name))
    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model)


def _patch(model: onnx.ModelProto) -> int:
    """The window of the first convolution: a transformer's patch."""
    shapes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    first = next(node for node in model.graph.node if node.op_type == "Conv")
    return int(shapes[first.input[1]][-1])
