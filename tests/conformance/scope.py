"""Which of ONNX's node cases are in scope, and why each other one is not. Nothing is silent.

In scope are the cases of every operator that the importer promises (OPERATORS), as one node and,
where ONNX defines the operator by other ones, expanded into those; with float32 arrays and static
shapes. A case of such an operator may be out for one of the reasons that `why_out` gives.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

_NAMES = (
    "Abs Add AveragePool BatchNormalization Celu Clip Concat Conv DepthToSpace Div Dropout Elu "
    "Erf Exp Expand Flatten Gelu Gemm GlobalAveragePool GlobalMaxPool GroupNormalization "
    "HardSigmoid HardSwish Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log "
    "LogSoftmax MatMul Max MaxPool Mean Min Mish Mul Neg PRelu Pad Pow RMSNormalization "
    "Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceMax ReduceMean ReduceMin ReduceSum "
    "ReduceSumSquare Relu Reshape Resize Selu Sigmoid Slice Softmax Softplus Softsign "
    "SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh Tile Transpose Unsqueeze Upsample"
)
OPERATORS = frozenset(_NAMES.split())
"""Operators whose cases have to run."""

FOLDED = frozenset(
    "Cast CastLike Constant ConstantOfShape Gather Range Shape Size Where".split()  # noqa: SIM905
)
"""Operators that have no cases here but may stand in an expanded case: shape arithmetic, which
the importer computes itself."""

CONSTANT_INPUTS: dict[str, tuple[int, ...]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "Clip": (1, 2),
    "Conv": (1, 2),
    "Dropout": (1, 2),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "PRelu": (1,),
    "Pad": (1, 2, 3),
    "RMSNormalization": (1,),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
"""Inputs of type float that a trained model holds as constants; the case's own values are put in.
Inputs of any other type (shapes, axes, splits) always are."""

_ROUNDED = (
    "the case takes the resized length before rounding; ONNX's text, onnxruntime and PyTorch "
    "take it rounded"
)
OUT: dict[str, str] = {
    "test_resize_downsample_scales_linear_align_corners": _ROUNDED,
    "test_resize_downsample_scales_cubic_align_corners": _ROUNDED,
}
"""Single cases that are out, by name, and why."""

RESIZE_OUT: dict[str, str] = {
    "antialias": "Resize: antialias",
    "exclude_outside": "Resize: exclude_outside",
    "keep_aspect_ratio_policy": "Resize: keep_aspect_ratio_policy",
}
"""Attributes of Resize that no classifier sets; the importer refuses them by name."""

RESIZE_COORDINATES_OUT = frozenset({b"tf_crop_and_resize", b"half_pixel_symmetric"})


def why_out(
    operator: str, name: str, model: ModelProto, inputs: Sequence[object], outputs: Sequence[object]
) -> str:
    """Why a case of an operator in scope does not run; "" where it does."""
    if name in OUT:
        return OUT[name]
    arrays = [*inputs[:1], *outputs[:1]]
    if not all(isinstance(value, np.ndarray) for value in arrays):
        return "not of arrays (sequence or optional)"
    graph = model.graph
    types = {graph.input[0].type.tensor_type.elem_type, graph.output[0].type.tensor_type.elem_type}
    if types != {TensorProto.FLOAT}:
        return "not float32"
    if any(0 in np.shape(value) for value in arrays):  # type: ignore[arg-type]
        return "an empty array"
    outside = sorted({node.op_type for node in graph.node} - OPERATORS - FOLDED)
    if outside:
        return f"expanded into {', '.join(outside)}"
    return _why_node_out(operator, graph.node[0], inputs)


def _why_node_out(operator: str, node: NodeProto, inputs: Sequence[object]) -> str:
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if operator == "BatchNormalization" and "training_mode" in attributes:
        return "training mode"
    if operator == "Dropout" and len(inputs) > 2 and bool(inputs[2]):
        return "training mode"
    windowed = {"Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"}
    if operator in windowed and np.ndim(inputs[0]) != 4:  # type: ignore[arg-type]
        return "not a 2-D picture"
    if operator == "Resize":
        for name, reason in RESIZE_OUT.items():
            if name in attributes:
                return reason
        coordinates = attributes.get("coordinate_transformation_mode")
        if coordinates is not None and coordinates.s in RESIZE_COORDINATES_OUT:
            return f"Resize: {coordinates.s.decode()}"
    return ""
