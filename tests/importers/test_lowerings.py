"""Forms of operators that ONNX's own node cases do not have, each against onnxruntime.

Old opsets, constant weights, automatic pads, one-dimensional pictures, broadcasts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import onnx

from .models import agree, model, node, normal, ops


@dataclass(frozen=True)
class Form:
    """A few nodes from `x` (and `z`) to `y`."""

    name: str
    nodes: list[onnx.NodeProto]
    shape: tuple[int, ...]
    constants: dict[str, Any] = field(default_factory=dict)
    opset: int = 17
    second: tuple[int, ...] | None = None
    positive: bool = False
    tolerance: float = 1e-5


def one(op: str, inputs: str = "x", **attributes: Any) -> list[onnx.NodeProto]:
    return [node(op, inputs, "y", "it", **attributes)]


IMAGE = (1, 6, 9, 7)
W = normal(4, 6, 3, 2, seed=1)
ROW = (1, 6, 11)

CONVOLUTIONS = [
    Form("plain", one("Conv", "x w"), IMAGE, {"w": W}),
    Form("bias", one("Conv", "x w b"), IMAGE, {"w": W, "b": normal(4)}),
    Form("strides", one("Conv", "x w", strides=[2, 3]), IMAGE, {"w": W}),
    Form("asymmetric pads", one("Conv", "x w", pads=[0, 1, 2, 3]), IMAGE, {"w": W}),
    Form("dilations", one("Conv", "x w", dilations=[2, 3]), IMAGE, {"w": W}),
    Form("groups", one("Conv", "x w", group=2), IMAGE, {"w": normal(4, 3, 3, 2)}),
    Form("depthwise", one("Conv", "x w", group=6), IMAGE, {"w": normal(6, 1, 3, 3)}),
    Form("multiplier", one("Conv", "x w", group=6), IMAGE, {"w": normal(12, 1, 3, 3)}),
    *(
        Form(
            f"{auto} by {strides}",
            one("Conv", "x w", auto_pad=auto, strides=strides),
            IMAGE,
            {"w": W},
        )
        for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for strides in ([1, 1], [2, 3])
    ),
    Form("row", one("Conv", "x w", pads=[2, 1], strides=[2]), ROW, {"w": normal(4, 6, 3)}),
    Form("row same", one("Conv", "x w", auto_pad="SAME_UPPER"), ROW, {"w": normal(4, 6, 4)}),
    Form("half weights", [node("Cast", "h", "w", to=1), *one("Conv", "x w")], IMAGE,
         {"h": W.astype(np.float16)}),
    Form("quantized weights", [node("DequantizeLinear", "q s zero", "w", axis=0),
                               *one("Conv", "x w")], IMAGE,
         {"q": (W * 30).astype(np.int8), "s": np.abs(normal(4)), "zero": np.zeros(4, np.int8)}),
]  # fmt: skip

POOLS = [
    *(
        Form(f"{op} {text}", one(op, kernel_shape=[3, 2], **attributes), IMAGE)
        for op in ("MaxPool", "AveragePool")
        for text, attributes in (
            ("plain", {}),
            ("strides", {"strides": [2, 3]}),
            ("pads", {"strides": [2, 2], "pads": [1, 0, 1, 1]}),
            ("ceil", {"strides": [2, 2], "ceil_mode": 1}),
            ("ceil and pads", {"strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]}),
            ("same upper", {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
            ("same lower", {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
        )
    ),
    Form("counted pads", one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
                             count_include_pad=1), IMAGE),
    Form("counted pads, ceil", one("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
                                   strides=[2, 2], count_include_pad=1, ceil_mode=1), IMAGE,
         opset=19),
    Form("dilated max", one("MaxPool", kernel_shape=[2, 2], dilations=[2, 3]), IMAGE),
    Form("row max", one("MaxPool", kernel_shape=[3], strides=[2], pads=[1, 1]), ROW),
    Form("row average", one("AveragePool", kernel_shape=[3], strides=[2]), ROW),
    Form("global average", one("GlobalAveragePool"), IMAGE),
    Form("global max", one("GlobalMaxPool"), IMAGE),
    Form("global row", one("GlobalAveragePool"), ROW),
]  # fmt: skip

LINEAR = [
    Form("gemm", one("Gemm", "x w c", transB=1), (1, 6), {"w": normal(4, 6), "c": normal(4)}),
    Form("gemm, no c", one("Gemm", "x w"), (3, 6), {"w": normal(6, 4)}),
    Form("gemm scaled", one("Gemm", "x w c", alpha=0.5, beta=2.0), (2, 6),
         {"w": normal(6, 4), "c": normal(1, 4)}),
    Form("gemm, one number", one("Gemm", "x w c"), (2, 6), {"w": normal(6, 4), "c": normal(1)}),
    Form("gemm, scalar", one("Gemm", "x w c"), (2, 6), {"w": normal(6, 4), "c": np.float32(2)}),
    Form("gemm, c a column", one("Gemm", "x w c"), (4, 6), {"w": normal(6, 4), "c": normal(4, 1)}),
    Form("gemm, c whole", one("Gemm", "x w c", beta=3.0), (2, 6),
         {"w": normal(6, 4), "c": normal(2, 4)}),
    Form("gemm transposed", one("Gemm", "x w", transA=1), (6, 2), {"w": normal(6, 4)}),
    Form("gemm of arrays", one("Gemm", "x z", transB=1, alpha=0.5), (2, 6), second=(4, 6)),
    Form("gemm of arrays, c", one("Gemm", "x z c"), (2, 6), {"c": normal(4)}, second=(6, 4)),
    Form("matmul", one("MatMul", "x w"), (1, 5, 6), {"w": normal(6, 4)}),
    Form("matmul with bias", [node("MatMul", "x w", "p"), node("Add", "b p", "y")], (1, 5, 6),
         {"w": normal(6, 4), "b": normal(4)}),
    Form("matmul of a vector", one("MatMul", "x w"), (6,), {"w": normal(6, 4)}),
    Form("matmul with a vector", one("MatMul", "x w"), (2, 6), {"w": normal(6)}),
    Form("matmul of vectors", one("MatMul", "x z"), (6,), second=(6,)),
    Form("matmul of a vector and a stack", one("MatMul", "x z"), (6,), second=(3, 6, 4)),
    Form("matmul with constant stack", one("MatMul", "x w"), (3, 2, 6), {"w": normal(3, 6, 4)}),
    Form("matmul from the left", one("MatMul", "w x"), (3, 6, 2), {"w": normal(4, 6)}),
    Form("matmul of arrays", one("MatMul", "x z"), (2, 1, 5, 6), second=(3, 6, 4)),
]  # fmt: skip

I64 = np.int64
SHAPES = [
    Form("reshape", one("Reshape", "x s"), IMAGE, {"s": I64([0, -1, 3])}),
    Form("reshape from shape", [node("Shape", "x", "s"), node("Gather", "s i", "n"),
                                node("Unsqueeze", "n a", "n1"), node("Concat", "n1 m", "t", axis=0),
                                *one("Reshape", "x t")], IMAGE,
         {"i": I64(0), "a": I64([0]), "m": I64([-1])}),
    Form("flatten", one("Flatten", axis=2), IMAGE),
    Form("flatten all", one("Flatten", axis=0), IMAGE),
    Form("flatten from the end", one("Flatten", axis=-1), IMAGE),
    Form("squeeze", one("Squeeze", axes=[0, -1]), (1, 3, 4, 1), opset=11),
    Form("squeeze all", one("Squeeze"), (1, 3, 1, 4)),
    Form("squeeze by input", one("Squeeze", "x a"), (1, 3, 1, 4), {"a": I64([2])}),
    Form("unsqueeze", one("Unsqueeze", axes=[0, 2]), (3, 4), opset=11),
    Form("unsqueeze by input", one("Unsqueeze", "x a"), (3, 4), {"a": I64([-1, 0])}),
    Form("transpose", one("Transpose", perm=[0, 3, 1, 2]), IMAGE),
    Form("transpose all", one("Transpose"), IMAGE),
    Form("expand", one("Expand", "x s"), (3, 1, 2), {"s": I64([2, 1, 4, 1])}),
    Form("tile", one("Tile", "x r"), (1, 2, 3), {"r": I64([2, 1, 3])}),
    Form("split evenly", [node("Split", "x", "a b", axis=1), node("Sub", "a b", "y")], IMAGE,
         opset=13),
    Form("split", [node("Split", "x s", "a b", axis=-1), node("Concat", "b a", "y", axis=3)], IMAGE,
         {"s": I64([2, 5])}),
    Form("split attribute", [node("Split", "x", "a b", axis=1, split=[2, 4]),
                             node("Concat", "b a", "y", axis=1)], IMAGE, opset=11),
    Form("split with a rest", [node("Split", "x", "a b", axis=2, num_outputs=2),
                               node("Concat", "b a", "y", axis=2)], IMAGE, opset=18),
    Form("slice", one("Slice", "x s e a"), IMAGE, {"s": I64([1, -3]), "e": I64([5, 100]),
                                                  "a": I64([1, 3])}),
    Form("slice backwards", one("Slice", "x s e a t"), IMAGE,
         {"s": I64([-1]), "e": I64([-(2**62)]), "a": I64([2]), "t": I64([-2])}),
    Form("slice attributes", one("Slice", starts=[1, 2], ends=[-1, 9], axes=[1, 2]), IMAGE,
         opset=9),
    Form("gather one", one("Gather", "x i", axis=1), IMAGE, {"i": I64(-2)}),
    Form("gather a run", one("Gather", "x i", axis=2), IMAGE, {"i": I64([2, 4, 6])}),
    Form("gather any", one("Gather", "x i", axis=1), IMAGE, {"i": I64([[3, 0], [0, 5]])}),
    Form("gather reversed", one("Gather", "x i", axis=1), IMAGE, {"i": I64([5, 4, 3, 2, 1, 0])}),
    Form("concat with a constant", one("Concat", "k x", axis=1), IMAGE, {"k": normal(1, 2, 9, 7)}),
    Form("identity", [node("Identity", "x", "i"), node("Dropout", "i", "y")], IMAGE),
    Form("where known", one("Where", "c x z"), (2, 3), {"c": np.ones((4, 1, 1), bool)},
         second=(1, 3)),
    Form("pad", one("Pad", "x p v"), IMAGE, {"p": I64([0, 1, 2, 0, 0, 0, 1, 3]),
                                            "v": np.float32(1.5)}),
    Form("pad attributes", one("Pad", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=2.0), IMAGE, opset=10),
    Form("pad reflect", one("Pad", "x p", mode="reflect"), IMAGE,
         {"p": I64([0, 0, 2, 1, 0, 0, 3, 0])}),
    Form("pad edge", one("Pad", "x p", mode="edge"), IMAGE, {"p": I64([0, 0, 2, 1, 0, 0, 3, 0])}),
    Form("pad axes", one("Pad", "x p - a"), IMAGE, {"p": I64([2, 1]), "a": I64([-1])}, opset=18),
    Form("crop", one("Pad", "x p"), IMAGE, {"p": I64([0, 0, -1, 2, 0, -2, 0, -1])}),
]  # fmt: skip

ELEMENTWISE = [
    Form("clip attributes", one("Clip", min=-0.5, max=0.25), IMAGE, opset=7),
    Form("clip min", one("Clip", "x l"), IMAGE, {"l": np.float32(-0.5)}),
    Form("clip max", one("Clip", "x - h"), IMAGE, {"h": np.float32(0.5)}),
    Form("clip to infinity", one("Clip", "x l h"), IMAGE, {"l": np.float32(0),
                                                          "h": np.float32(np.inf)}),
    Form("clip nothing", one("Clip"), IMAGE),
    Form("prelu", one("PRelu", "x s"), IMAGE, {"s": normal(6, 1, 1)}),
    Form("pow 2", one("Pow", "x e"), IMAGE, {"e": np.float32(2)}),
    Form("pow 1/2", one("Pow", "x e"), IMAGE, {"e": np.float32(0.5)}, positive=True),
    Form("pow whole", one("Pow", "x e"), IMAGE, {"e": I64(3)}),
    Form("pow many", one("Pow", "x e"), IMAGE, {"e": np.abs(normal(7))}, positive=True),
    Form("scalar on the left", one("Sub", "k x"), IMAGE, {"k": np.float32(3)}),
    Form("broadcast", one("Div", "x z"), (1, 6, 1, 7), second=(9, 1), tolerance=1e-4),
    Form("sum of three", one("Sum", "x k x"), IMAGE, {"k": normal(6, 1, 1)}),
    Form("mean of two", one("Mean", "x k"), IMAGE, {"k": normal(6, 1, 1)}),
    Form("max of three", one("Max", "x k j"), IMAGE, {"k": normal(7), "j": np.float32(0)}),
    Form("selu", one("Selu"), IMAGE),
    Form("celu", one("Celu", alpha=0.7), IMAGE),
    Form("mish", one("Mish"), IMAGE, opset=18),
    Form("gelu", one("Gelu"), IMAGE, opset=20),
    Form("gelu by tanh", one("Gelu", approximate="tanh"), IMAGE, opset=20),
    Form("softsign", one("Softsign"), IMAGE),
    Form("hard sigmoid", one("HardSigmoid", alpha=0.3, beta=0.4), IMAGE),
    Form("hard swish", one("HardSwish"), IMAGE),
    Form("casts", [node("Cast", "x", "d", to=11), node("Cast", "k", "h", to=11),
                   node("Add", "d h", "e"),
                   node("Cast", "e", "y", to=1)], IMAGE, {"k": normal(7)}),
    Form("softmax of all", one("Softmax", axis=1), (2, 3, 4), opset=11),
    Form("softmax", one("Softmax", axis=1), (2, 3, 4)),
    Form("log softmax", one("LogSoftmax"), (2, 3, 4)),
    *(
        Form(f"{op} {form}", one(op, **attributes), IMAGE, opset=opset, positive="Log" in op)
        for op in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2",
                   "ReduceSumSquare", "ReduceLogSum")
        for form, opset, attributes in (
            ("attributes", 11, {"axes": [-1, 2], "keepdims": 0}),
            ("all", 11, {"keepdims": 1}),
        )
    ),
    Form("reduce by input", one("ReduceMean", "x a", keepdims=0), IMAGE, {"a": I64([1])}, opset=18),
    Form("sum by input", one("ReduceSum", "x a"), IMAGE, {"a": I64([3, 2])}, opset=13),
    Form("reduce nothing", one("ReduceSum", "x a", noop_with_empty_axes=1), IMAGE, {"a": I64([])}),
]  # fmt: skip

CHANNELS = {name: normal(6, seed=seed) for seed, name in enumerate("sbm")}
NORMS = [
    Form("batch norm", one("BatchNormalization", "x s b m v"), IMAGE,
         {**CHANNELS, "v": np.abs(normal(6)) + 0.1}),
    Form("batch norm of rows", one("BatchNormalization", "x s b m v", epsilon=0.1), (3, 6),
         {**CHANNELS, "v": np.abs(normal(6)) + 0.1}),
    Form("old batch norm", one("BatchNormalization", "x s b m v"), IMAGE,
         {**CHANNELS, "v": np.abs(normal(6)) + 0.1}, opset=7),
    Form("instance norm", one("InstanceNormalization", "x s b"), IMAGE,
         {key: CHANNELS[key] for key in "sb"}),
    Form("group norm", one("GroupNormalization", "x s b", num_groups=3), IMAGE,
         {key: CHANNELS[key] for key in "sb"}, opset=21),
    Form("layer norm", one("LayerNormalization", "x s b", axis=-1), (1, 5, 6),
         {key: CHANNELS[key] for key in "sb"}),
    Form("layer norm of two axes", one("LayerNormalization", "x s", axis=-2, epsilon=0.01),
         (1, 5, 6), {"s": normal(5, 6)}),
    Form("lrn", one("LRN", size=3, alpha=0.5, beta=0.6, bias=1.5), IMAGE),
]  # fmt: skip

RESIZES = [
    Form("upsample attributes", one("Upsample", scales=[1.0, 1.0, 2.0, 3.0]), IMAGE, opset=7),
    Form("upsample", one("Upsample", "x s", mode="linear"), IMAGE, {"s": [1.0, 1.0, 2.0, 2.0]},
         opset=9),
    Form("resize 10 up", one("Resize", "x s"), IMAGE, {"s": [1.0, 1.0, 2.0, 1.3]}, opset=10),
    Form("resize 10 down", one("Resize", "x s"), IMAGE, {"s": [1.0, 1.0, 1.0, 0.6]}, opset=10),
    *(
        Form(f"resize {mode} {coordinates}",
             one("Resize", "x - s", mode=mode, coordinate_transformation_mode=coordinates), IMAGE,
             {"s": [1.0, 1.0, 1.7, 0.6]})
        for mode in ("nearest", "linear", "cubic")
        for coordinates in ("half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel")
    ),
    Form("resize to sizes", one("Resize", "x - - s", mode="linear"), IMAGE,
         {"s": I64([1, 6, 5, 20])}),
    Form("resize axes", one("Resize", "x - - s", mode="nearest", axes=[2, 3]), IMAGE,
         {"s": I64([5, 20])}, opset=18),
    Form("resize to the same", one("Resize", "x - s"), IMAGE, {"s": [1.0, 1.0, 1.0, 1.0]}),
    Form("depth to space", one("DepthToSpace", blocksize=2), (1, 8, 3, 2)),
    Form("depth to space CRD", one("DepthToSpace", blocksize=2, mode="CRD"), (1, 8, 3, 2)),
    Form("space to depth", one("SpaceToDepth", blocksize=2), (1, 3, 4, 6)),
]  # fmt: skip

FORMS = [
    *CONVOLUTIONS, *POOLS, *LINEAR, *SHAPES, *ELEMENTWISE, *NORMS, *RESIZES,
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_form(form: Form) -> None:
    inputs: dict[str, Any] = {"x": form.shape, **({"z": form.second} if form.second else {})}
    made = model(form.nodes, inputs=inputs, constants=form.constants, opset=form.opset)
    given = {name: normal(*shape, seed=7) for name, shape in inputs.items()}
    if form.positive:
        given = {name: np.abs(values) + np.float32(0.1) for name, values in given.items()}
    agree(made, given, tolerance=form.tolerance)


def test_matmul_with_constant_weights_is_a_linear() -> None:
    made = model(
        [node("MatMul", "x w", "p", "fc"), node("Add", "p b", "y")],
        inputs={"x": (1, 6)},
        constants={"w": normal(6, 4), "b": normal(4)},
    )
    network = agree(made, {"x": normal(1, 6)})
    assert ops(network) == ["linear"]
    assert network.graph.shapes["w"] == (4, 6)
    assert set(network.tensors) == {"w", "fc.bias"}


def test_shape_arithmetic_leaves_nothing_behind() -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n"),
        node("Mul", "n two", "m"),
        node("ConstantOfShape", "one_axis", "filled", value=onnx.numpy_helper.from_array(
            np.int64([-1]))),
        node("Unsqueeze", "m axes", "m1"),
        node("Concat", "m1 filled", "t", axis=0),
        node("Reshape", "x t", "y"),
    ]  # fmt: skip
    constants = {"zero": I64(0), "two": I64(2), "one_axis": I64([1]), "axes": I64([0])}
    made = model(nodes, inputs={"x": (3, 4)}, constants=constants)
    assert ops(agree(made, {"x": normal(3, 4)})) == ["reshape"]


def test_names_of_nodes_and_tensors_are_kept() -> None:
    made = model(
        [node("Conv", "x w", "c", "/features/0/Conv"), node("Conv", "c onnx::Conv_12", "y", "/1")],
        inputs={"x": (1, 3, 5, 5)},
        constants={"w": normal(2, 3, 1, 1), "onnx::Conv_12": normal(2, 2, 1, 1)},
    )
    network = agree(made, {"x": normal(1, 3, 5, 5)})
    assert [node.name for node in network.graph.nodes] == ["features/0/Conv", "1"]
    assert [node.output for node in network.graph.nodes] == ["c", "y"]
    assert list(network.tensors) == ["w", "1.weight"]
