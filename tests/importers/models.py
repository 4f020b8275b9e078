"""ONNX models of a few nodes, and what onnxruntime and the reference engine make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pocketlens.engine.reference import ReferenceEngine
from pocketlens.graph.graph import Network
from pocketlens.importers.onnx.reader import lower_model

Array = NDArray[np.float32]
Shape = tuple[int | str | None, ...]

onnxruntime.set_default_logger_severity(4)


def node(op: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> onnx.NodeProto:
    """A node; names of inputs and outputs with spaces between, "-" for an absent one."""
    names = ["" if word == "-" else word for word in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name=name, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Mapping[str, Shape],
    constants: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A checked model; constants become initializers (float64 numbers are kept as float32)."""
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(constant(v), name) for name, v in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = 8
    return made


def constant(values: Any) -> NDArray[Any]:
    """Numbers as an array, Python floats as float32."""
    array = np.asarray(values)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def normal(*shape: int, seed: int = 0) -> Array:
    """Normal random numbers."""
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def by_onnxruntime(made: onnx.ModelProto, given: Mapping[str, Array]) -> list[Array]:
    """All outputs, without onnxruntime's own rewrites."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(given)))


def run(network: Network, given: Mapping[str, Array]) -> list[Array]:
    """All outputs, by the reference engine."""
    return ReferenceEngine(network).run([given[name] for name in network.graph.inputs])


def agree(made: onnx.ModelProto, given: Mapping[str, Array], *, tolerance: float = 1e-5) -> Network:
    """Check raw and simplified against onnxruntime; the simplified network."""
    expected = by_onnxruntime(made, given)
    for simplified in (False, True):
        network = lower_model(made, simplified=simplified)
        for actual, wanted in zip(run(network, given), expected, strict=True):
            assert actual.shape == wanted.shape
            limit = tolerance * max(float(np.abs(wanted).max()), 1e-30)
            np.testing.assert_allclose(actual, wanted, rtol=0, atol=limit)
    return network


def ops(network: Network) -> list[str]:
    """Operators in running order."""
    return [node.op for node in network.graph.nodes]


def save(made: onnx.ModelProto, path: Path) -> Path:
    """Write the model's bytes."""
    path.write_bytes(made.SerializeToString())
    return path


def small_classifier(**changes: Any) -> onnx.ModelProto:
    """Conv, Relu, GlobalAveragePool, Flatten, Gemm: (N,3,8,8) to (N,5)."""
    parts: dict[str, Any] = {
        "nodes": [
            node("Conv", "x w b", "c", "conv", pads=[1, 1, 1, 1]),
            node("Relu", "c", "r", "relu"),
            node("GlobalAveragePool", "r", "p", "pool"),
            node("Flatten", "p", "f", "flatten"),
            node("Gemm", "f fw fb", "y", "head", transB=1),
        ],
        "inputs": {"x": ("batch", 3, 8, 8)},
        "constants": {
            "w": normal(4, 3, 3, 3),
            "b": normal(4),
            "fw": normal(5, 4),
            "fb": normal(5, seed=1),
        },
    }
    return model(**{**parts, **changes})
