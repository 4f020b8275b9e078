"""Small ONNX classifiers with seeded random weights, made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_small_classifier(
    path: Path, *, classes: int = 10, side: int = 32, channels: int = 3, seed: int = 0
) -> Path:
    """Conv-Relu-Conv-Relu-GlobalAveragePool-Gemm with `classes` outputs; about 20,000 weights."""
    rng = np.random.default_rng(seed)
    shapes = {"w1": (16, channels, 3, 3), "w2": (96, 16, 3, 3), "w3": (classes, 96)}
    weights = {
        name: (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)
        for name, shape in shapes.items()
    }
    weights |= {
        f"b{i}": rng.standard_normal(shapes[f"w{i}"][0]).astype(np.float32) for i in (1, 2, 3)
    }
    nodes = [
        helper.make_node("Conv", ["x", "w1", "b1"], ["c1"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], "second", strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "w3", "b3"], ["scores"], "head", transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", channels, side, side])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
